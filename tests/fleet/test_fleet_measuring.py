"""The measuring tool itself: hosts that differ, queries that say the same in two ways, and one small run of all."""

import subprocess
import sys
from pathlib import Path

import promql_parser
import pytest

from tests.agent.daemon_process import Page
from tests.agent.e2e_daemon import ROOT, environment
from tests.deploy.dashboard_files import QUERIES
from tests.fleet.document import between, replaced
from tests.fleet.herd import Herd, target_labels
from tests.fleet.queries import SHOWN, inlined
from tests.servers import need

START_S = 1_790_006_400


@pytest.fixture(scope="module")
def herd() -> Herd:
    return Herd.made(START_S, 6)


def test_no_two_hosts_have_a_board_in_common(herd: Herd) -> None:
    pages = [Page(herd.page(host, 0).decode()) for host in (0, 1, 2, 3, 300)]
    boards = [{row.labels["uuid"] for row in page.rows("wattledger_gpu_info")} for page in pages]
    assert all(len(found) == 8 for found in boards)
    assert len(set().union(*boards)) == 40
    assert len({str(target_labels(host)) for host in range(1250)}) == 1250
    owners = {row.labels["owner"] for page in pages for row in page.rows("wattledger_gpu_owner_info")}
    assert len([owner for owner in owners if owner.startswith("owner-")]) == 4, "hosts 0 and 300 are of one owner"


def test_counters_of_a_host_do_not_fall(herd: Herd, tmp_path: Path) -> None:
    herd.save(tmp_path)
    read = Herd.loaded(tmp_path)
    assert read == herd
    joules = [Page(read.page(1, moment).decode()).total("wattledger_gpu_energy_joules_total") for moment in range(6)]
    assert joules == sorted(joules)
    assert len(set(joules)) == 6


def test_queries_without_recording_rules_name_none() -> None:
    queries = [query for query in QUERIES if "wattledger:" in query.expr]
    assert len(queries) > 10
    for query in queries:
        text = inlined(query.filled(SHOWN))
        assert "wattledger:" not in text
        promql_parser.parse(text)
    assert inlined("wattledger:cluster_energy_watts:rate5m[1h:5m]").endswith("[1h:5m]")
    one = 'wattledger:cluster_state_watts:rate5m{state=~"held|parked"}'
    assert 'and on (state) (label_replace(vector(1), "state", "held", "", "") or ' in inlined(one)


def test_tables_go_between_their_markers() -> None:
    text = "a\n<!-- x: made -->\n\nold\n\n<!-- end of x -->\nb\n"
    new = replaced(text, {"x": "| 1 |"})
    assert (between(new, "x"), new.count("old")) == ("| 1 |", 0)
    with pytest.raises(ValueError, match="0 places for y"):
        replaced(text, {"y": ""})


@pytest.mark.nightly
def test_a_hundred_gpus_are_measured() -> None:
    for program in ("prometheus", "vmagent"):
        need(program, program)
    command = [sys.executable, "-m", "tests.fleet", "--gpus", "100", "--seconds", "5"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment({}), capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {
        cells[1].strip(): cells[2].strip() for line in done.stdout.splitlines() if len(cells := line.split("|")) > 3
    }
    assert rows["hosts of 8"] == "13"
    assert 13_000 < int(rows["series that are scraped"].replace(",", "")) < 30_000
    assert all(value not in {"0 s", "0 MiB", "0"} for value in rows.values())
