"""How an interval falls apart into UTC hours, in whole millijoules; it knows nothing of where hours are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from wattledger.rules.account import Entry
from wattledger.rules.instant import NS_PER_HOUR


@dataclass(frozen=True, slots=True)
class Cell:
    """What one hour holds of one device in one state."""

    energy_mj: int = 0
    duration_ns: int = 0
    avoidable_mj: int = 0

    def __add__(self, other: "Cell") -> "Cell":
        """Give the sum, term by term."""
        return Cell(
            self.energy_mj + other.energy_mj,
            self.duration_ns + other.duration_ns,
            self.avoidable_mj + other.avoidable_mj,
        )

    def __sub__(self, other: "Cell") -> "Cell":
        """Give the difference, term by term."""
        return Cell(
            self.energy_mj - other.energy_mj,
            self.duration_ns - other.duration_ns,
            self.avoidable_mj - other.avoidable_mj,
        )


def hour_of(wall_ns: int) -> int:
    """Give the number of the UTC hour since the Unix epoch."""
    return wall_ns // NS_PER_HOUR


def apportion(total: int, weights: Sequence[int]) -> list[int]:
    """Split *total* by non-negative *weights* so that the whole parts sum to it exactly.

    Largest remainder (Hamilton), ties to the earlier part. All weights zero: the last part takes everything.
    """
    scale = sum(weights)
    if scale == 0:
        return [0] * (len(weights) - 1) + [total]
    parts = [total * weight // scale for weight in weights]
    left = total - sum(parts)
    order = sorted(range(len(weights)), key=lambda index: (-(total * weights[index] % scale), index))
    for index in order[:left]:
        parts[index] += 1
    return parts


def split(entry: Entry, *, first_hour: int) -> list[tuple[int, Cell]]:
    """Split an entry over the UTC hours it covers, each with its part; the parts sum to the entry exactly.

    The length is that of the monotonic clock and the end that of the wall clock, so a step of the wall clock inside
    the interval smears nothing over hours that never were. What lies before *first_hour* comes as one part, under
    the hour before it.
    """
    duration_ns = entry.duration_ns
    end_ns = entry.end.wall_ns
    begin_ns = end_ns - duration_ns
    last = hour_of(end_ns - 1) if duration_ns > 0 else hour_of(end_ns)
    begin = max(hour_of(begin_ns), first_hour - 1) if duration_ns > 0 else last
    if begin >= last:
        whole = Cell(energy_mj=entry.energy_mj, duration_ns=duration_ns, avoidable_mj=entry.avoidable_mj)
        return [(max(last, first_hour - 1), whole)]
    edges = [begin_ns, *(hour * NS_PER_HOUR for hour in range(begin + 1, last + 1)), end_ns]
    durations = [later - earlier for earlier, later in pairwise(edges)]
    energies = apportion(entry.energy_mj, durations)
    # By energy, not by time: the part above the baseline never exceeds the energy it is part of.
    avoidables = apportion(entry.avoidable_mj, energies)
    cells = map(Cell, energies, durations, avoidables)
    return list(zip(range(begin, last + 1), cells, strict=True))
