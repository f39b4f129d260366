"""How long an alert was pending before a restart, carried over it; where that was kept meanwhile is not its matter.

The rule is Prometheus's (RestoreForState of rules/group.go).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from wattledger.rules.promql.model import Labels

from .alert import Alert, AlertState
from .labels import ALERT_NAME
from .model import AlertingRule

# Prometheus: --rules.alert.for-outage-tolerance and --rules.alert.for-grace-period.
OUTAGE_TOLERANCE_MS = 3_600_000
GRACE_PERIOD_MS = 600_000


@dataclass(frozen=True, slots=True)
class SavedAlert:
    """An alert that was pending or firing when it was last evaluated, at `seen_at_ms`."""

    labels: Labels
    active_at_ms: int
    seen_at_ms: int


@dataclass(frozen=True, slots=True)
class RestoreSettings:
    """An outage longer than the tolerance restores nothing; the grace period is pended at least after any restart."""

    outage_tolerance_ms: int = OUTAGE_TOLERANCE_MS
    grace_period_ms: int = GRACE_PERIOD_MS


def saved_alerts(alerts: Iterable[Alert], seen_at_ms: int) -> tuple[SavedAlert, ...]:
    """Give what of *alerts* has to outlive the process; those that are over do not."""
    active = (alert for alert in alerts if alert.state is not AlertState.INACTIVE)
    return tuple(SavedAlert(alert.labels, alert.active_at_ms, seen_at_ms) for alert in active)


def restored(
    rule: AlertingRule,
    alerts: Mapping[Labels, Alert],
    saved: Iterable[SavedAlert],
    *,
    now_ms: int,
    settings: RestoreSettings,
) -> dict[Labels, Alert]:
    """Give *alerts* with the time they became active as it was before the restart.

    A rule whose `for` is shorter than the grace period is left alone: it fires after its `for` in any case.
    """
    if rule.for_ms < settings.grace_period_ms:
        return dict(alerts)
    oldest_ms = now_ms - settings.outage_tolerance_ms
    known = {
        one.labels: one
        for one in saved
        if dict(one.labels).get(ALERT_NAME) == rule.alert and oldest_ms <= one.seen_at_ms <= now_ms
    }
    return {
        labels: replace(alert, active_at_ms=_active_at_ms(rule, known[labels], now_ms, settings))
        if labels in known
        else alert
        for labels, alert in alerts.items()
    }


def _active_at_ms(rule: AlertingRule, saved: SavedAlert, now_ms: int, settings: RestoreSettings) -> int:
    pended_ms = saved.seen_at_ms - saved.active_at_ms
    remaining_ms = rule.for_ms - pended_ms
    if remaining_ms <= 0:  # it was firing, and fires again at the next evaluation that still finds it
        return saved.active_at_ms
    if remaining_ms < settings.grace_period_ms:
        return now_ms + settings.grace_period_ms - rule.for_ms
    return saved.active_at_ms + now_ms - saved.seen_at_ms
