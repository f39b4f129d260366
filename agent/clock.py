"""The only place that asks the machine for the time or waits for it."""

import threading
import time
from typing import Protocol

from wattledger.rules.instant import NS_PER_SECOND, Instant


class Clock(Protocol):
    """Time as a dependency: `now` for both clocks, `wait_until` to sleep till a monotonic moment."""

    def now(self) -> Instant:
        """Give the present moment."""
        ...

    def wait_until(self, mono_ns: int, stop: threading.Event) -> bool:
        """Wait until *mono_ns* or until *stop* is set; give whether it was set."""
        ...


class SystemClock:
    """The machine's clocks: CLOCK_BOOTTIME and CLOCK_REALTIME."""

    def now(self) -> Instant:
        """Give the present moment."""
        return Instant(mono_ns=time.clock_gettime_ns(time.CLOCK_BOOTTIME), wall_ns=time.time_ns())

    def wait_until(self, mono_ns: int, stop: threading.Event) -> bool:
        """Wait until *mono_ns* or until *stop* is set; give whether it was set."""
        left_ns = mono_ns - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        return stop.wait(left_ns / NS_PER_SECOND) if left_ns > 0 else stop.is_set()


def monotonic_us() -> int:
    """Give CLOCK_MONOTONIC in microseconds, which is the clock that service managers compare."""
    return time.monotonic_ns() // 1000
