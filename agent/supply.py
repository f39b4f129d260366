"""From the configured supply and what meters gave to the offers of each hour; who takes them is for rules/supply."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.supply.certificates import CertificateBook, Lot
from wattledger.rules.supply.hour import SupplyBooks
from wattledger.rules.supply.model import MILLION, PRIORITY, Layer, Offer
from wattledger.rules.supply.storage import Storage, StorageBook

from .config.feed_schema import Feed
from .config.supply_lots import lot_span
from .config.supply_schema import ChargedFrom, Scope, SupplyEntry, SupplyKind

EnergyOf = Callable[[str], int | None]
"""Gives the millijoules that the meter of an entry has for the hour, by the entry's name; None: it has no value."""

_MJ_PER_WH = 3_600_000
_MJ_PER_KWH_PPM = 3_600  # of a millionth of a kWh
_LAYERS = {
    SupplyKind.ONSITE: Layer.ONSITE,
    SupplyKind.STORAGE: Layer.STORAGE,
    SupplyKind.DIRECT_LINE: Layer.DIRECT_LINE,
    SupplyKind.CERTIFICATES: Layer.CERTIFICATES,
}


@dataclass(frozen=True, slots=True)
class Offered:
    """The offers of an hour in the order in which they are taken, and the entries whose meter has no value for it."""

    offers: tuple[Offer, ...]
    unmetered: tuple[str, ...] = ()


class SupplyPlan:
    """The configured supply. *entries* are without mistakes; the order of layers goes before that of the list."""

    def __init__(self, entries: Sequence[SupplyEntry]) -> None:
        self._entries = sorted(entries, key=lambda entry: PRIORITY.index(_layer(entry)))

    @property
    def meters(self) -> Mapping[str, Feed]:
        """Give the feeds whose energy is needed, by the entry's name."""
        return {entry.name: entry.meter for entry in self._entries if entry.meter is not None}

    @cached_property
    def lots(self) -> tuple[Lot, ...]:
        """Give the certificates that cover load. Those that came with the power of an entry count with that power."""
        return tuple(_lots(self._entries))

    @cached_property
    def storages(self) -> tuple[Storage, ...]:
        """Give the batteries that are charged from generation on site."""
        return tuple(
            Storage(
                entry.name,
                _part(entry, (entry.capacity_kwh_ppm or 0) * _MJ_PER_KWH_PPM),
                entry.from_wall_ns,
                entry.to_wall_ns,
                entry.efficiency_ppm,
            )
            for entry in self._entries
            if entry.charged_from is ChargedFrom.ONSITE
        )

    def books(self, used_mj: Mapping[str, int], stock_mj: Mapping[str, int]) -> SupplyBooks:
        """Give the books with what was kept: used energy by lot, and green energy by battery."""
        return SupplyBooks(CertificateBook(self.lots, used_mj), StorageBook(self.storages, stock_mj))

    def offers(self, hour: int, energy_of: EnergyOf) -> Offered:
        """Give what is offered in a UTC hour (number since the Unix epoch) by the entries in whose time it begins.

        A meter that ran backwards over the hour offers nothing.
        """
        offers, unmetered = [], []
        for entry in self._entries:
            if entry.kind is SupplyKind.CERTIFICATES or not _holds(entry, hour):
                continue
            energy_mj = _energy(entry, hour, energy_of)
            if energy_mj is None:
                unmetered.append(entry.name)
            else:
                offers.append(self._offer(entry, energy_mj))
        return Offered(tuple(offers), tuple(unmetered))

    def _offer(self, entry: SupplyEntry, energy_mj: int) -> Offer:
        return Offer(
            _layer(entry),
            entry.name,
            energy_mj,
            self._intensity(entry),
            share_ppm=entry.share_ppm or 0,
            renewable=entry.is_renewable,
            carbon_free=entry.is_carbon_free,
            certificates_sold=entry.certificates_sold,
        )

    def _intensity(self, entry: SupplyEntry) -> int:
        """Give what was told, nothing where it was not; a battery has the highest of what charges it."""
        if entry.intensity is None and entry.charged_from is ChargedFrom.ONSITE:
            return max((source.intensity or 0 for source in self._entries if source.charges), default=0)
        return entry.intensity or 0


def _layer(entry: SupplyEntry) -> Layer:
    if entry.kind is SupplyKind.CONTRACT:
        return Layer.CONTRACT_INTRA if entry.scope is Scope.INTRA else Layer.CONTRACT_INTER
    return _LAYERS[entry.kind]


def _holds(entry: SupplyEntry, hour: int) -> bool:
    start = hour * NS_PER_HOUR
    return (entry.from_wall_ns is None or entry.from_wall_ns <= start) and (
        entry.to_wall_ns is None or start < entry.to_wall_ns
    )


def _energy(entry: SupplyEntry, hour: int, energy_of: EnergyOf) -> int | None:
    if entry.meter is not None:
        metered_mj = energy_of(entry.name)
        return None if metered_mj is None else _part(entry, max(0, metered_mj))
    if entry.profile_ppm:
        return _part(entry, _profiled_mj(entry, hour))
    return _part(entry, (entry.kwh_per_hour_ppm or 0) * _MJ_PER_KWH_PPM)


def _profiled_mj(entry: SupplyEntry, hour: int) -> int:
    """Give the energy of a UTC hour: of two hours of the local day where the offset is no whole number of hours."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415  (only where there is a profile)

    local = datetime.fromtimestamp(hour * 3_600, UTC).astimezone(ZoneInfo(entry.timezone))
    here, after = entry.profile_ppm[local.hour], entry.profile_ppm[(local.hour + 1) % len(entry.profile_ppm)]
    return (here * (60 - local.minute) + after * local.minute) * (_MJ_PER_KWH_PPM // 60)


def _part(entry: SupplyEntry, energy_mj: int) -> int:
    """Give what of it is this host's, rounded down: the parts of all hosts are never more than the whole."""
    return energy_mj * entry.part_ppm // MILLION


def _lots(entries: Sequence[SupplyEntry]) -> Iterator[Lot]:
    for entry in entries:
        for lot in entry.certificates:
            if lot.contract:
                continue
            start, end = lot_span(lot, entry.timezone)
            yield Lot(
                lot.name,
                _part(entry, lot.watthours * _MJ_PER_WH),
                start,
                end,
                end if lot.valid_until_wall_ns is None else lot.valid_until_wall_ns,
                intensity=entry.intensity or 0,
                renewable=entry.is_renewable,
                carbon_free=entry.is_carbon_free,
            )
