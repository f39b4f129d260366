"""What an answer is made of: points within the window in order, the rest counted, and never an empty one."""

import pytest

from tests.agent.feeds.wall import around
from wattledger.agent.feeds.base import FeedError, Skipped, Trouble
from wattledger.agent.feeds.gathering import Gathering
from wattledger.rules.feeds.model import PointKind
from wattledger.rules.instant import NS_PER_HOUR

_WINDOW = around("2026-10-13T12:00+00:00", hours_before=6, hours_ahead=6)
_START = _WINDOW.start_wall_ns


def test_points_are_in_order_and_issued_now_unless_it_is_said() -> None:
    gathered = Gathering(_WINDOW)
    gathered.add(_START + NS_PER_HOUR, _START + 2 * NS_PER_HOUR, 2, PointKind.FORECAST, 7)
    gathered.add(_START, _START + NS_PER_HOUR, 1)
    answer = gathered.answer()
    assert [point.value for point in answer.points] == [1, 2]
    assert [point.issued_wall_ns for point in answer.points] == [_WINDOW.now_wall_ns, 7]
    assert [point.kind for point in answer.points] == [PointKind.ACTUAL, PointKind.FORECAST]
    assert dict(answer.skipped) == {}


def test_what_touches_the_window_from_outside_is_left_out_and_what_reaches_in_stays_whole() -> None:
    gathered = Gathering(_WINDOW)
    gathered.add(_START - NS_PER_HOUR, _START, 1)
    gathered.add(_START - NS_PER_HOUR, _START + 1, 2)
    gathered.add(_WINDOW.end_wall_ns - 1, _WINDOW.end_wall_ns + NS_PER_HOUR, 3)
    gathered.add(_WINDOW.end_wall_ns, _WINDOW.end_wall_ns + NS_PER_HOUR, 4)
    answer = gathered.answer()
    assert [point.value for point in answer.points] == [2, 3]
    assert answer.points[0].start_wall_ns == _START - NS_PER_HOUR
    assert answer.skipped == {Skipped.OUTSIDE_WINDOW: 2}


def test_a_stretch_that_does_not_end_later_is_a_bad_time() -> None:
    gathered = Gathering(_WINDOW)
    gathered.add(_START, _START, 1)
    gathered.add(_START, _START + 1, 1)
    assert gathered.answer().skipped == {Skipped.BAD_TIME: 1}


def test_warnings_are_kept_once_and_nothing_usable_is_an_error_with_counts_and_cure() -> None:
    gathered = Gathering(_WINDOW)
    gathered.warn("a")
    gathered.warn("a")
    gathered.skip(Skipped.NULL, 3)
    with pytest.raises(FeedError, match=r"left out: 3 null\); ask later") as caught:
        gathered.answer(empty="ask later")
    assert caught.value.trouble is Trouble.EMPTY
    gathered.add(_START, _START + 1, 1)
    answer = gathered.answer(whole=False)
    assert answer.warnings == ("a",)
    assert answer.whole is False
