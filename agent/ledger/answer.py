"""Cells of history, stored and waiting, as the rows that are asked for; where they come from is not said here."""

from collections.abc import Iterable, Mapping

from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.tokens.totals import COVERED_PHASES
from wattledger.rules.usage.workload import Workload, WorkloadKey

from .backlog import within
from .base import HistoryRow, ServiceHistoryRow, WorkloadHistoryRow
from .hours import Cell
from .waiting import DeviceHour, PhaseHour, TokenHour, WorkloadHour


def device_rows(
    cells: Iterable[tuple[DeviceHour, Cell]], start_wall_ns: int, end_wall_ns: int, *, uuid: str | None
) -> list[HistoryRow]:
    """Give the hours that overlap ``[start, end)``, of all devices where *uuid* is None."""
    wanted = cells if uuid is None else (item for item in cells if item[0][1] == uuid)
    return [
        HistoryRow(
            uuid=of,
            hour_wall_ns=hour * NS_PER_HOUR,
            state=state,
            energy_mj=cell.energy_mj,
            duration_ns=cell.duration_ns,
            avoidable_mj=cell.marked_mj,
        )
        for (hour, of, state), cell in within(wanted, start_wall_ns, end_wall_ns)
    ]


def workload_rows(
    cells: Iterable[tuple[WorkloadHour, Cell]],
    start_wall_ns: int,
    end_wall_ns: int,
    *,
    names: Mapping[WorkloadKey, Workload],
) -> list[WorkloadHistoryRow]:
    """Give the hours that overlap ``[start, end)``; *names* has every workload of *cells*."""
    return [
        WorkloadHistoryRow(
            hour_wall_ns=hour * NS_PER_HOUR,
            uuid=uuid,
            workload=names[workload],
            state=state,
            energy_mj=cell.energy_mj,
            duration_ns=cell.duration_ns,
            avoidable_mj=cell.marked_mj,
        )
        for (hour, uuid, workload, state), cell in within(cells, start_wall_ns, end_wall_ns)
    ]


def service_rows(
    phases: Iterable[tuple[PhaseHour, Cell]],
    tokens: Iterable[tuple[TokenHour, int]],
    start_wall_ns: int,
    end_wall_ns: int,
) -> list[ServiceHistoryRow]:
    """Give the hours that overlap ``[start, end)``, energy and tokens of a service and model in one row."""
    energy: dict[tuple[int, str, str], dict[PhaseHour, Cell]] = {}
    for key, cell in within(phases, start_wall_ns, end_wall_ns):
        energy.setdefault(key[:3], {})[key] = cell
    counts: dict[tuple[int, str, str], dict[TokenHour, int]] = {}
    for place, count in within(tokens, start_wall_ns, end_wall_ns):
        counts.setdefault(place[:3], {})[place] = count
    rows = []
    for of in sorted(energy.keys() | counts.keys()):
        hour, service, model = of
        cells = {phase: cell for (_, _, _, phase), cell in energy.get(of, {}).items()}
        covered = [cell for phase, cell in cells.items() if phase in COVERED_PHASES]
        rows.append(
            ServiceHistoryRow(
                hour_wall_ns=hour * NS_PER_HOUR,
                service=service,
                model=model,
                active_mj=sum(cell.marked_mj for cell in covered),
                total_mj=sum(cell.energy_mj for cell in covered),
                phases={phase: cell.energy_mj for phase, cell in cells.items()},
                tokens={kind: count for (_, _, _, kind), count in counts.get(of, {}).items()},
            )
        )
    return rows
