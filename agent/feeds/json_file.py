"""A JSON file that somebody else writes: intervals of our own form, or emissions as the Carbon Aware SDK has them.

Ours: `{"zone": "DE", "unit": "g/kWh", "intervals": [{"from": ..., "to": ..., "value": ...}]}`. `zone` and `unit` may
be left out where the configuration sets them, `to` as in a CSV file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from ..config.feed_schema import Feed
from .carbon_aware_sdk import sdk_rows
from .conversion import conversion
from .declared import pace_of, series_of
from .file_ask import POLL_NS, FileAsk, file_keys
from .file_rows import FileProvider, FileRows, rows_of
from .registration import Wants
from .stretches import ends_of, starts_of, stretches
from .watched_file import WatchedFile

KEYS = file_keys("unit")


def build(feed: Feed, wants: Wants) -> FileProvider:
    """Make the provider. Raises ValueError without a path."""
    parser = _Parser(FileAsk.of(feed, wants))
    file = WatchedFile(parser.ask.path, parser.parse)
    return FileProvider(series_of(feed, wants), pace_of(feed, poll_ns=POLL_NS), file)


@dataclass(frozen=True, slots=True)
class _Parser:
    ask: FileAsk

    def parse(self, content: bytes) -> FileRows:
        """Give the rows. Raises ValueError or FeedError with file, place, problem and cure."""
        root = self._tree(content)
        if isinstance(root, dict):
            if isinstance(root.get("intervals"), list):
                return _own_rows(root, _objects(root["intervals"], "intervals", self.ask), self.ask)
            if isinstance(root.get("Emissions"), list):
                return sdk_rows(_objects(root["Emissions"], "Emissions", self.ask), self.ask)
        raise self.ask.wrong("", 'holds neither a list "intervals" nor a list "Emissions"; write one of them')

    def _tree(self, content: bytes) -> object:
        try:
            tree: object = json.loads(content.decode("utf-8-sig"), parse_float=Decimal, parse_constant=str)
        except UnicodeDecodeError:
            raise self.ask.wrong("", "is not UTF-8 text; save the file as UTF-8") from None
        except json.JSONDecodeError as error:
            cure = "correct it; a writer writes another file and renames it to this name"
            raise self.ask.wrong(f":{error.lineno}:{error.colno}", f"is no JSON ({error.msg}); {cure}") from None
        except (ValueError, RecursionError) as error:
            raise self.ask.wrong("", f"is no JSON that can be read ({error})") from None
        return tree


def _objects(rows: list[object], name: str, ask: FileAsk) -> list[Mapping[str, object]]:
    found: list[Mapping[str, object]] = []
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            raise ask.wrong(f": {name}[{index}]", f"{repr(row)[:60]} is no object; write the keys of a row")
        found.append(row)
    return found


def _own_rows(root: Mapping[str, object], rows: list[Mapping[str, object]], ask: FileAsk) -> FileRows:
    zone, unit = (_word(root, key, ask) for key in ("zone", "unit"))
    if zone:
        ask.chosen({zone})
    if unit and ask.unit and unit != ask.unit:
        raise ask.wrong(": unit", f"is {unit!r}, and the configuration says {ask.unit!r}; keep one of them")
    try:
        convert = conversion(ask.measure, unit or ask.unit, ask.currency)
    except ValueError as error:
        raise ask.wrong(": unit", str(error)) from None
    for index, row in enumerate(rows):
        for key in ("from", "value"):
            if key not in row:
                raise ask.wrong(f": intervals[{index}]", f"lacks {key!r}; add it, or null where there is no value")

    def place(index: int) -> str:
        return f"{ask.path}: intervals[{index}]"

    starts = starts_of([row["from"] for row in rows], place=place, zone=ask.clock)
    ends = ends_of(starts, [row.get("to") for row in rows], place=place, zone=ask.clock)
    found = stretches(starts, ends, place=place, step_ns=ask.step_ns)
    return rows_of(found, [row["value"] for row in rows], convert=convert, place=place)


def _word(root: Mapping[str, object], key: str, ask: FileAsk) -> str:
    word = root.get(key, "")
    if not isinstance(word, str):
        raise ask.wrong(f": {key}", f"{repr(word)[:60]} is no text; put it in quotes")
    return word
