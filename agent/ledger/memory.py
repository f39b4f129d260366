"""A ledger without a disk: for one page on the terminal, and where no directory is given."""

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from wattledger.exporter.snapshot import LedgerHealth
from wattledger.rules.account import DeviceAccount, Entry
from wattledger.rules.instant import Instant
from wattledger.rules.pricing.model import HourPrice

from .answer import device_rows, price_rows, service_rows, workload_rows
from .base import (
    NOTHING_USED,
    HistoryRow,
    PriceCommit,
    Prices,
    ServiceHistoryRow,
    Usage,
    UsageCommit,
    WorkloadHistoryRow,
)
from .books import UsageBooks
from .closed_memory import ClosedMemory
from .host_hours import as_they_are
from .open_hours import OpenHours, with_open
from .price_books import PriceBooks
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
        self._prices = PriceBooks()
        self._waiting = Waiting()  # for their hours to close
        self._closed = ClosedMemory()
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

    def load_prices(self) -> Prices:
        """Give the counters of prices, and what is open."""
        with self._mutex:
            return with_open(self._prices.all(), OpenHours(hours=dict(self._closed.hours)), self._waiting.steps)

    def commit(  # noqa: PLR0917  (each is a part of one commit)
        self,
        accounts: Mapping[str, DeviceAccount],
        entries: Sequence[Entry],
        at: Instant,
        alerts: "Mapping[str, GroupMemory] | None" = None,
        usage: UsageCommit | None = None,
        prices: PriceCommit | None = None,
    ) -> None:
        """Keep *accounts*, *alerts* and the totals, and add *entries*, *usage* and *prices* to the history."""
        first_hour = self._pruning.first_hour(at)
        with self._mutex:
            self._accounts.update(accounts)
            if alerts is not None:
                self._alerts = {group: memory for group, memory in alerts.items() if memory.alerts}
            if usage is not None:
                self._books.merge(usage)
                self._books.settle()
            if prices is not None:
                self._prices.merge(prices)
                self._prices.settle()
            self._waiting.add(entries, usage or NOTHING_USED, prices, first_hour=first_hour)
            self._closed.take(self._waiting, first_hour=first_hour)
            self._waiting.trim(first_hour=first_hour)
            self._last_commit_wall_ns = at.wall_ns

    def health(self) -> LedgerHealth:
        """Give that nothing reaches a disk, and why."""
        return LedgerHealth(writable=False, detail=self._detail, last_commit_wall_ns=self._last_commit_wall_ns)

    def history(self, start_wall_ns: int, end_wall_ns: int, *, uuid: str | None = None) -> list[HistoryRow]:
        """Give the hours that overlap ``[start, end)``, ordered by hour, uuid and state."""
        with self._mutex:
            cells = [*self._closed.devices.items(), *self._waiting.device_hours()]
        return device_rows(cells, start_wall_ns, end_wall_ns, uuid=uuid)

    def workload_history(self, start_wall_ns: int, end_wall_ns: int) -> list[WorkloadHistoryRow]:
        """Give the hours of workloads that overlap ``[start, end)``."""
        with self._mutex:
            cells = [*self._closed.workloads.items(), *self._waiting.workload_hours()]
            names = self._closed.names | self._waiting.names | self._books.workloads
        return workload_rows(cells, start_wall_ns, end_wall_ns, names=names)

    def service_history(self, start_wall_ns: int, end_wall_ns: int) -> list[ServiceHistoryRow]:
        """Give the hours of services that overlap ``[start, end)``."""
        with self._mutex:
            phases = [*self._closed.phases.items(), *self._waiting.phase_hours()]
            tokens = list(self._waiting.tokens.cells.items())
        return service_rows(phases, tokens, start_wall_ns, end_wall_ns)

    def price_history(self, start_wall_ns: int, end_wall_ns: int) -> list[HourPrice]:
        """Give what the hours of the host came to that overlap ``[start, end)``."""
        with self._mutex:
            hours = as_they_are(self._closed.hours)
        return price_rows(hours, start_wall_ns, end_wall_ns)

    def device_names(self) -> dict[str, str]:
        """Give the name of every device, by uuid."""
        return {uuid: account.name for uuid, account in self._accounts.items()}

    def close(self) -> None:
        """Do nothing: there is nothing to let go of."""
