"""Functions of one window that take its values alone; those of change are among the rates."""

from collections.abc import Callable, Sequence

from .functions import RangeFunction
from .rates import changes, delta, derivative, increase, instant_delta, instant_rate, rate, resets
from .statistics import greatest_of, least_of, mean_of, root_of, total_of, variance_over_time
from .window import Span


def _of_values(function: Callable[[Sequence[float]], float]) -> RangeFunction:
    def applied(_times: Sequence[int], values: Sequence[float], _span: Span) -> float:
        return function(values)

    return applied


RANGE_FUNCTIONS: dict[str, RangeFunction] = {
    "rate": rate,
    "irate": instant_rate,
    "increase": increase,
    "delta": delta,
    "idelta": instant_delta,
    "deriv": derivative,
    "changes": changes,
    "resets": resets,
    "avg_over_time": _of_values(mean_of),
    "min_over_time": _of_values(least_of),
    "max_over_time": _of_values(greatest_of),
    "sum_over_time": _of_values(total_of),
    "count_over_time": _of_values(lambda values: float(len(values))),
    "last_over_time": _of_values(lambda values: values[-1]),
    "present_over_time": _of_values(lambda _values: 1.0),
    "stdvar_over_time": _of_values(variance_over_time),
    "stddev_over_time": _of_values(lambda values: root_of(variance_over_time(values))),
}
