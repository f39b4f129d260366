"""Energy with its grams and its money as whole numbers that add up; how they are computed is not said here.

A product is energy times a value per kWh: millijoules times micrograms (or millionths of a currency) per kWh. It is
kept undivided, so that no part of an interval is ever rounded: 3.6e9 of it are a microgram (or a millionth).
"""

from dataclasses import dataclass, field
from enum import StrEnum

from wattledger.rules.feeds.model import Accounting, Caliber, PointKind
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND
from wattledger.rules.supply.grid import GridScore
from wattledger.rules.supply.model import Layer

SLOT_NS = 900 * NS_PER_SECOND
SLOTS_PER_HOUR = NS_PER_HOUR // SLOT_NS
MJ_PER_KWH = 3_600_000_000


def slot_of(wall_ns: int) -> int:
    """Give the number of the quarter hour since the Unix epoch."""
    return wall_ns // SLOT_NS


def slots_of_hour(hour: int) -> range:
    """Give the quarter hours of a UTC hour since the Unix epoch."""
    return range(hour * SLOTS_PER_HOUR, (hour + 1) * SLOTS_PER_HOUR)


def grams(product: int) -> float:
    """Give the grams of a product of emissions, for showing."""
    return product / MJ_PER_KWH / 1_000_000


def money(product: int) -> float:
    """Give the amount of a product of money, in its currency, for showing."""
    return product / MJ_PER_KWH / 1_000_000


class Boundary(StrEnum):
    """What the energy is of."""

    GPU = "gpu"  # the boards
    NODE = "node"  # the whole host at its power supplies
    FACILITY = "facility"  # with the losses up to the meter of the house


@dataclass(frozen=True, slots=True)
class Priced:
    """Energy and what it came to. Each part of the energy that no value is known for is in no product.

    `location` and `market` are products of emissions by the two methods, `cost` and `credit` of money: credit is what
    negative prices paid, as a positive number. The `..._mj` beside them are the energy that a value was known for.
    """

    energy_mj: int = 0
    location: int = 0
    location_covered_mj: int = 0
    market: int = 0
    market_covered_mj: int = 0
    cost: int = 0
    credit: int = 0
    priced_mj: int = 0

    def __add__(self, other: "Priced") -> "Priced":
        """Give the sum, term by term."""
        return Priced(
            self.energy_mj + other.energy_mj,
            self.location + other.location,
            self.location_covered_mj + other.location_covered_mj,
            self.market + other.market,
            self.market_covered_mj + other.market_covered_mj,
            self.cost + other.cost,
            self.credit + other.credit,
            self.priced_mj + other.priced_mj,
        )

    def __bool__(self) -> bool:
        """Give whether there is anything in it."""
        return self != NOTHING


NOTHING = Priced()


@dataclass(frozen=True, slots=True)
class FactorUse:
    """How much energy of an hour was priced with one factor, and the product: where grams come from.

    `level` is the place of the feed in its list, 0 the first.
    """

    accounting: Accounting
    zone: str
    provider: str
    caliber: Caliber
    kind: PointKind
    level: int
    energy_mj: int
    product: int
    source: str = ""


@dataclass(frozen=True, slots=True)
class SupplyUse:
    """How much of the load of an hour one source covered; names as configured, the grid without one.

    `is_green` and `is_matched` tell whether it counts in the green share and in the 24/7 score.
    """

    layer: Layer
    name: str
    energy_mj: int
    is_green: bool = False
    is_matched: bool = False


@dataclass(frozen=True, slots=True)
class HourPrice:
    """A UTC hour of the host: what it came to at each boundary that is known, with what, and who supplied it.

    `boundaries` has GPU always. Factors and supply are of the widest boundary that is known. `final`: the hour is
    closed and is not priced anew, unless late energy comes, which is added. `with_grid` is None where nobody asks for
    the carbon-free share of the grid.
    """

    hour: int
    boundaries: dict[Boundary, Priced] = field(default_factory=dict)
    factors: tuple[FactorUse, ...] = ()
    supply: tuple[SupplyUse, ...] = ()
    currency: str = ""
    final: bool = False
    with_grid: GridScore | None = None


class TotalKind(StrEnum):
    """What a counter of the host counts, and so the unit of its number."""

    EMISSIONS = "emissions"  # product; labels: accounting, zone, boundary
    UNCOVERED = "uncovered"  # mJ; accounting, boundary
    COST = "cost"  # product; currency, boundary
    CREDIT = "credit"  # product; currency, boundary
    UNPRICED = "unpriced"  # mJ; currency, boundary
    SUPPLY = "supply"  # mJ; layer
    LOAD = "load"  # mJ; boundary: what all of the above are shares of
    LOSS = "loss"  # mJ; stage of the power chain
    MATCHED = "matched"  # mJ that carbon-free supply of the same hour covered; none
    UNMATCHED = "unmatched"  # mJ of the load that it did not; none
    WITH_GRID = "with_grid"  # mJ that count in the score with the grid's carbon-free share; none
    WITH_GRID_REST = "with_grid_rest"  # mJ that do not, of hours whose share is known; none


@dataclass(frozen=True, slots=True)
class PriceTotal:
    """A counter of the host. `closed` is what hours that closed came to, `shown` the highest that was ever shown:
    a correction that lowers an open hour is not shown until the counter has caught up, for no counter falls.
    """

    kind: TotalKind
    labels: tuple[str, ...]
    closed: int = 0
    shown: int = 0

    @property
    def key(self) -> tuple[TotalKind, tuple[str, ...]]:
        """Give the identity."""
        return self.kind, self.labels
