"""The real sampler as a process: its signals, its pipe, its environment, and its end with the daemon."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from tests.agent.sampler.supervised import MS, children, patient, process_state, supervised, wait_for
from wattledger.agent.sampler.exits import SamplerExit
from wattledger.agent.sampler.frames import FrameReader, Message
from wattledger.agent.sampler.launch import FRAMES_FD, SpawnLauncher, child_environment
from wattledger.agent.sampler.main import RELEASED
from wattledger.agent.sampler.settings import SamplerSettings
from wattledger.rules.reading import Sample, SourceFailure, SourceKind

HERE = Path(__file__).parent
FAST = SamplerSettings(SourceKind.SIM, interval_ns=50 * MS)
SLOW = SamplerSettings(SourceKind.SIM, interval_ns=10_000 * MS)


class Process:
    """A sampler started as the daemon starts it, and the reading end of its pipe."""

    def __init__(self, settings: SamplerSettings, launcher: SpawnLauncher | None = None) -> None:
        self.read_fd, write_fd = os.pipe2(os.O_CLOEXEC)
        self.pid = (launcher or SpawnLauncher())(settings, write_fd)
        os.close(write_fd)
        self._reader = FrameReader()
        self._status: int | None = None

    def receive(self, seconds: float = 15) -> list[Message]:
        """Give the next messages; none at the end of the pipe."""
        messages: list[Message] = []
        while not messages:
            assert select.select([self.read_fd], [], [], seconds)[0], "the sampler says nothing"
            data = os.read(self.read_fd, 65536)
            if not data:
                break
            messages = list(self._reader.feed(data))
        return messages

    def exit_code(self, seconds: float = 15) -> int:
        """Give the exit code, negative for a signal. Fails when it does not end in time."""
        assert wait_for(self._gone, seconds)
        assert self._status is not None
        return os.waitstatus_to_exitcode(self._status)

    def _gone(self) -> bool:
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._status = status if pid else None
        return self._status is not None

    def close(self) -> None:
        if not self._gone():
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.read_fd)


@contextmanager
def started(
    program: str, *arguments: str, pass_fds: Sequence[int] = ()
) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """Run one of the programs beside this file; give it and its stdout. It is killed at the end."""
    command = [sys.executable, str(HERE / program), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, pass_fds=pass_fds, env=child_environment()) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout
        finally:
            process.kill()


def target_of(fd: int) -> str:
    """Give what one of our descriptors stands for."""
    return str(Path(f"/proc/self/fd/{fd}").readlink())


@pytest.fixture
def fast() -> Iterator[Process]:
    process = Process(FAST)
    yield process
    process.close()


@pytest.fixture
def slow() -> Iterator[Process]:
    process = Process(SLOW)
    yield process
    process.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_stop_ends_it_in_order_even_in_the_middle_of_a_wait(slow: Process, number: int) -> None:
    slow.receive()
    os.kill(slow.pid, number)
    assert slow.exit_code(5) == SamplerExit.DONE


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_during_its_start_is_not_lost_and_does_not_kill_it(slow: Process, number: int) -> None:
    os.kill(slow.pid, number)
    if number == signal.SIGTERM:
        assert slow.exit_code() == SamplerExit.DONE
    else:
        messages = slow.receive()
        if isinstance(messages[-1], Sample):
            messages = slow.receive()
        assert isinstance(messages[-1], SourceFailure)


def test_it_ends_when_nobody_reads_any_more_though_it_has_nothing_to_say(slow: Process) -> None:
    slow.receive()
    os.close(slow.read_fd)
    slow.read_fd = os.open(os.devnull, os.O_RDONLY)
    assert slow.exit_code(5) == SamplerExit.DONE


def test_sigusr1_releases_the_source_and_sigusr2_takes_it_again_at_once(slow: Process) -> None:
    slow.receive()
    for _ in range(2):
        os.kill(slow.pid, signal.SIGUSR1)
    (released,) = slow.receive(5)
    assert isinstance(released, SourceFailure)
    assert released.detail == RELEASED
    os.kill(slow.pid, signal.SIGUSR2)
    (taken,) = slow.receive(5)
    assert isinstance(taken, Sample)


def test_a_hung_driver_call_does_not_outlive_the_order_to_stop() -> None:
    read_fd, write_fd = os.pipe()
    with started("hung_sampler.py", str(write_fd), pass_fds=[write_fd]) as (hung, stdout):
        os.close(write_fd)
        assert stdout.readline() == b"reading\n"
        os.close(read_fd)
        assert hung.wait(10) == SamplerExit.STUCK


def test_it_sees_no_descriptor_but_its_own_and_no_stdout_of_the_daemon(fast: Process) -> None:
    leak_fd = os.dup(fast.read_fd)
    os.set_inheritable(leak_fd, True)
    other = Process(FAST)
    try:
        other.receive()
        seen = {int(entry.name): str(entry.readlink()) for entry in Path(f"/proc/{other.pid}/fd").iterdir()}
        assert seen[0] == os.devnull
        assert seen[1] == seen[2] == target_of(2)
        mine = target_of(other.read_fd)
        assert [fd for fd, target in seen.items() if target == mine] == [FRAMES_FD]
        assert target_of(leak_fd) not in seen.values()
        assert len(seen) == FRAMES_FD + 1 + 2  # and the wake-up pipe of its order watch
    finally:
        other.close()
        os.close(leak_fd)


def test_it_leads_its_own_process_group_so_that_ctrl_c_reaches_it_in_order(fast: Process) -> None:
    assert os.getpgid(fast.pid) == fast.pid != os.getpgid(0)


def test_it_imports_nothing_from_the_working_folder_and_runs_without_the_mps_view(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("msgspec.py", "wattledger.py", "signal.py"):
        (tmp_path / name).write_text("raise SystemExit('imported from the working folder')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NVML_MPS_DEVICE_ENUMERATION", "1")
    process = Process(FAST)
    try:
        assert isinstance(process.receive()[0], Sample)
        assert b"NVML_MPS" not in Path(f"/proc/{process.pid}/environ").read_bytes()
    finally:
        process.close()


def test_it_imports_from_where_we_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "only_on_our_path.py").write_text("raise SystemExit(7)")
    monkeypatch.syspath_prepend(tmp_path)
    process = Process(FAST, SpawnLauncher(lambda _settings: (sys.executable, "-P", "-m", "only_on_our_path")))
    try:
        assert process.exit_code() == 7
    finally:
        process.close()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [([], "sampler: "), (["1", '{"source":"magic"}'], "magic"), (["250", '{"source":"sim"}'], "Bad file descriptor")],
)
def test_arguments_that_cannot_be_used_are_refused_in_words(arguments: list[str], said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "wattledger.agent.sampler", *arguments],
        env=child_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == SamplerExit.USAGE
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_an_uncaught_error_leaves_its_traceback_in_the_log_and_exit_code_1(capfd: pytest.CaptureFixture[str]) -> None:
    broken = SpawnLauncher(lambda _settings: (sys.executable, "-P", "-m", "wattledger.agent.nothing"))
    process = Process(FAST, broken)
    try:
        assert process.exit_code() == 1
        assert "No module named wattledger.agent.nothing" in capfd.readouterr().err
    finally:
        process.close()


def test_it_ends_when_the_daemon_is_killed() -> None:
    with started("fake_daemon.py", "20000") as (daemon, stdout):
        sampler_pid = int(stdout.readline().split()[1])
        daemon.kill()
        daemon.wait()
        assert wait_for(lambda: process_state(sampler_pid) in ("", "Z"), 5)


def test_a_stopped_daemon_finds_its_sampler_alive_and_the_newest_sample_waiting() -> None:
    with started("fake_daemon.py", "1000") as (daemon, stdout):
        kind, pid, before_ns = stdout.readline().split()
        daemon.send_signal(signal.SIGSTOP)
        signal.sigtimedwait((), 2.0)
        daemon.send_signal(signal.SIGCONT)
        lines = [stdout.readline().split() for _ in range(60)]
    assert {(line[0], line[1]) for line in lines} == {(kind, pid)}
    assert int(lines[-1][2]) - int(before_ns) > 2_000 * MS


def test_the_supervisor_forwards_release_and_take_and_a_replacement_stays_released() -> None:
    with supervised(settings=FAST, limits=patient()) as watched:
        watched.poll_until(lambda: bool(watched.samples))
        watched.supervisor.on_signal(signal.SIGUSR1)
        watched.poll_until(lambda: bool(watched.failures))
        assert watched.supervisor.state.released
        pid = watched.supervisor.state.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        watched.poll_until(lambda: watched.supervisor.state.restarts == 1)
        seen = len(watched.samples)
        watched.poll_until(lambda: watched.failures[-1].detail == RELEASED)
        watched.poll_for(0.3)
        assert len(watched.samples) == seen
        watched.supervisor.on_signal(signal.SIGUSR2)
        watched.poll_until(lambda: len(watched.samples) > seen)
        assert not watched.supervisor.state.released


def test_a_signal_right_after_the_start_reaches_the_sampler() -> None:
    before = children()
    with supervised(settings=FAST, limits=patient()) as watched:
        watched.supervisor.poll(0)
        watched.supervisor.on_signal(signal.SIGUSR1)
        watched.poll_until(lambda: bool(watched.failures))
        assert watched.failures[0].detail == RELEASED
    assert children() == before
