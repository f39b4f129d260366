"""From the daemon through vmagent into VictoriaMetrics, which is away for a while: no gap, each joule once."""

import json
import signal
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from tests.agent.daemon_process import DaemonProcess
from tests.agent.e2e_daemon import ENERGY, STATE_ENERGY, Truth, let_pass, machine, poll
from tests.bench.contenders import free_port
from tests.fleet.engines import Engine, victoria_metrics, vmagent
from tests.nvml.double import NvmlDouble

CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
- job_name: wattledger
  static_configs:
  - targets: ['127.0.0.1:{port}']
    labels: {{cluster: hall-1, instance: gpu-1}}
"""
SCRAPE_MS = 1_000
# VictoriaMetrics 1.79 holds what came last in memory for some seconds: "the last few seconds" of its documentation.
UNFLUSHED_MS = 8_000
Samples = list[tuple[int, float]]


def samples(store: Engine, name: str) -> dict[str, Samples]:
    """Give every stored sample of *name* with its time in ms, by the labels that tell series of it apart."""
    query = urllib.parse.urlencode({"match[]": name})
    with urllib.request.urlopen(f"{store.url}/api/v1/export?{query}", timeout=10) as answer:
        lines = [json.loads(line) for line in answer]
    found: dict[str, Samples] = {}
    for line in lines:
        key = " ".join(line["metric"].get(label, "") for label in ("uuid", "state"))
        pairs = zip(line["timestamps"], line["values"], strict=True)
        found.setdefault(key, []).extend(pair for pair in pairs if pair[1] is not None)  # a null marks an end
    return {key: sorted(points) for key, points in found.items()}


def now_ms(double: NvmlDouble) -> int:
    return double.wall_ns // 1_000_000


def newest_ms(store: Engine) -> int:
    return max((points[-1][0] for points in samples(store, "up").values()), default=0)


def is_read_until(store: Engine, moment_ms: float) -> bool:
    flush(store)
    return newest_ms(store) >= moment_ms


def flush(store: Engine) -> None:
    """Have what was written found by queries at once."""
    with urllib.request.urlopen(f"{store.url}/internal/force_flush", timeout=10):
        pass


def gaps(store: Engine) -> list[tuple[int, int]]:
    """Give from when to when there is no scrape although one was due; `up` has a sample of each, failed ones too."""
    flush(store)
    (points,) = samples(store, "up").values()
    moments = [moment for moment, _ in points]
    assert len(moments) == len(set(moments)), "a scrape is stored once"
    return [(before, after) for before, after in pairwise(moments) if after - before > 1.5 * SCRAPE_MS]


@contextmanager
def path_to_store(folder: Path, port: int) -> Iterator[tuple[Engine, Engine]]:
    """Run VictoriaMetrics, and a vmagent that scrapes each second and writes to it."""
    store = victoria_metrics(folder)
    agent = vmagent(folder, CONFIG.format(port=port), store, "-remoteWrite.flushInterval=200ms")
    with store.running(), agent.running():
        yield store, agent


def daemon_on(port: int, folder: Path, env: dict[str, str]) -> DaemonProcess:
    return DaemonProcess(folder / "state", "--listen", f"127.0.0.1:{port}", env=env)


def check_joules(store: Engine, daemon: DaemonProcess) -> None:
    """Fail unless what the store makes of the counters is what the page says of the whole time."""
    page = daemon.page()
    for name in (ENERGY, STATE_ENERGY):
        stored = samples(store, name)
        for row in page.rows(name):
            points = stored[f"{row.labels['uuid']} {row.labels.get('state', '')}"]
            values = [value for _, value in points]
            assert values == sorted(values), "no counter falls"
            assert points[-1][1] == row.value
    for uuid, points in samples(store, ENERGY).items():
        (begun_ms, begun), (ended_ms, ended) = points[1], points[-3]  # it answers up to a second ago
        assert points[-1][1] == ended > begun
        expr = f'increase({ENERGY}{{uuid="{uuid.strip()}"}}[{ended_ms - begun_ms}ms])'
        moment_s = (ended_ms + SCRAPE_MS // 2) / 1000  # both ends of the window lie between two scrapes
        (found,) = store.ask("/api/v1/query", query=expr, time=str(moment_s))["data"]["result"]
        assert float(found["value"][1]) == pytest.approx(ended - begun, abs=0.002)


@dataclass(frozen=True)
class Outage:
    """The store ends by `ending`; `of_vmagent`: vmagent is stopped and started meanwhile, so the queue is on disk."""

    ending: signal.Signals
    of_vmagent: bool = False


@pytest.mark.parametrize(
    "outage",
    [
        pytest.param(Outage(signal.SIGTERM), id="stopped"),
        pytest.param(Outage(signal.SIGKILL), id="killed", marks=pytest.mark.nightly),
        pytest.param(Outage(signal.SIGTERM, of_vmagent=True), id="vmagent-too", marks=pytest.mark.nightly),
    ],
)
def test_an_outage_of_the_store_leaves_no_gap_and_counts_no_joule_twice(tmp_path: Path, outage: Outage) -> None:
    port = free_port()
    with machine(tmp_path) as double:
        truth = Truth(double)
        daemon = daemon_on(port, tmp_path, double.env)
        try:
            daemon.wait_ticks(1)
            with path_to_store(tmp_path, port) as (store, agent):
                poll(lambda: is_read_until(store, 1), "the first scrape is stored")
                truth.load(daemon)
                loaded_ms = now_ms(double)
                poll(lambda: is_read_until(store, loaded_ms + 2 * SCRAPE_MS), "scrapes under load are stored")

                store.end(outage.ending)
                ended_ms = now_ms(double)
                let_pass(1.5)
                daemon.kill()
                let_pass(1.5)  # joules of this time are on no page
                daemon = daemon_on(port, tmp_path, double.env)
                daemon.wait_ready()
                agent_away_ms = now_ms(double)
                if outage.of_vmagent:
                    agent.end()
                    agent.start()
                agent_back_ms = now_ms(double)
                let_pass(1.5)
                store.start()
                back_ms = now_ms(double)

                explained: list[tuple[float, float]] = []
                if outage.ending is signal.SIGKILL:
                    explained.append((ended_ms - UNFLUSHED_MS, ended_ms + SCRAPE_MS))
                if outage.of_vmagent:
                    explained.append((agent_away_ms - SCRAPE_MS, agent_back_ms + 2 * SCRAPE_MS))

                def missing() -> list[tuple[int, int]]:
                    """Give the gaps that nothing explains; what is left of the queue comes in any order."""
                    return [
                        gap
                        for gap in gaps(store)
                        if not any(gap[0] >= first and gap[1] <= last for first, last in explained)
                    ]

                poll(lambda: is_read_until(store, back_ms + SCRAPE_MS) and not missing(), "nothing is missing", 40)
                truth.check(daemon)
                settled_ms = now_ms(double) + 3 * SCRAPE_MS
                poll(lambda: is_read_until(store, settled_ms) and not missing(), "the end is stored, without a gap")
                check_joules(store, daemon)
        finally:
            if daemon.process.poll() is None:
                daemon.stop()
