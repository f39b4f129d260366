"""A report as values: headline, groups, series and what it rests on; how it is written is not known here."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from wattledger.rules.feeds.model import Accounting, Caliber, PointKind
from wattledger.rules.pricing.model import NOTHING, Boundary, Priced
from wattledger.rules.state import State
from wattledger.rules.supply.grid import GridScore
from wattledger.rules.supply.model import Layer
from wattledger.rules.tariff.demand import DemandCharge
from wattledger.rules.tariff.model import Demand

from .choices import GroupBy, Origin
from .groups import ModelSum, Sum, priced_share


@dataclass(frozen=True, slots=True)
class Group:
    """One row of the table: what it is called, and what it came to. `gpus` counts devices that it used."""

    name: str
    detail: str
    sum: Sum
    gpus: int


@dataclass(frozen=True, slots=True)
class FactorSum:
    """How much energy was priced with one factor over the whole time, and the product."""

    accounting: Accounting
    zone: str
    provider: str
    caliber: Caliber
    kind: PointKind
    level: int
    source: str
    energy_mj: int
    product: int


@dataclass(frozen=True, slots=True)
class SupplySum:
    """What the load was covered with. `hours` (of hosts) had supply, `unmatched_hours` lacked carbon-free supply.

    `green_mj` is None where it is not told which supply was green, `with_grid` where no host asks for the carbon-free
    share of the grid. `grid_sources` is the load by whose share that was, for shares that are known.
    """

    load_mj: int = 0
    layers: Mapping[Layer, int] = field(default_factory=dict)
    green_mj: int | None = 0
    green_certificates_mj: int = 0  # part of `green_mj`
    matched_mj: int = 0
    hours: int = 0
    unmatched_hours: int = 0
    with_grid: GridScore | None = None
    grid_sources: Mapping[str, int] = field(default_factory=dict)

    @property
    def green_share(self) -> float | None:
        """Give the green part of the load; None without load, and where it is not told."""
        return None if self.green_mj is None or not self.load_mj else self.green_mj / self.load_mj

    @property
    def matched_share(self) -> float | None:
        """Give the part of the load that carbon-free supply of the same hour covered (24/7); None without load."""
        return self.matched_mj / self.load_mj if self.load_mj else None


@dataclass(frozen=True, slots=True)
class DemandMonth:
    """The charge of a month, as `charge`; it is of `hours` of the `all_hours` that the month has."""

    charge: DemandCharge
    hours: int
    all_hours: int


@dataclass(frozen=True, slots=True)
class DemandSum:
    """What the tariff charges for demand, by the month; only months that lie in the report wholly are there."""

    demand: Demand
    months: tuple[DemandMonth, ...] = ()


@dataclass(frozen=True, slots=True)
class HourPoint:
    """One UTC hour: energy of the boards by state, what the report's boundary came to, and what supply covered."""

    hour: int
    states: Mapping[State, int]
    priced: Priced = NOTHING
    layers: Mapping[Layer, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HeatRow:
    """Idle energy of one device by hour; hours without rows are not there."""

    name: str
    idle_mj: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Report:
    """What `[start, end)` came to. Times are wall time in ns; hours count from the Unix epoch, in UTC.

    `boundaries` has what each boundary came to that is known for all hours. Prices of groups, models and hours are at
    `boundary`; supply and factors are of the widest one that each hour knew. `boundary_hours` tells for how many of
    `host_hours` each boundary is known.

    `unpriced_mj` is energy of the boards that no hour is priced for, `open_mj` such whose prices may still change.
    `heat` has not every device where there are very many. `simulated` names the hosts whose boards are made up.
    `notes` are what could not be had.
    """

    start_wall_ns: int
    end_wall_ns: int
    by: GroupBy
    total: Sum
    states: Mapping[State, Sum]
    boundaries: Mapping[Boundary, Priced]
    groups: tuple[Group, ...]
    models: tuple[ModelSum, ...]
    owners: tuple[Group, ...]
    worst: Group | None
    supply: SupplySum | None
    factors: tuple[FactorSum, ...]
    hours: tuple[HourPoint, ...]
    heat: tuple[HeatRow, ...]
    hosts: int
    gpus: int = 0
    boundary: Boundary = Boundary.GPU
    boundary_hours: Mapping[Boundary, int] = field(default_factory=dict)
    host_hours: int = 0
    currency: str = ""
    open_mj: int = 0
    unpriced_mj: int = 0
    demand: DemandSum | None = None
    origin: Origin = Origin.LEDGER
    simulated: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def priced_share(self) -> float:
        """Give the part of the energy of the boards that prices are of."""
        return priced_share(self.unpriced_mj, self.total.energy_mj)

    @property
    def widest(self) -> Boundary:
        """Give the widest boundary that is known."""
        return next((boundary for boundary in reversed(Boundary) if boundary in self.boundaries), Boundary.GPU)
