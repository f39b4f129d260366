"""Rules in two engines: vmalert takes the shipped files, and VictoriaMetrics records what Prometheus records."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.history_blocks import prometheus_of
from tests.deploy.shipped import DEPLOY
from tests.fleet.engines import Engine, victoria_metrics
from tests.fleet.herd import Herd
from tests.fleet.history import import_into, make_blocks, write_history
from tests.servers import need

FOLDER = DEPLOY / "prometheus" / "rules"
START_S = 1_790_006_400
HOSTS = 4
# Those that are made of pages alone; each gives something on a host with everything.
RECORDED = (
    "wattledger:cluster_gpu_power_watts",
    "wattledger:cluster_state_gpus",
    "wattledger:cluster_state_watts:rate5m",
    "wattledger:cluster_avoidable_watts:rate5m",
    "wattledger:model_state_watts:rate5m",
    "wattledger:owner_energy_watts:rate5m",
    "wattledger:namespace_state_watts:rate5m",
    "wattledger:slurm_job_energy_watts:rate5m",
    "wattledger:served_model_watts:rate5m",
    "wattledger:served_model_tokens_per_second:rate5m",
)
Answer = dict[frozenset[tuple[str, str]], float]


@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda path: path.name)
def test_vmalert_takes_the_shipped_rules(path: Path) -> None:
    done = subprocess.run(
        [need("vmalert", "victoria-metrics"), "-dryRun", f"-rule={path}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Engine, int]]:
    """Run both with the same ten minutes of the same hosts."""
    folder = tmp_path_factory.mktemp("engines")
    path = folder / "history.om"
    end_s = write_history(path, Herd.made(START_S, 41), HOSTS, START_S)
    make_blocks(path, folder / "blocks")
    store = victoria_metrics(folder)
    with store.running(), prometheus_of(folder / "blocks") as prometheus:
        import_into(store, path.read_bytes())
        yield prometheus, store, end_s


def expression(name: str) -> str:
    groups = yaml.safe_load((FOLDER / "wattledger-fleet.rules.yml").read_text(encoding="utf-8"))["groups"]
    (found,) = {rule["expr"] for group in groups for rule in group["rules"] if rule.get("record") == name}
    return str(found)


def answer(store: Engine, expr: str, end_s: int) -> Answer:
    result: list[dict[str, Any]] = store.ask("/api/v1/query", query=expr, time=str(end_s))["data"]["result"]
    return {frozenset(one["metric"].items()): float(one["value"][1]) for one in result}


@pytest.mark.nightly
@pytest.mark.parametrize("name", RECORDED)
def test_both_engines_record_the_same(engines: tuple[str, Engine, int], name: str) -> None:
    """At the moment of a scrape: between two, Prometheus extrapolates to the edges of the window."""
    prometheus, store, end_s = engines
    expr = expression(name)
    ours = answer(Engine((), prometheus, FOLDER), expr, end_s)
    theirs = answer(store, expr, end_s)
    assert ours
    assert theirs.keys() == ours.keys()
    for labels, value in ours.items():
        assert theirs[labels] == pytest.approx(value, rel=1e-6, abs=1e-6), dict(labels)
