"""What the counters of hosts grew by in an hour, as the hours of hosts that a report is made of."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from wattledger.rules.feeds.model import Accounting
from wattledger.rules.pricing.model import Boundary, HourPrice, Priced, SupplyUse
from wattledger.rules.report.rows import HostHour
from wattledger.rules.supply.grid import GridScore
from wattledger.rules.supply.model import Layer

HostKey = tuple[str, int]
"""Host and hour."""


@dataclass(slots=True)
class _Hour:
    energies: dict[Boundary, int] = field(default_factory=dict)
    products: dict[tuple[Boundary, Accounting], int] = field(default_factory=dict)
    cost: dict[Boundary, int] = field(default_factory=dict)
    credit: dict[Boundary, int] = field(default_factory=dict)
    layers: dict[Layer, int] = field(default_factory=dict)
    matched_mj: int = 0
    with_grid: GridScore | None = None


class HostHours:
    """Gathers what is known of each host and hour. Grams and money are products, energies millijoules."""

    def __init__(self) -> None:
        self._hours: dict[HostKey, _Hour] = {}

    def add_energy(self, key: HostKey, boundary: Boundary, energy_mj: int) -> None:
        """Add energy at a boundary, which is known from then on."""
        energies = self._at(key).energies
        energies[boundary] = energies.get(boundary, 0) + energy_mj

    def add_emissions(self, key: HostKey, boundary: Boundary, accounting: Accounting, product: int) -> None:
        """Add a product of emissions."""
        self._at(key).products[boundary, accounting] = product

    def add_money(self, key: HostKey, boundary: Boundary, *, cost: int = 0, credit: int = 0) -> None:
        """Add a product of money; also of 0, which tells that there is a price."""
        hour = self._at(key)
        hour.cost[boundary] = hour.cost.get(boundary, 0) + cost
        hour.credit[boundary] = hour.credit.get(boundary, 0) + credit

    def add_layer(self, key: HostKey, layer: Layer, energy_mj: int) -> None:
        """Add what a layer of the supply covered."""
        self._at(key).layers[layer] = energy_mj

    def add_matched(self, key: HostKey, energy_mj: int) -> None:
        """Add what carbon-free supply covered."""
        self._at(key).matched_mj = energy_mj

    def add_with_grid(self, key: HostKey, *, energy_mj: int = 0, covered_mj: int = 0) -> None:
        """Add what counts in the 24/7 score with the grid, or the load that it is of; also of 0, which tells much."""
        hour = self._at(key)
        hour.with_grid = (hour.with_grid or GridScore()) + GridScore(energy_mj, covered_mj)

    def rows(self, currency: str = "") -> Iterator[HostHour]:
        """Give the hours in which boards drew energy; all money is in *currency*."""
        for (host, number), hour in self._hours.items():
            if Boundary.GPU not in hour.energies:
                continue
            supply = tuple(SupplyUse(layer, "", hour.layers[layer]) for layer in Layer if layer in hour.layers)
            yield HostHour(
                host,
                HourPrice(
                    number,
                    {at: _priced(hour, at) for at in Boundary if at in hour.energies},
                    supply=supply,
                    currency=currency if hour.cost or hour.credit else "",
                    with_grid=hour.with_grid,
                ),
                matched_mj=hour.matched_mj if supply else None,
            )

    def _at(self, key: HostKey) -> _Hour:
        hour = self._hours.get(key)
        if hour is None:
            hour = self._hours[key] = _Hour()
        return hour


def _priced(hour: _Hour, boundary: Boundary) -> Priced:
    """Give what a boundary came to. How much of an hour had a value is not told: any gram stands for all of it."""
    energy_mj = hour.energies[boundary]
    location = hour.products.get((boundary, Accounting.LOCATION), 0)
    market = hour.products.get((boundary, Accounting.MARKET), 0)
    # With all of the load covered by contracts no gram at all is right, and not unknown.
    has_market = market > 0 or (location > 0 and _is_all_covered(hour.layers))
    return Priced(
        energy_mj,
        location,
        energy_mj if location else 0,
        market,
        energy_mj if has_market else 0,
        hour.cost.get(boundary, 0),
        hour.credit.get(boundary, 0),
        energy_mj if boundary in hour.cost else 0,
    )


def _is_all_covered(layers: dict[Layer, int]) -> bool:
    load_mj = sum(layers.values())
    return load_mj > 0 and layers.get(Layer.GRID, 0) * 1_000 <= load_mj
