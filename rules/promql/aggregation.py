"""Aggregation across series: groups, and what becomes of each; it knows nothing of time."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from .labels import keep, leave_out, with_label
from .model import METRIC_NAME, Labels, PromqlError
from .node import Elements, Run, ScalarNode, VectorNode
from .statistics import (
    greatest_of,
    least_of,
    mean_of,
    quantile_of,
    root_of,
    total_of,
    variance_across,
)

REDUCTIONS: dict[str, Callable[[list[float]], float]] = {
    "sum": total_of,
    "avg": mean_of,
    "min": least_of,
    "max": greatest_of,
    "count": lambda values: float(len(values)),
    "group": lambda _values: 1.0,
    "stdvar": variance_across,
    "stddev": lambda values: root_of(variance_across(values)),
}


@dataclass(frozen=True, slots=True)
class Grouping:
    """`by` or `without` and its labels; neither is `by` with none."""

    names: frozenset[str]
    without: bool

    def key(self, labels: Labels) -> Labels:
        """Give the labels of the group that *labels* belong to."""
        if self.without:
            return leave_out(labels, self.names)
        return keep(labels, self.names) if self.names else ()

    def with_name(self, name: str) -> "Grouping":
        """Give the grouping that also tells values of the label *name* apart."""
        return self if self.without else Grouping(self.names | {name}, without=False)


def grouping_of(names: list[str], *, without: bool) -> Grouping:
    """Give the grouping; `without` always takes the metric name away."""
    return Grouping(frozenset(names) | ({METRIC_NAME} if without else set()), without)


@dataclass(frozen=True, slots=True)
class Aggregation(VectorNode):
    """One value a group."""

    inner: VectorNode
    grouping: Grouping
    reduce: Callable[[list[float]], float]

    def elements(self, run: Run, at_ms: int) -> Elements:
        groups = _values_by_group(self.inner.elements(run, at_ms), self.grouping)
        return [(labels, self.reduce(values)) for labels, values in groups.items()]


@dataclass(frozen=True, slots=True)
class QuantileAggregation(VectorNode):
    """The quantile of each group."""

    quantile: ScalarNode
    inner: VectorNode
    grouping: Grouping

    def elements(self, run: Run, at_ms: int) -> Elements:
        quantile = self.quantile.number(run, at_ms)
        groups = _values_by_group(self.inner.elements(run, at_ms), self.grouping)
        return [(labels, quantile_of(quantile, values)) for labels, values in groups.items()]


def _values_by_group(elements: Elements, grouping: Grouping) -> dict[Labels, list[float]]:
    groups: dict[Labels, list[float]] = {}
    key_of = grouping.key
    for labels, value in elements:
        key = key_of(labels)
        values = groups.get(key)
        if values is None:
            groups[key] = [value]
        else:
            values.append(value)
    return groups


@dataclass(frozen=True, slots=True)
class Extremes(VectorNode):
    """The *count* greatest or least elements of each group with all their labels; of equal ones the earlier stay."""

    count: ScalarNode
    inner: VectorNode
    grouping: Grouping
    greatest: bool
    position: int

    def elements(self, run: Run, at_ms: int) -> Elements:
        count = self.count.number(run, at_ms)
        elements = self.inner.elements(run, at_ms)
        if count < 1:
            return []
        if math.isnan(count):
            raise PromqlError(self.position, "the number of elements is NaN")
        if count >= 2**63:
            raise PromqlError(self.position, f"the number of elements, {count}, overflows int64")
        groups: dict[Labels, Elements] = {}
        for element in elements:
            groups.setdefault(self.grouping.key(element[0]), []).append(element)
        kept = min(int(count), len(elements))
        return [element for group in groups.values() for element in ordered(group, descending=self.greatest)[:kept]]


def ordered(elements: Elements, *, descending: bool) -> Elements:
    """Sort *elements* by value, NaN last in either direction."""
    direction = -1.0 if descending else 1.0
    return sorted(elements, key=lambda element: (math.isnan(element[1]), direction * element[1]))


@dataclass(frozen=True, slots=True)
class CountValues(VectorNode):
    """How many elements of each group have the same value, which goes into a label."""

    label: str
    inner: VectorNode
    grouping: Grouping

    def elements(self, run: Run, at_ms: int) -> Elements:
        grouping = self.grouping.with_name(self.label)
        counts: dict[Labels, float] = {}
        for labels, value in self.inner.elements(run, at_ms):
            key = grouping.key(with_label(labels, self.label, decimal(value)))
            counts[key] = counts.get(key, 0.0) + 1
        return list(counts.items())


def decimal(value: float) -> str:
    """Write *value* with the fewest digits that read back as it, never with an exponent (Go FormatFloat 'f', -1)."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")
    digits = repr(value)
    if "e" in digits:
        from decimal import Decimal  # noqa: PLC0415 - heavy, and few values have an exponent

        digits = format(Decimal(digits), "f")
    return digits.removesuffix(".0")
