"""From the bytes of a page in the text format to samples; what a name means it does not know.

Any bytes may come. Of a page of the largest size little is parsed: lines whose names nobody wants are passed over by
one regular expression.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO, cast

LINES_LIMIT = 20_000
_ALL_LINES_LIMIT = 200_000  # with those that nobody wants: a full page of the largest size has half as many
_NAMES_LIMIT = 10_000  # that are remembered while a page is read
_LINE_BYTES = 4096
# Servers have up to ten or so; each costs time, whatever is in it.
_LABELS_LIMIT = 64
_TEXT_BYTES = 2 << 20  # of all lines that are parsed

Sample = tuple[str, tuple[tuple[str, str], ...], float]
"""Name, labels in order of their names, value."""

# Blank space, perhaps the declaration of a type, a name, and the rest of the line.
_LINE = re.compile(rb"^[ \t]*(# *TYPE[ \t]+)?([a-zA-Z_:][a-zA-Z0-9_:]*)[^\n]*", re.MULTILINE)
# A name with these ends is a series of a family that is declared without them.
_PARTS = ("_sum", "_count")


class PageError(Exception):
    """The page cannot be used; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Page:
    """What of a page is wanted.

    `names` are those of the samples, and of families that are declared and have none yet. `bad_lines` and
    `bad_values` count what was left out: lines that cannot be read, and values that are not finite or below 0.
    """

    samples: tuple[Sample, ...]
    names: frozenset[str]
    bad_lines: int = 0
    bad_values: int = 0


def read_samples(body: bytes, wanted: re.Pattern[str], *, is_framed: bool = True) -> Page:
    """Give the samples whose names *wanted* matches. Raises PageError, and nothing else.

    Without *is_framed* it is not known whether the body is whole; then it must end with the end of a line.
    """
    if not is_framed and body and not body.endswith(b"\n"):
        raise PageError("the page is cut off within a line")
    if body.count(b"\n") > _ALL_LINES_LIMIT:
        raise PageError(f"the page has more than {_ALL_LINES_LIMIT} lines")
    lines, declared, bad_lines = _wanted_lines(body, wanted)
    samples: list[Sample] = []
    seen: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
    bad_values = 0
    if lines:
        parsed = _Parsed(iter(lines))
        for name, labels, value in parsed:
            if (name, labels) in seen:
                raise PageError(f"the page has a series of {name} twice")
            seen.add((name, labels))
            if math.isfinite(value) and value >= 0:
                samples.append((name, labels, value))
            else:
                bad_values += 1
        bad_lines += parsed.bad_lines
    return Page(tuple(samples), frozenset({name for name, _ in seen} | declared), bad_lines, bad_values)


def _wanted_lines(body: bytes, wanted: re.Pattern[str]) -> tuple[list[str], set[str], int]:
    """Give the lines of wanted names, wanted names that are declared, and how many lines are no text."""
    lines: list[str] = []
    declared: set[str] = set()
    bad_lines = text_bytes = 0
    is_wanted: dict[bytes, bool] = {}
    for match in _LINE.finditer(body):
        raw_name = match[2]
        if match[1] is not None:
            name = raw_name.decode("ascii")
            declared.update(one for one in (name, *(name + part for part in _PARTS)) if wanted.match(one))
            if len(declared) > _NAMES_LIMIT:
                raise PageError(f"the page declares more than {_NAMES_LIMIT} families of token counters")
            continue
        hit = is_wanted.get(raw_name)
        if hit is None:
            hit = wanted.match(raw_name.decode("ascii")) is not None
            if len(is_wanted) < _NAMES_LIMIT:
                is_wanted[raw_name] = hit
        if not hit:
            continue
        line = match[0]
        text_bytes += len(line)
        if len(lines) >= LINES_LIMIT or text_bytes > _TEXT_BYTES:
            raise PageError(f"the page has more than {LINES_LIMIT} lines, or {_TEXT_BYTES} bytes, of token counters")
        if len(line) > _LINE_BYTES or line.count(b'="') > _LABELS_LIMIT:
            bad_lines += 1
            continue
        try:
            lines.append(line.decode("utf-8"))
        except UnicodeDecodeError:
            bad_lines += 1
    return lines, declared, bad_lines


class _Parsed:
    """The samples of *lines*, each of which is one sample or bad."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.bad_lines = 0

    def __iter__(self) -> Iterator[Sample]:
        from prometheus_client.parser import text_fd_to_metric_families  # noqa: PLC0415  (only where there is a page)

        is_over = False
        while not is_over:
            try:
                # The parser only iterates over it. Where it gives a line up, the next one begins after that.
                for family in text_fd_to_metric_families(cast("TextIO", self._lines)):
                    for sample in family.samples:
                        yield sample.name, tuple(sorted(sample.labels.items())), float(sample.value)
                is_over = True
            except (ValueError, IndexError, OverflowError):
                self.bad_lines += 1
