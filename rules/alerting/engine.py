"""Evaluates one group of rules at a given moment and keeps what its alerts and series were; it reads no clock.

A GroupEngine is owned by one thread. What it gives out is immutable.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from wattledger.rules.promql.expression import DEFAULT_LOOKBACK_MS, DEFAULT_STEP_MS, Expression, compile_expression
from wattledger.rules.promql.model import STALE, Element, Labels, PromqlError, Scalar, String
from wattledger.rules.templates import ExpansionError, QuerySample

from .alert import Alert, AlertState, Hold
from .expansion import Expansion, ExternalNames, query_samples
from .failure import RuleFailedError
from .identity import identities
from .model import AlertingRule, RecordingRule, Rule, RuleGroup
from .recording import recorded
from .restore import RestoreSettings
from .resume import GroupMemory, KeptAlert, remembered, resumed
from .storage import AppendableStorage, SampleRefusedError
from .transitions import after_evaluation, alert_series

_MOST_COMPILED_QUERIES = 1024


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What all groups share. `step_ms` is that of subqueries without their own."""

    external: ExternalNames = field(default_factory=ExternalNames)
    query_offset_ms: int = 0
    lookback_ms: int = DEFAULT_LOOKBACK_MS
    step_ms: int = DEFAULT_STEP_MS
    restore: RestoreSettings = field(default_factory=RestoreSettings)


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """What one evaluation of a rule gave: `error` when it failed, `text_failures` of its labels and annotations."""

    rule: Rule
    samples: int = 0
    error: str | None = None
    text_failures: tuple[str, ...] = ()


@dataclass(slots=True)
class _RuleState:
    """What is known of a rule from its last evaluations."""

    rule: Rule
    identity: str
    series: frozenset[Labels] = frozenset()
    alerts: dict[Labels, Alert] = field(default_factory=dict)
    error: str | None = None


@dataclass(slots=True)
class GroupEngine:
    """One group with the state of its rules.

    For alerts to survive a kill, `memory` is stored after each evaluation and before `take_due` is called, so that no
    receiver knows more than the next process does; that one calls `resume` and `take_due` before it evaluates.
    """

    group: RuleGroup
    settings: EngineSettings = field(default_factory=EngineSettings)
    evaluations: int = 0
    rule_evaluations: int = 0
    missed: int = 0
    failures: int = 0
    last_at_ms: int | None = None
    _states: list[_RuleState] = field(init=False)
    _ending: set[Labels] = field(default_factory=set)
    _unconfirmed: GroupMemory | None = None  # what was resumed, until an evaluation makes it our own
    _compiled: dict[str, Expression] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rules = self.group.rules
        self._states = [_RuleState(rule, name) for rule, name in zip(rules, identities(rules), strict=True)]

    @property
    def offset_ms(self) -> int:
        """Give how far behind the moment of evaluation the expressions look."""
        own_ms = self.group.query_offset_ms
        return self.settings.query_offset_ms if own_ms is None else own_ms

    def evaluate(self, storage: AppendableStorage, at_ms: int, *, missed: int = 0) -> tuple[RuleOutcome, ...]:
        """Evaluate every rule at *at_ms* in order, each seeing what those before it wrote.

        *missed* evaluations went by unused before this one.
        """
        self.evaluations += 1
        self.rule_evaluations += len(self._states)
        self.missed += missed
        outcomes = tuple(self._rule(state, storage, at_ms) for state in self._states)
        self.failures += sum(outcome.error is not None for outcome in outcomes)
        self.last_at_ms = at_ms
        self._unconfirmed = None
        self._end(storage, self._ending, at_ms)
        self._ending = set()
        return outcomes

    def alerts(self) -> tuple[tuple[AlertingRule, Alert], ...]:
        """Give the alerts of the group with their rules, those that are over and kept to be reported among them."""
        return tuple(
            (state.rule, alert)
            for state in self._states
            if isinstance(state.rule, AlertingRule)
            for alert in state.alerts.values()
        )

    def errors(self) -> tuple[tuple[Rule, str], ...]:
        """Give the rules whose last evaluation failed, with the reason."""
        return tuple((state.rule, state.error) for state in self._states if state.error is not None)

    def take_due(
        self, now_ms: int, *, resend_delay_ms: int, interval_ms: int
    ) -> tuple[tuple[AlertingRule, Alert], ...]:
        """Give the alerts that receivers should hear of now, and note them as sent."""
        due: list[tuple[AlertingRule, Alert]] = []
        for state in self._states:
            for labels, alert in state.alerts.items():
                if isinstance(state.rule, AlertingRule) and alert.needs_sending(now_ms, resend_delay_ms):
                    sent = alert.sent(now_ms, resend_delay_ms=resend_delay_ms, interval_ms=interval_ms)
                    state.alerts[labels] = sent
                    due.append((state.rule, sent))
        return tuple(due)

    def memory(self) -> GroupMemory | None:
        """Give what has to outlive the process for `resume`, None before the first evaluation of a group's life.

        Between `resume` and the next evaluation it is what was resumed: nobody has looked since.
        """
        if self._unconfirmed is not None or self.last_at_ms is None:
            return self._unconfirmed
        seen_at_ms = self.last_at_ms
        alerts = ((state.identity, alert) for state in self._states for alert in state.alerts.values())
        return GroupMemory(seen_at_ms, tuple(remembered(rule, alert, seen_at_ms) for rule, alert in alerts))

    def keep(self) -> tuple[KeptAlert, ...]:
        """Give the alerts of `memory`: pending, firing, and those that are over and kept to be reported."""
        memory = self.memory()
        return () if memory is None else memory.alerts

    def resume(self, kept: Iterable[KeptAlert], *, seen_at_ms: int, now_ms: int, hold_ms: int) -> None:
        """Go on with the alerts of the process before, last evaluated at *seen_at_ms*; before the first evaluation.

        Each stays as it was for *hold_ms* unless its series is found before, and lives on as usual from there.
        Nothing is resumed after an outage that the settings do not bridge, nor for rules that are gone.
        """
        memory = GroupMemory(seen_at_ms, tuple(kept))
        self._unconfirmed = memory
        if not self.settings.restore.bridges(seen_at_ms, now_ms):
            return
        hold = Hold(now_ms, now_ms + hold_ms)
        for state in self._states:
            if isinstance(state.rule, AlertingRule):
                own = (one.alert for one in memory.alerts if one.rule == state.identity)
                state.alerts = resumed(
                    state.rule, own, seen_at_ms=seen_at_ms, hold=hold, settings=self.settings.restore
                )

    def pass_over(self, now_ms: int, *, hold_ms: int) -> None:
        """Go on, as after a restart, after a time in which nobody looked: the machine slept, or its clock leapt."""
        memory = self.memory()
        if memory is not None:
            for state in self._states:
                state.alerts = {}
            self.resume(memory.alerts, seen_at_ms=memory.seen_at_ms, now_ms=now_ms, hold_ms=hold_ms)

    def adopt(self, old: "GroupEngine") -> None:
        """Take over the state of the rules that *old*, the group before a reload, has in common with this one.

        Rules are the same when their identities are; series of those that are gone end at the next evaluation.
        """
        former = {state.identity: state for state in old._states}  # noqa: SLF001  (its own kind)
        for state in self._states:
            if same := former.pop(state.identity, None):
                state.series, state.alerts = same.series, dict(same.alerts)
        self._ending = set(old._ending).union(*(state.series for state in former.values()))  # noqa: SLF001
        self._unconfirmed = old._unconfirmed  # noqa: SLF001
        self.count_on(old)
        self.last_at_ms = old.last_at_ms

    def count_on(self, old: "GroupEngine") -> None:
        """Go on with the counts of *old*: what was exported never falls."""
        self.evaluations, self.rule_evaluations = old.evaluations, old.rule_evaluations
        self.missed, self.failures = old.missed, old.failures

    def end(self, storage: AppendableStorage, at_ms: int) -> None:
        """Mark every series of the group as ended: the group is gone from the files."""
        self._end(storage, self._ending.union(*(state.series for state in self._states)), at_ms)

    def _rule(self, state: _RuleState, storage: AppendableStorage, at_ms: int) -> RuleOutcome:
        expansion = Expansion(self.settings.external, lambda text: self._query(storage, text, at_ms))
        try:
            elements = self._result(state.rule.expression, storage, at_ms - self.offset_ms)
            written = self._step(state, elements, expansion, at_ms)
        except RuleFailedError as error:
            if error.drops_alerts:
                state.alerts = {}
            state.error = error.reason
            return RuleOutcome(state.rule, 0, error.reason, tuple(expansion.failures))
        state.error = self._write(state, storage, written, at_ms)
        return RuleOutcome(state.rule, len(written), state.error, tuple(expansion.failures))

    def _step(
        self, state: _RuleState, elements: tuple[Element, ...], expansion: Expansion, at_ms: int
    ) -> tuple[Element, ...]:
        rule = state.rule
        if isinstance(rule, RecordingRule):
            return recorded(rule, elements, limit=self.group.limit)
        state.alerts = after_evaluation(
            rule, state.alerts, elements, at_ms=at_ms, limit=self.group.limit, expansion=expansion
        )
        active = (alert for alert in state.alerts.values() if alert.state is not AlertState.INACTIVE)
        return tuple(element for alert in active for element in alert_series(rule, alert))

    def _write(
        self, state: _RuleState, storage: AppendableStorage, written: tuple[Element, ...], at_ms: int
    ) -> str | None:
        """Keep what a rule gave, end what it gave before and not now; give why a sample was refused, if one was."""
        refused: str | None = None
        kept: set[Labels] = set()
        for element in written:
            try:
                storage.append(element.labels, at_ms - self.offset_ms, element.value)
                kept.add(element.labels)
            except SampleRefusedError as error:
                refused = str(error)
        self._end(storage, state.series - kept, at_ms)
        state.series = frozenset(kept)
        return refused

    def _end(self, storage: AppendableStorage, series: Iterable[Labels], at_ms: int) -> None:
        for labels in series:
            try:
                storage.append(labels, at_ms - self.offset_ms, STALE)
            except SampleRefusedError:  # another rule goes on writing this series
                continue

    def _result(self, expression: Expression, storage: AppendableStorage, at_ms: int) -> tuple[Element, ...]:
        try:
            result = expression.evaluate(
                storage, at_ms, lookback_ms=self.settings.lookback_ms, step_ms=self.settings.step_ms
            )
        except PromqlError as error:
            raise RuleFailedError(error.reason) from None
        except Exception as error:
            raise RuleFailedError(f"unexpected error: {error!r}") from error
        if isinstance(result, String):
            raise RuleFailedError("rule result is not a vector or scalar")
        return (Element((), result.value),) if isinstance(result, Scalar) else result.elements

    def _query(self, storage: AppendableStorage, text: str, at_ms: int) -> list[QuerySample]:
        """Run a query of a template; the texts repeat, so the compiled forms are kept."""
        expression = self._compiled.get(text)
        try:
            if expression is None:
                expression = compile_expression(text)
                if len(self._compiled) >= _MOST_COMPILED_QUERIES:
                    self._compiled.clear()
                self._compiled[text] = expression
            return query_samples(self._result(expression, storage, at_ms))
        except PromqlError as error:
            raise ExpansionError(f"query `{text}`: {error}") from None
        except RuleFailedError as error:
            raise ExpansionError(f"query `{text}`: {error}") from None
