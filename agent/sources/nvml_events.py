"""XID errors as they happen, on a thread of its own; it does not know what a number means or whose fault it is."""

import ctypes
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from wattledger.rules.instant import Instant
from wattledger.rules.reading import XidEvent

from .nvml import Handle, Nvml, address
from .nvml_codes import LOST, SUCCESS, TIMEOUT, explain

_log = logging.getLogger(__name__)

_XID: Final = 0x8  # nvmlEventTypeXidCriticalError
_WAIT_MS: Final = 1000  # also the longest that stopping takes
_PAUSE_S: Final = 10.0  # after a set failed, before another is made
_MOST_KEPT: Final = 1024  # events between two ticks; more of them repeat each other


class XidWatcher:
    """Waits for XIDs of the devices last given to `watch`. Only the thread touches the event set.

    The wait is the one call made without the lock: it may last seconds.
    """

    def __init__(self, nvml: Nvml, now: Callable[[], Instant]) -> None:
        self._nvml, self._now = nvml, now
        self._events: deque[XidEvent] = deque(maxlen=_MOST_KEPT)
        self._wanted: dict[str, Handle] = {}
        self._changed = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._unsupported: set[str] = set()

    def watch(self, handles: Mapping[str, Handle]) -> None:
        """Watch these devices, by UUID, from now on."""
        self._wanted = dict(handles)
        self._changed.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="xid-watcher", daemon=True)
            self._thread.start()

    def drain(self) -> tuple[XidEvent, ...]:
        """Give the events since the last time, the oldest first."""
        found = []
        while self._events:
            found.append(self._events.popleft())
        return tuple(found)

    def stop(self) -> bool:
        """End the thread; give whether it ended, which it does not while the driver hangs."""
        self._stopping = True
        self._changed.set()
        thread, self._thread = self._thread, None
        if thread is None:
            return True
        thread.join(1.5 * _WAIT_MS / 1000)
        return not thread.is_alive()

    def _run(self) -> None:
        nvml = self._nvml
        wait = nvml.function("nvmlEventSetWait_v2", "nvmlEventSetWait")
        data = nvml.binding().c_nvmlEventData_t()
        event_set: Any = None
        names: dict[int, str] = {}
        while not self._stopping:
            if self._changed.is_set():
                self._changed.clear()
                self._free(event_set)
                event_set, names = self._register(self._wanted)
            if event_set is None or wait is None:
                self._changed.wait()
                continue
            code = nvml.wait(wait, event_set, ctypes.byref(data), ctypes.c_uint(_WAIT_MS))
            if code == SUCCESS:
                self._note(data, names)
            elif code != TIMEOUT:
                # A device fell off, or an interrupt was lost: the set is of no more use.
                _log.log(
                    logging.INFO if code in LOST else logging.WARNING, "xid wait failed reason=%r", explain(code)
                )
                self._free(event_set)
                event_set = None
                if not self._changed.wait(_PAUSE_S):
                    self._changed.set()
        self._free(event_set)

    def _register(self, wanted: Mapping[str, Handle]) -> tuple[Any, dict[int, str]]:
        """Make one set for all devices; give it, and the UUIDs by the address of their handles."""
        nvml = self._nvml
        event_set = nvml.binding().c_nvmlEventSet_t()
        if nvml.call(nvml.function("nvmlEventSetCreate"), ctypes.byref(event_set)) != SUCCESS:
            return None, {}
        names: dict[int, str] = {}
        for uuid, handle in wanted.items():
            offered = ctypes.c_ulonglong()
            nvml.call(nvml.function("nvmlDeviceGetSupportedEventTypes"), handle, ctypes.byref(offered))
            # One bit that the device does not know would register none of them.
            mask = ctypes.c_ulonglong(_XID & offered.value)
            register = nvml.function("nvmlDeviceRegisterEvents")
            if mask.value and nvml.call(register, handle, mask, event_set) == SUCCESS:
                names[address(handle)] = uuid
            elif uuid not in self._unsupported:
                self._unsupported.add(uuid)
                _log.info("no xid events uuid=%s", uuid)
        if not names:
            self._free(event_set)
            return None, {}
        return event_set, names

    def _note(self, data: Any, names: Mapping[int, str]) -> None:
        uuid = names.get(address(data.device))
        if uuid is not None and data.eventType & _XID:
            self._events.append(XidEvent(uuid=uuid, xid=int(data.eventData), wall_ns=self._now().wall_ns))

    def _free(self, event_set: Any) -> None:
        if event_set is not None:
            self._nvml.call(self._nvml.function("nvmlEventSetFree"), event_set)
