"""A real Prometheus scrapes a real daemon."""

import json
import re
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.agent.daemon_process import DaemonProcess
from tests.agent.e2e_daemon import environment, poll
from tests.bench.contenders import free_port
from tests.nvml.double import NvmlDouble
from tests.servers import need

START_SECONDS = 40.0


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[DaemonProcess]:
    with NvmlDouble(tmp_path, gpus=["h100", "l40s", "a100"], clock="real") as double:
        for gpu in double.gpus:
            gpu.process(4242, memory_bytes=1 << 30)
            gpu.utilisation(gpu=50)
        double.gpu(2).mig(["3g.40gb", "1g.10gb"])
        double.gpu(1).xid(31)
        with DaemonProcess(tmp_path / "state", env=double.env) as daemon:
            daemon.wait_ticks(5)
            yield daemon


def test_promtool_finds_nothing_to_lint_on_the_page(daemon: DaemonProcess) -> None:
    promtool = need("promtool", "prometheus")
    result = subprocess.run(
        [promtool, "check", "metrics"],
        input=daemon.page().text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize("protocol", ["PrometheusText0.0.4", "OpenMetricsText1.0.0"])
def test_prometheus_scrapes_the_page_and_sees_energy_grow(
    daemon: DaemonProcess, tmp_path: Path, protocol: str
) -> None:
    # Prometheus 2.42 asks for OpenMetrics first; for the plain text the negotiation tests of the page answer.
    status, body = daemon.get(
        "/metrics",
        Accept="text/plain; version=0.0.4" if protocol.startswith("Prometheus") else "application/openmetrics-text",
    )
    assert status == 200
    assert body.endswith(b"# EOF\n") is protocol.startswith("Open")
    with prometheus(daemon, tmp_path) as port:
        joules = _until(port, 'rate(wattledger_gpu_energy_joules_total{gpu="0"}[5s]) > 50')
        assert joules[0]["metric"]["gpu"] == "0"
        assert _until(port, 'up{job="wattledger"} == 1')
        assert not _query(port, 'up{job="wattledger"} == 0')
        total = "sum by (gpu, uuid) (wattledger_gpu_state_energy_joules_total)"
        exact = f"abs({total} - wattledger_gpu_energy_joules_total) > 1e-6"
        assert not _query(port, exact), "the states sum to the whole, also in Prometheus"
        series = _query(port, 'count({job="wattledger"})')
        assert float(series[0]["value"][1]) > 200


def test_the_rendered_packs_raise_the_same_alerts_in_prometheus_as_on_the_host(tmp_path: Path) -> None:
    config, rules = tmp_path / "wattledger.yml", tmp_path / "wattledger.rules.yml"
    config.write_text(
        "states: {dwell: 1s}\n"
        "owners: [{gpus: [0], owner: alice}]\n"
        "rules: {interval: 1s, vars: {held_notice: 3s, held_warning: 6s, parked_notice: 4s}}\n"
    )
    rendered = subprocess.run(
        [sys.executable, "-m", "wattledger.agent", "rules", "render", "--config", str(config)],
        env=environment({}),
        capture_output=True,
        text=True,
        check=True,
    )
    rules.write_text(rendered.stdout)
    with NvmlDouble(tmp_path, gpus=["h100", "a100"], clock="real") as double:
        double.gpu(0).process(4242, memory_bytes=20 << 30)
        double.gpu(0).draw(121)
        with (
            DaemonProcess(tmp_path / "state", "--config", str(config), env=double.env) as daemon,
            prometheus(daemon, tmp_path, rules) as port,
        ):
            wanted = {
                ("WattledgerGpuHeld", "info", "0", "alice"),
                ("WattledgerGpuHeld", "warning", "0", "alice"),
                ("WattledgerGpuParkedLong", "info", "1", ""),
            }
            here: set[tuple[str, ...]] = set()
            there: set[tuple[str, ...]] = set()

            def both_have_them() -> bool:
                nonlocal here, there
                here = {_alert(row.labels) for row in daemon.page().rows("ALERTS", alertstate="firing")}
                there = {_alert(alert["labels"]) for alert in _alerts(port) if alert["state"] == "firing"}
                return here >= wanted and there >= wanted

            poll(both_have_them, "the alerts in both", START_SECONDS)
            assert here == there
            (summary,) = {
                alert["annotations"]["summary"]
                for alert in _alerts(port)
                if _alert(alert["labels"]) == ("WattledgerGpuHeld", "warning", "0", "alice")
            }
            assert re.fullmatch(
                r"GPU 0 on \S+ has held a model and done nothing for [\d.]+s: \d+ W, of which \d+ W avoidable, "
                r"owner alice, 0\.00 kWh so far",
                summary,
            )


def _alert(labels: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(labels.get(name, "") for name in ("alertname", "severity", "gpu", "owner"))


@contextmanager
def prometheus(daemon: DaemonProcess, folder: Path, *rules: Path) -> Iterator[int]:
    """Give the port of a Prometheus that scrapes *daemon* and evaluates *rules*, both each second."""
    program = need("prometheus", "prometheus")
    port = free_port()
    config = folder / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
        f"rule_files: {json.dumps([str(path) for path in rules])}\n"
        "scrape_configs:\n"
        "  - job_name: wattledger\n"
        f"    static_configs: [{{targets: ['{daemon.url.removeprefix('http://')}']}}]\n"
    )
    with (folder / "prometheus.log").open("wb") as log:
        server = subprocess.Popen(
            [
                program,
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        yield port
    finally:
        server.terminate()
        server.wait(20)


def _alerts(port: int) -> list[Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/alerts", timeout=5) as answer:
            found: list[Any] = json.load(answer)["data"]["alerts"]
    except OSError:  # it is starting
        return []
    return found


def _query(port: int, expression: str) -> list[Any]:
    query = urllib.parse.urlencode({"query": expression})
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?{query}", timeout=5) as answer:
        result: list[Any] = json.load(answer)["data"]["result"]
    return result


def _until(port: int, expression: str) -> list[Any]:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            if result := _query(port, expression):
                return result
        except OSError:
            pass
        assert time.monotonic() < deadline, f"never true: {expression}"
        threading.Event().wait(0.2)
