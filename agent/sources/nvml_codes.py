"""What NVML's return codes mean to us; it makes no call and knows no library.

Numbers are those of enum nvmlReturn_t in nvml.h.
"""

from typing import Final

from wattledger.rules.quantity import Gap

SUCCESS: Final = 0
UNINITIALIZED: Final = 1
INVALID_ARGUMENT: Final = 2
NOT_SUPPORTED: Final = 3
NO_PERMISSION: Final = 4
NOT_FOUND: Final = 6
INSUFFICIENT_SIZE: Final = 7
DRIVER_NOT_LOADED: Final = 9
TIMEOUT: Final = 10
IRQ_ISSUE: Final = 11
LIBRARY_NOT_FOUND: Final = 12
FUNCTION_NOT_FOUND: Final = 13
GPU_IS_LOST: Final = 15
RESET_REQUIRED: Final = 16
OPERATING_SYSTEM: Final = 17
LIB_RM_VERSION_MISMATCH: Final = 18
ARGUMENT_VERSION_MISMATCH: Final = 25
DEPRECATED: Final = 26
GPU_NOT_FOUND: Final = 28
UNKNOWN: Final = 999

# The device does not answer; its neighbours are not concerned.
LOST: Final = frozenset({GPU_IS_LOST, RESET_REQUIRED, GPU_NOT_FOUND})

# No device can be read until the process, or the driver, starts again.
DRIVER_GONE: Final = frozenset({UNINITIALIZED, DRIVER_NOT_LOADED, LIB_RM_VERSION_MISMATCH})

# Asking again within the hour is pointless: the answer depends on device, driver, mode and user alone.
SETTLED: Final = frozenset(
    {
        INVALID_ARGUMENT,  # a field id newer than the driver
        NOT_SUPPORTED,
        NO_PERMISSION,
        FUNCTION_NOT_FOUND,
        ARGUMENT_VERSION_MISMATCH,
        DEPRECATED,
    }
)

_GAPS: Final = {
    INVALID_ARGUMENT: Gap.UNSUPPORTED,
    NOT_SUPPORTED: Gap.UNSUPPORTED,
    FUNCTION_NOT_FOUND: Gap.UNSUPPORTED,
    ARGUMENT_VERSION_MISMATCH: Gap.UNSUPPORTED,
    DEPRECATED: Gap.UNSUPPORTED,
    NO_PERMISSION: Gap.NO_PERMISSION,
    GPU_IS_LOST: Gap.LOST,
    RESET_REQUIRED: Gap.LOST,
    GPU_NOT_FOUND: Gap.LOST,
    TIMEOUT: Gap.TIMEOUT,
    DRIVER_NOT_LOADED: Gap.NO_DRIVER,
    LIBRARY_NOT_FOUND: Gap.NO_DRIVER,
    LIB_RM_VERSION_MISMATCH: Gap.NO_DRIVER,
}

_CURES: Final = {
    UNINITIALIZED: ("NVML was shut down under the agent", "restart the agent"),
    NO_PERMISSION: (
        "NVML may not open the GPU devices",
        "let the agent's user read and write /dev/nvidiactl and /dev/nvidia[0-9]*",
    ),
    DRIVER_NOT_LOADED: (
        "the NVIDIA kernel driver is not loaded",
        "load it (modprobe nvidia) or reboot; in a container pass the GPUs in (--gpus all)",
    ),
    IRQ_ISSUE: ("the kernel reports an interrupt problem with a GPU", "see the kernel log, then reboot"),
    LIBRARY_NOT_FOUND: (
        "libnvidia-ml.so.1 was not found",
        "install the NVIDIA driver; in a container set NVIDIA_DRIVER_CAPABILITIES=utility",
    ),
    FUNCTION_NOT_FOUND: ("the driver library is too old", "update the NVIDIA driver"),
    OPERATING_SYSTEM: ("the operating system blocked NVML", "see the kernel log and the cgroup device rules"),
    LIB_RM_VERSION_MISMATCH: (
        "driver library and kernel module have different versions, as after an upgrade",
        "reboot, or unload and load the nvidia modules",
    ),
    UNKNOWN: (
        "NVML failed with an unknown error",
        "in a container restart the container (a cgroup reload took the GPUs away); on a host see the kernel log",
    ),
}


class NvmlError(Exception):
    """An NVML call answered `code`, which is not 0."""

    def __init__(self, code: int) -> None:
        super().__init__(f"NVML code {code}")
        self.code = code


class DeviceLostError(NvmlError):
    """The device itself does not answer any more."""


class DriverGoneError(NvmlError):
    """No device can be read any more."""


def gap_of(code: int) -> Gap:
    """Give the exported reason for a return code other than SUCCESS."""
    return _GAPS.get(code, Gap.FAILED)


def explain(code: int) -> str:
    """Give one line for people: what happened and what cures it."""
    what, cure = _CURES.get(code, ("NVML failed", "see the kernel log; restarting the agent may help"))
    return f"{what} (NVML code {code}): {cure}"


def check(code: int) -> None:
    """Raise for anything but SUCCESS: DriverGoneError, DeviceLostError, or NvmlError."""
    if code == SUCCESS:
        return
    if code in DRIVER_GONE:
        raise DriverGoneError(code)
    if code in LOST:
        raise DeviceLostError(code)
    raise NvmlError(code)


def check_device(code: int) -> None:
    """Raise DeviceLostError or DriverGoneError for such a code; other codes concern single values."""
    if code in LOST or code in DRIVER_GONE:
        check(code)
