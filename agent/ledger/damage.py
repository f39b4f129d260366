"""What a damaged ledger looks like and where it is put; what is done instead is not decided here."""

import logging
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from wattledger.agent.clock import Clock
from wattledger.rules.account import DeviceAccount, StateTotal
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.state import State
from wattledger.rules.tokens.totals import COVERED_PHASES, ServiceTotal

from . import alerts, price_rows, usage_rows
from .account_rows import read_damaged
from .alerts import AlertRows
from .base import LedgerDamaged, Prices, Usage
from .connection import connect

log = logging.getLogger(__name__)

T = TypeVar("T")
SIDE_FILES = ("", "-wal", "-shm", "-journal")
_CODES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
# Virtual machine steps between two looks at the clock; some tenths of a millisecond.
_STEPS = 10_000


def is_damage(error: BaseException) -> bool:
    """Tell damage of the file from trouble with the disk, the rights or another program."""
    if isinstance(error, LedgerDamaged):
        return True
    code = primary_code(error)
    if code == sqlite3.SQLITE_ERROR:
        # Our statements are fixed: what they name is missing from the file.
        return str(error).startswith(("no such table", "no such column", "malformed", "table "))
    return code in _CODES or getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_IOERR_SHORT_READ


def primary_code(error: BaseException) -> int:
    """Give SQLite's primary result code, 0 for other errors."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def check(connection: sqlite3.Connection, clock: Clock, *, limit_ns: int) -> None:
    """Run quick_check for at most *limit_ns*; a check that is cut off counts as passed.

    Raises LedgerDamaged with the first finding, sqlite3.Error.
    """
    end_ns = clock.now().mono_ns + limit_ns
    connection.set_progress_handler(lambda: clock.now().mono_ns > end_ns, _STEPS)
    try:
        finding = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError as error:
        if primary_code(error) != sqlite3.SQLITE_INTERRUPT:
            raise
        log.warning("ledger_check_cut_off limit_seconds=%.1f", limit_ns / NS_PER_SECOND)
        return
    finally:
        connection.set_progress_handler(None, 0)
    if finding != "ok":
        raise LedgerDamaged(" ".join(finding.split()))


def move_aside(path: Path, at: Instant) -> Path:
    """Rename the ledger and what SQLite keeps beside it; give the new name. Raises OSError."""
    utc = datetime.fromtimestamp(at.wall_ns // NS_PER_SECOND, UTC).strftime("%Y%m%dT%H%M%SZ")
    stem = f"{path.stem}.damaged-{utc}"
    target = path.with_name(f"{stem}{path.suffix}")
    number = 1
    while any(_beside(target, side).exists() for side in SIDE_FILES):
        number += 1
        target = path.with_name(f"{stem}-{number}{path.suffix}")
    for side in SIDE_FILES:
        if _beside(path, side).exists():
            _beside(path, side).rename(_beside(target, side))
    sync_directory(path.parent)
    return target


def rescue(path: Path) -> dict[str, DeviceAccount]:
    """Give the accounts of a damaged ledger whose parts still add up, so that their counters need not fall.

    The sum over the states must be the sum over the methods: energy is booked to both alike.
    """
    accounts = _rescued(path, read_damaged) or {}
    return {uuid: account for uuid, account in accounts.items() if account.energy_mj == sum(account.methods.values())}


def rescue_alerts(path: Path) -> AlertRows:
    """Give the alerts of a damaged ledger; one that is wrong is found out by the first evaluations."""
    return _rescued(path, alerts.read) or AlertRows()


def rescue_usage(path: Path, accounts: Mapping[str, DeviceAccount]) -> Usage:
    """Give the totals of a damaged ledger that can be true beside the *accounts* that were rescued from it.

    Workloads never used more of a device in a state than it drew there; a device that fails this, or was not
    rescued, loses its totals, so that none counts joules that the device does not.
    """
    usage = _rescued(path, usage_rows.read) or Usage()
    used: Counter[tuple[str, State]] = Counter()
    for total in usage.totals:
        used[total.uuid, total.state] += total.energy_mj
    wrong = {
        uuid
        for (uuid, state), energy_mj in used.items()
        if uuid not in accounts or energy_mj > accounts[uuid].states.get(state, StateTotal()).energy_mj
    }
    return Usage(
        tuple(total for total in usage.totals if total.uuid not in wrong),
        tuple(total for total in usage.services if _adds_up(total)),
    )


def rescue_prices(path: Path) -> Prices:
    """Give the counters of prices of a damaged ledger that can be true: none is below zero."""
    prices = _rescued(path, price_rows.read) or Prices()
    return Prices(
        tuple(total for total in prices.totals if total.closed >= 0 and total.shown >= 0),
        {lot: used_mj for lot, used_mj in prices.certificates.items() if used_mj >= 0},
        nodes=tuple(total for total in prices.nodes if total.energy_mj >= 0),
    )


def _adds_up(total: ServiceTotal) -> bool:
    covered_mj = sum(energy_mj for phase, energy_mj in total.phases.items() if phase in COVERED_PHASES)
    return 0 <= total.active_mj <= total.total_mj == covered_mj


def _rescued(path: Path, reader: Callable[[sqlite3.Connection], T]) -> T | None:
    try:
        connection = connect(path, mode="ro")
        try:
            return reader(connection)
        finally:
            connection.close()
    except (sqlite3.Error, LedgerDamaged) as error:
        log.warning("ledger_rescue_failed path=%s detail=%s", path, error)
        return None


def remains(path: Path) -> bool:
    """Give whether SQLite's side files lie there without their ledger: a new one must not take them for its own."""
    return not path.exists() and any(_beside(path, side).exists() for side in SIDE_FILES[1:])


def remove(path: Path) -> None:
    """Delete a ledger with its side files, those of them that are there. Raises OSError."""
    for side in SIDE_FILES:
        _beside(path, side).unlink(missing_ok=True)


def sync_directory(directory: Path) -> None:
    """Make renames in *directory* survive a power cut. Raises OSError."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _beside(path: Path, side: str) -> Path:
    return path.with_name(path.name + side)
