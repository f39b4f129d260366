"""Table rows as accounts, all of them or what a damaged file still has; writing them is rows.py's."""

import logging
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace

from wattledger.rules.account import Anchor, Baseline, Carried, DeviceAccount, StateTotal, XidCount
from wattledger.rules.instant import Instant
from wattledger.rules.quantity import Quantity
from wattledger.rules.state import BaselineKind, BaselineOrigin, Method, State

from .base import LedgerDamaged
from .rows import DEVICE_COLUMNS, TABLES, Row, SqlValue, plain, whole, whole_optional

log = logging.getLogger(__name__)

_QUANTITIES: frozenset[SqlValue] = frozenset(quantity.value for quantity in Quantity)

_Accounts = dict[SqlValue, DeviceAccount]  # by the number of the device's row


def read(connection: sqlite3.Connection) -> dict[str, DeviceAccount]:
    """Give all accounts. Raises LedgerDamaged for rows that say what cannot be, sqlite3.Error from below."""
    accounts = _strictly(_read_totals, connection, {})
    for part in _PARTS:
        _strictly(part, connection, accounts)
    return {account.uuid: account for account in accounts.values()}


def read_damaged(connection: sqlite3.Connection) -> dict[str, DeviceAccount]:
    """Give all accounts without what beside the totals cannot be read. Raises as `read` where the totals cannot."""
    accounts = _strictly(_read_totals, connection, {})
    for part in _PARTS:
        try:
            _strictly(part, connection, accounts)
        except (sqlite3.Error, LedgerDamaged) as error:
            log.warning("ledger_part_lost part=%s detail=%s", part.__name__.removeprefix("_read_"), error)
    return {account.uuid: account for account in accounts.values()}


def _strictly(
    part: Callable[[sqlite3.Connection, _Accounts], None], connection: sqlite3.Connection, accounts: _Accounts
) -> _Accounts:
    try:
        part(connection, accounts)
    except (ValueError, TypeError, KeyError) as error:
        raise LedgerDamaged(f"a row cannot be understood: {error!r}") from error
    return accounts


def _read_totals(connection: sqlite3.Connection, accounts: _Accounts) -> None:
    for device, uuid, name, *numbers in connection.execute(
        f"SELECT id, uuid, {', '.join(DEVICE_COLUMNS)} FROM device ORDER BY id"  # noqa: S608
    ):
        avoidable_mj, unknown_ns, counter_resets, rejected_segments = map(whole, numbers)
        accounts[device] = DeviceAccount(
            uuid=plain(uuid),
            name=plain(name),
            avoidable_mj=avoidable_mj,
            unknown_ns=unknown_ns,
            counter_resets=counter_resets,
            rejected_segments=rejected_segments,
        )
    for device, state, *totals in _select(connection, "state_total"):
        accounts[device].states[State(plain(state))] = StateTotal(*map(whole, totals))
    for device, method, energy_mj in _select(connection, "method_total"):
        accounts[device].methods[Method(plain(method))] = whole(energy_mj)


def _read_anchors(connection: sqlite3.Connection, accounts: _Accounts) -> None:
    for device, mono_ns, wall_ns, boot_id, driver, counter_mj, uptime in _select(connection, "anchor"):
        anchor = Anchor(
            at=Instant(whole(mono_ns), whole(wall_ns)),
            boot_id=plain(boot_id),
            driver_version=plain(driver),
            counter_mj=whole_optional(counter_mj),
            uptime_seconds=whole_optional(uptime),
        )
        accounts[device] = replace(accounts[device], anchor=anchor)


def _read_counters(connection: sqlite3.Connection, accounts: _Accounts) -> None:
    for device, quantity, total, last_raw in _select(connection, "counter"):
        if quantity in _QUANTITIES:
            accounts[device].counters[Quantity(plain(quantity))] = Carried(whole(total), whole(last_raw))
        else:
            # A later agent may know more counters; that is no reason to refuse its totals.
            log.warning("ledger_counter_unknown quantity=%s", quantity)


def _read_xids(connection: sqlite3.Connection, accounts: _Accounts) -> None:
    for device, xid, count, last_wall_ns in _select(connection, "xid"):
        accounts[device].xids[whole(xid)] = XidCount(whole(count), whole(last_wall_ns))


def _read_baselines(connection: sqlite3.Connection, accounts: _Accounts) -> None:
    for device, *columns in _select(connection, "baseline"):
        baseline = _baseline(tuple(columns))
        accounts[device].baselines[baseline.kind] = baseline


_PARTS = (_read_anchors, _read_counters, _read_xids, _read_baselines)


def _select(connection: sqlite3.Connection, name: str) -> Iterator[Row]:
    table = next(table for table in TABLES if table.name == name)
    return connection.execute(f"SELECT device, {', '.join(table.columns)} FROM {name}")  # noqa: S608


def _baseline(row: Row) -> Baseline:
    kind, origin, power_mw, samples, learnt_wall_ns, driver, vbios, celsius, clock_hz = row
    if not (celsius is None or isinstance(celsius, float)):
        raise TypeError(f"temperature {celsius!r}")
    return Baseline(
        kind=BaselineKind(plain(kind)),
        origin=BaselineOrigin(plain(origin)),
        power_mw=whole(power_mw),
        samples=whole(samples),
        learnt_wall_ns=whole(learnt_wall_ns),
        driver_version=plain(driver),
        vbios_version=plain(vbios),
        temperature_celsius=celsius,
        sm_clock_hz=whole_optional(clock_hz),
    )
