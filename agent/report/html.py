"""A report as one page for a browser or a printer: it runs no script, and loads nothing from anywhere."""

from datetime import tzinfo

from wattledger.agent.version import __version__
from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.report.model import Report

from .charts.axis import TimeAxis, date_text
from .charts.buckets import buckets, local_time
from .charts.carbon import carbon_chart
from .charts.heatmap import heatmap
from .charts.power import power_chart
from .charts.waste import waste_chart
from .html_tables import boundary_table, factor_table, group_table, model_table, state_table
from .html_tiles import banners, tiles
from .markup import safe
from .style import PATTERNS, STYLE, style_hash
from .words import headline, methods

# A browser asks for /favicon.ico where none is given, and reports the 404.
_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Cpath fill='%23d55e00' d='M9 1 3 9h4l-1 6 6-8H8z'/%3E%3C/svg%3E"
)


_FOOT = f"<footer><p>wattledger {safe(__version__)}. This page loads nothing from anywhere.</p></footer>\n"


def html_report(report: Report, *, zone: tzinfo, title: str, now_wall_ns: int | None = None) -> str:
    """Give the page of *report*, times on the clock of *zone*. *title* is how the time was asked for.

    *now_wall_ns* tells how much of the present hour is over, for means of it; without it all hours count as over.
    """
    start_hour, end_hour = report.start_wall_ns // NS_PER_HOUR, -(-report.end_wall_ns // NS_PER_HOUR)
    axis = TimeAxis(start_hour, end_hour, zone)
    columns = buckets(start_hour, end_hour, zone, now=None if now_wall_ns is None else now_wall_ns / NS_PER_HOUR)
    period = _period(axis)
    return "".join(
        (
            _head(report, f"{title}: {period} ({zone})"),
            PATTERNS,
            _header(report, axis, title=title, period=period),
            "<main>\n",
            banners(report, axis),
            tiles(report),
            power_chart(report, columns, axis),
            heatmap(report, columns, axis),
            waste_chart(report),
            carbon_chart(report, columns, axis),
            group_table(report),
            model_table(report),
            state_table(report),
            boundary_table(report),
            _methods(report),
            "</main>\n",
            _FOOT,
            "</body>\n</html>\n",
        )
    )


def _head(report: Report, title: str) -> str:
    policy = (
        f"default-src 'none'; style-src 'sha256-{style_hash()}'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n<meta name="color-scheme" content="light dark">\n'
        f'<meta name="description" content="{safe("; ".join(headline(report)))}">\n'
        f"<title>wattledger report, {safe(title)}</title>\n"
        f'<link rel="icon" href="{_ICON}">\n<style>{STYLE}</style>\n</head>\n<body>\n'
    )


def _header(report: Report, axis: TimeAxis, *, title: str, period: str) -> str:
    hosts = f"{report.hosts} host{'s' * (report.hosts != 1)}"
    boards = f"{report.gpus} GPU{'s' * (report.gpus != 1)}"
    start, end = (local_time(hour, axis.zone) for hour in (axis.start_hour, axis.end_hour))
    days = (end.date() - start.date()).days
    length = (
        f"{days} days" if days > 1 and start.time() == end.time() else f"{axis.hours} hour{'s' * (axis.hours != 1)}"
    )
    return (
        f'<header><p class="brand">wattledger report</p>\n<h1>{safe(period)}</h1>\n'
        f'<p class="dim">{safe(title)} · {length} · times of {safe(str(axis.zone))} · {boards} on {hosts}</p>'
        "</header>\n"
    )


def _period(axis: TimeAxis) -> str:
    """Give the time in words: days where it is of whole ones, the last included."""
    start, end = (local_time(hour, axis.zone) for hour in (axis.start_hour, axis.end_hour))
    if start.hour == end.hour == start.minute == end.minute == 0:
        last = local_time(axis.end_hour - 1, axis.zone)
        same = start.date() == last.date()
        return date_text(start) if same else f"{date_text(start)} to {date_text(last)}"
    return f"{date_text(start)}, {start:%H:%M} to {date_text(end)}, {end:%H:%M}"


def _methods(report: Report) -> str:
    said = "".join(f"<li>{safe(sentence)}</li>\n" for sentence in methods(report))
    return (
        f'<section id="methods">\n<h2>How these numbers were made</h2>\n<ul>\n{said}</ul>\n{factor_table(report)}'
        "</section>\n"
    )
