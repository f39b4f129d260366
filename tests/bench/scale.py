"""How the tick fares on a very large host: 16 boards of 7 MIG instances, 64 processes on each board."""

from dataclasses import dataclass
from pathlib import Path

from tests.agent.daemon_process import DaemonProcess
from tests.nvml.double import NvmlDouble

GPUS, INSTANCES, PROCESSES = 16, 7, 64
TICKS = 25  # past the slow reads of every cadence but the minute's


@dataclass(frozen=True, slots=True)
class Scale:
    """Seconds of the longest tick seen in the daemon and sample in the sampler, and the series on the page."""

    tick_seconds: float
    sample_seconds: float
    series: int
    missed_ticks: int


def measure_scale(folder: Path) -> Scale:
    """Give the longest tick of a daemon at its default interval."""
    place = folder / "scale"
    place.mkdir()
    ticks, samples = [0.0], [0.0]
    with NvmlDouble(place, gpus=["h100"] * GPUS, clock="real") as double:
        for gpu in double.gpus:
            gpu.mig(["1g.10gb"] * INSTANCES)
            for number in range(PROCESSES):
                gpu.process(100_000 + number, memory_bytes=1 << 30, mig=number % INSTANCES)
        with DaemonProcess(place / "state", env=double.env, interval="1s") as daemon:
            daemon.wait_ready()
            for _ in range(TICKS):
                page = daemon.wait_ticks(1)
                ticks.append(page.value("wattledger_tick_duration_seconds"))
                samples.append(page.value("wattledger_source_duration_seconds"))
            missed = page.value("wattledger_source_missed_ticks_total")
    return Scale(max(ticks), max(samples), len(page.samples), int(missed))
