"""Kills the daemon under load, again and again, and holds its books against the boards' own counters."""

from pathlib import Path

from tests.agent.books import books
from tests.agent.daemon_process import DaemonProcess
from tests.nvml.double import NvmlDouble


def joules_lost_over_restarts(folder: Path, restarts: int) -> float:
    """Give the joules that two boards drew between first and last reading and that are not in the books."""
    place = folder / "restarts"
    place.mkdir()
    state_dir = place / "state"
    begun_mj: dict[str, int] = {}
    lost_mj = 0
    with NvmlDouble(place, gpus=["h100", "a100"], clock="real") as double:
        for gpu in double.gpus:
            gpu.process(4242)
            gpu.burst(high_w=250, low_w=90, period_s=0.37, duty=0.4)
        for _ in range(restarts):
            daemon = DaemonProcess(state_dir, env=double.env)
            daemon.wait_ticks(3)
            daemon.kill()
            for uuid, (booked_mj, counter_mj) in books(state_dir).items():
                begun_mj.setdefault(uuid, counter_mj - booked_mj)
        with DaemonProcess(state_dir, env=double.env) as daemon:
            daemon.wait_ticks(3)
        for uuid, (booked_mj, counter_mj) in books(state_dir).items():
            lost_mj += counter_mj - begun_mj[uuid] - booked_mj
    return lost_mj / 1000
