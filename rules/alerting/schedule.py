"""When a group is due: evenly spaced moments, the same after a restart; it reads no clock."""

import zlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Due:
    """A moment to evaluate at, and how many before it went by unused."""

    at_ms: int
    missed: int = 0


@dataclass(frozen=True, slots=True)
class Schedule:
    """Moments `offset_ms` after each whole `interval_ms` since the epoch."""

    interval_ms: int
    offset_ms: int = 0

    @classmethod
    def of_group(cls, file: str, name: str, interval_ms: int) -> "Schedule":
        """Give a group's schedule; groups are spread over the interval, each always at the same place."""
        return cls(interval_ms, zlib.crc32(f"{file};{name}".encode("utf-8", "surrogateescape")) % interval_ms)

    def latest_ms(self, now_ms: int) -> int:
        """Give the last moment at or before *now_ms*."""
        return now_ms - (now_ms - self.offset_ms) % self.interval_ms

    def due(self, last_ms: int, now_ms: int) -> Due | None:
        """Give the moment that is due at *now_ms* when *last_ms* was the one before, None when none is.

        At the start *last_ms* is `latest_ms` of that moment: a group waits for its place in the interval.
        """
        steps = (self.latest_ms(now_ms) - last_ms) // self.interval_ms
        return Due(last_ms + steps * self.interval_ms, steps - 1) if steps > 0 else None
