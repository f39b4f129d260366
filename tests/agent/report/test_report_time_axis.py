"""Columns and ticks of charts over time: on the reader's clock, whatever its zone does on the way."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattledger.agent.report.charts.axis import TimeAxis, day_text, round_steps, span_text, step_text
from wattledger.agent.report.charts.buckets import SIZES, buckets, local_time, runs

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = st.sampled_from(
    [
        UTC,
        BERLIN,
        ZoneInfo("America/New_York"),
        ZoneInfo("Asia/Shanghai"),
        ZoneInfo("Asia/Kolkata"),  # half an hour
        ZoneInfo("Asia/Kathmandu"),  # three quarters
        ZoneInfo("Australia/Lord_Howe"),  # clocks change by half an hour
        ZoneInfo("America/Santiago"),  # clocks change at midnight
    ]
)
HOURS = st.one_of(st.integers(1, 60), st.integers(1, 3_000), st.integers(1, 9_000))
STARTS = st.integers(480_000, 500_000)


def hour_of(zone: ZoneInfo, year: int, month: int, day: int) -> int:
    return int(datetime(year, month, day, tzinfo=zone).timestamp()) // 3600


@given(STARTS, HOURS, ZONES)
def test_columns_tile_the_time_and_are_few(start: int, hours: int, zone: ZoneInfo) -> None:
    made = buckets(start, start + hours, zone)
    assert (made.edges[0], made.edges[-1]) == (start, start + hours)
    assert all(one < other for one, other in pairwise(made.edges))
    assert len(made) <= max(400, hours // 168) + 35, "a week, and what is cut off by clocks"
    assert all(
        made.edges[made.column_of[place]] <= start + place < made.edges[made.column_of[place] + 1]
        for place in range(hours)
    )


@given(STARTS, HOURS, ZONES)
def test_columns_begin_where_the_local_clock_says_so(start: int, hours: int, zone: ZoneInfo) -> None:
    made = buckets(start, start + hours, zone)
    for edge in made.edges[1:-1]:
        before, after = local_time(edge - 1, zone), local_time(edge, zone)
        if made.size == 168:
            assert (after.date().weekday(), before.date()) == (0, after.date() - timedelta(days=1))
        elif made.size == 24:
            assert before.date() != after.date()
        else:
            assert (before.date(), before.hour // made.size) != (
                after.date(),
                after.hour // made.size,
            ) or made.size == 1


@given(STARTS, st.integers(1, 2_000), ZONES, st.dictionaries(st.integers(479_000, 503_000), st.integers(0, 10**12)))
def test_columns_sum_to_what_lies_within(start: int, hours: int, zone: ZoneInfo, told: dict[int, int]) -> None:
    made = buckets(start, start + hours, zone)
    within = {hour: number for hour, number in told.items() if start <= hour < start + hours}
    sums, rates = made.sums(told), made.rates(told, float)
    assert sum(total or 0 for total in sums) == sum(within.values())
    told_of = [sum(1 for hour in within if made.column_of[hour - start] == column) for column in range(len(made))]
    for total, rate, count in zip(sums, rates, told_of, strict=True):
        assert (total is None, rate is None) == (count == 0, count == 0)
        assert rate is None or rate * count == pytest.approx(total)


@pytest.mark.parametrize(
    ("days", "size"), [(1, 1), (16, 1), (17, 2), (31, 2), (40, 3), (90, 6), (180, 12), (365, 24), (800, 168)]
)
def test_columns_are_as_narrow_as_may_be(days: int, size: int) -> None:
    assert buckets(490_000, 490_000 + 24 * days, UTC).size == size


def test_the_days_of_changed_clocks_have_23_and_25_hours() -> None:
    for first, hours in ((date(2026, 3, 29), 23), (date(2026, 10, 25), 25)):
        start = hour_of(BERLIN, first.year, 2, 1)
        made = buckets(start, hour_of(BERLIN, first.year + 1, 2, 1), BERLIN)
        assert made.size == 24
        lengths = {local_time(edge, BERLIN).date(): following - edge for edge, following in pairwise(made.edges)}
        assert lengths[first] == hours
        assert set(lengths.values()) <= {23, 24, 25}


def test_an_hour_that_comes_twice_is_two_columns() -> None:
    start = hour_of(BERLIN, 2026, 10, 25)
    assert len(buckets(start, start + 25, BERLIN)) == 25
    texts = {span_text(TimeAxis(start, start + 25, BERLIN), hour, hour + 1) for hour in range(start, start + 25)}
    assert len(texts) == 25
    assert "Sun 25 Oct 02:00 CEST to 02:00" in texts
    assert "Sun 25 Oct 02:00 CET to 03:00" in texts


@given(STARTS, HOURS, ZONES)
def test_ticks_are_few_in_order_and_within(start: int, hours: int, zone: ZoneInfo) -> None:
    ticks = TimeAxis(start, start + hours, zone).ticks()
    places = [tick.place for tick in ticks]
    assert len(ticks) <= 14
    assert places == sorted(set(places))
    assert all(0 <= place < 1 for place in places)
    assert ticks or hours < 14 * 24 or hours > 12 * 31 * 24, "short of a day there may be none"


@given(STARTS, st.integers(13, 24 * 100), ZONES)
def test_ticks_are_at_local_midnights_and_full_hours(start: int, hours: int, zone: ZoneInfo) -> None:
    axis = TimeAxis(start, start + hours, zone)
    for tick in axis.ticks():
        moment = datetime.fromtimestamp(round((start + tick.place * hours) * 60) * 60, UTC).astimezone(zone)
        if ":" in tick.label:
            assert f"{moment:%H:%M}" == tick.label
        else:
            # Where clocks go forward at midnight, the day begins at one o'clock.
            assert moment.minute == 0
            assert moment.hour == 0 or (moment - timedelta(hours=1)).utcoffset() != moment.utcoffset()
            assert f"{moment.day} " in tick.label


def test_labels_are_hours_days_weeks_months_and_years() -> None:
    def labels(days: int, zone: ZoneInfo = BERLIN) -> list[str]:
        start = hour_of(zone, 2026, 10, 20)
        return [tick.label for tick in TimeAxis(start, start + 24 * days, zone).ticks()]

    assert labels(1) == ["Tue 20 Oct", "03:00", "06:00", "09:00", "12:00", "15:00", "18:00", "21:00"]
    assert labels(3)[:3] == ["Tue 20 Oct", "06:00", "12:00"]
    assert labels(7) == [
        f"{day} {number} Oct"
        for day, number in zip(("Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "Mon"), range(20, 27), strict=True)
    ]
    assert labels(12)[:2] == ["20 Oct", "21 Oct"]
    assert labels(31) == ["Mon 26 Oct", "Mon 2 Nov", "Mon 9 Nov", "Mon 16 Nov"]
    assert labels(200) == ["Nov", "Dec", "2027", "Feb", "Mar", "Apr", "May"]
    assert labels(900)[:3] == ["2027", "Apr", "Jul"]
    assert labels(4000)[:3] == ["2027", "2028", "2029"]


def test_nights_and_weekends_are_of_the_local_clock() -> None:
    start = hour_of(BERLIN, 2026, 10, 19)  # a Monday
    axis = TimeAxis(start, start + 7 * 24 + 1, BERLIN)  # the Sunday has 25 hours
    ((first, last),) = axis.weekends()
    assert (round(first * axis.hours), round(last * axis.hours)) == (5 * 24, 7 * 24 + 1)
    nights = [(round(one * axis.hours), round(other * axis.hours)) for one, other in axis.nights()]
    assert nights[:2] == [(0, 6), (20, 30)]
    assert nights[6] == (140, 151), "eleven hours: the one from two to three comes twice"
    assert len(axis.midnights()) == 7
    assert TimeAxis(start, start + 24 * 200, BERLIN).weekends() == []


def test_spans_are_days_where_they_are_whole_ones() -> None:
    start = hour_of(BERLIN, 2026, 6, 1)
    axis = TimeAxis(start, start + 24 * 30, BERLIN)
    assert span_text(axis, start, start + 24) == "Mon 1 Jun"
    assert span_text(axis, start, start + 48) == "Mon 1 Jun to Tue 2 Jun"
    assert span_text(axis, start + 2, start + 4) == "Mon 1 Jun 02:00 to 04:00"
    assert span_text(axis, start + 22, start + 24) == "Mon 1 Jun 22:00 to 00:00"
    assert span_text(axis, start + 22, start + 26) == "Mon 1 Jun 22:00 to Tue 2 Jun 02:00"
    assert day_text(local_time(start, BERLIN)) == "Mon 1 Jun"


@given(st.floats(1e-6, 1e12), st.integers(2, 8))
def test_steps_are_round_and_reach_the_largest_value(most: float, count: int) -> None:
    steps = round_steps(most, count)
    assert steps[0] == 0
    assert steps[-1] >= most * (1 - 1e-6)
    assert 2 <= len(steps) <= count + 1
    assert steps[-2] < most
    first = f"{steps[1]:.6e}".split("e")[0].rstrip("0").rstrip(".")
    assert first in ("1", "2", "2.5", "5")


def test_steps_of_nothing_and_their_text() -> None:
    assert round_steps(0) == [0, 1]
    assert [step_text(step) for step in (0.0, 0.25, 1000.0, 2.5, 0.30000000000000004)] == [
        "0", "0.25", "1,000", "2.5", "0.3",
    ]  # fmt: skip


@given(st.lists(st.booleans(), max_size=30))
def test_runs_are_where_something_holds(known: list[bool]) -> None:
    found = runs(known)
    assert [any(first <= place < last for first, last in found) for place in range(len(known))] == known
    assert all(first < last for first, last in found)
    assert all(one[1] < other[0] for one, other in pairwise(found))


def test_no_hour_is_refused() -> None:
    with pytest.raises(ValueError, match="no hour"):
        buckets(5, 5, UTC)
    assert SIZES[-1] == 7 * 24
