"""The chart with several values: Helm's own linter, the schemas of Kubernetes, promtool and `wattledger check`."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import helm_python
import kubernetes_validate  # type: ignore[import-untyped]  # it ships no types
import msgspec
import pytest
import yaml

from tests.deploy.helm_chart import (
    CASES,
    CHART,
    OF_THE_OPERATOR,
    ROOT,
    configuration,
    objects,
    of_kind,
    only,
    rendered,
    sync_into,
    texts_below,
    values,
)
from tests.deploy.operator_objects import check
from tests.deploy.shipped import wattledger
from tests.servers import need
from wattledger.agent.rulefiles import pack_names
from wattledger.agent.rulefiles.packs import read_pack
from wattledger.agent.rulefiles.render import Rendering
from wattledger.agent.version import __version__

OLDEST, NEWEST = "1.25", "1.37"  # the chart's kubeVersion; what is validated for whatever is newer
NEWER_FIELDS = {"all-on"}  # appArmorProfile is of 1.30
MOST_BYTES_OF_A_SECRET = 1 << 20  # of Kubernetes; Helm keeps a release in one, compressed and in base64


@pytest.mark.parametrize("case", CASES)
def test_helm_lints_it(case: str) -> None:
    report = helm_python.lint(CHART, values(case), strict=True)
    said = [one["error"] for one in report["messages"] if one["error"] != "icon is recommended"]
    assert (said, report["errors"]) == ([], [])


@pytest.mark.parametrize(("version", "cases"), [(NEWEST, {*CASES}), (OLDEST, {*CASES} - NEWER_FIELDS)])
def test_kubernetes_knows_every_key_of_every_object(version: str, cases: set[str]) -> None:
    for case in sorted(cases):
        for one in objects(case):
            if one["apiVersion"] != OF_THE_OPERATOR:
                assert kubernetes_validate.validate(one, version, strict=True) == version


def test_a_misspelt_key_would_be_seen() -> None:
    daemon_set = only("DaemonSet", rendered({}))
    daemon_set["spec"]["template"]["spec"]["runtimeClasName"] = "nvidia"
    with pytest.raises(kubernetes_validate.ValidationError, match="runtimeClasName"):
        kubernetes_validate.validate(daemon_set, NEWEST, strict=True)


@pytest.mark.parametrize("case", CASES)
def test_the_prometheus_operator_knows_every_field(case: str) -> None:
    for one in objects(case):
        if one["apiVersion"] == OF_THE_OPERATOR:
            check(one)


def test_a_field_that_the_operator_does_not_know_would_be_seen() -> None:
    monitor = only("PodMonitor", rendered(values("operator")))
    monitor["spec"]["podMetricsEndpoints"][0]["scrapeTimout"] = "10s"
    with pytest.raises(msgspec.ValidationError, match="scrapeTimout"):
        check(monitor)


@pytest.mark.parametrize("case", ["operator", "all-on"])
def test_promtool_takes_the_rules(case: str, tmp_path: Path) -> None:
    rules = of_kind("PrometheusRule", objects(case))
    assert rules
    for one in rules:
        (tmp_path / f"{one['metadata']['name']}.yml").write_text(yaml.safe_dump(one["spec"]))
    command = [need("promtool", "prometheus"), "check", "rules", *map(str, sorted(tmp_path.iterdir()))]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_rules_are_those_of_the_packs_to_the_last_brace() -> None:
    found = {one["metadata"]["name"]: one["spec"] for one in of_kind("PrometheusRule", objects("operator"))}
    texts = {pack: (CHART / f"rules/{pack}.yml").read_text() for pack in pack_names()}
    assert found == {f"wattledger-{pack}": yaml.safe_load(text) for pack, text in texts.items()}
    assert "{{ $value" in json.dumps(found)


def test_runbooks_lead_where_the_command_would_lead_them() -> None:
    found = next(
        one for one in of_kind("PrometheusRule", objects("all-on")) if one["metadata"]["name"] == "joules-idle"
    )
    base = values("all-on")["prometheusRule"]["runbookBase"]
    options = ("--config", "/dev/null", "--no-fleet", "--pack", "idle", "--runbook-base", base)
    assert found["spec"] == yaml.safe_load(wattledger("rules", "render", *options))


def rendered_pack(pack: str) -> str:
    """Give what `wattledger rules render` prints of one pack with every setting at its default."""
    return Rendering([read_pack(pack)], {}, __version__).rule_file()


def test_what_the_chart_takes_from_elsewhere_is_up_to_date() -> None:
    fresh = {f"{pack}.yml": rendered_pack(pack) for pack in pack_names()}
    assert texts_below(CHART / "rules") == fresh, "run deploy/helm/sync"
    assert texts_below(CHART / "dashboards") == texts_below(ROOT / "deploy/grafana/dashboards"), (
        "run deploy/helm/sync"
    )


@pytest.mark.nightly
def test_the_script_writes_what_is_committed(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/gone.yml").write_text("of a pack that there is no more")
    sync_into(tmp_path)
    for folder in ("rules", "dashboards"):
        assert texts_below(tmp_path / folder) == texts_below(CHART / folder)


def test_the_schema_knows_the_packs_that_there_are() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    packs = schema["properties"]["prometheusRule"]["properties"]["packs"]["items"]["enum"]
    assert sorted(packs) == sorted(pack_names())
    with helm_python.Chart.load(CHART) as chart:
        assert sorted(chart.values["prometheusRule"]["packs"]) == sorted(pack_names())


def test_each_dashboard_goes_through_as_it_is() -> None:
    wanted = texts_below(CHART / "dashboards")
    found = {}
    for one in of_kind("ConfigMap", objects("operator")):
        if one["metadata"]["labels"].get("grafana_dashboard") == "1":
            found.update(one["data"])
    assert {name: json.loads(text) for name, text in found.items()} == {
        name: json.loads(text) for name, text in wanted.items()
    }


def test_a_chart_without_dashboards_renders_too(tmp_path: Path) -> None:
    bare = tmp_path / "wattledger"
    shutil.copytree(CHART, bare, ignore=shutil.ignore_patterns("*.json.new", "dashboards"))
    among = rendered(values("operator"), chart=bare)
    assert [one["metadata"]["name"] for one in of_kind("ConfigMap", among)] == ["wattledger"]


@pytest.mark.parametrize("case", [case for case in CASES if values(case).get("config")])
def test_the_agent_takes_the_configuration(case: str, tmp_path: Path) -> None:
    path = configuration(objects(case), tmp_path)
    command = [sys.executable, "-m", "wattledger.agent", "check", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_numbers_and_dates_reach_the_agent_as_they_were_written(tmp_path: Path) -> None:
    path = configuration(objects("all-on"), tmp_path)
    # A YAML of its own for this: the reader that tests have takes dates for dates.
    read = yaml.load(path.read_text(), Loader=yaml.BaseLoader)  # noqa: S506  (texts only)
    wanted = yaml.load((Path(__file__).parent / "values/all-on.yaml").read_text(), Loader=yaml.BaseLoader)  # noqa: S506
    assert read == wanted["config"]


def test_a_configuration_as_text_keeps_its_comments(tmp_path: Path) -> None:
    text = configuration(objects("operator"), tmp_path).read_text()
    assert text == values("operator")["config"]


def test_files_reach_the_agent_as_they_were_written(tmp_path: Path) -> None:
    files = {"site.csv": "  from,grams\n1,2\n", "a.yml": "\n   # of 2026\ngroups: []\n", "b.yml": "groups: []\n"}
    configuration(rendered({"config": "  # Ours\ninterval: 2s\n", "configFiles": files}), tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "wattledger.yaml": "  # Ours\ninterval: 2s\n",
        **files,
    }


def test_labels_of_the_user_replace_those_of_the_chart_but_not_what_finds_the_pods() -> None:
    part, name = "app.kubernetes.io/part-of", "app.kubernetes.io/name"
    given = {
        "commonLabels": {part: "observability", name: "other", "team": "a"},
        "podLabels": {"team": "b"},
        "monitor": {"enabled": True, "labels": {part: "monitoring"}},
    }
    with helm_python.Chart.load(CHART) as chart:
        text = "".join(chart.render(given, name="wattledger", namespace="energy").values())
    # In the text, since readers of YAML differ in what they make of a key that stands twice.
    assert text.count(f"{part}:") == text.count("app.kubernetes.io/version:")
    among = rendered(given)
    daemon_set, monitor = only("DaemonSet", among), only("PodMonitor", among)
    labels = daemon_set["spec"]["template"]["metadata"]["labels"]
    assert (labels[part], labels["team"]) == ("observability", "b")
    assert labels.items() >= daemon_set["spec"]["selector"]["matchLabels"].items()
    assert monitor["metadata"]["labels"][part] == "monitoring"


def test_the_chart_is_of_this_version() -> None:
    described = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (described["version"], described["appVersion"]) == (__version__, __version__)


def test_a_release_fits_into_the_secret_that_helm_keeps_it_in(tmp_path: Path) -> None:
    archive = Path(helm_python.package(CHART, destination=tmp_path))
    assert archive.stat().st_size * 2 * 4 / 3 < MOST_BYTES_OF_A_SECRET  # chart and manifest, in base64


def test_every_value_is_in_the_readme() -> None:
    text = (CHART / "README.md").read_text()
    with helm_python.Chart.load(CHART) as chart:
        missing = [name for name in chart.values if f"`{name}" not in text]
    assert missing == []
