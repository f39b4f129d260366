"""A dashboard around its panels: what it is called, what is chosen, alerts as marks over time, ways to the others."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from .links import TAG, UID, among_dashboards
from .panels import DATASOURCE, Panel
from .variables import Variable

ALERT_ICON = "red"
FIRING = 'alertstate="firing",alertname=~"Wattledger.*"'


@dataclass(frozen=True, slots=True)
class Row:
    """Panels below a heading."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, slots=True)
class Sheet:
    """One dashboard. *name* makes its uid and its file, *alerts* selects which alerts are marked."""

    name: str
    title: str
    text: str
    variables: Sequence[Variable]
    alerts: str
    rows: Sequence[Row]
    past: str = "now-6h"


def json_of(sheet: Sheet) -> str:
    """Give the dashboard as it is written to its file; the same sheet always gives the same bytes."""
    made = (
        dashboard.Dashboard(f"wattledger / {sheet.title}")
        .uid(UID.format(sheet.name))
        .description(sheet.text)
        .tags([TAG])
        .timezone("browser")
        .readonly()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .time(sheet.past, "now")
        .refresh("1m")
        .link(among_dashboards())
        .annotation(_alerts(sheet.alerts))
    )
    for variable in sheet.variables:
        made.with_variable(variable)
    for row in sheet.rows:
        made.with_row(dashboard.Row(row.title))
        for panel in row.panels:
            made.with_panel(panel)
    built = made.build()
    for number, placed in enumerate(built.panels or (), start=1):
        placed.id_val = number
    document = json.loads(JSONEncoder(sort_keys=True).encode(built))
    (mark,) = document["annotations"]["list"]
    # The library knows no text of an annotation; without one Grafana shows a mark that says nothing.
    mark |= {
        "titleFormat": "{{alertname}}",
        "textFormat": "{{instance}} GPU {{gpu}} {{owner}}",
        "tagKeys": "severity",
        "step": "60s",
    }
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _alerts(select: str) -> dashboard.AnnotationQuery:
    return (
        dashboard.AnnotationQuery()
        .name("Alerts")
        .datasource(DATASOURCE)
        .enable(True)
        .hide(False)
        .icon_color(ALERT_ICON)
        .expr(f"max by (alertname, severity, instance, gpu, owner) (ALERTS{{{select},{FIRING}}})")
    )
