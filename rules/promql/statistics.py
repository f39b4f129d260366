"""Sums, means and quantiles of floats with the rounding and the infinities of Prometheus; it knows no series.

Sources: promql/functions.go and promql/quantile.go of Prometheus 3; compensated summation after Neumaier (1974).
"""

import math
from collections.abc import Iterable, Sequence

NAN = math.nan
INF = math.inf


def add(value: float, total: float, lost: float) -> tuple[float, float]:
    """Add *value* to *total*; *lost* carries what rounding took away, and nothing once the sum is infinite."""
    result = total + value
    if math.isinf(result):
        return result, 0.0
    if abs(total) >= abs(value):
        return result, lost + ((total - result) + value)
    return result, lost + ((value - result) + total)


def total_of(values: Iterable[float]) -> float:
    """Sum *values*, compensated."""
    total = lost = 0.0
    for value in values:  # as in `add`; what is lost next to an infinity is of no account at the end
        result = total + value
        lost += (total - result) + value if abs(total) >= abs(value) else (value - result) + total
        total = result
    return total if math.isinf(total) else total + lost


def mean_of(values: Sequence[float]) -> float:
    """Give the mean of at least one value; where their sum overflows, the running mean from there on."""
    total, lost = values[0], 0.0
    for count, value in enumerate(values[1:], start=2):
        next_total, next_lost = add(value, total, lost)
        if math.isinf(next_total):
            return _running_mean(values, count, total, lost=lost)
        total, lost = next_total, next_lost
    return total / len(values) + lost / len(values)


def _running_mean(values: Sequence[float], from_count: int, total: float, *, lost: float) -> float:
    mean, lost = total / (from_count - 1), lost / (from_count - 1)
    for count, value in enumerate(values[from_count - 1 :], start=from_count):
        share = (count - 1) / count
        mean, lost = add(value / count, share * mean, share * lost)
    return mean + lost


def least_of(values: Iterable[float]) -> float:
    """Give the least of at least one value; NaN only where all are."""
    return min((value for value in values if not math.isnan(value)), default=NAN)


def greatest_of(values: Iterable[float]) -> float:
    """Give the greatest of at least one value; NaN only where all are."""
    return max((value for value in values if not math.isnan(value)), default=NAN)


def variance_across(values: Sequence[float]) -> float:
    """Give the variance of a population across series, after Welford; NaN where a value is not finite."""
    if not math.isfinite(values[0]):
        return NAN
    mean, squares = values[0], 0.0
    for count, value in enumerate(values[1:], start=2):
        delta = value - mean
        mean += delta / count
        squares += delta * (value - mean)
    return squares / len(values)


def variance_over_time(values: Sequence[float]) -> float:
    """Give the variance of a population within a series, after Welford, compensated."""
    mean = mean_lost = squares = squares_lost = 0.0
    for count, value in enumerate(values, start=1):
        delta = value - (mean + mean_lost)
        mean, mean_lost = add(delta / count, mean, mean_lost)
        squares, squares_lost = add(delta * (value - (mean + mean_lost)), squares, squares_lost)
    return (squares + squares_lost) / len(values)


def root_of(variance: float) -> float:
    """Give the square root; NaN of NaN and of less than nothing."""
    return math.sqrt(variance) if variance >= 0 else NAN


def quantile_of(quantile: float, values: Sequence[float]) -> float:
    """Interpolate between the values nearest the rank; NaN counts as the least, beyond [0, 1] lies an infinity."""
    if not values or math.isnan(quantile):
        return NAN
    if not 0 <= quantile <= 1:
        return math.copysign(INF, quantile)
    ordered = sorted(values, key=lambda value: (not math.isnan(value), value))
    rank = quantile * (len(ordered) - 1)
    lower = math.floor(rank)
    upper = min(len(ordered) - 1, lower + 1)
    weight = rank - lower
    return ordered[lower] * (1 - weight) + ordered[upper] * weight


def line_through(timestamps_ms: Sequence[int], values: Sequence[float], zero_ms: int) -> tuple[float, float]:
    """Fit least squares and give the slope per second and the value at *zero_ms*; a constant has no rounding."""
    first = values[0]
    if all(value == first for value in values[1:]):
        return (NAN, NAN) if math.isinf(first) else (0.0, first)
    xs = [(moment_ms - zero_ms) / 1e3 for moment_ms in timestamps_ms]
    sum_x, sum_y = total_of(xs), total_of(values)
    sum_xy = total_of([x * y for x, y in zip(xs, values, strict=True)])
    sum_xx = total_of([x * x for x in xs])
    count = float(len(values))
    covariance = sum_xy - sum_x * sum_y / count
    spread = sum_xx - sum_x * sum_x / count
    slope = quotient(covariance, spread)
    return slope, sum_y / count - slope * sum_x / count


def quotient(dividend: float, divisor: float) -> float:
    """Divide as IEEE 754 does: by zero gives an infinity, zero by zero NaN."""
    try:
        return dividend / divisor
    except ZeroDivisionError:
        if dividend == 0 or math.isnan(dividend):
            return NAN
        return math.copysign(INF, dividend) * math.copysign(1.0, divisor)
