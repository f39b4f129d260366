"""One evaluation of an alerting rule: alerts before and a result to alerts after; a pure function of time and values.

The transitions are those of Prometheus (rules/alerting.go); the hold after a restart is ours.
"""

from collections.abc import Mapping
from dataclasses import replace

from wattledger.rules.promql.model import Element, Labels

from .alert import RESOLVED_RETENTION_MS, Alert, AlertState
from .expansion import Expansion
from .failure import RuleFailedError
from .labels import ALERT_NAME, ALERT_STATE, ALERTS, ALERTS_FOR_STATE, overridden
from .model import AlertingRule

Alerts = Mapping[Labels, Alert]


def after_evaluation(
    rule: AlertingRule,
    before: Alerts,
    elements: tuple[Element, ...],
    *,
    at_ms: int,
    limit: int,
    expansion: Expansion,
) -> dict[Labels, Alert]:
    """Give the alerts of *rule* after its expression gave *elements* at *at_ms*.

    Raises RuleFailedError when two alerts get the same labels, or more than *limit* (0: no limit) are active.
    """
    found = _found(rule, elements, at_ms=at_ms, expansion=expansion)
    after: dict[Labels, Alert] = {}
    for labels in (*before, *(labels for labels in found if labels not in before)):
        alert = (
            _present(before.get(labels), found[labels]) if labels in found else _absent(rule, before[labels], at_ms)
        )
        if alert is not None:
            after[labels] = _risen(rule, alert, at_ms)
    active = sum(alert.state is not AlertState.INACTIVE for alert in after.values())
    if 0 < limit < active:
        raise RuleFailedError(f"exceeded limit of {limit} with {active} alerts", drops_alerts=True)
    return after


def _found(
    rule: AlertingRule, elements: tuple[Element, ...], *, at_ms: int, expansion: Expansion
) -> dict[Labels, Alert]:
    found: dict[Labels, Alert] = {}
    for element in elements:
        labels, annotations = expansion.of(rule, element)
        if labels in found:
            raise RuleFailedError("vector contains metrics with the same labelset after applying alert labels")
        found[labels] = Alert(labels, annotations, element.value, AlertState.PENDING, at_ms)
    return found


def _present(known: Alert | None, found: Alert) -> Alert:
    """Give the alert of a series that is there: a new one, or the known one with its value and texts of now."""
    if known is None or known.state is AlertState.INACTIVE:
        return found
    return replace(
        known,
        value=found.value,
        annotations=found.annotations,
        active_at_ms=active_at_ms(known, found.active_at_ms),
        keep_firing_since_ms=None,
        hold=None,
    )


def _absent(rule: AlertingRule, known: Alert, at_ms: int) -> Alert | None:
    """Give what becomes of an alert whose series is gone: kept firing, kept as resolved for a while, or nothing."""
    if known.hold is not None and at_ms < known.hold.until_ms:
        return known  # after a restart a series that is not there may only lack its samples
    if known.state is AlertState.PENDING:
        return None
    if known.state is AlertState.INACTIVE:
        resolved_ms = at_ms if known.resolved_at_ms is None else known.resolved_at_ms
        return known if at_ms - resolved_ms <= RESOLVED_RETENTION_MS else None
    if rule.keep_firing_for_ms:
        since_ms = at_ms if known.keep_firing_since_ms is None else known.keep_firing_since_ms
        if at_ms - since_ms < rule.keep_firing_for_ms:
            return replace(known, keep_firing_since_ms=since_ms)
    return replace(known, state=AlertState.INACTIVE, resolved_at_ms=at_ms)


def _risen(rule: AlertingRule, alert: Alert, at_ms: int) -> Alert:
    """Let a pending alert fire once it has been active for the rule's `for`; not while nothing is known of it."""
    if alert.state is AlertState.PENDING and alert.hold is None and at_ms - alert.active_at_ms >= rule.for_ms:
        return replace(alert, state=AlertState.FIRING, fired_at_ms=at_ms)
    return alert


def active_at_ms(alert: Alert, at_ms: int) -> int:
    """Give since when *alert* counts as active at *at_ms*: a pending one waits while it is held."""
    if alert.hold is None or alert.state is not AlertState.PENDING:
        return alert.active_at_ms
    return alert.active_at_ms + at_ms - alert.hold.since_ms


def alert_series(rule: AlertingRule, alert: Alert) -> tuple[Element, Element]:
    """Give the samples of ALERTS and ALERTS_FOR_STATE of an active alert.

    As in Prometheus the rule's labels stand under the alert's: one that expands to nothing shows its template here.
    """
    written = tuple((name, text.source) for name, text in rule.labels)
    name = (ALERT_NAME, rule.alert)
    state = (*alert.labels, name, (ALERT_STATE, alert.state.value))
    return (
        Element(overridden(written, state, metric=ALERTS), 1.0),
        Element(
            overridden(written, (*alert.labels, name), metric=ALERTS_FOR_STATE), float(alert.active_at_ms // 1000)
        ),
    )
