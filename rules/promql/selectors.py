"""The parts that read series: instant and range selectors, and subqueries; they compute nothing."""

from dataclasses import dataclass

from .model import Labels, is_stale
from .node import Elements, RangeNode, Run, VectorNode, Windows
from .selection import Selection, Shift
from .window import Span, bounds, first_step_ms, last_within


@dataclass(frozen=True, slots=True)
class InstantSelector(VectorNode):
    """The last sample of each series within the lookback, unless it marks the end."""

    selection: Selection
    shift: Shift

    def elements(self, run: Run, at_ms: int) -> Elements:
        return [(labels, value) for labels, value, _ in self.samples(run, at_ms)]

    def samples(self, run: Run, at_ms: int) -> list[tuple[Labels, float, int]]:
        """Give labels, value and time of each sample."""
        end_ms = self.shift.moment(run.at_ms, at_ms)
        found = []
        for series in run.series(self.selection):
            index = last_within(series.timestamps_ms, end_ms, run.lookback_ms)
            if index >= 0:
                value = series.values[index]
                if not is_stale(value):
                    found.append((series.labels, value, series.timestamps_ms[index]))
        return found


@dataclass(frozen=True, slots=True)
class RangeSelector(RangeNode):
    """All samples of each series within a window."""

    selection: Selection
    shift: Shift
    width_ms: int

    def windows(self, run: Run, at_ms: int) -> Windows:
        end_ms = self.shift.moment(run.at_ms, at_ms)
        found: Windows = []
        for series in run.series(self.selection):
            times, values = series.timestamps_ms, series.values
            low, high = bounds(times, end_ms, self.width_ms)
            if low or high < len(times):
                times, values = times[low:high], values[low:high]
            if times:
                found.append((series.labels, times, values))
        return found

    def span(self, run: Run, at_ms: int) -> Span:
        end_ms = self.shift.moment(run.at_ms, at_ms)
        return Span(end_ms - self.width_ms, end_ms)


@dataclass(frozen=True, slots=True)
class Subquery(RangeNode):
    """A vector evaluated at aligned steps of a window; without a step of its own it takes the run's."""

    inner: VectorNode
    shift: Shift
    width_ms: int
    step_ms: int | None

    def windows(self, run: Run, at_ms: int) -> Windows:
        end_ms = self.shift.moment(run.at_ms, at_ms)
        step_ms = self.step_ms or run.step_ms
        columns: dict[Labels, tuple[list[int], list[float]]] = {}
        for moment_ms in range(first_step_ms(end_ms, self.width_ms, step_ms), end_ms + 1, step_ms):
            for labels, value in self.inner.elements(run, moment_ms):
                column = columns.get(labels)
                if column is None:
                    column = columns[labels] = ([], [])
                column[0].append(moment_ms)
                column[1].append(value)
        return [(labels, times, values) for labels, (times, values) in columns.items()]

    def span(self, run: Run, at_ms: int) -> Span:
        end_ms = self.shift.moment(run.at_ms, at_ms)
        return Span(end_ms - self.width_ms, end_ms)
