"""The section `tariff` as it is written: what each key takes, what is refused, and with which cure."""

from datetime import date

import pytest

from tests.agent.tariff_sections import decode, load
from wattledger.agent.config.tariff_schema import DemandCharge, TariffPeriod
from wattledger.agent.tariff import make_tariff, tariff_doubts, tariff_mistakes
from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.tariff.model import EVERY_DAY, EVERY_MONTH, DayType, Demand, HourSpan, Period

WHOLE = """
tariff:
  currency: CNY
  timezone: Asia/Shanghai
  price: 0.6512
  periods:
  - {label: sharp, price: 1.234567, months: [7, 8], hours: ["11:00-13:00", 16:00-17:00]}
  - {label: 谷, price: -0.02, days: [weekend, holiday], hours: [23:00-7:00, "22:30\N{EN DASH}22:45", 9:00-24:00]}
  - {label: old, price: 1, days: every, from: 2025-01-01, to: "2026-01-01"}
  holidays: [2026-10-01, "2026-10-02"]
  workdays: [2026-10-10]
  demand: {price_per_kw_month: 38.4, window: 30m}
"""
ONE = "tariff: {currency: CNY, timezone: UTC, periods: [{label: a, price: 1, %s}]}"


def test_every_key_is_read_without_a_float_between() -> None:
    section = load(WHOLE)
    assert (section.currency, section.timezone, section.price_millionths) == ("CNY", "Asia/Shanghai", 651_200)
    assert section.periods == (
        TariffPeriod(
            label="sharp",
            price_millionths=1_234_567,
            months=(7, 8),
            hours=(HourSpan(660, 780), HourSpan(960, 1020)),
        ),
        TariffPeriod(
            label="谷",
            price_millionths=-20_000,
            days=(DayType.WEEKEND, DayType.HOLIDAY),
            hours=(HourSpan(1380, 420), HourSpan(1350, 1365), HourSpan(540, 1440)),
        ),
        TariffPeriod(label="old", price_millionths=1_000_000, from_day=date(2025, 1, 1), to_day=date(2026, 1, 1)),
    )
    assert section.holidays == (date(2026, 10, 1), date(2026, 10, 2))
    assert section.workdays == (date(2026, 10, 10),)
    assert section.demand == DemandCharge(per_kw_millionths=38_400_000, window_ns=1800 * NS_PER_SECOND)
    assert list(tariff_mistakes(section)) == []


def test_the_tariff_of_a_section_means_the_same() -> None:
    tariff = make_tariff(load(WHOLE))
    assert tariff.offset_at(0) == 8 * 3600
    assert (tariff.currency, tariff.timezone, tariff.value, tariff.by_feed) == (
        "CNY",
        "Asia/Shanghai",
        651_200,
        False,
    )
    assert tariff.demand == Demand(38_400_000, 1800 * NS_PER_SECOND)
    assert tariff.periods[2] == Period(
        "old", 1_000_000, EVERY_MONTH, EVERY_DAY, (), date(2025, 1, 1), date(2026, 1, 1)
    )
    assert tariff.day_type(date(2026, 10, 1)) is DayType.HOLIDAY
    assert tariff.day_type(date(2026, 10, 10)) is DayType.WORKDAY


def test_a_tariff_with_periods_that_are_empty_is_accepted() -> None:
    section = load("tariff: {currency: CNY, periods: []}")
    assert list(tariff_mistakes(section)) == []
    assert list(tariff_doubts(section)) == [
        ("", "has no price, so that no cost is told; add price, periods or a feed")
    ]
    assert make_tariff(section).offset_at(1_790_000_000) == 0


NO_HOURS = 'is no stretch of the day; write two times of the clock, such as "18:00-21:00"'
REFUSED = {
    "hours in words": (ONE % "hours: [night]", "periods[0].hours[0]", NO_HOURS),
    "hours that YAML takes for a number": (ONE % "hours: [18:00]", "periods[0].hours[0]", NO_HOURS),
    "hours of no length": (
        ONE % "hours: [7:00-07:00]",
        "periods[0].hours[0]",
        "is empty; for the whole day write 00:00-24:00 or leave hours out",
    ),
    "hours from the end of the day": (
        ONE % "hours: [24:00-7:00]",
        "periods[0].hours[0]",
        "begins at the end of the day; for the beginning of a day write 00:00",
    ),
    "hours of a day that is longer": (
        ONE % "hours: [22:00-24:30]",
        "periods[0].hours[0]",
        "ends after 24:00; for hours past midnight write the time of the clock, such as 23:00-07:00",
    ),
    "a month that is none": (
        ONE % "months: [13]",
        "periods[0].months[0]",
        "is out of range; write a whole number from 1 to 12",
    ),
    "a day type that is none": (
        ONE % "days: [workdays]",
        "periods[0].days[0]",
        "is not known; did you mean `workday`?",
    ),
    "a date that is none": (
        ONE % "from: 2026-02-30",
        "periods[0].from",
        "is no day of the calendar (day is out of range for month); correct it",
    ),
    "a date that is written otherwise": (
        ONE % "from: 1.2.2026",
        "periods[0].from",
        "is no date; write year, month and day, such as 2026-10-01",
    ),
    "a date of another age": (
        ONE % "to: 1026-10-01",
        "periods[0].to",
        "is out of range; write a year from 1990 to 2200",
    ),
    "a price of too many digits": (
        "tariff: {currency: CNY, price: 0.12345678}",
        "price",
        "has too many decimals; write at most 6",
    ),
    "a window that energy is not kept by": (
        "tariff: {currency: CNY, price: 1, demand: {price_per_kw_month: 1, window: 5m}}",
        "demand.window",
        "is no window of demand; write 15m, 30m or 1h",
    ),
    "a label that is blank": (
        "tariff: {currency: CNY, periods: [{label: '  ', price: 1}]}",
        "periods[0].label",
        "has 2 characters; write 1 to 40, not all blank, such as peak",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_value_is_refused_with_its_place_and_cure(name: str) -> None:
    text, key, message = REFUSED[name]
    _, (told,) = decode(text)
    place, told_key, said = told.split(": ", 2)
    value, said = said.removeprefix("`").split("` ", 1)
    assert (told_key, said) == (f"tariff.{key}", message)
    # The column counts from 1; text in quotes begins with its quote.
    assert text[int(place.removeprefix("1:")) - 1 :].lstrip("'").startswith(value)


def test_a_currency_is_required() -> None:
    assert decode("tariff: {price: 1}")[1] == ["1:9: tariff: lacks the key `currency`; add it"]


FEED = "feed: {kind: csv, path: prices.csv}"
MISTAKES = {
    "periods beside a feed": (
        f"tariff: {{currency: EUR, {FEED}, periods: [{{label: a, price: 1}}]}}",
        [("periods", "stand beside a feed, which gives every price; keep one of the two")],
    ),
    "a price beside a feed": (
        f"tariff: {{currency: EUR, {FEED}, price: 1}}",
        [
            (
                "price",
                "stands beside a feed, which gives every price; write adder for what comes on top, or remove it",
            )
        ],
    ),
    "an adder without a feed": (
        "tariff: {currency: EUR, price: 1, adder: 0.1}",
        [("adder", "adds to the prices of a feed, and there is none; add a feed, or put it into the prices")],
    ),
    "no day": (
        ONE % "days: []",
        [("periods[0].days", "names no day; write every or a list of workday, weekend, holiday")],
    ),
    "an end that is not after the beginning": (
        ONE % "from: 2026-01-01, to: 2026-01-01",
        [("periods[0].to", "is not after `from`, and is the first day after; exchange or correct one")],
    ),
    "dates that are listed twice": (
        "tariff: {currency: CNY, price: 1, holidays: [2026-10-01, 2026-10-01], workdays: [2026-10-01]}",
        [
            ("holidays[1]", "`2026-10-01` is listed twice; keep one of them"),
            ("workdays[0]", "`2026-10-01` stands under holidays too; keep one of them"),
        ],
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_what_cannot_be_meant_is_told_with_its_key(name: str) -> None:
    text, told = MISTAKES[name]
    assert list(tariff_mistakes(load(text))) == told


CURE = "; add a period, or price for all that no period covers"
SHOULDER = (
    "(shoulder) and periods[0] (peak) both cover workdays 14:30-15:00 in January, where the earlier "
    "one counts; if that is not meant, put this one before it or change the hours"
)
DOUBTS: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "nothing": (f"tariff: {{currency: EUR, {FEED}, adder: 0.1}}", []),
    "no timezone": (
        "tariff: {currency: CNY, periods: [{label: a, price: 1}]}",
        [("", "has periods and no timezone, so they go by UTC; add timezone: Asia/Shanghai, or UTC to say so")],
    ),
    "a gap of an hour on weekends": (
        """
        tariff:
          currency: CNY
          timezone: UTC
          periods:
          - {label: a, price: 1, hours: [8:00-7:00]}
          - {label: b, price: 1, days: [workday], hours: [7:00-8:00]}
        """,
        [("periods", f"no price on weekends 07:00-08:00{CURE}")],
    ),
    "a gap over midnight in some months": (
        """
        tariff:
          currency: CNY
          timezone: UTC
          periods:
          - {label: b, price: 1, months: [1, 2, 5, 6, 7, 9]}
          - {label: a, price: 1, hours: [7:00-12:00, 13:00-23:00]}
        """,
        [
            (
                "periods",
                f"no price 12:00-13:00 and 23:00-07:00 in March, April, August and October to December{CURE}",
            )
        ],
    ),
    "a table that ends": (
        ONE % "from: 2026-01-01, to: 2027-01-01",
        [("periods", f"no price from 2027-01-01{CURE}")],
    ),
    "an overlap": (
        """
        tariff:
          currency: CNY
          timezone: UTC
          price: 1
          periods:
          - {label: peak, price: 2, hours: [10:00-15:00]}
          - {label: shoulder, price: 3, hours: [14:30-17:00]}
        """,
        [
            (
                "periods[1]",
                SHOULDER,
            )
        ],
    ),
    "periods that are never used": (
        """
        tariff:
          currency: CNY
          timezone: UTC
          price: 1
          periods:
          - {label: peak, price: 2, hours: [10:00-15:00]}
          - {label: sharp, price: 3, hours: [11:00-12:00]}
          - {label: feast, price: 3, days: [holiday]}
          - {label: odd, price: 3, months: [5], from: 2026-01-01, to: 2026-03-01}
        """,
        [
            ("periods[1]", "(sharp) is never used, for earlier periods cover all of it; put it before them"),
            ("periods[2]", "(feast) is for holidays and none is listed; list their dates under holidays"),
            ("periods[3]", "(odd) covers no day; its months do not come between its `from` and `to`"),
        ],
    ),
}


@pytest.mark.parametrize("name", DOUBTS)
def test_what_does_less_than_it_seems_to_is_told(name: str) -> None:
    text, told = DOUBTS[name]
    assert list(tariff_doubts(load(text))) == told


def test_many_gaps_are_not_all_told() -> None:
    rows = "".join(
        f"  - {{label: a, price: 1, months: [{month}], hours: [{month}:00-24:00]}}\n" for month in range(1, 10)
    )
    told = list(tariff_doubts(load(f"tariff:\n  currency: CNY\n  timezone: UTC\n  periods:\n{rows}")))
    assert len(told) == 6
    assert told[-1] == ("periods", "leave 5 more gaps without a price; add price for all of them")
