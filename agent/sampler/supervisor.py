"""Keeps one sampler alive and hands its messages on; knows processes and silence, nothing of what samples mean."""

import logging
import select
import signal
import threading
from collections import deque
from dataclasses import dataclass, replace

from wattledger.agent.clock import Clock
from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.quantity import Gap
from wattledger.rules.reading import Sample, SourceFailure, SourceKind

from .backoff import Backoff
from .child import SamplerChild, start_child
from .departures import LOOK_NS, Departures
from .exits import SamplerExit, describe_status, exit_code
from .frames import EndOfFrames, FrameError, Message
from .launch import Launcher, SpawnLauncher
from .limits import SupervisorLimits, SupervisorState
from .settings import SamplerSettings

_log = logging.getLogger("wattledger.agent.sampler")

_NS_PER_MS = 1_000_000
_LONGEST_WAIT_MS = 3_600_000  # poll(2) takes an int
_STOP_LOOK_NS = 20 * _NS_PER_MS


@dataclass(slots=True)
class _Current:
    """The sampler whose frames count."""

    child: SamplerChild
    started_ns: int
    silent_after_ns: int
    healthy_since_ns: int | None = None
    pardoned: bool = False
    leaving: bool = False  # told to go, and still listened to


class SamplerSupervisor:
    """Starts samplers, replaces them when they hang, crash or give up, and never waits for one.

    All methods belong to one thread, the one that ticks. At most one sampler's frames are taken at any time: the
    pipe of a replaced one is closed before the next is started, so a late frame cannot pass for a fresh one.
    """

    def __init__(
        self,
        settings: SamplerSettings,
        *,
        clock: Clock,
        launcher: Launcher | None = None,
        limits: SupervisorLimits | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self._limits = limits or SupervisorLimits()
        self._settings = settings
        self._clock = clock
        self._launch = launcher or SpawnLauncher()
        self._backoff = backoff or Backoff(self._limits.backoff_first_ns, self._limits.backoff_cap_ns)
        self._departures = Departures(grace_ns=self._limits.grace_ns, kill_ns=self._limits.kill_ns)
        self._current: _Current | None = None
        self._out: deque[Sample | SourceFailure] = deque()
        self._looked_ns = clock.now().mono_ns
        self._start_at_ns: int | None = self._looked_ns  # None: no start is wanted
        self._newest_ns: dict[SourceKind, int] = {}
        self._starts = 0
        self._reconfigured = 0
        self._stale_frames = 0
        self._released = settings.released
        self._ended = False
        self._blocked = False
        self._last_failure: SourceFailure | None = None
        self._logged: tuple[Gap, str] | None = None

    def poll(self, until_mono_ns: int) -> Sample | SourceFailure | None:
        """Give the next message of the sampler, or what is wrong with it; None when *until_mono_ns* has come.

        Starts the sampler when that is due. Never waits for a process, whatever state it is in.
        """
        while True:
            now_ns = self._clock.now().mono_ns
            if not self._out:
                self._step(now_ns)
            if self._out:
                return self._hand_on(self._out.popleft())
            if now_ns >= until_mono_ns:
                return None
            self._wait(now_ns, until_mono_ns)

    @property
    def state(self) -> SupervisorState:
        """Give the present figures."""
        return SupervisorState(
            pid=None if self._current is None else self._current.child.pid,
            restarts=max(0, self._starts - 1 - self._reconfigured),
            abandoned=self._departures.abandoned,
            abandoned_total=self._departures.abandoned_total,
            stale_frames=self._stale_frames,
            released=self._released,
            ended=self._ended and not self._out,
            last_failure=self._last_failure,
        )

    def on_signal(self, number: int) -> None:
        """Release the source for maintenance (SIGUSR1) or take it again (SIGUSR2); replacements obey it too."""
        self._released = number == signal.SIGUSR1
        if self._current is not None:
            self._current.child.send_signal(number)

    def reconfigure(self, settings: SamplerSettings) -> None:
        """Replace the sampler by one with *settings*. What the old one still says before it goes is handed on."""
        self._settings = settings
        self._backoff.reset()
        self._ended = False
        self._start_at_ns = self._clock.now().mono_ns
        self._reconfigured += self._starts > 0
        if self._current is not None and not self._current.leaving:
            self._current.leaving = self._current.child.explained = True
            self._departures.dismiss(self._current.child, self._start_at_ns)

    def stop(self) -> None:
        """End the sampler: SIGTERM, the grace, SIGKILL. Returns in bounded time and leaves no zombie.

        An abandoned sampler stays: nothing can end it but the driver.
        """
        self._start_at_ns = None
        if self._current is not None:
            self._current.child.close_pipe()
            if not self._current.leaving:
                self._departures.dismiss(self._current.child, self._clock.now().mono_ns)
            self._current = None
        self._departures.advance(self._clock.now().mono_ns)
        while self._departures.busy:
            self._clock.wait_until(self._clock.now().mono_ns + _STOP_LOOK_NS, threading.Event())
            self._departures.advance(self._clock.now().mono_ns)

    def _step(self, now_ns: int) -> None:
        """Do what is due now, without waiting."""
        away_ns = now_ns - self._looked_ns
        self._looked_ns = now_ns
        if self._current is not None:
            self._listen(self._current, now_ns, away_ns)
        for child in self._departures.advance(now_ns):
            self._part_with(child)
        if self._may_start(now_ns):
            self._start(now_ns)

    def _wait(self, now_ns: int, until_ns: int) -> None:
        """Wait for bytes, or until something is due."""
        due = [until_ns]
        if self._departures.busy:
            due.append(now_ns + LOOK_NS)
        elif self._current is not None:
            due.append(self._current.silent_after_ns)
        elif self._start_at_ns is not None and not self._blocked:
            due.append(self._start_at_ns)
        poller = select.poll()
        if self._current is not None and self._current.child.frames_fd is not None:
            poller.register(self._current.child.frames_fd, select.POLLIN)
        wait_ms = -(-(min(due) - now_ns) // _NS_PER_MS)
        poller.poll(max(0, min(wait_ms, _LONGEST_WAIT_MS)))
        # Only what was asked for counts as attention; the rest we were stopped or suspended.
        self._looked_ns = min(self._clock.now().mono_ns, *due)

    def _may_start(self, now_ns: int) -> bool:
        if self._current is not None or self._start_at_ns is None or now_ns < self._start_at_ns:
            return False
        if self._departures.busy:
            return False
        blocked = self._departures.abandoned >= self._limits.abandoned
        if blocked and not self._blocked:
            self._fail(
                Gap.TIMEOUT,
                f"{self._departures.abandoned} samplers hang in the driver and cannot be killed; the next is started "
                "when one of them ends. Reset the GPU or reboot the host",
            )
        self._blocked = blocked
        return not blocked

    def _start(self, now_ns: int) -> None:
        settings = replace(self._settings, released=self._released)
        try:
            child = start_child(self._launch, settings)
        except OSError as error:
            self._fail(Gap.FAILED, f"the sampler cannot be started: {error}")
            self._start_at_ns = now_ns + self._backoff.delay_ns()
            return
        self._starts += 1
        self._start_at_ns = None
        self._newest_ns.pop(SourceKind.REPLAY, None)  # a capture begins anew, at its own times
        self._current = _Current(child, started_ns=now_ns, silent_after_ns=now_ns + self._limits.first_frame_ns)
        _log.debug("sampler started pid=%d source=%s", child.pid, settings.source)

    def _listen(self, current: _Current, now_ns: int, away_ns: int) -> None:
        heard = False
        try:
            for message in current.child.read():
                heard = True
                self._take(current, message, now_ns)
        except FrameError as error:
            self._fail(Gap.FAILED, f"the sampler's output cannot be read: {error}")
            self._replace(current, now_ns, explained=True)
            return
        if current.child.frames_fd is None:  # it is ending, and its status follows in a moment
            self._replace(current, now_ns, explained=self._ended)
        elif not heard and not current.leaving and now_ns >= current.silent_after_ns:
            self._judge_silence(current, now_ns, away_ns)

    def _take(self, current: _Current, message: Message, now_ns: int) -> None:
        current.silent_after_ns = now_ns + self._limits.silence_limit_ns(self._settings)
        current.pardoned = False
        if isinstance(message, EndOfFrames):
            self._ended = not current.leaving
            return
        if isinstance(message, Sample):
            if current.healthy_since_ns is None:
                current.healthy_since_ns = now_ns
            if now_ns - current.healthy_since_ns >= self._limits.healthy_ns:
                self._backoff.reset()
            if message.at.mono_ns < self._newest_ns.get(message.source, message.at.mono_ns):
                self._stale_frames += 1
                return
            self._newest_ns[message.source] = message.at.mono_ns
        self._out.append(message)

    def _judge_silence(self, current: _Current, now_ns: int, away_ns: int) -> None:
        limit_ns = self._limits.silence_limit_ns(self._settings)
        if away_ns > limit_ns // 2 and not current.pardoned:
            # We were stopped or suspended, and so perhaps was the sampler: silence counts from now, once.
            current.pardoned = True
            current.silent_after_ns = now_ns + limit_ns
            return
        if current.child.last is None:
            what, since_ns = "the sampler has said nothing since its start", current.started_ns
        else:
            what, since_ns = "driver call has not returned", current.silent_after_ns - limit_ns
        self._fail(Gap.TIMEOUT, f"{what} for {(now_ns - since_ns) // NS_PER_SECOND} s")
        self._replace(current, now_ns, explained=True)

    def _replace(self, current: _Current, now_ns: int, *, explained: bool) -> None:
        """Take no more frames of *current*, send it away, and plan the next."""
        current.child.close_pipe()
        self._current = None
        if current.leaving:  # by reconfigure, which sent it away and planned the next
            return
        current.child.explained = explained
        self._departures.dismiss(current.child, now_ns)
        if not self._ended:
            self._start_at_ns = now_ns + self._backoff.delay_ns()

    def _part_with(self, child: SamplerChild) -> None:
        """Say why *child* went, unless that is known; or that it does not go."""
        if child.status is None:
            _log.error("sampler abandoned pid=%d: it outlives SIGKILL, inside the driver", child.pid)
            if self._current is not None and self._current.child is child:
                child.close_pipe()
                self._current = None
            elif not child.explained:
                self._fail(Gap.TIMEOUT, "the sampler ended, and the driver does not let it go")
            return
        code = exit_code(child.status)
        if child.explained or (code == SamplerExit.SOURCE_FAILED and isinstance(child.last, SourceFailure)):
            return
        if code == SamplerExit.END_OF_SOURCE:  # its last frame found no room
            self._ended = True
            self._start_at_ns = None
            return
        self._fail(Gap.FAILED, f"the sampler ended: {describe_status(child.status)}")

    def _fail(self, reason: Gap, detail: str) -> None:
        self._out.append(
            SourceFailure(at=self._clock.now(), source=self._settings.source, reason=reason, detail=detail)
        )

    def _hand_on(self, message: Sample | SourceFailure) -> Sample | SourceFailure:
        """Note and log a change between failing and giving samples."""
        if isinstance(message, SourceFailure):
            self._last_failure = message
            if (message.reason, message.detail) != self._logged:
                self._logged = (message.reason, message.detail)
                _log.warning(
                    "source failed source=%s reason=%s detail=%r", message.source, message.reason, message.detail
                )
        elif self._logged is not None:
            self._logged = None
            _log.info("source answers again source=%s", message.source)
        return message
