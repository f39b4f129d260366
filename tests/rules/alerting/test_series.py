"""What rules write: recorded series, ALERTS and ALERTS_FOR_STATE, and where each of them ends."""

from collections.abc import Iterable, Sequence

from tests.rules.alerting.stage import MINUTE_MS, Stage, alerting, labels, recording
from wattledger.agent.rulefiles.memory_storage import MemoryStorage
from wattledger.rules.alerting import GroupEngine, Refusal, RuleGroup, Schedule
from wattledger.rules.promql.matcher import Matcher
from wattledger.rules.promql.model import Series

ALERTS_PENDING = labels(name="ALERTS", alertname="A", alertstate="pending", case="a")
ALERTS_FIRING = labels(name="ALERTS", alertname="A", alertstate="firing", case="a")
FOR_STATE = labels(name="ALERTS_FOR_STATE", alertname="A", case="a")


def test_a_rule_sees_what_the_rules_before_it_wrote_and_not_those_after() -> None:
    stage = Stage.of(recording("late", "early + 1"), recording("early", "m + 1"), recording("after", "early + 1"))
    stage.at(0, a=1.0)
    assert stage.query("late", 0) == {}
    assert stage.query("after", 0) == {labels(name="after", case="a"): 3.0}
    assert stage.at(1, a=2.0).query("late", 1) == {labels(name="late", case="a"): 3.0}


def test_labels_of_a_rule_override_and_empty_ones_remove() -> None:
    stage = Stage.of(recording("r", "m", case="", x="y")).at(0, a=1.0)
    assert stage.query("r", 0) == {labels(name="r", x="y"): 1.0}


def test_a_scalar_is_recorded_without_labels() -> None:
    assert Stage.of(recording("r", "1 + 1")).at(0).query("r", 0) == {labels(name="r"): 2.0}


def test_a_recorded_series_ends_when_the_result_has_it_no_more() -> None:
    stage = Stage.of(recording("r", "m > 1")).at(0, a=2.0, b=2.0).at(1, a=2.0, b=0.0)
    assert not stage.ended(labels(name="r", case="a"))
    assert stage.ended(labels(name="r", case="b"))


def test_a_series_that_another_rule_goes_on_writing_does_not_end() -> None:
    stage = Stage.of(recording("r", "m < 1"), recording("r", "m >= 1")).at(0, a=2.0).at(1, a=0.0)
    assert stage.query("r", 1) == {labels(name="r", case="a"): 0.0}
    assert stage.engine.errors() == ()


def test_alerts_changes_its_state_and_the_old_one_ends() -> None:
    stage = Stage.of(alerting("A", "m > 1", for_minutes=1)).at(0, a=2.0)
    assert stage.query("ALERTS", 0) == {ALERTS_PENDING: 1.0}
    stage.at(1, a=2.0)
    assert stage.query("ALERTS", 1) == {ALERTS_FIRING: 1.0}
    assert stage.ended(ALERTS_PENDING)
    stage.at(2, a=0.0)
    assert stage.query("ALERTS", 2) == {}
    assert stage.ended(ALERTS_FIRING)
    assert stage.ended(FOR_STATE)


def test_alerts_for_state_says_since_when_in_seconds() -> None:
    stage = Stage.of(alerting("A", "m > 1")).at(7, a=2.0).at(9, a=2.0)
    assert stage.query("ALERTS_FOR_STATE", 9) == {FOR_STATE: 420.0}


class Broken(MemoryStorage):
    """A storage with a defect that one metric meets."""

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Iterable[Series]:
        if any(matcher.value == "broken" for matcher in matchers):
            raise ZeroDivisionError("division by zero")
        return super().select(matchers, start_ms, end_ms)


def test_a_defect_that_one_rule_meets_does_not_end_the_others() -> None:
    stage = Stage.of(recording("r", "broken"), alerting("A", "broken > 1"), recording("s", "m"))
    stage.storage = Broken()
    stage.at(0, a=1.0)
    assert [error for _, error in stage.engine.errors()] == 2 * [
        "unexpected error: ZeroDivisionError('division by zero')"
    ]
    assert stage.query("s", 0) == {labels(name="s", case="a"): 1.0}


def test_a_failing_rule_leaves_its_series_and_the_others_go_on() -> None:
    stage = Stage.of(recording("r", "m", case="one"), recording("s", "m")).at(0, a=1.0)
    outcomes = stage.at(1, b=1.0).engine.evaluate(stage.storage, 2 * MINUTE_MS)
    assert outcomes[0].error == "vector contains metrics with the same labelset after applying rule labels"
    assert outcomes[1].samples == 2
    assert not stage.ended(labels(name="r", case="one"))


def test_more_series_than_the_limit_fail_a_recording_rule() -> None:
    stage = Stage.of(recording("r", "m"), limit=1).at(0, a=1.0, b=1.0)
    assert stage.engine.errors()[0][1] == "exceeded limit of 1 with 2 series"
    assert stage.query("r", 0) == {}


def test_an_expression_that_cannot_be_evaluated_fails_its_rule() -> None:
    stage = Stage.of(recording("r", "m + on() m")).at(0, a=1.0, b=1.0)
    assert stage.engine.errors()


def test_a_sample_that_the_storage_refuses_is_the_rules_error() -> None:
    stage = Stage.of(recording("r", "m"))
    stage.storage.append(labels(name="r", case="a"), 0, 9.0)
    stage.at(0, a=1.0)
    assert stage.engine.errors()[0][1] == Refusal.DUPLICATE.value


def test_a_query_offset_looks_back_and_writes_back_while_alerts_keep_their_time() -> None:
    stage = Stage.of(recording("r", "m"), alerting("A", "m > 1"), offset_ms=MINUTE_MS).at(0, a=2.0).at(1, a=5.0)
    last = stage.last(labels(name="r", case="a"))
    assert last is not None
    assert (last.timestamp_ms, last.value) == (0, 2.0)
    assert stage.alerts()[0].active_at_ms == MINUTE_MS


def test_a_reload_keeps_what_both_files_have_and_ends_the_rest() -> None:
    old = Stage.of(alerting("A", "m > 1", for_minutes=5), recording("gone", "m")).at(0, a=2.0)
    group = RuleGroup("g", "f.yml", (recording("new", "m"), alerting("A", "m > 1.5", for_minutes=5)))
    engine = GroupEngine(group)
    engine.adopt(old.engine)
    stage = Stage(engine, old.storage).at(5, a=2.0)
    assert stage.query("ALERTS", 5) == {ALERTS_FIRING: 1.0}
    assert stage.ended(labels(name="gone", case="a"))
    assert stage.ended(ALERTS_PENDING)


def test_a_group_that_is_gone_ends_all_its_series() -> None:
    stage = Stage.of(alerting("A", "m > 1"), recording("r", "m")).at(0, a=2.0)
    stage.engine.end(stage.storage, MINUTE_MS)
    assert stage.ended(ALERTS_FIRING)
    assert stage.ended(FOR_STATE)
    assert stage.ended(labels(name="r", case="a"))


def test_missed_evaluations_are_counted() -> None:
    stage = Stage.of(recording("r", "m"))
    stage.engine.evaluate(stage.storage, 0)
    stage.engine.evaluate(stage.storage, MINUTE_MS, missed=3)
    assert (stage.engine.evaluations, stage.engine.missed) == (2, 3)


def test_a_schedule_keeps_its_moments_and_says_how_many_went_by() -> None:
    schedule = Schedule.of_group("f.yml", "g", 15_000)
    assert schedule == Schedule.of_group("f.yml", "g", 15_000)
    start_ms = schedule.latest_ms(1_000_000_007)
    assert 0 <= 1_000_000_007 - start_ms < 15_000
    assert schedule.due(start_ms, start_ms + 14_999) is None
    first = schedule.due(start_ms, start_ms + 15_000)
    assert first is not None
    assert (first.at_ms, first.missed) == (start_ms + 15_000, 0)
    late = schedule.due(start_ms, start_ms + 59_000)
    assert late is not None
    assert (late.at_ms, late.missed) == (start_ms + 45_000, 2)
    assert schedule.due(start_ms, start_ms - 100_000) is None


def test_the_end_of_a_series_is_marked_once() -> None:
    stage = Stage.of(recording("r", "m > 1"), alerting("A", "m > 1")).at(0, a=2.0).at(1, a=0.0).at(2, a=0.0)
    for series in (labels(name="r", case="a"), ALERTS_FIRING, FOR_STATE):
        last = stage.last(series)
        assert last is not None
        assert last.timestamp_ms == MINUTE_MS
