"""What the rules of this host are doing, as the page and its readers see it: groups, alerts, history, receivers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the page of a host without rules never loads them
    from wattledger.rules.alerting.alert import AlertState
    from wattledger.rules.history import HistoryStats
    from wattledger.rules.promql.model import Labels

    from .delivery import ReceiverStats


@dataclass(frozen=True, slots=True)
class AlertView:
    """An alert that is pending or firing. `series` are the labels of its ALERTS series, without the name."""

    name: str
    state: AlertState
    series: Labels
    annotations: Labels
    active_at_ms: int
    value: float


@dataclass(frozen=True, slots=True)
class GroupHealth:
    """One group of rules: how often it was evaluated since the start, and how it went last."""

    file: str
    name: str
    rules: int
    interval_ms: int
    evaluations: int = 0  # of its rules, all of them together
    failures: int = 0
    missed: int = 0
    last_at_ms: int | None = None
    duration_ns: int | None = None
    errors: tuple[tuple[str, str], ...] = ()  # of the last evaluation: rule, reason


@dataclass(frozen=True, slots=True)
class RulesHealth:
    """Everything above. Without rules everything is empty, and `history` None."""

    groups: tuple[GroupHealth, ...] = ()
    alerts: tuple[AlertView, ...] = ()
    history: HistoryStats | None = None
    receivers: tuple[ReceiverStats, ...] = ()
