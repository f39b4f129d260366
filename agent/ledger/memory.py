"""A ledger without a disk: for one page on the terminal, and where no directory is given."""

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from wattledger.exporter.snapshot import LedgerHealth
from wattledger.rules.account import DeviceAccount, Entry
from wattledger.rules.instant import Instant

from .answer import device_rows, service_rows, workload_rows
from .base import NOTHING_USED, HistoryRow, ServiceHistoryRow, Usage, UsageCommit, WorkloadHistoryRow
from .books import UsageBooks
from .prune import Pruning
from .waiting import Waiting

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
        self._books = UsageBooks()
        self._waiting = Waiting()
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

    def load_usage(self) -> Usage:
        """Give the totals of workloads and services."""
        with self._mutex:
            return self._books.all()

    def commit(
        self,
        accounts: Mapping[str, DeviceAccount],
        entries: Sequence[Entry],
        at: Instant,
        alerts: "Mapping[str, GroupMemory] | None" = None,
        usage: UsageCommit | None = None,
    ) -> None:
        """Keep *accounts*, *alerts* and the totals of *usage*, and add *entries* and *usage* to the history."""
        first_hour = self._pruning.first_hour(at)
        with self._mutex:
            self._accounts.update(accounts)
            if alerts is not None:
                self._alerts = {group: memory for group, memory in alerts.items() if memory.alerts}
            if usage is not None:
                self._books.merge(usage)
                self._books.settle()
            self._waiting.add(entries, usage or NOTHING_USED, first_hour=first_hour)
            self._waiting.trim(first_hour=first_hour)
            self._last_commit_wall_ns = at.wall_ns

    def health(self) -> LedgerHealth:
        """Give that nothing reaches a disk, and why."""
        return LedgerHealth(writable=False, detail=self._detail, last_commit_wall_ns=self._last_commit_wall_ns)

    def history(self, start_wall_ns: int, end_wall_ns: int, *, uuid: str | None = None) -> list[HistoryRow]:
        """Give the hours that overlap ``[start, end)``, ordered by hour, uuid and state."""
        with self._mutex:
            cells = list(self._waiting.devices.cells.items())
        return device_rows(cells, start_wall_ns, end_wall_ns, uuid=uuid)

    def workload_history(self, start_wall_ns: int, end_wall_ns: int) -> list[WorkloadHistoryRow]:
        """Give the hours of workloads that overlap ``[start, end)``."""
        with self._mutex:
            cells = list(self._waiting.workloads.cells.items())
            names = self._waiting.names | self._books.workloads
        return workload_rows(cells, start_wall_ns, end_wall_ns, names=names)

    def service_history(self, start_wall_ns: int, end_wall_ns: int) -> list[ServiceHistoryRow]:
        """Give the hours of services that overlap ``[start, end)``."""
        with self._mutex:
            phases = list(self._waiting.phases.cells.items())
            tokens = list(self._waiting.tokens.cells.items())
        return service_rows(phases, tokens, start_wall_ns, end_wall_ns)

    def close(self) -> None:
        """Do nothing: there is nothing to let go of."""
