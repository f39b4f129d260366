"""Change within a window: what `rate` and its kin make of one series' samples; it knows neither labels nor selectors.

Extrapolation after promql/functions.go of Prometheus 3 (extrapolatedRate): to the edges of the window where samples
lie near them, else by half of the mean distance, and never to before a counter was zero.
"""

from collections.abc import Sequence
from itertools import pairwise

from .statistics import line_through
from .window import Span

_NEAR = 1.1  # an edge within 110 % of the mean distance counts as reached


def rate(times: Sequence[int], values: Sequence[float], span: Span) -> float | None:
    """Give the increase of a counter per second."""
    return _extrapolated(times, values, span, counter=True, per_second=True)


def increase(times: Sequence[int], values: Sequence[float], span: Span) -> float | None:
    """Give the increase of a counter."""
    return _extrapolated(times, values, span, counter=True, per_second=False)


def delta(times: Sequence[int], values: Sequence[float], span: Span) -> float | None:
    """Give the change of a gauge."""
    return _extrapolated(times, values, span, counter=False, per_second=False)


def _extrapolated(
    times: Sequence[int], values: Sequence[float], span: Span, *, counter: bool, per_second: bool
) -> float | None:
    if len(values) < 2:
        return None
    change = values[-1] - values[0]
    if counter:
        change = _with_resets(change, values)
    to_start = (times[0] - span.start_ms) / 1000
    to_end = (span.end_ms - times[-1]) / 1000
    sampled = (times[-1] - times[0]) / 1000
    distance = sampled / (len(values) - 1)
    if to_start >= distance * _NEAR:
        to_start = distance / 2
    if counter and change > 0 and values[0] >= 0:
        to_start = min(to_start, sampled * (values[0] / change))
    if to_end >= distance * _NEAR:
        to_end = distance / 2
    factor = (sampled + to_start + to_end) / sampled
    if per_second:
        factor /= (span.end_ms - span.start_ms) / 1000
    return change * factor


def _with_resets(change: float, values: Sequence[float]) -> float:
    """Add to *change* what the counter had reached before each reset, in their order, for the sake of rounding."""
    before = values[0]
    for value in values:
        if value < before:
            change += before
        before = value
    return change


def instant_rate(times: Sequence[int], values: Sequence[float], _span: Span) -> float | None:
    """Give the increase per second between the last two samples of a counter."""
    if len(values) < 2:
        return None
    change = values[-1] if values[-1] < values[-2] else values[-1] - values[-2]
    return change / ((times[-1] - times[-2]) / 1000)


def instant_delta(_times: Sequence[int], values: Sequence[float], _span: Span) -> float | None:
    """Give the difference of the last two samples."""
    return values[-1] - values[-2] if len(values) > 1 else None


def derivative(times: Sequence[int], values: Sequence[float], _span: Span) -> float | None:
    """Give the slope per second of the line through the samples."""
    return line_through(times, values, times[0])[0] if len(values) > 1 else None


def prediction(times: Sequence[int], values: Sequence[float], at_ms: int, *, ahead_s: float) -> float | None:
    """Give the value, *ahead_s* after *at_ms*, of the line through the samples."""
    if len(values) < 2:
        return None
    slope, value = line_through(times, values, at_ms)
    return slope * ahead_s + value


def changes(_times: Sequence[int], values: Sequence[float], _span: Span) -> float:
    """Count how often the value differs from the one before; NaN does not differ from NaN."""
    return float(sum(1 for a, b in pairwise(values) if a != b and not (a != a and b != b)))  # noqa: PLR0124


def resets(_times: Sequence[int], values: Sequence[float], _span: Span) -> float:
    """Count how often the value is less than the one before."""
    return float(sum(1 for a, b in pairwise(values) if b < a))
