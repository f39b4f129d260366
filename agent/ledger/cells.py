"""Entries, parts and windows as cells of history: each cut at the quarter hours, tokens at the hours."""

from collections.abc import Iterable, Iterator

from wattledger.rules.account import Entry
from wattledger.rules.apportion import apportion
from wattledger.rules.chain.node_model import NodeSource
from wattledger.rules.instant import NS_PER_HOUR, Instant
from wattledger.rules.pricing.model import SLOTS_PER_HOUR
from wattledger.rules.state import State
from wattledger.rules.tokens.model import TokenKind
from wattledger.rules.tokens.totals import Phase, ServiceWindow
from wattledger.rules.usage.workload import Part, WorkloadKey

from .hourly_limit import HourlyLimit
from .hours import Cell, split, split_share_slots, split_slots

# Each begins with the quarter hour since the Unix epoch while the hour is open, with the UTC hour in answers.
DeviceKey = tuple[int, str, State]
UsedKey = tuple[int, str, WorkloadKey, State]
PhaseKey = tuple[int, str, str, Phase]  # service, and model of the row that has its energy
MeterKey = tuple[int, str, NodeSource]  # domain
TokenKey = tuple[int, str, str, TokenKind]  # service and model; always by the hour


def of_entries(entries: Iterable[Entry], first_hour: int) -> Iterator[tuple[DeviceKey, Cell]]:
    """Give the cells of intervals of devices."""
    for entry in entries:
        whole = Cell(entry.energy_mj, entry.duration_ns, entry.avoidable_mj)
        for slot, cell in split_slots(whole, entry.end.wall_ns, first_hour=first_hour):
            yield (slot, entry.uuid, entry.state), cell


def of_parts(parts: Iterable[Part], first_hour: int, limit: HourlyLimit) -> Iterator[tuple[UsedKey, Cell]]:
    """Give cells whose energy sums, in each quarter hour, to that of the interval the parts are of.

    The time of an interval counts once for each workload, however many of its parts belong to it.
    """
    intervals: dict[tuple[str, State, Instant, Instant], dict[WorkloadKey, Cell]] = {}
    for part in parts:
        shares = intervals.setdefault((part.uuid, part.state, part.start, part.end), {})
        cell = Cell(part.energy_mj, part.duration_ns, part.avoidable_mj)
        shares[part.workload.key] = _beside(shares.get(part.workload.key), cell)
    for (uuid, state, _, end), shares in intervals.items():
        for slot, cells in split_share_slots(list(shares.values()), end.wall_ns, first_hour=first_hour):
            hour = slot // SLOTS_PER_HOUR
            if hour < first_hour:
                continue
            booked: dict[WorkloadKey, Cell] = {}
            for workload, cell in zip(shares, cells, strict=True):
                place = limit.place(hour, uuid, workload, state)
                booked[place] = _beside(booked.get(place), cell)
            for workload, cell in booked.items():
                yield (slot, uuid, workload, state), cell


def _beside(known: Cell | None, cell: Cell) -> Cell:
    """Give the sum of cells of the same time."""
    if known is None:
        return cell
    return Cell(known.energy_mj + cell.energy_mj, cell.duration_ns, known.marked_mj + cell.marked_mj)


def of_window(model: str, window: ServiceWindow, first_hour: int) -> Iterator[tuple[PhaseKey, Cell]]:
    """Give the cells of a window's energy, which stand in the row of *model*."""
    for slot, cell in split_slots(_whole(window), window.end.wall_ns, first_hour=first_hour):
        yield (slot, window.service, model, window.phase), cell


def of_tokens(window: ServiceWindow, first_hour: int) -> Iterator[tuple[TokenKey, int]]:
    """Give the tokens of a window by the hour, spread by time."""
    if not window.tokens:
        return
    hours = split(_whole(window), window.end.wall_ns, first=first_hour, unit_ns=NS_PER_HOUR)
    durations = [cell.duration_ns for _, cell in hours]
    for model, tokens in window.tokens.items():
        for kind, count in tokens.items():
            for (hour, _), part in zip(hours, apportion(count, durations), strict=True):
                yield (hour, window.service, model, kind), part


def _whole(window: ServiceWindow) -> Cell:
    return Cell(window.total_mj, window.duration_ns, window.active_mj)
