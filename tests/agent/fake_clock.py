"""A clock that moves only when told, or when someone waits on it."""

import threading
from dataclasses import dataclass

from wattledger.rules.instant import NS_PER_SECOND, Instant


@dataclass(slots=True)
class FakeClock:
    """Both clocks of a host. Waiting takes no real time: it moves the clock to the moment waited for."""

    mono_ns: int = 1_000 * NS_PER_SECOND
    wall_ns: int = 1_760_000_000 * NS_PER_SECOND

    def now(self) -> Instant:
        """Give the present moment."""
        return Instant(mono_ns=self.mono_ns, wall_ns=self.wall_ns)

    def wait_until(self, mono_ns: int, stop: threading.Event) -> bool:
        """Move to *mono_ns*, unless it has passed or *stop* is set; give whether it is set."""
        if not stop.is_set():
            self.advance_ns(max(0, mono_ns - self.mono_ns))
        return stop.is_set()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.advance_ns(round(seconds * NS_PER_SECOND))

    def advance_ns(self, duration_ns: int) -> None:
        """Let time pass."""
        self.mono_ns += duration_ns
        self.wall_ns += duration_ns

    def step_wall(self, seconds: float) -> None:
        """Set the wall clock forward, or back, as NTP or a person does."""
        self.wall_ns += round(seconds * NS_PER_SECOND)
