"""A supervisor over fake or real samplers, polled the way the daemon does it; every poll is held to its deadline."""

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from wattledger.agent.clock import SystemClock
from wattledger.agent.sampler.launch import SpawnLauncher
from wattledger.agent.sampler.limits import SupervisorLimits
from wattledger.agent.sampler.settings import SamplerSettings
from wattledger.agent.sampler.supervisor import SamplerSupervisor
from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.reading import Sample, SourceFailure, SourceKind

Told: TypeAlias = Sample | SourceFailure

MS = 1_000_000
POLL_NS = 200 * MS
POLL_SLACK_NS = 400 * MS  # for a machine that is busy with other tests

SETTINGS = SamplerSettings(SourceKind.SIM, interval_ns=50 * MS)
LIMITS = SupervisorLimits(
    silence_ns=1000 * MS,
    first_frame_ns=10 * NS_PER_SECOND,
    grace_ns=400 * MS,
    kill_ns=300 * MS,
    abandoned=2,
    backoff_first_ns=50 * MS,
    backoff_cap_ns=200 * MS,
)
FAKE = Path(__file__).with_name("fake_sampler.py")


class Watched:
    """A supervisor and what it has told, in order."""

    def __init__(self, supervisor: SamplerSupervisor) -> None:
        self.supervisor = supervisor
        self.told: list[Told] = []
        self._clock = SystemClock()

    @property
    def failures(self) -> list[SourceFailure]:
        """Give the failures so far."""
        return [message for message in self.told if isinstance(message, SourceFailure)]

    @property
    def samples(self) -> list[Sample]:
        """Give the samples so far."""
        return [message for message in self.told if isinstance(message, Sample)]

    @property
    def pids(self) -> list[int]:
        """Give the fake samplers that have spoken, in the order of their first sample."""
        return list(dict.fromkeys(int(sample.host.boot_id) for sample in self.samples))

    def poll(self) -> Told | None:
        """Poll once. Fails when the answer comes later than asked for."""
        until_ns = self._clock.now().mono_ns + POLL_NS
        message = self.supervisor.poll(until_ns)
        assert self._clock.now().mono_ns <= until_ns + POLL_SLACK_NS
        if message is not None:
            self.told.append(message)
        return message

    def poll_until(self, condition: Callable[[], bool], seconds: float = 20) -> None:
        """Poll until *condition* holds. Fails when it does not within *seconds*."""
        end_ns = self._clock.now().mono_ns + round(seconds * NS_PER_SECOND)
        while not condition():
            assert self._clock.now().mono_ns < end_ns, f"not in time; told {self.told[-5:]} {self.supervisor.state}"
            self.poll()

    def poll_for(self, seconds: float) -> None:
        """Poll for *seconds*, to see that something does not happen."""
        end_ns = self._clock.now().mono_ns + round(seconds * NS_PER_SECOND)
        while self._clock.now().mono_ns < end_ns:
            self.poll()

    def stop(self) -> float:
        """Stop, and give the seconds that took."""
        started_ns = self._clock.now().mono_ns
        self.supervisor.stop()
        return (self._clock.now().mono_ns - started_ns) / NS_PER_SECOND


@contextmanager
def supervised(
    *modes: Sequence[str], settings: SamplerSettings = SETTINGS, limits: SupervisorLimits = LIMITS
) -> Iterator[Watched]:
    """Supervise fake samplers: one mode after the other, the last for all that follow. None: the real sampler."""
    left = list(modes)

    def command(_settings: SamplerSettings) -> Sequence[str]:
        mode = left.pop(0) if len(left) > 1 else left[0]
        return (sys.executable, "-P", str(FAKE), *mode)

    launcher = SpawnLauncher(command) if modes else None
    supervisor = SamplerSupervisor(settings, clock=SystemClock(), launcher=launcher, limits=limits)
    watched = Watched(supervisor)
    try:
        yield watched
    finally:
        watched.stop()


def patient(limits: SupervisorLimits = LIMITS) -> SupervisorLimits:
    """Give limits under which a busy machine does not pass for a hung sampler."""
    return replace(limits, silence_ns=20 * NS_PER_SECOND)


def process_state(pid: int) -> str:
    """Give the letter of a process's state in /proc, or "" when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def children() -> set[int]:
    """Give our children, zombies too."""
    found = set[int]()
    for task in Path("/proc/self/task").iterdir():
        found.update(map(int, (task / "children").read_text().split()))
    return found


def open_fds() -> int:
    """Give the number of our open file descriptors."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


def wait_for(condition: Callable[[], bool], seconds: float = 15) -> bool:
    """Wait until *condition* holds; give whether it did within *seconds*."""
    clock = SystemClock()
    end_ns = clock.now().mono_ns + round(seconds * NS_PER_SECOND)
    while not condition():
        if clock.now().mono_ns > end_ns:
            return False
        signal.sigtimedwait((), 0.02)
    return True
