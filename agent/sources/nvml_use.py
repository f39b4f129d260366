"""What each process used of the SMs lately, where several share a device; a process alone needs no telling apart."""

import ctypes
import struct
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.reading import GpuProcess, ProcessKind

from .nvml import Handle, Nvml
from .nvml_codes import INSUFFICIENT_SIZE, NOT_FOUND, SETTLED, SUCCESS, check_device

# nvmlProcessUtilizationSample_t: pid, timeStamp (us), smUtil, memUtil, encUtil, decUtil (percent).
_LAYOUT: Final = struct.Struct("<IxxxxQIIII")
_ROOM: Final = 128  # rows; more processes double it
_MOST: Final = 1 << 14
# The driver samples every 1/6 s to 1 s (nvml.h) and keeps silent in between: what it said last holds that long.
_HOLDS_NS: Final = 3 * NS_PER_SECOND // 2


class ProcessUse:
    """Per-process SM use of one device. Not offered in MIG mode, nor by every driver; then it stays unknown."""

    def __init__(self, nvml: Nvml, handle: Handle) -> None:
        self._nvml, self._handle = nvml, handle
        self._function = nvml.function("nvmlDeviceGetProcessUtilization")
        self._room = _ROOM
        self._buffer = ctypes.create_string_buffer(self._room * _LAYOUT.size)
        self._last_seen_us = 0
        self._ratios: dict[int, float] | None = None
        self._told_ns = 0
        self._refused = False

    def put_into(self, processes: tuple[GpuProcess, ...], at: Instant) -> tuple[GpuProcess, ...]:
        """Give *processes* with their use where they share the device. Raises DeviceLostError, DriverGoneError."""
        if self._refused or not _is_shared(processes):
            self._last_seen_us, self._ratios = 0, None
            return processes
        self._read(at)
        ratios = self._ratios
        if ratios is None:
            return processes
        # The driver lists only those that used something.
        return tuple(replace(process, sm_ratio=ratios.get(process.pid, 0.0)) for process in processes)

    def _read(self, at: Instant) -> None:
        code, rows = self._ask()
        if code == NOT_FOUND:
            if self._last_seen_us == 0 or at.mono_ns - self._told_ns > _HOLDS_NS:
                self._ratios = {}
            return
        if code != SUCCESS:
            check_device(code)
            self._refused = code in SETTLED
            self._ratios = None
            return
        # Drivers add rows that cannot be.
        fresh = [row for row in rows if row[0] and row[1] > self._last_seen_us and row[2] <= 100]
        if not fresh:
            return
        # A first answer is a mean over an unknown time, unless nobody had used anything up to now.
        if self._last_seen_us or self._ratios is not None:
            self._ratios = _means(fresh)
        self._last_seen_us = max(row[1] for row in fresh)
        self._told_ns = at.mono_ns

    def _ask(self) -> tuple[int, list[tuple[int, ...]]]:
        while True:
            number = ctypes.c_uint(self._room)
            code = self._nvml.call(
                self._function,
                self._handle,
                self._buffer,
                ctypes.byref(number),
                ctypes.c_ulonglong(self._last_seen_us),
            )
            if code != INSUFFICIENT_SIZE or self._room >= _MOST:
                break
            self._room = min(max(2 * self._room, number.value), _MOST)
            self._buffer = ctypes.create_string_buffer(self._room * _LAYOUT.size)
        if code != SUCCESS:
            return code, []
        return code, list(_LAYOUT.iter_unpack(memoryview(self._buffer)[: number.value * _LAYOUT.size]))


def _is_shared(processes: Sequence[GpuProcess]) -> bool:
    holders = 0
    for process in processes:
        if process.gpu_instance is not None:
            return False
        holders += process.kind is not ProcessKind.GRAPHICS
    return holders > 1


def _means(rows: Sequence[tuple[int, ...]]) -> dict[int, float]:
    sums: dict[int, tuple[int, int]] = {}
    for row in rows:
        total, times = sums.get(row[0], (0, 0))
        sums[row[0]] = (total + row[2], times + 1)
    return {pid: total / times / 100 for pid, (total, times) in sums.items()}
