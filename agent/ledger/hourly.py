"""Rows of history as cells: hours that are closed, and quarters of those that are open; it writes nothing."""

import sqlite3
from collections.abc import Callable, Iterable
from typing import TypeVar

from wattledger.rules.pricing.model import SLOTS_PER_HOUR
from wattledger.rules.state import State
from wattledger.rules.tokens.model import TokenKind
from wattledger.rules.tokens.totals import Phase
from wattledger.rules.usage.workload import Workload

from .backlog import hours_within
from .booked import Booked
from .cells import DeviceKey, PhaseKey, TokenKey, UsedKey
from .priced_row import NO_PRICES, PRICE_COLUMNS, booked_of, has_prices
from .rows import Row, member, text_of, whole
from .table import understood
from .workload_row import WORKLOAD_COLUMNS, has_usage, workload_of

T = TypeVar("T")


def devices_within(
    connection: sqlite3.Connection, start_wall_ns: int, end_wall_ns: int, *, uuid: str | None
) -> list[tuple[DeviceKey, Booked]]:
    """Give the stored cells whose hour overlaps ``[start, end)``. Raises sqlite3.Error, LedgerDamaged."""
    return _cells(
        connection,
        ("hourly", "open_device"),
        "device.uuid, cell.state, {numbers} FROM {table} AS cell INNER JOIN device ON device.id = cell.device "
        "WHERE {time} BETWEEN ? AND ? AND (? IS NULL OR device.uuid = ?)",
        hours_within(start_wall_ns, end_wall_ns),
        marked="avoidable_mj",
        decode=_device_cell,
        values=(uuid, uuid),
    )


def workloads_within(
    connection: sqlite3.Connection, start_wall_ns: int, end_wall_ns: int
) -> list[tuple[UsedKey, Booked, Workload]]:
    """Give the stored cells whose hour overlaps ``[start, end)``, each with its workload.

    A row that only a later agent understands is left out, and logged. Raises sqlite3.Error, LedgerDamaged.
    """
    if not has_usage(connection):
        return []  # a file that could not be brought up to date
    return _cells(
        connection,
        ("workload_hourly", "open_workload"),
        f"device.uuid, cell.state, {WORKLOAD_COLUMNS}, {{numbers}} FROM {{table}} AS cell "
        "INNER JOIN device ON device.id = cell.device INNER JOIN workload ON workload.id = cell.workload "
        "WHERE {time} BETWEEN ? AND ?",
        hours_within(start_wall_ns, end_wall_ns),
        marked="avoidable_mj",
        decode=_workload_cell,
    )


def phases_within(
    connection: sqlite3.Connection, start_wall_ns: int, end_wall_ns: int
) -> list[tuple[PhaseKey, Booked]]:
    """Give the stored energy of services whose hour overlaps ``[start, end)``; as `workloads_within` else."""
    if not has_usage(connection):
        return []
    return _cells(
        connection,
        ("service_hourly", "open_service"),
        "service.name, service.model, cell.phase, {numbers} FROM {table} AS cell "
        "INNER JOIN service ON service.id = cell.service WHERE {time} BETWEEN ? AND ?",
        hours_within(start_wall_ns, end_wall_ns),
        marked="active_mj",
        decode=_phase_cell,
    )


def tokens_within(connection: sqlite3.Connection, start_wall_ns: int, end_wall_ns: int) -> list[tuple[TokenKey, int]]:
    """Give the stored tokens of services whose hour overlaps ``[start, end)``; as `workloads_within` else."""
    if not has_usage(connection):
        return []
    found = connection.execute(
        "SELECT service_hourly_tokens.hour, service.name, service.model, service_hourly_tokens.kind, "
        "service_hourly_tokens.tokens FROM service_hourly_tokens "
        "INNER JOIN service ON service.id = service_hourly_tokens.service "
        "WHERE service_hourly_tokens.hour BETWEEN ? AND ?",
        hours_within(start_wall_ns, end_wall_ns),
    )
    return understood("service_hourly_tokens", found, _token_cell)


def _cells(
    connection: sqlite3.Connection,
    tables: tuple[str, str],
    selection: str,
    hours: tuple[int, int],
    *,
    marked: str,
    decode: Callable[[Row], T | None],
    values: Iterable[str | None] = (),
) -> list[T]:
    """Give the closed rows of the first of *tables*, and the open ones of the second under their hour.

    All names are those written in this file.
    """
    closed, still_open = tables
    numbers = f"cell.energy_mj, cell.duration_ns, cell.{marked}"
    priced = has_prices(connection)
    prices = ", ".join(f"cell.{column}" for column in PRICE_COLUMNS) if priced else NO_PRICES
    sql = "SELECT cell.hour, " + selection.format(numbers=f"{numbers}, {prices}", table=closed, time="cell.hour")
    found = understood(closed, connection.execute(sql, (*hours, *values)), decode)
    if priced:
        first, last = hours
        slots = (first * SLOTS_PER_HOUR, (last + 1) * SLOTS_PER_HOUR - 1)
        # Shifted, not divided: SQL would round what lies before the epoch up. An hour has four slots.
        sql = "SELECT cell.slot >> 2, " + selection.format(numbers=numbers, table=still_open, time="cell.slot")
        found += understood(still_open, connection.execute(sql, (*slots, *values)), decode)
    return found


def _device_cell(row: Row) -> tuple[DeviceKey, Booked]:
    hour, uuid, state, *numbers = row
    return (whole(hour), text_of(uuid), State(text_of(state))), booked_of(tuple(numbers))


def _workload_cell(row: Row) -> tuple[UsedKey, Booked, Workload] | None:
    hour, uuid, state, kind, identity, title, names, *numbers = row
    known, workload = member(State, state), workload_of(kind, identity, title, names)
    if known is None or workload is None:
        return None
    return (whole(hour), text_of(uuid), workload.key, known), booked_of(tuple(numbers)), workload


def _phase_cell(row: Row) -> tuple[PhaseKey, Booked] | None:
    hour, name, model, phase, *numbers = row
    known = member(Phase, phase)
    if known is None:
        return None
    return (whole(hour), text_of(name), text_of(model), known), booked_of(tuple(numbers))


def _token_cell(row: Row) -> tuple[TokenKey, int] | None:
    hour, name, model, kind, tokens = row
    known = member(TokenKind, kind)
    return None if known is None else ((whole(hour), text_of(name), text_of(model), known), whole(tokens))
