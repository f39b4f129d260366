"""Tariffs for tests, the local clocks of real time zones, and a price by the minute computed in another way."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.tariff.model import (
    DAY_MINUTES,
    DayType,
    HourSpan,
    Period,
    Tariff,
    UtcOffset,
)
from wattledger.rules.tariff.prices import PricePoint

MINUTE_NS = 60 * NS_PER_SECOND
HOUR_NS = 60 * MINUTE_NS
# One that is put forward by half an hour, and some that are a quarter of an hour or half of one off.
ZONES = ("UTC", "Europe/Berlin", "Asia/Shanghai", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns")
LABELS = ("sharp", "peak", "flat", "valley", "deep_valley")
HOLIDAYS = frozenset({date(2026, 10, 1), date(2026, 10, 4), date(2026, 10, 26)})
WORKDAYS = frozenset({date(2026, 10, 10), date(2026, 10, 25)})


def clock(name: str) -> UtcOffset:
    zone = ZoneInfo(name)

    def offset_at(second: int) -> int:
        offset = datetime.fromtimestamp(second, zone).utcoffset()
        assert offset is not None
        return int(offset.total_seconds())

    return offset_at


def make(*periods: Period, zone: str = "UTC", value: int | None = None) -> Tariff:
    return Tariff("CNY", zone, clock(zone), value=value, periods=periods, holidays=HOLIDAYS, workdays=WORKDAYS)


def at(text: str, zone: str = "UTC") -> int:
    """Give the wall time of a local time; of two that are the same the first, unless *text* has an offset."""
    moment = datetime.fromisoformat(text)
    return round((moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))).timestamp()) * NS_PER_SECOND


def span(text: str) -> HourSpan:
    start, end = text.split("-")
    start_minute, end_minute = (int(part[:-3]) * 60 + int(part[-2:]) for part in (start, end))
    return HourSpan(start_minute, end_minute or DAY_MINUTES)


def told(points: list[PricePoint], zone: str = "UTC") -> list[tuple[str, int | None, str]]:
    """Give the local start of each point with its price and label."""
    starts_at = (datetime.fromtimestamp(point.start_wall_ns // NS_PER_SECOND, ZoneInfo(zone)) for point in points)
    return [
        (start.strftime("%d %H:%M"), point.value, point.label) for start, point in zip(starts_at, points, strict=True)
    ]


def by_the_minute(tariff: Tariff, wall_ns: int) -> tuple[int | None, str]:
    """Look up one moment as a person would: by the date and the clock on the wall."""
    utc = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=wall_ns // NS_PER_SECOND)
    local = utc.astimezone(ZoneInfo(tariff.timezone))
    day, minute = local.date(), local.hour * 60 + local.minute
    if day in HOLIDAYS:
        kind = DayType.HOLIDAY
    elif day in WORKDAYS:
        kind = DayType.WORKDAY
    else:
        kind = DayType.WEEKEND if local.strftime("%a") in ("Sat", "Sun") else DayType.WORKDAY
    for period in tariff.periods:
        if day.month not in period.months or kind not in period.days:
            continue
        if (period.from_day and day < period.from_day) or (period.to_day and day >= period.to_day):
            continue
        if not period.hours or any(_holds(hours, minute) for hours in period.hours):
            return period.value, period.label
    return tariff.value, ""


def _holds(hours: HourSpan, minute: int) -> bool:
    if hours.start_minute < hours.end_minute:
        return hours.start_minute <= minute < hours.end_minute
    return minute >= hours.start_minute or minute < hours.end_minute


def cut(start_ns: int, end_ns: int, places: list[float]) -> Iterator[tuple[int, int]]:
    """Give the range in pieces, cut at the *places* between 0 and 1."""
    marks = sorted({start_ns, end_ns, *(start_ns + int(place * (end_ns - start_ns)) for place in places)})
    return pairwise(marks)


values = st.integers(-500_000, 3_000_000)
hour_spans = (
    st.tuples(st.integers(0, DAY_MINUTES - 1), st.integers(1, DAY_MINUTES))
    .filter(lambda pair: pair[0] != pair[1])
    .map(lambda pair: HourSpan(*pair))
)
dates = st.none() | st.dates(date(2026, 9, 1), date(2026, 11, 20))
periods = st.builds(
    Period,
    label=st.sampled_from(LABELS),
    value=values,
    months=st.frozensets(st.integers(8, 12), min_size=1),
    days=st.frozensets(st.sampled_from(DayType), min_size=1),
    hours=st.lists(hour_spans, max_size=3).map(tuple),
    from_day=dates,
    to_day=dates,
)
tariffs = st.builds(
    lambda found, zone, value: make(*found, zone=zone, value=value),
    st.lists(periods, max_size=5),
    st.sampled_from(ZONES),
    st.none() | values,
)
# September to November 2026: Berlin and St. John's put their clocks back in it, Lord Howe forward.
CHANGES = tuple(map(at, ("2026-10-25T01:00:00Z", "2026-11-01T04:30:00Z", "2026-10-03T15:30:00Z")))
starts = st.one_of(
    st.integers(at("2026-09-20T00:00:00Z"), at("2026-11-10T00:00:00Z")),
    st.builds(lambda change, back: change - back, st.sampled_from(CHANGES), st.integers(0, 12 * HOUR_NS)),
)
