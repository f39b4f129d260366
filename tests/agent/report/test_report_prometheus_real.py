"""A real Prometheus with the counters of two hosts gives the report that their growth means."""

import subprocess
import urllib.request
from collections.abc import Iterator

import pytest

from tests.agent.e2e_daemon import poll
from tests.agent.report.fleet import CHAT, END_NS, HOURS, NOTEBOOK, START_NS, TRAIN, counters, openmetrics
from tests.agent.report.reading import read_source
from tests.bench.contenders import free_port
from tests.servers import need
from wattledger.agent.cli import main
from wattledger.agent.report.from_prometheus import PrometheusSource
from wattledger.agent.report.prometheus_api import PrometheusPlace
from wattledger.agent.report.source import ReportError
from wattledger.rules.pricing.model import Boundary, grams, money
from wattledger.rules.report.choices import GroupBy
from wattledger.rules.report.model import Report
from wattledger.rules.supply.model import Layer

SPAN = (START_NS, END_NS)
MJ_PER_KWH = 3.6e9


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of a server that has the series."""
    folder = tmp_path_factory.mktemp("prometheus")
    samples = folder / "samples.txt"
    samples.write_text(openmetrics(counters()))
    command = ["tsdb", "create-blocks-from", "openmetrics", str(samples), str(folder / "tsdb")]
    subprocess.run([need("promtool", "prometheus"), *command], check=True, capture_output=True, timeout=60)
    config = folder / "prometheus.yml"
    config.write_text("global: {scrape_interval: 1h}\n")
    port = free_port()
    flags = [
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address=127.0.0.1:{port}",
        "--query.max-samples=3000",
    ]
    program = need("prometheus", "prometheus")
    with (folder / "log").open("wb") as log, subprocess.Popen([program, *flags], stdout=log, stderr=log) as server:
        try:
            poll(lambda: _is_ready(f"http://127.0.0.1:{port}"), "Prometheus is ready")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def read(url: str, by: GroupBy = GroupBy.OWNER, *, match: str = "", boundary: Boundary | None = None) -> Report:
    source = PrometheusSource(PrometheusPlace(url, match=match), *SPAN, environment={})
    return read_source(source, SPAN, by, boundary=boundary)


def kwh(energy_mj: int) -> float:
    return energy_mj / MJ_PER_KWH


def test_the_fleet_comes_to_what_its_counters_grew_by(url: str) -> None:
    report = read(url)
    assert (report.hosts, report.gpus, report.boundary) == (2, 3, Boundary.FACILITY)
    assert kwh(report.total.energy_mj) == pytest.approx(HOURS * 0.84)
    assert kwh(report.total.idle_mj) == pytest.approx(HOURS * 0.14)
    assert kwh(report.total.avoidable_mj) == pytest.approx(HOURS * 0.06)
    assert report.total.duration_ns / 1e9 == pytest.approx(HOURS * 3 * 3600)
    whole = report.boundaries[Boundary.FACILITY]
    assert kwh(whole.energy_mj) == pytest.approx(HOURS * 1.26)
    assert grams(whole.location) == pytest.approx(HOURS * (0.9 * 400 + 0.36 * 600))
    assert grams(whole.market) == pytest.approx(HOURS * 0.36 * 650)
    assert whole.market_covered_mj == whole.energy_mj, "a contract covers all of a: no gram there is known, and 0"
    assert money(whole.cost) == pytest.approx(HOURS * 1.26 * 0.2)
    assert report.currency == "EUR"
    assert len(report.hours) == HOURS


def test_owners_services_and_boards_have_their_part(url: str) -> None:
    groups = {group.name: group.sum for group in read(url).groups}
    assert {name: kwh(one.energy_mj) for name, one in groups.items()} == pytest.approx(
        {TRAIN: HOURS * 0.5, NOTEBOOK: HOURS * 0.1, CHAT: HOURS * 0.24}
    )
    assert grams(groups[TRAIN].priced.location) == pytest.approx(HOURS * 0.75 * 400, rel=1e-6)
    assert grams(groups[CHAT].priced.location) == pytest.approx(HOURS * 0.36 * 600, rel=1e-6)
    worst = read(url).worst
    assert worst is not None
    assert worst.name == NOTEBOOK
    (model,) = read(url, GroupBy.MODEL).models
    assert (model.service, model.model) == ("chat", "llama-8b")
    assert dict(model.tokens) == pytest.approx({"prompt": HOURS * 400_000, "output": HOURS * 100_000})
    assert grams(model.priced.location) == pytest.approx(HOURS * 0.36 * 600, rel=1e-6)
    names = {group.name for group in read(url, GroupBy.GPU).groups}
    assert names == {"gpu-a GPU 0 (H100)", "gpu-a GPU 1 (H100)", "gpu-b GPU 0 (L40S)"}
    assert {group.name for group in read(url, GroupBy.NAMESPACE).groups} == {"research", "serving", "(none)"}
    assert {group.name for group in read(url, GroupBy.USER).groups} == {"chen", "(none)"}


def test_supply_has_layers_and_what_was_matched_and_no_green_share(url: str) -> None:
    supply = read(url).supply
    assert supply is not None
    assert kwh(supply.layers[Layer.CONTRACT_INTRA]) == pytest.approx(HOURS * 0.9)
    assert supply.green_share is None
    assert supply.matched_share == pytest.approx(0.9 / 1.26)
    assert (supply.hours, supply.unmatched_hours) == (2 * HOURS, HOURS)


def test_the_score_with_the_grid_is_of_the_hosts_that_ask_for_it(url: str) -> None:
    supply = read(url).supply
    assert supply is not None
    assert supply.with_grid is not None
    assert supply.with_grid.ratio == pytest.approx(1 / 3)
    assert kwh(supply.with_grid.covered_mj) == pytest.approx(HOURS * 0.18)
    other = read(url, match='instance="gpu-a:9889"').supply
    assert other is not None
    assert other.with_grid is None


def test_one_host_of_the_fleet(url: str) -> None:
    report = read(url, GroupBy.HOST, match='instance="gpu-b:9889"')
    (group,) = report.groups
    assert group.name == "gpu-b:9889"
    assert kwh(group.sum.energy_mj) == pytest.approx(HOURS * 0.24)
    assert read(url, match='{instance="gpu-b:9889"}').total == report.total


def test_a_mistake_in_the_labels_is_told_by_the_server(url: str) -> None:
    with pytest.raises(ReportError, match=r"status 400.*parse error"):
        read(url, match="instance=")


def test_the_command_prints_it(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    span = ("--since", "2024-11-04", "--until", "2024-11-04T06:00Z")
    assert main(["report", "--prometheus", url, *span]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out.startswith("3 GPUs of 2 hosts, 2024-11-04 to ")
    assert "7.560 kWh at the meter; 5.040 kWh of GPUs, 16.7 % of it idle" in printed.out
    assert "by Prometheus, extrapolated" in " ".join(printed.out.split())
    assert main(["report", "--prometheus", url, "--since", "2024-10-04", "--until", "2024-10-05"]) == 1
    assert f"{url} has no series wattledger_gpu_state_energy_joules_total{{}} now" in capsys.readouterr().err
