"""All history that waits for the disk: of devices, workloads and services, and the prices that come with it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from wattledger.rules.account import Entry
from wattledger.rules.chain.node_energy import DomainEnergy
from wattledger.rules.pricing.model import NOTHING, HourPrice
from wattledger.rules.usage.workload import FOLDED, Workload, WorkloadKey

from .backlog import MAX_CELLS, Backlog, by_hour
from .base import NOTHING_USED, PriceCommit, Slots, UsageCommit
from .booked import Booked
from .cells import DeviceKey, MeterKey, PhaseKey, TokenKey, UsedKey, of_entries, of_parts, of_tokens, of_window
from .hourly_limit import HourlyLimit
from .hours import Cell

# Six weeks of hours, about 2 MB.
MAX_HOURS = 1_000
_UNPRICED: Slots = (NOTHING, NOTHING, NOTHING, NOTHING)


@dataclass(slots=True)
class Step:
    """What is added to the open quarter hours, the rows of hours, and then which hours are closed.

    With `closings` a step is over: what comes later is not of them, even if it is of their hours.
    """

    devices: Backlog[DeviceKey, Cell] = field(default_factory=Backlog)
    workloads: Backlog[UsedKey, Cell] = field(default_factory=Backlog)
    phases: Backlog[PhaseKey, Cell] = field(default_factory=Backlog)
    meters: Backlog[MeterKey, DomainEnergy] = field(default_factory=Backlog)
    hours: dict[int, HourPrice] = field(default_factory=dict)
    closings: dict[int, Slots] = field(default_factory=dict)

    def copy(self) -> "Step":
        """Give what is in it now."""
        return Step(
            self.devices.copy(),
            self.workloads.copy(),
            self.phases.copy(),
            self.meters.copy(),
            dict(self.hours),
            dict(self.closings),
        )

    def remove(self, landed: "Step") -> None:
        """Take away what turned out to be stored already, of a step that was not over."""
        self.devices.remove(landed.devices)
        self.workloads.remove(landed.workloads)
        self.phases.remove(landed.phases)
        self.meters.remove(landed.meters)
        # Hours that are written once more say the same, or what they are by now.

    def sizes(self) -> list[int]:
        """Give how many cells of each sort wait."""
        backlogs = (self.devices.cells, self.workloads.cells, self.phases.cells, self.meters.cells)
        return [len(cells) for cells in backlogs]

    def trim(self, rooms: Sequence[int], *, first_hour: int) -> int:
        """Drop what is too old, then what there is no room for, by sort; give how many cells the latter cost."""
        devices, workloads, phases, meters = rooms
        return (
            self.devices.trim(first_hour=first_hour, limit=devices)
            + self.workloads.trim(first_hour=first_hour, limit=workloads)
            + self.phases.trim(first_hour=first_hour, limit=phases)
            + self.meters.trim(first_hour=first_hour, limit=meters)
        )


def _hourly() -> Backlog[TokenKey, int]:
    return Backlog(per_hour=1)


@dataclass(slots=True)
class Waiting:
    """What waits, in the order in which it is to be stored, and under which names its workloads were last seen."""

    steps: list[Step] = field(default_factory=lambda: [Step()])
    tokens: Backlog[TokenKey, int] = field(default_factory=_hourly)
    names: dict[WorkloadKey, Workload] = field(default_factory=lambda: {FOLDED.key: FOLDED})
    limit: HourlyLimit = field(default_factory=HourlyLimit)

    def add(
        self,
        entries: Sequence[Entry],
        usage: UsageCommit = NOTHING_USED,
        prices: PriceCommit | None = None,
        *,
        first_hour: int,
    ) -> None:
        """Add *entries* and what *usage* and *prices* have of history, each of which is passed once."""
        if self.steps[-1].closings:
            self.steps.append(Step())
        step = self.steps[-1]
        step.devices.add(of_entries(entries, first_hour), first_hour=first_hour)
        if usage.parts:
            self.names.update((part.workload.key, part.workload) for part in usage.parts)
            step.workloads.add(of_parts(usage.parts, first_hour, self.limit), first_hour=first_hour)
            self.limit.forget()
        for model, window in usage.windows:
            step.phases.add(of_window(model, window, first_hour), first_hour=first_hour)
            self.tokens.add(of_tokens(window, first_hour), first_hour=first_hour)
        if prices is not None:
            told = (((slot, *meter), energy) for (slot, meter), energy in prices.node.slots.items())
            step.meters.add(told, first_hour=first_hour)
            step.hours.update((row.hour, row) for row in prices.hours)
            for closing in prices.closings:
                step.closings[closing.hour] = _sum(step.closings.get(closing.hour, _UNPRICED), closing.slots)

    def copy(self) -> "Waiting":
        """Give what waits now, apart from what comes."""
        steps = [step.copy() for step in self.steps]
        return Waiting(steps, self.tokens.copy(), dict(self.names))

    def remove(self, landed: "Waiting") -> None:
        """Take away what turned out to be stored already: a copy of what waited then.

        Steps are told by their place: none goes while it waits.
        """
        *over, last = landed.steps
        if last.closings:
            del self.steps[: len(landed.steps)]
        else:
            del self.steps[: len(over)]
            self.steps[0].remove(last)
        if not self.steps:
            self.steps.append(Step())
        self.tokens.remove(landed.tokens)

    def trim(self, *, first_hour: int) -> int:
        """Drop what is too old, then what is too much; give how many cells the latter cost."""
        lost = self.tokens.trim(first_hour=first_hour, limit=MAX_CELLS)
        rooms = [MAX_CELLS] * 4
        for step in reversed(self.steps):
            lost += step.trim(rooms, first_hour=first_hour)
            rooms = [room - size for room, size in zip(rooms, step.sizes(), strict=True)]
        self._trim_hours()
        if len(self.names) > sum(len(step.workloads.cells) for step in self.steps) + 1:
            named = {workload for step in self.steps for _, _, workload, _ in step.workloads.cells} | {FOLDED.key}
            self.names = {key: workload for key, workload in self.names.items() if key in named}
        return lost

    def _trim_hours(self) -> None:
        rows = [(step, hour) for step in self.steps for hour in step.hours]
        for step, hour in rows[:-MAX_HOURS]:
            del step.hours[hour]
        closings = [(step, hour) for step in self.steps for hour in step.closings]
        for step, hour in closings[:-MAX_HOURS]:
            step.closings[hour] = _UNPRICED  # the hour closes all the same: counters have what it came to

    def clear(self) -> None:
        """Forget everything: it is stored."""
        self.steps = [Step()]
        self.tokens.cells.clear()
        self.names = {FOLDED.key: FOLDED}

    @property
    def count(self) -> int:
        """Give how many cells wait."""
        return len(self.tokens.cells) + sum(sum(step.sizes()) for step in self.steps)

    def device_hours(self) -> Iterator[tuple[DeviceKey, Booked]]:
        """Give what waits of devices, by the hour."""
        for step in self.steps:
            for key, cell in by_hour(step.devices.cells.items()):
                yield key, Booked(cell)

    def workload_hours(self) -> Iterator[tuple[UsedKey, Booked]]:
        """Give what waits of workloads, by the hour."""
        for step in self.steps:
            for key, cell in by_hour(step.workloads.cells.items()):
                yield key, Booked(cell)

    def phase_hours(self) -> Iterator[tuple[PhaseKey, Booked]]:
        """Give what waits of services, by the hour."""
        for step in self.steps:
            for key, cell in by_hour(step.phases.cells.items()):
                yield key, Booked(cell)


def _sum(slots: Slots, others: Slots) -> Slots:
    first, second, third, fourth = (one + other for one, other in zip(slots, others, strict=True))
    return first, second, third, fourth
