"""The histories of a ledger file, with what waits for it; how the file is viewed is said by who inherits."""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

from wattledger.rules.pricing.model import HourPrice

from . import host_hour_rows, host_hours, hourly
from .answer import device_rows, price_rows, service_rows, workload_rows
from .base import HistoryRow, ServiceHistoryRow, WorkloadHistoryRow
from .waiting import Waiting

T = TypeVar("T")


class StoredHistories(ABC):
    """Answers from one view of the file a call."""

    @abstractmethod
    def _view(self, select: Callable[[sqlite3.Connection], T]) -> tuple[T | None, Waiting]:
        """Give what *select* finds in the file, None where it cannot be read, and what was waiting just then."""

    def history(self, start_wall_ns: int, end_wall_ns: int, *, uuid: str | None = None) -> list[HistoryRow]:
        """Give the hours that overlap ``[start, end)``. A ledger that cannot be read gives what memory holds."""
        found, waiting = self._view(
            lambda connection: hourly.devices_within(connection, start_wall_ns, end_wall_ns, uuid=uuid)
        )
        return device_rows([*(found or ()), *waiting.device_hours()], start_wall_ns, end_wall_ns, uuid=uuid)

    def workload_history(self, start_wall_ns: int, end_wall_ns: int) -> list[WorkloadHistoryRow]:
        """Give the hours of workloads that overlap ``[start, end)``, as `history` does."""
        found, waiting = self._view(
            lambda connection: hourly.workloads_within(connection, start_wall_ns, end_wall_ns)
        )
        known = found or []
        names = {workload.key: workload for _, _, workload in known} | waiting.names
        cells = [*((key, booked) for key, booked, _ in known), *waiting.workload_hours()]
        return workload_rows(cells, start_wall_ns, end_wall_ns, names=names)

    def service_history(self, start_wall_ns: int, end_wall_ns: int) -> list[ServiceHistoryRow]:
        """Give the hours of services that overlap ``[start, end)``, as `history` does."""
        found, waiting = self._view(
            lambda connection: (
                hourly.phases_within(connection, start_wall_ns, end_wall_ns),
                hourly.tokens_within(connection, start_wall_ns, end_wall_ns),
            )
        )
        phases, tokens = found or ([], [])
        return service_rows(
            [*phases, *waiting.phase_hours()],
            [*tokens, *waiting.tokens.cells.items()],
            start_wall_ns,
            end_wall_ns,
        )

    def price_history(self, start_wall_ns: int, end_wall_ns: int) -> list[HourPrice]:
        """Give what the hours of the host that overlap ``[start, end)`` came to, as `history` does."""
        found, waiting = self._view(
            lambda connection: host_hour_rows.hours_overlapping(connection, start_wall_ns, end_wall_ns)
        )
        hours = found or {}
        for step in waiting.steps:
            host_hours.take(hours, step)
        return price_rows(host_hours.as_they_are(hours), start_wall_ns, end_wall_ns)
