"""The MIG instances of a device: which there are, their memory and activity; they have no power of their own."""

import ctypes
from typing import Final

from wattledger.rules.instant import Instant
from wattledger.rules.quantity import Gap, Quantity
from wattledger.rules.reading import Gaps, GpuProcess, MigInstance, Values

from .nvml import Handle, Nvml
from .nvml_codes import SUCCESS, NvmlError, check, check_device, gap_of
from .nvml_gpm import ACTIVITIES, ActivityWindow, Gpm, open_window
from .nvml_processes import ProcessLists
from .nvml_quantities import MEMORY_CALLS, Output
from .nvml_query import Query

_MIG_IN_NAME: Final = " MIG "
_MEMORY: Final = (
    Quantity.MEMORY_TOTAL_BYTES,
    Quantity.MEMORY_RESERVED_BYTES,
    Quantity.MEMORY_FREE_BYTES,
    Quantity.MEMORY_USED_BYTES,
)


class _Instance:
    """One compute instance, while its UUID exists."""

    def __init__(self, nvml: Nvml, handle: Handle, uuid: str) -> None:
        self.uuid = uuid
        self.gpu_instance = _number(nvml, "nvmlDeviceGetGpuInstanceId", handle)
        self.compute_instance = _number(nvml, "nvmlDeviceGetComputeInstanceId", handle)
        self.profile = _profile(nvml, handle)
        self.processes = ProcessLists(nvml, handle)
        self._memory = [(Query(nvml, handle, call.signature), call.outputs) for call in MEMORY_CALLS]
        self.values: Values = {}
        self.gaps: Gaps = {}

    def read_memory(self) -> None:
        """Renew the memory values; the second form of the call serves drivers without the first."""
        self.values, self.gaps = {}, {}
        for query, outputs in self._memory:
            code = query.ask()
            if code == SUCCESS:
                self._take(query.answer(), outputs)
            elif not self.gaps:
                self.gaps = dict.fromkeys(_MEMORY, gap_of(code))
            if self.values:
                self.gaps = {quantity: Gap.UNSUPPORTED for quantity in _MEMORY if quantity not in self.values}
                return

    def _take(self, numbers: tuple[int, ...], outputs: tuple[Output | None, ...]) -> None:
        for number, output in zip(numbers, outputs, strict=True):
            if output is not None and output.low <= number <= output.high:
                self.values[Quantity(output.key)] = number


class MigInstances:
    """All instances of one device in MIG mode. A new layout brings new UUIDs."""

    def __init__(self, nvml: Nvml, device: Handle, gpm: Gpm | None, no_gpm: Gap | None) -> None:
        self._nvml, self._device = nvml, device
        self._gpm = gpm
        self._no_gpm = no_gpm
        self._most = _most_instances(nvml, device)
        self._instances: dict[str, _Instance] = {}
        self._windows: dict[
            int, ActivityWindow
        ] = {}  # by GPU instance: its compute instances share the SMs' counters

    def list_again(self) -> None:
        """See which instances there are and read their memory. Raises DeviceLostError, DriverGoneError."""
        found: dict[str, _Instance] = {}
        for index in range(self._most):
            handle = self._nvml.binding().c_nvmlDevice_t()
            function = self._nvml.function("nvmlDeviceGetMigDeviceHandleByIndex")
            code = self._nvml.call(function, self._device, ctypes.c_uint(index), ctypes.byref(handle))
            if code != SUCCESS:
                continue  # indices may have holes
            try:
                uuid = self._nvml.uuid(handle)
                found[uuid] = self._instances.get(uuid) or _Instance(self._nvml, handle, uuid)
            except NvmlError as gone:
                if type(gone) is not NvmlError:
                    raise
                continue  # destroyed between the two calls
        self._instances = found
        for instance in found.values():
            instance.read_memory()
        self._renew_windows({instance.gpu_instance for instance in found.values()})

    def _renew_windows(self, wanted: set[int]) -> None:
        for number in set(self._windows) - wanted:
            self._windows.pop(number).close()
        if self._gpm is not None and self._no_gpm is None:
            for number in wanted - set(self._windows):
                window = open_window(self._gpm, self._device, number)
                if not isinstance(window, Gap):
                    self._windows[number] = window

    def read_activity(self, at: Instant, busy: set[int] | None) -> None:
        """Let each GPU instance's window go on; one that no process uses rests. None: all may be in use."""
        for number, window in self._windows.items():
            if busy is None or number in busy:
                window.read(at)
            else:
                window.rest()

    def processes(self) -> tuple[GpuProcess, ...] | Gap:
        """Give the processes of all instances, for users who may not ask the device as a whole."""
        found: list[GpuProcess] = []
        for instance in self._instances.values():
            listed = instance.processes.read()
            if isinstance(listed, Gap):
                return listed
            found += listed
        return tuple(found)

    def snapshot(self) -> tuple[MigInstance, ...]:
        """Give the instances as they were last read."""
        return tuple(self._one(instance) for instance in self._instances.values())

    def _one(self, instance: _Instance) -> MigInstance:
        window = self._windows.get(instance.gpu_instance)
        values, gaps = dict(instance.values), dict(instance.gaps)
        if window is None:
            gaps.update(dict.fromkeys(ACTIVITIES, self._no_gpm or Gap.UNSUPPORTED))
        else:
            values |= window.values
            gaps |= window.gaps
        return MigInstance(
            uuid=instance.uuid,
            gpu_instance=instance.gpu_instance,
            compute_instance=instance.compute_instance,
            profile=instance.profile,
            values=values,
            gaps=gaps,
        )

    def close(self) -> None:
        """Give the GPM samples back."""
        for window in self._windows.values():
            window.close()
        self._windows.clear()


def _number(nvml: Nvml, name: str, handle: Handle) -> int:
    number = ctypes.c_uint()
    check(nvml.call(nvml.function(name), handle, ctypes.byref(number)))
    return number.value


def _most_instances(nvml: Nvml, device: Handle) -> int:
    number = ctypes.c_uint()
    code = nvml.call(nvml.function("nvmlDeviceGetMaxMigDeviceCount"), device, ctypes.byref(number))
    check_device(code)
    return number.value if code == SUCCESS else 0


def _profile(nvml: Nvml, handle: Handle) -> str:
    """Give the profile, "1g.10gb", which ends the name of a MIG device ("NVIDIA A100-SXM4-40GB MIG 1g.5gb")."""
    _, found, profile = nvml.text_or_empty("nvmlDeviceGetName", handle).partition(_MIG_IN_NAME)
    return profile if found else ""
