"""Cells of one history that are not on disk (yet), by time and whatever else; why they wait is not its matter."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Generic, Protocol, Self, TypeVar, cast

from wattledger.rules.pricing.model import SLOTS_PER_HOUR

from .hours import hour_of


class Addable(Protocol):
    """What adds up."""

    def __add__(self, other: Self, /) -> Self: ...


class Sum(Addable, Protocol):
    """What cells are: they add up, and tell whether anything is left of them."""

    def __sub__(self, other: Self, /) -> Self: ...
    def __bool__(self) -> bool: ...


KeyT = TypeVar("KeyT", bound=tuple[Any, ...])  # the UTC hour or its quarter, and what the cell is of
ValueT = TypeVar("ValueT")
AddableT = TypeVar("AddableT", bound=Addable)
CellT = TypeVar("CellT", bound=Sum)

# About 5 MB. 8 GPUs in three states fill it in a month, by the hour.
MAX_CELLS = 20_000


class Backlog(Generic[KeyT, CellT]):
    """Cells by key, which begins with the hour, or with one of *per_hour* parts of it.

    Adding a cell twice counts it twice: the caller passes each once.
    """

    def __init__(self, cells: Mapping[KeyT, CellT] | None = None, *, per_hour: int = SLOTS_PER_HOUR) -> None:
        self.cells: dict[KeyT, CellT] = dict(cells or {})
        self._per_hour = per_hour

    def copy(self) -> "Backlog[KeyT, CellT]":
        """Give what is here now, apart from what comes."""
        return Backlog(self.cells, per_hour=self._per_hour)

    def add(self, cells: Iterable[tuple[KeyT, CellT]], *, first_hour: int) -> None:
        """Add *cells*, without those before *first_hour*."""
        first = first_hour * self._per_hour
        add_to(self.cells, (item for item in cells if item[0][0] >= first))

    def remove(self, landed: "Backlog[KeyT, CellT]") -> None:
        """Take away what turned out to be stored already."""
        for key, cell in landed.cells.items():
            place = key if key in self.cells else self._coarse(key)  # `trim` may have moved it since
            # One that is no longer here was trimmed; taking it away twice would make energy negative.
            if place in self.cells:
                rest = self.cells.pop(place) - cell
                if rest:
                    self.cells[place] = rest

    def trim(self, *, first_hour: int, limit: int = MAX_CELLS) -> int:
        """Drop what is older than *first_hour*, then make *limit* cells of it; give how many that cost.

        First the parts of each hour become one cell, which costs none; then the oldest go.
        """
        if len(self.cells) > limit:
            fine, self.cells = self.cells, {}
            add_to(self.cells, ((self._coarse(key), cell) for key, cell in fine.items()))
        return drop_oldest(self.cells, first=first_hour * self._per_hour, limit=limit)

    def _coarse(self, key: KeyT) -> KeyT:
        return cast("KeyT", (key[0] - key[0] % self._per_hour, *key[1:]))


def add_to(known: dict[KeyT, AddableT], cells: Iterable[tuple[KeyT, AddableT]]) -> None:
    """Add *cells* to those that are *known*."""
    for key, cell in cells:
        known[key] = known[key] + cell if key in known else cell


def drop_oldest(cells: dict[KeyT, ValueT], *, first: int, limit: int = MAX_CELLS) -> int:
    """Drop what is older than *first*, then the oldest cells above *limit*; give how many the limit cost."""
    for key in [key for key in cells if key[0] < first]:
        del cells[key]
    surplus = max(0, len(cells) - limit)
    for key in sorted(cells)[:surplus] if surplus else ():
        del cells[key]
    return surplus


def by_hour(cells: Iterable[tuple[KeyT, AddableT]]) -> Iterator[tuple[KeyT, AddableT]]:
    """Give cells whose key begins with a quarter hour under the hour that it is part of."""
    for key, cell in cells:
        yield cast("KeyT", (key[0] // SLOTS_PER_HOUR, *key[1:])), cell


def within(
    cells: Iterable[tuple[KeyT, AddableT]], start_wall_ns: int, end_wall_ns: int
) -> list[tuple[KeyT, AddableT]]:
    """Give the cells whose hour overlaps ``[start, end)``, in order; those of the same key are added up."""
    first, last = hours_within(start_wall_ns, end_wall_ns)
    total: dict[KeyT, AddableT] = {}
    add_to(total, (item for item in cells if first <= item[0][0] <= last))
    return sorted(total.items(), key=lambda item: item[0])


def hours_within(start_wall_ns: int, end_wall_ns: int) -> tuple[int, int]:
    """Give the first and last hour that overlap ``[start, end)``; the last is the smaller one when there is none."""
    if end_wall_ns <= start_wall_ns:
        return 0, -1
    return hour_of(start_wall_ns), hour_of(end_wall_ns - 1)
