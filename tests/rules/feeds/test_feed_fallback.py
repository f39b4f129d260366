"""Several series one after the other: the first that knows a moment gives it, however time is cut."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rules.feeds.feed_points import GRID, LAST, MARGINAL, METER, OTHER_GRID, point, points, shown_at
from wattledger.rules.feeds.fallback import (
    FeedState,
    Resolved,
    feed_state,
    resolve,
    resolve_marginal,
    unknown_to,
)
from wattledger.rules.feeds.model import Measure, Point, PointKind, Series
from wattledger.rules.feeds.span import Span
from wattledger.rules.feeds.track import Track


def _track(*put: Point, series: Series = GRID, hold: int = 0) -> Track:
    track = Track(series, hold_ns=hold)
    track.put(put)
    return track


def test_the_first_that_knows_gives_the_value_and_says_which_it_is() -> None:
    first = _track(point(0, 10, 1), point(20, 30, 2, PointKind.FORECAST), hold=5)
    second = _track(point(0, 25, 7, PointKind.FACTOR), series=OTHER_GRID)
    assert resolve([first, second], -5, 40) == [
        Resolved(-5, 0),
        Resolved(0, 10, 1, PointKind.ACTUAL, 0, GRID),
        Resolved(10, 15, 1, PointKind.ESTIMATED, 0, GRID, held=True),
        Resolved(15, 20, 7, PointKind.FACTOR, 1, OTHER_GRID),
        Resolved(20, 30, 2, PointKind.FORECAST, 0, GRID),
        Resolved(30, 35, 2, PointKind.ESTIMATED, 0, GRID, held=True),
        Resolved(35, 40),
    ]


def test_neighbours_that_say_the_same_are_one() -> None:
    track = _track(point(0, 10, 1), point(10, 20, 1, issued=3), point(20, 30, 2))
    assert [(one.start_wall_ns, one.end_wall_ns) for one in resolve([track], 0, 30)] == [(0, 20), (20, 30)]


def test_of_an_energy_a_stretch_gets_its_share() -> None:
    meter = _track(point(0, 10, 100), point(10, 20, 100), series=METER)
    assert [one.value for one in resolve([meter], 0, 20)] == [100, 100]
    assert [one.value for one in resolve([meter], 0, 3)] == [30]
    assert [one.value for one in resolve([_track(point(0, 3, 10), series=METER)], 1, 2)] == [3]


def test_marginal_enters_no_account() -> None:
    marginal = _track(point(0, 10, 1), series=MARGINAL)
    with pytest.raises(ValueError, match="enters no account"):
        resolve([_track(), marginal], 0, 10)
    assert [one.value for one in resolve_marginal([marginal], 0, 10)] == [1]
    with pytest.raises(ValueError, match="is not marginal"):
        resolve_marginal([marginal, _track()], 0, 10)


@pytest.mark.parametrize("other", [METER, Series(Measure.PRICE, "x", "DE", currency="EUR")])
def test_unlike_measures_do_not_stand_in_for_each_other(other: Series) -> None:
    with pytest.raises(ValueError, match="different measures or currencies"):
        resolve([_track(), _track(series=other)], 0, 10)


def test_unlike_currencies_do_not_stand_in_for_each_other() -> None:
    euro = Series(Measure.PRICE, "entsoe", "DE", currency="EUR")
    with pytest.raises(ValueError, match="different measures or currencies"):
        resolve([_track(series=euro), _track(series=replace(euro, currency="SEK"))], 0, 10)


def test_without_a_track_nothing_is_known() -> None:
    assert resolve([], 0, 10) == [Resolved(0, 10)]
    assert resolve([_track()], 10, 10) == []


def test_what_no_track_knows_is_told() -> None:
    tracks = [_track(point(0, 10, 1)), _track(point(15, 20, 1))]
    assert unknown_to(tracks, [Span(5, 30), Span(40, 50)]) == [Span(10, 15), Span(20, 30), Span(40, 50)]
    assert unknown_to([], [Span(5, 30)]) == [Span(5, 30)]


@pytest.mark.parametrize(
    ("age", "state"),
    [(-5, "fresh"), (0, "fresh"), (40, "fresh"), (41, "late"), (90, "late"), (91, "stale"), (None, "stale")],
)
def test_how_fresh_is_judged_by_the_pace(age: int | None, state: str) -> None:
    assert feed_state(age, step_ns=30, lag_ns=10, max_age_ns=90) is FeedState(state)


def test_what_is_never_held_is_fresh_or_stale() -> None:
    assert feed_state(40, step_ns=30, lag_ns=10, max_age_ns=0) is FeedState.FRESH
    assert feed_state(41, step_ns=30, lag_ns=10, max_age_ns=0) is FeedState.STALE


tracks = st.lists(st.tuples(st.lists(points(), max_size=5), st.integers(0, 4)), max_size=3)
moments = st.integers(-3, LAST + 6)


@given(tracks, moments, moments)
def test_law_stretches_tile_what_was_asked_and_each_moment_has_the_first_value(
    put: list[tuple[list[Point], int]], start: int, end: int
) -> None:
    resolved = resolve([_track(*some, hold=hold) for some, hold in put], start, end)
    edges = [start, *(one.end_wall_ns for one in resolved)]
    assert [one.start_wall_ns for one in resolved] == edges[:-1]
    assert edges[-1] == end if end > start else not resolved
    for one in resolved:
        for moment in range(one.start_wall_ns, one.end_wall_ns):
            known = [(level, shown_at(some, moment, hold)) for level, (some, hold) in enumerate(put)]
            level, shown = next(((level, shown) for level, shown in known if shown is not None), (None, None))
            assert one.level == level
            assert (None if shown is None else (one.value, one.kind)) == shown
            assert (one.series is None) == (one.value is None) == (shown is None)


@given(tracks, moments, st.lists(moments, min_size=1, max_size=4))
def test_law_cutting_anywhere_changes_no_value(
    put: list[tuple[list[Point], int]], start: int, cuts: list[int]
) -> None:
    made = [_track(*some, hold=hold) for some, hold in put]
    edges = sorted({start, *cuts})
    parts = [one for left, right in pairwise(edges) for one in resolve(made, left, right)]
    assert _moments(parts) == _moments(resolve(made, edges[0], edges[-1]))


def _moments(resolved: list[Resolved]) -> list[tuple[int, Resolved]]:
    return [
        (moment, replace(one, start_wall_ns=0, end_wall_ns=0))
        for one in resolved
        for moment in range(one.start_wall_ns, one.end_wall_ns)
    ]


@given(st.lists(points(), max_size=6), st.lists(moments, max_size=5))
def test_law_shares_of_an_energy_sum_to_it_however_time_is_cut(put: list[Point], cuts: list[int]) -> None:
    meter = _track(*put, series=METER)
    edges = sorted({0, LAST, *(cut for cut in cuts if 0 < cut < LAST)})
    parts = [one for left, right in pairwise(edges) for one in resolve([meter], left, right)]
    assert sum(one.value or 0 for one in parts) == sum(one.value or 0 for one in resolve([meter], 0, LAST))
