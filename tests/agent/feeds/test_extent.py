"""What a request covers beyond the window, and what a plan refuses for a day."""

import pytest

from wattledger.agent.feeds.base import Window
from wattledger.agent.feeds.extent import Extent
from wattledger.agent.feeds.refusals import Refusals
from wattledger.rules.instant import NS_PER_HOUR

_DAY_NS = 24 * NS_PER_HOUR


@pytest.mark.parametrize(
    ("stretch", "is_surplus"),
    [
        ((0, 10), False),  # before what was asked for: that is for the window to refuse
        ((0, 11), True),
        ((10, 20), True),
        ((15, 21), False),
        ((20, 30), False),
        ((29, 35), False),
        ((30, 40), True),
        ((39, 50), True),
        ((40, 50), False),
        ((0, 100), False),
    ],
)
def test_what_was_asked_for_and_is_not_wanted_is_surplus(stretch: tuple[int, int], is_surplus: bool) -> None:
    assert Extent(10, 40, Window(20, 30, 25)).is_surplus(*stretch) is is_surplus


def test_a_refusal_holds_for_a_day_and_for_its_part_alone() -> None:
    refusals = Refusals()
    refusals.note("forecast", _DAY_NS)
    assert refusals.holds("forecast", _DAY_NS)
    assert refusals.holds("forecast", 2 * _DAY_NS - 1)
    assert not refusals.holds("forecast", 2 * _DAY_NS)
    assert not refusals.holds("past", _DAY_NS)


def test_a_clock_that_was_set_back_ends_a_refusal() -> None:
    refusals = Refusals()
    refusals.note("forecast", _DAY_NS)
    assert not refusals.holds("forecast", _DAY_NS - 1)
