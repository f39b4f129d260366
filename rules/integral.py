"""Integral of a device's power readings; an interval without readings is not filled in."""

from .instant import NS_PER_SECOND, Instant
from .quantity import Quantity
from .reading import Reading
from .state import Method

# Field 185 is the mean over the second before it was read (nvml.h).
AVERAGE_WINDOW_NS = NS_PER_SECOND


class PowerIntegral:
    """Sums power over the time since `restart`, in half milliwatt-nanoseconds so that the mean of two is whole.

    Average power stands for the second before it and is joined by the trapezoid beyond; instant power is joined
    by the trapezoid. What falls below a millijoule is carried over a restart.
    """

    def __init__(self) -> None:
        self._last: tuple[Instant, int] | None = None
        self._sum = 0
        self._covered_ns = 0
        self.method: Method | None = None

    @property
    def covered_ns(self) -> int:
        """Give the time since the restart over which power was known."""
        return self._covered_ns

    @property
    def energy_mj(self) -> int:
        """Give the energy over the covered time."""
        return self._sum // (2 * NS_PER_SECOND)

    def covering(self, elapsed_ns: int) -> int | None:
        """Give the energy where exactly *elapsed_ns* is covered, else None."""
        return self.energy_mj if 0 < self._covered_ns == elapsed_ns else None

    def add(self, reading: Reading, *, gap_ns: int) -> bool:
        """Integrate up to *reading*; give whether it had power.

        A reading without power is passed over; after more than *gap_ns* the sum is not continued.
        """
        power = _power_of(reading)
        if power is None:
            return False
        last, self._last = self._last, (reading.at, power[1])
        self.method, power_mw = power
        if last is not None:
            duration_ns = reading.at.ns_since(last[0])
            if 0 < duration_ns <= gap_ns:
                self._sum += _twice_mw_ns(self.method, last[1], power_mw, duration_ns)
                self._covered_ns += duration_ns
        return True

    def restart(self, at: Instant) -> None:
        """Begin a new interval at *at*; a last reading of another moment cannot bound it."""
        self._sum %= 2 * NS_PER_SECOND
        self._covered_ns = 0
        if self._last is not None and self._last[0] != at:
            self._last = self.method = None


def _power_of(reading: Reading) -> tuple[Method, int] | None:
    average_mw = reading.integer(Quantity.POWER_AVERAGE_MW)
    if average_mw is not None:
        return Method.AVERAGE_POWER, average_mw
    instant_mw = reading.integer(Quantity.POWER_INSTANT_MW)
    return None if instant_mw is None else (Method.INSTANT_POWER, instant_mw)


def _twice_mw_ns(method: Method, before_mw: int, here_mw: int, duration_ns: int) -> int:
    if method is Method.INSTANT_POWER:
        return (before_mw + here_mw) * duration_ns
    seen_ns = min(duration_ns, AVERAGE_WINDOW_NS)
    return 2 * here_mw * seen_ns + (before_mw + here_mw) * (duration_ns - seen_ns)
