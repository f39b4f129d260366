"""Emissions in the JSON form of the Carbon Aware SDK (Green Software Foundation, MIT).

`{"Emissions": [{"Location": "DE", "Time": ..., "Rating": 90, "Duration": "01:00"}]}`: a rating is grams of CO2 a kWh,
as number or text. Times of its own samples have no offset; they need the key `timezone`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from wattledger.rules.feeds.model import Measure
from wattledger.rules.instant import NS_PER_SECOND

from .conversion import conversion
from .file_ask import FileAsk
from .file_rows import FileRows, rows_of
from .stretches import starts_of, stretches

# A TimeSpan as .NET writes it; the samples have hours and minutes alone.
_DURATION = re.compile(r"(?:(\d{1,4})\.)?(\d\d):(\d\d)(?::(\d\d)(?:\.\d{1,7})?)?", re.ASCII)


def sdk_rows(emissions: Sequence[Mapping[str, object]], ask: FileAsk) -> FileRows:
    """Give the rows of the location that is the feed's zone. Raises ValueError or FeedError."""
    if ask.measure is not Measure.INTENSITY:
        raise ask.wrong("", f"the Carbon Aware SDK's form holds carbon intensities, and no {ask.measure}")
    locations = {str(row.get("Location")) for row in emissions}
    chosen = ask.chosen(locations) if locations else ""
    mine = [(index, row) for index, row in enumerate(emissions) if str(row.get("Location")) == chosen]

    def place(index: int) -> str:
        return f"{ask.path}: Emissions[{mine[index][0]}]"

    starts = starts_of([row.get("Time") for _, row in mine], place=place, zone=ask.clock)
    ends: list[int | None] = []
    for index, (start, (_, row)) in enumerate(zip(starts, mine, strict=True)):
        try:
            ends.append(None if row.get("Duration") is None else start + _duration_ns(row["Duration"]))
        except ValueError as error:
            raise ValueError(f"{place(index)}: {error}") from None
    found = stretches(starts, ends, place=place, step_ns=ask.step_ns)
    convert = conversion(ask.measure, ask.unit, ask.currency)
    return rows_of(found, [row.get("Rating") for _, row in mine], convert=convert, place=place)


def _duration_ns(text: object) -> int:
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"the duration {text!r} is none; write hours and minutes, such as 01:00")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * NS_PER_SECOND
