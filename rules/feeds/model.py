"""One value that holds for a stretch of time, and what kind of number it is; who asked for it is not known here."""

from dataclasses import dataclass
from enum import StrEnum


class Measure(StrEnum):
    """What a series is of, and with it the unit of its whole-number values."""

    INTENSITY = "intensity"  # micrograms per kWh
    PRICE = "price"  # millionths of the currency per kWh; may be negative
    ENERGY = "energy"  # millijoules within the stretch
    PUE = "pue"  # millionths
    CARBON_FREE = "carbon_free_share"  # of the grid's energy, millionths


class Signal(StrEnum):
    """What an intensity answers: what a kWh emitted on average, or what one more would."""

    AVERAGE = "average"
    MARGINAL = "marginal"  # for advice on shifting load, never for accounting


class Factors(StrEnum):
    """Which emissions of a power plant count."""

    DIRECT = "direct"  # of burning alone
    LIFECYCLE = "lifecycle"  # with building, fuel supply and removal


class Gas(StrEnum):
    """Which gases count."""

    CO2 = "co2"
    CO2E = "co2e"  # all greenhouse gases, as CO2


class Basis(StrEnum):
    """Whose power it is of: what a zone generates, or what it consumes with imports traced."""

    PRODUCTION = "production"
    CONSUMPTION = "consumption"


class Accounting(StrEnum):
    """For which of the two methods of the GHG Protocol's Scope 2 a factor is made."""

    LOCATION = "location"
    MARKET = "market"  # of a residual mix


@dataclass(frozen=True, slots=True)
class Caliber:
    """What must be equal for two intensities to be compared or added up."""

    signal: Signal = Signal.AVERAGE
    factors: Factors = Factors.LIFECYCLE
    gas: Gas = Gas.CO2E
    basis: Basis = Basis.CONSUMPTION
    accounting: Accounting = Accounting.LOCATION

    def __str__(self) -> str:
        """Give it in words, as it stands in reports."""
        gas = "CO2" if self.gas is Gas.CO2 else "CO2e"
        return f"{self.signal}, {self.factors}, {gas}, {self.basis}"


class PointKind(StrEnum):
    """How a value came about, the surest first."""

    ACTUAL = "actual"
    ESTIMATED = "estimated"
    FORECAST = "forecast"
    FACTOR = "factor"  # of a year or longer, or set by hand: it has no hours


@dataclass(frozen=True, slots=True)
class Series:
    """What a row of points is of. Two points of one series may replace each other, those of two never.

    `caliber` is set for intensities alone, `currency` for prices alone. `source` cites where the number stands
    (announcement, data set, year, licence) where the provider alone does not say it.
    """

    measure: Measure
    provider: str
    zone: str
    caliber: Caliber | None = None
    currency: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Point:
    """A value for `[start, end)` of wall time (ns since the Unix epoch), in the unit of its measure.

    `issued_wall_ns` is when the provider made it, or when it was fetched where the provider does not say.
    """

    start_wall_ns: int
    end_wall_ns: int
    value: int
    kind: PointKind = PointKind.ACTUAL
    issued_wall_ns: int = 0

    @property
    def duration_ns(self) -> int:
        """Give the length."""
        return self.end_wall_ns - self.start_wall_ns
