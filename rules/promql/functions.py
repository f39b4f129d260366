"""The parts that apply a function: element by element, window by window, or to no vector at all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .aggregation import ordered
from .floats import greater, lesser
from .labels import drop_name
from .model import Labels
from .node import Elements, RangeNode, Run, ScalarNode, VectorNode, unique
from .rates import prediction
from .selectors import InstantSelector
from .statistics import INF, NAN, quantile_of
from .window import Span

RangeFunction = Callable[[Sequence[int], Sequence[float], Span], float | None]


@dataclass(frozen=True, slots=True)
class Number(ScalarNode):
    """A literal."""

    value: float

    def number(self, run: Run, at_ms: int) -> float:  # noqa: ARG002 - the same at any moment
        return self.value


@dataclass(frozen=True, slots=True)
class Time(ScalarNode):
    """The moment of evaluation in Unix seconds."""

    def number(self, run: Run, at_ms: int) -> float:  # noqa: ARG002 - of no sample
        return at_ms / 1000


@dataclass(frozen=True, slots=True)
class Negated(ScalarNode):
    """Minus a number."""

    inner: ScalarNode

    def number(self, run: Run, at_ms: int) -> float:
        return -self.inner.number(run, at_ms)


@dataclass(frozen=True, slots=True)
class OnlyValue(ScalarNode):
    """`scalar`: the value of the only element, NaN where there is none or more than one."""

    inner: VectorNode

    def number(self, run: Run, at_ms: int) -> float:
        elements = self.inner.elements(run, at_ms)
        return elements[0][1] if len(elements) == 1 else NAN


@dataclass(frozen=True, slots=True)
class Unlabelled(VectorNode):
    """`vector`: one element without labels."""

    inner: ScalarNode

    def elements(self, run: Run, at_ms: int) -> Elements:
        return [((), self.inner.number(run, at_ms))]


@dataclass(frozen=True, slots=True)
class Mapped(VectorNode):
    """A function of each value; the metric name goes."""

    inner: VectorNode
    function: Callable[[float], float]
    position: int

    def elements(self, run: Run, at_ms: int) -> Elements:
        function = self.function
        found = [(drop_name(labels), function(value)) for labels, value in self.inner.elements(run, at_ms)]
        return unique(found, self.position)


@dataclass(frozen=True, slots=True)
class MappedWith(VectorNode):
    """A function of each value and a number; the metric name goes."""

    inner: VectorNode
    argument: ScalarNode
    function: Callable[[float, float], float]
    position: int

    def elements(self, run: Run, at_ms: int) -> Elements:
        function, argument = self.function, self.argument.number(run, at_ms)
        found = [(drop_name(labels), function(value, argument)) for labels, value in self.inner.elements(run, at_ms)]
        return unique(found, self.position)


@dataclass(frozen=True, slots=True)
class Clamped(VectorNode):
    """Values held between two numbers; nothing where the least allowed is above the greatest."""

    inner: VectorNode
    least: ScalarNode
    greatest: ScalarNode
    position: int

    def elements(self, run: Run, at_ms: int) -> Elements:
        least, greatest = self.least.number(run, at_ms), self.greatest.number(run, at_ms)
        elements = self.inner.elements(run, at_ms)
        if greatest < least:
            return []
        found = [(drop_name(labels), greater(least, lesser(greatest, value))) for labels, value in elements]
        return unique(found, self.position)


@dataclass(frozen=True, slots=True)
class Timestamps(VectorNode):
    """The time in seconds of each element: of the sample where a selector gave it, else of the evaluation."""

    inner: VectorNode
    position: int

    def elements(self, run: Run, at_ms: int) -> Elements:
        if isinstance(self.inner, InstantSelector):
            samples = self.inner.samples(run, at_ms)
            found = [(drop_name(labels), moment_ms / 1000) for labels, _, moment_ms in samples]
        else:
            found = [(drop_name(labels), at_ms / 1000) for labels, _ in self.inner.elements(run, at_ms)]
        return unique(found, self.position)


@dataclass(frozen=True, slots=True)
class Sorted(VectorNode):
    """The elements in order of their values."""

    inner: VectorNode
    descending: bool

    def elements(self, run: Run, at_ms: int) -> Elements:
        return ordered(self.inner.elements(run, at_ms), descending=self.descending)


@dataclass(frozen=True, slots=True)
class Absent(VectorNode):
    """One element of value 1 where the argument gives nothing; its labels are those that the selector fixes."""

    inner: VectorNode | RangeNode
    labels: Labels

    def elements(self, run: Run, at_ms: int) -> Elements:
        inner = self.inner
        present = inner.elements(run, at_ms) if isinstance(inner, VectorNode) else inner.windows(run, at_ms)
        return [] if present else [(self.labels, 1.0)]


@dataclass(frozen=True, slots=True)
class OverRange(VectorNode):
    """A function of each window; where it gives None the series is left out."""

    inner: RangeNode
    function: RangeFunction
    keeps_name: bool
    position: int

    def elements(self, run: Run, at_ms: int) -> Elements:
        function, span = self.function, self.inner.span(run, at_ms)
        found: Elements = []
        for labels, times, values in self.inner.windows(run, at_ms):
            value = function(times, values, span)
            if value is not None:
                found.append((labels if self.keeps_name else drop_name(labels), value))
        return unique(found, self.position)


@dataclass(frozen=True, slots=True)
class QuantileOverTime(VectorNode):
    """The quantile of the values in each window."""

    quantile: ScalarNode
    inner: RangeNode
    position: int

    def elements(self, run: Run, at_ms: int) -> Elements:
        quantile = self.quantile.number(run, at_ms)
        windows = self.inner.windows(run, at_ms)
        found = [(drop_name(labels), quantile_of(quantile, values)) for labels, _, values in windows]
        return unique(found, self.position)


@dataclass(frozen=True, slots=True)
class Prediction(VectorNode):
    """The value that the line through each window will have, counted from the evaluation, not the window's end."""

    inner: RangeNode
    ahead_s: ScalarNode
    position: int

    def elements(self, run: Run, at_ms: int) -> Elements:
        ahead_s = self.ahead_s.number(run, at_ms)
        found: Elements = []
        for labels, times, values in self.inner.windows(run, at_ms):
            value = prediction(times, values, at_ms, ahead_s=ahead_s)
            if value is not None:
                found.append((drop_name(labels), value))
        return unique(found, self.position)


LEAST = Number(-INF)
GREATEST = Number(INF)
