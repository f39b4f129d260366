"""The series of a host are as many as docs/fleet.md says, and what it says to drop is read by nothing."""

import re
from collections.abc import Callable

import pytest
import yaml

from tests.deploy.promql_names import PACKS, families
from tests.fleet.cardinality import SHAPES, About, budget_table, count, shapes_row, shapes_table
from tests.fleet.document import PAGE, between
from tests.fleet.reads import drop_config, keep_config, read_by_fleet, read_by_others, savings_table, unread

TEXT = PAGE.read_text(encoding="utf-8")
CURE = "run `make fleet ARGS='--series --write'` and look at the difference"
# Those that take a second or two to make.
QUICK = (
    "8 GPUs with workloads",
    "8 GPUs, all cut into 7 MIG instances, with workloads",
    "8 GPUs with workloads and 3 services",
    "8 GPUs with workloads, carbon, supply, tariff and a meter",
    "1 GPU with workloads",
)


def budget() -> dict[str, int]:
    return {
        what: int(most) for what, most in re.findall(r"^\| (.+) \| (\d+) \|$", between(TEXT, "budget"), re.MULTILINE)
    }


def config(name: str) -> tuple[str, re.Pattern[str]]:
    ((key, (rule,)),) = yaml.safe_load(between(TEXT, name).removeprefix("```yaml\n").removesuffix("```")).items()
    assert (rule["source_labels"], rule["action"]) == (["__name__"], name)
    return key, re.compile(rule["regex"])


@pytest.mark.parametrize("name", QUICK)
def test_a_host_has_the_series_that_the_page_says(name: str) -> None:
    assert shapes_row(name) in between(TEXT, "hosts").splitlines(), CURE
    for kind, most in count(SHAPES[name]).most.items():
        assert most <= budget()[kind], f"{kind}: {CURE}"


def test_the_formula_of_the_page_is_that_of_a_plain_host() -> None:
    one = count(SHAPES["8 GPUs with workloads"])
    host, gpu, workload = (one.most[kind] for kind in (About.HOST, About.GPU, About.WORKLOAD))
    assert f"`{host} + 8 x {gpu} + {workload} x workloads`" in TEXT
    assert (gpu, host) == (budget()[About.GPU], budget()[About.HOST])
    assert one.series <= host + 8 * gpu + 8 * workload < 1.02 * one.series


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("name", "table"), [("budget", budget_table), ("hosts", shapes_table), ("savings", savings_table)]
)
def test_every_table_of_series_is_what_the_command_writes(name: str, table: Callable[[], str]) -> None:
    assert table() == between(TEXT, name), CURE


@pytest.mark.parametrize(("name", "made"), [("drop", drop_config), ("keep", keep_config)])
def test_relabelling_is_what_the_command_writes(name: str, made: Callable[[], str]) -> None:
    assert made() == between(TEXT, name), CURE


def test_what_is_dropped_is_read_by_nothing_and_what_is_read_over_many_hosts_is_kept() -> None:
    key, dropped = config("drop")
    assert key == "metric_relabel_configs"
    assert {name for name in families() if dropped.fullmatch(name)} == unread()
    assert not any(
        dropped.fullmatch(name) for name in (*read_by_others(), "wattledger_gpu_energy_method_joules_total")
    )
    key, kept = config("keep")
    assert key == "write_relabel_configs"
    assert all(kept.fullmatch(name) for name in (*read_by_fleet(), "up", "ALERTS", "wattledger:cluster_state_gpus"))
    assert not kept.fullmatch("wattledger_gpu_clock_hertz")


def test_no_family_is_dropped_that_a_pack_names_be_it_in_the_text_of_an_alert() -> None:
    _, dropped = config("drop")
    named = {name for path in PACKS.glob("*.yml") for name in re.findall(r"\bwattledger_\w+", path.read_text())}
    assert {"wattledger_mig_info", "wattledger_rule_failure_info"} < named
    assert sorted(name for name in named if dropped.fullmatch(name)) == []
