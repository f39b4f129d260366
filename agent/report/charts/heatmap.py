"""Idle watts of each board over time, as a map: nights and weekends show, and so do hours without a record."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil

from wattledger.agent.report.columns import cells_of
from wattledger.agent.report.markup import safe
from wattledger.exporter.landing_text import kwh, percent
from wattledger.rules.report.model import Report

from .axis import TimeAxis, is_night, is_weekend, round_steps, span_text, step_text
from .buckets import Buckets, local_time
from .figure import Key, figure, missing
from .power import column_text, mean_watts, power_text
from .svg import Panel, Values, bands, chart, number, time_labels, time_lines

MOST_ROWS = 64
LEVELS = 6  # of colour, beside that of no idle draw
_MOST_TIPS = 5000
_LONGEST_LABEL = 15
_HEADING = "Idle power of each GPU"
_LEAST_WATTS = 1.0  # less is no idle draw that could be seen


@dataclass(frozen=True, slots=True)
class _Line:
    """One row: its name, and the mean idle power of each column; None where there is no record."""

    name: str
    watts: Values
    idle_mj: int


@dataclass(frozen=True, slots=True)
class _Scale:
    """Steps of watts, each of which has a colour."""

    marks: Sequence[float]

    def level(self, watts: float | None) -> str:
        """Give the class of a cell; empty where there is no record."""
        if watts is None:
            return ""
        return "h0" if watts < _LEAST_WATTS else self._kind(ceil(watts / self.marks[1] - 1e-9))

    def keys(self) -> list[Key]:
        """Give what each colour stands for."""
        steps = [
            Key(self._kind(place), f"to {step_text(mark)} W") for place, mark in enumerate(self.marks[1:], start=1)
        ]
        return [Key("h0", "no idle power"), *steps]

    def _kind(self, step: int) -> str:
        """Give a colour for a step: fewer steps take colours further apart."""
        return f"h{ceil(step * LEVELS / (len(self.marks) - 1))}"


def heatmap(report: Report, buckets: Buckets, axis: TimeAxis) -> str:
    """Give the section: the boards with the most idle energy, worst first."""
    worst = sorted(report.heat, key=lambda row: (-sum(row.idle_mj.values()), row.name))[:MOST_ROWS]
    if not worst:
        return missing("heat", _HEADING, "No device is in this time.")
    lines = [_Line(row.name, buckets.rates(row.idle_mj, mean_watts), sum(row.idle_mj.values())) for row in worst]
    known = [value for line in lines for value in line.watts if value is not None]
    scale = _Scale(round_steps(max([*known, _LEAST_WATTS]), LEVELS))
    row_height = 24 if len(lines) <= 12 else 18 if len(lines) <= 24 else 14
    panel = Panel(top=22, height=row_height * len(lines), left_percent=18)
    common = common_words([line.name for line in lines])
    picture = panel.drawn(
        f'<rect class="gap" width="100%" height="{panel.height}"/>',
        _cells(lines, buckets, scale) + _tips(lines, buckets, axis, common),
        bands(axis.nights(), 5, "night", -9)
        + bands(axis.weekends(), 5, "weekend strong", -9)
        + time_lines(axis, panel.height)
        + _labels(lines, row_height, common)
        + time_labels(axis, panel),
        box=(buckets.hours, len(lines)),
    )
    summary = _summary(report, lines, buckets, axis, common)
    keys = scale.keys()
    keys += [Key("gap", "no record")] if any(value is None for line in lines for value in line.watts) else []
    keys += [Key("night", "night, 20:00 to 6:00"), Key("weekend strong", "Saturday and Sunday")] * bool(axis.nights())
    drawn = chart(f"{_HEADING}. {summary}", panel.top + panel.height + 26, picture)
    return figure("heat", _HEADING, summary, keys, drawn)


def _cells(lines: Sequence[_Line], buckets: Buckets, scale: _Scale) -> str:
    """Give one path for each colour; neighbours of one colour are one rectangle. Units are hours and rows."""
    shapes: dict[str, list[str]] = {}
    edges = [edge - buckets.start_hour for edge in buckets.edges]
    for place, line in enumerate(lines):
        column = 0
        for kind, cells in groupby(map(scale.level, line.watts)):
            last = column + len(list(cells))
            width = edges[last] - edges[column]
            if kind:
                shapes.setdefault(kind, []).append(f"M{edges[column]} {place}h{width}v1h-{width}z")
            column = last
    return "".join(f'<path class="{kind}" d="{"".join(paths)}"/>' for kind, paths in sorted(shapes.items()))


def _tips(lines: Sequence[_Line], buckets: Buckets, axis: TimeAxis, common: str) -> str:
    """Give texts under the pointer, of several columns together where there are very many cells."""
    columns = -(-len(lines) * len(buckets) // _MOST_TIPS)
    firsts = range(0, len(buckets), columns)
    ends = [min(first + columns, len(buckets)) for first in firsts]
    spans = [
        span_text(axis, buckets.edges[first], buckets.edges[end]) for first, end in zip(firsts, ends, strict=True)
    ]
    edges = [buckets.edges[column] - buckets.start_hour for column in (*firsts, len(buckets))]
    parts = []
    for place, line in enumerate(lines):
        name = safe(line.name.removeprefix(common))
        for cell, first in enumerate(firsts):
            known = [value for value in line.watts[first : first + columns] if value is not None]
            text = f"{power_text(sum(known) / len(known))} idle" if known else "no record"
            parts.append(
                f'<rect x="{edges[cell]}" y="{place}" width="{edges[cell + 1] - edges[cell]}" height="1">'
                f"<title>{name}\n{spans[cell]}\n{text}</title></rect>"
            )
    return f'<g class="tips">{"".join(parts)}</g>'


def _labels(lines: Sequence[_Line], row_height: int, common: str) -> str:
    """Give the names, and what parts the rows."""
    parts = []
    for place, line in enumerate(lines):
        y = number((place + 0.5) * row_height)
        label = safe(_short(line.name.removeprefix(common)))
        parts.append(f'<text x="-8" y="{y}" dy=".35em" text-anchor="end">{label}</text>')
        if place:
            edge = place * row_height
            parts.append(f'<line class="part" x1="0" x2="100%" y1="{edge}" y2="{edge}"/>')
    return f'<g class="{"tight" if row_height < 18 else "names"}">{"".join(parts)}</g>'


def _short(name: str) -> str:
    """Give the end of a name, which tells boards of one model apart; what is in brackets, their model, goes first."""
    if cells_of(name) <= _LONGEST_LABEL:
        return name
    name = name.partition(" (")[0]
    if cells_of(name) <= _LONGEST_LABEL:
        return name
    while cells_of(name) > _LONGEST_LABEL - 1:
        name = name[1:]
    return f"…{name}"


def common_words(names: Sequence[str]) -> str:
    """Give the words that all *names* begin with, and the blank after them, if something is left of each."""
    if len(names) < 2:
        return ""
    first = names[0].split(" ")
    for count in range(len(first) - 1, 0, -1):
        words = " ".join(first[:count]) + " "
        if all(name.startswith(words) and name != words for name in names):
            return words
    return ""


def _summary(report: Report, lines: Sequence[_Line], buckets: Buckets, axis: TimeAxis, common: str) -> str:
    if not report.total.idle_mj:
        return f"No GPU of {report.gpus} drew idle power. {column_text(buckets)}"
    worst = lines[0]
    said = [
        _off_hours(report, axis),
        f"The most of it, {kwh(worst.idle_mj)} of {kwh(report.total.idle_mj)} kWh, was drawn by {worst.name}.",
    ]
    left = report.gpus - len(lines)
    if left:
        out = "one is" if left == 1 else f"{left} are"
        said.append(f"The {len(lines)} GPUs with the most idle energy are shown, {out} left out.")
    if common:
        said.append(f"All names begin with {common.strip()}.")
    return " ".join((*said, column_text(buckets)))


def _off_hours(report: Report, axis: TimeAxis) -> str:
    """Tell how much of the idle energy was drawn when few people work."""
    off = {
        hour
        for hour in range(axis.start_hour, axis.end_hour)
        if is_night(local := local_time(hour, axis.zone)) or is_weekend(local)
    }
    idle_mj = off_mj = 0
    for row in report.heat:
        for hour, energy_mj in row.idle_mj.items():
            idle_mj += energy_mj
            off_mj += energy_mj if hour in off else 0
    whose = "" if len(report.heat) == report.gpus else f" of the {len(report.heat)} GPUs with the most of it"
    return (
        f"{percent(off_mj, idle_mj)} of the idle energy{whose} was drawn at night (20:00 to 6:00) or on Saturdays "
        f"and Sundays, which are {percent(len(off), axis.hours)} of the hours."
    )
