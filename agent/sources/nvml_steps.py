"""When a context seems to have come or gone, told by what is read anyway; it reads nothing itself.

A context lifts SM clock and power in one step and holds them (345 to 1980 MHz and 72 to 122 W on an H100), whatever
runs. Asking for the process list takes milliseconds, so it is asked for rarely, and at once on such a step.
"""

from typing import Final

from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.quantity import Quantity

from .nvml_fields import Values

_CLOCK_FACTOR: Final = 1.5  # throttling under load moves the clock less than this
_POWER_FACTOR: Final = 1.2
_POWER_STEP_MW: Final = 8000  # idle noise stays below 1.5 W
_LEAST_NS: Final = 2 * NS_PER_SECOND  # however restless the device is


class ContextSteps:
    """Watches one device for steps. Power counts only while nothing runs: under load it says nothing of contexts."""

    __slots__ = ("_clock_hz", "_idle_mw", "_listed_ns")

    def __init__(self) -> None:
        self._clock_hz: float | None = None
        self._idle_mw: float | None = None
        self._listed_ns: int | None = None

    def listed(self, at: Instant) -> None:
        """Note that the list was asked for now."""
        self._listed_ns = at.mono_ns

    def stepped(self, at: Instant, values: Values, *, listed_none: bool) -> bool:
        """Say whether to ask for the list now. *listed_none*: at the last time there was no process."""
        clock_hz = values.get(Quantity.CLOCK_SM_HZ)
        utilization = values.get(Quantity.UTILIZATION_GPU_RATIO)
        power_mw = values.get(Quantity.POWER_INSTANT_MW, values.get(Quantity.POWER_AVERAGE_MW))
        step = bool(utilization) and listed_none  # someone is at work and nobody is known
        if clock_hz is not None:
            step |= _apart(self._clock_hz, clock_hz, _CLOCK_FACTOR)
        if power_mw is not None and utilization == 0:
            step |= abs(power_mw - (self._idle_mw or power_mw)) >= _POWER_STEP_MW and _apart(
                self._idle_mw, power_mw, _POWER_FACTOR
            )
        if step and self._listed_ns is not None and at.mono_ns - self._listed_ns < _LEAST_NS:
            return False  # the references stay, so that the step is seen again on the next tick
        if step or self._clock_hz is None:
            self._clock_hz = clock_hz
        if utilization == 0 and (step or self._idle_mw is None):
            self._idle_mw = power_mw
        return step


def _apart(old: float | None, new: float, factor: float) -> bool:
    return old is not None and (new > old * factor or new * factor < old)
