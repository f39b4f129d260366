"""When a provider is asked again, and for which time: a fleet does not come at once, and a failing one is spared."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.agent.fake_clock import FakeClock
from tests.agent.feeds.scripted_provider import MINUTE_NS, PACE, hour
from wattledger.agent.feeds.base import FeedError, Pace, Trouble
from wattledger.agent.feeds.breaker import Breakers, Pause
from wattledger.agent.feeds.schedule import Chance, Schedule
from wattledger.rules.feeds.model import PointKind
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND

_CERTAIN = 1 - 2**-32


class Calendar:
    """A schedule with its clock."""

    def __init__(self, chance: Chance = lambda: 0.0, pace: Pace = PACE) -> None:
        self.clock = FakeClock()
        self.schedule = Schedule(pace, self.clock.now(), chance)

    def wait_seconds(self) -> float:
        """Give in how long it is due."""
        return (self.schedule.due_mono_ns - self.clock.mono_ns) / NS_PER_SECOND

    def fail(self, trouble: Trouble = Trouble.TIMEOUT, retry_after_s: int | None = None) -> float:
        """Fail; give how long it waits then."""
        pause_ns = None if retry_after_s is None else retry_after_s * NS_PER_SECOND
        self.schedule.failed(self.clock.now(), FeedError(trouble, "", retry_after_ns=pause_ns))
        return self.wait_seconds()

    def succeed(self, *ends_before_now_hours: int, kind: PointKind = PointKind.ACTUAL) -> float:
        """Succeed with hours that end so long before now; give how long it waits then."""
        now = self.clock.now()
        points = [hour(now.wall_ns - (back + 1) * NS_PER_HOUR, 1, kind) for back in ends_before_now_hours]
        self.schedule.succeeded(now, self.schedule.window(now), points)
        return self.wait_seconds()

    def asked_hours(self) -> tuple[float, float]:
        """Give from how long before now to how long after it would be asked."""
        now = self.clock.now()
        window = self.schedule.window(now)
        assert window.now_wall_ns == now.wall_ns
        return (
            (window.now_wall_ns - window.start_wall_ns) / NS_PER_HOUR,
            (window.end_wall_ns - now.wall_ns) / NS_PER_HOUR,
        )


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 0), (0.5, 2.5), (_CERTAIN, 5)])
def test_the_first_request_comes_within_five_seconds(chance: float, seconds: float) -> None:
    assert Calendar(lambda: chance).wait_seconds() == pytest.approx(seconds)


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 540), (0.5, 600), (_CERTAIN, 660)])
def test_later_ones_come_at_its_pace_give_or_take_a_tenth(chance: float, seconds: float) -> None:
    assert Calendar(lambda: chance).succeed(0) == pytest.approx(seconds)


def test_no_pace_is_so_quick_that_it_never_ends() -> None:
    assert Calendar(pace=Pace(0, 0, 0, 0)).succeed(0) == 1


@pytest.mark.parametrize(
    ("chance", "waits"),
    [(0.0, [30] * 9), (_CERTAIN, [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600])],
)
def test_failures_in_a_row_are_waited_for_longer_and_longer(chance: float, waits: list[float]) -> None:
    calendar = Calendar(lambda: chance)
    assert [calendar.fail() for _ in waits] == pytest.approx(waits, rel=1e-6)


def test_a_success_ends_the_row() -> None:
    calendar = Calendar(lambda: _CERTAIN)
    for _ in range(100):
        calendar.fail()
    calendar.succeed(0)
    assert calendar.fail() == pytest.approx(60)


def test_what_the_provider_asks_for_is_kept_to() -> None:
    assert Calendar().fail(Trouble.THROTTLED, 7200) == 7200
    assert Calendar(lambda: _CERTAIN).fail(Trouble.THROTTLED, 7200) == pytest.approx(7920)
    assert Calendar().fail(Trouble.SERVER, 1) == 30


def test_a_refusal_is_tried_again_once_in_a_quarter_of_an_hour_however_often_it_came() -> None:
    calendar = Calendar(lambda: _CERTAIN)
    assert [calendar.fail(Trouble.UNAUTHORIZED) for _ in range(9)] == pytest.approx([990] * 9)
    assert Calendar().fail(Trouble.UNAUTHORIZED) == 900


@given(st.lists(st.sampled_from(Trouble), max_size=40), st.floats(0, 1, exclude_max=True))
def test_law_no_wait_after_a_failure_is_shorter_than_half_a_minute_or_much_longer_than_an_hour(
    troubles: list[Trouble], chance: float
) -> None:
    calendar = Calendar(lambda: chance)
    for trouble in troubles:
        assert 30 <= calendar.fail(trouble) <= 3600


def test_two_days_back_and_ahead_are_asked_for_and_then_what_is_missing() -> None:
    calendar = Calendar()
    assert calendar.asked_hours() == (48, 48)
    calendar.succeed(5, 3, 4)
    assert calendar.asked_hours() == (5, 48)  # the newest hour once more, and the one before it
    calendar.clock.advance(600)
    assert calendar.asked_hours() == pytest.approx((5 + 1 / 6, 48))


def test_what_may_have_been_revised_is_asked_for_again_once_an_hour() -> None:
    calendar = Calendar()
    calendar.succeed(0)
    asked = []
    for _ in range(12):
        calendar.clock.advance(600)
        asked.append(calendar.asked_hours()[0] == 48)
        calendar.succeed(0)
    assert asked == [False] * 5 + [True] + [False] * 5 + [True]


def test_what_comes_days_late_is_still_asked_for_when_it_comes() -> None:
    late = Calendar(pace=replace(PACE, lag_ns=72 * NS_PER_HOUR))
    assert late.asked_hours() == (74, 48)
    late.succeed(71)
    assert late.asked_hours() == (73, 48)
    late.clock.advance(3600)
    assert late.asked_hours() == (74, 48)


def test_a_failure_leaves_all_of_it_to_be_asked_for() -> None:
    calendar = Calendar()
    calendar.fail()
    assert calendar.asked_hours() == (48, 48)


def test_without_an_actual_value_all_is_asked_for_again() -> None:
    calendar = Calendar()
    calendar.succeed(0, kind=PointKind.ESTIMATED)
    assert calendar.asked_hours() == (48, 48)


def test_an_actual_value_for_tomorrow_leaves_today_in_the_window() -> None:
    calendar = Calendar()
    calendar.succeed(-20)
    assert calendar.asked_hours() == (2, 48)


def test_a_clock_that_was_set_back_leaves_now_in_the_window() -> None:
    calendar = Calendar()
    calendar.succeed(0)
    calendar.clock.step_wall(-90_000)
    assert calendar.asked_hours() == (2, 48)


def test_of_two_pauses_the_later_holds_and_a_success_ends_it() -> None:
    breakers = Breakers()
    long = Pause(100 * MINUTE_NS, Trouble.THROTTLED, "later")
    short = Pause(50 * MINUTE_NS, Trouble.UNAUTHORIZED, "sooner")
    breakers.open("a", long)
    breakers.open("a", short)
    assert (breakers.pause("a"), breakers.pause("b")) == (long, None)
    breakers.close("a")
    assert breakers.pause("a") is None
