"""Times of an answer to stretches: what one leaves open the others close, and a time that is none makes a gap."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from .base import Skipped
from .stretches import Stretch
from .times import wall_ns_of

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Timing:
    """The zone of times without an offset, and how long a value holds that has no end."""

    zone: ZoneInfo | None = None
    step_ns: int | None = None


def timed(starts: list[object] | None, ends: list[object] | None, timing: Timing) -> list[Stretch | Skipped]:
    """Give the stretch of each value, in the order given, or why it has none.

    Values may come newest first. Without ends a value holds for the step, or until the next later start, no longer
    than one of its neighbours though: a hole in the row stays one. Raises ValueError where not one time is one.
    """
    if starts is None:
        known_ends = _known(ends or [], timing.zone)
        step = timing.step_ns or 0
        return [Skipped.BAD_TIME if end is None else (end - step, end) for end in known_ends]
    known = _known(starts, timing.zone)
    if ends is not None:
        return [_between(start, end, timing) for start, end in zip(known, ends, strict=True)]
    if timing.step_ns is not None:
        return [Skipped.BAD_TIME if start is None else (start, start + timing.step_ns) for start in known]
    return _until_next(known)


def _known(texts: list[object], zone: ZoneInfo | None) -> list[int | None]:
    """Give the times that are times; local ones that come twice are told apart by the direction of the row."""
    problem = ""
    known: list[int | None] = []
    backwards = _is_backwards(texts, zone)
    before: int | None = None
    for text in reversed(texts) if backwards else texts:
        try:
            before = wall_ns_of(text, zone, after_wall_ns=before)
            known.append(before)
        except ValueError as error:
            problem = problem or str(error)
            known.append(None)
    if problem and all(one is None for one in known):
        raise ValueError(problem)
    return known[::-1] if backwards else known


def _is_backwards(texts: list[object], zone: ZoneInfo | None) -> bool:
    plain: list[int] = []
    for text in texts[:1] + texts[-1:]:
        try:
            plain.append(wall_ns_of(text, zone))
        except ValueError:
            return False
    return len(plain) == 2 and plain[1] < plain[0]


def _between(start: int | None, end: object, timing: Timing) -> Stretch | Skipped:
    if start is None:
        return Skipped.BAD_TIME
    try:
        return start, wall_ns_of(end, timing.zone, after_wall_ns=start)
    except ValueError:
        return Skipped.BAD_TIME if timing.step_ns is None else (start, start + timing.step_ns)


def _until_next(known: list[int | None]) -> list[Stretch | Skipped]:
    order = sorted({start for start in known if start is not None})
    until = {start: start + length for start, length in zip(order, _lengths(order), strict=True)}
    seen: set[int] = set()
    found: list[Stretch | Skipped] = []
    for start in known:
        if start is None:
            found.append(Skipped.BAD_TIME)
        elif start in seen:
            found.append(Skipped.DUPLICATE)
        else:
            seen.add(start)
            found.append((start, until[start]))
    return found


def _lengths(order: list[int]) -> list[int]:
    """Give how long each of ascending starts holds. Raises ValueError for one alone."""
    gaps = [after - before for before, after in pairwise(order)]
    if not order:
        return []
    if not gaps:
        raise ValueError("one time alone does not say how long its value holds; set `ends` or `step`")
    bounds = [
        max(gaps[max(index - 1, 0) : index] + gaps[index + 1 : index + 2] or gaps) for index in range(len(gaps))
    ]
    lengths = [min(gap, bound) for gap, bound in zip(gaps, bounds, strict=True)]
    return [*lengths, lengths[-1]]
