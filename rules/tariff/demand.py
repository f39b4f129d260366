"""The charge for the highest mean power of each month, of energies that were metered by quarter hours."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from wattledger.rules.instant import NS_PER_SECOND

from .model import Demand, UtcOffset

QUARTER_NS = 900 * NS_PER_SECOND
_DAY_SECONDS = 86_400
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_MW_PER_KW = 1_000_000


@dataclass(frozen=True, slots=True)
class MeteredEnergy:
    """What was drawn in the quarter hour, or in the whole window, that begins at `start`."""

    start_wall_ns: int
    energy_mj: int


@dataclass(frozen=True, slots=True)
class DemandCharge:
    """The highest window of a local month, and its charge in millionths of the currency.

    `windows` is among how many it is the highest. Where some of the month are missing all of it is a lower bound.
    """

    year: int
    month: int
    peak: MeteredEnergy
    peak_mw: int  # the mean power in milliwatts
    charge: int
    windows: int


def demand_charges(
    quarters: Iterable[MeteredEnergy], demand: Demand, offset_at: UtcOffset
) -> tuple[DemandCharge, ...]:
    """Give the charge of each month that has a whole window, in order of time; halves are rounded up.

    Windows begin where the local clock says so, and belong to the month in which they begin. One that lacks a quarter
    hour is none. Of equal windows the earliest is named.
    """
    months: dict[tuple[int, int], list[MeteredEnergy]] = {}
    for window in _windows(quarters, demand.window_ns, offset_at):
        local = _second(window) + offset_at(_second(window))
        day = date.fromordinal(_EPOCH_ORDINAL + local // _DAY_SECONDS)
        months.setdefault((day.year, day.month), []).append(window)
    return tuple(_charge(*month, months[month], demand) for month in sorted(months))


def _windows(quarters: Iterable[MeteredEnergy], window_ns: int, offset_at: UtcOffset) -> Iterator[MeteredEnergy]:
    # The offset tells apart the two windows of one local time that an autumn day has.
    parts: dict[tuple[int, int], dict[int, int]] = {}
    for quarter in quarters:
        offset = offset_at(_second(quarter))
        local_ns = quarter.start_wall_ns + offset * NS_PER_SECOND
        parts.setdefault((local_ns // window_ns, offset), {})[quarter.start_wall_ns] = quarter.energy_mj
    for energies in parts.values():
        if len(energies) * QUARTER_NS == window_ns:
            yield MeteredEnergy(min(energies), sum(energies.values()))


def _charge(year: int, month: int, windows: Sequence[MeteredEnergy], demand: Demand) -> DemandCharge:
    peak = min(windows, key=lambda window: (-window.energy_mj, window.start_wall_ns))
    mj_per_second = peak.energy_mj * NS_PER_SECOND, demand.window_ns
    peak_mw = _rounded(*mj_per_second)  # mJ/s is mW
    charge = _rounded(mj_per_second[0] * demand.value_per_kw, mj_per_second[1] * _MW_PER_KW)
    return DemandCharge(year, month, peak, peak_mw, charge, len(windows))


def _second(energy: MeteredEnergy) -> int:
    return energy.start_wall_ns // NS_PER_SECOND


def _rounded(numerator: int, denominator: int) -> int:
    """Give the quotient as a whole number, halves up."""
    return (2 * numerator + denominator) // (2 * denominator)
