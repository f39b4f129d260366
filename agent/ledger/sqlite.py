"""The ledger on disk: what waits in memory when writing fails, and how it says so; the file itself is place.py's."""

import logging
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wattledger.agent.clock import Clock
from wattledger.exporter.snapshot import LedgerHealth
from wattledger.rules.account import DeviceAccount, Entry
from wattledger.rules.instant import NS_PER_SECOND, Instant

from . import alerts as alert_rows
from . import damage
from .alerts import AlertRows
from .backlog import Backlog, rows_within
from .base import HistoryRow, LedgerDamaged, LedgerError, LedgerLocked, LedgerTooNew
from .peek import reading
from .place import Place
from .prune import Pruning
from .store import cells_within, size_bytes
from .trouble import describe, is_busy, is_full

if TYPE_CHECKING:
    from wattledger.rules.alerting import GroupMemory

log = logging.getLogger(__name__)

_LOOK_EVERY_NS = 600 * NS_PER_SECOND  # for damage done to the file while it is in use


class SqliteLedger:
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
        self._backlog = Backlog()
        self._restarted: set[str] = set()  # devices whose counters restarted since they were last written
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

    def commit(
        self,
        accounts: Mapping[str, DeviceAccount],
        entries: Sequence[Entry],
        at: Instant,
        alerts: "Mapping[str, GroupMemory] | None" = None,
    ) -> None:
        """Store *accounts* and *alerts*, and add *entries*. Trouble with the disk raises nothing: see `health`."""
        with self._mutex:
            self._restarted.update(_with_fallen_counters(self._accounts, accounts))
            self._accounts.update(accounts)
            if alerts is not None:
                self._alerts = alert_rows.encode(alerts, self._alerts)
            self._backlog.add(entries, first_hour=self._pruning.first_hour(at))
            self._committed_at = at
            if at.mono_ns >= self._look_due_ns:
                self._look_due_ns = at.mono_ns + _LOOK_EVERY_NS
                self._suspicion = self._suspicion or "the regular look"
            try:
                self._write(at, counters_now=frozenset(self._restarted))
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

    def history(self, start_wall_ns: int, end_wall_ns: int, *, uuid: str | None = None) -> list[HistoryRow]:
        """Give the hours that overlap ``[start, end)``. A ledger that cannot be read gives what memory holds."""
        with self._mutex:
            waiting = list(self._backlog.cells.items())
            attached = self._place.store is not None
        try:
            with reading(self._place.path, may_copy=not attached) as connection:
                connection.execute("BEGIN")
                with self._mutex:
                    # The view of the file begins with this read, so that each cell is in it or waits, never both.
                    connection.execute("SELECT commits FROM book").fetchone()
                    waiting = list(self._backlog.cells.items())
                stored = list(cells_within(connection, start_wall_ns, end_wall_ns, uuid=uuid))
        except (sqlite3.Error, OSError, LedgerDamaged) as error:
            if damage.is_damage(error):
                self._suspicion = str(error)
            stored = []
        return rows_within([*stored, *waiting], start_wall_ns, end_wall_ns, uuid=uuid)

    def close(self) -> None:
        """Write what is left, fold the log into the file and let go of the directory. Safe to call twice."""
        with self._mutex:
            at, self._committed_at = self._committed_at, None
            try:
                if at is not None:
                    self._suspicion = self._suspicion or "the last look"
                    self._write(at, counters_now=None)
            except (sqlite3.Error, OSError, LedgerError) as error:
                log.error(  # noqa: TRY400  (a line for the operator, not a trace)
                    "ledger_unwritten_at_close hours=%d detail=%s",
                    len(self._backlog.cells),
                    describe(error, self._dir),
                )
                self._place.detach(self._backlog)
            try:
                self._place.close()
            except sqlite3.Error as error:
                # The log stays beside the file; the next start folds it in.
                log.warning("ledger_log_not_folded detail=%s", describe(error, self._dir))

    def _write(self, at: Instant, *, counters_now: frozenset[str] | None) -> None:
        try:
            self._write_once(at, counters_now)
        except (sqlite3.Error, LedgerDamaged) as error:
            if self._place.store is None:
                raise
            if damage.is_damage(error):
                self._place.detach(self._backlog)
                self._place.replace(error, at)
            elif is_full(error):
                # Closing folds the log into the file and gives its room back, which may be all that was missing.
                self._place.detach(self._backlog)
            else:
                raise
            self._write_once(at, counters_now)

    def _write_once(self, at: Instant, counters_now: frozenset[str] | None) -> None:
        store = self._place.attached(at, self._backlog)
        if self._suspicion:
            self._suspicion = ""
            self._place.look_again()
        # Deleting takes room in the log: not while room is what is missing.
        pruning = None if self._detail else self._pruning
        store.write(
            self._accounts,
            self._backlog.cells,
            at,
            pruning=pruning,
            counters_now=counters_now,
            alerts=self._alerts,
        )
        self._backlog.cells.clear()
        self._restarted.clear()

    def _failed(self, error: Exception, at: Instant) -> None:
        store = self._place.store
        if store is not None and (store.in_doubt or not is_busy(error)):
            self._place.detach(self._backlog)
        lost = self._backlog.trim(first_hour=self._pruning.first_hour(at))
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


def _with_fallen_counters(before: Mapping[str, DeviceAccount], after: Mapping[str, DeviceAccount]) -> set[str]:
    """Give the devices with a hardware counter that fell: it must be stored before more is added to the new one."""
    return {
        uuid
        for uuid, account in after.items()
        if (previous := before.get(uuid)) is not None
        and previous.counters is not account.counters
        and any(
            quantity in account.counters and account.counters[quantity].last_raw < carried.last_raw
            for quantity, carried in previous.counters.items()
        )
    }
