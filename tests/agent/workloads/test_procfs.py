"""What is read of a process: of made-up trees, of real processes, and as a user who may not."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.agent.e2e_daemon import poll
from tests.agent.workloads.fake_proc import BOOTED_NS, TICKS, FakeProc
from wattledger.agent.clock import SystemClock
from wattledger.agent.workloads.cgroup import membership
from wattledger.agent.workloads.procfs import ProcFs, Stat, UnreadableProcess, Unresolved
from wattledger.rules.instant import NS_PER_SECOND, Instant

REAL = ProcFs(Path("/proc"))
SAMPLE = Instant(BOOTED_NS, 0)


@pytest.fixture
def fake(tmp_path: Path) -> FakeProc:
    return FakeProc(tmp_path)


@contextmanager
def sleeper(*prefix: str, **environment: str) -> Iterator[int]:
    """Give the pid of a child that has begun to sleep."""
    program = "import sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [*prefix, sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        yield child.pid
        child.communicate()


def test_a_real_process_has_its_parent_its_user_its_groups_and_its_start() -> None:
    before = SystemClock().now()
    with sleeper() as pid:
        stat = REAL.stat(pid)
        assert stat.parent == os.getpid()
        assert stat.name.startswith("python")
        assert REAL.uid(pid) == os.getuid()
        assert membership(REAL.cgroup(pid)) == membership(Path("/proc/self/cgroup").read_text())
        assert not REAL.started_after(stat, SystemClock().now())
        assert REAL.started_after(stat, Instant(before.mono_ns - NS_PER_SECOND, 0))
        assert REAL.stat(pid) == stat
    with pytest.raises(UnreadableProcess) as failure:
        REAL.stat(pid)
    assert failure.value.reason is Unresolved.GONE


def test_a_process_that_nobody_has_waited_for_yet_is_still_told_of() -> None:
    with subprocess.Popen(["true"]) as child:
        poll(lambda: Path(f"/proc/{child.pid}/stat").read_bytes().rpartition(b") ")[2][:1] == b"Z", "a zombie")
        assert REAL.stat(child.pid).parent == os.getpid()
        assert REAL.uid(child.pid) == os.getuid()
        assert REAL.cgroup(child.pid)


def test_a_device_file_that_is_open_is_seen_and_not_opened(tmp_path: Path) -> None:
    with sleeper() as pid:
        assert REAL.holds_device(pid) is False
    device = tmp_path / "nvidia0"
    device.touch()
    with sleeper("sh", "-c", f'exec 9<"{device}"; exec "$@"', "sh") as pid:
        assert REAL.holds_device(pid) is True


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (("/dev/nvidia3",), True),
        (("/dev/null", "pipe:[1234]", "/dev/nvidia-uvm"), True),
        (("/dev/nvidia-caps/nvidia-cap21",), True),
        (("/dev/dxg",), True),
        (("/dev/nvidiactl (deleted)",), True),
        ((), False),
        (("socket:[7]", "/home/nvidia0/model.bin", "anon_inode:[eventpoll]"), False),
        (("/dev/null",) * 5000, None),
        (None, None),
    ],
)
def test_what_counts_as_an_open_device(fake: FakeProc, files: tuple[str, ...] | None, expected: bool | None) -> None:
    fake.put(40, files=files)
    assert fake.files.holds_device(40) is expected


def test_a_name_may_look_like_the_fields_after_it_and_be_no_text(fake: FakeProc) -> None:
    fake.put(40, name=b"a) S 1 (b) ( \xff\n) R 2", parent=7, start=123)
    assert fake.files.stat(40) == Stat(name="a) S 1 (b) ( \\xff\n) R 2", parent=7, start=123)


def test_a_start_is_held_against_the_time_of_the_sample(fake: FakeProc) -> None:
    second = BOOTED_NS // NS_PER_SECOND
    for start, late in ((second * TICKS - 1, False), (second * TICKS + 1, False), (second * TICKS + 2, True)):
        fake.put(40, start=start)
        assert fake.files.started_after(fake.files.stat(40), SAMPLE) is late


def test_the_user_is_the_one_who_started_it(fake: FakeProc) -> None:
    fake.put(40, uid=1001)
    assert fake.files.uid(40) == 1001


@pytest.mark.parametrize("text", [b"", b"Uid:\n", b"Uid:\tme\n", b"Name:\tx\n", b"\xff"])
def test_a_status_without_a_user(fake: FakeProc, text: bytes) -> None:
    fake.put(40)
    (fake.root / "40/status").write_bytes(text)
    with pytest.raises(UnreadableProcess) as failure:
        fake.files.uid(40)
    assert failure.value.reason is Unresolved.FAILED


@pytest.mark.parametrize(("text", "reason"), [(b"", "gone"), (b"40", "failed"), (b"40 (x) S", "failed")])
def test_a_stat_that_is_none(fake: FakeProc, text: bytes, reason: str) -> None:
    fake.put(40)
    (fake.root / "40/stat").write_bytes(text)
    with pytest.raises(UnreadableProcess) as failure:
        fake.files.stat(40)
    assert failure.value.reason == reason


def test_where_not_even_the_first_process_is_there_others_are_hidden(fake: FakeProc) -> None:
    with pytest.raises(UnreadableProcess) as failure:
        fake.files.stat(40)
    assert failure.value.reason is Unresolved.GONE
    fake.end(1)
    with pytest.raises(UnreadableProcess) as failure:
        fake.files.stat(40)
    assert failure.value.reason is Unresolved.NO_PERMISSION


# Imports come first: the interpreter may lie where only root may look.
LOOK = """
import os
import sys
from pathlib import Path
from wattledger.agent.workloads.procfs import ProcFs, UnreadableProcess
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
proc, pid = ProcFs(Path("/proc")), int(sys.argv[1])
print(proc.stat(pid).parent, proc.uid(pid), bool(proc.cgroup(pid)), proc.holds_device(pid))
try:
    proc.environment(pid)
except UnreadableProcess as error:
    print(error.reason.value)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_users_process_tells_its_groups_and_not_its_environment() -> None:
    path = {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}
    with sleeper(SLURM_JOB_ID="7") as pid:
        seen = subprocess.run(
            [sys.executable, "-c", LOOK, str(pid)], env=path, capture_output=True, text=True, check=True
        ).stdout.split()
    assert seen == [str(os.getpid()), "0", "True", "None", "no_permission"]
