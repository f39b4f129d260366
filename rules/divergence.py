"""Holds the hardware counter against the integral of power, minute by minute; which is right it cannot say."""

from .instant import NS_PER_SECOND

WINDOW_NS = 60 * NS_PER_SECOND
# nvml.md section 12: within 2 % is usual, beyond 5 % over three windows the counter is suspect (zeus#181: 0.57).
TOLERANCE = 0.05
WINDOWS = 3


class DivergenceWatch:
    """Compares both over windows of a minute. `ratio` is counter / integral of the last full window."""

    def __init__(self) -> None:
        self.ratio: float | None = None
        self.suspect = False
        self._counter_mj = 0
        self._integral_mj = 0
        self._covered_ns = 0
        self._streak = 0  # windows in a row that speak against the present verdict

    def add(self, counter_mj: int, integral_mj: int | None, elapsed_ns: int) -> None:
        """Add one delta of both over the same interval; an interval without an integral is left out."""
        if integral_mj is None:
            return
        self._counter_mj += counter_mj
        self._integral_mj += integral_mj
        self._covered_ns += elapsed_ns
        if self._covered_ns >= WINDOW_NS:
            self._close()

    def restart(self) -> None:
        """Drop the window under way: a reset or gap lies in it."""
        self._counter_mj = self._integral_mj = self._covered_ns = 0

    def _close(self) -> None:
        counter_mj, integral_mj = self._counter_mj, self._integral_mj
        self.restart()
        if integral_mj == 0:
            return
        self.ratio = counter_mj / integral_mj
        agrees = abs(self.ratio - 1) <= TOLERANCE
        self._streak = self._streak + 1 if agrees is self.suspect else 0
        if self._streak >= WINDOWS:
            self.suspect, self._streak = not self.suspect, 0
