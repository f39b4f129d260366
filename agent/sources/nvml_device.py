"""One device by its UUID: whether it answers, sleeps or is lost, and when it is tried again; not what it tells."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND, Instant
from wattledger.rules.quantity import Gap, Quantity
from wattledger.rules.reading import Reading

from .nvml import Handle, Nvml
from .nvml_codes import DeviceLostError, DriverGoneError, NvmlError
from .nvml_fields import Carried
from .nvml_gpm import Gpm
from .nvml_groups import Due
from .nvml_identity import Board
from .nvml_reader import DeviceReader
from .nvml_sleep import RuntimePower

_log = logging.getLogger(__name__)

_RETRY_FIRST_NS: Final = NS_PER_SECOND
_RETRY_MOST_NS: Final = 60 * NS_PER_SECOND


class Device:
    """A device. Each time it comes back it has a new `handle`."""

    def __init__(
        self,
        nvml: Nvml,
        handle: Handle,
        board: Board,
        *,
        gpm: Gpm,
        now: Callable[[], Instant],
        sys_root: Path,
        shift_ns: int = 0,
    ) -> None:
        self.identity = board.identity
        self.handle = handle
        self.lost = False
        self.asleep = False
        self.silent_ticks = 0  # ticks in a row without any answer, though it is neither lost nor asleep
        self._nvml, self._gpm, self._now = nvml, gpm, now
        self._chip = board.chip
        self._shift_ns = shift_ns
        self._power = RuntimePower(sys_root, board.identity.pci_bus_id)
        self._reader: DeviceReader | None = None
        self._carried: Carried = {}
        self._plan_due = Due(NS_PER_HOUR, shift_ns)
        self._retry_ns = 0
        self._wait_ns = _RETRY_FIRST_NS

    def found_at(self, index: int) -> None:
        """Note the index that the device has now."""
        if index != self.identity.index:
            _log.info(
                "device moved uuid=%s from_index=%d to_index=%d", self.identity.uuid, self.identity.index, index
            )
            self.identity = replace(self.identity, index=index)

    def read(self, at: Instant) -> Reading:
        """Give this tick's reading. Raises DriverGoneError when no device can be read any more."""
        self.asleep = self._power.sleeping(at)
        if self.asleep:
            return self._down(at, Gap.ASLEEP)
        try:
            if self.lost and not self._reopened(at):
                return self._down(at, Gap.LOST)
            reading = self._read(at)
        except DeviceLostError as lost:
            self.lose(at, lost.code)
            return self._down(at, Gap.LOST)
        if self.lost:
            self.lost = False
            _log.info("device is back uuid=%s index=%d", self.identity.uuid, self.identity.index)
        return reading

    def lose(self, at: Instant, code: int) -> None:
        """Note that the device does not answer; it is tried again after growing pauses."""
        if not self.lost:
            _log.warning("device lost uuid=%s index=%d nvml_code=%d", self.identity.uuid, self.identity.index, code)
            self.lost = True
            self._wait_ns = _RETRY_FIRST_NS
            self._wait(at)
            self._carried.clear()  # it comes back with counters that start anew
        self.close()

    def close(self) -> None:
        """Give back what the driver allocated for us."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def _read(self, at: Instant) -> Reading:
        if self._plan_due.now(at) or (self._reader is not None and self._reader.stale):
            self.close()
        reader = self._reader
        if reader is None:
            reader = DeviceReader(
                self._nvml,
                self.handle,
                self._chip,
                gpm=self._gpm,
                carried=self._carried,
                shift_ns=self._shift_ns,
            )
            self._reader = reader
            self.identity = replace(self.identity, energy_scope=reader.plan.scope)
        seen = reader.read(at, self._now)
        self.silent_ticks = 0 if seen.answered else self.silent_ticks + 1
        if seen.idle:
            self._power.note_idle(at)
        return Reading(
            identity=self.identity,
            at=seen.at,
            values=seen.values,
            gaps=seen.gaps,
            processes=seen.processes,
            instances=seen.instances,
        )

    def _down(self, at: Instant, gap: Gap) -> Reading:
        self.silent_ticks = 0
        return Reading(identity=self.identity, at=at, up=False, gaps=dict.fromkeys(Quantity, gap))

    def _reopened(self, at: Instant) -> bool:
        if at.mono_ns < self._retry_ns:
            return False
        self._wait(at)
        try:
            self.handle = self._nvml.handle_by_uuid(self.identity.uuid)
        except DriverGoneError:
            raise
        except NvmlError:
            return False
        return True

    def _wait(self, at: Instant) -> None:
        self._retry_ns = at.mono_ns + self._wait_ns
        self._wait_ns = min(2 * self._wait_ns, _RETRY_MOST_NS)
