"""The committed dashboards as Grafana would use them: their queries with every variable filled in."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/grafana/dashboards"
NAMES = ("agent", "carbon", "fleet", "host", "tokens", "waste")

# What Grafana itself fills in for a day that is shown with points a quarter of an hour apart.
BUILT_IN = {"__rate_interval": "16m", "__range": "24h", "__range_s": "86400", "__interval": "15m"}
CHOSEN = {
    "job": "wattledger",
    "instance": ".*",
    "cluster": ".*",
    "gpu": ".*",
    "owner": ".*",
    "namespace": ".*",
    "service": ".*",
    "currency": "EUR",
    "boundary": "facility",
    "accounting": "location",
    "per": "output",
    "scope": "total",
}


@dataclass(frozen=True, slots=True)
class PanelQuery:
    """One query of a panel, as it is written."""

    dashboard: str
    panel: str
    ref: str
    expr: str
    instant: bool

    @property
    def name(self) -> str:
        """Give what the tables of tests call it."""
        return f"{self.dashboard}/{self.panel}/{self.ref}"

    def filled(self, chosen: Mapping[str, str] = {}) -> str:
        """Give it with all variables filled in, those of *chosen* as they say."""
        return fill(self.expr, chosen)


def fill(text: str, chosen: Mapping[str, str] = {}) -> str:
    """Give *text* with its variables filled in. Raises KeyError for one that is not known."""
    values = BUILT_IN | CHOSEN | dict(chosen)
    return re.sub(r"\$(\w+)", lambda found: values[found.group(1)], text)


def load(name: str) -> dict[str, Any]:
    """Give a dashboard."""
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


def panels(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Give its panels without the headings of rows."""
    return (panel for panel in document["panels"] if panel["type"] != "row")


def queries() -> Iterator[PanelQuery]:
    """Give every query of every dashboard."""
    for name in NAMES:
        for panel in panels(load(name)):
            for target in panel["targets"]:
                yield PanelQuery(name, panel["title"], target["refId"], target["expr"], target["instant"])


QUERIES = tuple(queries())
