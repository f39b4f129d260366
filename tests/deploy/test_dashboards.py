"""The committed dashboards by themselves: made anew byte for byte, whole, and asking only for what there is."""

import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.make.__main__ import main
from deploy.grafana.make.colours import FEED_STATES, LAYERS, PHASES, STATES
from tests.deploy.dashboard_files import CHOSEN, FOLDER, NAMES, QUERIES, ROOT, PanelQuery, fill, load, panels
from tests.deploy.promql_names import TARGET_LABELS, is_known, known_labels, labels_named, selectors, sums_of_nested
from tests.servers import need
from wattledger.agent.rulefiles.label_values import closed_labels
from wattledger.rules.feeds.fallback import FeedState
from wattledger.rules.state import State
from wattledger.rules.supply.model import PRIORITY
from wattledger.rules.tokens.totals import Phase

# Keys of Grafana that the library does not know; without them a mark of an alert would have no text.
UNKNOWN_TO_THE_LIBRARY = {f".annotations.list[0].{key}" for key in ("titleFormat", "textFormat", "tagKeys", "step")}
# Labels that a query makes itself, or that a scrape puts in place of one of the page.
MADE = {"exported_namespace", "severity"}
each_dashboard = pytest.mark.parametrize("name", NAMES)
each_query = pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)


def test_the_committed_files_are_what_the_modules_make(tmp_path: Path) -> None:
    main(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        path.name: path.read_bytes() for path in FOLDER.iterdir()
    }, "run `make dashboards`"


@each_dashboard
def test_a_round_trip_through_the_library_loses_no_key(name: str) -> None:
    register_default_plugins()
    document = load(name)
    again = json.loads(JSONEncoder().encode(Dashboard.from_json(load(name))))
    lost = dict(_leaves(document)).items() - dict(_leaves(again)).items()
    assert {path for path, _ in lost} == UNKNOWN_TO_THE_LIBRARY


def test_uids_are_what_links_and_bookmarks_rely_on() -> None:
    uids = [load(name)["uid"] for name in NAMES]
    assert uids == [f"wattledger-{name}" for name in NAMES]
    for name in NAMES:
        numbers = Counter(panel["id"] for panel in load(name)["panels"])
        assert set(numbers.values()) == {1}


@each_dashboard
def test_every_panel_says_what_it_shows_and_in_which_unit(name: str) -> None:
    titles = Counter(panel["title"] for panel in panels(load(name)))
    assert [title for title, number in titles.items() if number > 1] == []
    for panel in panels(load(name)):
        assert len(panel["description"]) > 3, panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"], panel["title"]


@each_dashboard
def test_panels_lie_on_the_grid_and_do_not_cover_each_other(name: str) -> None:
    taken: Counter[tuple[int, int]] = Counter()
    for panel in load(name)["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        taken.update(
            (place["x"] + across, place["y"] + down) for across in range(place["w"]) for down in range(place["h"])
        )
    assert set(taken.values()) == {1}


@each_dashboard
def test_no_data_source_is_named(name: str) -> None:
    text = json.dumps(load(name))
    assert set(re.findall(r'"uid": "([^"]+)"', text)) == {f"wattledger-{name}", "${datasource}"}
    assert "http://" not in text
    assert "https://" not in text


@each_dashboard
def test_variables_are_all_there_and_all_used(name: str) -> None:
    document = load(name)
    defined = [one["name"] for one in document["templating"]["list"]]
    text = json.dumps(document["panels"]) + json.dumps(document["templating"]) + json.dumps(document["annotations"])
    used = {word for word in re.findall(r"\$\{?(\w+)", text) if not word.startswith("__")} - {"datasource"}
    assert used == set(defined) - {"datasource"}
    assert "datasource" in defined


@each_dashboard
def test_what_must_not_be_added_up_is_chosen_one_at_a_time(name: str) -> None:
    for variable in load(name)["templating"]["list"]:
        if variable["name"] in {"currency", "boundary", "accounting", "scope", "per"}:
            assert variable["multi"] is False
            assert variable.get("includeAll", False) is False


@each_dashboard
def test_links_lead_to_dashboards_and_variables_that_exist(name: str) -> None:
    urls = re.findall(r'"/d/([\w-]+)\?var-(\w+)=', json.dumps(load(name)))
    for uid, variable in urls:
        target = load(uid.removeprefix("wattledger-"))
        assert variable in {one["name"] for one in target["templating"]["list"]}
    (menu,) = load(name)["links"]
    assert (menu["type"], menu["tags"], menu["keepTime"], menu["includeVars"]) == (
        "dashboards",
        ["wattledger"],
        True,
        True,
    )
    assert "wattledger" in load(name)["tags"]


@each_query
def test_a_query_parses_and_asks_for_what_there_is(query: PanelQuery) -> None:
    _check(promql_parser.parse(query.filled()))


@each_dashboard
def test_variables_and_marks_ask_for_what_there_is(name: str) -> None:
    document = load(name)
    (mark,) = document["annotations"]["list"]
    _check(promql_parser.parse(fill(mark["expr"])))
    for variable in document["templating"]["list"]:
        if variable["type"] == "query":
            found = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
            assert found is not None
            metric, label = found.groups()
            for one in selectors(promql_parser.parse(fill(metric))):
                names = [one.name] if one.name else ["wattledger_emissions_grams_total", "wattledger_cost_total"]
                for metric_name in names:
                    assert is_known(metric_name)
                    assert label in known_labels(metric_name) | TARGET_LABELS


@each_query
def test_no_query_adds_up_what_contains_or_repeats_another(query: PanelQuery) -> None:
    assert list(sums_of_nested(promql_parser.parse(query.filled()))) == []


@pytest.mark.parametrize(
    "expr",
    [
        "sum(wattledger_emissions_grams_total)",
        'sum by (zone) (increase(wattledger_emissions_grams_total{boundary="gpu"}[1h]))',
        'sum by (accounting) (wattledger_emissions_grams_total{boundary=~"gpu|node"})',
        "sum by (service) (wattledger_service_energy_joules_total)",
        "sum without (domain) (wattledger_node_power_watts)",
        'sum(rate(wattledger_service_tokens_total{service="chat"}[5m]))',
        "sum(sum by (accounting) (wattledger_emissions_open_uncovered_energy_joules))",
    ],
)
def test_a_query_that_adds_up_too_much_is_found(expr: str) -> None:
    assert list(sums_of_nested(promql_parser.parse(expr)))


def test_a_query_for_what_there_is_not_is_found() -> None:
    for wrong in (
        "wattledger_gpu_powr_watts",
        'wattledger_gpu_power_watts{sensor="gpu"}',
        'wattledger_gpu_state{state="idle"}',
        "sum by (owner) (wattledger_gpu_power_watts)",
    ):
        with pytest.raises(AssertionError):
            _check(promql_parser.parse(wrong))


def test_the_only_event_of_a_counter_that_begins_with_it_is_shown(tmp_path: Path) -> None:
    (xids,) = (query for query in QUERIES if "wattledger_gpu_xid_errors_total" in query.expr)
    labels = 'instance="h1",gpu="0",uuid="GPU-a",xid="79"'
    chosen = {"instance": "h1", "gpu": "0", "__rate_interval": "1m"}
    test = {
        "interval": "15s",
        "input_series": [{"series": f"wattledger_gpu_xid_errors_total{{{labels}}}", "values": "_x40 1x60"}],
        "promql_expr_test": [
            {
                "expr": f"max_over_time(({xids.filled(chosen)})[20m:15s]) > 0",
                "eval_time": "20m",
                "exp_samples": [{"labels": f"{{{labels}}}", "value": 1}],
            }
        ],
    }
    path = tmp_path / "xid.test.yml"
    path.write_text(json.dumps({"tests": [test]}))
    command = [need("promtool", "prometheus"), "test", "rules", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_colours_cover_the_closed_sets_that_they_stand_for() -> None:
    assert list(STATES) == [one.value for one in State]
    assert list(LAYERS) == [one.value for one in PRIORITY]
    assert list(PHASES) == [one.value for one in Phase]
    assert list(FEED_STATES) == [one.value for one in FeedState]


def test_a_state_has_one_colour_on_all_dashboards() -> None:
    found: dict[str, set[str]] = {}
    for name in NAMES:
        for panel in panels(load(name)):
            for override in panel["fieldConfig"].get("overrides", ()):
                word = re.fullmatch(r"/\^(\w+)\\b/", override["matcher"].get("options", ""))
                if word is not None:
                    (colour,) = (one["value"]["fixedColor"] for one in override["properties"] if one["id"] == "color")
                    found.setdefault(word.group(1), set()).add(colour)
            for mapping in panel["fieldConfig"]["defaults"].get("mappings", ()):
                for shown in mapping["options"].values():
                    found.setdefault(shown["text"], set()).add(shown["color"])
    assert {word: colours for word, colours in found.items() if len(colours) > 1} == {}
    assert all(found[state] == {colour} for state, colour in STATES.items())


def test_every_variable_is_filled_in_for_the_queries() -> None:
    named = {one["name"] for name in NAMES for one in load(name)["templating"]["list"]} - {"datasource"}
    assert named == set(CHOSEN)


def test_provisioning_finds_the_dashboards_and_names_no_secret() -> None:
    folder = ROOT / "deploy/grafana/provisioning"
    (source,) = yaml.safe_load((folder / "datasources/wattledger.yml").read_text(encoding="utf-8"))["datasources"]
    assert source["type"] == "prometheus"
    assert source["isDefault"] is True
    assert source["url"].startswith("$")
    (provider,) = yaml.safe_load((folder / "dashboards/wattledger.yml").read_text(encoding="utf-8"))["providers"]
    assert provider["options"]["path"].endswith("wattledger")
    assert "password" not in (folder / "datasources/wattledger.yml").read_text(encoding="utf-8")


def _check(expr: promql_parser.Expr) -> None:
    found = selectors(expr)
    there: set[str] = set(MADE)
    closed = closed_labels()
    for one in found:
        name = str(one.name)
        assert is_known(name), name
        labels = known_labels(name) | TARGET_LABELS
        there |= labels
        for matcher in one.matchers.matchers:
            assert matcher.name in labels | MADE, f"{name} has no label {matcher.name}"
            if "$" not in matcher.value and matcher.value not in {"", ".*"}:
                possible = closed.get(name, {}).get(matcher.name)
                for value in matcher.value.split("|") if possible else ():
                    assert possible is None or value in possible, f"{name}: {matcher.name} is never {value}"
    assert labels_named(expr) <= there


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, part in value.items():
            yield from _leaves(part, f"{path}.{key}")
    elif isinstance(value, list) and value:
        for number, part in enumerate(value):
            yield from _leaves(part, f"{path}[{number}]")
    else:
        yield path, json.dumps(value)
