"""The rule thread: evaluates what is due, has alerts stored, then told to receivers; ticks never wait for it."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from wattledger.exporter.delivery import AlertLog, Delivery, Notice
from wattledger.exporter.rules_health import RulesHealth
from wattledger.exporter.snapshot import Snapshot
from wattledger.rules.alerting import Alert, GroupMemory, RuleOutcome
from wattledger.rules.instant import NS_PER_SECOND, Instant

from ..clock import Clock
from ..ledger import Ledger
from .evaluation import Evaluation
from .settings import RulePlan

logger = logging.getLogger(__name__)

NS_PER_MS = 1_000_000
# Alerts go out even when the disk does not answer: a little late, and perhaps unknown to the next process.
STORE_SECONDS = 3.0
DRAIN_NS = 2 * NS_PER_SECOND
# Without rules the thread sleeps until it is told of some.
_IDLE_NS = 3_600 * NS_PER_SECOND
# A clock that is set back further than this begins a new history: the samples that are there lie in the future.
_SET_BACK_MS = 60_000

Memories = Mapping[str, GroupMemory]
_NOTHING: Memories = MappingProxyType({})


class Ruler:
    """Owns the rules of a host on a thread of its own. Its methods may be called from any other thread."""

    def __init__(
        self,
        plan: RulePlan,
        *,
        clock: Clock,
        ledger: Ledger,
        snapshot: Callable[[], Snapshot | None],
    ) -> None:
        self._clock = clock
        self._ledger = ledger
        self._snapshot = snapshot
        self._delivery = Delivery(plan.receivers, clock=clock, external_url=plan.telling.generator_url)
        self._plan = plan
        self._alert_log = AlertLog(clock=clock)
        self._wake = threading.Event()
        self._condition = threading.Condition()
        self._pending: RulePlan | None = None
        self._unsaved: Memories | None = None
        self._saved: Memories = ledger.load_alerts()
        self._closing = False
        self._failing: frozenset[str] = frozenset()
        self._passed_ms = _ms(clock.now())
        self._evaluation = Evaluation(plan.settings, ledger=ledger, memory=self._saved, now_ms=self._passed_ms)
        self._health = self._evaluation.health()
        self._is_failing = False
        self._thread = threading.Thread(target=self._run, name="rules", daemon=True)

    def start(self) -> None:
        """Begin. Alerts that were firing before a restart are told at once."""
        self._thread.start()

    def apply(self, plan: RulePlan) -> None:
        """Go on by another plan from the next evaluation on."""
        with self._condition:
            self._pending = plan
        self._wake.set()

    def health(self) -> RulesHealth:
        """Give the state after the last evaluation, with the receivers as they are now."""
        return replace(self._health, receivers=self._delivery.stats())

    def unsaved(self) -> Memories | None:
        """Give what the ledger has to store before receivers may be told, None when there is nothing new."""
        return self._unsaved

    def saved(self, memories: Memories) -> None:
        """Take note that *memories* are stored."""
        with self._condition:
            if self._unsaved is memories:
                self._unsaved = None
            self._condition.notify_all()

    def close(self) -> None:
        """Stop evaluating; receivers that answer still hear what waits for them."""
        with self._condition:
            self._closing = True
            self._condition.notify_all()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(STORE_SECONDS)
        self._delivery.close(drain_ns=DRAIN_NS)

    def _run(self) -> None:
        self._tell(_ms(self._clock.now()), from_before=True)
        while not self._closing:
            self._wake.clear()
            self._take_plan()
            now = self._clock.now()
            next_ms = self._evaluation.next_ms(_ms(now))
            wait_ns = _IDLE_NS if next_ms is None else next_ms * NS_PER_MS - now.wall_ns
            if not self._clock.wait_until(now.mono_ns + wait_ns, self._wake):
                self._evaluate_or_log()

    def _evaluate_or_log(self) -> None:
        try:
            self.evaluate()
            self._is_failing = False
        except Exception:  # the loop's guard: without it no alert would ever come again
            if not self._is_failing:
                logger.exception("rules problem=an evaluation failed, alerts do not come; it is tried again")
            self._is_failing = True
            self._clock.wait_until(self._clock.now().mono_ns + _IDLE_NS, self._wake)

    def evaluate(self) -> None:
        """Evaluate what is due now, have it stored, and tell receivers."""
        now = self._clock.now()
        snapshot = self._snapshot()
        if snapshot is None:
            return
        if snapshot.is_expired(now):
            snapshot = snapshot.expired(now)
        now_ms = _ms(now)
        if now_ms < self._passed_ms - _SET_BACK_MS:
            logger.warning("the clock was set back by %d s: rules begin anew", (self._passed_ms - now_ms) // 1000)
            self._evaluation = self._evaluation.begun_anew(now_ms)
        self._passed_ms = now_ms
        outcomes = self._evaluation.run(snapshot, now_ms, lambda: self._clock.now().mono_ns)
        self._health = self._evaluation.health()
        self._log_failures(outcomes)
        self._store(self._evaluation.memories())
        self._tell(now_ms)

    def _take_plan(self) -> None:
        with self._condition:
            plan, self._pending = self._pending, None
        if plan is not None:
            self._plan = plan
            self._delivery.apply(plan.receivers, external_url=plan.telling.generator_url)
            self._evaluation.apply(plan.settings, _ms(self._clock.now()))
            self._health = self._evaluation.health()

    def _store(self, memories: Memories) -> None:
        """Have the tick thread store *memories*: receivers must not know more than the next process will."""
        if not memories and not self._saved:
            return
        self._saved = memories or _NOTHING
        with self._condition:
            self._unsaved = memories
            stored = self._condition.wait_for(
                lambda: self._unsaved is not memories or self._closing, timeout=STORE_SECONDS
            )
        if not stored:
            logger.warning("alerts are told before they are stored: the ledger does not answer")

    def _tell(self, now_ms: int, *, from_before: bool = False) -> None:
        due = self._evaluation.take_due(now_ms)
        notices = [self._notice(alert, from_before=from_before) for _, alert in due]
        self._delivery.hand_over(notices)
        if self._plan.telling.log:
            self._alert_log.note(notices)

    def _notice(self, alert: Alert, *, from_before: bool) -> Notice:
        resolved = alert.resolved_at_ms is not None
        ends_at_ms = alert.resolved_at_ms if alert.resolved_at_ms is not None else alert.valid_until_ms
        labels = dict(self._plan.telling.external_labels) | dict(alert.labels)
        return Notice(
            labels=tuple(sorted(labels.items())),
            annotations=alert.annotations,
            starts_at_ms=alert.active_at_ms if alert.fired_at_ms is None else alert.fired_at_ms,
            ends_at_ms=0 if ends_at_ms is None else ends_at_ms,
            resolved=resolved,
            generator_url=self._plan.telling.generator_url,
            from_before=from_before,
        )

    def _log_failures(self, outcomes: Sequence[RuleOutcome]) -> None:
        """Log the failure of a rule when it begins, not each time it comes back."""
        failing = {outcome.rule.name: outcome for outcome in outcomes if outcome.error or outcome.text_failures}
        for name, outcome in failing.items():
            if name not in self._failing:
                reasons = "; ".join(filter(None, (outcome.error, *outcome.text_failures)))
                logger.warning("rule_failing rule=%s reason=%r", name, reasons)
        evaluated = {outcome.rule.name for outcome in outcomes}
        for name in sorted(self._failing & evaluated - failing.keys()):
            logger.info("rule_works_again rule=%s", name)
        self._failing = self._failing - evaluated | failing.keys()


def _ms(now: Instant) -> int:
    return now.wall_ns // NS_PER_MS
