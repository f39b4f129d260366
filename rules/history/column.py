"""The samples of one series as two arrays; which series there are, and who reads them, is unknown here."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from wattledger.rules.alerting import Refusal, SampleRefusedError
from wattledger.rules.promql.model import Labels, Series, is_same, is_stale

from .interests import Reach

# Samples out of reach go once they are an eighth of the reach, so that each is moved about eight times at most.
_SLACK_PART = 8
_LEAST_SLACK_MS = 120_000
_NEVER_MS = 2**63 - 1
# What is read from a fixed time on grows without end; a week of it is provided for.
_PINNED_MS = 7 * 86_400_000
# A day at 15 s. A series that is looked back on over more samples than that keeps them further apart.
_MOST_SAMPLES = 5_760


@dataclass(slots=True, eq=False)
class Column:
    """A series that a rule selects. The arrays are of equal length and in order of time.

    Before `due_ms` there is too little out of reach to be worth moving the rest. Samples are at least `spacing_ms`
    apart, the newest aside, which is always there.
    """

    labels: Labels
    reach: Reach
    spacing_ms: int = 0
    times: "array[int]" = field(default_factory=lambda: array("q"))
    values: "array[float]" = field(default_factory=lambda: array("d"))
    due_ms: int = _NEVER_MS

    def append(self, timestamp_ms: int, value: float) -> bool:
        """Add a sample at the end; tell whether it was new. Raises SampleRefusedError."""
        times = self.times
        if times and timestamp_ms <= times[-1]:
            if timestamp_ms < times[-1]:
                raise SampleRefusedError(Refusal.OUT_OF_ORDER)
            if not is_same(self.values[-1], value):
                raise SampleRefusedError(Refusal.DUPLICATE)
            return False
        if self._takes_place_of_last(timestamp_ms, value):
            times[-1], self.values[-1] = timestamp_ms, value
            return False
        times.append(timestamp_ms)
        self.values.append(value)
        if len(times) == 1:
            self._set_due()
        return True

    def _takes_place_of_last(self, timestamp_ms: int, value: float) -> bool:
        """Tell whether the newest sample stands too near the one before it to be kept; ends of series always are."""
        times, values = self.times, self.values
        return (
            self.spacing_ms > 0
            and len(times) > 1
            and timestamp_ms - times[-2] <= self.spacing_ms
            and not (is_stale(value) or is_stale(values[-1]) or is_stale(values[-2]))
        )

    def prepend(self, timestamps_ms: Sequence[int], values: Sequence[float]) -> int:
        """Put older samples, in order of time, before those that are there; give how many were older."""
        count = bisect_left(timestamps_ms, self.times[0]) if self.times else len(timestamps_ms)
        self.times[:0] = array("q", timestamps_ms[:count])
        self.values[:0] = array("d", values[:count])
        self._set_due()
        return count

    def forget(self, now_ms: int) -> int:
        """Drop what no evaluation at *now_ms* or later reads; give how many samples that were."""
        count = bisect_left(self.times, self.reach.first_ms(now_ms))
        del self.times[:count]
        del self.values[:count]
        self._set_due()
        return count

    def within(self, start_ms: int, end_ms: int) -> Series | None:
        """Give the samples from *start_ms* to *end_ms*; all of them are given as they are, without a copy."""
        times, values = self.times, self.values
        if times[-1] < start_ms or times[0] > end_ms:
            return None
        if times[0] >= start_ms and times[-1] <= end_ms:
            return Series(self.labels, times, values)
        first = bisect_left(times, start_ms)
        last = len(times) if times[-1] <= end_ms else bisect_right(times, end_ms)
        return Series(self.labels, times[first:last], values[first:last]) if first < last else None

    @classmethod
    def of(cls, labels: Labels, reach: Reach, *, step_ms: int) -> "Column":
        """Give an empty column for a sample each *step_ms*."""
        spacing_ms = reach.back_ms if reach.newest_only else reach.back_ms // _MOST_SAMPLES
        return cls(labels, reach, spacing_ms if spacing_ms > step_ms and reach.pinned_from_ms is None else 0)

    def taken_over(self, reach: Reach, *, step_ms: int) -> "Column":
        """Give the same samples under another reach; this column must not be used any more."""
        column = Column.of(self.labels, reach, step_ms=step_ms)
        column.times, column.values = self.times, self.values
        column._set_due()  # noqa: SLF001  (its own kind)
        return column

    def room(self, step_ms: int) -> int:
        """Give how many samples this may come to hold at one each *step_ms*, those forgotten late included."""
        reach_ms = self.reach.back_ms if self.reach.pinned_from_ms is None else max(self.reach.back_ms, _PINNED_MS)
        return (reach_ms + self._slack_ms) // max(step_ms, self.spacing_ms) + 2

    @property
    def _slack_ms(self) -> int:
        return max(self.reach.back_ms // _SLACK_PART, _LEAST_SLACK_MS)

    @property
    def array_bytes(self) -> int:
        """Give the memory of both arrays, what they hold in reserve included."""
        return self.times.__sizeof__() + self.values.__sizeof__()

    def _set_due(self) -> None:
        """Say when to look again: an eighth of the reach after the first sample went out of it."""
        if not self.times or (self.reach.pinned_from_ms is not None and self.reach.pinned_from_ms <= self.times[0]):
            self.due_ms = _NEVER_MS
        else:
            self.due_ms = self.times[0] + self.reach.back_ms + self._slack_ms
