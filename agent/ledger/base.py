"""What the daemon may ask of a ledger and how a ledger refuses; how it keeps its books is not said here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from wattledger.exporter.snapshot import LedgerHealth
from wattledger.rules.account import DeviceAccount, Entry
from wattledger.rules.instant import Instant
from wattledger.rules.state import State
from wattledger.rules.tokens.model import TokenKind
from wattledger.rules.tokens.totals import Phase, ServiceTotal, ServiceWindow
from wattledger.rules.usage.totals import UsageKey, UsageTotal
from wattledger.rules.usage.workload import Part, Workload

if TYPE_CHECKING:
    from wattledger.rules.alerting import GroupMemory  # its package is loaded where rules run, and only there


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One device in one state during the UTC hour that begins at `hour_wall_ns`. `avoidable_mj` is part of energy."""

    uuid: str
    hour_wall_ns: int
    state: State
    energy_mj: int
    duration_ns: int
    avoidable_mj: int


@dataclass(frozen=True, slots=True)
class WorkloadHistoryRow:
    """What one workload used of one device in one state during an hour, by all methods together.

    `workload` has the names that are known last. Over the workloads of a device and state the energy sums to that
    of its HistoryRow; the time is that in which the workload had to do with the device.
    """

    hour_wall_ns: int
    uuid: str
    workload: Workload
    state: State
    energy_mj: int
    duration_ns: int
    avoidable_mj: int


@dataclass(frozen=True, slots=True)
class ServiceHistoryRow:
    """One service and model during an hour, with the meanings of ServiceTotal.

    Energy stands in the row of the model that it was committed with, tokens in that of their own.
    """

    hour_wall_ns: int
    service: str
    model: str
    active_mj: int = 0
    total_mj: int = 0
    phases: dict[Phase, int] = field(default_factory=dict)
    tokens: dict[TokenKind, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UsageCommit:
    """What one commit adds of workloads and services.

    Totals are those that changed, as they are now; `dropped` are forgotten for good. `parts` and `windows` add to the
    hourly history and are passed once each; all parts of an interval are passed together. With each window goes the
    model of the row that has its energy, which is empty where the service has several models or tells none.
    """

    changed: Sequence[UsageTotal] = ()
    dropped: Sequence[UsageKey] = ()
    parts: Sequence[Part] = ()
    services: Sequence[ServiceTotal] = ()
    windows: Sequence[tuple[str, ServiceWindow]] = ()


NOTHING_USED = UsageCommit()


@dataclass(frozen=True, slots=True)
class Usage:
    """All totals of workloads and services, in no particular order."""

    totals: tuple[UsageTotal, ...] = ()
    services: tuple[ServiceTotal, ...] = ()


class Ledger(Protocol):
    """Keeps the accounts over restarts. One thread commits; `health` and the histories may be asked from others."""

    def load(self) -> dict[str, DeviceAccount]:
        """Give the accounts as the ledger knows them, by uuid."""
        ...

    def load_alerts(self) -> "dict[str, GroupMemory]":
        """Give the alerts as the ledger knows them, by group; groups without alerts are left out.

        Value and annotations, which change with each evaluation and are not worth the disk, may be those of when an
        alert last changed its state.
        """
        ...

    def load_usage(self) -> Usage:
        """Give the totals of workloads and services as the ledger knows them."""
        ...

    def commit(
        self,
        accounts: Mapping[str, DeviceAccount],
        entries: Sequence[Entry],
        at: Instant,
        alerts: "Mapping[str, GroupMemory] | None" = None,
        usage: UsageCommit | None = None,
    ) -> None:
        """Store *accounts* as they are now, and add *entries* to the hourly history. Call it before publishing.

        *alerts* is all there is of alerts, by group under a name of the caller's choice; None leaves them as they
        are. Receivers hear of them afterwards, so that none knows more than the ledger. *usage* goes with the
        accounts into one transaction.

        The ledger keeps accounts and totals, so they must not be changed afterwards. Each entry, part and window is
        passed once, also when the disk fails: trouble with the disk raises nothing, shows in `health`, and is tried
        again by the next call.
        """
        ...

    def health(self) -> LedgerHealth:
        """Give whether the books reach the disk."""
        ...

    def history(self, start_wall_ns: int, end_wall_ns: int, *, uuid: str | None = None) -> list[HistoryRow]:
        """Give the hours that overlap ``[start, end)``, ordered by hour, uuid and state."""
        ...

    def workload_history(self, start_wall_ns: int, end_wall_ns: int) -> list[WorkloadHistoryRow]:
        """Give the hours of workloads that overlap ``[start, end)``, by hour, uuid, workload's kind and id, state."""
        ...

    def service_history(self, start_wall_ns: int, end_wall_ns: int) -> list[ServiceHistoryRow]:
        """Give the hours of services that overlap ``[start, end)``, by hour, service and model."""
        ...

    def close(self) -> None:
        """Write what is left and let go of the directory. Safe to call twice."""
        ...


class LedgerError(Exception):
    """The ledger cannot be used, and why; the text is for the operator and names the cure."""


class LedgerLocked(LedgerError):  # noqa: N818  (the name states the fact)
    """Another process holds the directory. `pid` is None when the holder has not written it."""

    def __init__(self, state_dir: Path, pid: int | None) -> None:
        holder = f"process {pid}" if pid is not None else "another process"
        super().__init__(
            f"{state_dir}: the ledger in this directory is held by {holder}; "
            "stop that one, or give this agent a directory of its own with --state-dir"
        )
        self.state_dir = state_dir
        self.pid = pid


class LedgerTooNew(LedgerError):  # noqa: N818  (the name states the fact)
    """The file was written by a newer agent; it is left as it is."""

    def __init__(self, path: Path, version: int, newest: int) -> None:
        super().__init__(
            f"{path}: the ledger has version {version}, this agent knows versions up to {newest}; "
            "install the agent that wrote it or a later one, or give another --state-dir"
        )


class LedgerDamaged(LedgerError):  # noqa: N818  (the name states the fact)
    """The file is not a sound ledger: its bytes, or what they say, cannot be true."""


class LedgerChanged(LedgerError):  # noqa: N818  (the name states the fact)
    """The file on disk is not the one these accounts came from, so it must not be written over."""
