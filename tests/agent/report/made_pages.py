"""Pages of reports for tests: of the simulated scene, and of a few hours that a test tells."""

from dataclasses import replace
from datetime import UTC

from tests.agent.report.made_rows import Scene
from tests.agent.report.page_reader import ReportPage
from wattledger.agent.report.html import html_report
from wattledger.agent.report.period import clock_text
from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.report.build import build
from wattledger.rules.report.choices import GroupBy
from wattledger.rules.report.groups import Sum
from wattledger.rules.report.model import HeatRow, HourPoint, Report
from wattledger.rules.report.rows import ReportRows

SCENE = Scene(days=26)  # over the day in October on which clocks are set back
HOUR = 490_000
WATT_HOUR_MJ = 3_600_000


def page_of(report: Report, scene: Scene = SCENE, title: str = "last-month") -> ReportPage:
    """Give the page of *report* on the clock of its scene."""
    return ReportPage(html_report(report, zone=scene.clock, title=title))


def small(
    hours: tuple[HourPoint, ...],
    heat: tuple[HeatRow, ...] = (),
    *,
    first: int = HOUR,
    last: int = HOUR + 3,
    now_wall_ns: int | None = None,
) -> ReportPage:
    """Give the page of a report that has nothing but what is told by the hour."""
    rows = ReportRows()
    empty = build(rows, first * NS_PER_HOUR, last * NS_PER_HOUR, by=GroupBy.OWNER, clock_text=clock_text(UTC))
    idle_mj = sum(sum(row.idle_mj.values()) for row in heat)
    total = Sum(energy_mj=sum(sum(point.states.values()) for point in hours), idle_mj=idle_mj)
    made = replace(empty, hours=hours, heat=heat, gpus=len(heat), total=total)
    return ReportPage(html_report(made, zone=UTC, title="test", now_wall_ns=now_wall_ns))
