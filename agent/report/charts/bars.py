"""Bars, the longest first, with their names and numbers above them, so that long names have room."""

from collections.abc import Sequence
from dataclasses import dataclass

from wattledger.agent.report.columns import cut
from wattledger.agent.report.markup import safe

from .svg import number

ROW_HEIGHT = 40
_BAR_TOP, _BAR_HEIGHT = 24, 9
_LONGEST_NAME = 40


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: whose it is, its length and the part of it that has a texture, in one unit, and both in words."""

    name: str
    detail: str
    length: float
    part: float
    words: str
    kind: str
    tip: str


def bars(found: Sequence[Bar]) -> str:
    """Give the bars, the longest across the page. Without any length there is nothing to show."""
    most = max((bar.length for bar in found), default=0)
    return "".join(_bar(bar, place * ROW_HEIGHT, most) for place, bar in enumerate(found)) if most > 0 else ""


def _bar(bar: Bar, top: int, most: float) -> str:
    name = cut(bar.name, _LONGEST_NAME)
    rect = f'y="{top + _BAR_TOP}" height="{_BAR_HEIGHT}"'
    part = f'<rect class="{bar.kind} part" {rect} width="{number(100 * bar.part / most)}%"/>' if bar.part else ""
    return (
        f'<g class="bar"><rect class="track" {rect} width="100%"/>'
        f'<rect class="{bar.kind}" {rect} width="{number(100 * bar.length / most)}%"/>{part}'
        f'<text class="name" x="0" y="{top + 16}">{safe(name)}<tspan class="dim" dx="8">{safe(bar.detail)}'
        f'</tspan></text><text class="value" x="100%" y="{top + 16}" text-anchor="end">{safe(bar.words)}</text>'
        f'<rect class="tip" y="{top}" width="100%" height="{ROW_HEIGHT}"><title>{safe(bar.tip)}</title></rect>'
        "</g>\n"
    )
