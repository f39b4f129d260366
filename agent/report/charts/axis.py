"""Ticks of the axes of a chart: moments of the reader's calendar, and round numbers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from math import ceil, floor, log10

from .buckets import local_time, runs

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MOST_LABELS = 12  # that fit side by side where a page is narrow
_MOST_WITH_WEEKDAY = 8
_MOST_DAYS_MARKED = 120  # midnights and weekends beyond are too narrow to see
_HOUR_STEPS = (1, 3, 6, 12)
_DAY_STEPS = (1, 2, 7, 14)
_MONTH_STEPS = (1, 3, 12, 60)
NIGHT_FROM, NIGHT_TO = 20, 6


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled place on an axis, from 0 at its beginning to 1 at its end."""

    place: float
    label: str


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """A stretch of UTC hours, `[start, end)`, and the clock on which it is labelled."""

    start_hour: int
    end_hour: int
    zone: tzinfo

    @property
    def hours(self) -> int:
        """Give its length."""
        return self.end_hour - self.start_hour

    @property
    def changes_clocks(self) -> bool:
        """Tell whether clocks are ahead of UTC by more at one end than at the other."""
        ends = (local_time(hour, self.zone).utcoffset() for hour in (self.start_hour, self.end_hour))
        return len(set(ends)) > 1

    def ticks(self) -> list[Tick]:
        """Give the labelled places: hours, midnights or the first of months."""
        for step in _HOUR_STEPS:
            if self.hours <= step * _MOST_LABELS:
                return list(self._hour_ticks(step))
        for step in _DAY_STEPS:
            if self.hours <= step * 24 * _MOST_LABELS:
                return list(self._day_ticks(step))
        for step in _MONTH_STEPS[:-1]:
            if self.hours <= step * 31 * 24 * _MOST_LABELS:
                return list(self._month_ticks(step))
        return list(self._month_ticks(_MONTH_STEPS[-1]))

    def midnights(self) -> list[float]:
        """Give where days begin; none where there are too many of them."""
        return [self._place(midnight) for _, midnight in self._days()] if self._marks_days else []

    def weekends(self) -> list[tuple[float, float]]:
        """Give Saturdays with their Sundays; none where there are too many of them."""
        return self._stretches(is_weekend)

    def nights(self) -> list[tuple[float, float]]:
        """Give the nights, from 20:00 to 6:00; none where there are too many of them."""
        return self._stretches(is_night)

    @property
    def _marks_days(self) -> bool:
        return self.hours <= _MOST_DAYS_MARKED * 24

    def _stretches(self, holds: Callable[[datetime], bool]) -> list[tuple[float, float]]:
        """Give where something holds, hour by hour."""
        if not self._marks_days:
            return []
        held = [holds(local_time(hour, self.zone)) for hour in range(self.start_hour, self.end_hour)]
        return [(first / self.hours, last / self.hours) for first, last in runs(held)]

    def _place(self, moment: datetime) -> float:
        return (moment.timestamp() / 3600 - self.start_hour) / self.hours

    def _days(self) -> Iterator[tuple[date, datetime]]:
        """Give the days that begin within, with the moment at which each does."""
        day = local_time(self.start_hour, self.zone).date()
        while True:
            midnight = datetime(day.year, day.month, day.day, tzinfo=self.zone)
            hour = midnight.timestamp() / 3600
            if hour >= self.end_hour:
                return
            if hour >= self.start_hour:
                yield day, midnight
            day += timedelta(days=1)

    def _hour_ticks(self, step: int) -> Iterator[Tick]:
        for hour in range(self.start_hour, self.end_hour):
            # Where clocks differ from UTC by parts of an hour, the full hour is within this one.
            begin = local_time(hour, self.zone)
            past = timedelta(minutes=begin.minute)
            local = begin if not past else (begin - past) + timedelta(hours=1)
            if local.hour % step == 0 and self._place(local) < 1:
                yield Tick(self._place(local), day_text(local) if local.hour == 0 else f"{local.hour:02}:00")

    def _day_ticks(self, step: int) -> Iterator[Tick]:
        days = [(day, midnight) for day, midnight in self._days() if (day.toordinal() - 1) % step == 0]
        for day, midnight in days:
            label = f"{day.day} {_MONTHS[day.month - 1]}"
            if len(days) <= _MOST_WITH_WEEKDAY:
                label = f"{_DAYS[day.weekday()]} {label}"
            yield Tick(self._place(midnight), label)

    def _month_ticks(self, step: int) -> Iterator[Tick]:
        for day, midnight in self._days():
            if day.day == 1 and (day.year * 12 + day.month - 1) % step == 0:
                is_new_year = day.month == 1
                yield Tick(self._place(midnight), str(day.year) if is_new_year else _MONTHS[day.month - 1])


def is_night(local: datetime) -> bool:
    """Tell whether few people work at that hour."""
    return local.hour >= NIGHT_FROM or local.hour < NIGHT_TO


def is_weekend(local: datetime) -> bool:
    """Tell whether it is Saturday or Sunday."""
    return local.weekday() >= 5


def day_text(local: datetime) -> str:
    """Give a day as in "Mon 5 Oct"."""
    return f"{_DAYS[local.weekday()]} {local.day} {_MONTHS[local.month - 1]}"


def date_text(local: datetime) -> str:
    """Give a day with its year."""
    return f"{local.day} {_MONTHS[local.month - 1]} {local.year}"


def span_text(axis: TimeAxis, start_hour: int, end_hour: int) -> str:
    """Give a stretch of hours on the reader's clock, with the name of the clock where it is changed."""
    start, end = (local_time(hour, axis.zone) for hour in (start_hour, end_hour))
    if start.hour == end.hour == start.minute == end.minute == 0:
        last = local_time(end_hour - 1, axis.zone)
        return day_text(start) if last.date() == start.date() else f"{day_text(start)} to {day_text(last)}"
    clock = f" {start.tzname()}" if axis.changes_clocks else ""
    until = f"{end:%H:%M}" if (end - timedelta(minutes=1)).date() == start.date() else f"{day_text(end)} {end:%H:%M}"
    return f"{day_text(start)} {start:%H:%M}{clock} to {until}"


def round_steps(most: float, count: int = 4) -> list[float]:
    """Give about *count* round numbers from 0 on, the last not below *most*, which is not negative."""
    if most <= 0:
        return [0.0, 1.0]
    rough = most / count
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * (1 - 1e-9))
    return [step * number for number in range(ceil(most / step - 1e-9) + 1)]


def step_text(number: float) -> str:
    """Give a round number as short as it can be."""
    return f"{number:,.10f}".rstrip("0").rstrip(".")
