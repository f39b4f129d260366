"""Attribution reads /proc seldom on a full host; what it costs is in `make bench`."""

from pathlib import Path

import pytest

from tests.agent.fake_clock import FakeClock
from tests.agent.workloads.fake_proc import FakeProc
from tests.agent.workloads.samples import process, sample
from wattledger.agent.workloads.attribution import Attribution, WorkloadSettings
from wattledger.agent.workloads.processes import ProcProcesses
from wattledger.agent.workloads.procfs import ProcFs
from wattledger.rules.reading import Sample

SETTINGS = WorkloadSettings(labels=("namespace", "pod", "job", "user"), job_map_dir=None, owners=lambda _: "")
SECONDS = 30
GPUS = 16


class CountingFs(ProcFs):
    """Counts the files that are read."""

    reads = 0

    def _read(self, pid: int, name: str, most: int) -> bytes:
        self.reads += 1
        return super()._read(pid, name, most)


def full(clock: FakeClock, workloads: int) -> Sample:
    each = workloads // GPUS
    return sample(clock, *(tuple(process(1000 + gpu * each + n, sm=0.1) for n in range(each)) for gpu in range(GPUS)))


@pytest.mark.parametrize("workloads", [64, 64 * GPUS])
def test_a_process_is_looked_at_again_every_five_seconds_only(tmp_path: Path, workloads: int) -> None:
    clock, proc = FakeClock(), FakeProc(tmp_path)
    for pid in range(1000, 1000 + workloads):
        proc.put(pid, cgroup=f"0::/docker/{pid:064x}\n")
    files = CountingFs(proc.root)
    attribution = Attribution(clock, ProcProcesses(files), settings=SETTINGS)
    attribution.holdings(full(clock, workloads))
    files.reads = 0
    for _ in range(SECONDS):
        clock.advance(1)
        attribution.holdings(full(clock, workloads))
    assert files.reads <= workloads * (SECONDS // 5 + 1)
