"""Columns of a chart over time: whole hours in groups that begin at local midnights; nothing is drawn here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import pairwise

SIZES = (1, 2, 3, 6, 12, 24, 168)
"""Hours of a column. All but the week divide the day, so that columns begin at its midnight."""

MOST_COLUMNS = 400
_LEAST_PART = 1 / 12  # of an hour: what began less than five minutes ago has no mean yet


@dataclass(frozen=True, slots=True)
class Buckets:
    """Columns of UTC hours (numbers since the Unix epoch): column n is `[edges[n], edges[n + 1])`.

    `size` is the usual number of hours. The first and the last may have fewer; a day on which clocks are changed has
    23 or 25 hours, and so may its columns. `now` is in hours since the epoch: the hour that it is in is not over, and
    counts as far as it is. None: all are over.
    """

    size: int
    edges: tuple[int, ...]
    column_of: tuple[int, ...]
    now: float | None = None

    @property
    def start_hour(self) -> int:
        """Give the first hour."""
        return self.edges[0]

    @property
    def hours(self) -> int:
        """Give how many hours there are."""
        return self.edges[-1] - self.edges[0]

    def __len__(self) -> int:
        """Give the number of columns."""
        return len(self.edges) - 1

    def sums(self, numbers: Mapping[int, int]) -> list[int | None]:
        """Give the sum of what is told by hour for each column; None where nothing is told."""
        found: list[int | None] = [None] * len(self)
        for hour, number in numbers.items():
            if 0 <= hour - self.start_hour < self.hours:
                column = self.column_of[hour - self.start_hour]
                found[column] = (found[column] or 0) + number
        return found

    def rates(self, numbers: Mapping[int, int], unit: Callable[[int], float]) -> list[float | None]:
        """Give the mean by the hour over the hours that are told of, in a *unit*; None where none is."""
        lengths = [0.0] * len(self)
        for hour in numbers:
            if 0 <= hour - self.start_hour < self.hours:
                lengths[self.column_of[hour - self.start_hour]] += self.length(hour)
        return [
            None if total is None or length < _LEAST_PART else unit(total) / length
            for total, length in zip(self.sums(numbers), lengths, strict=True)
        ]

    def length(self, hour: int) -> float:
        """Give how much of an hour is over."""
        return 1.0 if self.now is None else min(1.0, max(0.0, self.now - hour))


def buckets(start_hour: int, end_hour: int, zone: tzinfo, *, now: float | None = None) -> Buckets:
    """Give columns of the smallest size of which there are at most about 400. Raises ValueError without an hour."""
    if end_hour <= start_hour:
        raise ValueError(f"no hour from {start_hour} to {end_hour}")
    hours = end_hour - start_hour
    size = next((one for one in SIZES if hours <= one * MOST_COLUMNS), SIZES[-1])
    starts = [start_hour]
    column_of = [0]
    before = _column(start_hour, size, zone)
    for hour in range(start_hour + 1, end_hour):
        here = _column(hour, size, zone)
        if here != before:
            starts.append(hour)
            before = here
        column_of.append(len(starts) - 1)
    return Buckets(size, (*starts, end_hour), tuple(column_of), now)


def _column(hour: int, size: int, zone: tzinfo) -> tuple[date, int]:
    """Give the identity of the column that a UTC hour is in; an hour that comes twice is two of size 1."""
    if size == 1:
        return date.min, hour
    local = local_time(hour, zone)
    if size == SIZES[-1]:
        return local.date() - timedelta(days=local.weekday()), 0
    return local.date(), local.hour // size


def local_time(hour: int, zone: tzinfo) -> datetime:
    """Give the beginning of a UTC hour on the clock of *zone*."""
    return datetime.fromtimestamp(hour * 3600, UTC).astimezone(zone)


def runs(known: list[bool]) -> list[tuple[int, int]]:
    """Give the stretches `[first, last)` in which *known* holds."""
    changes = [number for number, (one, other) in enumerate(pairwise([False, *known, False])) if one != other]
    return list(zip(changes[::2], changes[1::2], strict=True))
