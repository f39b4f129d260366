"""A load on a real board through the CUDA driver library alone; it needs no toolkit and no framework."""

import ctypes
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Every thread multiplies and adds until the time is over; the store never happens, but keeps the arithmetic alive.
_FMA = "\n".join(f"    fma.rn.f32 %f{n}, %f{n}, %f9, %f10;" for n in range(1, 9))
PTX = f"""
.version 6.0
.target sm_50
.address_size 64
.visible .entry burn(.param .u64 duration_ns, .param .u64 sink)
{{
    .reg .pred %p<3>;
    .reg .b64 %rd<6>;
    .reg .f32 %f<11>;
    ld.param.u64 %rd1, [duration_ns];
    ld.param.u64 %rd5, [sink];
    mov.u64 %rd2, %globaltimer;
    mov.f32 %f9, 0f3F7FFFFE;
    mov.f32 %f10, 0f33800000;
{chr(10).join(f"    mov.f32 %f{n}, 0f3F80000{n};" for n in range(1, 9))}
AGAIN:
{chr(10).join([_FMA] * 32)}
    mov.u64 %rd3, %globaltimer;
    sub.u64 %rd4, %rd3, %rd2;
    setp.lt.u64 %p1, %rd4, %rd1;
    @%p1 bra AGAIN;
{chr(10).join(f"    add.f32 %f1, %f1, %f{n};" for n in range(2, 9))}
    setp.eq.f32 %p2, %f1, 0f00000000;
    @%p2 st.global.f32 [%rd5], %f1;
    ret;
}}
"""


class NoLoadError(Exception):
    """There is no way to load the board here; the message says why."""


class Burner:
    """A context on the board with this PCI address. A context manager: the context goes with it."""

    def __init__(self, pci_bus_id: str) -> None:
        try:
            self._cuda = ctypes.CDLL("libcuda.so.1")
        except OSError as missing:
            raise NoLoadError(f"the CUDA driver library is missing: {missing}") from missing
        self._context = ctypes.c_void_p()
        self._module = ctypes.c_void_p()
        self._kernel = ctypes.c_void_p()
        self._sink = ctypes.c_uint64()
        device, blocks = ctypes.c_int(), ctypes.c_int()
        self._do("cuInit", 0)
        self._do("cuDeviceGetByPCIBusId", ctypes.byref(device), pci_bus_id.encode())
        self._do("cuDeviceGetAttribute", ctypes.byref(blocks), 16, device)  # CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT
        self._do("cuDevicePrimaryCtxRetain", ctypes.byref(self._context), device)
        self._device = device
        self._blocks = 2 * blocks.value
        self._do("cuCtxSetCurrent", self._context)
        self._do("cuModuleLoadData", ctypes.byref(self._module), PTX.encode())
        self._do("cuModuleGetFunction", ctypes.byref(self._kernel), self._module, b"burn")
        self._do("cuMemAlloc_v2", ctypes.byref(self._sink), ctypes.c_size_t(256))

    def _do(self, name: str, *arguments: Any) -> None:
        code = getattr(self._cuda, name)(*arguments)
        if code != 0:
            raise NoLoadError(f"{name} failed with CUDA error {code}")

    def burn(self, seconds: float) -> None:
        """Keep the board at work for *seconds*; returns when it is done."""
        duration = ctypes.c_uint64(round(seconds * 1e9))
        parameters = (ctypes.c_void_p * 2)(
            ctypes.cast(ctypes.byref(duration), ctypes.c_void_p),
            ctypes.cast(ctypes.byref(self._sink), ctypes.c_void_p),
        )
        shape = [ctypes.c_uint(number) for number in (self._blocks, 1, 1, 1024, 1, 1, 0)]
        self._do("cuCtxSetCurrent", self._context)
        self._do("cuLaunchKernel", self._kernel, *shape, None, parameters, None)
        self._do("cuCtxSynchronize")

    @contextmanager
    def square_wave(self, period_s: float, duty: float) -> Iterator[None]:
        """Work *duty* of each period, on a thread, until the end of the block."""
        stop = threading.Event()

        def work() -> None:
            next_s = time.monotonic()
            while not stop.is_set():
                self.burn(period_s * duty)
                next_s += period_s
                stop.wait(max(0.0, next_s - time.monotonic()))

        worker = threading.Thread(target=work)
        worker.start()
        try:
            yield
        finally:
            stop.set()
            worker.join()

    def close(self) -> None:
        """Let the context go."""
        self._do("cuMemFree_v2", self._sink)
        self._do("cuModuleUnload", self._module)
        self._do("cuDevicePrimaryCtxRelease_v2", self._device)
