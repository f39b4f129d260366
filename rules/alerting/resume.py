"""What of a group's alerts outlives the process and what the next one makes of it; where it was kept is unknown.

Prometheus carries over only how long alerts were pending, and that for a `for` of ten minutes or more: what had fired
must pend again, and receivers take it for over meanwhile. Here it is firing at once, and is given time to be found.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from wattledger.rules.promql.model import Labels

from .alert import Alert, AlertState, Hold
from .model import AlertingRule
from .restore import RestoreSettings, pending_since_ms
from .transitions import active_at_ms


@dataclass(frozen=True, slots=True)
class KeptAlert:
    """An alert with the identity of its rule. When it was sent, and until when it is held, is not kept."""

    rule: str
    alert: Alert


@dataclass(frozen=True, slots=True)
class GroupMemory:
    """What outlives the process of one group, as of its last evaluation at `seen_at_ms`."""

    seen_at_ms: int
    alerts: tuple[KeptAlert, ...] = ()

    def moved(self, now_ms: int) -> "GroupMemory":
        """Give what the clock that was set to *now_ms* would have had: no outage, and every time as far back."""
        by_ms = now_ms - self.seen_at_ms
        return GroupMemory(now_ms, tuple(replace(kept, alert=_moved(kept.alert, by_ms)) for kept in self.alerts))


def remembered(rule: str, alert: Alert, seen_at_ms: int) -> KeptAlert:
    """Give *alert* as it is to be remembered after the evaluation at *seen_at_ms*."""
    since_ms = active_at_ms(alert, seen_at_ms)
    return KeptAlert(
        rule, replace(alert, active_at_ms=since_ms, last_sent_at_ms=None, valid_until_ms=None, hold=None)
    )


def resumed(
    rule: AlertingRule, alerts: Iterable[Alert], *, seen_at_ms: int, hold: Hold, settings: RestoreSettings
) -> dict[Labels, Alert]:
    """Give what becomes of the *alerts* of *rule*, last evaluated at *seen_at_ms*, at the restart `hold.since_ms`.

    Firing ones are firing, resolved ones are to be told again, pending ones go on as `pending_since_ms` says.
    """
    found: dict[Labels, Alert] = {}
    for alert in alerts:
        since_ms = _active_at_ms(rule, alert, seen_at_ms=seen_at_ms, now_ms=hold.since_ms, settings=settings)
        if since_ms is not None:
            found[alert.labels] = replace(
                alert,
                active_at_ms=since_ms,
                fired_at_ms=_past(alert.fired_at_ms, hold.since_ms),
                resolved_at_ms=_past(alert.resolved_at_ms, hold.since_ms),
                keep_firing_since_ms=_past(alert.keep_firing_since_ms, hold.since_ms),
                hold=hold,
            )
    return found


def _active_at_ms(
    rule: AlertingRule, alert: Alert, *, seen_at_ms: int, now_ms: int, settings: RestoreSettings
) -> int | None:
    if alert.state is not AlertState.PENDING:
        return min(alert.active_at_ms, now_ms)
    return pending_since_ms(
        alert.active_at_ms,
        for_ms=rule.for_ms,
        seen_at_ms=seen_at_ms,
        now_ms=now_ms,
        grace_period_ms=settings.grace_period_ms,
    )


def _moved(alert: Alert, by_ms: int) -> Alert:
    return replace(
        alert,
        active_at_ms=alert.active_at_ms + by_ms,
        fired_at_ms=_later(alert.fired_at_ms, by_ms),
        resolved_at_ms=_later(alert.resolved_at_ms, by_ms),
        keep_firing_since_ms=_later(alert.keep_firing_since_ms, by_ms),
    )


def _later(moment_ms: int | None, by_ms: int) -> int | None:
    return None if moment_ms is None else moment_ms + by_ms


def _past(moment_ms: int | None, now_ms: int) -> int | None:
    """Give a moment that is not in the future, as one may be after the clock was set back."""
    return None if moment_ms is None else min(moment_ms, now_ms)
