"""Quantiles of classic histograms, whose buckets are series with a label `le`; native histograms are unknown here.

Source: promql/quantile.go of Prometheus 3 (BucketQuantile, ensureMonotonicAndIgnoreSmallDeltas).
"""

import math
from dataclasses import dataclass

from .labels import leave_out, value_of
from .model import METRIC_NAME, Labels
from .node import Elements, Run, ScalarNode, VectorNode, unique
from .statistics import INF, NAN, quotient

BUCKET = "le"
_TOLERANCE = 1e-12  # counts that differ by less differ by the rounding of rate()
_MIN_NORMAL = 2.2250738585072014e-308


@dataclass(frozen=True, slots=True)
class HistogramQuantile(VectorNode):
    """The quantile of each group of buckets; elements without a bound are passed over."""

    quantile: ScalarNode
    inner: VectorNode
    position: int

    def elements(self, run: Run, at_ms: int) -> Elements:
        quantile = self.quantile.number(run, at_ms)
        histograms: dict[Labels, dict[float, float]] = {}
        for labels, count in self.inner.elements(run, at_ms):
            bound = bound_of(value_of(labels, BUCKET))
            if bound is not None:
                buckets = histograms.setdefault(leave_out(labels, (BUCKET,)), {})
                buckets[bound] = buckets.get(bound, 0.0) + count
        found = [
            (leave_out(labels, (METRIC_NAME,)), bucket_quantile(quantile, buckets))
            for labels, buckets in histograms.items()
        ]
        return unique(found, self.position)


def bound_of(text: str) -> float | None:
    """Read the upper bound of a bucket; None where *text* is no number."""
    if not text or "_" in text or text != text.strip():
        return None
    try:
        return float(text)
    except ValueError:
        return None


def bucket_quantile(quantile: float, buckets: dict[float, float]) -> float:
    """Interpolate in *buckets*, counts by upper bound, each holding those below it.

    NaN without two buckets, the last of them infinite, or without observations; the second bound in the last bucket.
    """
    if math.isnan(quantile):
        return NAN
    if not 0 <= quantile <= 1:
        return math.copysign(INF, quantile)
    bounds = sorted(buckets)
    if bounds[-1] != INF or len(bounds) < 2:
        return NAN
    counts = _made_monotonic([buckets[bound] for bound in bounds])
    if counts[-1] == 0:
        return NAN
    rank = quantile * counts[-1]
    index = next((at for at, count in enumerate(counts[:-1]) if count >= rank), len(counts) - 1)
    if index == len(counts) - 1:
        return bounds[-2]
    if index == 0:
        return bounds[0] if bounds[0] <= 0 else bounds[0] * quotient(rank, counts[0])
    start, below = bounds[index - 1], counts[index - 1]
    return start + (bounds[index] - start) * quotient(rank - below, counts[index] - below)


def _made_monotonic(counts: list[float]) -> list[float]:
    """Raise each count to those below it, and take what differs by rounding only for the same."""
    repaired = counts[:1]
    for count in counts[1:]:
        before = repaired[-1]
        repaired.append(before if count < before or _almost_equal(before, count) else count)
    return repaired


def _almost_equal(one: float, other: float) -> bool:
    if one == other:
        return True
    scale = abs(one) + abs(other)
    if 0 in (one, other) or scale < _MIN_NORMAL:
        return abs(one - other) < _TOLERANCE * _MIN_NORMAL
    return abs(one - other) / scale < _TOLERANCE
