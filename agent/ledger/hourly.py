"""Cells of history as table rows and back; which of them wait, and for how long they are kept, is not said here."""

import logging
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import add
from typing import TypeVar

from wattledger.rules.state import State
from wattledger.rules.tokens.model import TokenKind
from wattledger.rules.tokens.totals import Phase
from wattledger.rules.usage.workload import Workload, WorkloadKey

from .backlog import hours_within
from .base import LedgerDamaged
from .hours import Cell
from .ids import Ids
from .rows import Row, SqlValue, fit, member, text_of, whole
from .waiting import DeviceHour, PhaseHour, TokenHour, Waiting, WorkloadHour
from .workload_row import WORKLOAD_COLUMNS, has_usage, workload_of

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Table:
    """One table of history: how its rows are found and written, by the columns of their key."""

    name: str
    select_sql: str
    insert_sql: str


def _table(name: str, keys: tuple[str, ...], numbers: tuple[str, ...]) -> _Table:
    # The names are those written below; none comes from outside.
    marks = ", ".join("?" * (len(keys) + len(numbers)))
    where = " AND ".join(f"{key} = ?" for key in keys)
    return _Table(
        name=name,
        select_sql=f"SELECT {', '.join(numbers)} FROM {name} WHERE {where}",  # noqa: S608
        insert_sql=f"INSERT OR REPLACE INTO {name} ({', '.join(keys + numbers)}) VALUES ({marks})",  # noqa: S608
    )


_DEVICES = _table("hourly", ("hour", "device", "state"), ("energy_mj", "duration_ns", "avoidable_mj"))
_WORKLOADS = _table(
    "workload_hourly", ("hour", "device", "workload", "state"), ("energy_mj", "duration_ns", "avoidable_mj")
)
_PHASES = _table("service_hourly", ("hour", "service", "phase"), ("energy_mj", "duration_ns", "active_mj"))
_TOKENS = _table("service_hourly_tokens", ("hour", "service", "kind"), ("tokens",))
# All of them, each with its hour in front.
HISTORY_TABLES = tuple(table.name for table in (_DEVICES, _WORKLOADS, _PHASES, _TOKENS))


def write(
    connection: sqlite3.Connection, ids: Ids, waiting: Waiting, *, names: Mapping[WorkloadKey, Workload]
) -> None:
    """Add what waits to what is stored. Raises LedgerDamaged, sqlite3.Error."""
    for (hour, uuid, state), cell in waiting.devices.cells.items():
        _add(connection, _DEVICES, (hour, ids.device(uuid), state.value), _numbers(cell))
    for (hour, uuid, workload, state), cell in waiting.workloads.cells.items():
        key = (hour, ids.device(uuid), ids.workload(names[workload], hour=hour), state.value)
        _add(connection, _WORKLOADS, key, _numbers(cell))
    for (hour, service, model, phase), cell in waiting.phases.cells.items():
        _add(connection, _PHASES, (hour, ids.service(service, model), phase.value), _numbers(cell))
    for (hour, service, model, kind), tokens in waiting.tokens.cells.items():
        _add(connection, _TOKENS, (hour, ids.service(service, model), kind.value), (tokens,))


def _add(connection: sqlite3.Connection, table: _Table, key: Row, numbers: tuple[int, ...]) -> None:
    # Added up here and not by SQL, whose sums overflow where ours do not.
    found = connection.execute(table.select_sql, key).fetchone()
    if found is not None:
        try:
            numbers = tuple(map(add, numbers, map(whole, found)))
        except (ValueError, TypeError) as error:
            raise LedgerDamaged(f"a row of {table.name} cannot be understood: {error!r}") from error
    connection.execute(table.insert_sql, (*key, *map(fit, numbers)))


def devices_within(
    connection: sqlite3.Connection, start_wall_ns: int, end_wall_ns: int, *, uuid: str | None
) -> list[tuple[DeviceHour, Cell]]:
    """Give the stored cells whose hour overlaps ``[start, end)``. Raises sqlite3.Error, LedgerDamaged."""
    found = connection.execute(
        "SELECT hourly.hour, device.uuid, hourly.state, hourly.energy_mj, hourly.duration_ns, hourly.avoidable_mj "
        "FROM hourly INNER JOIN device ON device.id = hourly.device "
        "WHERE hourly.hour BETWEEN ? AND ? AND (? IS NULL OR device.uuid = ?)",
        (*hours_within(start_wall_ns, end_wall_ns), uuid, uuid),
    )
    return _understood(_DEVICES, found, _device_cell)


def workloads_within(
    connection: sqlite3.Connection, start_wall_ns: int, end_wall_ns: int
) -> list[tuple[WorkloadHour, Cell, Workload]]:
    """Give the stored cells whose hour overlaps ``[start, end)``, each with its workload.

    A row that only a later agent understands is left out, and logged. Raises sqlite3.Error, LedgerDamaged.
    """
    found = _found(
        connection,
        "SELECT workload_hourly.hour, device.uuid, workload_hourly.state, workload_hourly.energy_mj, "  # noqa: S608
        f"workload_hourly.duration_ns, workload_hourly.avoidable_mj, {WORKLOAD_COLUMNS} "
        "FROM workload_hourly INNER JOIN device ON device.id = workload_hourly.device "
        "INNER JOIN workload ON workload.id = workload_hourly.workload WHERE workload_hourly.hour BETWEEN ? AND ?",
        start_wall_ns,
        end_wall_ns,
    )
    return _understood(_WORKLOADS, found, _workload_cell)


def phases_within(
    connection: sqlite3.Connection, start_wall_ns: int, end_wall_ns: int
) -> list[tuple[PhaseHour, Cell]]:
    """Give the stored energy of services whose hour overlaps ``[start, end)``; as `workloads_within` else."""
    found = _found(
        connection,
        "SELECT service_hourly.hour, service.name, service.model, service_hourly.phase, service_hourly.energy_mj, "
        "service_hourly.duration_ns, service_hourly.active_mj "
        "FROM service_hourly INNER JOIN service ON service.id = service_hourly.service "
        "WHERE service_hourly.hour BETWEEN ? AND ?",
        start_wall_ns,
        end_wall_ns,
    )
    return _understood(_PHASES, found, _phase_cell)


def tokens_within(
    connection: sqlite3.Connection, start_wall_ns: int, end_wall_ns: int
) -> list[tuple[TokenHour, int]]:
    """Give the stored tokens of services whose hour overlaps ``[start, end)``; as `workloads_within` else."""
    found = _found(
        connection,
        "SELECT service_hourly_tokens.hour, service.name, service.model, service_hourly_tokens.kind, "
        "service_hourly_tokens.tokens FROM service_hourly_tokens "
        "INNER JOIN service ON service.id = service_hourly_tokens.service "
        "WHERE service_hourly_tokens.hour BETWEEN ? AND ?",
        start_wall_ns,
        end_wall_ns,
    )
    return _understood(_TOKENS, found, _token_cell)


def _found(connection: sqlite3.Connection, sql: str, start_wall_ns: int, end_wall_ns: int) -> Iterable[Row]:
    if not has_usage(connection):
        return ()  # a file that could not be brought up to date
    return connection.execute(sql, hours_within(start_wall_ns, end_wall_ns))


def _understood(table: _Table, found: Iterable[Row], decode: Callable[[Row], T | None]) -> list[T]:
    """Give what the rows say; *decode* gives None for one that only a later agent knows."""
    understood: list[T] = []
    unknown = 0
    for row in found:
        try:
            item = decode(row)
        except (ValueError, TypeError) as error:
            raise LedgerDamaged(f"a row of {table.name} cannot be understood: {error!r}") from error
        if item is None:
            unknown += 1
        else:
            understood.append(item)
    if unknown:
        log.warning("ledger_history_unknown table=%s rows=%d", table.name, unknown)
    return understood


def _device_cell(row: Row) -> tuple[DeviceHour, Cell]:
    hour, uuid, state, *numbers = row
    return (whole(hour), text_of(uuid), State(text_of(state))), _cell(numbers)


def _workload_cell(row: Row) -> tuple[WorkloadHour, Cell, Workload] | None:
    hour, uuid, state, energy_mj, duration_ns, avoidable_mj, *columns = row
    known, workload = member(State, state), workload_of(*columns)
    if known is None or workload is None:
        return None
    key = (whole(hour), text_of(uuid), workload.key, known)
    return key, _cell([energy_mj, duration_ns, avoidable_mj]), workload


def _phase_cell(row: Row) -> tuple[PhaseHour, Cell] | None:
    hour, name, model, phase, *numbers = row
    known = member(Phase, phase)
    return None if known is None else ((whole(hour), text_of(name), text_of(model), known), _cell(numbers))


def _token_cell(row: Row) -> tuple[TokenHour, int] | None:
    hour, name, model, kind, tokens = row
    known = member(TokenKind, kind)
    return None if known is None else ((whole(hour), text_of(name), text_of(model), known), whole(tokens))


def _numbers(cell: Cell) -> tuple[int, int, int]:
    return cell.energy_mj, cell.duration_ns, cell.marked_mj


def _cell(numbers: list[SqlValue]) -> Cell:
    energy_mj, duration_ns, marked_mj = map(whole, numbers)
    return Cell(energy_mj, duration_ns, marked_mj)
