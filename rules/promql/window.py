"""Which samples a window holds: the one place that knows its edges.

Since Prometheus 3 a window leaves out its left edge, for ranges, subqueries and the lookback alike: a sample exactly
five minutes old is no longer seen by `m` nor by `m[5m]` (prometheus.io: Prometheus 3.0 migration guide, range
selectors and lookback exclude samples coinciding with the left boundary).
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple


def first_ms(end_ms: int, width_ms: int) -> int:
    """Give the earliest millisecond within the window of *width_ms* that ends at *end_ms*."""
    return end_ms - width_ms + 1


def bounds(timestamps_ms: Sequence[int], end_ms: int, width_ms: int) -> tuple[int, int]:
    """Give the slice of *timestamps_ms*, in order, that lies within the window."""
    return bisect_right(timestamps_ms, end_ms - width_ms), bisect_right(timestamps_ms, end_ms)


def first_step_ms(end_ms: int, width_ms: int, step_ms: int) -> int:
    """Give the first multiple of *step_ms* within the window: subqueries are aligned to the epoch, not their end."""
    return ((end_ms - width_ms) // step_ms + 1) * step_ms


class Span(NamedTuple):
    """A window as times: its left edge, which it leaves out, and its end."""

    start_ms: int
    end_ms: int


def last_within(timestamps_ms: Sequence[int], end_ms: int, width_ms: int) -> int:
    """Give the index of the last of *timestamps_ms*, in order, that lies within the window, or -1."""
    index = bisect_right(timestamps_ms, end_ms) - 1
    return index if index >= 0 and timestamps_ms[index] > end_ms - width_ms else -1
