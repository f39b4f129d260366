"""One alert of a rule, as a value: state, times, and when it is due to be sent; who sends it is unknown here."""

from dataclasses import dataclass, replace
from enum import StrEnum

from wattledger.rules.promql.model import Labels

# Prometheus: resolvedRetention of rules/alerting.go.
RESOLVED_RETENTION_MS = 15 * 60_000
# Prometheus: --rules.alert.resend-delay.
DEFAULT_RESEND_DELAY_MS = 60_000
# Prometheus: an alert lives for four resends or evaluations at its receiver, whichever are longer.
_VALID_FOR_SENDS = 4


class AlertState(StrEnum):
    """What an alert is; the words are the values of the label `alertstate`."""

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"


@dataclass(frozen=True, slots=True)
class Hold:
    """How long an alert from before a restart, at `since_ms`, stays as it was while its series is not found again."""

    since_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert of one labelset. Times in Unix milliseconds, None for what has not happened.

    `resolved_at_ms` is set while an alert that fired is kept to be reported as over. `hold` is set from a restart
    until the alert's series is found again.
    """

    labels: Labels
    annotations: Labels
    value: float
    state: AlertState
    active_at_ms: int
    fired_at_ms: int | None = None
    resolved_at_ms: int | None = None
    keep_firing_since_ms: int | None = None
    last_sent_at_ms: int | None = None
    valid_until_ms: int | None = None
    hold: Hold | None = None

    def needs_sending(self, now_ms: int, resend_delay_ms: int) -> bool:
        """Tell whether the receivers should hear of this alert, again or for the first time."""
        if self.state is AlertState.PENDING:
            return False
        if self.last_sent_at_ms is None:
            return True
        if self.resolved_at_ms is not None and self.resolved_at_ms > self.last_sent_at_ms:
            return True
        return self.last_sent_at_ms + resend_delay_ms < now_ms

    def sent(self, now_ms: int, *, resend_delay_ms: int, interval_ms: int) -> "Alert":
        """Give this alert as sent now; receivers hold it as firing until `valid_until_ms` unless they hear more."""
        valid_ms = _VALID_FOR_SENDS * max(resend_delay_ms, interval_ms)
        return replace(self, last_sent_at_ms=now_ms, valid_until_ms=now_ms + valid_ms)
