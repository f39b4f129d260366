"""Alerts as table rows and back, and which rows differ; it knows no file and no transaction.

Rows are all that the daemon handles while no rules run: the alerts' own types load when there are some.
"""

import logging
import math
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .rows import Row, SqlValue, fit, whole

if TYPE_CHECKING:
    from wattledger.rules.alerting import Alert, GroupMemory, KeptAlert
    from wattledger.rules.promql.model import Labels

log = logging.getLogger(__name__)

_FIRST_VERSION = 3  # of the tables
_TIMES = 5  # columns after the key whose change is worth a write: state, three times, since when it is kept firing
_INSERT_GROUP = "INSERT OR REPLACE INTO alert_group (group_key, seen_at_ms) VALUES (?, ?)"
_INSERT_ALERT = (
    "INSERT OR REPLACE INTO alert (group_key, rule, labels, state, active_at_ms, fired_at_ms, resolved_at_ms, "
    "keep_firing_since_ms, annotations, value) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_DELETE_ALERT = "DELETE FROM alert WHERE group_key IS ? AND rule IS ? AND labels IS ?"


@dataclass(frozen=True, slots=True)
class AlertRows:
    """The rows of both tables: groups by key, alerts by group, rule and labels. Not to be changed."""

    groups: dict[SqlValue, SqlValue] = field(default_factory=dict)
    alerts: dict[Row, Row] = field(default_factory=dict)


def encode(memories: "Mapping[str, GroupMemory]", before: AlertRows) -> AlertRows:
    """Give the rows of *memories*, those of *before* where only value and annotations differ.

    *before* itself is given where nothing differs. A group without alerts has no rows.
    """
    import json  # noqa: PLC0415  (not needed where no rules run)

    groups: dict[SqlValue, SqlValue] = {}
    alerts: dict[Row, Row] = {}
    for name, memory in memories.items():
        if not memory.alerts:
            continue
        group = json.dumps(name)
        groups[group] = fit(memory.seen_at_ms)
        for kept in memory.alerts:
            key = (group, kept.rule, _json(kept.alert.labels))
            times = _times(kept.alert)
            known = before.alerts.get(key, ())
            # SQLite stores NaN as NULL.
            alerts[key] = (
                known if known[:_TIMES] == times else (*times, _json(kept.alert.annotations), kept.alert.value)
            )
    return before if groups == before.groups and alerts == before.alerts else AlertRows(groups, alerts)


def _times(alert: "Alert") -> Row:
    moments = (alert.active_at_ms, alert.fired_at_ms, alert.resolved_at_ms, alert.keep_firing_since_ms)
    return (alert.state.value, *(None if moment is None else fit(moment) for moment in moments))


def write(connection: sqlite3.Connection, before: AlertRows | None, after: AlertRows) -> None:
    """Write what differs between *before* and *after*; None before: whatever is there is replaced."""
    if before is None:
        connection.execute("DELETE FROM alert")
        connection.execute("DELETE FROM alert_group")
        before = AlertRows()
    connection.executemany(_DELETE_ALERT, before.alerts.keys() - after.alerts.keys())
    connection.executemany(
        "DELETE FROM alert_group WHERE group_key IS ?", ((group,) for group in before.groups.keys() - after.groups)
    )
    connection.executemany(_INSERT_GROUP, after.groups.items() - before.groups.items())
    changed = ((*key, *row) for key, row in after.alerts.items() if before.alerts.get(key) != row)
    connection.executemany(_INSERT_ALERT, changed)


def read(connection: sqlite3.Connection) -> AlertRows:
    """Give the rows that are there, whatever they say; a file of an older version has none. Raises sqlite3.Error."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version < _FIRST_VERSION:
        return AlertRows()
    groups = dict(connection.execute("SELECT group_key, seen_at_ms FROM alert_group").fetchall())
    columns = "state, active_at_ms, fired_at_ms, resolved_at_ms, keep_firing_since_ms, annotations, value"
    found = connection.execute(f"SELECT group_key, rule, labels, {columns} FROM alert").fetchall()  # noqa: S608
    return AlertRows(groups, {tuple(row[:3]): tuple(row[3:]) for row in found})


def decode(rows: AlertRows) -> "dict[str, GroupMemory]":
    """Give what the rows say, by group. A row that cannot be understood costs its alert, and is logged."""
    if not rows.alerts:
        return {}
    from wattledger.rules.alerting import GroupMemory  # noqa: PLC0415  (2.5 MB where no rules run)

    found: dict[SqlValue, list[KeptAlert]] = {}
    names: dict[SqlValue, tuple[str, int]] = {}
    for (group, rule, labels), row in sorted(rows.alerts.items(), key=lambda item: str(item[0])):
        try:
            names[group] = (_string(group), whole(rows.groups[group]))
            found.setdefault(group, []).append(_kept(rule, labels, row))
        except (ValueError, TypeError, KeyError) as error:
            log.warning("ledger_alert_dropped group=%s rule=%s labels=%s detail=%r", group, rule, labels, error)
    return {
        names[group][0]: GroupMemory(seen_at_ms=names[group][1], alerts=tuple(alerts))
        for group, alerts in found.items()
    }


def _kept(rule: SqlValue, labels: SqlValue, row: Row) -> "KeptAlert":
    from wattledger.rules.alerting import Alert, AlertState, KeptAlert  # noqa: PLC0415  (as above)

    state, active_at_ms, fired_at_ms, resolved_at_ms, keep_firing_since_ms, annotations, value = row
    if not (isinstance(rule, str) and isinstance(state, str) and (value is None or isinstance(value, float))):
        raise TypeError(f"rule {rule!r}, state {state!r} or value {value!r}")
    alert = Alert(
        labels=_labels(labels),
        annotations=_labels(annotations),
        value=math.nan if value is None else value,
        state=AlertState(state),
        active_at_ms=whole(active_at_ms),
        fired_at_ms=_moment(fired_at_ms),
        resolved_at_ms=_moment(resolved_at_ms),
        keep_firing_since_ms=_moment(keep_firing_since_ms),
    )
    return KeptAlert(rule, alert)


def _json(labels: "Labels") -> str:
    import json  # noqa: PLC0415  (as above)

    return json.dumps(dict(labels), sort_keys=True, separators=(",", ":"))


def _labels(text: SqlValue) -> "Labels":
    import json  # noqa: PLC0415  (as above)

    if not isinstance(text, str):
        raise TypeError(f"labels {text!r}")
    found = json.loads(text)
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise TypeError(f"labels {text!r}")
    return tuple(sorted(found.items()))


def _string(text: SqlValue) -> str:
    import json  # noqa: PLC0415  (as above)

    found = json.loads(text) if isinstance(text, str) else None
    if not isinstance(found, str):
        raise TypeError(f"group {text!r}")
    return found


def _moment(value: SqlValue) -> int | None:
    return None if value is None else whole(value)
