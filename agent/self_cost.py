"""What the agent itself costs: CPU and memory of the daemon and its sampler, from /proc."""

import os
from dataclasses import dataclass
from pathlib import Path

from wattledger.rules.instant import NS_PER_SECOND


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU time since the daemon started and resident memory now, of both processes."""

    cpu_ns: int
    resident_bytes: int


class SelfCost:
    """Adds up both processes; the CPU time of samplers that were replaced stays in the sum."""

    def __init__(self, proc_root: Path = Path("/proc")) -> None:
        self._proc = proc_root
        self._tick_ns = NS_PER_SECOND // os.sysconf("SC_CLK_TCK")
        self._page_bytes = os.sysconf("SC_PAGE_SIZE")
        self._ended_ns = 0
        self._sampler: tuple[int, int] | None = None  # pid and its CPU time so far

    def measure(self, sampler_pid: int | None) -> Cost:
        """Give the cost now; *sampler_pid* is None while no sampler runs."""
        own = self._of(os.getpid()) or Cost(0, 0)
        other = None if sampler_pid is None else self._of(sampler_pid)
        if self._sampler is not None and not self._goes_on(sampler_pid, other):
            self._ended_ns += self._sampler[1]
            self._sampler = None
        if other is None or sampler_pid is None:
            return Cost(own.cpu_ns + self._ended_ns, own.resident_bytes)
        self._sampler = (sampler_pid, other.cpu_ns)
        return Cost(own.cpu_ns + self._ended_ns + other.cpu_ns, own.resident_bytes + other.resident_bytes)

    def _goes_on(self, pid: int | None, now: Cost | None) -> bool:
        """Tell whether the sampler is that of the last time; a number may be given anew, CPU time never falls."""
        assert self._sampler is not None  # noqa: S101  (asked only then)
        return now is not None and pid == self._sampler[0] and now.cpu_ns >= self._sampler[1]

    def _of(self, pid: int) -> Cost | None:
        try:
            # The command name may hold any bytes, spaces and parentheses too; fields are counted after it (proc(5)).
            after_name = (self._proc / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
            ticks = int(after_name[11]) + int(after_name[12])
            pages = int((self._proc / str(pid) / "statm").read_bytes().split()[1])
        except (OSError, IndexError):
            return None  # it ended while we looked
        return Cost(ticks * self._tick_ns, pages * self._page_bytes)
