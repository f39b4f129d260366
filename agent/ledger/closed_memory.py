"""Hours that are closed, and what hours of the host came to, where there is no file: the latest, in memory."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from wattledger.rules.pricing.model import SLOTS_PER_HOUR, slots_of_hour
from wattledger.rules.state import State
from wattledger.rules.tokens.totals import Phase
from wattledger.rules.usage.workload import Workload, WorkloadKey

from .backlog import MAX_CELLS, add_to, drop_oldest
from .base import Slots
from .booked import Booked
from .cells import DeviceKey, PhaseKey, UsedKey
from .closing import OpenCells, close
from .host_hours import HostHours, take
from .hours import Cell
from .waiting import MAX_HOURS, Step, Waiting

# With its prices a cell takes twice the room that it takes without.
_LIMIT = MAX_CELLS // 2

KeyT = TypeVar("KeyT", bound=tuple[Any, ...])
_Open = OpenCells[tuple[str, State], WorkloadKey, tuple[str, str, Phase]]


@dataclass(slots=True)
class ClosedMemory:
    """Cells by the hour, with their prices, and the workloads in them."""

    devices: dict[DeviceKey, Booked] = field(default_factory=dict)
    workloads: dict[UsedKey, Booked] = field(default_factory=dict)
    phases: dict[PhaseKey, Booked] = field(default_factory=dict)
    names: dict[WorkloadKey, Workload] = field(default_factory=dict)
    hours: HostHours = field(default_factory=dict)

    def take(self, waiting: Waiting, *, first_hour: int) -> None:
        """Close the hours that are to be, and take what was open of them from what is *waiting*."""
        (step,) = waiting.steps  # none is over for longer than a commit
        if step.hours or step.closings:
            take(self.hours, step)
            drop_oldest(self.hours, first=first_hour, limit=MAX_HOURS)
            step.hours.clear()
        if not step.closings:
            return
        for hour, prices in step.closings.items():
            self._close(step, hour, prices)
        step.closings.clear()
        drop_oldest(self.devices, first=first_hour, limit=_LIMIT)
        drop_oldest(self.workloads, first=first_hour, limit=_LIMIT)
        drop_oldest(self.phases, first=first_hour, limit=_LIMIT)
        names = self.names | waiting.names
        self.names = {workload: names[workload] for _, _, workload, _ in self.workloads}

    def _close(self, step: Step, hour: int, prices: Slots) -> None:
        slots: dict[int, _Open] = {slot: OpenCells() for slot in slots_of_hour(hour)}
        for (slot, uuid, state), cell in _taken(step.devices.cells, hour):
            slots[slot].devices[uuid, state] = cell
        for (slot, uuid, workload, state), cell in _taken(step.workloads.cells, hour):
            slots[slot].workloads[(uuid, state), workload] = cell
        for (slot, service, model, phase), cell in _taken(step.phases.cells, hour):
            slots[slot].phases[service, model, phase] = cell
        for key in [key for key in step.meters.cells if key[0] in slots]:
            del step.meters.cells[key]
        closed = close(list(slots.values()), prices)
        add_to(self.devices, (((hour, *device), booked) for device, booked in closed.devices.items()))
        add_to(
            self.workloads,
            (((hour, uuid, key, state), booked) for ((uuid, state), key), booked in closed.workloads.items()),
        )
        add_to(self.phases, (((hour, *phase), booked) for phase, booked in closed.phases.items()))


def _taken(cells: dict[KeyT, Cell], hour: int) -> Iterable[tuple[KeyT, Cell]]:
    """Take the cells of an hour away and give them in order."""
    return [(key, cells.pop(key)) for key in sorted(key for key in cells if key[0] // SLOTS_PER_HOUR == hour)]
