"""The rules of a host as they stand: groups, history, alerts; it starts no thread and sends nothing."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from wattledger.exporter.rules_health import AlertView, GroupHealth, RulesHealth
from wattledger.exporter.series import SeriesReader
from wattledger.exporter.snapshot import Snapshot
from wattledger.rules.alerting import (
    Alert,
    AlertingRule,
    GroupEngine,
    GroupMemory,
    RuleGroup,
    RuleOutcome,
    Schedule,
)
from wattledger.rules.alerting.alert import AlertState
from wattledger.rules.alerting.transitions import alert_series
from wattledger.rules.history import History, interests_of
from wattledger.rules.promql.model import METRIC_NAME

from ..ledger import Ledger
from .refill import refill
from .settings import RuleSettings


@dataclass(slots=True)
class _Group:
    """A group with its schedule. `last_ms` is the moment of the schedule that was last used or passed over."""

    engine: GroupEngine
    schedule: Schedule
    last_ms: int
    duration_ns: int | None = None

    @property
    def key(self) -> str:
        """Give what names the group over restarts and reloads."""
        return key_of(self.engine.group)


def key_of(group: RuleGroup) -> str:
    """Give what names *group* over restarts and reloads."""
    return f"{group.file};{group.name}"


class Evaluation:
    """Evaluates what is due. Owned by one thread; what it gives out is immutable.

    *memory* is what the process before has kept, by group.
    """

    def __init__(
        self,
        settings: RuleSettings,
        *,
        ledger: Ledger,
        memory: Mapping[str, GroupMemory],
        now_ms: int,
        reader: SeriesReader | None = None,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._reader = SeriesReader() if reader is None else reader
        self._refilled = False
        self._interests = interests_of(settings.groups, lookback_ms=settings.engine.lookback_ms)
        self._history = History(self._interests, step_ms=settings.step_ms)
        self._groups = [self._fresh(group, now_ms) for group in settings.groups]
        for group in self._groups:
            if kept := memory.get(group.key):
                group.engine.resume(
                    kept.alerts,
                    seen_at_ms=kept.seen_at_ms,
                    now_ms=now_ms,
                    hold_ms=settings.hold_of(group.engine.group),
                )

    def apply(self, settings: RuleSettings, now_ms: int) -> None:
        """Go on with other rules; those that stay keep their alerts, and the history what is still selected."""
        before = {group.key: group for group in self._groups}
        self._settings = settings
        self._interests = interests_of(settings.groups, lookback_ms=settings.engine.lookback_ms)
        history = History(self._interests, step_ms=settings.step_ms)
        history.adopt(self._history)
        self._history = history
        self._refilled = False
        self._groups = [self._fresh(group, now_ms) for group in settings.groups]
        for group in self._groups:
            if known := before.pop(group.key, None):
                group.engine.adopt(known.engine)
                group.duration_ns = known.duration_ns
        for gone in before.values():
            gone.engine.end(self._history, now_ms)

    def begun_anew(self, now_ms: int) -> "Evaluation":
        """Give the same rules after the clock was set back: a new history, the same alerts, the counts going on."""
        memory = {key: memory.moved(now_ms) for key, memory in self.memories().items()}
        fresh = Evaluation(self._settings, ledger=self._ledger, memory=memory, now_ms=now_ms, reader=self._reader)
        fresh._history.count_on(self._history)
        for group, former in zip(fresh._groups, self._groups, strict=True):
            group.engine.count_on(former.engine)
        return fresh

    def next_ms(self, now_ms: int) -> int | None:
        """Give the next moment after *now_ms* at which a group is due, None without rules."""
        moments = (group.schedule.latest_ms(now_ms) + group.schedule.interval_ms for group in self._groups)
        return min(moments, default=None)

    def run(self, snapshot: Snapshot, now_ms: int, monotonic_ns: Callable[[], int]) -> list[RuleOutcome]:
        """Look at the page once, if any group is due, and evaluate those that are."""
        due = [
            (group, moment)
            for group in self._groups
            if (moment := group.schedule.due(group.last_ms, now_ms)) is not None
        ]
        if not due:
            return []
        # The moment of the schedule and not of now: a few ms less than `for` would make an alert an interval late.
        at_ms = max(moment.at_ms for _, moment in due)
        self._history.forget(at_ms)
        self._history.scrape(self._reader.read(snapshot, self._interests.names()), at_ms)
        self._refill(snapshot, at_ms)
        outcomes: list[RuleOutcome] = []
        for group, moment in due:
            started_ns = monotonic_ns()
            self._pass_over_a_gap(group.engine, at_ms)
            outcomes += group.engine.evaluate(self._history, at_ms, missed=moment.missed)
            group.duration_ns = monotonic_ns() - started_ns
            group.last_ms = moment.at_ms
        return outcomes

    def _pass_over_a_gap(self, engine: GroupEngine, at_ms: int) -> None:
        # After a lookback without a sample every series would have been gone: no alert has waited over that time.
        hold_ms = self._settings.hold_of(engine.group)
        longest_ms = max(hold_ms, self._settings.engine.lookback_ms)
        if engine.last_at_ms is not None and at_ms - engine.last_at_ms > longest_ms:
            engine.pass_over(at_ms, hold_ms=hold_ms)

    def memories(self) -> dict[str, GroupMemory]:
        """Give what has to outlive the process, of the groups that have any."""
        kept = ((group.key, group.engine.memory()) for group in self._groups)
        return {key: memory for key, memory in kept if memory is not None and memory.alerts}

    def take_due(self, now_ms: int) -> list[tuple[AlertingRule, Alert]]:
        """Give the alerts that receivers should hear of now, and note them as sent."""
        resend_ms = self._settings.resend_delay_ms
        return [
            due
            for group in self._groups
            for due in group.engine.take_due(
                now_ms, resend_delay_ms=resend_ms, interval_ms=self._settings.interval_of(group.engine.group)
            )
        ]

    def health(self) -> RulesHealth:
        """Give what the page shows of rules; who is told of alerts is not known here."""
        return RulesHealth(
            groups=tuple(self._health_of(group) for group in self._groups),
            alerts=tuple(view for group in self._groups for view in _views(group.engine)),
            history=self._history.stats(),
        )

    def _fresh(self, group: RuleGroup, now_ms: int) -> _Group:
        schedule = self._settings.schedule_of(group)
        return _Group(GroupEngine(group, self._settings.engine), schedule, schedule.latest_ms(now_ms))

    def _refill(self, snapshot: Snapshot, now_ms: int) -> None:
        """Once, when the devices are known: put back what the ledger has of the windows that rules look over."""
        if not self._refilled and snapshot.sample_at is not None:
            self._refilled = True
            refill(self._history, snapshot, self._ledger, self._interests, now_ms=now_ms)

    def _health_of(self, group: _Group) -> GroupHealth:
        engine = group.engine
        return GroupHealth(
            file=engine.group.file,
            name=engine.group.name,
            rules=len(engine.group.rules),
            interval_ms=self._settings.interval_of(engine.group),
            evaluations=engine.rule_evaluations,
            failures=engine.failures,
            missed=engine.missed,
            last_at_ms=engine.last_at_ms,
            duration_ns=group.duration_ns,
            errors=tuple((rule.name, reason) for rule, reason in engine.errors()),
        )


def _views(engine: GroupEngine) -> Iterator[AlertView]:
    for rule, alert in engine.alerts():
        if alert.state is AlertState.INACTIVE:
            continue
        series, _ = alert_series(rule, alert)
        yield AlertView(
            name=rule.alert,
            state=alert.state,
            series=tuple(pair for pair in series.labels if pair[0] != METRIC_NAME),
            annotations=alert.annotations,
            active_at_ms=alert.active_at_ms,
            value=alert.value,
        )
