"""How unit tests are told: in promtool's words, so that scripts and eyes find what they know; it decides nothing."""

from collections.abc import Sequence

from wattledger.rules.promql.model import Labels
from wattledger.rules.templates import format_duration_ms, format_float, quoted_text

from .unit_tests import AlertTest, ExpectedAlert, ExpressionTest

_INDENT = " " * 12
_MS_PER_MINUTE, _MS_PER_HOUR = 60_000, 3_600_000

ValuedLabels = tuple[Labels, float]


def labels_text(labels: Labels) -> str:
    """Write labels as Prometheus does."""
    return "{" + ", ".join(f"{name}={quoted_text(value)}" for name, value in labels) + "}"


def samples_text(samples: Sequence[ValuedLabels]) -> str:
    """Write samples in one line."""
    return ", ".join(f"{labels_text(labels)} {format_float(value, 'E')}" for labels, value in samples) or "nil"


def alerts_text(alerts: Sequence[ExpectedAlert]) -> str:
    """Write alerts one below the other."""
    if not alerts:
        return "[]"
    lines = ["["]
    for index, alert in enumerate(alerts):
        comma = "," if index < len(alerts) - 1 else ""
        lines += [
            f"{_INDENT}{index}:",
            f"{_INDENT}  Labels:{labels_text(alert.labels)}",
            f"{_INDENT}  Annotations:{labels_text(alert.annotations)}{comma}",
        ]
    return "\n".join([*lines, f"{_INDENT}]"])


def alerts_differ(
    test_name: str, test: AlertTest, got: Sequence[ExpectedAlert], want: Sequence[ExpectedAlert]
) -> str:
    """Tell that other alerts fire than expected."""
    name = f"    name: {test_name},\n" if test_name else ""
    time = format_duration_ms(test.eval_time_ms)
    return (
        f"{name}    alertname: {test.alertname}, time: {time}, \n"
        f"        exp:{alerts_text(want)}, \n        got:{alerts_text(got)}"
    )


def samples_differ(test: ExpressionTest, got: Sequence[ValuedLabels], want: Sequence[ValuedLabels]) -> str:
    """Tell that an expression gives something else than expected."""
    return f"{_expression(test)},\n        exp: {samples_text(want)}\n        got: {samples_text(got)}"


def expression_failed(test: ExpressionTest, reason: str) -> str:
    """Tell that an expression, or what is expected of it, cannot be evaluated."""
    return f"{_expression(test)}, err: {reason}"


def rule_failed(name: str, time_ms: int, reason: str) -> str:
    """Tell that a rule could not be evaluated."""
    return f"    rule: {name}, time: {elapsed_text(time_ms)}, err: {reason}"


def _expression(test: ExpressionTest) -> str:
    return f"    expr: {quoted_text(test.expr)}, time: {format_duration_ms(test.eval_time_ms)}"


def elapsed_text(time_ms: int) -> str:
    """Write a length of time as Go does: 1h2m0s, 1m30s, 1.5s, 20ms."""
    if time_ms < 1000:
        return f"{time_ms}ms" if time_ms else "0s"
    hours, rest_ms = divmod(time_ms, _MS_PER_HOUR)
    minutes, rest_ms = divmod(rest_ms, _MS_PER_MINUTE)
    seconds = f"{rest_ms // 1000}.{rest_ms % 1000:03d}".rstrip("0").rstrip(".") + "s"
    return (f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else "") + seconds
