"""How an interval falls apart into hours and their quarters, in whole millijoules; who keeps them is not known."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from wattledger.rules.apportion import apportion
from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.pricing.model import SLOT_NS, SLOTS_PER_HOUR


@dataclass(frozen=True, slots=True)
class Cell:
    """Energy and time, of an interval or of one slot or hour of something.

    `marked_mj` is the part of the energy that is told apart: of a device or workload what could have been avoided,
    of a service what was drawn while its devices worked.
    """

    energy_mj: int = 0
    duration_ns: int = 0
    marked_mj: int = 0

    def __add__(self, other: "Cell") -> "Cell":
        """Give the sum, term by term."""
        return Cell(
            self.energy_mj + other.energy_mj,
            self.duration_ns + other.duration_ns,
            self.marked_mj + other.marked_mj,
        )

    def __sub__(self, other: "Cell") -> "Cell":
        """Give the difference, term by term."""
        return Cell(
            self.energy_mj - other.energy_mj,
            self.duration_ns - other.duration_ns,
            self.marked_mj - other.marked_mj,
        )

    def __bool__(self) -> bool:
        """Give whether there is anything in it."""
        return bool(self.energy_mj or self.duration_ns or self.marked_mj)


def hour_of(wall_ns: int) -> int:
    """Give the number of the UTC hour since the Unix epoch."""
    return wall_ns // NS_PER_HOUR


def split(whole: Cell, end_wall_ns: int, *, first: int, unit_ns: int) -> list[tuple[int, Cell]]:
    """Split an interval over the stretches of *unit_ns* that it covers, each with its part; the parts sum to it.

    Stretches are numbered since the Unix epoch. The length is that of the monotonic clock and the end that of the
    wall clock, so a step of the wall clock inside the interval smears nothing over hours that never were. What lies
    before the stretch *first* comes as one part, under the one before it.
    """
    duration_ns = whole.duration_ns
    begin_wall_ns = end_wall_ns - duration_ns
    last = (end_wall_ns - 1 if duration_ns > 0 else end_wall_ns) // unit_ns
    begin = max(begin_wall_ns // unit_ns, first - 1) if duration_ns > 0 else last
    if begin >= last:
        return [(max(last, first - 1), whole)]
    edges = [begin_wall_ns, *(number * unit_ns for number in range(begin + 1, last + 1)), end_wall_ns]
    durations = [later - earlier for earlier, later in pairwise(edges)]
    energies = apportion(whole.energy_mj, durations)
    # By energy, not by time: the marked part never exceeds the energy it is part of.
    marked = apportion(whole.marked_mj, energies)
    return list(zip(range(begin, last + 1), map(Cell, energies, durations, marked), strict=True))


def split_shares(
    shares: Sequence[Cell], end_wall_ns: int, *, first: int, unit_ns: int
) -> list[tuple[int, list[Cell]]]:
    """Split an interval that is shared, each of *shares* having all of its time: stretches, each with a cell a share.

    The cells of a share sum to it exactly, and those of a stretch to what `split` gives the whole interval there.
    """
    whole = Cell(
        sum(share.energy_mj for share in shares), shares[0].duration_ns, sum(share.marked_mj for share in shares)
    )
    parts = split(whole, end_wall_ns, first=first, unit_ns=unit_ns)
    if len(parts) == 1:
        return [(parts[0][0], list(shares))]
    # Marked and unmarked apart, so that here too the marked part never exceeds the energy it is part of.
    marked = _table([share.marked_mj for share in shares], [cell.marked_mj for _, cell in parts])
    rest = _table(
        [share.energy_mj - share.marked_mj for share in shares],
        [cell.energy_mj - cell.marked_mj for _, cell in parts],
    )
    return [
        (
            number,
            [
                Cell(of[place] + other[place], cell.duration_ns, of[place])
                for of, other in zip(marked, rest, strict=True)
            ],
        )
        for place, (number, cell) in enumerate(parts)
    ]


def split_slots(whole: Cell, end_wall_ns: int, *, first_hour: int) -> list[tuple[int, Cell]]:
    """Split an interval over quarter hours. Those of an hour sum to what `split` gives the hour.

    What lies before *first_hour* comes as one part, under the last quarter before it.
    """
    parts: list[tuple[int, Cell]] = []
    for hour, cell in split(whole, end_wall_ns, first=first_hour, unit_ns=NS_PER_HOUR):
        if hour < first_hour:
            parts.append((first_hour * SLOTS_PER_HOUR - 1, cell))
        else:
            end_ns = min(end_wall_ns, (hour + 1) * NS_PER_HOUR)
            parts += split(cell, end_ns, first=hour * SLOTS_PER_HOUR, unit_ns=SLOT_NS)
    return parts


def split_share_slots(shares: Sequence[Cell], end_wall_ns: int, *, first_hour: int) -> list[tuple[int, list[Cell]]]:
    """Split an interval that is shared over quarter hours, as `split_slots` does the whole."""
    parts: list[tuple[int, list[Cell]]] = []
    for hour, cells in split_shares(shares, end_wall_ns, first=first_hour, unit_ns=NS_PER_HOUR):
        if hour < first_hour:
            parts.append((first_hour * SLOTS_PER_HOUR - 1, cells))
        else:
            end_ns = min(end_wall_ns, (hour + 1) * NS_PER_HOUR)
            parts += split_shares(cells, end_ns, first=hour * SLOTS_PER_HOUR, unit_ns=SLOT_NS)
    return parts


def _table(rows: Sequence[int], columns: Sequence[int]) -> list[list[int]]:
    """Give whole numbers that have these sums by row and by column, each near its share; both have the same total."""
    total = sum(rows)
    if total == 0:
        return [[0] * len(columns) for _ in rows]
    table = [[row * column // total for column in columns] for row in rows]
    left = [column - sum(line[place] for line in table) for place, column in enumerate(columns)]
    for row, line in zip(rows, table, strict=True):
        missing = row - sum(line)
        for place, room in enumerate(left):
            if missing == 0:
                break
            taken = min(missing, room)
            line[place] += taken
            left[place] -= taken
            missing -= taken
    return table
