"""The times of rows to stretches [start, end): with ends of their own, or each until the next begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from .times import iso_of, wall_ns_of

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

Stretch = tuple[int, int]
Place = Callable[[int], str]
"""Gives where the row of an index stands, for messages."""


def starts_of(texts: Sequence[object], *, place: Place, zone: ZoneInfo | None = None) -> list[int]:
    """Give the starts of rows; local times that come twice are told apart by the order. Raises ValueError."""
    known: list[int] = []
    for index, text in enumerate(texts):
        try:
            known.append(wall_ns_of(text, zone, after_wall_ns=known[-1] if known else None))
        except ValueError as error:
            raise ValueError(f"{place(index)}: {error}") from None
    return known


def ends_of(
    starts: Sequence[int], texts: Sequence[object], *, place: Place, zone: ZoneInfo | None = None
) -> list[int | None]:
    """Give the ends of rows that have one, None for null and blank. Raises ValueError."""
    known: list[int | None] = []
    for index, (start, text) in enumerate(zip(starts, texts, strict=True)):
        try:
            known.append(None if text is None or text == "" else wall_ns_of(text, zone, after_wall_ns=start))
        except ValueError as error:
            raise ValueError(f"{place(index)}: {error}") from None
    return known


def stretches(
    starts: Sequence[int], ends: Sequence[int | None], *, place: Place, step_ns: int | None = None
) -> list[Stretch]:
    """Give the stretch of each row, in the order of the rows. Raises ValueError with place, problem and cure.

    An end that is None is the start of the next row; that of the last row lies *step_ns* after its start, or as far
    as that of the row before.
    """
    found: list[Stretch] = []
    for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
        cure = "put an end after its start, or leave the end out"
        if end is not None:
            until = end
        elif index + 1 < len(starts):
            until = starts[index + 1]
            cure = f"it has no end, and {place(index + 1)} does not start later; put rows in order, each time once"
        elif step_ns is not None or found:
            until = start + (found[-1][1] - found[-1][0] if step_ns is None else step_ns)
        else:
            raise ValueError(
                f"{place(index)}: a single row without an end; give its end, or set `step` for this feed"
            )
        if until <= start:
            raise ValueError(f"{place(index)}: lasts from {iso_of(start)} to {iso_of(until)}; {cure}")
        found.append((start, until))
    return found


def check_overlaps(found: Sequence[Stretch], place: Place) -> None:
    """Raise ValueError with both places where two stretches overlap; they may come in any order."""
    order = sorted(range(len(found)), key=found.__getitem__)
    for before, after in pairwise(order):
        if found[after][0] < found[before][1]:
            first, second = sorted((before, after))
            raise ValueError(
                f"{place(second)}: overlaps {place(first)}: both hold from {iso_of(found[after][0])} on; "
                "keep one value for each moment"
            )
