"""The facts of a board that stay while the driver is loaded; it reads no value that changes."""

import ctypes
from dataclasses import dataclass
from typing import Final

from wattledger.rules.reading import DeviceIdentity

from .nvml import Handle, Nvml
from .nvml_codes import SUCCESS, check_device
from .nvml_probe import Chip

# NVML_DEVICE_ARCH_* of nvml.h; a newer number is shown as it is.
_ARCHITECTURES: Final = {
    2: "kepler",
    3: "maxwell",
    4: "pascal",
    5: "volta",
    6: "turing",
    7: "ampere",
    8: "ada",
    9: "hopper",
    10: "blackwell",
    13: "rubin",
}
_UNKNOWN: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Board:
    """A board as found: who it is, and which chip it carries."""

    identity: DeviceIdentity
    chip: Chip


def identify(nvml: Nvml, handle: Handle, index: int, *, uuid: str, driver_version: str) -> Board:
    """Read the facts of a board. What it does not offer is "". Raises DeviceLostError, DriverGoneError."""
    architecture = _numbers(nvml, "nvmlDeviceGetArchitecture", handle, 1)[0]
    major, minor = _numbers(nvml, "nvmlDeviceGetCudaComputeCapability", handle, 2)
    known = architecture not in (0, _UNKNOWN)
    return Board(
        identity=DeviceIdentity(
            uuid=uuid,
            index=index,
            name=nvml.text_or_empty("nvmlDeviceGetName", handle),
            pci_bus_id=nvml.pci_bus_id(handle),
            architecture=_ARCHITECTURES.get(architecture, str(architecture)) if known else "",
            serial=nvml.text_or_empty("nvmlDeviceGetSerial", handle),
            vbios_version=nvml.text_or_empty("nvmlDeviceGetVbiosVersion", handle),
            compute_capability=f"{major}.{minor}" if major else "",
        ),
        chip=Chip(architecture if known else 0, (major, minor), driver_version),
    )


def _numbers(nvml: Nvml, name: str, handle: Handle, count: int) -> list[int]:
    found = [ctypes.c_uint() for _ in range(count)]
    code = nvml.call(nvml.function(name), handle, *map(ctypes.byref, found))
    check_device(code)
    return [number.value for number in found] if code == SUCCESS else [0] * count
