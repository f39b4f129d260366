"""Alerts live on over a kill: what was firing is firing at once, is sent again, and is over only when it is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rules.alerting.stage import MINUTE_MS, Stage, alerting, labels, recording
from wattledger.rules.alerting import Alert, AlertingRule, AlertState, GroupEngine, GroupMemory, Rule, RuleGroup
from wattledger.rules.alerting.identity import identities

PENDING, FIRING, INACTIVE = AlertState.PENDING, AlertState.FIRING, AlertState.INACTIVE
STEPS_PER_MINUTE = 4
STEP_MS = MINUTE_MS // STEPS_PER_MINUTE
HOLD_STEPS = 8
HOLD_MS = HOLD_STEPS * STEP_MS
RESEND_MS = MINUTE_MS
TOLERATED_STEPS = 60 * STEPS_PER_MINUTE

Condition = Callable[[int], bool | None]  # by step: does it hold; None where there is no sample


@dataclass(slots=True)
class Receiver:
    """Who hears of one alert: each notice with its time, and whether it is firing there at a moment."""

    heard: list[tuple[int, Alert]] = field(default_factory=list)

    def is_firing(self, at_ms: int) -> bool:
        before = [alert for moment_ms, alert in self.heard if moment_ms <= at_ms]
        last = before[-1] if before else None
        return last is not None and last.state is FIRING and at_ms < (last.valid_until_ms or 0)

    def ends(self) -> set[int | None]:
        """Give the moments the alert was said to be over, however often it was said."""
        return {alert.resolved_at_ms for _, alert in self.heard if alert.state is INACTIVE}


@dataclass(slots=True)
class Host:
    """One group with one rule over several lives of its process, a step each 15 s; `memory` is what lies on disk."""

    rule: AlertingRule
    receiver: Receiver = field(default_factory=Receiver)
    memory: GroupMemory | None = None
    states: dict[int, AlertState] = field(default_factory=dict)
    stage: Stage = field(init=False)

    def __post_init__(self) -> None:
        self.stage = Stage.of(self.rule)

    def restart(self, step: int) -> None:
        """Begin a new life with an empty history shortly before *step*."""
        now_ms = step * STEP_MS - STEP_MS // 3
        self.stage = Stage.of(self.rule)
        if self.memory is not None:
            self.stage.engine.resume(
                self.memory.alerts, seen_at_ms=self.memory.seen_at_ms, now_ms=now_ms, hold_ms=HOLD_MS
            )
        self._tell(now_ms)

    def run(self, first: int, end: int, condition: Condition) -> None:
        """Evaluate at the steps from *first* up to *end*, excluded."""
        for step in range(first, end):
            holds = condition(step)
            series = {} if holds is None else {"a": 2.0 if holds else 0.0}
            self.stage.at(step / STEPS_PER_MINUTE, **series)
            self.memory = self.stage.engine.memory()
            self._tell(step * STEP_MS)
            for alert in self.stage.alerts():
                self.states[step] = alert.state

    def _tell(self, now_ms: int) -> None:
        due = self.stage.engine.take_due(now_ms, resend_delay_ms=RESEND_MS, interval_ms=STEP_MS)
        self.receiver.heard += [(now_ms, alert) for _, alert in due]


RULES = st.builds(
    lambda for_steps, keep_steps: alerting(
        "A", "m > 1", for_minutes=for_steps / STEPS_PER_MINUTE, keep_minutes=keep_steps / STEPS_PER_MINUTE
    ),
    st.sampled_from([0, 1, 5, 39, 40, 41, 60]),
    st.sampled_from([0, 3]),
)
# Each life and the outage after it, in steps.
LIVES = st.lists(st.tuples(st.integers(1, 70), st.integers(1, TOLERATED_STEPS - 1)), min_size=1, max_size=3)


def cuts_of(lives: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Give the first step without evaluation and the first with one again, of each outage."""
    cuts, step = [], 0
    for life, outage in lives:
        cuts.append((step + life, step + life + outage))
        step += life + outage
    return cuts


def lived(rule: AlertingRule, cuts: list[tuple[int, int]], condition: Condition, *, end: int) -> Host:
    """Give a host that was killed at each of *cuts* and evaluated up to *end*."""
    host, first = Host(rule), 0
    for killed, back in cuts:
        host.run(first, killed, condition)
        host.restart(back)
        first = back
    host.run(first, end, condition)
    return host


@settings(max_examples=150)
@given(RULES, LIVES, st.integers(0, HOLD_STEPS - 1))
def test_what_holds_throughout_is_never_said_to_be_over(
    rule: AlertingRule, lives: list[tuple[int, int]], blind: int
) -> None:
    cuts = cuts_of(lives)
    backs = [back for _, back in cuts]

    def condition(step: int) -> bool | None:
        return None if any(back <= step < back + blind for back in backs) else True

    host = lived(rule, cuts, condition, end=backs[-1] + 100)
    assert host.receiver.ends() == set()
    fired = [step for step, state in host.states.items() if state is FIRING]
    assert fired, "it fires in the end"
    ends = [killed for killed, _ in cuts[1:]] + [backs[-1] + 100]
    for (killed, back), end in zip(cuts, ends, strict=True):
        if fired[0] >= killed:
            continue
        resumed_ms = back * STEP_MS - STEP_MS // 3
        heard = [moment_ms for moment_ms, _ in host.receiver.heard]
        assert resumed_ms in heard, "it is sent again at once"
        last = [alert for moment_ms, alert in host.receiver.heard if moment_ms < resumed_ms][-1]
        if resumed_ms < (last.valid_until_ms or 0):
            assert all(host.receiver.is_firing(step * STEP_MS) for step in range(killed, end))
    moments = {(alert.active_at_ms, alert.fired_at_ms) for _, alert in host.receiver.heard}
    assert len(moments) == 1, "it stays the same alert"


@settings(max_examples=150)
@given(RULES, st.integers(1, 70), st.integers(1, TOLERATED_STEPS - 1))
def test_what_ended_during_the_outage_is_over_once_and_not_before_its_hold(
    rule: AlertingRule, life: int, outage: int
) -> None:
    back = life + outage
    host = lived(rule, [(life, back)], lambda step: step < life, end=back + HOLD_STEPS + 100)
    ends = host.receiver.ends()
    if host.states[life - 1] is FIRING:
        (end_ms,) = ends
        assert end_ms is not None
        held_until_ms = back * STEP_MS - STEP_MS // 3 + HOLD_MS
        assert held_until_ms <= end_ms < held_until_ms + STEP_MS + rule.keep_firing_for_ms
        assert not any(alert.state is FIRING for moment_ms, alert in host.receiver.heard if moment_ms >= end_ms)
    else:
        assert host.receiver.heard == []
        assert host.stage.alerts() == []


@settings(max_examples=200)
@given(RULES, LIVES, st.lists(st.sampled_from([True, True, True, False]), min_size=1, max_size=40))
def test_nothing_fires_that_would_not_fire_had_the_condition_held_while_nobody_knew(
    rule: AlertingRule, lives: list[tuple[int, int]], pattern: list[bool]
) -> None:
    cuts = cuts_of(lives)
    end = cuts[-1][1] + 150

    def condition(step: int) -> bool:
        return pattern[step // 3 % len(pattern)]

    def unbroken(step: int) -> bool:
        return condition(step) or any(killed <= step < back + HOLD_STEPS for killed, back in cuts)

    host = lived(rule, cuts, condition, end=end)
    other = Host(rule)
    other.run(0, end, unbroken)
    fires = {step for step, state in host.states.items() if state is FIRING}
    assert fires <= {step for step, state in other.states.items() if state is FIRING}


@pytest.mark.parametrize("outage", [1, 3, 7, 10])
@pytest.mark.parametrize("killed", range(1, 24))
def test_killed_at_any_step_a_short_alert_is_held_firing_by_its_receivers(killed: int, outage: int) -> None:
    rule = alerting("A", "m > 1", for_minutes=1)
    back = killed + outage
    host = lived(rule, [(killed, back)], lambda step: None if back <= step < back + 5 else True, end=back + 40)
    first = next(moment_ms for moment_ms, _ in host.receiver.heard) // STEP_MS
    assert all(host.receiver.is_firing(step * STEP_MS) for step in range(first, back + 40))


def killed_after(stage: Stage, minutes: float) -> Stage:
    """Give a stage of the same rules with an empty history that resumes what *stage* was, *minutes* later."""
    memory = stage.engine.memory()
    assert memory is not None
    after = Stage.of(*stage.engine.group.rules)
    now_ms = memory.seen_at_ms + int(minutes * MINUTE_MS)
    after.engine.resume(memory.alerts, seen_at_ms=memory.seen_at_ms, now_ms=now_ms, hold_ms=2 * MINUTE_MS)
    return after


def due(stage: Stage, minute: float) -> list[AlertState]:
    taken = stage.engine.take_due(int(minute * MINUTE_MS), resend_delay_ms=RESEND_MS, interval_ms=STEP_MS)
    return [alert.state for _, alert in taken]


def test_a_found_alert_is_held_no_longer() -> None:
    stage = killed_after(Stage.of(alerting("A", "m > 1")).at(0, a=2.0), 3)
    assert stage.at(3).at(3.25, a=2.0).states() == {"a": FIRING}
    assert stage.at(3.5, a=0.0).states() == {"a": INACTIVE}


def test_alerts_is_written_for_what_is_held() -> None:
    stage = killed_after(Stage.of(alerting("A", "m > 1")).at(1, a=2.0), 3).at(4)
    firing = labels(name="ALERTS", alertname="A", alertstate="firing", case="a")
    assert stage.query("ALERTS", 4) == {firing: 1.0}
    assert stage.query("ALERTS_FOR_STATE", 4) == {labels(name="ALERTS_FOR_STATE", alertname="A", case="a"): 60.0}
    assert stage.at(6).ended(firing)


def test_value_and_annotations_of_what_is_held_are_those_of_before() -> None:
    stage = killed_after(Stage.of(alerting("A", "m > 1", notes={"n": "{{ $value }}"})).at(0, a=2.5), 3).at(3)
    assert [(alert.value, alert.annotations) for alert in stage.alerts()] == [(2.5, (("n", "2.5"),))]


@pytest.mark.parametrize("down", [1, 20])
def test_what_was_over_is_told_again_even_when_its_retention_passed_meanwhile(down: int) -> None:
    stage = killed_after(Stage.of(alerting("A", "m > 1")).at(0, a=2.0).at(1, a=0.0), down)
    stage.at(1 + down, a=0.0)
    assert due(stage, 1 + down) == [INACTIVE]
    assert stage.alerts()[0].resolved_at_ms == MINUTE_MS
    assert stage.at(1 + down + 16, a=0.0).alerts() == []


def test_what_was_over_and_is_there_again_is_a_new_alert() -> None:
    stage = killed_after(Stage.of(alerting("A", "m > 1", for_minutes=1)).at(0, a=2.0).at(1, a=2.0).at(2, a=0.0), 1)
    alert = stage.at(3, a=2.0).alerts()[0]
    assert (alert.state, alert.active_at_ms, alert.hold) == (PENDING, 3 * MINUTE_MS, None)


@pytest.mark.parametrize("minutes", [60.1, -60.1])
def test_an_outage_beyond_the_tolerance_resumes_nothing(minutes: float) -> None:
    assert killed_after(Stage.of(alerting("A", "m > 1")).at(100, a=2.0), minutes).alerts() == []


def test_a_clock_set_back_leaves_no_moment_in_the_future() -> None:
    (alert,) = killed_after(Stage.of(alerting("A", "m > 1")).at(100, a=2.0), -30).alerts()
    assert (alert.state, alert.active_at_ms, alert.fired_at_ms) == (FIRING, 70 * MINUTE_MS, 70 * MINUTE_MS)


def test_alerts_of_rules_that_are_gone_are_dropped_and_the_others_go_on() -> None:
    rules = [alerting("A", "m > 1", texts={"severity": severity}) for severity in ("info", "critical")]
    memory = Stage.of(*rules).at(0, a=2.0).engine.memory()
    assert memory is not None
    engine = GroupEngine(RuleGroup("g", "f.yml", (recording("r", "m"), rules[1])))
    engine.resume(memory.alerts, seen_at_ms=0, now_ms=MINUTE_MS, hold_ms=HOLD_MS)
    assert [dict(alert.labels)["severity"] for _, alert in engine.alerts()] == ["critical"]


def test_rules_that_share_name_and_labels_keep_their_own_alerts() -> None:
    stage = Stage.of(alerting("A", "m > 3"), alerting("A", "m > 1")).at(0, a=2.0)
    assert [list(state.alerts) for state in killed_after(stage, 1).engine._states] == [
        [],
        [labels(alertname="A", case="a")],
    ]


def test_an_identity_tells_kind_name_and_label_texts_apart_and_nothing_else() -> None:
    rules: list[Rule] = [
        alerting("A", "m", texts={"b": "c"}),
        alerting("A b='c'", "m"),
        alerting("A", "m", texts={"b": "c d='e'"}),
        alerting("A", "m", texts={"b": "c", "d": "e"}),
        recording("A", "m", b="c"),
        alerting("A", "other", for_minutes=5, texts={"b": "c"}, notes={"x": "y"}),
        alerting("\u00e4\ud800", "m"),
    ]
    assert identities(rules) == (
        "alert 'A' b='c'",
        "alert \"A b='c'\"",
        "alert 'A' b=\"c d='e'\"",
        "alert 'A' b='c' d='e'",
        "record 'A' b='c'",
        "alert 'A' b='c' #2",
        "alert '\\xe4\\ud800'",
    )


def test_until_it_evaluates_a_group_remembers_what_it_resumed() -> None:
    before = Stage.of(alerting("A", "m > 1", for_minutes=20)).at(0, a=2.0)
    assert Stage.of(alerting("A", "m > 1")).engine.memory() is None
    memory = before.engine.memory()
    stage = killed_after(before, 3)
    assert stage.engine.memory() == memory
    renewed = GroupEngine(stage.engine.group)
    renewed.adopt(stage.engine)
    assert renewed.memory() == memory
    after = stage.at(3.5).engine.memory()
    assert after is not None
    # Not found, so what it pended before the kill is all it pended.
    assert [after.seen_at_ms - one.alert.active_at_ms for one in after.alerts] == [0]
    assert after.seen_at_ms == 3.5 * MINUTE_MS


def test_a_reload_keeps_the_hold() -> None:
    stage = killed_after(Stage.of(alerting("A", "m > 1")).at(0, a=2.0), 3)
    engine = GroupEngine(stage.engine.group)
    engine.adopt(stage.engine)
    assert Stage(engine).at(3.5).states() == {"a": FIRING}
    assert Stage(engine).at(5).states() == {"a": INACTIVE}


def test_what_is_kept_says_nothing_of_sending() -> None:
    stage = Stage.of(alerting("A", "m > 1")).at(0, a=2.0)
    unsent = stage.engine.keep()
    assert due(stage, 0) == [FIRING]
    assert stage.engine.keep() == unsent
    assert [one.alert.state for one in stage.at(1, a=0.0).engine.keep()] == [INACTIVE]


def test_memories_in_a_row_differ_only_where_the_alert_does() -> None:
    stage = Stage.of(alerting("A", "m > 1", for_minutes=1)).at(0, a=2.0)
    kept = [stage.engine.keep()]
    kept += [stage.at(minute, a=2.0).engine.keep() for minute in (0.5, 1, 1.5)]
    assert [before == after for before, after in pairwise(kept)] == [True, False, True]
