"""Prices tile any range however it is cut, and go by the clock on the wall through midnights and changed clocks."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rules.tariff.tariffs import HOUR_NS, MINUTE_NS, at, by_the_minute, cut, make, span, starts, tariffs, told
from wattledger.rules.tariff.model import DayType, HourSpan, Period, Tariff
from wattledger.rules.tariff.prices import PricePoint, cost_product, feed_price_points, price_points

NIGHT = Period("valley", 300_000, hours=(span("23:00-07:00"),))
DAY = Period("flat", 600_000, hours=(span("07:00-23:00"),))


@given(tariffs, starts, st.integers(1, 80 * HOUR_NS))
def test_points_tile_the_range_and_neighbours_differ(tariff: Tariff, start: int, length: int) -> None:
    points = price_points(tariff, start, start + length)
    assert (points[0].start_wall_ns, points[-1].end_wall_ns) == (start, start + length)
    for one, other in pairwise(points):
        assert one.end_wall_ns == other.start_wall_ns
        assert (one.value, one.label) != (other.value, other.label)
    assert all(point.start_wall_ns < point.end_wall_ns for point in points)


@given(tariffs, starts, st.integers(1, 50 * 60))
def test_each_moment_has_the_price_that_the_clock_on_the_wall_says(tariff: Tariff, start: int, minutes: int) -> None:
    points = price_points(tariff, start, start + minutes * MINUTE_NS)
    for point in points:
        length = point.end_wall_ns - point.start_wall_ns
        # Every fifteen minutes, and on both sides of each border.
        looks = {*range(0, length, 15 * MINUTE_NS), length - 1}
        for look in looks:
            assert by_the_minute(tariff, point.start_wall_ns + look) == (point.value, point.label)


@given(tariffs, starts, st.integers(1, 60 * HOUR_NS), st.lists(st.floats(0, 1), max_size=6))
def test_cost_of_an_interval_is_the_sum_over_its_parts_however_it_is_cut(
    tariff: Tariff, start: int, length: int, places: list[float]
) -> None:
    whole = _cost(price_points(tariff, start, start + length))
    parts = [_cost(price_points(tariff, first, last)) for first, last in cut(start, start + length, places)]
    assert whole == tuple(map(sum, zip(*parts, strict=True)))


def _cost(points: list[PricePoint]) -> tuple[int, int]:
    """Give the product of a steady draw of 1 mJ a nanosecond, and the energy that has no price."""
    lengths = [(point.end_wall_ns - point.start_wall_ns, point.value) for point in points]
    priced = sum(cost_product(length, value) for length, value in lengths if value is not None)
    return priced, sum(length for length, value in lengths if value is None)


def test_an_empty_range_has_no_points() -> None:
    assert price_points(make(NIGHT), 5, 5) == []


def test_a_period_goes_on_through_midnight_as_one_point() -> None:
    points = price_points(make(NIGHT, DAY), at("2026-03-02T12:00:00Z"), at("2026-03-04T12:00:00Z"))
    assert told(points) == [
        ("02 12:00", 600_000, "flat"),
        ("02 23:00", 300_000, "valley"),
        ("03 07:00", 600_000, "flat"),
        ("03 23:00", 300_000, "valley"),
        ("04 07:00", 600_000, "flat"),
    ]


def test_hours_after_midnight_belong_to_their_own_day() -> None:
    # 2026-03-06 is a Friday: the workdays' night ends at its midnight, and begins again on Sunday's.
    night = Period("valley", 1, days=frozenset({DayType.WORKDAY}), hours=(span("23:00-07:00"),))
    points = price_points(make(night), at("2026-03-06T22:00:00Z"), at("2026-03-09T08:00:00Z"))
    assert told(points) == [
        ("06 22:00", None, ""),
        ("06 23:00", 1, "valley"),
        ("07 00:00", None, ""),
        ("09 00:00", 1, "valley"),
        ("09 07:00", None, ""),
    ]


def test_months_change_at_local_midnight() -> None:
    july = Period("summer", 2, months=frozenset({7}))
    tariff = make(july, zone="Asia/Shanghai", value=1)
    points = price_points(tariff, at("2026-06-30T12:00:00Z"), at("2026-07-31T20:00:00Z"))
    assert [datetime.fromtimestamp(point.start_wall_ns / 1e9, UTC).isoformat() for point in points] == [
        "2026-06-30T12:00:00+00:00",
        "2026-06-30T16:00:00+00:00",
        "2026-07-31T16:00:00+00:00",
    ]


@pytest.mark.parametrize(
    ("day", "kind"),
    [
        ("2026-10-09", DayType.WORKDAY),  # a Friday
        ("2026-10-10", DayType.WORKDAY),  # a Saturday that is made a workday
        ("2026-10-11", DayType.WEEKEND),
        ("2026-10-01", DayType.HOLIDAY),  # a Thursday
        ("2026-10-04", DayType.HOLIDAY),  # a Sunday
    ],
)
def test_each_day_is_of_one_type(day: str, kind: DayType) -> None:
    kinds = (Period(kind, 1, days=frozenset({kind})) for kind in DayType)
    points = price_points(make(*kinds), at(f"{day}T00:00:00Z"), at(f"{day}T23:59:00Z"))
    assert [point.label for point in points] == [kind]


def test_the_first_period_that_covers_a_moment_counts() -> None:
    sharp = Period("sharp", 9, hours=(span("11:00-13:00"),))
    peak = Period("peak", 5, hours=(span("10:00-15:00"),))
    day = at("2026-03-02T09:00:00Z"), at("2026-03-02T16:00:00Z")
    first, second = price_points(make(sharp, peak, value=1), *day), price_points(make(peak, sharp, value=1), *day)
    assert [point.label for point in first] == ["", "peak", "sharp", "peak", ""]
    assert [point.label for point in second] == ["", "peak", ""]


def test_validity_begins_with_its_first_day_and_ends_before_its_last() -> None:
    day = datetime(2026, 3, 2, tzinfo=UTC).date()
    old = Period("old", 1, to_day=day)
    new = Period("new", 2, from_day=day, to_day=day + timedelta(days=1))
    points = price_points(make(old, new), at("2026-03-01T00:00:00Z"), at("2026-03-04T00:00:00Z"))
    assert told(points) == [("01 00:00", 1, "old"), ("02 00:00", 2, "new"), ("03 00:00", None, "")]


def test_a_day_of_23_hours_has_no_price_for_the_hour_that_is_left_out() -> None:
    by_hour = [Period(f"h{hour}", hour, hours=(HourSpan(hour * 60, hour * 60 + 60),)) for hour in range(24)]
    tariff = make(*by_hour, zone="Europe/Berlin")
    day = at("2026-03-29T00:00:00", "Europe/Berlin"), at("2026-03-30T00:00:00", "Europe/Berlin")
    points = price_points(tariff, *day)
    assert day[1] - day[0] == 23 * HOUR_NS
    assert [point.value for point in points] == [0, 1, *range(3, 24)]
    assert all(point.end_wall_ns - point.start_wall_ns == HOUR_NS for point in points)


def test_a_day_of_25_hours_has_the_repeated_hour_twice() -> None:
    by_half = [Period(f"h{half}", half, hours=(HourSpan(half * 30, half * 30 + 30),)) for half in range(48)]
    tariff = make(*by_half, zone="Europe/Berlin")
    day = at("2026-10-25T00:00:00", "Europe/Berlin"), at("2026-10-26T00:00:00", "Europe/Berlin")
    points = price_points(tariff, *day)
    assert day[1] - day[0] == 25 * HOUR_NS
    assert [point.value for point in points] == [0, 1, 2, 3, 4, 5, 4, 5, *range(6, 48)]
    assert all(point.end_wall_ns - point.start_wall_ns == HOUR_NS // 2 for point in points)


@pytest.mark.parametrize(
    ("zone", "start", "hours"),
    [
        ("Europe/Berlin", "2026-03-28T20:00:00Z", (2, 7, 15)),  # from 21:00, 23:00 to 07:00 without an hour
        ("Europe/Berlin", "2026-10-24T20:00:00Z", (1, 9, 14)),  # from 22:00, 23:00 to 07:00 and an hour again
        ("Australia/Lord_Howe", "2026-10-03T11:30:00Z", (1, 7.5, 15.5)),  # from 22:00, forward by half an hour
    ],
)
def test_a_night_in_which_clocks_change_is_one_point_of_its_true_length(
    zone: str, start: str, hours: tuple[float, ...]
) -> None:
    points = price_points(make(NIGHT, DAY, zone=zone), at(start), at(start) + 24 * HOUR_NS)
    assert [(point.end_wall_ns - point.start_wall_ns) / HOUR_NS for point in points] == list(hours)


def test_clocks_that_go_back_bring_back_the_price_of_before() -> None:
    late = Period("late", 1, hours=(span("00:00-02:30"),))
    early = Period("early", 2, hours=(span("02:30-12:00"),))
    tariff = make(late, early, zone="Europe/Berlin")
    points = price_points(tariff, at("2026-10-24T22:00:00Z"), at("2026-10-25T10:00:00Z"))
    assert [(point.label, (point.end_wall_ns - point.start_wall_ns) / HOUR_NS) for point in points] == [
        ("late", 2.5),
        ("early", 0.5),
        ("late", 0.5),
        ("early", 8.5),
    ]


def test_money_of_a_leap_february_is_exact() -> None:
    peak = Period("peak", 1_148_621, hours=(span("10:00-15:00"), span("18:00-21:00")))
    valley = Period("valley", -63_287, days=frozenset({DayType.WEEKEND}), hours=(span("23:00-07:00"),))
    tariff = make(peak, valley, zone="Asia/Shanghai", value=836_443)
    start, hours = at("2024-02-01T00:00:00", "Asia/Shanghai"), 29 * 24
    energies = [(7_919 * hour * hour + 13) % 1_000_003 for hour in range(hours)]

    booked = 0
    for hour, energy_mj in enumerate(energies):
        (point,) = price_points(tariff, start + hour * HOUR_NS, start + (hour + 1) * HOUR_NS)
        assert point.value is not None
        booked += cost_product(energy_mj, point.value)

    # The same by plain rules: 2024-02-01 is a Thursday.
    money = Fraction(0)
    for hour, energy_mj in enumerate(energies):
        day, clock = hour // 24, hour % 24
        price = "0.836443"
        if clock in (10, 11, 12, 13, 14, 18, 19, 20):
            price = "1.148621"
        elif (3 + day) % 7 >= 5 and (clock >= 23 or clock < 7):
            price = "-0.063287"
        money += Fraction(energy_mj, 3_600_000_000) * Fraction(price)
    assert Fraction(booked, 3_600_000_000 * 1_000_000) == money


@dataclass(frozen=True)
class Spoken:
    start_wall_ns: int
    end_wall_ns: int
    value: int | None


def test_a_feed_gives_its_prices_with_what_comes_on_top_and_none_where_it_is_silent() -> None:
    tariff = Tariff("EUR", "UTC", lambda _: 0, by_feed=True, adder=200)
    spans = [Spoken(-50, 10, 1000), Spoken(10, 20, -900), Spoken(20, 25, None), Spoken(30, 40, 5), Spoken(60, 70, 1)]
    assert feed_price_points(tariff, spans, 0, 50) == [
        PricePoint(0, 10, 1200),
        PricePoint(10, 20, -700),
        PricePoint(20, 30, None),
        PricePoint(30, 40, 205),
        PricePoint(40, 50, None),
    ]
    assert feed_price_points(tariff, [], 0, 50) == [PricePoint(0, 50, None)]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9), st.integers(-5, 5)), max_size=9), st.data())
def test_points_of_a_feed_tile_the_range(rows: list[tuple[int, int, int]], data: st.DataObject) -> None:
    spans, end = [], 0
    for pause, length, value in rows:
        spans.append(Spoken(end + pause, end + pause + length, value))
        end += pause + length
    start, middle, last = sorted(data.draw(st.tuples(*[st.integers(-5, end + 5)] * 3)))
    tariff = Tariff("EUR", "UTC", lambda _: 0, by_feed=True)
    points = feed_price_points(tariff, spans, start, last)
    assert sum(point.end_wall_ns - point.start_wall_ns for point in points) == last - start
    assert all(one.end_wall_ns == other.start_wall_ns for one, other in pairwise(points))
    halves = [feed_price_points(tariff, spans, start, middle), feed_price_points(tariff, spans, middle, last)]
    assert _cost(points) == tuple(map(sum, zip(*map(_cost, halves), strict=True)))


def test_two_prices_at_once_are_refused() -> None:
    tariff = Tariff("EUR", "UTC", lambda _: 0, by_feed=True)
    with pytest.raises(ValueError, match="begins before 10"):
        feed_price_points(tariff, [Spoken(0, 10, 1), Spoken(9, 20, 2)], 0, 50)
