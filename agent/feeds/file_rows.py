"""The rows of a file of values, and the provider that gives those of a window; the formats are read elsewhere."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from wattledger.rules.feeds.model import Measure, PointKind, Series

from .base import Answer, Pace, Skipped, Web, Window
from .conversion import Convert
from .gathering import Gathering
from .numbers import ValueUnusable
from .stretches import Place, Stretch, check_overlaps
from .times import iso_of
from .watched_file import WatchedFile


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row whose value is not usable."""

    stretch: Stretch
    why: Skipped
    place: str


@dataclass(slots=True)
class FileRows:
    """What a file holds, in order of time; a year of quarter-hours takes a megabyte."""

    starts: array[int] = field(default_factory=lambda: array("q"))
    ends: array[int] = field(default_factory=lambda: array("q"))
    values: array[int] = field(default_factory=lambda: array("q"))
    estimated: bytearray = field(default_factory=bytearray)
    left_out: list[LeftOut] = field(default_factory=list)

    def within(self, window: Window) -> Iterator[tuple[int, int, int, bool]]:
        """Give start, end, value and whether it is estimated of all that reaches into *window*."""
        # As stretches do not overlap, their ends ascend as their starts do.
        first = bisect_left(self.ends, window.start_wall_ns + 1)
        last = bisect_left(self.starts, window.end_wall_ns)
        for index in range(first, last):
            yield self.starts[index], self.ends[index], self.values[index], bool(self.estimated[index])


def rows_of(
    found: Sequence[Stretch],
    values: Sequence[object],
    *,
    convert: Convert,
    place: Place,
    estimated: Sequence[bool] = (),
) -> FileRows:
    """Put rows in order of time. Raises ValueError where two overlap, whether their values are usable or not."""
    check_overlaps(found, place)
    rows = FileRows()
    for index in sorted(range(len(found)), key=found.__getitem__):
        start, end = found[index]
        value = values[index]
        try:
            whole = convert(None if value == "" else value, end - start)
        except ValueUnusable as error:
            rows.left_out.append(LeftOut(found[index], error.why, place(index)))
            continue
        rows.starts.append(start)
        rows.ends.append(end)
        rows.values.append(whole)
        rows.estimated.append(bool(estimated and estimated[index]))
    return rows


@dataclass(frozen=True, slots=True)
class FileProvider:
    """Gives the rows of a file. What lies ahead of now is a forecast, except for prices, which are made ahead."""

    series: Series
    pace: Pace
    file: WatchedFile[FileRows]
    credential: str = ""

    def fetch(self, web: Web, window: Window) -> Answer:  # noqa: ARG002  (a file asks nobody)
        """Give the rows that reach into *window*; those of other times are not counted as left out."""
        rows, written_wall_ns = self.file.current(window.now_wall_ns)
        gathered = Gathering(window)
        ahead = PointKind.ACTUAL if self.series.measure is Measure.PRICE else PointKind.FORECAST
        for start, end, value, is_estimated in rows.within(window):
            kind = PointKind.ESTIMATED if is_estimated else PointKind.ACTUAL
            gathered.add(start, end, value, ahead if start > window.now_wall_ns else kind, written_wall_ns)
        self._say_left_out(rows, window, gathered)
        return gathered.answer(empty=f"{self.file.path} {_reach(rows)}")

    def _say_left_out(self, rows: FileRows, window: Window, gathered: Gathering) -> None:
        first: dict[Skipped, LeftOut] = {}
        for row in rows.left_out:
            start, end = row.stretch
            if end > window.start_wall_ns and start < window.end_wall_ns:
                gathered.skip(row.why)
                first.setdefault(row.why, row)
        for why, row in first.items():
            gathered.warn(f"{row.place}: left out, {_REASONS.get(why, why.value)}")


_REASONS = {
    Skipped.NULL: "there is no value",
    Skipped.NOT_A_NUMBER: "the value is no number",
    Skipped.OUT_OF_RANGE: "the value cannot be true; check its unit",
    Skipped.BAD_TIME: "an energy of more than an hour says nothing of the hours in it; write rows of an hour or less",
}


def _reach(rows: FileRows) -> str:
    if not rows.starts:
        return "has no usable row at all"
    return f"has values from {iso_of(rows.starts[0])} to {iso_of(rows.ends[-1])}; add rows for the time after"
