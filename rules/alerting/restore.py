"""How long a pending alert counts as pending after a restart; what it was before, and who kept that, is given.

The rule is Prometheus's (RestoreForState of rules/group.go).
"""

from dataclasses import dataclass

# Prometheus: --rules.alert.for-outage-tolerance and --rules.alert.for-grace-period.
OUTAGE_TOLERANCE_MS = 3_600_000
GRACE_PERIOD_MS = 600_000


@dataclass(frozen=True, slots=True)
class RestoreSettings:
    """An outage longer than the tolerance restores nothing; the grace period is pended at least after any restart."""

    outage_tolerance_ms: int = OUTAGE_TOLERANCE_MS
    grace_period_ms: int = GRACE_PERIOD_MS

    def bridges(self, seen_at_ms: int, now_ms: int) -> bool:
        """Tell whether what was last seen at *seen_at_ms* still says something now.

        A clock that was set back over the restart is bridged as far as an outage is.
        """
        return abs(now_ms - seen_at_ms) <= self.outage_tolerance_ms


def pending_since_ms(
    active_at_ms: int, *, for_ms: int, seen_at_ms: int, now_ms: int, grace_period_ms: int = GRACE_PERIOD_MS
) -> int | None:
    """Give since when an alert that was pending counts as active when it is found again at *now_ms*.

    The outage does not count, and what was left of *for_ms* becomes the grace period where it was less. None for a
    `for` shorter than the grace period, which starts anew.
    """
    if for_ms < grace_period_ms:
        return None
    remaining_ms = for_ms - (seen_at_ms - active_at_ms)
    if remaining_ms <= 0:  # the rule's `for` was longer before: the alert fires when it is found
        return active_at_ms
    if remaining_ms < grace_period_ms:
        return now_ms + grace_period_ms - for_ms
    return active_at_ms + now_ms - seen_at_ms
