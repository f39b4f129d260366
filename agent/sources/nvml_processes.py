"""The processes that hold a context on a device, as the driver's three lists name them; it knows no owner."""

import ctypes
import struct
from typing import Final

from wattledger.rules.quantity import Gap
from wattledger.rules.reading import GpuProcess, ProcessKind

from .nvml import Handle, Nvml
from .nvml_codes import INSUFFICIENT_SIZE, SETTLED, SUCCESS, check_device, gap_of
from .nvml_quantities import UINT_MAX, ULLONG_MAX

# nvmlProcessInfo_t of the _v2 and _v3 functions: pid, usedGpuMemory, gpuInstanceId, computeInstanceId.
_LAYOUT: Final = struct.Struct("<IxxxxQII")
_ROOM: Final = 64  # processes; a longer list doubles it
_MOST: Final = 1 << 16

_FUNCTIONS: Final = {
    ProcessKind.COMPUTE: "nvmlDeviceGetComputeRunningProcesses",
    ProcessKind.GRAPHICS: "nvmlDeviceGetGraphicsRunningProcesses",
    ProcessKind.MPS: "nvmlDeviceGetMPSComputeRunningProcesses",
}


class ProcessLists:
    """The lists of one device or MIG instance. A list takes milliseconds, so each is asked for once, not twice."""

    def __init__(self, nvml: Nvml, handle: Handle) -> None:
        self._nvml, self._handle = nvml, handle
        self._functions = {kind: nvml.function(f"{name}_v3", f"{name}_v2") for kind, name in _FUNCTIONS.items()}
        self._room = _ROOM
        self._buffer = ctypes.create_string_buffer(self._room * _LAYOUT.size)
        self._refused: set[ProcessKind] = set()  # lists that this device will not give

    def read(self) -> tuple[GpuProcess, ...] | Gap:
        """Give all processes, each once, or why there is no list. Raises DeviceLostError, DriverGoneError."""
        found: dict[tuple[int, int | None, int | None], GpuProcess] = {}
        for kind in ProcessKind:
            # A client of MPS stands in the list of compute processes as well: without those there is none.
            if kind in self._refused or (kind is ProcessKind.MPS and not found):
                continue
            code, listed = self._list(kind)
            if code != SUCCESS:
                check_device(code)
                if kind is ProcessKind.COMPUTE or code not in SETTLED:
                    return gap_of(code)
                self._refused.add(kind)
                continue
            for process in listed:
                key = process.pid, process.gpu_instance, process.compute_instance
                if kind is not ProcessKind.GRAPHICS or key not in found:
                    found[key] = process
        return tuple(found.values())

    def _list(self, kind: ProcessKind) -> tuple[int, list[GpuProcess]]:
        while True:
            number = ctypes.c_uint(self._room)
            code = self._nvml.call(self._functions[kind], self._handle, ctypes.byref(number), self._buffer)
            if code != INSUFFICIENT_SIZE or self._room >= _MOST:
                break
            self._room = min(max(2 * self._room, 2 * number.value), _MOST)
            self._buffer = ctypes.create_string_buffer(self._room * _LAYOUT.size)
        if code != SUCCESS:
            return code, []
        rows = _LAYOUT.iter_unpack(memoryview(self._buffer)[: number.value * _LAYOUT.size])
        return code, [_process(kind, *row) for row in rows]


def _process(kind: ProcessKind, pid: int, memory: int, gpu_instance: int, compute_instance: int) -> GpuProcess:
    return GpuProcess(
        pid=pid,
        kind=kind,
        memory_bytes=None if memory == ULLONG_MAX else memory,
        gpu_instance=None if gpu_instance == UINT_MAX else gpu_instance,
        compute_instance=None if compute_instance == UINT_MAX else compute_instance,
    )
