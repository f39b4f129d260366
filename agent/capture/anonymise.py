"""Takes out of frames what names a machine, and keeps what matters for energy; it keeps nothing on disk.

The same identifier gives the same replacement within one capture. The key is drawn anew for each and not kept, so
replacements cannot be traced back, nor two captures of one host be matched.
"""

import re
from collections.abc import Callable
from dataclasses import replace

from wattledger.rules.reading import GpuProcess, HostFacts, MigInstance, Reading, Sample, SourceFailure, XidEvent

from .format import Frame

# Linux gives no pid from 2^22 on (PID_MAX_LIMIT): a replay never blames a process of the host it runs on.
FIRST_PID = (1 << 22) + 1
_UUID = re.compile(r"(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32})(?![0-9a-f])", re.IGNORECASE)
_BUS = re.compile(r"\b(?:[0-9a-f]{4}|[0-9a-f]{8}):[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]\b", re.IGNORECASE)
_NAME_LENGTH = 6  # a shorter one ("0" as a serial) is part of any text
_PID = re.compile(r"\b(pid\W{0,3})(\d+)", re.IGNORECASE)


class Anonymiser:
    """One capture's mapping, filled in the order of sight.

    UUIDs keep their prefix, serials and boot ids become hashes. A PCI bus id becomes its rank in the domain 0: the
    order of the boards of the first frame stays, the slots do not. Pids become numbers that no process has.
    """

    def __init__(self, key: bytes | None = None, *, host_name: str = "") -> None:
        """Draw a key, or take *key* (captures that must come out alike). *host_name* is taken out of texts."""
        import hashlib  # noqa: PLC0415  (brings OpenSSL; only who records pays for it)
        import os  # noqa: PLC0415

        secret = key or os.urandom(32)
        self._digest: Callable[[str], str] = lambda text: hashlib.blake2b(
            text.encode(), digest_size=16, key=secret
        ).hexdigest()
        self._host_name = re.compile(rf"\b{re.escape(host_name)}\b", re.IGNORECASE) if host_name else None
        self._pids: dict[int, int] = {}
        self._buses: dict[str, str] = {}
        self._names: dict[str, str] = {}  # identifiers without a form of their own, to find them in free text

    def frame(self, frame: Frame) -> Frame:
        """Give *frame* without identifiers."""
        if isinstance(frame, SourceFailure):
            return replace(frame, detail=self.text(frame.detail))
        self._note_buses(frame)
        return Sample(
            at=frame.at,
            source=frame.source,
            host=self.host(frame.host),
            devices=tuple(self._reading(reading) for reading in frame.devices),
            events=tuple(self._event(event) for event in frame.events),
            duration_ns=frame.duration_ns,
            ticks_missed=frame.ticks_missed,
            driver_calls=frame.driver_calls,
            driver_busy_ns=frame.driver_busy_ns,
            pace=frame.pace,
        )

    def host(self, host: HostFacts) -> HostFacts:
        """Give *host* with another boot id; versions stay."""
        return replace(host, boot_id=self.uuid(host.boot_id))

    def uuid(self, uuid: str) -> str:
        """Give another UUID of the same form: `GPU-...`, `MIG-...`, `MIG-GPU-.../1/0` or bare."""
        if not uuid:
            return ""
        prefix, middle, end = _parts(uuid)
        return self._named(uuid, prefix + _dashed(self._digest(middle.lower())) + end)

    def text(self, text: str) -> str:
        """Give *text* with everything replaced that is known, or looks like an identifier."""
        text = _UUID.sub(lambda found: _dashed(self._digest(found[0].lower())), text)
        for name in sorted(self._names, key=len, reverse=True):
            text = text.replace(name, self._names[name])
        if self._host_name:
            text = self._host_name.sub("host", text)
        text = _BUS.sub(lambda found: self._bus(found[0]), text)
        return _PID.sub(lambda found: found[1] + str(self._pid(int(found[2]))), text)

    def _reading(self, reading: Reading) -> Reading:
        identity = reading.identity
        processes = reading.processes
        return replace(
            reading,
            identity=replace(
                identity,
                uuid=self.uuid(identity.uuid),
                serial=self._serial(identity.serial),
                pci_bus_id=self._bus(identity.pci_bus_id),
            ),
            processes=None if processes is None else tuple(self._process(process) for process in processes),
            instances=tuple(self._instance(instance) for instance in reading.instances),
        )

    def _process(self, process: GpuProcess) -> GpuProcess:
        return replace(process, pid=self._pid(process.pid))

    def _instance(self, instance: MigInstance) -> MigInstance:
        return replace(instance, uuid=self.uuid(instance.uuid))

    def _event(self, event: XidEvent) -> XidEvent:
        return replace(event, uuid=self.uuid(event.uuid))

    def _serial(self, serial: str) -> str:
        return self._named(serial, self._digest(serial)[:12]) if serial else ""

    def _named(self, name: str, replaced: str) -> str:
        if len(name) >= _NAME_LENGTH:
            self._names[name] = replaced
        return replaced

    def _pid(self, pid: int) -> int:
        return self._pids.setdefault(pid, FIRST_PID + len(self._pids))

    def _note_buses(self, sample: Sample) -> None:
        for bus in sorted(reading.identity.pci_bus_id.lower() for reading in sample.devices):
            self._bus(bus)

    def _bus(self, bus: str) -> str:
        if not bus:
            return ""
        found = self._buses.get(_long_bus(bus))
        if found is None:
            rank = len(self._buses) + 1
            found = self._buses[_long_bus(bus)] = f"{rank >> 8:08X}:{rank & 0xFF:02X}:00.0"
        return found


def _parts(uuid: str) -> tuple[str, str, str]:
    """Cut off the prefix words and, of a MIG instance of old drivers, what follows the slash."""
    prefix = next((known for known in ("MIG-GPU-", "GPU-", "MIG-") if uuid.startswith(known)), "")
    middle, slash, end = uuid[len(prefix) :].partition("/")
    return prefix, middle, slash + end


def _long_bus(bus: str) -> str:
    """Give the one spelling of a bus id: kernel and driver write the domain with 4 and with 8 digits."""
    domain, colon, rest = bus.lower().partition(":")
    return f"{domain:0>8}{colon}{rest}"


def _dashed(digest: str) -> str:
    return "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32]))
