"""A real Prometheus scrapes a real daemon."""

import json
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agent.daemon_process import DaemonProcess
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
    program = need("prometheus", "prometheus")
    port = free_port()
    config = tmp_path / "prometheus.yml"
    target = daemon.url.removeprefix("http://")
    config.write_text(
        "global: {scrape_interval: 1s}\n"
        "scrape_configs:\n"
        "  - job_name: wattledger\n"
        f"    static_configs: [{{targets: ['{target}']}}]\n"
    )
    # Prometheus 2.42 asks for OpenMetrics first; for the plain text the negotiation tests of the page answer.
    status, body = daemon.get(
        "/metrics",
        Accept="text/plain; version=0.0.4" if protocol.startswith("Prometheus") else "application/openmetrics-text",
    )
    assert status == 200
    assert body.endswith(b"# EOF\n") is protocol.startswith("Open")
    with (tmp_path / "prometheus.log").open("wb") as log:
        server = subprocess.Popen(
            [
                program,
                f"--config.file={config}",
                f"--storage.tsdb.path={tmp_path / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        joules = _until(port, 'rate(wattledger_gpu_energy_joules_total{gpu="0"}[5s]) > 50')
        assert joules[0]["metric"]["gpu"] == "0"
        assert _until(port, 'up{job="wattledger"} == 1')
        assert not _query(port, 'up{job="wattledger"} == 0')
        total = "sum by (gpu, uuid) (wattledger_gpu_state_energy_joules_total)"
        exact = f"abs({total} - wattledger_gpu_energy_joules_total) > 1e-6"
        assert not _query(port, exact), "the states sum to the whole, also in Prometheus"
        series = _query(port, 'count({job="wattledger"})')
        assert float(series[0]["value"][1]) > 200
    finally:
        server.terminate()
        server.wait(20)


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
