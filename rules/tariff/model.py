"""A tariff as whole numbers and calendar rules; which configuration it came from is not known here."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

DAY_MINUTES = 1440
EVERY_MONTH = frozenset(range(1, 13))

UtcOffset = Callable[[int], int]
"""Gives how many seconds local clocks are ahead of UTC at a second since the Unix epoch."""


class DayType(StrEnum):
    """What a day is to a tariff. Each day is exactly one of them."""

    WORKDAY = "workday"
    WEEKEND = "weekend"
    HOLIDAY = "holiday"  # listed; neither of the others, whatever the day of the week


EVERY_DAY = frozenset(DayType)


@dataclass(frozen=True, slots=True)
class HourSpan:
    """A stretch of the local clock, `[start, end)`, in minutes since midnight: start 0 to 1439, end 1 to 1440.

    An end that is not after the start is past midnight. The two parts then belong to two days: the hours before
    midnight to one day, those after it to the next, each under the rules of its own day.
    """

    start_minute: int
    end_minute: int

    @property
    def parts(self) -> tuple[tuple[int, int], ...]:
        """Give what it covers of one and the same day."""
        if self.start_minute < self.end_minute:
            return ((self.start_minute, self.end_minute),)
        return ((0, self.end_minute), (self.start_minute, DAY_MINUTES))

    def __str__(self) -> str:
        """Give the form it is written in."""
        return f"{clock_text(self.start_minute)}-{clock_text(self.end_minute)}"


def clock_text(minute: int) -> str:
    """Give minutes since midnight as a clock shows them; the end of the day is 24:00."""
    return f"{minute // 60:02}:{minute % 60:02}"


@dataclass(frozen=True, slots=True)
class Period:
    """A price for some of the time. `value` is in millionths of the currency per kWh and may be negative.

    `from_day` is the first day it is valid on, `to_day` the first on which it is not any more; None is without limit.
    Without `hours` it is the whole day. A label is a name and says nothing of the price.
    """

    label: str
    value: int
    months: frozenset[int] = EVERY_MONTH
    days: frozenset[DayType] = EVERY_DAY
    hours: tuple[HourSpan, ...] = ()
    from_day: date | None = None
    to_day: date | None = None

    def is_valid_on(self, day: date) -> bool:
        """Tell whether *day* lies within its validity."""
        return (self.from_day is None or self.from_day <= day) and (self.to_day is None or day < self.to_day)

    def applies_to(self, month: int, day_type: DayType) -> bool:
        """Tell whether it covers some hours of such days."""
        return month in self.months and day_type in self.days

    @property
    def parts(self) -> tuple[tuple[int, int], ...]:
        """Give what it covers of a day, in minutes since midnight."""
        if not self.hours:
            return ((0, DAY_MINUTES),)
        return tuple(part for span in self.hours for part in span.parts)

    def covers(self, minute: int) -> bool:
        """Tell whether it covers the minute of a day to which it applies."""
        return any(start <= minute < end for start, end in self.parts)


@dataclass(frozen=True, slots=True)
class Demand:
    """A charge for the highest mean power of a month: millionths of the currency per kW, and over how long a mean."""

    value_per_kw: int
    window_ns: int


@dataclass(frozen=True, slots=True)
class Tariff:
    """Prices in one currency, which is a label. Of `periods` the first that covers a moment counts.

    `value` holds where no period does; None: there is no price then. `by_feed`: prices come from a feed instead, and
    `adder` is added to each. `timezone` names the clock that `offset_at` computes.
    """

    currency: str
    timezone: str
    offset_at: UtcOffset = field(compare=False, repr=False)
    value: int | None = None
    periods: tuple[Period, ...] = ()
    holidays: frozenset[date] = frozenset()
    workdays: frozenset[date] = frozenset()  # days that are made workdays, whatever the day of the week
    by_feed: bool = False
    adder: int = 0
    demand: Demand | None = None

    def day_type(self, day: date) -> DayType:
        """Give what *day* is. Saturday and Sunday are the weekend unless they are listed as something else."""
        if day in self.holidays:
            return DayType.HOLIDAY
        if day in self.workdays or day.weekday() < 5:
            return DayType.WORKDAY
        return DayType.WEEKEND
