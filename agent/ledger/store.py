"""The ledger's SQLite file: opening it, one transaction a tick, reading history; when to retry is not its matter."""

import os
from collections import ChainMap
from collections.abc import Mapping
from pathlib import Path

from wattledger.agent.clock import Clock
from wattledger.rules.account import DeviceAccount
from wattledger.rules.instant import Instant

from . import account_rows, damage, open_rows, price_rows, rows, usage_rows
from . import alerts as alert_rows
from .alerts import AlertRows
from .base import LedgerDamaged, Prices, Usage
from .books import UsageBooks
from .connection import connect
from .ids import Ids
from .migrate import migrate
from .price_books import PriceBooks
from .prune import Pruning
from .waiting import Waiting

_SETTINGS = (
    "PRAGMA journal_mode = WAL",
    # FULL syncs the log at each commit: a number that was published is on disk, after a power cut too.
    "PRAGMA synchronous = FULL",
    "PRAGMA wal_autocheckpoint = 256",  # pages; the log stays near 1 MB
    "PRAGMA journal_size_limit = 1048576",
    "PRAGMA cache_size = -1024",  # kB
    "PRAGMA temp_store = MEMORY",
    "PRAGMA mmap_size = 0",  # an I/O error is an answer, not a SIGBUS
)


def create(path: Path, at: Instant) -> None:
    """Make an empty ledger at *path*, whole or not at all. Raises sqlite3.Error, OSError."""
    fresh = path.with_name(f"{path.name}.new")
    damage.remove(fresh)
    try:
        connection = connect(fresh, mode="rwc")
        try:
            # Must precede the first table.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            migrate(connection, fresh, fresh=True)
            connection.execute("INSERT INTO book VALUES (1, ?, 0, NULL)", (at.wall_ns,))
        finally:
            connection.close()
        fresh.rename(path)
    except BaseException:  # an interrupt too: what is half made must not stay
        damage.remove(fresh)
        raise
    damage.sync_directory(path.parent)


class Store:
    """An open ledger file that can be written. After a failed `write` only `close` may follow, unless it was busy."""

    def __init__(self, path: Path, *, clock: Clock, check_ns: int) -> None:
        """Open an existing file. Raises LedgerDamaged, LedgerTooNew, sqlite3.Error, OSError."""
        self._path = path
        self._stat = path.stat()
        if self._stat.st_size == 0:
            raise LedgerDamaged(f"{path} is empty")  # ours are never: they are made whole or not at all
        self._connection = connect(path, mode="rw")
        try:
            self._prepare(clock, check_ns)
            self.identity, self.commits, self.last_commit_wall_ns = self._read_book()
        except BaseException:  # an interrupt too: the file must not stay open
            self._connection.close()
            raise
        self.in_doubt = False  # true when a COMMIT failed: whether it holds shows when the file is opened again
        self._written: dict[str, rows.Rows] = {}
        self._ids = Ids(self._connection)
        self._alerts: AlertRows | None = None  # in the file, where that is known
        self._knows_usage = False  # whether what the books call written is in this file
        self._knows_prices = False

    def _prepare(self, clock: Clock, check_ns: int) -> None:
        migrate(self._connection, self._path)  # first: a file that is refused stays as it is
        for setting in _SETTINGS:
            self._connection.execute(setting).fetchall()
        if check_ns:
            damage.check(self._connection, clock, limit_ns=check_ns)
        # SQLite opens a file that it may only read without a word; here is where it says so.
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute("ROLLBACK")

    def _read_book(self) -> tuple[int, int, int | None]:
        book = self._connection.execute("SELECT created_wall_ns, commits, last_commit_wall_ns FROM book").fetchone()
        if book is None:
            raise LedgerDamaged(f"{self._path}: the table book is empty")
        created_wall_ns, commits, last_commit_wall_ns = book
        return created_wall_ns, commits, last_commit_wall_ns

    def is_in_place(self) -> bool:
        """Give whether the file at the path is still the one that is open."""
        try:
            return os.path.samestat(self._path.stat(), self._stat)
        except OSError:
            return False

    def load(self) -> dict[str, DeviceAccount]:
        """Give all accounts. Raises LedgerDamaged, sqlite3.Error."""
        return account_rows.read(self._connection)

    def load_alerts(self) -> AlertRows:
        """Give the rows of all alerts. Raises sqlite3.Error."""
        self._alerts = alert_rows.read(self._connection)
        return self._alerts

    def load_usage(self) -> Usage:
        """Give the totals of workloads and services. Raises LedgerDamaged, sqlite3.Error."""
        usage = usage_rows.read(self._connection)
        self._knows_usage = True
        return usage

    def load_prices(self) -> Prices:
        """Give the counters of prices. Raises LedgerDamaged, sqlite3.Error."""
        prices = price_rows.read(self._connection)
        self._knows_prices = True
        return prices

    def write(
        self,
        accounts: Mapping[str, DeviceAccount],
        waiting: Waiting,
        at: Instant,
        *,
        pruning: Pruning | None,
        alerts: AlertRows,
        usage: UsageBooks,
        prices: PriceBooks,
    ) -> None:
        """Store what changed since the last write, and add what is *waiting*, in one transaction.

        Raises LedgerDamaged, sqlite3.Error; then nothing was stored, or `in_doubt` is set.
        """
        connection = self._connection
        written = {uuid: rows.encode(account) for uuid, account in accounts.items()}
        connection.execute("BEGIN IMMEDIATE")
        try:
            for uuid, after in written.items():
                rows.write(connection, self._ids.device(uuid), self._written.get(uuid), after)
            usage_rows.write(connection, self._ids, usage, everything=not self._knows_usage)
            open_rows.write(connection, self._ids, waiting, names=ChainMap(usage.workloads, waiting.names))
            price_rows.write(connection, prices, everything=not self._knows_prices)
            if alerts is not self._alerts:
                alert_rows.write(connection, self._alerts, alerts)
            if pruning is not None:
                pruning.step(connection, at, self._ids)
            connection.execute(
                "UPDATE book SET commits = ?, last_commit_wall_ns = ?", (self.commits + 1, rows.fit(at.wall_ns))
            )
            self.in_doubt = True
            connection.execute("COMMIT")
            self.in_doubt = False
        except BaseException:  # an interrupt too: no transaction may stay open
            self._ids.forget()
            if connection.in_transaction and not self.in_doubt:
                connection.execute("ROLLBACK")
            raise
        self.commits += 1
        self.last_commit_wall_ns = at.wall_ns
        self._written.update(written)
        self._alerts = alerts
        self._knows_usage = self._knows_prices = True

    def close(self, *, fold_log: bool) -> None:
        """Close the file; *fold_log* moves the log into it first. Raises sqlite3.Error, and is closed even so."""
        try:
            if fold_log:
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            self._connection.close()


def size_bytes(path: Path) -> int | None:
    """Give what the ledger and its log take on disk, None where there is no ledger."""
    try:
        size = path.stat().st_size
    except OSError:
        return None
    try:
        return size + path.with_name(f"{path.name}-wal").stat().st_size
    except OSError:
        return size
