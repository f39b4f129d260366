"""The alerts on the landing page: what fires, what may soon, who is not reached; rules are not shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .landing_text import duration, escaped

if TYPE_CHECKING:
    from wattledger.rules.instant import Instant

    from .rules_health import AlertView, RulesHealth

_NS_PER_MS = 1_000_000
_TOLD = ("alertname", "alertstate", "severity")  # in columns of their own
_MOST_ROWS = 50


def alert_section(rules: RulesHealth, now: Instant) -> str:
    """Give the section; empty text on a host without rules."""
    if not rules.groups:
        return ""
    parts = ['<h2 id="alerts">Alerts</h2>\n', _unreached(rules)]
    count = sum(group.rules for group in rules.groups)
    if not rules.alerts:
        return "".join((*parts, f'<p class="dim">None of {count} rules has found anything.</p>\n'))
    firing = [alert for alert in rules.alerts if alert.state == "firing"]
    pending = [alert for alert in rules.alerts if alert.state != "firing"]
    if firing:
        parts.append(_table(firing, now))
    if pending:
        parts.append(f"<details><summary>{len(pending)} pending</summary>\n{_table(pending, now)}</details>\n")
    return "".join(parts)


def _unreached(rules: RulesHealth) -> str:
    return "".join(
        f'<p class="banner bad"><b>{escaped(receiver.receiver)} is not reached.</b> {escaped(receiver.last_error)}; '
        f"{receiver.queue_length} alerts wait.</p>\n"
        for receiver in rules.receivers
        if receiver.last_error
    )


def _table(alerts: Sequence[AlertView], now: Instant) -> str:
    shown = sorted(alerts, key=lambda alert: (alert.active_at_ms, alert.name, alert.series))[:_MOST_ROWS]
    rows = "".join(_row(alert, now) for alert in shown)
    left = len(alerts) - len(shown)
    more = f'<p class="dim">and {left} more: see ALERTS on /metrics</p>\n' if left else ""
    return (
        '<div class="scroll"><table>\n<thead><tr><th>State</th><th>Severity</th><th>Alert</th><th>What</th></tr>'
        f"</thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n{more}"
    )


def _row(alert: AlertView, now: Instant) -> str:
    labels, annotations = dict(alert.series), dict(alert.annotations)
    severity = labels.get("severity", "")
    since = duration(now.wall_ns - alert.active_at_ms * _NS_PER_MS)
    state = escaped(alert.state)
    rest = ", ".join(f"{name}={value}" for name, value in alert.series if name not in _TOLD)
    return (
        f'<tr><td><span class="alert {state}">{state}</span><small>for {since}</small></td>'
        f'<td><span class="severity {escaped(severity)}">{escaped(severity)}</span></td>'
        f'<td class="name">{escaped(alert.name)}</td>'
        f'<td class="wide">{escaped(annotations.get("summary", ""))}<small>{escaped(rest)}</small></td></tr>\n'
    )
