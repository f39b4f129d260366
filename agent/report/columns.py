"""Rows of text in columns that fit a width: long names are cut, and columns that can be missed go."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from unicodedata import east_asian_width

_GAP = "  "
_NARROWEST_NAME = 24


@dataclass(frozen=True, slots=True)
class Column:
    """A column with its head; `cells` one a row. Where there is no room the highest `spare` goes first."""

    head: str
    cells: Sequence[str]
    is_number: bool = True
    spare: int = 0  # 0: it never goes


def table(columns: Sequence[Column], width: int) -> Iterator[str]:
    """Give a line for the heads, a rule, and a line a row; the first column is cut. Columns without content go."""
    used = [column for column in columns if any(column.cells)]
    while used and _width(used, _NARROWEST_NAME) > width and (least := max(used, key=lambda one: one.spare)).spare:
        used.remove(least)
    if not used:
        return
    widths = [_widest(column) for column in used]
    widths[0] = min(widths[0], max(_NARROWEST_NAME, widths[0] - (sum(widths) + len(_GAP) * (len(used) - 1) - width)))
    yield _line(used, [column.head for column in used], widths)
    yield _GAP.join("-" * one for one in widths)
    for row in zip(*(column.cells for column in used), strict=True):
        yield _line(used, row, widths)


def _line(columns: Sequence[Column], cells: Sequence[str], widths: Sequence[int]) -> str:
    parts = []
    for column, cell, width in zip(columns, cells, widths, strict=True):
        shown = cut(cell, width)
        space = " " * (width - cells_of(shown))
        parts.append(space + shown if column.is_number else shown + space)
    return _GAP.join(parts).rstrip()


def _width(columns: Sequence[Column], most_of_first: int) -> int:
    widths = [_widest(column) for column in columns]
    return min(widths[0], most_of_first) + sum(widths[1:]) + len(_GAP) * (len(widths) - 1)


def _widest(column: Column) -> int:
    return max(map(cells_of, (column.head, *column.cells)))


def cells_of(text: str) -> int:
    """Give how many cells of a terminal *text* takes: those of East Asia take two."""
    return len(text) if text.isascii() else sum(2 if east_asian_width(one) in "WF" else 1 for one in text)


def cut(text: str, width: int) -> str:
    """Give *text* in at most *width* cells; what is left out is in its middle, for names differ at either end."""
    if cells_of(text) <= width:
        return text
    head, tail = text[: len(text) // 2], text[len(text) // 2 :]
    while cells_of(head) + cells_of(tail) > width - 1:
        if cells_of(head) > cells_of(tail):
            head = head[:-1]
        else:
            tail = tail[1:]
    return f"{head}…{tail}"


def printable(text: str) -> str:
    """Give *text* without what could move the cursor or change the terminal."""
    return "".join(one if one.isprintable() else "?" for one in text)
