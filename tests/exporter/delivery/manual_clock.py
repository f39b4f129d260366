"""A clock for several threads that moves only when told; who waits on it really waits."""

import threading
from dataclasses import dataclass, field

from wattledger.rules.instant import NS_PER_SECOND, Instant


@dataclass(slots=True)
class ManualClock:
    """Both clocks of a host. `sleepers` are the moments that threads wait for now."""

    mono_ns: int = 1_000 * NS_PER_SECOND
    wall_ns: int = 1_760_000_000 * NS_PER_SECOND
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _sleepers: list[tuple[int, threading.Event]] = field(default_factory=list)

    def now(self) -> Instant:
        with self._lock:
            return Instant(mono_ns=self.mono_ns, wall_ns=self.wall_ns)

    def wait_until(self, mono_ns: int, stop: threading.Event) -> bool:
        """Wait until told that it is *mono_ns*, or until *stop* is set; the former is told by setting it."""
        sleeper = (mono_ns, stop)
        with self._lock:
            if mono_ns <= self.mono_ns:
                return stop.is_set()
            self._sleepers.append(sleeper)
        stop.wait()
        with self._lock:
            self._sleepers.remove(sleeper)
        return True

    def advance(self, seconds: float) -> None:
        """Let time pass, and wake those whose moment it is."""
        with self._lock:
            self.mono_ns += round(seconds * NS_PER_SECOND)
            self.wall_ns += round(seconds * NS_PER_SECOND)
            for mono_ns, stop in self._sleepers:
                if mono_ns <= self.mono_ns:
                    stop.set()

    def sleepers(self) -> list[float]:
        """Give in how many seconds each thread wants to be woken."""
        with self._lock:
            return [(mono_ns - self.mono_ns) / NS_PER_SECOND for mono_ns, _ in self._sleepers]
