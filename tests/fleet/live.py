"""A fleet that is scraped each 15 s: what the engine takes for it."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.agent.e2e_daemon import let_pass
from tests.bench.contenders import free_port
from tests.fleet.engines import Engine, prometheus, victoria_metrics, vmagent
from tests.fleet.herd import STEP_S

SCRAPES = """
global: {{scrape_interval: {step}s, scrape_timeout: 10s}}
scrape_configs:
- job_name: wattledger
  http_sd_configs: [{{url: '{url}/targets'}}]
"""
ALL_UP_S = 240.0  # series that are new take an engine far longer than those it knows


@dataclass(frozen=True, slots=True)
class Load:
    """What one engine took while it scraped or stored: `cpu` in cores, memory at its most."""

    cpu: float
    resident_bytes: int


@dataclass(frozen=True, slots=True)
class Live:
    """A fleet under scrape; of its hosts `up` answered the last scrape."""

    series: int
    samples_per_s: float
    up: int
    loads: Mapping[str, Load]


@contextmanager
def served(folder: Path, hosts: int) -> Iterator[Engine]:
    """Serve the pages in *folder* as those of *hosts*."""
    port = free_port()
    command = [sys.executable, "-m", "tests.fleet.serve", str(folder), str(hosts), str(port)]
    place = folder.parent / "serve"
    place.mkdir(exist_ok=True)
    with Engine(command, f"http://127.0.0.1:{port}", place, ready="/targets").running() as pages:
        yield pages


def live_prometheus(folder: Path, pages: Engine, hosts: int, seconds: float) -> Live:
    """Measure a Prometheus that scrapes the *hosts* of *pages*."""
    folder.mkdir()
    engine = prometheus(folder, SCRAPES.format(step=STEP_S, url=pages.url))
    with engine.running():
        _settle(engine, hosts)
        return _measured(
            [engine],
            seconds,
            series=lambda: _own(engine, "prometheus_tsdb_head_series"),
            samples=lambda: _own(engine, "prometheus_tsdb_head_samples_appended_total"),
        )


def live_victoria(folder: Path, pages: Engine, hosts: int, seconds: float) -> Live:
    """Measure a vmagent that scrapes the *hosts* of *pages* and writes to a VictoriaMetrics."""
    folder.mkdir()
    store = victoria_metrics(folder)
    agent = vmagent(folder, SCRAPES.format(step=STEP_S, url=pages.url), store)
    with store.running(), agent.running():
        _settle(store, hosts)
        return _measured(
            [store, agent],
            seconds,
            series=lambda: _own(store, 'vm_cache_entries{type="storage/hour_metric_ids"}'),
            samples=lambda: _own(store, "vm_rows_inserted_total"),
        )


def _measured(
    engines: Sequence[Engine],
    seconds: float,
    *,
    series: Callable[[], float],
    samples: Callable[[], float],
) -> Live:
    began_s, began = time.monotonic(), samples()
    cpu = {engine.name: engine.cpu_seconds for engine in engines}
    most = {engine.name: 0 for engine in engines}
    while time.monotonic() < began_s + seconds:
        let_pass(1.0)
        for engine in engines:
            most[engine.name] = max(most[engine.name], engine.resident_bytes)
    took_s = time.monotonic() - began_s
    return Live(
        series=round(series()),
        samples_per_s=(samples() - began) / took_s,
        up=_up(engines[0]),
        loads={
            engine.name: Load((engine.cpu_seconds - cpu[engine.name]) / took_s, most[engine.name])
            for engine in engines
        },
    )


def _settle(engine: Engine, hosts: int) -> None:
    """Wait until all hosts answer, and an interval more; of one that is too slow for them `up` tells."""
    deadline_s = time.monotonic() + ALL_UP_S
    while _up(engine) < hosts and time.monotonic() < deadline_s:
        let_pass(1.0)
    let_pass(STEP_S)


def _up(engine: Engine) -> int:
    result = engine.ask("/api/v1/query", query="sum(up)")["data"]["result"]
    return round(float(result[0]["value"][1])) if result else 0


def _own(engine: Engine, name: str) -> float:
    """Give the sum of the series *name* that the engine tells of itself, with any labels where *name* has none."""
    return sum(
        value for series, value in engine.own_metrics().items() if series == name or series.startswith(f"{name}{{")
    )
