"""After a restart: how long an alert was pending before is carried over, as Prometheus carries it over."""

import pytest

from tests.rules.alerting.stage import MINUTE_MS, Stage, alerting, labels
from wattledger.rules.alerting import Alert, AlertState, GroupMemory, KeptAlert
from wattledger.rules.alerting.identity import identities

DOWN_MINUTE = 1000.0
HOLD_MINUTES = 2.0


def memory_of(state: AlertState, *, pended_minutes: float, case: str = "a") -> GroupMemory:
    """Give an alert that was in *state* when the process was killed, active for *pended_minutes*."""
    seen_at_ms = int(DOWN_MINUTE * MINUTE_MS)
    fired_at_ms = seen_at_ms if state is AlertState.FIRING else None
    active_at_ms = int((DOWN_MINUTE - pended_minutes) * MINUTE_MS)
    alert = Alert(labels(alertname="A", case=case), (), 2.0, state, active_at_ms, fired_at_ms)
    return GroupMemory(seen_at_ms, (KeptAlert(identities([alerting("A", "m > 1")])[0], alert),))


def restarted(memory: GroupMemory, *, for_minutes: float, down_minutes: float) -> Stage:
    """Give a stage that resumed *memory* after *down_minutes* and has evaluated nothing yet."""
    stage = Stage.of(alerting("A", "m > 1", for_minutes=for_minutes))
    stage.engine.resume(
        memory.alerts,
        seen_at_ms=memory.seen_at_ms,
        now_ms=int((DOWN_MINUTE + down_minutes) * MINUTE_MS),
        hold_ms=int(HOLD_MINUTES * MINUTE_MS),
    )
    return stage


@pytest.mark.parametrize("late_minutes", [0, 1])
@pytest.mark.parametrize(
    ("for_minutes", "pended_minutes", "down_minutes", "active_at"),
    [
        (30, 25, 5, DOWN_MINUTE + 5 + 10 - 30),  # less than the grace period was left: the grace period is
        (30, 20, 5, DOWN_MINUTE - 20 + 5),  # the outage does not count
        (30, 5, 59, DOWN_MINUTE - 5 + 59),
        (30, 25, 61, DOWN_MINUTE + 61),  # longer than the tolerance: nothing is restored
        (9, 8, 5, DOWN_MINUTE + 5),  # a `for` shorter than the grace period starts anew
        (10, 8, 5, DOWN_MINUTE + 5),
        (30, 20, -5, DOWN_MINUTE - 20 - 5),  # the clock was set back
        (30, 20, -61, DOWN_MINUTE - 61),
    ],
)
def test_pending_time_is_carried_over_to_when_the_alert_is_found(
    for_minutes: float, pended_minutes: float, down_minutes: float, active_at: float, late_minutes: float
) -> None:
    memory = memory_of(AlertState.PENDING, pended_minutes=pended_minutes)
    stage = restarted(memory, for_minutes=for_minutes, down_minutes=down_minutes)
    up = DOWN_MINUTE + down_minutes
    if late_minutes:
        stage.at(up)  # finds nothing
    stage.at(up + late_minutes, a=2.0)
    assert stage.alerts()[0].active_at_ms / MINUTE_MS == active_at + late_minutes


def test_a_for_that_is_shorter_than_what_was_pended_fires_when_the_alert_is_found() -> None:
    stage = restarted(memory_of(AlertState.PENDING, pended_minutes=40), for_minutes=30, down_minutes=5)
    assert stage.at(DOWN_MINUTE + 5).states() == {"a": AlertState.PENDING}
    assert stage.at(DOWN_MINUTE + 6, a=2.0).states() == {"a": AlertState.FIRING}


def test_a_pending_alert_does_not_fire_while_it_is_not_found_and_goes_after_its_hold() -> None:
    stage = restarted(memory_of(AlertState.PENDING, pended_minutes=40), for_minutes=30, down_minutes=5)
    up = DOWN_MINUTE + 5
    assert stage.at(up).at(up + HOLD_MINUTES - 0.1).states() == {"a": AlertState.PENDING}
    assert stage.at(up + HOLD_MINUTES).states() == {}


def test_alerts_of_other_labels_are_not_touched() -> None:
    memory = memory_of(AlertState.PENDING, pended_minutes=20, case="b")
    stage = restarted(memory, for_minutes=30, down_minutes=5).at(DOWN_MINUTE + 5, a=2.0)
    assert {dict(alert.labels)["case"]: alert.active_at_ms / MINUTE_MS for alert in stage.alerts()} == {
        "a": DOWN_MINUTE + 5,
        "b": DOWN_MINUTE - 15,
    }


def test_what_is_kept_goes_on_where_it_was() -> None:
    before = Stage.of(alerting("A", "m > 1", for_minutes=30)).at(0, a=2.0).at(20, a=2.0)
    after = Stage.of(alerting("A", "m > 1", for_minutes=30))
    memory = before.engine.memory()
    assert memory is not None
    after.engine.resume(memory.alerts, seen_at_ms=memory.seen_at_ms, now_ms=24 * MINUTE_MS, hold_ms=2 * MINUTE_MS)
    after.at(24).at(25, a=2.0)
    assert after.alerts()[0].active_at_ms == 5 * MINUTE_MS
    assert after.at(34.9, a=2.0).states() == {"a": AlertState.PENDING}
    assert after.at(35, a=2.0).states() == {"a": AlertState.FIRING}
