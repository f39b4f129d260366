"""All meters of the host together: quick ones are read in the tick, slow ones on threads that no tick waits for."""

import logging
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from wattledger.exporter.node import NodeSourceHealth
from wattledger.rules.chain.node_model import NodeReading
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.quantity import Gap

from ..clock import Clock
from ..sources.base import SourceError
from ..sources.host import HostSource

_log = logging.getLogger(__name__)

# A meter that fails is asked less and less often: a controller locks users out that knock too hard.
LONGEST_PAUSE_NS = 900 * NS_PER_SECOND
REFUSED_PAUSE_NS = 300 * NS_PER_SECOND
_AT_ONCE_NS = 500_000
_MOST_WAITING = 256  # readings that nobody took
_STOP_SECONDS = 1.0


class _Watched:
    """A source with how it is doing. `due_ns` is when it is to be asked next, by the monotonic clock.

    One that is not *paced* is asked as often as somebody likes, unless it fails.
    """

    def __init__(self, source: HostSource, clock: Clock, *, paced: bool) -> None:
        self._source = source
        self._clock = clock
        self._pace_ns = source.period_ns if paced else 0
        self._failures = 0
        self.due_ns = clock.now().mono_ns
        self.health = NodeSourceHealth(source.source)

    def ask(self) -> tuple[NodeReading, ...]:
        """Read it, and note how that went; nothing where it failed."""
        begun = self._clock.now()
        try:
            readings = self._source.read(begun)
        except SourceError as error:
            self._failed(begun, error.gap, error.detail)
            return ()
        except Exception as error:  # noqa: BLE001  (the one guard: a meter must not end the agent)
            _log.debug("%s: failed", self._source.source, exc_info=True)
            self._failed(begun, Gap.FAILED, repr(error))
            return ()
        ended = self._clock.now()
        self._failures = 0
        self.due_ns = max(self.due_ns + self._pace_ns, ended.mono_ns) if self._pace_ns else 0
        if not self.health.success:
            _log.info("%s: %s", self._source.source, ", ".join(reading.domain for reading in readings))
        self.health = NodeSourceHealth(
            self._source.source, success=True, last_success=ended, duration_ns=ended.ns_since(begun)
        )
        half_ns = ended.ns_since(begun) // 2
        if half_ns < _AT_ONCE_NS:
            return readings
        # What was read over a while was so in its middle.
        at = Instant(begun.mono_ns + half_ns, begun.wall_ns + half_ns)
        return tuple(replace(reading, at=at) for reading in readings)

    def close(self) -> None:
        """Let go of its files and devices."""
        self._source.close()

    def _failed(self, begun: Instant, gap: Gap, detail: str) -> None:
        ended = self._clock.now()
        pause_ns = min(self._source.period_ns << min(self._failures, 20), LONGEST_PAUSE_NS)
        if gap is Gap.NO_PERMISSION:
            pause_ns = max(pause_ns, REFUSED_PAUSE_NS)
        self._failures += 1
        self.due_ns = ended.mono_ns + pause_ns
        if (gap, detail) != (self.health.reason, self.health.detail):
            _log.warning("%s: %s: %s", self._source.source, gap, detail)
        self.health = replace(
            self.health, success=False, reason=gap, detail=detail, duration_ns=ended.ns_since(begun)
        )


class _Slow:
    """A source with a thread of its own, and what it said since it was last asked for it."""

    def __init__(self, source: HostSource, clock: Clock) -> None:
        self.watched = _Watched(source, clock, paced=True)
        self._clock = clock
        self._name = f"meter-{source.source}"
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._new: deque[NodeReading] = deque(maxlen=_MOST_WAITING)
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to read."""
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Read no more; does not wait for a read that hangs."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=_STOP_SECONDS)
        if self._thread is None or not self._thread.is_alive():
            self.watched.close()

    def take(self) -> list[NodeReading]:
        """Give what was read since the last call, in its order."""
        with self._lock:
            readings = list(self._new)
            self._new.clear()
        return readings

    def _run(self) -> None:
        while not self._clock.wait_until(self.watched.due_ns, self._stop):
            readings = self.watched.ask()
            with self._lock:
                self._new += readings


class HostMeters:
    """Reads the host's meters. *quick* ones take microseconds and are read by the caller; *slow* ones are not waited
    for: `read` gives what they have said since, each reading once.
    """

    def __init__(self, *, clock: Clock, quick: Sequence[HostSource] = (), slow: Sequence[HostSource] = ()) -> None:
        self._quick = [_Watched(source, clock, paced=False) for source in quick]
        self._slow = [_Slow(source, clock) for source in slow]

    def start(self) -> None:
        """Start the threads of the slow meters."""
        for slow in self._slow:
            slow.start()

    def close(self) -> None:
        """Let go of everything; does not wait for a meter that hangs."""
        for slow in self._slow:
            slow.close()
        for watched in self._quick:
            watched.close()

    def read(self, now: Instant) -> list[NodeReading]:
        """Give what is new *now*; waits for no slow meter."""
        readings = [reading for watched in self._quick if watched.due_ns <= now.mono_ns for reading in watched.ask()]
        for slow in self._slow:
            readings += slow.take()
        return readings

    def health(self) -> tuple[NodeSourceHealth, ...]:
        """Give how each source is doing."""
        return (*(watched.health for watched in self._quick), *(slow.watched.health for slow in self._slow))
