"""The life of an alert: pending, firing, kept, resolved, forgotten; each sentence is one of Prometheus's."""

from tests.rules.alerting.stage import MINUTE_MS, Stage, alerting, labels, recording
from wattledger.rules.alerting import AlertState

PENDING, FIRING, INACTIVE = AlertState.PENDING, AlertState.FIRING, AlertState.INACTIVE


def test_without_for_an_alert_fires_at_once() -> None:
    assert Stage.of(alerting("A", "m > 1")).at(0, a=2.0).states() == {"a": FIRING}


def test_an_alert_is_pending_until_its_for_has_passed() -> None:
    stage = Stage.of(alerting("A", "m > 1", for_minutes=2))
    assert stage.at(0, a=2.0).states() == {"a": PENDING}
    assert stage.at(1, a=2.0).states() == {"a": PENDING}
    assert stage.at(2, a=2.0).states() == {"a": FIRING}
    assert stage.alerts()[0].active_at_ms == 0
    assert stage.alerts()[0].fired_at_ms == 2 * MINUTE_MS


def test_an_interruption_starts_the_for_anew() -> None:
    stage = Stage.of(alerting("A", "m > 1", for_minutes=2)).at(0, a=2.0).at(1, a=0.0)
    assert stage.states() == {}
    assert stage.at(2, a=2.0).at(3, a=2.0).states() == {"a": PENDING}
    assert stage.at(4, a=2.0).states() == {"a": FIRING}


def test_what_fired_and_is_over_is_kept_15_minutes_to_be_reported() -> None:
    stage = Stage.of(alerting("A", "m > 1")).at(0, a=2.0).at(1, a=0.0)
    assert stage.states() == {"a": INACTIVE}
    assert stage.alerts()[0].resolved_at_ms == MINUTE_MS
    assert stage.at(16, a=0.0).states() == {"a": INACTIVE}
    assert stage.at(16.1, a=0.0).states() == {}


def test_an_alert_that_comes_back_is_a_new_one() -> None:
    stage = Stage.of(alerting("A", "m > 1", for_minutes=1)).at(0, a=2.0).at(1, a=2.0).at(2, a=0.0).at(3, a=3.0)
    alert = stage.alerts()[0]
    assert (alert.state, alert.active_at_ms, alert.resolved_at_ms) == (PENDING, 3 * MINUTE_MS, None)


def test_keep_firing_for_bridges_a_gap_and_ends_after_its_time() -> None:
    stage = Stage.of(alerting("A", "m > 1", keep_minutes=2)).at(0, a=2.0).at(1, a=0.0)
    assert stage.states() == {"a": FIRING}
    assert stage.at(2, a=2.0).at(3, a=0.0).at(4, a=0.0).states() == {"a": FIRING}
    assert stage.at(5, a=0.0).states() == {"a": INACTIVE}


def test_a_pending_alert_is_not_kept() -> None:
    stage = Stage.of(alerting("A", "m > 1", for_minutes=5, keep_minutes=5)).at(0, a=2.0).at(1, a=0.0)
    assert stage.states() == {}


def test_value_and_annotations_are_those_of_the_last_evaluation_and_labels_expand() -> None:
    rule = alerting("A", "m > 1", texts={"who": "{{ $labels.case }}!"}, notes={"n": "{{ $value }}"})
    stage = Stage.of(rule).at(0, a=2.0).at(1, a=3.5)
    alert = stage.alerts()[0]
    assert alert.labels == labels(alertname="A", case="a", who="a!")
    assert (alert.annotations, alert.value) == ((("n", "3.5"),), 3.5)


def test_a_text_that_fails_says_so_in_its_place_and_the_alert_fires_all_the_same() -> None:
    stage = Stage.of(alerting("A", "m > 1", notes={"bad": "{{ gt $value 1 }}", "good": "x"}))
    outcome = stage.at(0, a=2.0).engine.evaluate(stage.storage, MINUTE_MS)[0]
    annotations = dict(stage.alerts()[0].annotations)
    assert annotations["bad"].startswith("<error expanding template: gt cannot compare float64 with int")
    assert annotations["good"] == "x"
    assert outcome.error is None
    assert outcome.text_failures[0].startswith("bad: gt cannot")


def test_a_template_may_ask_for_what_a_rule_before_it_recorded() -> None:
    text = '{{ with query "sum(r)" }}{{ . | first | value }}{{ end }}{{ range query "nope" }}x{{ end }}'
    stage = Stage.of(recording("r", "m * 10"), alerting("A", "m > 1", notes={"sum": text})).at(0, a=2.0, b=1.0)
    assert stage.alerts()[0].annotations == (("sum", "30"),)


def test_alerts_of_the_same_labels_fail_the_rule_and_leave_its_alerts() -> None:
    stage = Stage.of(alerting("A", "m > 1", texts={"case": "one"})).at(0, a=2.0)
    outcome = stage.at(1, b=2.0).engine.evaluate(stage.storage, 2 * MINUTE_MS)[0]
    assert outcome.error == "vector contains metrics with the same labelset after applying alert labels"
    assert stage.states() == {"one": FIRING}


def test_more_alerts_than_the_limit_fail_the_rule_and_drop_all() -> None:
    stage = Stage.of(alerting("A", "m > 1"), limit=1).at(0, a=2.0)
    assert stage.states() == {"a": FIRING}
    assert stage.at(1, a=2.0, b=2.0).states() == {}
    assert stage.engine.errors()[0][1] == "exceeded limit of 1 with 2 alerts"
    assert stage.engine.failures == 1


def test_an_alert_is_due_when_it_fires_again_after_the_delay_and_when_it_is_over() -> None:
    stage = Stage.of(alerting("A", "m > 1", for_minutes=1)).at(0, a=2.0)
    assert due(stage, 0) == []
    assert due(stage.at(1, a=2.0), 1) == [FIRING]
    assert stage.alerts()[0].valid_until_ms == 5 * MINUTE_MS
    assert due(stage.at(1.5, a=2.0), 1.5) == []
    assert due(stage.at(2, a=2.0), 2) == []  # not before the delay has passed
    assert due(stage.at(2.1, a=2.0), 2.1) == [FIRING]
    assert due(stage.at(2.2, a=0.0), 2.2) == [INACTIVE]
    assert due(stage.at(2.5, a=0.0), 2.5) == []
    assert due(stage.at(3.5, a=0.0), 3.5) == [INACTIVE]


def due(stage: Stage, minute: float) -> list[AlertState]:
    taken = stage.engine.take_due(int(minute * MINUTE_MS), resend_delay_ms=MINUTE_MS, interval_ms=MINUTE_MS // 2)
    return [alert.state for _, alert in taken]
