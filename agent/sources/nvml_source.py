"""The GPUs of this host through NVML: which there are, and one sample of them a tick; not what is read of each."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from wattledger.agent.clock import Clock
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.quantity import Gap
from wattledger.rules.reading import HostFacts, Sample, SourceKind

from .base import SourceError
from .nvml import Handle, Nvml
from .nvml_codes import LOST, UNKNOWN, DeviceLostError, DriverGoneError, NvmlError, explain, gap_of
from .nvml_device import Device
from .nvml_events import XidWatcher
from .nvml_gpm import Gpm
from .nvml_groups import Due
from .nvml_identity import identify
from .proc_line import boot_id, first_line

_log = logging.getLogger(__name__)

_LOOK_NS: Final = 10 * NS_PER_SECOND
_SILENT_TICKS: Final = 3  # of all devices at once: then it is the driver, not a device
_MODULE_VERSION: Final = "driver/nvidia/version"


class NvmlSource:
    """The real source. *exclude* names devices by index or UUID that are never touched after they were found.

    A gap in `values` of one device does not concern the others; what concerns all raises SourceError.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        exclude: Sequence[int | str] = (),
        sys_root: Path = Path("/sys"),
        proc_root: Path = Path("/proc"),
    ) -> None:
        self._clock = clock
        self._exclude = frozenset(str(name).lower() for name in exclude)
        self._sys_root, self._proc_root = sys_root, proc_root
        self._nvml = Nvml()
        self._gpm: Gpm | None = None
        self._watcher: XidWatcher | None = None
        self._devices: dict[str, Device] = {}
        self._host = HostFacts()
        self._look_due = Due(_LOOK_NS)
        self._watched: set[str] = set()
        self._known_count = 0
        self._sick_indices: frozenset[int] = frozenset()
        self._lost: set[str] = set()

    @property
    def kind(self) -> SourceKind:
        """Give the name under which its numbers are shown."""
        return SourceKind.NVML

    def open(self) -> None:
        """Initialise NVML and find the devices. Raises SourceError with the cure."""
        try:
            self._nvml.open()
            self._host = self._facts()
            self._watcher = XidWatcher(self._nvml, self._clock.now)
            self._look(self._clock.now())
            self._watch()
        except NvmlError as failed:
            raise self._failure(failed.code) from failed
        except SourceError as failed:
            raise SourceError(failed.gap, failed.detail + self._versions(), code=failed.code) from failed

    def read(self, at: Instant) -> Sample:
        """Give the sample of this tick. Raises SourceError when nothing at all can be read."""
        if self._nvml.opened_by != os.getpid():
            raise SourceError(
                Gap.FAILED, "NVML was opened by another process and does not survive a fork: open again"
            )
        started_ns = self._clock.now().mono_ns
        try:
            if self._look_due.now(at):
                self._look(at)
            readings = tuple(device.read(at) for device in self._devices.values())
        except NvmlError as failed:
            self._look_due.hasten()
            raise self._failure(failed.code) from failed
        self._judge()
        self._watch()
        return Sample(
            at=at,
            source=SourceKind.NVML,
            host=self._host,
            devices=readings,
            events=self._watcher.drain() if self._watcher is not None else (),
            duration_ns=self._clock.now().mono_ns - started_ns,
            driver_calls=self._nvml.calls,
            driver_busy_ns=self._nvml.busy_ns,
        )

    def close(self) -> None:
        """Let go of the driver. Safe to call twice and after a failed open."""
        watcher, self._watcher = self._watcher, None
        ended = watcher is None or watcher.stop()
        devices, self._devices = self._devices, {}
        self._watched = set()
        self._gpm = None
        self._look_due = Due(_LOOK_NS)
        if not ended:
            _log.warning("xid watcher hangs in the driver: NVML is left open")
            return
        for device in devices.values():
            device.close()
        self._nvml.close()

    def _look(self, at: Instant) -> None:
        """See which devices there are, and at which index. Raises NvmlError."""
        self._look_due.now(at)
        count = self._nvml.count()
        if count == self._known_count and any(device.asleep for device in self._devices.values()):
            return  # asking for a UUID would wake it
        self._known_count = count
        sick: dict[int, int] = {}
        found: dict[str, tuple[int, Handle]] = {}
        for index in range(count):
            if str(index) in self._exclude:
                continue
            try:
                handle = self._nvml.handle_by_index(index)
                uuid = self._nvml.uuid(handle)
            except DriverGoneError:
                raise
            except NvmlError as failed:
                sick[index] = failed.code
                continue
            if uuid.lower() not in self._exclude:
                found[uuid] = index, handle
        if sick and not found and LOST.isdisjoint(sick.values()):
            raise NvmlError(next(iter(sick.values())))  # no device opens, and none says that it is lost
        self._keep(at, found, sick)
        for uuid, (index, handle) in found.items():
            if uuid in self._devices:
                self._devices[uuid].found_at(index)
            elif code := self._add(uuid, index, handle):
                sick[index] = code
        self._report(sick)
        ordered = sorted(self._devices.values(), key=lambda device: device.identity.index)
        self._devices = {device.identity.uuid: device for device in ordered}

    def _keep(self, at: Instant, found: dict[str, tuple[int, Handle]], sick: dict[int, int]) -> None:
        """Drop devices that are gone; one that is missing while an index does not answer is lost, not gone."""
        for uuid in set(self._devices) - set(found):
            if sick:
                self._devices[uuid].lose(at, next(iter(sick.values())))
                continue
            _log.info("device gone uuid=%s index=%d", uuid, self._devices[uuid].identity.index)
            self._devices.pop(uuid).close()

    def _add(self, uuid: str, index: int, handle: Handle) -> int:
        """Take a device in; give the code that kept it from answering, or 0."""
        if self._gpm is None:
            self._gpm = Gpm(self._nvml)
        try:
            board = identify(self._nvml, handle, index, uuid=uuid, driver_version=self._host.driver_version)
        except DeviceLostError as lost:
            return lost.code
        self._devices[uuid] = Device(
            self._nvml,
            handle,
            board,
            gpm=self._gpm,
            now=self._clock.now,
            sys_root=self._sys_root,
            shift_ns=len(self._devices) * NS_PER_SECOND,
        )
        _log.info("device found uuid=%s index=%d name=%r", uuid, index, board.identity.name)
        return 0

    def _report(self, sick: dict[int, int]) -> None:
        if self._sick_indices != frozenset(sick):
            self._sick_indices = frozenset(sick)
            for index, code in sick.items():
                _log.warning("device does not open index=%d reason=%r", index, explain(code))

    def _judge(self) -> None:
        """Take the silence of all devices for a failure of the driver; look at once for what was just lost."""
        silent = [device.silent_ticks for device in self._devices.values()]
        lost = {uuid for uuid, device in self._devices.items() if device.lost}
        if 1 in silent or lost - self._lost:
            self._look_due.hasten()
        self._lost = lost
        if silent and min(silent) >= _SILENT_TICKS:
            raise self._failure(UNKNOWN)

    def _watch(self) -> None:
        """Give the watcher the devices of now, when they are not those it has."""
        present = {uuid: device.handle for uuid, device in self._devices.items() if not device.lost}
        if present.keys() != self._watched and self._watcher is not None:
            self._watched = set(present)
            self._watcher.watch(present)

    def _facts(self) -> HostFacts:
        cuda = self._nvml.cuda_version()
        return HostFacts(
            driver_version=self._nvml.text_or_empty("nvmlSystemGetDriverVersion"),
            nvml_version=self._nvml.text_or_empty("nvmlSystemGetNVMLVersion"),
            cuda_version=f"{cuda // 1000}.{cuda % 1000 // 10}" if cuda else "",
            boot_id=boot_id(self._proc_root),
        )

    def _failure(self, code: int) -> SourceError:
        return SourceError(gap_of(code), explain(code) + self._versions(), code=code)

    def _versions(self) -> str:
        """Name the loaded kernel module, which after an upgrade is not the one that the library belongs to."""
        line = first_line(self._proc_root / _MODULE_VERSION)
        return f"; loaded: {line}" if line else ""
