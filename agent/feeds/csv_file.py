"""A CSV file that somebody else writes: our own columns, or a yearly export of Electricity Maps.

Ours: a header with `from`, `grams_per_kwh` (or `price_per_kwh`, `kwh`, `pue`, `carbon_free_ratio`) and perhaps `to`;
times are ISO 8601 with an offset, or of the time zone that `timezone` names. Without `to` a value holds until the
next row; the last one for `step`, or else as long as the one before it. Other columns and lines that begin with # are
not looked at.
A line that is wrong makes the file unusable, and is named; a value that is none is left out, and counted.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass

from wattledger.rules.feeds.model import Caliber, Factors

from ..config.feed_schema import Feed
from .conversion import conversion
from .csv_layout import VALUE_COLUMNS, Layout, layout_of
from .declared import pace_of, series_of
from .file_ask import POLL_NS, FileAsk, file_keys
from .file_rows import FileProvider, FileRows, rows_of
from .registration import Wants
from .stretches import ends_of, starts_of, stretches
from .watched_file import WatchedFile

KEYS = file_keys()

_LINE_END = re.compile(r"\r\n|\r|\n")
_TRUE = ("true", "1", "yes")


def build(feed: Feed, wants: Wants) -> FileProvider:
    """Make the provider. Raises ValueError without a path."""
    series = series_of(feed, wants)
    parser = _Parser(
        ask=FileAsk.of(feed, wants),
        factors=(series.caliber or Caliber()).factors,
    )
    return FileProvider(series, pace_of(feed, poll_ns=POLL_NS), WatchedFile(parser.ask.path, parser.parse))


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    cells: list[str]


@dataclass(frozen=True, slots=True)
class _Parser:
    """How one feed reads its file."""

    ask: FileAsk
    factors: Factors

    def parse(self, content: bytes) -> FileRows:
        """Give the rows. Raises ValueError or FeedError with file, line, problem and cure."""
        lines = self._rows(self._text(content))
        header = next(lines, None)
        if header is None:
            raise self.ask.wrong("", f"is empty; write the header from,to,{VALUE_COLUMNS[self.ask.measure][0]}")
        try:
            layout = layout_of(header.cells, self.ask.measure, self.factors)
        except ValueError as error:
            raise self.ask.wrong(f":{header.line}", str(error)) from None
        rows = [self._checked(row, header, layout) for row in lines]
        if layout.zone is not None and rows:
            chosen = self.ask.chosen({row.cells[layout.zone] for row in rows})
            rows = [row for row in rows if row.cells[layout.zone] == chosen]
        return self._understood(rows, layout)

    def _understood(self, rows: list[_Row], layout: Layout) -> FileRows:
        def place(index: int) -> str:
            return f"{self.ask.path}:{rows[index].line}"

        def column(index: int | None) -> list[str]:
            return [""] * len(rows) if index is None else [row.cells[index] for row in rows]

        starts = starts_of(
            [_in_utc(text) if layout.is_utc else text for text in column(layout.start)],
            place=place,
            zone=self.ask.clock,
        )
        ends = ends_of(starts, column(layout.end), place=place, zone=self.ask.clock)
        found = stretches(starts, ends, place=place, step_ns=self.ask.step_ns)
        estimated = [text.casefold() in _TRUE for text in column(layout.estimated)]
        convert = conversion(self.ask.measure, layout.unit, self.ask.currency)
        return rows_of(found, column(layout.value), convert=convert, place=place, estimated=estimated)

    def _text(self, content: bytes) -> str:
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise self.ask.wrong(f":{line}", "is not UTF-8 text; save the file as CSV in UTF-8") from None

    def _rows(self, text: str) -> Iterator[_Row]:
        for number, line in enumerate(_LINE_END.split(text), start=1):
            if not line.strip(" \t,") or line.lstrip().startswith("#"):
                continue
            try:
                cells = next(csv.reader((line,), strict=True))
            except csv.Error as error:
                raise self.ask.wrong(f":{number}", f"is no line of CSV ({error}); check its quotes") from None
            yield _Row(number, [cell.strip() for cell in cells])

    def _checked(self, row: _Row, header: _Row, layout: Layout) -> _Row:
        """Give *row* with as many cells as are needed. Cells too many are no matter where they are blank."""
        if any(row.cells[len(header.cells) :]):
            raise self.ask.wrong(
                f":{row.line}",
                f"has {len(row.cells)} cells and the header {len(header.cells)}; "
                "write decimals with a point, and put text with commas in quotes",
            )
        if len(row.cells) < layout.widest:
            missing = header.cells[len(row.cells)]
            raise self.ask.wrong(f":{row.line}", f"ends before the column {missing!r}; write the whole line")
        return row


def _in_utc(text: str) -> str:
    """Give a time of a column that is of UTC by its header with the offset that it lacks."""
    return f"{text}Z" if text[-1:].isdigit() and "+" not in text else text
