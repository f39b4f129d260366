"""How a ledger is read where it cannot be written, or while another process writes it; it changes nothing there."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from wattledger.rules.account import DeviceAccount

from . import account_rows, alerts, price_rows, usage_rows
from .alerts import AlertRows
from .base import LedgerTooNew, Prices, Usage
from .connection import connect
from .migrate import NEWEST_VERSION


@dataclass(frozen=True, slots=True)
class Peek:
    """The accounts, alerts, usage and counters of prices of a ledger file, and where in its life it was.

    No file: no identity.
    """

    accounts: dict[str, DeviceAccount] = field(default_factory=dict)
    identity: int | None = None
    commits: int = 0
    last_commit_wall_ns: int | None = None
    alerts: AlertRows = field(default_factory=AlertRows)
    usage: Usage = field(default_factory=Usage)
    prices: Prices = field(default_factory=Prices)


def peek(path: Path) -> Peek:
    """Read what the ledger at *path* says. Raises LedgerTooNew, LedgerDamaged, sqlite3.Error, OSError."""
    try:
        path.stat()
    except FileNotFoundError:
        return Peek()
    with reading(path, may_copy=True) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > NEWEST_VERSION:
            raise LedgerTooNew(path, version, NEWEST_VERSION)
        connection.execute("BEGIN")
        book = connection.execute("SELECT created_wall_ns, commits, last_commit_wall_ns FROM book").fetchone()
        identity, commits, last_commit_wall_ns = book
        return Peek(
            account_rows.read(connection),
            identity,
            commits,
            last_commit_wall_ns,
            alerts.read(connection),
            usage_rows.read(connection),
            price_rows.read(connection),
        )


@contextmanager
def reading(path: Path, *, may_copy: bool) -> Iterator[sqlite3.Connection]:
    """Give a connection that reads the ledger at *path*, its log included. Raises sqlite3.Error, OSError.

    SQLite needs an index file beside the log. Where none can be made (read-only or full disk) a copy is read. A
    process that has the ledger open must not copy: closing the plain file would drop SQLite's locks on it.
    """
    connection = connect(path, mode="ro")
    try:
        try:
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            beside = True
        except sqlite3.OperationalError:
            if not may_copy:
                raise
            beside = False
        if beside:
            yield connection
            return
    finally:
        connection.close()
    import tempfile  # noqa: PLC0415  (brings compression modules along, for a case that hardly comes)

    with tempfile.TemporaryDirectory(prefix="wattledger-") as directory:
        copy = Path(directory) / path.name
        _copy(path, copy)
        log = path.with_name(f"{path.name}-wal")
        if log.exists():
            _copy(log, copy.with_name(log.name))
        connection = connect(copy, mode="rw")
        try:
            yield connection
        finally:
            connection.close()


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as reader, target.open("wb") as writer:
        while chunk := reader.read(1 << 20):
            writer.write(chunk)
