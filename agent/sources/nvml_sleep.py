"""Whether reading a device would wake it, or keep it awake; it reads sysfs only and makes no NVML call.

Devices under runtime power management (RTD3, laptops and workstations) fall asleep when nobody asks them anything.
Each NVML read wakes them again, and reading every second keeps them awake for ever at 5 to 25 W.
"""

from pathlib import Path
from typing import Final

from wattledger.rules.instant import NS_PER_SECOND, Instant

_REST_NS: Final = 20 * NS_PER_SECOND  # devices fall asleep within 10 s
_AGAIN_NS: Final = 300 * NS_PER_SECOND  # something else keeps it awake: try seldom
_LOOK_NS: Final = 60 * NS_PER_SECOND  # how often the policy may change


def sysfs_name(pci_bus_id: str) -> str:
    """Give the kernel's spelling of a PCI address: NVML writes eight digits of domain and capitals."""
    domain, _, rest = pci_bus_id.lower().partition(":")
    return f"{int(domain or '0', 16):04x}:{rest}"


class RuntimePower:
    """The runtime power management of one PCI device below *sys_root*."""

    def __init__(self, sys_root: Path, pci_bus_id: str) -> None:
        folder = sys_root / "bus/pci/devices" / sysfs_name(pci_bus_id) / "power" if pci_bus_id else None
        self._control = folder / "control" if folder else None
        self._status = folder / "runtime_status" if folder else None
        self._managed = False
        self._look_again_ns = 0
        self._resting_until_ns: int | None = None
        self._rest_again_ns = 0

    def sleeping(self, at: Instant) -> bool:
        """Say whether to leave the device alone now: it sleeps, or rests so that it may fall asleep."""
        if at.mono_ns >= self._look_again_ns:
            self._look_again_ns = at.mono_ns + _LOOK_NS
            self._managed = _text(self._control) == "auto"
        if not self._managed:
            return False
        if _text(self._status) == "suspended":
            self._resting_until_ns = None
            self._rest_again_ns = at.mono_ns + _REST_NS  # let the wake-up be seen before resting again
            return True
        if self._resting_until_ns is None:
            return False
        if at.mono_ns < self._resting_until_ns:
            return True
        self._resting_until_ns = None
        self._rest_again_ns = at.mono_ns + _AGAIN_NS
        return False

    def note_idle(self, at: Instant) -> None:
        """Note that the device was read and had nothing to do: leave it alone for a while."""
        if self._managed and self._resting_until_ns is None and at.mono_ns >= self._rest_again_ns:
            self._resting_until_ns = at.mono_ns + _REST_NS


def _text(path: Path | None) -> str:
    """Give the word in a sysfs file, or "" where there is none: then nothing manages the device."""
    if path is None:
        return ""
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
