"""Cells of history, stored and waiting, as the rows that are asked for; where they come from is not said here."""

from collections.abc import Iterable, Mapping

from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.pricing.model import NOTHING, HourPrice
from wattledger.rules.tokens.totals import COVERED_PHASES
from wattledger.rules.usage.workload import Workload, WorkloadKey

from .backlog import hours_within, within
from .base import HistoryRow, ServiceHistoryRow, WorkloadHistoryRow
from .booked import Booked
from .cells import DeviceKey, PhaseKey, TokenKey, UsedKey


def device_rows(
    cells: Iterable[tuple[DeviceKey, Booked]], start_wall_ns: int, end_wall_ns: int, *, uuid: str | None
) -> list[HistoryRow]:
    """Give the hours that overlap ``[start, end)``, of all devices where *uuid* is None."""
    wanted = cells if uuid is None else (item for item in cells if item[0][1] == uuid)
    return [
        HistoryRow(
            uuid=of,
            hour_wall_ns=hour * NS_PER_HOUR,
            state=state,
            energy_mj=booked.cell.energy_mj,
            duration_ns=booked.cell.duration_ns,
            avoidable_mj=booked.cell.marked_mj,
            priced=booked.priced,
            open_mj=booked.open_mj,
        )
        for (hour, of, state), booked in within(wanted, start_wall_ns, end_wall_ns)
    ]


def workload_rows(
    cells: Iterable[tuple[UsedKey, Booked]],
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
            energy_mj=booked.cell.energy_mj,
            duration_ns=booked.cell.duration_ns,
            avoidable_mj=booked.cell.marked_mj,
            priced=booked.priced,
            open_mj=booked.open_mj,
        )
        for (hour, uuid, workload, state), booked in within(cells, start_wall_ns, end_wall_ns)
    ]


def service_rows(
    phases: Iterable[tuple[PhaseKey, Booked]],
    tokens: Iterable[tuple[TokenKey, int]],
    start_wall_ns: int,
    end_wall_ns: int,
) -> list[ServiceHistoryRow]:
    """Give the hours that overlap ``[start, end)``, energy and tokens of a service and model in one row."""
    energy: dict[tuple[int, str, str], dict[PhaseKey, Booked]] = {}
    for key, booked in within(phases, start_wall_ns, end_wall_ns):
        energy.setdefault(key[:3], {})[key] = booked
    counts: dict[tuple[int, str, str], dict[TokenKey, int]] = {}
    for place, count in within(tokens, start_wall_ns, end_wall_ns):
        counts.setdefault(place[:3], {})[place] = count
    rows = []
    for of in sorted(energy.keys() | counts.keys()):
        hour, service, model = of
        known = {phase: booked for (_, _, _, phase), booked in energy.get(of, {}).items()}
        covered = [booked for phase, booked in known.items() if phase in COVERED_PHASES]
        rows.append(
            ServiceHistoryRow(
                hour_wall_ns=hour * NS_PER_HOUR,
                service=service,
                model=model,
                active_mj=sum(booked.cell.marked_mj for booked in covered),
                total_mj=sum(booked.cell.energy_mj for booked in covered),
                phases={phase: booked.cell.energy_mj for phase, booked in known.items()},
                tokens={kind: count for (_, _, _, kind), count in counts.get(of, {}).items()},
                priced=sum((booked.priced for booked in covered), NOTHING),
                open_mj=sum(booked.open_mj for booked in covered),
            )
        )
    return rows


def price_rows(hours: Mapping[int, HourPrice], start_wall_ns: int, end_wall_ns: int) -> list[HourPrice]:
    """Give those of *hours* that overlap ``[start, end)``, in their order."""
    first, last = hours_within(start_wall_ns, end_wall_ns)
    return [hours[hour] for hour in sorted(hours) if first <= hour <= last]
