"""Attribution of real processes of this host, which hold a file that is called like a device."""

import getpass
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.agent.workloads.samples import process, uuid
from wattledger.agent.clock import SystemClock
from wattledger.agent.workloads.attribution import Attribution, WorkloadSettings
from wattledger.agent.workloads.cgroup import membership
from wattledger.agent.workloads.processes import ProcProcesses
from wattledger.agent.workloads.procfs import ProcFs
from wattledger.rules.reading import DeviceIdentity, HostFacts, Reading, Sample, SourceKind
from wattledger.rules.usage.workload import Holder, WorkloadKind

SETTINGS = WorkloadSettings(labels=("user",), job_map_dir=None, owners=lambda _: "")
# A parent whose child holds the device, as servers have it.
TREE = (
    "import os, subprocess, sys; os.close(9); print(subprocess.Popen(['cat'], pass_fds=[8]).pid, flush=True); input()"
)
HOLD = 'exec 8<"$0"; exec 9<"$0"; exec "$@"'


@pytest.fixture
def holders() -> Callable[[int], tuple[Holder, ...]]:
    clock = SystemClock()
    attribution = Attribution(clock, ProcProcesses(ProcFs(Path("/proc"))), settings=SETTINGS)

    def look(pid: int) -> tuple[Holder, ...]:
        now = clock.now()
        reading = Reading(DeviceIdentity(uuid(0), 0, "GPU"), now, processes=(process(pid),))
        taken = Sample(now, SourceKind.NVML, HostFacts(), (reading,))
        return attribution.holdings(taken)[uuid(0)].holders

    return look


def test_the_child_of_a_server_is_of_this_users_group_and_stays_so_after_its_end(
    tmp_path: Path, holders: Callable[[int], tuple[Holder, ...]]
) -> None:
    device = tmp_path / "nvidia0"
    device.touch()
    program = ["sh", "-c", HOLD, str(device), sys.executable, "-c", TREE]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        child = int(server.stdout.readline())
        (holder,) = holders(child)
        expected = membership(Path("/proc/self/cgroup").read_text())
        assert holder.workload.kind is expected.kind
        if expected.kind is WorkloadKind.USER and expected.uid is None:
            assert holder.workload.id == getpass.getuser()
        server.communicate()
    assert holders(child) == (holder,)


def test_a_real_process_without_a_device_is_not_the_one_that_the_driver_means(
    holders: Callable[[int], tuple[Holder, ...]],
) -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as child:
        (holder,) = holders(child.pid)
        child.communicate()
    assert holder.workload.kind is WorkloadKind.UNATTRIBUTED
