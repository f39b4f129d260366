"""CPU, memory, driver calls and scrape time of the daemon and of nvitop-exporter, each alone on the same host."""

import statistics
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.bench.contenders import Contender, start_ours, start_peer
from tests.nvml.double import NvmlDouble

GPUS = 8
WARM_UP_SECONDS = 12.0  # past the first slow reads of either program
SCRAPE_EVERY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Cost:
    """What one program took. Driver calls are per GPU and second; system-wide calls are spread over the GPUs."""

    cpu_percent: float
    memory_bytes: int
    resident_bytes: int
    calls_per_gpu_second: float
    scrape_us: float
    series: int

    @property
    def scrape_us_per_series(self) -> float:
        """Give the time of one scrape by its series."""
        return self.scrape_us / self.series


@dataclass(frozen=True, slots=True)
class Costs:
    """Our cost as installed, the same without rules, which the peer has none of, and the peer's."""

    ours: Cost
    without_rules: Cost
    peer: Cost


def measure_costs(folder: Path, python: str, seconds: float) -> Costs:
    """Give our cost and the peer's, both installed for *python*, under the same load of processes."""
    no_rules = folder / "no_rules.yml"
    no_rules.write_text("rules: {packs: []}\n")

    def ours(env: Mapping[str, str]) -> Contender:
        return start_ours(python, folder / "state", env)

    def without_rules(env: Mapping[str, str]) -> Contender:
        return start_ours(python, folder / "other_state", dict(env) | {"WATTLEDGER_CONFIG": str(no_rules)})

    def peer(env: Mapping[str, str]) -> Contender:
        return start_peer(python, env)

    return Costs(
        ours=_measure(folder / "ours", ours, seconds),
        without_rules=_measure(folder / "without_rules", without_rules, seconds),
        peer=_measure(folder / "peer", peer, seconds),
    )


def _measure(folder: Path, start: Callable[[Mapping[str, str]], Contender], seconds: float) -> Cost:
    folder.mkdir(parents=True)
    with NvmlDouble(folder, gpus=["h100"] * GPUS, clock="real") as double:
        for slot in range(GPUS):
            double.gpu(slot).process(100_000 + slot, memory_bytes=20 << 30)
            double.gpu(slot).burst(high_w=600, low_w=120, period_s=0.7, duty=0.5)
            double.gpu(slot).utilisation(gpu=60, memory=30)
        contender = start(double.env)
        try:
            contender.wait_answering()
            threading.Event().wait(WARM_UP_SECONDS)
            double.reset_calls()
            cpu_before, started = contender.cpu_seconds(), time.monotonic()
            while time.monotonic() - started < seconds:
                contender.scrape()
                threading.Event().wait(SCRAPE_EVERY_SECONDS)
            elapsed = time.monotonic() - started
            cpu = contender.cpu_seconds() - cpu_before
            calls = double.total_calls()
            memory, resident = contender.memory_bytes()
        finally:
            contender.stop()
    return Cost(
        cpu_percent=100 * cpu / elapsed,
        memory_bytes=memory,
        resident_bytes=resident,
        calls_per_gpu_second=calls / GPUS / elapsed,
        scrape_us=statistics.median(contender.scrape_ns) / 1000,
        series=contender.series,
    )
