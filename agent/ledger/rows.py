"""An account as table rows, and which rows differ; it knows no file and no transaction. Back is account_rows.py's."""

import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from wattledger.rules.account import DeviceAccount

log = logging.getLogger(__name__)

SqlValue = int | float | str | bytes | None
Row = tuple[SqlValue, ...]
TableRows = dict[SqlValue, Row]  # by the key within the device
Rows = dict[str, TableRows]  # by table

EnumT = TypeVar("EnumT", bound=StrEnum)

_MAX_I64 = (1 << 63) - 1
_MIN_I64 = -(1 << 63)


@dataclass(frozen=True, slots=True)
class _Table:
    """One table that hangs on a device. `key` is the second column of its key, empty when a device has one row."""

    name: str
    key: str
    columns: tuple[str, ...]
    encode: Callable[[DeviceAccount], TableRows]
    insert_sql: str
    delete_sql: str
    clear_sql: str


def _table(name: str, key: str, columns: tuple[str, ...], encode: Callable[[DeviceAccount], TableRows]) -> _Table:
    # The names are those written below; none comes from outside.
    marks = ", ".join("?" * (len(columns) + 1))
    clear = f"DELETE FROM {name} WHERE device = ?"  # noqa: S608
    return _Table(
        name=name,
        key=key,
        columns=columns,
        encode=encode,
        insert_sql=f"INSERT OR REPLACE INTO {name} (device, {', '.join(columns)}) VALUES ({marks})",  # noqa: S608
        delete_sql=f"{clear} AND {key} IS ?" if key else f"{clear} AND ? IS NULL",
        clear_sql=clear,
    )


def _states(account: DeviceAccount) -> TableRows:
    return {
        state.value: (state.value, fit(total.energy_mj), fit(total.duration_ns))
        for state, total in account.states.items()
    }


def _methods(account: DeviceAccount) -> TableRows:
    return {method.value: (method.value, fit(energy_mj)) for method, energy_mj in account.methods.items()}


def _anchors(account: DeviceAccount) -> TableRows:
    anchor = account.anchor
    if anchor is None:
        return {}
    return {
        None: (
            fit(anchor.at.mono_ns),
            fit(anchor.at.wall_ns),
            anchor.boot_id,
            anchor.driver_version,
            _fit_optional(anchor.counter_mj),
            _fit_optional(anchor.uptime_seconds),
        )
    }


def _counters(account: DeviceAccount) -> TableRows:
    return {
        quantity.value: (quantity.value, fit(carried.total), fit(carried.last_raw))
        for quantity, carried in account.counters.items()
    }


def _xids(account: DeviceAccount) -> TableRows:
    return {fit(xid): (fit(xid), fit(seen.count), fit(seen.last_wall_ns)) for xid, seen in account.xids.items()}


def _baselines(account: DeviceAccount) -> TableRows:
    return {
        kind.value: (
            baseline.kind.value,
            baseline.origin.value,
            fit(baseline.power_mw),
            fit(baseline.samples),
            fit(baseline.learnt_wall_ns),
            baseline.driver_version,
            baseline.vbios_version,
            baseline.temperature_celsius,
            _fit_optional(baseline.sm_clock_hz),
        )
        for kind, baseline in account.baselines.items()
    }


TABLES = (
    _table("state_total", "state", ("state", "energy_mj", "duration_ns"), _states),
    _table("method_total", "method", ("method", "energy_mj"), _methods),
    _table(
        "anchor", "", ("mono_ns", "wall_ns", "boot_id", "driver_version", "counter_mj", "uptime_seconds"), _anchors
    ),
    _table("counter", "quantity", ("quantity", "total", "last_raw"), _counters),
    _table("xid", "xid", ("xid", "count", "last_wall_ns"), _xids),
    _table(
        "baseline",
        "kind",
        (
            "kind",
            "origin",
            "power_mw",
            "samples",
            "learnt_wall_ns",
            "driver_version",
            "vbios_version",
            "temperature_celsius",
            "sm_clock_hz",
        ),
        _baselines,
    ),
)
DEVICE_COLUMNS = ("name", "avoidable_mj", "unknown_ns", "counter_resets", "rejected_segments")
_DEVICE_SQL = f"UPDATE device SET {', '.join(f'{column} = ?' for column in DEVICE_COLUMNS)} WHERE id = ?"  # noqa: S608


def encode(account: DeviceAccount) -> Rows:
    """Give the rows of *account*."""
    rows: Rows = {table.name: table.encode(account) for table in TABLES}
    numbers = (account.avoidable_mj, account.unknown_ns, account.counter_resets, account.rejected_segments)
    rows["device"] = {None: (account.name, *map(fit, numbers))}
    return rows


def write(connection: sqlite3.Connection, device: int, before: Rows | None, after: Rows) -> None:
    """Write what differs between *before* and *after*; None before: whatever is there is replaced."""
    if before is None or before["device"] != after["device"]:
        connection.execute(_DEVICE_SQL, (*after["device"][None], device))
    for table in TABLES:
        new = after[table.name]
        if before is None:
            connection.execute(table.clear_sql, (device,))
            old: TableRows = {}
        else:
            old = before[table.name]
        if new == old:
            continue
        for key in old.keys() - new.keys():
            connection.execute(table.delete_sql, (device, key))
        for key, row in new.items():
            if old.get(key) != row:
                connection.execute(table.insert_sql, (device, *row))


def fit(value: int) -> SqlValue:
    """Give *value* as SQLite can hold it: a column without type affinity keeps the text of a larger one as it is."""
    return value if _MIN_I64 <= value <= _MAX_I64 else str(value)


def _fit_optional(value: int | None) -> SqlValue:
    return None if value is None else fit(value)


def whole(value: SqlValue) -> int:
    """Give the number that `fit` stored. Raises TypeError or ValueError for anything else."""
    if isinstance(value, float | bytes) or value is None:
        raise TypeError(f"number {value!r}")
    return int(value)


def text(value: str) -> SqlValue:
    """Give *value* as SQLite can hold it: as a text, or as a blob where it is no Unicode."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode(errors="surrogatepass")
    return value


def text_of(value: SqlValue) -> str:
    """Give the text that `text` stored. Raises TypeError or ValueError for anything else."""
    return value.decode(errors="surrogatepass") if isinstance(value, bytes) else plain(value)


def member(of: type[EnumT], value: SqlValue) -> EnumT | None:
    """Give the member of a closed set, None for one that only a later agent knows. Raises TypeError for no text."""
    try:
        return of(plain(value))
    except ValueError:
        return None


def whole_optional(value: SqlValue) -> int | None:
    """Give the number, None for none. Raises as `whole`."""
    return None if value is None else whole(value)


def plain(value: SqlValue) -> str:
    """Give a text that is one in the file too. Raises TypeError."""
    if not isinstance(value, str):
        raise TypeError(f"text {value!r}")
    return value
