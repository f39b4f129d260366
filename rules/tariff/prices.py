"""The price of each moment, as stretches of wall time that follow one another without a gap."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Protocol

from wattledger.rules.instant import NS_PER_SECOND

from .model import DAY_MINUTES, Period, Tariff, UtcOffset

_DAY_SECONDS = 86_400
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class PricePoint:
    """A price for `[start, end)` of wall time (ns since the Unix epoch), in millionths of the currency per kWh.

    `value` is None where there is no price. `label` is that of the period, empty for a price that is of none.
    """

    start_wall_ns: int
    end_wall_ns: int
    value: int | None
    label: str = ""


class FeedSpan(Protocol):
    """What a feed says of `[start, end)`: millionths of the currency per kWh, or None where it says nothing."""

    @property
    def start_wall_ns(self) -> int: ...
    @property
    def end_wall_ns(self) -> int: ...
    @property
    def value(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class _Rate:
    value: int | None
    label: str


@dataclass(frozen=True, slots=True)
class _DayPlan:
    """What a local day costs. `ends` are minutes since midnight, the last the end of the day; a rate for each."""

    ends: tuple[int, ...]
    rates: tuple[_Rate, ...]


def cost_product(energy_mj: int, value: int) -> int:
    """Give energy times price, undivided: 3.6e9 of it are a millionth of the currency. Sums of it are exact."""
    return energy_mj * value


def price_points(tariff: Tariff, start_wall_ns: int, end_wall_ns: int) -> list[PricePoint]:
    """Give the prices of a tariff that no feed makes. They tile `[start, end)`; neighbours differ.

    Periods go by the local clock: the hour that clocks repeat in autumn has its price twice, the one that they leave
    out in spring has none.
    """
    points: list[PricePoint] = []
    plans: dict[int, _DayPlan] = {}
    at_ns = start_wall_ns
    while at_ns < end_wall_ns:
        second = at_ns // NS_PER_SECOND
        offset = tariff.offset_at(second)
        day, second_of_day = divmod(second + offset, _DAY_SECONDS)
        if day not in plans:
            plans[day] = _plan(tariff, date.fromordinal(_EPOCH_ORDINAL + day))
        place = bisect_right(plans[day].ends, second_of_day // 60)
        rate = plans[day].rates[place]
        until = second + plans[day].ends[place] * 60 - second_of_day
        until_ns = min(_while_same(tariff.offset_at, second, until) * NS_PER_SECOND, end_wall_ns)
        _append(points, PricePoint(at_ns, until_ns, rate.value, rate.label))
        at_ns = until_ns
    return points


def feed_price_points(
    tariff: Tariff, spans: Iterable[FeedSpan], start_wall_ns: int, end_wall_ns: int
) -> list[PricePoint]:
    """Give the prices of a tariff that a feed makes. They tile `[start, end)`; where the feed has none there is none.

    *spans* are in order of time. Raises ValueError when they overlap, for then two prices hold at once.
    """
    points: list[PricePoint] = []
    at_ns, last_end_ns = start_wall_ns, None
    for span in spans:
        if last_end_ns is not None and span.start_wall_ns < last_end_ns:
            raise ValueError(f"a price from {span.start_wall_ns} on begins before {last_end_ns}, where the last ends")
        last_end_ns = span.end_wall_ns
        first_ns, until_ns = max(span.start_wall_ns, at_ns), min(span.end_wall_ns, end_wall_ns)
        if until_ns <= first_ns:
            continue
        if at_ns < first_ns:
            _append(points, PricePoint(at_ns, first_ns, None))
        value = None if span.value is None else span.value + tariff.adder
        _append(points, PricePoint(first_ns, until_ns, value))
        at_ns = until_ns
    if at_ns < end_wall_ns:
        _append(points, PricePoint(at_ns, end_wall_ns, None))
    return points


def covering(periods: Iterable[Period], minute: int) -> Iterator[Period]:
    """Give those of *periods* that cover the minute of a day to which all of them apply."""
    return (period for period in periods if period.covers(minute))


def edges(periods: Iterable[Period]) -> list[int]:
    """Give the minutes of a day between which the price cannot change, midnight at both ends included."""
    minutes = {0, DAY_MINUTES}
    minutes.update(minute for period in periods for part in period.parts for minute in part)
    return sorted(minutes)


def _plan(tariff: Tariff, day: date) -> _DayPlan:
    month, day_type = day.month, tariff.day_type(day)
    periods = [period for period in tariff.periods if period.applies_to(month, day_type) and period.is_valid_on(day)]
    minutes = edges(periods)
    rates = []
    for minute in minutes[:-1]:
        first = next(covering(periods, minute), None)
        rates.append(_Rate(tariff.value, "") if first is None else _Rate(first.value, first.label))
    return _DayPlan(tuple(minutes[1:]), tuple(rates))


def _while_same(offset_at: UtcOffset, second: int, until: int) -> int:
    """Give *until*, or the earlier second at which local clocks are put forward or back.

    Within a day they are so at most once.
    """
    offset = offset_at(second)
    if offset_at(until - 1) == offset:
        return until
    low, high = second, until - 1
    while high - low > 1:
        middle = (low + high) // 2
        if offset_at(middle) == offset:
            low = middle
        else:
            high = middle
    return high


def _append(points: list[PricePoint], point: PricePoint) -> None:
    """Add *point*, which begins where the last ends; two of one price become one."""
    last = points[-1] if points else None
    if last is not None and (last.value, last.label) == (point.value, point.label):
        points[-1] = replace(last, end_wall_ns=point.end_wall_ns)
    else:
        points.append(point)
