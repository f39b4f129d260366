"""Which of several values for the same time is taken; why one is better than another is the provider's."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

from wattledger.rules.feeds.model import PointKind

from .base import Skipped
from .gathering import Gathering


@dataclass(frozen=True, slots=True)
class Candidate:
    """A value for `[start, end)`. The least `rank` is the best; of equals the first that came."""

    rank: tuple[int, ...]
    start_wall_ns: int
    end_wall_ns: int
    value: int
    kind: PointKind = PointKind.ACTUAL


def take_best(candidates: Iterable[Candidate], gathered: Gathering) -> list[Candidate]:
    """Gather those that no better one overlaps, and give them; the others are counted as duplicates."""
    taken: list[Candidate] = []
    starts: list[int] = []
    ends: list[int] = []
    for candidate in sorted(candidates, key=lambda each: each.rank):
        start, end = candidate.start_wall_ns, candidate.end_wall_ns
        if end <= start:
            gathered.skip(Skipped.BAD_TIME)
            continue
        after = bisect_left(starts, start)
        if (after > 0 and ends[after - 1] > start) or (after < len(starts) and starts[after] < end):
            gathered.skip(Skipped.DUPLICATE)
            continue
        starts.insert(after, start)
        ends.insert(after, end)
        gathered.add(start, end, candidate.value, candidate.kind)
        taken.append(candidate)
    return taken
