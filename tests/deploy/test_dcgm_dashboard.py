"""Grafana dashboard 12239 on a real Prometheus that scrapes the page of dcgm-exporter's names of a real daemon."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.agent.daemon_process import DaemonProcess
from tests.agent.e2e_daemon import poll
from tests.bench.contenders import free_port
from tests.deploy.real_monitoring import answers, query
from tests.deploy.shipped import ROOT, server
from tests.servers import need

START_SECONDS = 40.0
DOCUMENT = (ROOT / "docs/dcgm.md").read_text()
DASHBOARD: dict[str, Any] = yaml.safe_load((ROOT / "tests/data/dcgm/dashboard-12239.yml").read_text())
QUERIES: dict[str, str] = DASHBOARD["queries"]
GPUS = 8
# The last board of the simulated host is cut in two.
ROWS = {"GPU_I_ID": GPUS + 1, "Hostname": GPUS}


@dataclass(frozen=True)
class Monitored:
    """A Prometheus, and the host of the daemon that it scrapes as the dashboard's variables have it."""

    url: str
    host: str

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """Give what *expression* gives with all hosts and GPUs chosen, as Grafana writes it."""
        gpus = "|".join(str(number) for number in range(GPUS))
        return query(self.url, expression.replace("$Hostname", self.host).replace("$gpu", gpus))


def block(first_line: str) -> str:
    """Give the YAML of the document that begins with a comment."""
    return DOCUMENT.split(f"```yaml\n# {first_line}\n")[1].split("```")[0]


@contextmanager
def prometheus(folder: Path, daemon: DaemonProcess) -> Iterator[str]:
    """Run a Prometheus with the job of the document and that of the page of wattledger; give its URL."""
    program = need("prometheus", "prometheus")
    target = "127.0.0.1:9889"
    job = block("prometheus.yml")
    assert target in job
    ours = f"- job_name: wattledger\n  static_configs: [{{targets: ['{target}']}}]\n"
    text = f"global: {{scrape_interval: 1s}}\n{job}{ours}".replace(target, daemon.url.removeprefix("http://"))
    (folder / "prometheus.yml").write_text(text)
    url = f"http://127.0.0.1:{free_port()}"
    command = [program, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'tsdb'}"]
    with server([*command, f"--web.listen-address={url.removeprefix('http://')}"], folder / "log"):
        poll(lambda: answers(f"{url}/-/ready"), "Prometheus is ready", START_SECONDS)
        yield url


@pytest.fixture(scope="module")
def monitored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitored]:
    folder = tmp_path_factory.mktemp("dcgm")
    config = folder / "wattledger.yaml"
    config.write_text(block("wattledger.yaml"))
    extra = {"NODE_NAME": "node-7"}
    with (
        DaemonProcess(folder / "state", "--config", str(config), source="sim", env=extra) as daemon,
        prometheus(folder, daemon) as url,
    ):
        both = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION and on () wattledger_gpu_energy_joules_total"
        poll(lambda: len(query(url, both)) == GPUS, "a scrape of each page", START_SECONDS)
        activity = "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE"  # comes with the second sample
        poll(lambda: len(query(url, activity)) == GPUS + 1, "activity", START_SECONDS)
        yield Monitored(url, "node-7")


@pytest.mark.parametrize("panel", QUERIES)
def test_a_panel_of_12239_has_data(monitored: Monitored, panel: str) -> None:
    found = monitored.ask(QUERIES[panel])
    grouped = QUERIES[panel].partition(") by (")[2]
    assert len(found) == next((rows for label, rows in ROWS.items() if label in grouped), 1)
    assert all(float(one["value"][1]) >= 0 for one in found)


def test_values_are_in_the_units_that_12239_shows(monitored: Monitored) -> None:
    within = {
        "GPU Temperature": (20, 95),
        "GPU Power Usage": (50, 750),
        "GPU Power Total": (GPUS * 50, GPUS * 750),
        "GPU SM Clocks": (100e6, 3e9),
        "GPU Utilization": (0, 1),
        "Tensor Core Utilization": (0, 1),
        "GPU Framebuffer Mem Used": (0, 81_559),
    }
    for panel, (low, high) in within.items():
        values = [float(one["value"][1]) for one in monitored.ask(QUERIES[panel])]
        assert all(low <= value <= high for value in values), panel
    assert max(float(one["value"][1]) for one in monitored.ask(QUERIES["GPU Framebuffer Mem Used"])) > 1_000


def test_the_variables_of_12239_have_values(monitored: Monitored) -> None:
    found = {
        name: {one["metric"].get(of["label"]) for one in monitored.ask(of["metric"])}
        for name, of in DASHBOARD["variables"].items()
    }
    assert found == {"Hostname": {"node-7"}, "gpu": {str(number) for number in range(GPUS)}}


def test_the_job_of_the_page_is_not_taken_for_the_host() -> None:
    (job,) = yaml.safe_load(block("prometheus.yml"))["scrape_configs"]
    hosts = re.findall(r'\bup\{job=~"([^"]+)"\}', (ROOT / "rules/packs/fleet.yml").read_text())
    assert hosts
    assert not any(re.fullmatch(pattern, job["job_name"]) for pattern in hosts)


def test_it_agrees_with_the_page_of_wattledger_in_prometheus(monitored: Monitored) -> None:
    # Two scrapes of one agent see its counters at most a second or two apart.
    ours = 'label_replace(wattledger_gpu_energy_joules_total, "UUID", "$1", "uuid", "(.*)")'
    apart = f"abs(DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION / 1000 - on (UUID) {ours})"
    assert len(monitored.ask(f"{apart} < 2200")) == GPUS
    assert monitored.ask('DCGM_FI_DEV_GPU_TEMP{job="gpu-dcgm"}')
    assert not monitored.ask('count by (__name__) ({job="gpu-dcgm", __name__=~"wattledger_.*"})')
    assert not monitored.ask('count by (__name__) ({job="wattledger", __name__=~"DCGM_.*"})')


def test_pods_and_jobs_of_the_simulated_host_are_on_it(monitored: Monitored) -> None:
    pods = monitored.ask('DCGM_FI_DEV_POWER_USAGE{namespace="chat", pod=~"llm-.*"}')
    assert pods
    assert all(one["metric"]["namespace"] == "chat" for one in pods)
    assert monitored.ask('DCGM_FI_DEV_POWER_USAGE{hpc_job=~"42.*"}')
    notebooks = monitored.ask('DCGM_FI_DEV_FB_USED{GPU_I_ID!="", namespace="lab", pod=~"notebook-.*"}')
    assert len(notebooks) == 2
