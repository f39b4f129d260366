"""Open quarter hours as table rows: they are added to, and become hours when they close; why is not said here."""

import sqlite3
from collections.abc import Mapping

from wattledger.rules.pricing.model import SLOTS_PER_HOUR, slots_of_hour
from wattledger.rules.usage.workload import Workload, WorkloadKey

from . import host_hour_rows
from .base import LedgerDamaged, Slots
from .booked import Booked
from .closing import OpenCells, close
from .hours import Cell
from .ids import Ids
from .priced_row import PRICE_COLUMNS, booked_of, booked_row
from .rows import Row, SqlValue, text, text_of, whole
from .table import Table, add_numbers, not_understood, table
from .waiting import Step, Waiting

_DEVICES = table("open_device", ("slot", "device", "state"), ("energy_mj", "duration_ns", "avoidable_mj"))
_WORKLOADS = table(
    "open_workload", ("slot", "device", "workload", "state"), ("energy_mj", "duration_ns", "avoidable_mj")
)
_PHASES = table("open_service", ("slot", "service", "phase"), ("energy_mj", "duration_ns", "active_mj"))
_METERS = table("open_meter", ("slot", "domain", "source"), ("energy_mj", "covered_ns"))
_TOKENS = table("service_hourly_tokens", ("hour", "service", "kind"), ("tokens",))
_OPEN = (_DEVICES, _WORKLOADS, _PHASES, _METERS)
_CLOSED_DEVICES = table(
    "hourly", ("hour", "device", "state"), ("energy_mj", "duration_ns", "avoidable_mj", *PRICE_COLUMNS)
)
_CLOSED_WORKLOADS = table(
    "workload_hourly",
    ("hour", "device", "workload", "state"),
    ("energy_mj", "duration_ns", "avoidable_mj", *PRICE_COLUMNS),
)
_CLOSED_PHASES = table(
    "service_hourly", ("hour", "service", "phase"), ("energy_mj", "duration_ns", "active_mj", *PRICE_COLUMNS)
)

# What rows are of, in an order that does not depend on their numbers in this file: these come last.
_Device = tuple[str, int, str]  # uuid, row, state
_Workload = tuple[str, str, int]  # kind, identity, row
_Phase = tuple[str, str, int, str]  # service, model, row, phase
_Open = OpenCells[_Device, _Workload, _Phase]


def write(
    connection: sqlite3.Connection, ids: Ids, waiting: Waiting, *, names: Mapping[WorkloadKey, Workload]
) -> None:
    """Add what waits to what is stored, and close the hours that are to be. Raises LedgerDamaged, sqlite3.Error."""
    for step in waiting.steps:
        _add(connection, ids, step, names)
        if step.hours or step.closings:
            host_hour_rows.write(connection, step)
        for hour, prices in step.closings.items():
            _close(connection, hour, prices)
    for (hour, service, model, kind), tokens in waiting.tokens.cells.items():
        add_numbers(connection, _TOKENS, (hour, ids.service(service, model), kind.value), (tokens,))


def _add(connection: sqlite3.Connection, ids: Ids, step: Step, names: Mapping[WorkloadKey, Workload]) -> None:
    for (slot, uuid, state), cell in step.devices.cells.items():
        add_numbers(connection, _DEVICES, (slot, ids.device(uuid), state.value), _numbers(cell))
    for (slot, uuid, workload, state), cell in step.workloads.cells.items():
        number = ids.workload(names[workload], hour=slot // SLOTS_PER_HOUR)
        add_numbers(connection, _WORKLOADS, (slot, ids.device(uuid), number, state.value), _numbers(cell))
    for (slot, service, model, phase), cell in step.phases.cells.items():
        add_numbers(connection, _PHASES, (slot, ids.service(service, model), phase.value), _numbers(cell))
    for (slot, domain, source), energy in step.meters.cells.items():
        numbers = (energy.energy_mj, energy.covered_ns)
        add_numbers(connection, _METERS, (slot, text(domain), source.value), numbers)


def _close(connection: sqlite3.Connection, hour: int, prices: Slots) -> None:
    """Give what is open of *hour* its prices and add it to the hourly tables. States of later agents go along."""
    slots = slots_of_hour(hour)
    between = (slots[0], slots[-1])
    closed = close(_open(connection, slots, between), prices)
    for (_, device, state), booked in closed.devices.items():
        _add_booked(connection, _CLOSED_DEVICES, (hour, device, state), booked)
    for ((_, device, state), (_, _, workload)), booked in closed.workloads.items():
        _add_booked(connection, _CLOSED_WORKLOADS, (hour, device, workload, state), booked)
    for (_, _, service, phase), booked in closed.phases.items():
        _add_booked(connection, _CLOSED_PHASES, (hour, service, phase), booked)
    for each in _OPEN:
        connection.execute(f"DELETE FROM {each.name} WHERE slot BETWEEN ? AND ?", between)  # noqa: S608  (our names)


def _open(connection: sqlite3.Connection, slots: range, between: tuple[int, int]) -> list[_Open]:
    """Give what is open of each of *slots*, all in their order. Raises LedgerDamaged, sqlite3.Error."""
    devices: dict[tuple[int, _Device], Cell] = {}
    workloads: dict[tuple[int, _Device, _Workload], Cell] = {}
    phases: dict[tuple[int, _Phase], Cell] = {}
    try:
        for slot, uuid, device, state, *numbers in connection.execute(
            "SELECT open_device.slot, device.uuid, device.id, open_device.state, open_device.energy_mj, "
            "open_device.duration_ns, open_device.avoidable_mj "
            "FROM open_device INNER JOIN device ON device.id = open_device.device WHERE slot BETWEEN ? AND ?",
            between,
        ):
            devices[slot, (text_of(uuid), device, text_of(state))] = _cell(numbers)
        for slot, uuid, device, state, kind, identity, workload, *numbers in connection.execute(
            "SELECT open_workload.slot, device.uuid, device.id, open_workload.state, workload.kind, "
            "workload.identity, workload.id, open_workload.energy_mj, open_workload.duration_ns, "
            "open_workload.avoidable_mj FROM open_workload INNER JOIN device ON device.id = open_workload.device "
            "INNER JOIN workload ON workload.id = open_workload.workload WHERE slot BETWEEN ? AND ?",
            between,
        ):
            of = (text_of(kind), text_of(identity), workload)
            workloads[slot, (text_of(uuid), device, text_of(state)), of] = _cell(numbers)
        for slot, name, model, service, phase, *numbers in connection.execute(
            "SELECT open_service.slot, service.name, service.model, service.id, open_service.phase, "
            "open_service.energy_mj, open_service.duration_ns, open_service.active_mj "
            "FROM open_service INNER JOIN service ON service.id = open_service.service WHERE slot BETWEEN ? AND ?",
            between,
        ):
            phases[slot, (text_of(name), text_of(model), service, text_of(phase))] = _cell(numbers)
    except (ValueError, TypeError) as error:
        raise LedgerDamaged(f"a row of an open hour cannot be understood: {error!r}") from error
    found: dict[int, _Open] = {slot: OpenCells() for slot in slots}
    for (slot, device), cell in sorted(devices.items(), key=lambda item: item[0]):
        found[slot].devices[device] = cell
    for (slot, device, workload), cell in sorted(workloads.items(), key=lambda item: item[0]):
        found[slot].workloads[device, workload] = cell
    for (slot, phase), cell in sorted(phases.items(), key=lambda item: item[0]):
        found[slot].phases[phase] = cell
    return list(found.values())


def _add_booked(connection: sqlite3.Connection, to: Table, key: Row, booked: Booked) -> None:
    found = connection.execute(to.select_sql, key).fetchone()
    if found is not None:
        try:
            booked = booked_of(found) + booked
        except (ValueError, TypeError) as error:
            raise not_understood(to.name, error) from error
    connection.execute(to.insert_sql, (*key, *booked_row(booked)))


def _numbers(cell: Cell) -> tuple[int, int, int]:
    return cell.energy_mj, cell.duration_ns, cell.marked_mj


def _cell(numbers: list[SqlValue]) -> Cell:
    energy_mj, duration_ns, marked_mj = map(whole, numbers)
    return Cell(energy_mj, duration_ns, marked_mj)
