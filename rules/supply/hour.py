"""One hour of a host's supply, settled: what covered its load, what that emitted, and the books after it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from .certificates import CertificateBook
from .match import location_own_product, location_split, market_product, match_hour, sold_mj
from .model import OWN_LAYERS, HourMatch, Layer, Offer, Take
from .storage import StorageBook


@dataclass(frozen=True, slots=True)
class SupplyBooks:
    """What one hour leaves to the next: certificates that are used up, and green energy in batteries."""

    certificates: CertificateBook = field(default_factory=CertificateBook)
    storage: StorageBook = field(default_factory=StorageBook)


@dataclass(frozen=True, slots=True)
class LayerEnergy:
    """What one source covered. `is_green` and `is_matched` tell whether it counts in green share and 24/7 score."""

    layer: Layer
    name: str
    energy_mj: int
    is_green: bool = True
    is_matched: bool = True


@dataclass(frozen=True, slots=True)
class HourSupply:
    """Who covered the load of an hour. Products are millijoules x micrograms per kWh.

    The layers and `unmatched_mj` sum to the load. Market-based: `market_product`, without `market_uncovered_mj` where
    the factor of the rest is not known; `market_rest_mj` is what that factor is for. Location-based:
    `location_own_product`, and `location_grid_mj` at the mix of the place. `contract_mj` and `contract_product` are
    of direct lines, contracts and certificates alone. `sold_mj` is the part of `location_own_mj` whose certificates
    went to others: it is in `market_rest_mj`.
    """

    load_mj: int
    layers: tuple[LayerEnergy, ...]
    unmatched_mj: int
    market_product: int
    market_uncovered_mj: int
    market_rest_mj: int
    location_own_mj: int
    location_own_product: int
    location_grid_mj: int
    contract_mj: int = 0
    contract_product: int = 0
    sold_mj: int = 0
    sold_product: int = 0
    unmetered: tuple[str, ...] = ()

    @property
    def matched_mj(self) -> int:
        """Give the load that carbon-free supply of the same hour covered."""
        return sum(layer.energy_mj for layer in self.layers if layer.is_matched)


def settle_hour(
    hour: int,
    load_mj: int,
    offers: Sequence[Offer],
    books: SupplyBooks,
    *,
    residual: int | None = None,
    unmetered: Sequence[str] = (),
) -> tuple[HourSupply, SupplyBooks]:
    """Settle a UTC hour (number since the Unix epoch): storage limited, offers matched, certificates for the rest.

    *books* are those after the hour before. *residual* is in micrograms per kWh, None where it is not known or
    applied by the caller. *unmetered* names the sources whose meter has no value: they have no offer.
    """
    storage = books.storage.of_hour(hour)
    match = match_hour(load_mj, storage.limited(offers))
    storage = replace(storage.after(match, unmetered), storages=books.storage.storages)
    match, certificates = books.certificates.cover(hour, match)
    return _supply(match, residual, tuple(unmetered)), SupplyBooks(certificates, storage)


def _supply(match: HourMatch, residual: int | None, unmetered: tuple[str, ...]) -> HourSupply:
    product, uncovered_mj = market_product(match, residual)
    own_mj, grid_mj = location_split(match)
    contracts = [take for take in match.taken if _is_contract(take.offer)]
    sold = [take for take in match.taken if take.offer.certificates_sold and take.offer.layer in OWN_LAYERS]
    return HourSupply(
        load_mj=match.load_mj,
        layers=tuple(_layer_energy(take) for take in match.taken if take.energy_mj),
        unmatched_mj=match.unmatched_mj,
        market_product=product,
        market_uncovered_mj=uncovered_mj,
        market_rest_mj=match.unmatched_mj + sold_mj(match),
        location_own_mj=own_mj,
        location_own_product=location_own_product(match),
        location_grid_mj=grid_mj,
        contract_mj=sum(take.energy_mj for take in contracts),
        contract_product=sum(take.product for take in contracts),
        sold_mj=sum(take.energy_mj for take in sold),
        sold_product=sum(take.product for take in sold),
        unmetered=unmetered,
    )


def _layer_energy(take: Take) -> LayerEnergy:
    offer = take.offer
    return LayerEnergy(offer.layer, offer.name, take.energy_mj, offer.is_green, offer.is_matched)


def _is_contract(offer: Offer) -> bool:
    return offer.layer not in OWN_LAYERS and not offer.certificates_sold
