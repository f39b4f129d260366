"""One series over time: which point shows where, what bridges a gap, and what a change is said to change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rules.feeds.feed_points import GRID, LAST, METER, best_at, point, points, shown_at
from wattledger.rules.feeds.model import Point, PointKind
from wattledger.rules.feeds.span import Span, joined
from wattledger.rules.feeds.track import Held, Track
from wattledger.rules.instant import NS_PER_HOUR

_FORECAST, _ESTIMATED, _FACTOR = PointKind.FORECAST, PointKind.ESTIMATED, PointKind.FACTOR


def _values(track: Track, start: int, end: int) -> list[tuple[int, int, int | None, bool]]:
    return [
        (held.start_wall_ns, held.end_wall_ns, None if held.point is None else held.point.value, held.held)
        for held in track.cut(start, end)
    ]


def test_a_surer_kind_wins_though_it_was_issued_before() -> None:
    track = Track(GRID)
    track.put([point(0, 30, 100, _FORECAST, issued=9)])
    track.put([point(10, 20, 200, issued=1)])
    track.put([point(0, 30, 300, _FACTOR, issued=99)])
    assert _values(track, 0, 30) == [(0, 10, 100, False), (10, 20, 200, False), (20, 30, 100, False)]


def test_of_one_kind_the_later_issue_wins_and_of_one_issue_the_later_put() -> None:
    track = Track(GRID)
    track.put([point(0, 10, 1, issued=5)])
    assert track.put([point(0, 10, 2, issued=4)]) == []
    assert _values(track, 0, 10) == [(0, 10, 1, False)]
    assert track.put([point(0, 10, 3, issued=5)]) == [Span(0, 10)]
    assert track.put([point(0, 10, 4, issued=6)]) == [Span(0, 10)]
    assert _values(track, 0, 10) == [(0, 10, 4, False)]


def test_a_point_that_overlaps_in_part_cuts_the_other() -> None:
    track = Track(GRID)
    track.put([point(0, 60, 1, issued=1)])
    assert track.put([point(30, 90, 2, issued=2)]) == [Span(30, 90)]
    assert _values(track, 0, 90) == [(0, 30, 1, False), (30, 90, 2, False)]


def test_an_unsure_point_shows_beside_surer_ones() -> None:
    track = Track(GRID)
    track.put([point(10, 20, 1), point(30, 40, 2)])
    assert track.put([point(0, 50, 9, _FACTOR)]) == [Span(0, 10), Span(20, 30), Span(40, 50)]
    assert [value for _, _, value, _ in _values(track, 0, 50)] == [9, 1, 9, 2, 9]


def test_a_gap_is_bridged_for_so_long_and_then_nothing_is_known() -> None:
    track = Track(GRID, hold_ns=5)
    track.put([point(0, 10, 1), point(30, 40, 2)])
    assert _values(track, -5, 60) == [
        (-5, 0, None, False),
        (0, 10, 1, False),
        (10, 15, 1, True),
        (15, 30, None, False),
        (30, 40, 2, False),
        (40, 45, 2, True),
        (45, 60, None, False),
    ]


def test_what_is_held_is_an_estimate() -> None:
    track = Track(GRID, hold_ns=5)
    track.put([point(0, 10, 1)])
    known, bridged, unknown = track.cut(0, 20)
    assert (known.kind, bridged.kind, unknown.kind) == (PointKind.ACTUAL, _ESTIMATED, None)


def test_a_stretch_inside_the_bridge_is_bridged_too() -> None:
    track = Track(GRID, hold_ns=100)
    track.put([point(0, 10, 1)])
    assert _values(track, 50, 60) == [(50, 60, 1, True)]


def test_without_holding_nothing_is_bridged() -> None:
    track = Track(GRID)
    track.put([point(0, 10, 1)])
    assert _values(track, 10, 20) == [(10, 20, None, False)]


def test_a_change_reaches_as_far_as_the_value_is_held() -> None:
    track = Track(GRID, hold_ns=5)
    assert track.put([point(0, 10, 1)]) == [Span(0, 15)]
    # What was bridged with 1 until 15 is actual now, and bridged with 2 after that.
    assert track.put([point(10, 20, 2)]) == [Span(10, 25)]


def test_a_value_that_becomes_surer_is_a_change() -> None:
    track = Track(GRID)
    track.put([point(0, 10, 1, _FORECAST)])
    assert track.put([point(0, 10, 1)]) == [Span(0, 10)]
    assert track.put([point(0, 10, 1, issued=5)]) == []


def test_replacing_forgets_what_is_left_out() -> None:
    track = Track(GRID)
    track.put([point(0, 10, 1), point(10, 20, 2), point(20, 30, 3)])
    assert track.replace(Span(5, 25), [point(10, 15, 7)]) == [Span(5, 25)]
    assert _values(track, 0, 30) == [
        (0, 5, 1, False),
        (5, 10, None, False),
        (10, 15, 7, False),
        (15, 25, None, False),
        (25, 30, 3, False),
    ]


def test_a_point_without_length_is_refused_and_no_other_taken() -> None:
    track = Track(GRID)
    with pytest.raises(ValueError, match="ends after it starts"):
        track.put([point(0, 10, 1), point(10, 10, 2)])
    assert len(track) == 0


def test_a_metered_energy_is_never_held() -> None:
    with pytest.raises(ValueError, match="cannot stand in"):
        Track(METER, hold_ns=1)


def test_an_energy_told_for_another_stretch_is_a_change_though_the_number_is_the_same() -> None:
    track = Track(METER)
    track.put([point(0, 10, 100)])
    assert track.put([point(0, 20, 100)]) == [Span(0, 20)]


def test_the_newest_end_is_not_that_of_a_forecast() -> None:
    track = Track(GRID)
    assert (track.newest_end_wall_ns, track.newest_issue_wall_ns) == (None, None)
    track.put([point(0, 100, 1, _FORECAST, issued=7)])
    assert (track.newest_end_wall_ns, track.newest_issue_wall_ns) == (None, 7)
    track.put([point(0, 10, 1), point(10, 20, 1, _ESTIMATED)])
    assert track.newest_end_wall_ns == 20


def test_pruning_keeps_what_bridges_on() -> None:
    track = Track(GRID, hold_ns=5)
    track.put([point(0, 10, 1), point(10, 20, 2), point(40, 50, 3)])
    track.prune(24)
    assert _values(track, 24, 50) == [(24, 25, 2, True), (25, 40, None, False), (40, 50, 3, False)]
    assert len(track) == 2
    track.prune(25)
    assert len(track) == 1


def test_nothing_put_and_nothing_asked_is_nothing() -> None:
    track = Track(GRID)
    assert track.put([]) == []
    assert track.cut(5, 5) == track.cut(6, 5) == []
    track.put([point(0, 10, 1)])
    assert track.cut(5, 5) == []
    assert track.cut(-9, -5) == [Held(-9, -5, None)]


def test_ten_days_of_five_minutes_that_come_twice_are_kept_once() -> None:
    minutes = 5 * NS_PER_HOUR // 60
    track = Track(GRID, hold_ns=NS_PER_HOUR)
    for day in range(10):
        track.put([point(at * minutes, (at + 1) * minutes, at) for at in range(day * 288, day * 288 + 576)])
    for at in range(2880):
        assert len(track.cut(at * minutes, at * minutes + 1)) == 1
    assert len(track) == 288 * 11


@given(st.lists(st.lists(points(), max_size=4), max_size=8), st.integers(0, 6))
def test_law_each_moment_shows_the_best_that_was_put_and_changes_are_where_that_changed(
    batches: list[list[Point]], hold: int
) -> None:
    track = Track(GRID, hold_ns=hold)
    put: list[Point] = []
    for batch in batches:
        before = [shown_at(put, moment, hold) for moment in range(-1, LAST + 8)]
        spans = track.put(batch)
        put += batch
        after = [shown_at(put, moment, hold) for moment in range(-1, LAST + 8)]
        told = [any(span.start_wall_ns <= at < span.end_wall_ns for span in spans) for at in range(-1, LAST + 8)]
        assert told == [was != now for was, now in zip(before, after, strict=True)]
        assert joined(spans) == spans
    for moment in range(-1, LAST + 8):
        (held,) = track.cut(moment, moment + 1)
        shown = None if held.point is None or held.kind is None else (held.point.value, held.kind)
        assert shown == shown_at(put, moment, hold)
    ends = [at + 1 for at in range(LAST) if (best := best_at(put, at)) is not None and best.kind is not _FORECAST]
    assert track.newest_end_wall_ns == max(ends, default=None)


@given(st.lists(points(), max_size=12), st.integers(0, 6), st.integers(-2, LAST), st.integers(0, LAST + 9))
def test_law_a_cut_tiles_what_was_asked(put: list[Point], hold: int, start: int, length: int) -> None:
    track = Track(GRID, hold_ns=hold)
    track.put(put)
    cut = track.cut(start, start + length)
    edges = [start, *(held.end_wall_ns for held in cut)]
    assert [held.start_wall_ns for held in cut] == edges[:-1]
    assert edges[-1] == start + length
    assert all(held.end_wall_ns > held.start_wall_ns for held in cut)
    assert all(held.point is not None or not held.held for held in cut)


@given(st.lists(points(), max_size=10), st.integers(0, 6), st.integers(0, LAST), st.integers(0, 10))
def test_law_pruning_changes_nothing_from_then_on(put: list[Point], hold: int, before: int, later: int) -> None:
    track = Track(GRID, hold_ns=hold)
    track.put(put)
    kept = track.cut(before + later, LAST + 20)
    track.prune(before)
    assert track.cut(before + later, LAST + 20) == kept


@given(st.lists(points(), max_size=8), st.lists(points(), max_size=4), st.integers(0, 6))
def test_law_what_replaces_is_all_there_is(put: list[Point], new: list[Point], hold: int) -> None:
    track, fresh = Track(GRID, hold_ns=hold), Track(GRID, hold_ns=hold)
    track.put(put)
    track.replace(Span(0, LAST), new)
    fresh.put(new)
    assert track.cut(0, LAST + 9) == fresh.cut(0, LAST + 9)


def test_spans_that_touch_are_one() -> None:
    assert joined([Span(5, 7), Span(0, 2), Span(2, 3), Span(6, 6), Span(9, 10)]) == [
        Span(0, 3),
        Span(5, 7),
        Span(9, 10),
    ]
