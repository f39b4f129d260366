"""The seam to NVML, the only importer of pynvml: loads, calls, counts and times; knows not what an answer means."""

import ctypes
import importlib
import os
import threading
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

from wattledger.rules.quantity import Gap

from .base import SourceError
from .nvml_codes import FUNCTION_NOT_FOUND, SUCCESS, NvmlError, check, explain, gap_of

Handle = Any  # an opaque pointer of the driver library; two handles of one device need not be equal
Function = Callable[..., int]

# What old copies of the binding lack. Without them no field batch can be read and no GPM sample taken.
_NEEDED = ("nvmlDeviceGetFieldValues", "c_nvmlFieldValue_t", "NVML_FI_DEV_ENERGY", "nvmlGpmMetricsGet")
_CURE = "pip uninstall -y pynvml && pip install --force-reinstall nvidia-ml-py"
_TEXT_BYTES = 96  # NVML_DEVICE_NAME_V2_BUFFER_SIZE and NVML_DEVICE_UUID_V2_BUFFER_SIZE, the longest asked for


def owner_of_module(name: str) -> str:
    """Give "distribution version" of the installed packages that own top-level module *name*, or "unknown"."""
    # Costs 3 MB and 20 ms, so it is loaded only when there is something to complain about.
    from importlib import metadata  # noqa: PLC0415

    owners = sorted(set(metadata.packages_distributions().get(name, ())))
    return ", ".join(f"{owner} {metadata.version(owner)}" for owner in owners) or "unknown"


def load_binding() -> ModuleType:
    """Import pynvml and make sure that it is NVIDIA's own. Raises SourceError that names the wrong package."""
    try:
        pynvml = importlib.import_module("pynvml")
    except ImportError as missing:
        raise SourceError(Gap.NO_DRIVER, f"Python module pynvml is missing ({missing}): {_CURE}") from missing
    lacking = [name for name in _NEEDED if not hasattr(pynvml, name)]
    # NVIDIA ships one file; the other distribution that claims the name is a package and shadows it.
    if lacking or hasattr(pynvml, "__path__"):
        place = getattr(pynvml, "__file__", None) or "no file"
        raise SourceError(
            Gap.FAILED,
            f"module pynvml at {place} comes from {owner_of_module('pynvml')}, not from NVIDIA's nvidia-ml-py"
            f"{': it lacks ' + ', '.join(lacking) if lacking else ''}; cure: {_CURE}",
        )
    return pynvml


class Nvml:
    """NVML in this process. One lock stands around every call: batches of two threads corrupt each other.

    `calls` and `busy_ns` grow with every call into the driver library; waiting for events is a call, but not busy.
    """

    def __init__(self, *, timer: Callable[[], int] = time.perf_counter_ns) -> None:
        self.lock = threading.RLock()
        self.calls = 0
        self.busy_ns = 0
        self.opened_by = 0  # process id; NVML does not survive a fork
        self._timer = timer
        self._pynvml: Any = None
        self._functions: dict[str, Function | None] = {}

    def open(self) -> None:
        """Load the library and initialise NVML. Raises SourceError with the cure."""
        pynvml = load_binding()
        # An MPS view of the devices, in which nearly nothing is supported (nvml.h, NVML_MPS_DEVICE_ENUMERATION).
        os.environ.pop("NVML_MPS_DEVICE_ENUMERATION", None)
        with self.lock:
            started = self._timer()
            try:
                pynvml.nvmlInit()
            except pynvml.NVMLError as failed:
                code = int(failed.value)
                raise SourceError(gap_of(code), explain(code), code=code) from failed
            except pynvml.NVMLLibraryMismatchError as failed:  # no subclass of NVMLError
                raise SourceError(Gap.NO_DRIVER, explain(FUNCTION_NOT_FOUND), code=FUNCTION_NOT_FOUND) from failed
            finally:
                self.calls += 1
                self.busy_ns += self._timer() - started
            self._pynvml = pynvml
            self.opened_by = os.getpid()

    def close(self) -> None:
        """Shut NVML down. Safe to call twice; in a forked child it does nothing."""
        with self.lock:
            pynvml, self._pynvml = self._pynvml, None
            self._functions.clear()
            if pynvml is None or self.opened_by != os.getpid():
                return
            self.calls += 1
            try:
                pynvml.nvmlShutdown()
            except pynvml.NVMLError:
                # The driver went away first: there is nothing left to let go of.
                return

    def binding(self) -> Any:
        """Give the pynvml module for its structures. Raises DriverGoneError when not open."""
        if self._pynvml is None:
            check(1)
        return self._pynvml

    def function(self, *names: str) -> Function | None:
        """Give the first of *names* that this driver library has, or None."""
        for name in names:
            if name not in self._functions:
                pynvml = self.binding()
                try:
                    self._functions[name] = pynvml._nvmlGetFunctionPointer(name)  # noqa: SLF001 - see call
                except pynvml.NVMLError:
                    self._functions[name] = None
            if found := self._functions[name]:
                return found
        return None

    def call(self, function: Function | None, *arguments: object) -> int:
        """Make one call and give its code. A missing function answers FUNCTION_NOT_FOUND.

        The bare function pointer is used because the wrappers allocate on each call, some ask the driver twice
        (process lists), and functions newer than the wrapper (nvmlDeviceGetGpuUptime_v1) have none.
        """
        if function is None:
            return FUNCTION_NOT_FOUND
        with self.lock:
            started = self._timer()
            code = function(*arguments)
            self.busy_ns += self._timer() - started
            self.calls += 1
        return code

    def wait(self, function: Function, *arguments: object) -> int:
        """Make one call that may sleep: without the lock, and without counting its time."""
        code = function(*arguments)
        with self.lock:
            self.calls += 1
        return code

    def text(self, name: str, *arguments: object) -> str:
        """Give a text answer. Raises NvmlError."""
        buffer = ctypes.create_string_buffer(_TEXT_BYTES)
        check(self.call(self.function(name), *arguments, buffer, ctypes.c_uint(_TEXT_BYTES)))
        return buffer.value.decode("utf-8", "replace")

    def text_or_empty(self, name: str, *arguments: object) -> str:
        """Give a text answer, or "" when the device does not offer it. Raises DeviceLostError, DriverGoneError."""
        try:
            return self.text(name, *arguments)
        except NvmlError as failed:
            if type(failed) is NvmlError:
                return ""
            raise

    def count(self) -> int:
        """Give the number of devices. Raises NvmlError."""
        number = ctypes.c_uint()
        check(self.call(self.function("nvmlDeviceGetCount_v2"), ctypes.byref(number)))
        return number.value

    def cuda_version(self) -> int:
        """Give the newest CUDA version of the driver, 1000 * major + 10 * minor; 0 when it does not say."""
        number = ctypes.c_int()
        function = self.function("nvmlSystemGetCudaDriverVersion_v2", "nvmlSystemGetCudaDriverVersion")
        return number.value if self.call(function, ctypes.byref(number)) == SUCCESS else 0

    def handle_by_index(self, index: int) -> Handle:
        """Give the handle of the device at *index*. Raises NvmlError; one sick device fails alone."""
        handle = self.binding().c_nvmlDevice_t()
        function = self.function("nvmlDeviceGetHandleByIndex_v2")
        check(self.call(function, ctypes.c_uint(index), ctypes.byref(handle)))
        return handle

    def handle_by_uuid(self, uuid: str) -> Handle:
        """Give the handle of the device called *uuid*. Raises NvmlError."""
        handle = self.binding().c_nvmlDevice_t()
        check(self.call(self.function("nvmlDeviceGetHandleByUUID"), uuid.encode(), ctypes.byref(handle)))
        return handle

    def uuid(self, handle: Handle) -> str:
        """Give the UUID. Raises NvmlError."""
        return self.text("nvmlDeviceGetUUID", handle)

    def pci_bus_id(self, handle: Handle) -> str:
        """Give the PCI address as NVML writes it, or "" when not offered."""
        info = self.binding().nvmlPciInfo_t()
        code = self.call(self.function("nvmlDeviceGetPciInfo_v3"), handle, ctypes.byref(info))
        return str(info.busId) if code == SUCCESS else ""


def address(handle: Handle) -> int:
    """Give the number behind a handle, to find the device that an event names."""
    return ctypes.cast(handle, ctypes.c_void_p).value or 0
