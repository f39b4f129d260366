"""Which source `auto` means on this host: whether anything speaks for an NVIDIA GPU; it loads no library."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wattledger.rules.reading import SourceKind

LIBRARY = "libnvidia-ml.so.1"
# Where distributions, containers, WSL and NixOS put the driver's libraries.
LIBRARY_FOLDERS = (
    "usr/lib/x86_64-linux-gnu",
    "usr/lib/aarch64-linux-gnu",
    "usr/lib64",
    "usr/lib",
    "usr/local/nvidia/lib64",
    "usr/lib/wsl/lib",
    "run/opengl-driver/lib",
)
NVIDIA_PCI_VENDOR = "0x10de"
DISPLAY_PCI_CLASS = "0x03"  # VGA and 3D controllers; NVIDIA also makes network cards and bridges


@dataclass(frozen=True, slots=True)
class Detection:
    """The source to take and the sign that decided."""

    kind: SourceKind
    why: str


def detect(environment: Mapping[str, str], *, root: Path = Path("/")) -> Detection:
    """Give nvml where library, driver or board is there, even if the driver is not yet up; else sim."""
    folders = [Path(folder) for folder in environment.get("LD_LIBRARY_PATH", "").split(":") if folder]
    folders += [root / folder for folder in LIBRARY_FOLDERS]
    for folder in folders:
        if os.path.exists(folder / LIBRARY):  # noqa: PTH110  (Path.exists raises where a folder may not be searched)
            return Detection(SourceKind.NVML, f"{folder / LIBRARY} exists")
    for sign in (root / "proc/driver/nvidia/version", root / "dev/nvidiactl"):
        if os.path.exists(sign):  # noqa: PTH110
            return Detection(SourceKind.NVML, f"{sign} exists")
    for device in sorted((root / "sys/bus/pci/devices").glob("*")):
        if _is_nvidia_gpu(device):
            return Detection(SourceKind.NVML, f"PCI device {device.name} is an NVIDIA GPU")
    return Detection(SourceKind.SIM, "no NVIDIA library, driver or board on this host")


def _is_nvidia_gpu(device: Path) -> bool:
    try:
        vendor = (device / "vendor").read_text().strip()
        return vendor == NVIDIA_PCI_VENDOR and (device / "class").read_text().startswith(DISPLAY_PCI_CLASS)
    except OSError:
        return False  # the device was unplugged while we looked
