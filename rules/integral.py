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

    def __init__(self, *, gap_ns: int) -> None:
        self._gap_ns = gap_ns
        self._last: tuple[Instant, Method, int] | None = None
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

    def covering(self, elapsed_ns: int) -> tuple[int | None, Method | None]:
        """Give energy and method where exactly *elapsed_ns* is covered, else None and None."""
        if self.method is None or self._covered_ns != elapsed_ns or elapsed_ns == 0:
            return None, None
        return self.energy_mj, self.method

    def add(self, reading: Reading) -> bool:
        """Integrate up to *reading*; give whether it had power.

        A reading without power is passed over; after more than the allowed gap the sum is not continued.
        """
        power = _power_of(reading)
        if power is None:
            return False
        last, self._last = self._last, (reading.at, *power)
        self.method, power_mw = power
        if last is None or last[1] is not self.method:
            return True
        duration_ns = reading.at.ns_since(last[0])
        if 0 < duration_ns <= self._gap_ns:
            self._sum += _twice_mw_ns(self.method, last[2], power_mw, duration_ns)
            self._covered_ns += duration_ns
        return True

    def restart(self, at: Instant) -> None:
        """Begin a new interval at *at*; a last reading of another moment cannot bound it."""
        self._sum %= 2 * NS_PER_SECOND
        self._covered_ns = 0
        if self._last is not None and self._last[0] != at:
            self._last = None


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
