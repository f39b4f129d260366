"""A ledger without a disk: for one page on the terminal, and where no directory is given."""

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from wattledger.exporter.snapshot import LedgerHealth
from wattledger.rules.account import DeviceAccount, Entry
from wattledger.rules.instant import Instant

from .backlog import Backlog, rows_within
from .base import HistoryRow
from .prune import Pruning

if TYPE_CHECKING:
    from wattledger.rules.alerting import GroupMemory


class MemoryLedger:
    """Keeps accounts and some history while the process lives. *accounts* is what it begins with."""

    def __init__(
        self,
        accounts: Mapping[str, DeviceAccount] | None = None,
        *,
        history_days: int = 400,
        detail: str = "kept in memory only; give a --state-dir to keep the counters over a restart",
    ) -> None:
        self._accounts = dict(accounts or {})
        self._alerts: dict[str, GroupMemory] = {}
        self._backlog = Backlog()
        self._pruning = Pruning(history_days)
        self._detail = detail
        self._last_commit_wall_ns: int | None = None
        self._mutex = threading.Lock()

    def load(self) -> dict[str, DeviceAccount]:
        """Give the accounts by uuid."""
        return dict(self._accounts)

    def load_alerts(self) -> "dict[str, GroupMemory]":
        """Give the alerts by group."""
        return dict(self._alerts)

    def commit(
        self,
        accounts: Mapping[str, DeviceAccount],
        entries: Sequence[Entry],
        at: Instant,
        alerts: "Mapping[str, GroupMemory] | None" = None,
    ) -> None:
        """Keep *accounts* and *alerts*, and add *entries* to the history."""
        first_hour = self._pruning.first_hour(at)
        with self._mutex:
            self._accounts.update(accounts)
            if alerts is not None:
                self._alerts = {group: memory for group, memory in alerts.items() if memory.alerts}
            self._backlog.add(entries, first_hour=first_hour)
            self._backlog.trim(first_hour=first_hour)
            self._last_commit_wall_ns = at.wall_ns

    def health(self) -> LedgerHealth:
        """Give that nothing reaches a disk, and why."""
        return LedgerHealth(writable=False, detail=self._detail, last_commit_wall_ns=self._last_commit_wall_ns)

    def history(self, start_wall_ns: int, end_wall_ns: int, *, uuid: str | None = None) -> list[HistoryRow]:
        """Give the hours that overlap ``[start, end)``, ordered by hour, uuid and state."""
        with self._mutex:
            cells = list(self._backlog.cells.items())
        return rows_within(cells, start_wall_ns, end_wall_ns, uuid=uuid)

    def close(self) -> None:
        """Do nothing: there is nothing to let go of."""
