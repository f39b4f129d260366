"""Which file in the state directory holds our books, and whether it still does; what it says is not its matter."""

import logging
import sqlite3
from dataclasses import replace
from pathlib import Path

from wattledger.agent.clock import Clock
from wattledger.rules.instant import NS_PER_SECOND, Instant

from . import damage
from .base import LedgerChanged, LedgerDamaged
from .books import UsageBooks
from .lock import DirectoryLock
from .peek import Peek, peek, reading
from .price_books import PriceBooks
from .store import Store, create
from .trouble import describe
from .waiting import Waiting

log = logging.getLogger(__name__)

LEDGER_NAME = "ledger.sqlite3"
CHECK_NS = 5 * NS_PER_SECOND
SUSPICION_NS = NS_PER_SECOND // 5  # while a tick waits
# A disk that damages file after file is left alone for a while; the counters go on in memory.
DAMAGE_PAUSE_NS = 600 * NS_PER_SECOND


class Place:
    """Lock, file and connection. The connection goes with each failure and comes back when the file can be opened."""

    def __init__(self, state_dir: Path, *, clock: Clock) -> None:
        self.path = state_dir / LEDGER_NAME
        self.store: Store | None = None
        self.moved_aside = ""
        self._dir = state_dir
        self._clock = clock
        self._lock: DirectoryLock | None = None
        self._base = Peek()  # the file our accounts belong to, and the last commit seen there
        self._in_doubt: Waiting | None = None  # what a COMMIT that failed may have stored after all
        self._moved_mono_ns: int | None = None

    def begin(self, at: Instant) -> Peek:
        """Open the ledger for the first time and give what it says; a damaged one is replaced, and rescued from.

        Raises LedgerLocked, LedgerTooNew, sqlite3.Error, OSError.
        """
        self._take_lock()
        try:
            return self._open_first(at)
        except (sqlite3.Error, LedgerDamaged) as error:
            if not damage.is_damage(error):
                raise
            target = self.replace(error, at)
            rescued = _rescued(target)
            log.warning("ledger_begun_anew path=%s devices_carried_on=%d", self.path, len(rescued.accounts))
            self._open_first(at)
            if self.store is not None and rescued != Peek():
                self.store.write(
                    rescued.accounts,
                    Waiting(),
                    at,
                    pruning=None,
                    alerts=rescued.alerts,
                    usage=UsageBooks(rescued.usage, written=False),
                    prices=PriceBooks(rescued.prices, written=False),
                )
                rescued = replace(rescued, last_commit_wall_ns=self.store.last_commit_wall_ns)
        return rescued

    def _open_first(self, at: Instant) -> Peek:
        store, _ = self._open_file(at, check_ns=CHECK_NS)
        try:
            found = Peek(
                store.load(),
                last_commit_wall_ns=store.last_commit_wall_ns,
                alerts=store.load_alerts(),
                usage=store.load_usage(),
                prices=store.load_prices(),
            )
        except BaseException:  # an interrupt too: the file must not stay open
            store.close(fold_log=False)
            raise
        self.store = store
        return found

    def read_only(self) -> Peek:
        """Give what can be read of a ledger that could not be opened for writing. Raises LedgerTooNew."""
        try:
            self._base = peek(self.path)
        except (sqlite3.Error, OSError, LedgerDamaged) as error:
            log.error("ledger_unreadable detail=%s", describe(error, self._dir))  # noqa: TRY400  (no trace for operators)
            if not damage.is_damage(error):
                return Peek()
            return _rescued(self.path)
        return self._base

    def attached(self, at: Instant, waiting: Waiting) -> Store:
        """Give the open file, opening it where needed; what turns out to be stored goes from *waiting*.

        Raises LedgerError, sqlite3.Error, OSError.
        """
        if self.store is not None and not self.store.is_in_place():
            log.warning("ledger_file_gone path=%s", self.path)
            self.detach(waiting)
        if self._lock is not None and not self._lock.is_in_place():
            self.detach(waiting)
            self._unlock()
        if self.store is None:
            self._take_lock()
            try:
                store, created = self._open_file(at, check_ns=0)
            except (sqlite3.Error, LedgerDamaged) as error:
                if not damage.is_damage(error):
                    raise
                self.replace(error, at)
                store, created = self._open_file(at, check_ns=0)
            try:
                self._settle(store, waiting, created=created)
            except LedgerChanged:
                store.close(fold_log=False)
                raise
            self.store = store
        return self.store

    def look_again(self) -> None:
        """Check the file after a reader met damage in it. Raises LedgerDamaged, sqlite3.Error."""
        # By a connection of its own: ours may see the sound pages that it keeps in memory.
        with reading(self.path, may_copy=False) as connection:
            damage.check(connection, self._clock, limit_ns=SUSPICION_NS)

    def replace(self, error: Exception, at: Instant) -> Path:
        """Move the damaged file aside, so that the next open begins a new one. Raises OSError, LedgerDamaged."""
        if self._moved_mono_ns is not None and at.mono_ns - self._moved_mono_ns < DAMAGE_PAUSE_NS:
            raise LedgerDamaged(
                f"{self.path}: damaged again soon after a new one was begun: check the disk, or move state_dir"
            ) from error
        target = damage.move_aside(self.path, at)
        self._moved_mono_ns, self.moved_aside = at.mono_ns, str(target)
        self._in_doubt = None
        log.error("ledger_damaged path=%s moved_to=%s detail=%s", self.path, target, error)
        return target

    def detach(self, waiting: Waiting) -> None:
        """Close the connection, and remember what a COMMIT left in doubt: all that is *waiting*."""
        if self.store is not None:
            store, self.store = self.store, None
            self._base = Peek(identity=store.identity, commits=store.commits)
            if store.in_doubt:
                self._in_doubt = waiting.copy()
            store.close(fold_log=False)

    def close(self) -> None:
        """Fold the log into the file and let go of the directory. Raises sqlite3.Error, and has let go even so."""
        try:
            if self.store is not None:
                store, self.store = self.store, None
                store.close(fold_log=True)
        finally:
            self._unlock()

    def _take_lock(self) -> None:
        if self._lock is None:
            self._dir.mkdir(mode=0o750, parents=True, exist_ok=True)
            self._lock = DirectoryLock(self._dir)

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _open_file(self, at: Instant, *, check_ns: int) -> tuple[Store, bool]:
        if damage.remains(self.path):
            raise LedgerDamaged(f"{self.path} is gone and its log is left")
        created = not self.path.exists()
        if created:
            create(self.path, at)
        return Store(self.path, clock=self._clock, check_ns=check_ns), created

    def _settle(self, store: Store, waiting: Waiting, *, created: bool) -> None:
        """Make sure that *store* holds our own past before our present is written over it. Raises LedgerChanged."""
        base, doubtful = self._base, self._in_doubt
        if not created and base.identity is None and store.commits:
            raise LedgerChanged(
                f"{self.path}: holds books that could not be read when the agent started; "
                "restart the agent, which then goes on from them"
            )
        if not created and base.identity is not None:
            landed = doubtful is not None and store.commits == base.commits + 1
            if store.identity != base.identity or (store.commits > base.commits and not landed):
                raise LedgerChanged(
                    f"{self.path}: another agent wrote it, or another file took its place; "
                    "restart the agent, which then goes on from it"
                )
            if landed and doubtful is not None:
                waiting.remove(doubtful)
        self._in_doubt = None


def _rescued(path: Path) -> Peek:
    """Give what a damaged ledger still says, each part of it on its own."""
    accounts = damage.rescue(path)
    return Peek(
        accounts,
        alerts=damage.rescue_alerts(path),
        usage=damage.rescue_usage(path, accounts),
        prices=damage.rescue_prices(path),
    )
