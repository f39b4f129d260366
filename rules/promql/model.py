"""The values that go into and come out of an expression; it knows nothing of how either is computed or kept."""

import math
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from .matcher import Matcher

# Sorted by name, the metric name among them as `__name__`; an empty value is the same as no label, so there is none.
Labels = tuple[tuple[str, str], ...]

METRIC_NAME = "__name__"

# The NaN that Prometheus writes where a series ends (model/value: StaleNaN); it survives copying, not arithmetic.
_STALE_BITS = struct.pack(">Q", 0x7FF0000000000002)
STALE: float = struct.unpack(">d", _STALE_BITS)[0]


def is_stale(value: float) -> bool:
    """Tell whether *value* marks the end of a series; any other NaN is a value."""
    return value != value and struct.pack(">d", value) == _STALE_BITS  # noqa: PLR0124


def is_same(first: float, second: float) -> bool:
    """Tell whether two samples of one moment are one: NaN is NaN and the end an end, 0 is not -0."""
    if math.isnan(first) or math.isnan(second):
        return math.isnan(first) and math.isnan(second) and is_stale(first) == is_stale(second)
    return first == second and math.copysign(1.0, first) == math.copysign(1.0, second)


class PromqlError(Exception):
    """An expression that cannot be compiled or evaluated: `position` counts characters of its text from 0."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(f"character {position + 1}: {reason}")
        self.position = position
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Sample:
    """A value of a series; the end of the series is a value that `is_stale`."""

    timestamp_ms: int
    value: float


@dataclass(frozen=True, slots=True)
class Series:
    """Labels and samples in order of time, as two columns of equal length, so that a window is a slice."""

    labels: Labels
    timestamps_ms: Sequence[int]
    values: Sequence[float]

    @classmethod
    def of(cls, labels: Labels, samples: Iterable[Sample]) -> "Series":
        """Give the series of *samples*, which are in order of time."""
        columns = [(sample.timestamp_ms, sample.value) for sample in samples]
        return cls(labels, [moment for moment, _ in columns], [value for _, value in columns])

    def samples(self) -> Iterator[Sample]:
        """Give the columns row by row."""
        return map(Sample, self.timestamps_ms, self.values)


class Storage(Protocol):
    """What an expression reads; every call within one evaluation sees the same samples."""

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Iterable[Series]:
        """Give the series that all *matchers* accept, with their samples from *start_ms* to *end_ms*, both included.

        A series without a sample there may be given or left out.
        """
        ...


@dataclass(frozen=True, slots=True)
class Element:
    """One labelled value of a vector."""

    labels: Labels
    value: float


@dataclass(frozen=True, slots=True)
class Vector:
    """Elements of different labels, in the order that `sort` or `topk` gave them where the expression ends in one."""

    elements: tuple[Element, ...]


@dataclass(frozen=True, slots=True)
class Scalar:
    """A value without labels."""

    value: float


@dataclass(frozen=True, slots=True)
class String:
    """A text; Prometheus allows it as a query, not as a rule."""

    value: str


Result = Vector | Scalar | String
