"""Names of jobs: from real and made-up processes, never making anybody wait."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.agent.e2e_daemon import poll
from tests.agent.workloads.fake_proc import FakeProc
from wattledger.agent.workloads.background import Background
from wattledger.agent.workloads.procfs import ProcFs
from wattledger.agent.workloads.slurm import UNNAMED, JobNames, SlurmNames, job_names

ALICE = JobNames("alice", "physics", "gpu")
ENVIRONMENT = {
    "SLURM_JOB_ID": "211",
    "SLURM_JOB_USER": "alice",
    "SLURM_JOB_ACCOUNT": "physics",
    "SLURM_JOB_PARTITION": "gpu",
}


@pytest.fixture
def fake(tmp_path: Path) -> FakeProc:
    return FakeProc(tmp_path)


@pytest.fixture
def names(fake: FakeProc) -> Iterator[SlurmNames]:
    found = SlurmNames(fake.files)
    yield found
    found.close()


def found(names: SlurmNames, job: str, pid: int, start: int = 500) -> JobNames:
    poll(lambda: names.find(job, pid, start) is not None, f"the names of job {job}")
    answer = names.find(job, pid, start)
    assert answer is not None
    return answer


def test_a_job_is_named_by_its_process_a_moment_later(fake: FakeProc, names: SlurmNames) -> None:
    fake.put(40, environment=ENVIRONMENT)
    assert names.find("211", 40, 500) is None
    assert found(names, "211", 40) == ALICE


def test_what_is_known_of_a_job_stays_when_its_process_has_ended(fake: FakeProc, names: SlurmNames) -> None:
    fake.put(40, environment=ENVIRONMENT)
    found(names, "211", 40)
    fake.end(40)
    assert names.find("211", 41, 600) == ALICE


def test_a_process_that_names_another_job_or_none_names_nothing_and_the_next_one_may(
    fake: FakeProc, names: SlurmNames
) -> None:
    fake.put(40, environment=ENVIRONMENT | {"SLURM_JOB_ID": "212"})
    fake.put(41)
    fake.put(42, environment=ENVIRONMENT)
    assert found(names, "211", 40) == UNNAMED
    assert found(names, "211", 41) == UNNAMED
    assert found(names, "211", 39) == UNNAMED, "there is no such process"
    assert found(names, "211", 42) == ALICE


def test_a_process_with_another_start_is_not_the_one_that_was_meant(fake: FakeProc, names: SlurmNames) -> None:
    fake.put(40, environment=ENVIRONMENT, start=501)
    assert found(names, "211", 40, 500) == UNNAMED
    assert found(names, "211", 40, 501) == ALICE


def test_a_real_process() -> None:
    proc = ProcFs(Path("/proc"))
    names = SlurmNames(proc)
    program = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert found(names, "211", child.pid, proc.stat(child.pid).start) == ALICE
        child.communicate(b"\n")
    names.close()


@pytest.mark.parametrize(
    ("title", "job"),
    [
        (b"slurmstepd: [211.batch]", "211"),
        (b"slurmstepd: [211.0]\0", "211"),
        (b"slurmstepd: [StepId=211.extern]", "211"),
        (b"slurmstepd: [12+1.0]", "12"),
        (b"slurmstepd infinity", ""),
        (b"", ""),
        (b"slurmstepd: [\xb2.0]", ""),
    ],
)
def test_the_title_of_a_step_daemon_names_its_job(fake: FakeProc, names: SlurmNames, title: bytes, job: str) -> None:
    fake.put(30, name=b"slurmstepd", command=title)
    poll(lambda: names.job_of(30, 500) is not None, "the job")
    assert names.job_of(30, 500) == job


class LockedProc(ProcFs):
    """Below *root* every process has its memory locked until it is released."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.released = threading.Event()

    def environment(self, pid: int) -> bytes:
        self.released.wait()
        return super().environment(pid)


def test_a_process_whose_memory_is_locked_makes_nobody_wait(fake: FakeProc) -> None:
    fake.put(100, environment=ENVIRONMENT)
    proc = LockedProc(fake.root)
    names = SlurmNames(proc)
    assert all(names.find("211", pid, 500) is None for pid in range(100, 1100))
    proc.released.set()
    assert found(names, "211", 100) == ALICE
    names.close()


def test_a_background_that_is_full_says_so_and_goes_on() -> None:
    release, begun, done = threading.Event(), threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        release.wait()

    background = Background("test", capacity=2)
    assert background.ask(hang)
    assert begun.wait(10)
    assert [background.ask(done.set) for _ in range(3)] == [True, True, False]
    release.set()
    assert done.wait(10)
    poll(lambda: background.ask(done.set), "room again")
    background.close()
    assert not background.ask(done.set)


@given(
    st.one_of(st.binary(), st.lists(st.sampled_from([b"SLURM_JOB_ID", b"=", b"\0", b"7", b"\xff"])).map(b"".join)),
    st.text(),
)
def test_any_environment_is_read(environment: bytes, job: str) -> None:
    answer = job_names(environment, job)
    assert answer is None or isinstance(answer.user, str)


def test_names_of_a_job_may_hold_anything() -> None:
    environment = b'SLURM_JOB_ID=7\0SLURM_JOB_USER=a"b\n\xff\0SLURM_JOB_ACCOUNT=x=y\0SLURM_JOB_ACCOUNT=z\0'
    assert job_names(environment, "7") == JobNames('a"b\n\\xff', "x=y", "")


def test_the_older_name_of_the_number_counts_too() -> None:
    assert job_names(b"SLURM_JOBID=7\0", "7") == UNNAMED
    assert job_names(b"SLURM_JOBID=7\0SLURM_JOB_ID=8\0", "7") is None
