"""What the parts of an expression are to each other: each gives its value at a moment, out of one run's samples."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

from .model import Labels, PromqlError, Series, Storage, is_stale
from .selection import Selection
from .window import Span

Elements = list[tuple[Labels, float]]
Windows = list[tuple[Labels, Sequence[int], Sequence[float]]]

SAME_LABELSET = "vector cannot contain metrics with the same labelset"


@dataclass(slots=True)
class Run:
    """One evaluation: its moment, its settings, and the samples it has read so far, each selector's once."""

    storage: Storage
    at_ms: int
    lookback_ms: int
    step_ms: int
    _series: dict[Selection, Sequence[Series]] = field(default_factory=dict)

    def series(self, selection: Selection) -> Sequence[Series]:
        """Give the series of *selection* with all samples that this run can see; for ranges without stale markers."""
        series = self._series.get(selection)
        if series is None:
            start_ms, end_ms = selection.times(self.at_ms, self.lookback_ms)
            found = self.storage.select(selection.matchers, start_ms, end_ms)
            series = list(found) if selection.width_ms is None else [_without_markers(one) for one in found]
            self._series[selection] = series
        return series


def _without_markers(series: Series) -> Series:
    total = sum(series.values)
    if total == total:  # noqa: PLR0124 - a sum that is no NaN has none among its terms
        return series
    return Series.of(series.labels, [sample for sample in series.samples() if not is_stale(sample.value)])


class VectorNode(ABC):
    """A part that gives an instant vector."""

    __slots__ = ()

    @abstractmethod
    def elements(self, run: Run, at_ms: int) -> Elements:
        """Give the elements at *at_ms*, their labels all different; raises PromqlError."""


class ScalarNode(ABC):
    """A part that gives a number."""

    __slots__ = ()

    @abstractmethod
    def number(self, run: Run, at_ms: int) -> float:
        """Give the number at *at_ms*; raises PromqlError."""


class RangeNode(ABC):
    """A part that gives a range vector."""

    __slots__ = ()

    @abstractmethod
    def windows(self, run: Run, at_ms: int) -> Windows:
        """Give each series with at least one sample in the window at *at_ms*: labels, times and values."""

    @abstractmethod
    def span(self, run: Run, at_ms: int) -> Span:
        """Give the window at *at_ms*."""


@dataclass(frozen=True, slots=True)
class StringNode:
    """A text in the expression."""

    value: str


Node = VectorNode | ScalarNode | RangeNode | StringNode


def unique(elements: Elements, position: int) -> Elements:
    """Give *elements*; raises PromqlError where two have the same labels."""
    if len(elements) > 1 and len({labels for labels, _ in elements}) < len(elements):
        raise PromqlError(position, SAME_LABELSET)
    return elements
