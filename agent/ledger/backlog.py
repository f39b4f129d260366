"""History that is not on disk (yet), summed by hour, device and state; why it waits is not its matter."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from wattledger.rules.account import Entry
from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.state import State

from .base import HistoryRow
from .hours import Cell, hour_of, split

Key = tuple[int, str, State]  # UTC hour, uuid, state

# About 5 MB. 8 GPUs in three states fill it in a month.
MAX_CELLS = 20_000


class Backlog:
    """Cells by hour, uuid and state. Adding the same entry twice counts it twice: the caller passes each once."""

    def __init__(self) -> None:
        self.cells: dict[Key, Cell] = {}

    def add(self, entries: Sequence[Entry], *, first_hour: int) -> None:
        """Add *entries*, without what lies before *first_hour*."""
        cells = self.cells
        for entry in entries:
            for hour, cell in split(entry, first_hour=first_hour):
                if hour >= first_hour:
                    key = (hour, entry.uuid, entry.state)
                    cells[key] = cells[key] + cell if key in cells else cell

    def remove(self, landed: Mapping[Key, Cell]) -> None:
        """Take away what turned out to be stored already."""
        for key, cell in landed.items():
            # One that is no longer here was trimmed; taking it away twice would make energy negative.
            if key in self.cells:
                rest = self.cells.pop(key) - cell
                if rest != Cell():
                    self.cells[key] = rest

    def trim(self, *, first_hour: int, limit: int = MAX_CELLS) -> int:
        """Drop what is older than *first_hour*, then the oldest cells above *limit*; give how many the limit cost."""
        for key in [key for key in self.cells if key[0] < first_hour]:
            del self.cells[key]
        surplus = max(0, len(self.cells) - limit)
        for key in sorted(self.cells)[:surplus] if surplus else ():
            del self.cells[key]
        return surplus


def rows_within(
    cells: Iterable[tuple[Key, Cell]], start_wall_ns: int, end_wall_ns: int, *, uuid: str | None
) -> list[HistoryRow]:
    """Give the cells whose hour overlaps ``[start, end)`` as rows; cells of the same key are added up."""
    first, last = hours_within(start_wall_ns, end_wall_ns)
    total: dict[Key, Cell] = {}
    for key, cell in cells:
        if first <= key[0] <= last and (uuid is None or key[1] == uuid):
            total[key] = total.get(key, Cell()) + cell
    return list(_rows(total))


def hours_within(start_wall_ns: int, end_wall_ns: int) -> tuple[int, int]:
    """Give the first and last hour that overlap ``[start, end)``; the last is the smaller one when there is none."""
    if end_wall_ns <= start_wall_ns:
        return 0, -1
    return hour_of(start_wall_ns), hour_of(end_wall_ns - 1)


def _rows(cells: Mapping[Key, Cell]) -> Iterator[HistoryRow]:
    for (hour, uuid, state), cell in sorted(cells.items(), key=lambda item: item[0]):
        yield HistoryRow(
            uuid=uuid,
            hour_wall_ns=hour * NS_PER_HOUR,
            state=state,
            energy_mj=cell.energy_mj,
            duration_ns=cell.duration_ns,
            avoidable_mj=cell.avoidable_mj,
        )
