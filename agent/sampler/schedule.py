"""When the next tick is due; arithmetic on a grid of deadlines, without a clock of its own."""


class Schedule:
    """Deadlines at *first_ns* + k x *interval_ns*. They never drift, and a late tick is skipped, not made up for."""

    def __init__(self, first_ns: int, interval_ns: int) -> None:
        self._deadline_ns = first_ns
        self._interval_ns = interval_ns
        self.missed = 0

    def begin(self, now_ns: int) -> None:
        """Note that a tick starts: it serves the deadline that is due, older ones were missed."""
        self.missed += max(0, self._pass(now_ns) - 1)

    def end(self, now_ns: int) -> int:
        """Note that the tick is over, with every deadline it overran missed; give the next one."""
        self.missed += self._pass(now_ns)
        return self._deadline_ns

    def _pass(self, now_ns: int) -> int:
        passed = max(0, (now_ns - self._deadline_ns) // self._interval_ns + 1)
        self._deadline_ns += passed * self._interval_ns
        return passed
