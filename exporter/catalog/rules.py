"""Families of the rules that this host evaluates itself: groups, alerts, history, and how receivers are reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from .family import Family, Row
from .rows import alerts, host, host_value
from .units import seconds

if TYPE_CHECKING:
    from wattledger.exporter.delivery import ReceiverStats
    from wattledger.exporter.rules_health import GroupHealth
    from wattledger.exporter.snapshot import Snapshot
    from wattledger.rules.history import HistoryStats

_GROUP = ("file", "group")
_RECEIVER = ("kind", "receiver")
_MS_PER_SECOND = 1000


def _loaded(snapshot: Snapshot) -> float | None:
    groups = snapshot.rules.groups
    return sum(group.rules for group in groups) if groups else None


def _of_group(name: str, text: str, value: Callable[[GroupHealth], float | None]) -> Family:
    def rows(snapshot: Snapshot) -> Iterator[Row]:
        for group in snapshot.rules.groups:
            number = value(group)
            if number is not None:
                yield (group.file, group.name), number

    return host(name, text, rows, labels=_GROUP)


def _of_history(name: str, text: str, value: Callable[[HistoryStats], float]) -> Family:
    def read(snapshot: Snapshot) -> float | None:
        history = snapshot.rules.history
        return None if history is None else value(history)

    return host_value(name, text, read)


def _of_receiver(name: str, text: str, value: Callable[[ReceiverStats], float | None]) -> Family:
    def rows(snapshot: Snapshot) -> Iterator[Row]:
        for receiver in snapshot.rules.receivers:
            number = value(receiver)
            if number is not None:
                yield (receiver.kind, receiver.receiver), number

    return host(name, text, rows, labels=_RECEIVER)


def _failures(snapshot: Snapshot) -> Iterator[Row]:
    for group in snapshot.rules.groups:
        for rule, reason in dict(group.errors).items():
            yield (group.file, group.name, rule, reason), 1


def _alert_counts(snapshot: Snapshot) -> Iterator[Row]:
    if snapshot.rules.groups:
        for state in ("pending", "firing"):
            yield (state,), sum(alert.state == state for alert in snapshot.rules.alerts)


def _maybe_seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / _MS_PER_SECOND


FAMILIES: tuple[Family, ...] = (
    alerts(
        "ALERTS",
        "An alert of this host's rules, as Prometheus writes it: 1 while it is pending or firing.",
        lambda _alert: 1,
    ),
    host(
        "wattledger_alerts",
        "Alerts of this host's rules by their state.",
        _alert_counts,
        labels=("alertstate",),
    ),
    host_value("wattledger_rules_loaded", "Rules that this host evaluates itself.", _loaded),
    _of_group(
        "wattledger_rule_group_interval_seconds",
        "Time between two evaluations of a group.",
        lambda group: group.interval_ms / _MS_PER_SECOND,
    ),
    _of_group(
        "wattledger_rule_group_last_evaluation_timestamp_seconds",
        "Unix time that the last evaluation of a group was for.",
        lambda group: _maybe_seconds(group.last_at_ms),
    ),
    _of_group(
        "wattledger_rule_group_duration_seconds",
        "Time that the last evaluation of a group took.",
        lambda group: None if group.duration_ns is None else seconds(group.duration_ns),
    ),
    _of_group(
        "wattledger_rule_group_missed_evaluations_total",
        "Evaluations of a group that were skipped because the one before took too long or the host slept.",
        lambda group: group.missed,
    ),
    _of_group(
        "wattledger_rule_evaluations_total",
        "Evaluations of rules.",
        lambda group: group.evaluations,
    ),
    _of_group(
        "wattledger_rule_evaluation_failures_total",
        "Evaluations of rules that gave no result.",
        lambda group: group.failures,
    ),
    host(
        "wattledger_rule_failure_info",
        "A rule whose last evaluation failed and why, always 1.",
        _failures,
        labels=("file", "group", "rule", "reason"),
    ),
    _of_history(
        "wattledger_rule_history_series",
        "Series kept in memory because a rule selects them.",
        lambda history: history.series,
    ),
    _of_history(
        "wattledger_rule_history_samples",
        "Samples kept in memory, as far back as rules look.",
        lambda history: history.samples,
    ),
    _of_history(
        "wattledger_rule_history_bytes",
        "Memory that these samples and their labels take.",
        lambda history: history.memory_bytes,
    ),
    _of_history(
        "wattledger_rule_history_refused_samples_total",
        "Samples not kept because the history had reached its bound; rules then see less than there is.",
        lambda history: history.refused,
    ),
    _of_receiver(
        "wattledger_notifications_sent_total",
        "Alerts that a receiver has taken.",
        lambda receiver: receiver.sent,
    ),
    _of_receiver(
        "wattledger_notifications_failed_total",
        "Attempts to reach a receiver that failed; what they carried is tried again.",
        lambda receiver: receiver.failed,
    ),
    _of_receiver(
        "wattledger_notifications_dropped_total",
        "Alerts that a receiver never got: refused by it, or the queue was full.",
        lambda receiver: receiver.dropped,
    ),
    _of_receiver(
        "wattledger_notifications_queue_length",
        "Alerts that wait for a receiver.",
        lambda receiver: receiver.queue_length,
    ),
    _of_receiver(
        "wattledger_notifications_queue_capacity",
        "Alerts that may wait for a receiver.",
        lambda receiver: receiver.queue_capacity,
    ),
    _of_receiver(
        "wattledger_notifications_last_success_timestamp_seconds",
        "Unix time at which a receiver last took alerts.",
        lambda receiver: None if receiver.last_success_wall_ns is None else seconds(receiver.last_success_wall_ns),
    ),
)
