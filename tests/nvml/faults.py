"""Knows how to make calls of the double fail, hang, crash or lie; knows no physics."""

import difflib
import math
from dataclasses import dataclass
from typing import Literal

from .layout import FAULTS, FUNCTION_INDEX, FUNCTION_NAMES, Control, FaultKind

GPU_IS_LOST = 15

# Seconds per call as measured by others on real machines; everything else is 2 us.
LATENCY_MODEL = {
    "nvmlDeviceGetComputeRunningProcesses_v3": 0.0045,
    "nvmlDeviceGetGraphicsRunningProcesses_v3": 0.0045,
    "nvmlDeviceGetMPSComputeRunningProcesses_v3": 0.0045,
    "nvmlDeviceGetPcieThroughput": 0.020,
    "nvmlDeviceGetCurrentClocksEventReasons": 0.018,
    "nvmlDeviceGetCurrentClocksThrottleReasons": 0.018,
    "nvmlDeviceGetFanSpeed": 0.000137,
    "nvmlDeviceGetFanSpeed_v2": 0.000137,
    "nvmlDeviceGetPowerUsage": 0.000118,
    "nvmlDeviceGetClockInfo": 0.000158,
    "nvmlDeviceGetTemperature": 0.000062,
    "nvmlDeviceGetUtilizationRates": 0.0005,
    "nvmlDeviceGetMemoryInfo": 0.000012,
}
MODEL_REST_S = 0.000002


def function_index(name: str) -> int:
    """Give the index of an NVML function; "*" is -1; a missing version suffix is added.

    Raises ValueError with the nearest name.
    """
    if name == "*":
        return -1
    if name in FUNCTION_INDEX:
        return FUNCTION_INDEX[name]
    versions = [known for known in FUNCTION_NAMES if known.startswith(f"{name}_v")]
    if len(versions) == 1:
        return FUNCTION_INDEX[versions[0]]
    near = difflib.get_close_matches(name, FUNCTION_NAMES, n=1)
    raise ValueError(f"the double has no {name!r}" + (f"; nearest is {near[0]!r}" if near else ""))


@dataclass(frozen=True, slots=True)
class ActiveFault:
    """A fault that is in force until cleared or used up."""

    control: Control
    index: int

    def clear(self) -> None:
        """End it; a call hanging in it returns normally."""
        self.control.faults[self.index].kind = FaultKind.NONE

    @property
    def used_up(self) -> bool:
        """Whether its calls were all made."""
        fault = self.control.faults[self.index]
        return bool(fault.kind == FaultKind.NONE or fault.remaining == 0)


class Faults:
    """Faults of one board, or of everything (slot -1)."""

    def __init__(self, control: Control, slot: int) -> None:
        self.control = control
        self.slot = slot

    def fault(self, function: str = "*", code: int = GPU_IS_LOST, count: int | None = None) -> ActiveFault:
        """Answer *code* for *count* calls, or until cleared."""
        return self._add(FaultKind.RETURN, function, code=code, count=count)

    def lose(self) -> ActiveFault:
        """GPU_IS_LOST on every call of this board, opening it included."""
        return self.fault("*", GPU_IS_LOST)

    def hang(
        self,
        function: str = "*",
        seconds: float | None = None,
        unkillable_path: str | None = None,
        *,
        count: int | None = None,
    ) -> ActiveFault:
        """Sleep inside the call for *seconds* of real time, or until cleared.

        With *unkillable_path* the call writes to that path: on a frozen filesystem it then sits in state D.
        """
        if unkillable_path is not None:
            return self._add(FaultKind.UNKILLABLE, function, count=count, path=unkillable_path)
        hang_ns = -1 if seconds is None else math.floor(seconds * 1e9)
        return self._add(FaultKind.HANG, function, count=count, hang_ns=hang_ns)

    def crash(self, function: str = "*", how: Literal["segv", "abort"] = "segv") -> ActiveFault:
        """Kill the calling process in the middle of the call."""
        return self._add(FaultKind.SEGV if how == "segv" else FaultKind.ABORT, function)

    def power_glitch(self, milliwatts: int = 3_700_000, count: int | None = 1) -> ActiveFault:
        """Let power readings succeed with this value. A library bug answered about 3.7 million mW."""
        return self._add(FaultKind.POWER_SET, "*", count=count, value=milliwatts)

    def energy_glitch(
        self, *, to_mj: int | None = None, add_mj: int | None = None, count: int | None = 1
    ) -> ActiveFault:
        """Let energy readings succeed with a value that is wrong: set to *to_mj*, or more by *add_mj*."""
        if (to_mj is None) == (add_mj is None):
            raise ValueError("energy_glitch: give exactly one of to_mj and add_mj")
        if to_mj is not None:
            return self._add(FaultKind.ENERGY_SET, "*", count=count, value=to_mj)
        return self._add(FaultKind.ENERGY_ADD, "*", count=count, value=add_mj or 0)

    def clear_faults(self) -> None:
        """End every fault of this board (of slot -1: every fault there is)."""
        for fault in self.control.faults[: self.control.fault_count]:
            if self.slot in (-1, fault.slot):
                fault.kind = FaultKind.NONE

    def _add(
        self,
        kind: FaultKind,
        function: str,
        *,
        code: int = 0,
        count: int | None = None,
        hang_ns: int = 0,
        value: int = 0,
        path: str = "",
    ) -> ActiveFault:
        number = function_index(function)
        for index in range(FAULTS):
            fault = self.control.faults[index]
            if fault.kind == FaultKind.NONE or fault.remaining == 0:
                break
        else:
            raise ValueError(f"more than {FAULTS} faults at once")
        fault.slot, fault.function, fault.code = self.slot, number, code
        fault.remaining = -1 if count is None else count
        fault.hang_ns, fault.value, fault.path = hang_ns, value, path.encode()
        fault.kind = kind  # last: from here on readers see it, and see it whole
        self.control.fault_count = max(self.control.fault_count, index + 1)
        return ActiveFault(self.control, index)
