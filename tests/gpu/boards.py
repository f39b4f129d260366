"""Raw looks at one real board, for measurements that the source does not make; it knows no test."""

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from wattledger.agent.clock import SystemClock
from wattledger.agent.sources.nvml import Handle, Nvml
from wattledger.agent.sources.nvml_fields import FieldArray, number_of
from wattledger.rules.instant import NS_PER_SECOND

ENERGY, AVERAGE, INSTANT = 191, 185, 186
_SCOPED = range(185, 193)  # power and energy
_NEVER = threading.Event()


def pause(seconds: float) -> None:
    """Let real time pass."""
    clock = SystemClock()
    clock.wait_until(clock.now().mono_ns + round(seconds * NS_PER_SECOND), _NEVER)


def _now_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)  # the clock of Instant.mono_ns, without its object


@dataclass(frozen=True, slots=True)
class Edge:
    """A published value that changed: when it was first seen, and what it is."""

    at_ns: int
    value: float


class RawBoard:
    """One board through the seam, with arrays of its own."""

    def __init__(self, nvml: Nvml, uuid: str, scope_id: int = 0) -> None:
        self.nvml = nvml
        self.handle: Handle = nvml.handle_by_uuid(uuid)
        self._scope_id = scope_id
        self._single: dict[int, FieldArray] = {}

    def array(self, *field_ids: int) -> FieldArray:
        """Give a batch of these fields, power and energy at the board's scope."""
        pairs = [(field, self._scope_id if field in _SCOPED else 0) for field in field_ids]
        return FieldArray(self.nvml, self.handle, pairs)

    def codes(self, *field_ids: int) -> dict[int, int]:
        """Ask each field alone; give its code, or that of the call."""
        found = {}
        for field_id in field_ids:
            array = self.array(field_id)
            call = array.ask()
            found[field_id] = next(code for *_, code, _ in array.entries()) if call == 0 else call
        return found

    def value(self, field_id: int) -> float | None:
        """Read one field now."""
        array = self._single.get(field_id)
        if array is None:
            array = self._single[field_id] = self.array(field_id)
        if array.ask() != 0:
            return None
        return next(number_of(kind, raw) if code == 0 else None for *_, kind, code, raw in array.entries())

    def edges(self, look: Callable[[], float | None], seconds: float) -> list[Edge]:
        """Look as often as the driver allows and note each change. Keeps one processor busy."""
        found: list[Edge] = []
        last = look()
        end_ns = _now_ns() + round(seconds * NS_PER_SECOND)
        while (now_ns := _now_ns()) < end_ns:
            value = look()
            if value is not None and value != last:
                found.append(Edge(now_ns, value))
                last = value
        return found

    def counter_edge(self, deadline_s: float = 1.0) -> Edge:
        """Give the next step of the energy counter: reading there has no error of a whole step."""
        (edge, *_) = self.edges(lambda: self.value(ENERGY), deadline_s) or [Edge(0, -1.0)]
        assert edge.value >= 0, f"the energy counter did not move within {deadline_s} s"
        return edge


def spacings_ms(edges: list[Edge]) -> list[float]:
    """Give the milliseconds between neighbouring edges."""
    return [(later.at_ns - earlier.at_ns) / 1e6 for earlier, later in itertools.pairwise(edges)]


def quantile(values: list[float], share: float) -> float:
    """Give the value below which *share* of the values lie."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
