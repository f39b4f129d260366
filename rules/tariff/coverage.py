"""What the periods of a tariff leave without a price, and which stand in the way of others; wording is not here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise

from .model import EVERY_MONTH, DayType, Period, Tariff
from .prices import edges

Spans = tuple[tuple[int, int], ...]

_ONE_DAY = timedelta(days=1)
_SOME_DAY = date(2000, 1, 1)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Days in which the same periods are valid: `[from, to)`, None without limit, and the months that occur."""

    from_day: date | None
    to_day: date | None
    months: frozenset[int]
    valid: tuple[int, ...]  # numbers of the periods


@dataclass(frozen=True, slots=True)
class Gap:
    """Times of day without a price, on days of these types in these months; None is all that occur.

    `spans` are in minutes since midnight. `from_day` and `to_day` say of which days, None without limit.
    """

    spans: Spans
    days: frozenset[DayType] | None
    months: frozenset[int] | None
    from_day: date | None = None
    to_day: date | None = None


@dataclass(frozen=True, slots=True)
class Clash:
    """Of two periods that both cover a moment, at different prices or under different labels, the first counts.

    One such moment is told: a stretch of a type of day in a month.
    """

    first: int
    second: int
    span: tuple[int, int]
    day_type: DayType
    month: int


@dataclass(frozen=True, slots=True)
class Findings:
    """What is worth a second look. `never` are periods that no moment is of, `hidden` those of them whose every
    moment belongs to an earlier one.
    """

    gaps: tuple[Gap, ...]
    clashes: tuple[Clash, ...]
    never: tuple[int, ...]
    hidden: tuple[int, ...]


def day_types(tariff: Tariff) -> tuple[DayType, ...]:
    """Give the types of days that occur: holidays only where some are listed."""
    return tuple(kind for kind in DayType if kind is not DayType.HOLIDAY or tariff.holidays)


def look_over(tariff: Tariff) -> Findings:
    """Find gaps, clashes and periods that never apply.

    An exception that stands before its rule is no clash: an earlier period that lies wholly within a later one, or
    that is not for all of the months, kinds of days and dates of the later one.
    """
    survey = _Survey(tariff)
    stretches = tuple(_stretches(tariff))
    for stretch in stretches:
        survey.add(stretch)
    never = tuple(number for number, minutes in enumerate(survey.first) if not minutes)
    return Findings(
        gaps=() if tariff.value is not None else tuple(_gaps(tariff, stretches)),
        clashes=tuple(survey.clashes(never)),
        never=never,
        hidden=tuple(number for number in never if survey.covered[number]),
    )


class _Survey:
    """Counts minutes of kinds of days: those that a period covers, those that it covers first, those of two."""

    def __init__(self, tariff: Tariff) -> None:
        self._tariff = tariff
        count = len(tariff.periods)
        self.covered = [0] * count
        self.first = [0] * count
        self._both: dict[tuple[int, int], int] = {}
        self._seen: dict[tuple[int, int], Clash] = {}

    def add(self, stretch: _Stretch) -> None:
        """Count the kinds of days of *stretch*."""
        periods = self._tariff.periods
        for month in sorted(stretch.months):
            for kind in day_types(self._tariff):
                applying = [number for number in stretch.valid if periods[number].applies_to(month, kind)]
                self._add_day(applying, month, kind)

    def _add_day(self, applying: Sequence[int], month: int, kind: DayType) -> None:
        periods = self._tariff.periods
        minutes = edges(periods[number] for number in applying)
        for start, end in pairwise(minutes):
            numbers = [number for number in applying if periods[number].covers(start)]
            for number in numbers:
                self.covered[number] += end - start
            for place, number in enumerate(numbers):
                if place == 0:
                    self.first[number] += end - start
                for later in numbers[place + 1 :]:
                    self._both[number, later] = self._both.get((number, later), 0) + end - start
                    if place == 0:
                        self._seen.setdefault((number, later), Clash(number, later, (start, end), kind, month))

    def clashes(self, never: Sequence[int]) -> Iterator[Clash]:
        """Give a clash for each pair that differs; what never applies is told otherwise."""
        periods, kinds = self._tariff.periods, frozenset(day_types(self._tariff))
        for (first, second), clash in sorted(self._seen.items()):
            one, other = periods[first], periods[second]
            is_exception = self._both[first, second] == self.covered[first] or _is_rarer(one, other, kinds)
            if second not in never and not is_exception and (one.label, one.value) != (other.label, other.value):
                yield clash


def _is_rarer(one: Period, other: Period, kinds: frozenset[DayType]) -> bool:
    """Tell whether *other* is also for days that *one* is not for."""
    return not (
        other.months <= one.months
        and other.days & kinds <= one.days
        and (one.from_day or date.min) <= (other.from_day or date.min)
        and (other.to_day or date.max) <= (one.to_day or date.max)
    )


def _stretches(tariff: Tariff) -> Iterator[_Stretch]:
    """Give the days from the beginning to the end of time, cut where a period becomes valid or ceases to be."""
    cuts = {day for period in tariff.periods for day in (period.from_day, period.to_day) if day is not None}
    days: list[date | None] = [None, *sorted(cuts), None]
    for start, end in pairwise(days):
        inside = start or ((end or _SOME_DAY) - _ONE_DAY)
        valid = tuple(number for number, period in enumerate(tariff.periods) if period.is_valid_on(inside))
        yield _Stretch(start, end, _months(start, end), valid)


def _months(start: date | None, end: date | None) -> frozenset[int]:
    if start is None or end is None:
        return EVERY_MONTH
    last_day = end - _ONE_DAY
    first, last = (day.year * 12 + day.month - 1 for day in (start, last_day))
    return frozenset(number % 12 + 1 for number in range(first, min(last, first + 11) + 1))


def _gaps(tariff: Tariff, stretches: Sequence[_Stretch]) -> Iterator[Gap]:
    """Give each gap once, for all the stretches in a row that have it."""
    found = [() if _is_history(stretch) else tuple(_gaps_of(tariff, stretch)) for stretch in stretches]
    for number, stretch in enumerate(stretches):
        for gap in found[number]:
            if number and gap in found[number - 1]:
                continue
            last = number
            while last + 1 < len(stretches) and gap in found[last + 1]:
                last += 1
            yield replace(gap, from_day=stretch.from_day, to_day=stretches[last].to_day)


def _is_history(stretch: _Stretch) -> bool:
    """Tell whether it lies before the first period ever, where nobody expects a price."""
    return stretch.from_day is None and stretch.to_day is not None and not stretch.valid


def _gaps_of(tariff: Tariff, stretch: _Stretch) -> Iterator[Gap]:
    months: dict[tuple[Spans, DayType], set[int]] = {}
    for month in sorted(stretch.months):
        for kind in day_types(tariff):
            spans = _bare(tariff, stretch, month, kind)
            if spans:
                months.setdefault((spans, kind), set()).add(month)
    alike: dict[tuple[Spans, frozenset[int]], set[DayType]] = {}
    for (spans, kind), of_kind in months.items():
        alike.setdefault((spans, frozenset(of_kind)), set()).add(kind)
    for (spans, of_all), kinds in alike.items():
        yield Gap(
            spans,
            None if len(kinds) == len(day_types(tariff)) else frozenset(kinds),
            None if of_all == stretch.months else of_all,
        )


def _bare(tariff: Tariff, stretch: _Stretch, month: int, kind: DayType) -> Spans:
    """Give the times of such a day that no period covers."""
    periods = [tariff.periods[number] for number in stretch.valid]
    applying = [period for period in periods if period.applies_to(month, kind)]
    spans: list[tuple[int, int]] = []
    for start, end in pairwise(edges(applying)):
        if any(period.covers(start) for period in applying):
            continue
        if spans and spans[-1][1] == start:
            start = spans.pop()[0]  # noqa: PLW2901  (the two are one)
        spans.append((start, end))
    return tuple(spans)
