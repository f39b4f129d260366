"""After a restart: how long an alert was pending before is carried over, as Prometheus carries it over."""

import pytest

from tests.rules.alerting.stage import MINUTE_MS, Stage, alerting, labels
from wattledger.rules.alerting import AlertState, SavedAlert

ALERT = labels(alertname="A", case="a")
DOWN_MINUTE = 1000.0


def restarted(
    *, for_minutes: float, pended_minutes: float, down_minutes: float, saved: SavedAlert | None = None
) -> Stage:
    """Give a stage after two evaluations and the restore that follows the second."""
    stage = Stage.of(alerting("A", "m > 1", for_minutes=for_minutes), awaits_restore=True)
    up = DOWN_MINUTE + down_minutes
    ready = [stage.at(minute, a=2.0).engine.ready_to_restore for minute in (up - 1, up)]
    assert ready == [False, True]
    assert stage.query("ALERTS", up) == {}
    kept = saved or SavedAlert(ALERT, int((DOWN_MINUTE - pended_minutes) * MINUTE_MS), int(DOWN_MINUTE * MINUTE_MS))
    stage.engine.restore([kept], int(up * MINUTE_MS))
    return stage


def active_minute(stage: Stage) -> float:
    return stage.alerts()[0].active_at_ms / MINUTE_MS


@pytest.mark.parametrize(
    ("for_minutes", "pended_minutes", "down_minutes", "active_at"),
    [
        (30, 40, 5, DOWN_MINUTE - 40),  # it was firing: it fires again
        (30, 30, 5, DOWN_MINUTE - 30),
        (30, 25, 5, DOWN_MINUTE + 5 + 10 - 30),  # less than the grace period was left: the grace period is
        (30, 20, 5, DOWN_MINUTE - 20 + 5),  # the outage does not count
        (30, 5, 59, DOWN_MINUTE - 5 + 59),
        (30, 40, 61, DOWN_MINUTE + 60),  # longer than the tolerance: nothing is restored
        (9, 40, 5, DOWN_MINUTE + 4),  # a `for` shorter than the grace period starts anew
        (10, 40, 5, DOWN_MINUTE - 40),
    ],
)
def test_pending_time_is_carried_over(
    for_minutes: float, pended_minutes: float, down_minutes: float, active_at: float
) -> None:
    stage = restarted(for_minutes=for_minutes, pended_minutes=pended_minutes, down_minutes=down_minutes)
    assert active_minute(stage) == active_at


def test_an_alert_that_was_firing_fires_at_the_next_evaluation() -> None:
    stage = restarted(for_minutes=30, pended_minutes=40, down_minutes=5).at(DOWN_MINUTE + 6, a=2.0)
    assert stage.states() == {"a": AlertState.FIRING}
    assert len(stage.query("ALERTS", DOWN_MINUTE + 6)) == 1


def test_alerts_of_other_labels_or_rules_are_not_touched() -> None:
    other = SavedAlert(labels(alertname="A", case="b"), 0, int(DOWN_MINUTE * MINUTE_MS))
    stage = restarted(for_minutes=30, pended_minutes=0, down_minutes=5, saved=other)
    assert active_minute(stage) == DOWN_MINUTE + 4


def test_what_is_saved_is_what_is_active() -> None:
    stage = Stage.of(alerting("A", "m > 1", for_minutes=1))
    assert stage.engine.save() == ()
    stage.at(0, a=2.0, b=2.0, c=2.0).at(1, a=2.0, b=2.0, c=0.0).at(2, a=2.0, b=0.0, c=0.0)
    assert stage.engine.save() == (SavedAlert(ALERT, 0, 2 * MINUTE_MS),)


def test_save_and_restore_go_together() -> None:
    before = Stage.of(alerting("A", "m > 1", for_minutes=30)).at(0, a=2.0).at(20, a=2.0)
    after = Stage.of(alerting("A", "m > 1", for_minutes=30), awaits_restore=True).at(24, a=2.0).at(25, a=2.0)
    after.engine.restore(before.engine.save(), 25 * MINUTE_MS)
    assert after.alerts()[0].active_at_ms == 5 * MINUTE_MS
    assert after.at(34.9, a=2.0).states() == {"a": AlertState.PENDING}
    assert after.at(35, a=2.0).states() == {"a": AlertState.FIRING}
