"""All history that waits for the disk: of devices, workloads and services, each cut into hours as it comes in."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from wattledger.rules.account import Entry
from wattledger.rules.apportion import apportion
from wattledger.rules.instant import Instant
from wattledger.rules.state import State
from wattledger.rules.tokens.model import TokenKind
from wattledger.rules.tokens.totals import Phase, ServiceWindow
from wattledger.rules.usage.workload import FOLDED, UNATTRIBUTED, Part, Workload, WorkloadKey

from .backlog import Backlog
from .base import NOTHING_USED, UsageCommit
from .hours import Cell, split, split_shares

log = logging.getLogger(__name__)

# Each begins with the UTC hour.
DeviceHour = tuple[int, str, State]
WorkloadHour = tuple[int, str, WorkloadKey, State]
PhaseHour = tuple[int, str, str, Phase]  # service, and model of the row that has its energy
TokenHour = tuple[int, str, str, TokenKind]  # service and model

CELLS_PER_HOUR = 2_000
_HOURS_REMEMBERED = 4  # of which cells there are; late parts seldom reach further back
_ALWAYS = frozenset({FOLDED.key, UNATTRIBUTED.key})


class HourlyLimit:
    """Lets so many cells of workloads into an hour; which they were is forgotten with the process."""

    def __init__(self, limit: int = CELLS_PER_HOUR) -> None:
        self._limit = limit
        self._known: dict[int, set[tuple[str, WorkloadKey, State]]] = {}
        self._told = False

    def place(self, hour: int, uuid: str, workload: WorkloadKey, state: State) -> WorkloadKey:
        """Give whose cell it is: the workload's own, or that of all who find no room."""
        if workload in _ALWAYS:
            return workload
        known = self._known.get(hour)
        if known is None:
            known = self._known[hour] = set()
        key = (uuid, workload, state)
        if key in known:
            return workload
        if len(known) >= self._limit:
            if not self._told:
                log.warning("ledger_workloads_folded hour=%d limit=%d", hour, self._limit)
                self._told = True
            return FOLDED.key
        known.add(key)
        return workload

    def forget(self) -> None:
        """Let go of the hours that are long over."""
        for hour in sorted(self._known)[:-_HOURS_REMEMBERED]:
            del self._known[hour]


@dataclass(slots=True)
class Waiting:
    """What waits, and under which names the workloads in it were last seen."""

    devices: Backlog[DeviceHour, Cell] = field(default_factory=Backlog)
    workloads: Backlog[WorkloadHour, Cell] = field(default_factory=Backlog)
    phases: Backlog[PhaseHour, Cell] = field(default_factory=Backlog)
    tokens: Backlog[TokenHour, int] = field(default_factory=Backlog)
    names: dict[WorkloadKey, Workload] = field(default_factory=lambda: {FOLDED.key: FOLDED})
    limit: HourlyLimit = field(default_factory=HourlyLimit)

    def add(self, entries: Sequence[Entry], usage: UsageCommit = NOTHING_USED, *, first_hour: int) -> None:
        """Add *entries* and what *usage* has of history, each of which is passed once."""
        self.devices.add(_of_entries(entries, first_hour), first_hour=first_hour)
        if usage.parts:
            self.names.update((part.workload.key, part.workload) for part in usage.parts)
            self.workloads.add(_of_parts(usage.parts, first_hour, self.limit), first_hour=first_hour)
            self.limit.forget()
        for model, window in usage.windows:
            hours = _of_window(window, first_hour)
            self.phases.add(
                (((hour, window.service, model, window.phase), cell) for hour, cell in hours), first_hour=first_hour
            )
            self.tokens.add(_of_tokens(window, hours), first_hour=first_hour)

    def copy(self) -> "Waiting":
        """Give what waits now, apart from what comes."""
        return Waiting(
            Backlog(self.devices.cells),
            Backlog(self.workloads.cells),
            Backlog(self.phases.cells),
            Backlog(self.tokens.cells),
            dict(self.names),
        )

    def remove(self, landed: "Waiting") -> None:
        """Take away what turned out to be stored already."""
        self.devices.remove(landed.devices)
        self.workloads.remove(landed.workloads)
        self.phases.remove(landed.phases)
        self.tokens.remove(landed.tokens)

    def trim(self, *, first_hour: int) -> int:
        """Drop what is too old, then what is too much; give how many cells the latter cost."""
        lost = (
            self.devices.trim(first_hour=first_hour)
            + self.workloads.trim(first_hour=first_hour)
            + self.phases.trim(first_hour=first_hour)
            + self.tokens.trim(first_hour=first_hour)
        )
        if len(self.names) > len(self.workloads.cells) + 1:
            named = {workload for _, _, workload, _ in self.workloads.cells} | {FOLDED.key}
            self.names = {key: workload for key, workload in self.names.items() if key in named}
        return lost

    def clear(self) -> None:
        """Forget everything: it is stored."""
        self.devices.cells.clear()
        self.workloads.cells.clear()
        self.phases.cells.clear()
        self.tokens.cells.clear()
        self.names = {FOLDED.key: FOLDED}

    @property
    def count(self) -> int:
        """Give how many cells wait."""
        return sum(
            len(backlog)
            for backlog in (self.devices.cells, self.workloads.cells, self.phases.cells, self.tokens.cells)
        )


def _of_entries(entries: Iterable[Entry], first_hour: int) -> Iterator[tuple[DeviceHour, Cell]]:
    for entry in entries:
        whole = Cell(entry.energy_mj, entry.duration_ns, entry.avoidable_mj)
        for hour, cell in split(whole, entry.end.wall_ns, first_hour=first_hour):
            yield (hour, entry.uuid, entry.state), cell


def _of_parts(parts: Iterable[Part], first_hour: int, limit: HourlyLimit) -> Iterator[tuple[WorkloadHour, Cell]]:
    """Give cells whose energy sums, in each hour, to that of the interval the parts are of.

    The time of an interval counts once for each workload, however many of its parts belong to it.
    """
    intervals: dict[tuple[str, State, Instant, Instant], dict[WorkloadKey, Cell]] = {}
    for part in parts:
        shares = intervals.setdefault((part.uuid, part.state, part.start, part.end), {})
        cell = Cell(part.energy_mj, part.duration_ns, part.avoidable_mj)
        shares[part.workload.key] = _beside(shares.get(part.workload.key), cell)
    for (uuid, state, _, end), shares in intervals.items():
        for hour, cells in split_shares(list(shares.values()), end.wall_ns, first_hour=first_hour):
            if hour < first_hour:
                continue
            booked: dict[WorkloadKey, Cell] = {}
            for workload, cell in zip(shares, cells, strict=True):
                place = limit.place(hour, uuid, workload, state)
                booked[place] = _beside(booked.get(place), cell)
            for workload, cell in booked.items():
                yield (hour, uuid, workload, state), cell


def _beside(known: Cell | None, cell: Cell) -> Cell:
    """Give the sum of cells of the same time."""
    if known is None:
        return cell
    return Cell(known.energy_mj + cell.energy_mj, cell.duration_ns, known.marked_mj + cell.marked_mj)


def _of_window(window: ServiceWindow, first_hour: int) -> list[tuple[int, Cell]]:
    whole = Cell(window.total_mj, window.duration_ns, window.active_mj)
    return split(whole, window.end.wall_ns, first_hour=first_hour)


def _of_tokens(window: ServiceWindow, hours: Sequence[tuple[int, Cell]]) -> Iterator[tuple[TokenHour, int]]:
    durations = [cell.duration_ns for _, cell in hours]
    for model, tokens in window.tokens.items():
        for kind, count in tokens.items():
            for (hour, _), part in zip(hours, apportion(count, durations), strict=True):
                yield (hour, window.service, model, kind), part
