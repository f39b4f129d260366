"""Samplers on their way out: SIGTERM, patience, SIGKILL, and after that left to themselves; none is waited for."""

import signal
from dataclasses import dataclass
from enum import Enum, auto

from .child import SamplerChild

LOOK_NS = 20_000_000  # how often a leaving process is looked at; it lasts for some milliseconds


class _Step(Enum):
    TERMINATED = auto()
    KILLED = auto()
    ABANDONED = auto()


@dataclass(slots=True)
class _Departure:
    child: SamplerChild
    step: _Step
    until_ns: int


class Departures:
    """Every sampler that was told to go and has not been reaped.

    SIGTERM first and with patience: killing a process inside the driver has left GPUs frozen. A process that
    outlives SIGKILL sits in the kernel (state D) and is abandoned; it ends by itself when the driver lets go.
    """

    def __init__(self, *, grace_ns: int, kill_ns: int) -> None:
        """*grace_ns* passes between SIGTERM and SIGKILL, *kill_ns* between SIGKILL and giving up."""
        self._grace_ns = grace_ns
        self._kill_ns = kill_ns
        self._leaving: list[_Departure] = []
        self.abandoned_total = 0

    @property
    def busy(self) -> bool:
        """Tell whether a process may still go in bounded time."""
        return any(departure.step is not _Step.ABANDONED for departure in self._leaving)

    @property
    def abandoned(self) -> int:
        """Give how many processes outlived SIGKILL and are still there."""
        return sum(departure.step is _Step.ABANDONED for departure in self._leaving)

    def dismiss(self, child: SamplerChild, now_ns: int) -> None:
        """Tell *child* to go."""
        if not child.reap():
            child.send_signal(signal.SIGTERM)
        self._leaving.append(_Departure(child, _Step.TERMINATED, now_ns + self._grace_ns))

    def advance(self, now_ns: int) -> list[SamplerChild]:
        """Do what is due; give the processes that are gone and those that are abandoned from now on."""
        settled: list[SamplerChild] = []
        staying: list[_Departure] = []
        for departure in self._leaving:
            if departure.child.reap():
                settled.append(departure.child)
                continue
            staying.append(departure)
            if (
                departure.step is not _Step.ABANDONED
                and now_ns >= departure.until_ns
                and self._press(departure, now_ns)
            ):
                settled.append(departure.child)
        self._leaving = staying
        return settled

    def _press(self, departure: _Departure, now_ns: int) -> bool:
        """Go one step further; give whether that was the last."""
        if departure.step is _Step.TERMINATED:
            departure.child.send_signal(signal.SIGKILL)
            departure.step = _Step.KILLED
            departure.until_ns = now_ns + self._kill_ns
            return False
        departure.step = _Step.ABANDONED
        self.abandoned_total += 1
        return True
