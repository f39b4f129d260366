"""A board that the kernel has put to sleep (RTD3): the daemon leaves it asleep and books what it drew afterwards.

The daemon reads /sys, so it runs in a mount namespace in which the PCI devices of sysfs are those of the test.
"""

import os
import shutil
from pathlib import Path

import pytest

from tests.agent.e2e_daemon import ENERGY, POWER, RESTARTS, Counters, DaemonThrough, Truth, Witness, machine
from tests.nvml.double import NvmlDouble

_PCI = Path("/sys/bus/pci/devices")
_WITH_PCI = f'mount --make-rprivate / && mount --bind "$1" {_PCI} && shift && exec "$@"'


@pytest.fixture
def sysfs(tmp_path: Path) -> Path:
    if os.geteuid() != 0 or shutil.which("unshare") is None or not _PCI.is_dir():
        pytest.skip(f"another {_PCI} for one process takes root, unshare(1) and a kernel with PCI")
    return tmp_path / "sysfs"


def managed(sysfs: Path, double: NvmlDouble, slot: int) -> Path:
    """Let the kernel put a board to sleep when it likes; give its runtime_status, which is active."""
    power = sysfs / "bus/pci/devices" / double.gpu(slot).bdf / "power"
    power.mkdir(parents=True)
    (power / "control").write_text("auto\n")
    (power / "runtime_status").write_text("active\n")
    return power / "runtime_status"


def test_a_sleeping_board_is_not_woken_says_so_and_has_its_joules_booked_when_it_wakes(
    tmp_path: Path, sysfs: Path
) -> None:
    counters = Counters()
    with machine(tmp_path / "double") as double:
        status = managed(sysfs, double, 0)
        for gpu in double.gpus:
            gpu.process(4242)
            gpu.utilisation(gpu=70)  # one that has nothing to do is left alone, so that it may fall asleep
        truth = Truth(double)
        before = ("unshare", "--mount", "sh", "-c", _WITH_PCI, "sh", str(sysfs / "bus/pci/devices"))
        with DaemonThrough(tmp_path / "state", before=before, env=double.env) as daemon, Witness(daemon):
            counters.see(daemon.wait_ticks(2))
            truth.load(daemon)
            assert daemon.wait_ticks(2).has(POWER, gpu="0")
            assert double.gpu(0).suspend(sysfs) == status
            page = daemon.wait_for(lambda page: page if not page.has(POWER, gpu="0") else None, "asleep")
            counters.see(page)
            assert page.has("wattledger_gpu_absent_info", gpu="0", reason="asleep")
            assert page.value("wattledger_gpu_up", gpu="0") == 0
            assert page.has(ENERGY, gpu="0"), "what was booked stays"
            assert page.has(POWER, gpu="1"), "its neighbour goes on"
            double.reset_calls()
            counters.see(daemon.wait_ticks(10))
            assert double.total_calls(1) > 0
            assert double.total_calls(0) == 0, "nothing is asked of a board that sleeps"
            assert double.gpu(0).wakes == 0
            assert status.read_text() == "suspended\n"
            assert daemon.get("/-/ready")[0] == 200
            double.gpu(0).shared.asleep = 0
            status.write_text("active\n")  # someone uses it
            page = daemon.wait_for(lambda page: page if page.has(POWER, gpu="0") else None, "awake")
            assert page.value(RESTARTS, source="nvml") == 0
            counters.see(truth.check(daemon))
            assert double.gpu(0).wakes == 0
