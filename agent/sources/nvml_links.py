"""The NVLinks of one device: how many it has and how many of them are up; what they carry is read as fields."""

import ctypes
from typing import Final

from wattledger.rules.quantity import Gap, Quantity

from .nvml import Handle, Nvml
from .nvml_codes import SUCCESS, check_device, gap_of
from .nvml_fields import Gaps, Values

_MOST_LINKS: Final = 36  # NVML_NVLINK_MAX_LINKS as of CUDA 13; a driver that knows fewer refuses the others
_DOWN, _UP = 0, 1  # nvmlEnableState_t


class LinkStates:
    """Tries every link until it is known which there are, then asks those alone.

    `values` and `gaps` stay as they are until the next read renews both.
    """

    __slots__ = ("_arguments", "_function", "_link", "_links", "_nvml", "_state", "gaps", "values")

    def __init__(self, nvml: Nvml, handle: Handle) -> None:
        self._nvml = nvml
        self._function = nvml.function("nvmlDeviceGetNvLinkState")
        self._link, self._state = ctypes.c_uint(), ctypes.c_uint()
        self._arguments = (handle, self._link, ctypes.byref(self._state))
        self._links: tuple[int, ...] | None = None
        self.values: Values = {}
        self.gaps: Gaps = {}

    def read(self, *, mig: bool) -> None:
        """Ask each link for its state. Raises DeviceLostError, DriverGoneError.

        In MIG mode nothing is asked: instances do not use NVLink, and links that are down then are no fault.
        """
        states = Gap.UNSUPPORTED if mig else self._read_states()
        self.values, self.gaps = {}, {}
        if isinstance(states, Gap):
            self.gaps = {Quantity.NVLINK_LINKS: states, Quantity.NVLINK_LINKS_ACTIVE: states}
        else:
            self.values = {Quantity.NVLINK_LINKS: len(states), Quantity.NVLINK_LINKS_ACTIVE: states.count(_UP)}

    def _read_states(self) -> list[int] | Gap:
        """Give the state of each link, or why it is not known: a sum with a part missing is no value."""
        known = self._links
        links: list[int] = []
        states: list[int] = []
        for link in range(_MOST_LINKS) if known is None else known:
            self._link.value = link
            code = self._nvml.call(self._function, *self._arguments)
            check_device(code)
            if code == SUCCESS:
                if self._state.value not in (_DOWN, _UP):
                    return Gap.FAILED
                links.append(link)
                states.append(self._state.value)
            elif known is not None or gap_of(code) is not Gap.UNSUPPORTED:
                return gap_of(code)
        self._links = tuple(links)
        return states or Gap.UNSUPPORTED
