"""What periods leave without a price is found to the minute, and so is what stands in the way of what."""

from dataclasses import replace
from datetime import date

from hypothesis import given

from tests.rules.tariff.tariffs import MINUTE_NS, at, by_the_minute, make, span, tariffs
from wattledger.rules.tariff.coverage import Clash, Findings, Gap, look_over
from wattledger.rules.tariff.model import DayType, Period, Tariff

WORKDAYS_ONLY = frozenset({DayType.WORKDAY})
NIGHT = Period("valley", 1, hours=(span("23:00-07:00"),))
DAY = Period("flat", 2, hours=(span("07:00-23:00"),))
PEAK = Period("peak", 5, hours=(span("10:00-15:00"),))


def test_a_day_that_is_covered_has_nothing_to_tell() -> None:
    assert look_over(make(NIGHT, DAY)) == Findings(gaps=(), clashes=(), never=(), hidden=())


def test_a_gap_is_told_with_its_days_and_months() -> None:
    day = replace(DAY, days=WORKDAYS_ONLY)
    summer = replace(DAY, months=frozenset({7, 8}))
    gap = Gap(((420, 1380),), frozenset({DayType.WEEKEND, DayType.HOLIDAY}), frozenset({*range(1, 7), *range(9, 13)}))
    assert look_over(make(NIGHT, day, summer)).gaps == (gap,)


def test_without_holidays_no_day_is_one() -> None:
    tariff = replace(make(replace(DAY, days=WORKDAYS_ONLY), NIGHT), holidays=frozenset())
    assert look_over(tariff).gaps == (Gap(((420, 1380),), frozenset({DayType.WEEKEND}), None),)


def test_a_price_for_the_rest_leaves_no_gap() -> None:
    assert look_over(make(PEAK, value=1)).gaps == ()


def test_what_ends_is_told_and_what_began_once_is_not() -> None:
    first, last = date(2026, 1, 1), date(2027, 1, 1)
    dated = [replace(period, from_day=first, to_day=last) for period in (NIGHT, DAY)]
    assert look_over(make(*dated)).gaps == (Gap(((0, 1440),), None, None, last, None),)


def test_a_gap_that_goes_on_under_the_next_table_is_told_once() -> None:
    change = date(2026, 4, 1)
    tables = [replace(NIGHT, to_day=change), replace(NIGHT, value=9, from_day=change)]
    assert look_over(make(*tables)).gaps == (Gap(((420, 1380),), None, None),)


def test_months_that_a_short_table_does_not_have_are_no_gap() -> None:
    spring = replace(DAY, months=frozenset({3, 4}), from_day=date(2026, 3, 1), to_day=date(2026, 5, 1))
    assert look_over(make(NIGHT, spring)).gaps == (
        Gap(((420, 1380),), None, None, None, date(2026, 3, 1)),
        Gap(((420, 1380),), None, None, date(2026, 5, 1), None),
    )


def test_the_last_month_of_a_short_table_counts() -> None:
    dates = date(2026, 3, 1), date(2026, 5, 1)
    march = replace(DAY, months=frozenset({3}), from_day=dates[0], to_day=dates[1])
    assert Gap(((420, 1380),), None, frozenset({4}), *dates) in look_over(make(NIGHT, march)).gaps


def test_two_periods_that_overlap_are_a_clash() -> None:
    shoulder = Period("shoulder", 3, hours=(span("14:00-17:00"),))
    clash = Clash(0, 1, (840, 900), DayType.WORKDAY, 1)
    assert look_over(make(PEAK, shoulder, value=1)).clashes == (clash,)


def test_an_exception_before_its_rule_is_no_clash() -> None:
    within = Period("sharp", 9, hours=(span("11:00-13:00"),))
    in_july = Period("sharp", 9, months=frozenset({7}), hours=(span("14:00-17:00"),))
    same = Period("peak", 5, hours=(span("14:00-17:00"),))
    assert look_over(make(within, PEAK, value=1)).clashes == ()
    assert look_over(make(in_july, PEAK, value=1)).clashes == ()
    assert look_over(make(PEAK, same, value=1)).clashes == ()  # it makes no difference


def test_the_days_of_an_exception_may_be_others_too() -> None:
    sharp = Period("sharp", 9, months=frozenset({7, 8}), hours=(span("14:00-17:00"),))
    peak = replace(PEAK, days=WORKDAYS_ONLY)
    assert look_over(make(sharp, peak, value=1)).clashes == ()
    of_july = replace(peak, months=frozenset({7}))
    assert look_over(make(sharp, of_july, value=1)).clashes == (Clash(0, 1, (840, 900), DayType.WORKDAY, 7),)


def test_an_exception_after_its_rule_is_hidden() -> None:
    sharp = Period("sharp", 9, hours=(span("11:00-13:00"),))
    findings = look_over(make(PEAK, sharp, value=1))
    assert (findings.never, findings.hidden, findings.clashes) == ((1,), (1,), ())


def test_a_period_without_a_day_is_told_and_not_hidden() -> None:
    never = replace(PEAK, months=frozenset({7}), from_day=date(2026, 1, 1), to_day=date(2026, 3, 1))
    findings = look_over(make(NIGHT, never, DAY))
    assert (findings.never, findings.hidden) == ((1,), ())


@given(tariffs)
def test_a_tariff_has_a_gap_within_its_dates_just_where_a_moment_has_no_price(tariff: Tariff) -> None:
    tariff = replace(
        tariff,
        timezone="UTC",
        value=None,
        periods=tuple(replace(period, from_day=None, to_day=None) for period in tariff.periods),
    )
    gaps = look_over(tariff).gaps
    for day, kind in (("01", DayType.HOLIDAY), ("05", DayType.WORKDAY), ("17", DayType.WEEKEND)):
        told = {
            minute
            for gap in gaps
            if (gap.days is None or kind in gap.days) and (gap.months is None or 10 in gap.months)
            for start, end in gap.spans
            for minute in range(start, end)
        }
        midnight = at(f"2026-10-{day}T00:00:00Z")
        looks = range(0, 1440, 7)
        missing = {minute for minute in looks if by_the_minute(tariff, midnight + minute * MINUTE_NS)[0] is None}
        assert told & set(looks) == missing
