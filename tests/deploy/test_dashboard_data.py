"""Every query of every dashboard against a real Prometheus with a day of pages of the daemon in it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import promql_parser
import pytest

from tests.deploy import made_trouble
from tests.deploy.dashboard_files import NAMES, QUERIES, PanelQuery, fill, load
from tests.deploy.history_blocks import Scrapes, make_rule_blocks, prometheus_of
from tests.deploy.promql_names import recorded, recording_rules, selectors
from tests.deploy.simulated_day import CLOSE_FROM_S, END_S, DayHost, moments_s
from wattledger.exporter.render import Format, Renderer

# The history takes half a minute of two processors to make.
pytestmark = pytest.mark.nightly

HEALTHY = {"instance": "gpu-1:9889|gpu-2:9889", "cluster": "east|west"}
TROUBLED = {"instance": "gpu-3:9889", "cluster": "lab"}
# What rightly gives nothing on a healthy host, and is then asked of one in trouble.
EMPTY_WHEN_WELL = {
    "agent/Why sources fail/A": "there is a reason only while a source fails",
    "fleet/By Slurm job/A": "the simulated job never stops working",
    "tokens/Idle share of services/A": "simulated services are asked for something within each two minutes",
    "tokens/Work in vain/A": "no simulated server guesses ahead",
    "tokens/Work in vain/B": "no simulated server pushes requests aside",
}
# What must show more than nothing on a host in trouble.
TROUBLE = (
    "agent/Sources that fail/A",
    "agent/Ledgers not writable/A",
    "agent/Samplers replaced/A",
    "agent/Configurations refused/A",
    "agent/Writes that failed/A",
    "agent/Missed samples, replaced and abandoned samplers/C",
    "agent/Workloads folded/A",
    "agent/Receivers of alerts/B",
    "agent/Receivers of alerts/C",
    "carbon/Attempts that gave nothing/A",
    "carbon/Corrections that came too late/A",
    "carbon/Energy without a price/A",
    "carbon/Energy without an intensity/A",
    "carbon/Energy without an intensity/B",
    "carbon/Paid by negative prices, $currency/A",
    "host/Alerts that fire/A",
    "host/ECC errors/A",
    "host/GPUs that do not answer/A",
    "host/Time without known energy/A",
    "host/Values that could not be read/A",
    "host/Xid errors/A",
    "tokens/Services/D",
    "tokens/Withheld, and why/A",
)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("day")
    scrapes = Scrapes(folder, _names())
    renderer = Renderer()
    for moment_s, snapshot in zip(moments_s(), DayHost(seed=7).pages(), strict=True):
        page = renderer.render(snapshot, Format.OPENMETRICS).decode()
        scrapes.add(page, moment_s, {"job": "wattledger", "instance": "gpu-1:9889", "cluster": "east"})
        if moment_s >= CLOSE_FROM_S:  # its twin in another cluster, which was set up later
            scrapes.add(page, moment_s, {"job": "wattledger", "instance": "gpu-2:9889", "cluster": "west"})
    for moment_s, snapshot in made_trouble.pages(END_S):
        page = renderer.render(snapshot, Format.OPENMETRICS).decode()
        scrapes.add(page, moment_s, {"job": "wattledger", "instance": "gpu-3:9889", "cluster": "lab"})
    blocks = folder / "blocks"
    scrapes.make_blocks(blocks)
    wanted = {name for text in _texts() for name in _series(text) if name in recorded()}
    make_rule_blocks(blocks, END_S - 3600, END_S, wanted=wanted)
    with prometheus_of(blocks) as url:
        yield url


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_a_query_returns_data(prometheus: str, query: PanelQuery) -> None:
    well = _answer(prometheus, query, HEALTHY)
    if query.name in EMPTY_WHEN_WELL:
        assert not well, f"{query.name} does give something: take it off the table"
        assert _answer(prometheus, query, TROUBLED), f"{query.name}: {EMPTY_WHEN_WELL[query.name]}"
    else:
        assert well
        assert all(any(value not in {"NaN", "+Inf", "-Inf"} for _, value in points) for _, points in well)


@pytest.mark.parametrize("name", TROUBLE)
def test_trouble_shows(prometheus: str, name: str) -> None:
    (query,) = (one for one in QUERIES if one.name == name)
    answer = _answer(prometheus, query, TROUBLED)
    assert max(float(value) for _, points in answer for _, value in points) > 0


def test_the_names_in_tables_are_of_queries() -> None:
    assert {*EMPTY_WHEN_WELL, *TROUBLE} <= {query.name for query in QUERIES}


def test_a_day_is_there(prometheus: str) -> None:
    ((_, points),) = ask(prometheus, 'sum(wattledger_gpu_energy_joules_total{instance="gpu-1:9889"})', instant=False)
    assert len(points) == 97
    (energy,) = (one for one in QUERIES if one.name == "host/Energy/A")
    ((_, ((_, kwh),)),) = _answer(prometheus, energy, {"instance": "gpu-1:9889"})
    assert 10 < float(kwh) < 100  # eight boards, 0.4 to 4 kW


@pytest.mark.parametrize("name", NAMES)
def test_alerts_are_marked_and_variables_have_values(prometheus: str, name: str) -> None:
    document = load(name)
    (mark,) = document["annotations"]["list"]
    assert ask(prometheus, fill(mark["expr"], HEALTHY), instant=False)
    for metric, label in _variables(document):
        assert any(label in labels for labels, _ in ask(prometheus, fill(metric, HEALTHY), instant=True)), label


def _answer(url: str, query: PanelQuery, chosen: Mapping[str, str]) -> list[tuple[Mapping[str, str], list[Any]]]:
    return ask(url, query.filled(chosen), instant=query.instant)


def ask(url: str, expr: str, *, instant: bool) -> list[tuple[Mapping[str, str], list[Any]]]:
    """Give labels and points of each series that Prometheus answers with, as of the end of the day."""
    if instant:
        path, times = "query", {"time": str(END_S)}
    else:
        path, times = "query_range", {"start": str(END_S - 86_400), "end": str(END_S), "step": "900"}
    with urlopen(f"{url}/api/v1/{path}?{urlencode({'query': expr, **times})}", timeout=60) as answer:
        found = json.load(answer)["data"]["result"]
    return [(one["metric"], one["values"] if "values" in one else [one["value"]]) for one in found]


def _series(expr: str) -> set[str]:
    return {str(one.name) for one in selectors(promql_parser.parse(expr))}


def _names() -> set[str]:
    """Give the series of pages that any query or rule reads."""
    texts = (*_texts(), *(str(rule["expr"]) for rule in recording_rules()))
    return {name for text in texts for name in _series(text)}


def _texts() -> Iterator[str]:
    """Give every query: of panels, of marks and of variables."""
    for query in QUERIES:
        yield query.filled()
    for name in NAMES:
        document = load(name)
        yield fill(document["annotations"]["list"][0]["expr"])
        yield from (fill(metric) for metric, _ in _variables(document))


def _variables(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give the series and the label that each variable takes its values from."""
    for variable in document["templating"]["list"]:
        if variable["type"] == "query":
            text = variable["query"]["query"].removeprefix("label_values(").removesuffix(")")
            metric, _, label = text.rpartition(", ")
            yield metric, label
