"""Cells of one history that are not on disk (yet), by hour and whatever else; why they wait is not its matter."""

from collections.abc import Iterable, Mapping
from typing import Any, Generic, Protocol, Self, TypeVar

from .hours import hour_of


class Sum(Protocol):
    """What cells are: they add up, and tell whether anything is left of them."""

    def __add__(self, other: Self, /) -> Self: ...
    def __sub__(self, other: Self, /) -> Self: ...
    def __bool__(self) -> bool: ...


KeyT = TypeVar("KeyT", bound=tuple[Any, ...])  # the UTC hour, and what the cell is of
CellT = TypeVar("CellT", bound=Sum)

# About 5 MB. 8 GPUs in three states fill it in a month.
MAX_CELLS = 20_000


class Backlog(Generic[KeyT, CellT]):
    """Cells by key, which begins with the hour. Adding a cell twice counts it twice: the caller passes each once."""

    def __init__(self, cells: Mapping[KeyT, CellT] | None = None) -> None:
        self.cells: dict[KeyT, CellT] = dict(cells or {})

    def add(self, cells: Iterable[tuple[KeyT, CellT]], *, first_hour: int) -> None:
        """Add *cells*, without those before *first_hour*."""
        known = self.cells
        for key, cell in cells:
            if key[0] >= first_hour:
                known[key] = known[key] + cell if key in known else cell

    def remove(self, landed: "Backlog[KeyT, CellT]") -> None:
        """Take away what turned out to be stored already."""
        for key, cell in landed.cells.items():
            # One that is no longer here was trimmed; taking it away twice would make energy negative.
            if key in self.cells:
                rest = self.cells.pop(key) - cell
                if rest:
                    self.cells[key] = rest

    def trim(self, *, first_hour: int, limit: int = MAX_CELLS) -> int:
        """Drop what is older than *first_hour*, then the oldest cells above *limit*; give how many the limit cost."""
        for key in [key for key in self.cells if key[0] < first_hour]:
            del self.cells[key]
        surplus = max(0, len(self.cells) - limit)
        for key in sorted(self.cells)[:surplus] if surplus else ():
            del self.cells[key]
        return surplus


def within(cells: Iterable[tuple[KeyT, CellT]], start_wall_ns: int, end_wall_ns: int) -> list[tuple[KeyT, CellT]]:
    """Give the cells whose hour overlaps ``[start, end)``, in order; those of the same key are added up."""
    first, last = hours_within(start_wall_ns, end_wall_ns)
    total: dict[KeyT, CellT] = {}
    for key, cell in cells:
        if first <= key[0] <= last:
            total[key] = total[key] + cell if key in total else cell
    return sorted(total.items(), key=lambda item: item[0])


def hours_within(start_wall_ns: int, end_wall_ns: int) -> tuple[int, int]:
    """Give the first and last hour that overlap ``[start, end)``; the last is the smaller one when there is none."""
    if end_wall_ns <= start_wall_ns:
        return 0, -1
    return hour_of(start_wall_ns), hour_of(end_wall_ns - 1)
