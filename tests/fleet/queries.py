"""How long rules and the queries of dashboards take on the history of a fleet."""

import json
import re
import time
import urllib.error
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import yaml

from tests.deploy.dashboard_files import QUERIES, PanelQuery
from tests.deploy.promql_names import recording_rules

RULES = Path(__file__).parents[2] / "deploy/prometheus/rules"
OURS, FLEET = "wattledger.rules.yml", "wattledger-fleet.rules.yml"
WINDOW_S, POINTS = 300, 20
SHOWN = {"__rate_interval": "5m", "__range": f"{WINDOW_S}s", "__range_s": str(WINDOW_S), "__interval": "15s"}
TIMEOUT_S = 120
_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
_RECORDED = re.compile(r"(wattledger:[\w:]+)(\{[^}]*\})?(\[[^\]]+\])?")


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of some queries, and the names of those that the engine refused or gave up."""

    seconds: tuple[float, ...]
    refused: tuple[str, ...] = ()

    @property
    def total_s(self) -> float:
        """Give the time of all."""
        return sum(self.seconds)

    @property
    def median_s(self) -> float:
        """Give the time of the middle one."""
        return median(self.seconds) if self.seconds else 0.0

    @property
    def worst_s(self) -> float:
        """Give the time of the slowest one."""
        return max(self.seconds, default=0.0)


@dataclass(frozen=True, slots=True)
class QueryTimes:
    """What evaluations of the rules take, and the queries of dashboards: with and without recording rules."""

    ours: Timing
    fleet: Timing
    panels: Timing
    recorded: Timing
    inlined: Timing


def query_times(url: str, end_s: int) -> QueryTimes:
    """Ask everything once, after a look at each family so that files are in memory."""
    asking = [query for query in QUERIES if "wattledger:" in query.expr]
    direct = [query for query in QUERIES if "wattledger:" not in query.expr]
    _timing(["all"], lambda _: _instant(url, 'count({__name__=~"wattledger_.+"})', end_s))
    return QueryTimes(
        ours=_rules(url, OURS, end_s),
        fleet=_rules(url, FLEET, end_s),
        panels=_panels(url, direct, end_s),
        recorded=_panels(url, asking, end_s),
        inlined=_panels(url, asking, end_s, change=inlined),
    )


def inlined(expr: str) -> str:
    """Give *expr* with what recording rules say in the place of their series."""

    def rules_of(found: re.Match[str]) -> str:
        texts = []
        for rule in recording_rules():
            if rule["record"] == found[1]:
                text = f"({inlined(str(rule['expr']))})"
                for name, value in rule.get("labels", {}).items():
                    text = f'label_replace({text}, "{name}", "{value}", "", "")'
                texts.append(text)
        text = f"({' or '.join(texts)})"
        for name, operator, value in _MATCHER.findall(found[2] or ""):
            text = f"({text} {_chosen(name, operator, value)})"
        if found[3] is None:
            return text
        return f"{text}{found[3]}" if ":" in found[3] else f"{text}{found[3][:-1]}:15s]"

    return _RECORDED.sub(rules_of, expr)


def _chosen(name: str, operator: str, value: str) -> str:
    """Give what does to a result as the matcher does to a series."""
    if value == ".*":
        return ""
    values = value.split("|") if "~" in operator else [value]
    wanted = " or ".join(f'label_replace(vector(1), "{name}", "{one}", "", "")' for one in values)
    return f"{'unless' if operator.startswith('!') else 'and'} on ({name}) ({wanted})"


def _rules(url: str, name: str, end_s: int) -> Timing:
    document = yaml.safe_load((RULES / name).read_text(encoding="utf-8"))
    exprs = [str(rule["expr"]) for group in document["groups"] for rule in group["rules"]]
    return _timing(exprs, lambda expr: _instant(url, expr, end_s))


def _panels(url: str, queries: Sequence[PanelQuery], end_s: int, *, change: Callable[[str], str] = str) -> Timing:
    chosen = {query.name: query for query in queries}

    def ask(name: str) -> Any:
        query = chosen[name]
        expr = change(query.filled(SHOWN))
        return _instant(url, expr, end_s) if query.instant else _range(url, expr, end_s)

    return _timing(list(chosen), ask)


def _timing(names: Sequence[str], ask: Callable[[str], Any]) -> Timing:
    seconds, refused = [], []
    for name in names:
        began_s = time.perf_counter()
        try:
            ask(name)
        except (urllib.error.HTTPError, TimeoutError) as error:
            refused.append(f"{name}: {error}")
            continue
        seconds.append(time.perf_counter() - began_s)
    return Timing(tuple(seconds), tuple(refused))


def _instant(url: str, expr: str, end_s: int) -> Any:
    return _ask(f"{url}/api/v1/query?{urlencode({'query': expr, 'time': str(end_s)})}")


def _range(url: str, expr: str, end_s: int) -> Any:
    times = {"start": str(end_s - WINDOW_S), "end": str(end_s), "step": str(WINDOW_S // POINTS)}
    return _ask(f"{url}/api/v1/query_range?{urlencode({'query': expr, **times})}")


def _ask(url: str) -> Any:
    with urlopen(url, timeout=TIMEOUT_S) as answer:
        return json.load(answer)
