"""The ledger on disk: what waits in memory when writing fails, and how it says so; the file itself is place.py's."""

import logging
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from wattledger.agent.clock import Clock
from wattledger.exporter.snapshot import LedgerHealth
from wattledger.rules.account import DeviceAccount, Entry
from wattledger.rules.instant import NS_PER_SECOND, Instant

from . import alerts as alert_rows
from . import damage, open_hours
from .alerts import AlertRows
from .base import (
    NOTHING_USED,
    LedgerDamaged,
    LedgerError,
    LedgerLocked,
    LedgerTooNew,
    PriceCommit,
    Prices,
    Usage,
    UsageCommit,
)
from .books import UsageBooks
from .histories import StoredHistories
from .peek import reading
from .place import Place
from .price_books import PriceBooks
from .prune import Pruning
from .store import size_bytes
from .trouble import describe, is_busy, is_full
from .waiting import Waiting

if TYPE_CHECKING:
    from wattledger.rules.alerting import GroupMemory

log = logging.getLogger(__name__)

T = TypeVar("T")

_LOOK_EVERY_NS = 600 * NS_PER_SECOND  # for damage done to the file while it is in use


class SqliteLedger(StoredHistories):
    """Books in `<state_dir>/ledger.sqlite3`, one transaction a commit.

    What could not be written stays in memory and goes with the next commit. At the start LedgerLocked and
    LedgerTooNew are raised; any other trouble shows in `health`, and the ledger comes to life when it is cured.
    """

    def __init__(self, state_dir: Path, *, clock: Clock, history_days: int = 400) -> None:
        self._dir = state_dir
        self._place = Place(state_dir, clock=clock)
        self._pruning = Pruning(history_days)
        self._mutex = threading.Lock()
        self._accounts: dict[str, DeviceAccount] = {}  # of every device ever seen, as last committed
        self._alerts = AlertRows()
        self._books = UsageBooks()
        self._prices = PriceBooks()
        self._waiting = Waiting()
        self._suspicion = ""  # why the file is to be looked over before the next write
        self._look_due_ns = clock.now().mono_ns + _LOOK_EVERY_NS
        self._detail = ""  # why the books do not reach the disk
        self._failures = 0
        self._committed_at: Instant | None = None
        self._last_commit_wall_ns: int | None = None
        self._begin(clock.now())

    def _begin(self, at: Instant) -> None:
        try:
            found = self._place.begin(at)
        except (LedgerLocked, LedgerTooNew):
            self._place.close()
            raise
        except (sqlite3.Error, OSError, LedgerError) as error:
            self._failed(error, at)
            try:
                found = self._place.read_only()
            except LedgerTooNew:
                self._place.close()
                raise
        self._accounts, self._alerts = dict(found.accounts), found.alerts
        self._books = UsageBooks(found.usage)
        self._prices = PriceBooks(found.prices)
        self._last_commit_wall_ns = found.last_commit_wall_ns

    def load(self) -> dict[str, DeviceAccount]:
        """Give the accounts as the ledger knows them, by uuid."""
        with self._mutex:
            return dict(self._accounts)

    def load_alerts(self) -> "dict[str, GroupMemory]":
        """Give the alerts as the ledger knows them, by group."""
        with self._mutex:
            known = self._alerts
        return alert_rows.decode(known)

    def load_usage(self) -> Usage:
        """Give the totals of workloads and services as the ledger knows them."""
        with self._mutex:
            return self._books.all()

    def load_prices(self) -> Prices:
        """Give the counters of prices, and what is open. Of a ledger that cannot be read, what memory holds."""
        found, waiting = self._view(open_hours.read)
        with self._mutex:
            counters = self._prices.all()
        return open_hours.with_open(counters, found or open_hours.OpenHours(), waiting.steps)

    def commit(  # noqa: PLR0917  (each is a part of one commit)
        self,
        accounts: Mapping[str, DeviceAccount],
        entries: Sequence[Entry],
        at: Instant,
        alerts: "Mapping[str, GroupMemory] | None" = None,
        usage: UsageCommit | None = None,
        prices: PriceCommit | None = None,
    ) -> None:
        """Store all of it, and add *entries* to the history. Trouble with the disk only shows in `health`."""
        with self._mutex:
            self._accounts.update(accounts)
            if alerts is not None:
                self._alerts = alert_rows.encode(alerts, self._alerts)
            if usage is not None:
                self._books.merge(usage)
            if prices is not None:
                self._prices.merge(prices)
            self._waiting.add(entries, usage or NOTHING_USED, prices, first_hour=self._pruning.first_hour(at))
            self._committed_at = at
            if at.mono_ns >= self._look_due_ns:
                self._look_due_ns = at.mono_ns + _LOOK_EVERY_NS
                self._suspicion = self._suspicion or "the regular look"
            try:
                self._write(at)
            except sqlite3.ProgrammingError:
                raise  # ours, not the disk's
            except (sqlite3.Error, OSError, LedgerError) as error:
                self._failed(error, at)
            else:
                self._succeeded(at)

    def health(self) -> LedgerHealth:
        """Give whether the books reach the disk."""
        return LedgerHealth(
            writable=not self._detail,
            path=str(self._place.path),
            detail=self._detail,
            commit_failures=self._failures,
            last_commit_wall_ns=self._last_commit_wall_ns,
            size_bytes=size_bytes(self._place.path),
            moved_aside=self._place.moved_aside,
        )

    def device_names(self) -> dict[str, str]:
        """Give the name of every device, by uuid."""
        with self._mutex:
            return {uuid: account.name for uuid, account in self._accounts.items()}

    def _view(self, select: Callable[[sqlite3.Connection], T]) -> tuple[T | None, Waiting]:
        """Give what *select* finds in the file, None where it cannot be read, and what was waiting just then."""
        with self._mutex:
            waiting = self._waiting_now()
            attached = self._place.store is not None
        try:
            with reading(self._place.path, may_copy=not attached) as connection:
                connection.execute("BEGIN")
                with self._mutex:
                    # The view of the file begins with this read, so that each cell is in it or waits, never both.
                    connection.execute("SELECT commits FROM book").fetchone()
                    waiting = self._waiting_now()
                return select(connection), waiting
        except (sqlite3.Error, OSError, LedgerDamaged) as error:
            if damage.is_damage(error):
                self._suspicion = str(error)
            return None, waiting

    def _waiting_now(self) -> Waiting:
        """Give what is waiting, with the names that all workloads have now."""
        waiting = self._waiting.copy()
        waiting.names.update(self._books.workloads)
        return waiting

    def close(self) -> None:
        """Write what is left, fold the log into the file and let go of the directory. Safe to call twice."""
        with self._mutex:
            at, self._committed_at = self._committed_at, None
            try:
                if at is not None:
                    self._suspicion = self._suspicion or "the last look"
                    self._write(at)
            except (sqlite3.Error, OSError, LedgerError) as error:
                log.error(  # noqa: TRY400  (a line for the operator, not a trace)
                    "ledger_unwritten_at_close hours=%d detail=%s",
                    self._waiting.count,
                    describe(error, self._dir),
                )
                self._place.detach(self._waiting)
            try:
                self._place.close()
            except sqlite3.Error as error:
                # The log stays beside the file; the next start folds it in.
                log.warning("ledger_log_not_folded detail=%s", describe(error, self._dir))

    def _write(self, at: Instant) -> None:
        try:
            self._write_once(at)
        except (sqlite3.Error, LedgerDamaged) as error:
            if self._place.store is None:
                raise
            if damage.is_damage(error):
                self._place.detach(self._waiting)
                self._place.replace(error, at)
            elif is_full(error):
                # Closing folds the log into the file and gives its room back, which may be all that was missing.
                self._place.detach(self._waiting)
            else:
                raise
            self._write_once(at)

    def _write_once(self, at: Instant) -> None:
        store = self._place.attached(at, self._waiting)
        if self._suspicion:
            self._suspicion = ""
            self._place.look_again()
        # Deleting takes room in the log: not while room is what is missing.
        pruning = None if self._detail else self._pruning
        store.write(
            self._accounts,
            self._waiting,
            at,
            pruning=pruning,
            alerts=self._alerts,
            usage=self._books,
            prices=self._prices,
        )
        self._waiting.clear()
        self._books.settle()
        self._prices.settle()

    def _failed(self, error: Exception, at: Instant) -> None:
        store = self._place.store
        if store is not None and (store.in_doubt or not is_busy(error)):
            self._place.detach(self._waiting)
        lost = self._waiting.trim(first_hour=self._pruning.first_hour(at))
        if self._place.store is None:
            self._books.forget_dropped()  # a file that is opened anew gets all totals, and no others
        if lost:
            log.warning("ledger_history_lost cells=%d reason=memory_limit", lost)
        self._failures += 1
        detail = describe(error, self._dir)
        if not self._detail:
            log.error("ledger_not_writable detail=%s counters=kept_in_memory", detail)
        self._detail = detail

    def _succeeded(self, at: Instant) -> None:
        self._last_commit_wall_ns = at.wall_ns
        if self._detail:
            log.warning("ledger_writable_again path=%s", self._place.path)
            self._detail = ""
