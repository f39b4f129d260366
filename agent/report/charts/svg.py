"""Pieces of SVG: numbers as short text, step lines and areas, frames that stretch while their texts do not.

A chart is as wide as the page. Places along it are in percent, heights in pixels; only the shapes of the data are
stretched, in a frame of `WIDTH` units. Texts therefore keep their size on a narrow page.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wattledger.agent.report.markup import safe

from .axis import TimeAxis, step_text
from .buckets import Buckets, runs

WIDTH = 1000
_RIGHT_PERCENT = 1.0
_NARROWEST = 660.0  # pixels of a chart on a page of 700
_LETTER = 7.0  # pixels of one of a label, at most

Values = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Panel:
    """A frame for data: where its top is and its height in pixels, and what stays free to the left, in percent."""

    top: int
    height: int
    left_percent: float = 7.0

    @property
    def narrowest(self) -> float:
        """Give its width in pixels where the page is as narrow as it may be."""
        return _NARROWEST * (100 - self.left_percent - _RIGHT_PERCENT) / 100

    def drawn(self, under: str, shapes: str, over: str, *, box: tuple[int, int] | None = None) -> str:
        """Give the frame: what is drawn *under* the shapes, these, stretched from *box* units, and what is *over*."""
        width, height = box or (WIDTH, self.height)
        return (
            f'<svg class="panel" x="{number(self.left_percent)}%" y="{self.top}" '
            f'width="{number(100 - self.left_percent - _RIGHT_PERCENT)}%" height="{self.height}">{under}'
            f'<svg width="100%" height="100%" viewBox="0 0 {width} {height}" preserveAspectRatio="none">'
            f"{shapes}</svg>{over}</svg>\n"
        )


def chart(label: str, height: int, content: str) -> str:
    """Give a whole picture, which *label* says in words for those who do not see it."""
    return (
        f'<svg class="chart" role="img" aria-label="{safe(label)}" width="100%" height="{height}">\n{content}</svg>\n'
    )


def number(value: float) -> str:
    """Give a coordinate in as few characters as it needs."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def percent(place: float) -> str:
    """Give a place from 0 to 1 along a frame."""
    return f"{number(100 * place)}%"


def places(buckets: Buckets) -> list[float]:
    """Give the edges of columns in units of a frame."""
    return [WIDTH * (edge - buckets.start_hour) / buckets.hours for edge in buckets.edges]


def area(edges: Sequence[float], tops: Values, bottoms: Values) -> str:
    """Give the path of an area of steps between two rows of heights; columns without one are left out."""
    parts = []
    for first, last in runs([top is not None for top in tops]):
        forth, back = steps(edges, tops, first, last), steps(edges, bottoms, first, last)
        parts.append("M" + "L".join((*forth, *reversed(back))) + "Z")
    return "".join(parts)


def line(edges: Sequence[float], heights: Values) -> str:
    """Give the path of a line of steps; columns without a height are left out."""
    found = runs([height is not None for height in heights])
    return "".join("M" + "L".join(steps(edges, heights, first, last)) for first, last in found)


def steps(edges: Sequence[float], heights: Values, first: int, last: int) -> list[str]:
    """Give the corners of steps; neighbours of one height make one step."""
    corners: list[tuple[str, str]] = []
    for column in range(first, last):
        height = number(heights[column] or 0)
        if len(corners) > 1 and corners[-1][1] == height:
            corners.pop()
        else:
            corners.append((number(edges[column]), height))
        corners.append((number(edges[column + 1]), height))
    return [f"{x} {y}" for x, y in corners]


def tips(edges: Sequence[float], height: float, texts: Sequence[str]) -> str:
    """Give what shows a text for each column under the pointer."""
    shapes = "".join(
        f'<rect x="{number(left)}" width="{number(right - left)}" height="{number(height)}">'
        f"<title>{safe(text)}</title></rect>"
        for left, right, text in zip(edges, edges[1:], texts, strict=False)
    )
    return f'<g class="tips">{shapes}</g>'


def bands(stretches: Iterable[tuple[float, float]], height: float, kind: str, top: float = 0) -> str:
    """Give stretches of a frame as bands of a class."""
    shapes = "".join(
        f'<rect x="{percent(start)}" y="{number(top)}" width="{percent(end - start)}" height="{number(height)}"/>'
        for start, end in stretches
    )
    return f'<g class="{kind}">{shapes}</g>' if shapes else ""


def gaps(buckets: Buckets, known: Sequence[bool]) -> list[tuple[float, float]]:
    """Give the stretches of a frame of whose columns nothing is known."""
    edges = places(buckets)
    return [(edges[first] / WIDTH, edges[last] / WIDTH) for first, last in runs([not one for one in known])]


def height_lines(marks: Sequence[float], panel: Panel, unit: str) -> str:
    """Give the lines of round numbers with their labels, the unit above them."""
    top = marks[-1]
    parts = [f'<text class="unit" x="-8" y="-9" text-anchor="end">{safe(unit)}</text>']
    for mark in marks:
        y = number(panel.height * (1 - mark / top))
        parts.append(
            f'<line class="grid" x1="0" x2="100%" y1="{y}" y2="{y}"/>'
            f'<text x="-8" y="{y}" dy=".35em" text-anchor="end">{step_text(mark)}</text>'
        )
    return "".join(parts)


def time_lines(axis: TimeAxis, height: float) -> str:
    """Give a line for each midnight, without labels."""
    lines = "".join(f'<line x1="{percent(at)}" x2="{percent(at)}" y2="{number(height)}"/>' for at in axis.midnights())
    return f'<g class="grid day">{lines}</g>'


def time_labels(axis: TimeAxis, panel: Panel) -> str:
    """Give the ticks below a frame, and the labels of those that have room where the page is at its narrowest."""
    parts = []
    free_from = -_NARROWEST
    for tick in axis.ticks():
        x, half = percent(tick.place), len(tick.label) * _LETTER / 2
        at, width = tick.place * panel.narrowest, panel.narrowest
        is_last = at + half > width
        left = width - 2 * half if is_last else at - half
        parts.append(
            f'<line class="tick" x1="{x}" x2="{x}" y1="{number(panel.height)}" y2="{number(panel.height + 5)}"/>'
        )
        if left < free_from:
            continue
        free_from = left + 2 * half + _LETTER
        parts.append(
            f'<text x="{"100%" if is_last else x}" y="{number(panel.height + 18)}" '
            f'text-anchor="{"end" if is_last else "middle"}">{safe(tick.label)}</text>'
        )
    return "".join(parts)
