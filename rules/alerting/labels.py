"""Labels of rules and their alerts: names of the series that alerting writes, and how labels override each other."""

from collections.abc import Iterable

from wattledger.rules.promql.model import METRIC_NAME, Labels

ALERT_NAME = "alertname"
ALERT_STATE = "alertstate"
ALERTS = "ALERTS"
ALERTS_FOR_STATE = "ALERTS_FOR_STATE"


def overridden(labels: Labels, changes: Iterable[tuple[str, str]], *, metric: str = "") -> Labels:
    """Give *labels* with *changes* set, where an empty value removes, under the name *metric* or none."""
    merged = dict(labels)
    merged.update(changes)
    merged[METRIC_NAME] = metric
    return tuple(sorted((name, value) for name, value in merged.items() if value))
