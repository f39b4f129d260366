"""What the daemon may ask of a ledger and how a ledger refuses; how it keeps its books is not said here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from wattledger.exporter.snapshot import LedgerHealth
from wattledger.rules.account import DeviceAccount, Entry
from wattledger.rules.chain.node_energy import DomainEnergy
from wattledger.rules.chain.node_model import NodeKey, NodeTotal
from wattledger.rules.instant import Instant
from wattledger.rules.pricing.model import NOTHING, HourPrice, Priced, PriceTotal, TotalKind
from wattledger.rules.state import State
from wattledger.rules.tokens.model import TokenKind
from wattledger.rules.tokens.totals import Phase, ServiceKey, ServiceTotal, ServiceWindow
from wattledger.rules.usage.totals import UsageKey, UsageTotal
from wattledger.rules.usage.workload import Part, Workload

if TYPE_CHECKING:
    from wattledger.rules.alerting import GroupMemory  # its package is loaded where rules run, and only there


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One device in one state during the UTC hour that begins at `hour_wall_ns`. `avoidable_mj` is part of energy.

    `priced` is of all the energy, but for `open_mj`, a part of it that has its prices when its hour closes.
    """

    uuid: str
    hour_wall_ns: int
    state: State
    energy_mj: int
    duration_ns: int
    avoidable_mj: int
    priced: Priced = NOTHING
    open_mj: int = 0


@dataclass(frozen=True, slots=True)
class WorkloadHistoryRow:
    """What one workload used of one device in one state during an hour, by all methods together.

    `workload` has the names that are known last. Over the workloads of a device and state energy and prices sum to
    those of its HistoryRow; the time is that in which the workload had to do with the device.
    """

    hour_wall_ns: int
    uuid: str
    workload: Workload
    state: State
    energy_mj: int
    duration_ns: int
    avoidable_mj: int
    priced: Priced = NOTHING
    open_mj: int = 0


@dataclass(frozen=True, slots=True)
class ServiceHistoryRow:
    """One service and model during an hour, with the meanings of ServiceTotal.

    Energy stands in the row of the model that it was committed with, tokens in that of their own. `priced` and
    `open_mj` are of `total_mj`; parts of a price are rounded down.
    """

    hour_wall_ns: int
    service: str
    model: str
    active_mj: int = 0
    total_mj: int = 0
    phases: dict[Phase, int] = field(default_factory=dict)
    tokens: dict[TokenKind, int] = field(default_factory=dict)
    priced: Priced = NOTHING
    open_mj: int = 0


@dataclass(frozen=True, slots=True)
class UsageCommit:
    """What one commit adds of workloads and services.

    Totals are those that changed, as they are now; those `dropped` are forgotten for good. `parts` and `windows` add
    to the hourly history and are passed once each; all parts of an interval are passed together. With each window
    goes the model of the row that has its energy, which is empty where the service has several models or tells none.
    """

    changed: Sequence[UsageTotal] = ()
    dropped: Sequence[UsageKey] = ()
    parts: Sequence[Part] = ()
    services: Sequence[ServiceTotal] = ()
    windows: Sequence[tuple[str, ServiceWindow]] = ()
    dropped_services: Sequence[ServiceKey] = ()


NOTHING_USED = UsageCommit()


@dataclass(frozen=True, slots=True)
class Usage:
    """All totals of workloads and services, in no particular order."""

    totals: tuple[UsageTotal, ...] = ()
    services: tuple[ServiceTotal, ...] = ()


Slots = tuple[Priced, Priced, Priced, Priced]
"""What the energy of the devices came to in each quarter of an hour, in their order."""


@dataclass(frozen=True, slots=True)
class NodeCommit:
    """What one commit says of the node: totals of its meters that changed, as they are now, and what each meter adds
    to which quarter hour (its number since the Unix epoch). The latter is forgotten when its hour closes.
    """

    totals: Sequence[NodeTotal] = ()
    slots: Mapping[tuple[int, NodeKey], DomainEnergy] = field(default_factory=dict)


NOTHING_METERED = NodeCommit()


@dataclass(frozen=True, slots=True)
class HourClosing:
    """A UTC hour, by its number since the Unix epoch, that gets its prices for good."""

    hour: int
    slots: Slots


@dataclass(frozen=True, slots=True)
class PriceCommit:
    """What one commit says of prices.

    `closings` are of the energy that is open of their hours, that of the same commit included, and are passed once
    each. Energy that comes later opens its hour again, and the next closing of it adds. `hours` replace what is
    there, `totals` and `certificates` (mJ used by lot) are as they are now; those that did not change may be left
    out. `node` is what its meters say.
    """

    closings: Sequence[HourClosing] = ()
    hours: Sequence[HourPrice] = ()
    totals: Sequence[PriceTotal] = ()
    certificates: Mapping[str, int] = field(default_factory=dict)
    node: NodeCommit = NOTHING_METERED


@dataclass(frozen=True, slots=True)
class OpenSlot:
    """A quarter hour that is not closed: energy of the devices in mJ, and what each meter of the node counted."""

    gpu_mj: int = 0
    meters: dict[NodeKey, DomainEnergy] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prices:
    """What the ledger knows of prices. `hours` are those that are not final or have slots that are open.

    `open_slots` has every quarter hour in which anything waits for a closing, be its energy 0.
    """

    totals: tuple[PriceTotal, ...] = ()
    certificates: dict[str, int] = field(default_factory=dict)
    hours: tuple[HourPrice, ...] = ()
    open_slots: dict[int, OpenSlot] = field(default_factory=dict)
    nodes: tuple[NodeTotal, ...] = ()


PriceKey = tuple[TotalKind, tuple[str, ...]]


class History(Protocol):
    """What was used, by the hour. May be asked from any thread."""

    def history(self, start_wall_ns: int, end_wall_ns: int, *, uuid: str | None = None) -> list[HistoryRow]:
        """Give the hours that overlap ``[start, end)``, ordered by hour, uuid and state."""
        ...

    def workload_history(self, start_wall_ns: int, end_wall_ns: int) -> list[WorkloadHistoryRow]:
        """Give the hours of workloads that overlap ``[start, end)``, by hour, uuid, workload's kind and id, state."""
        ...

    def service_history(self, start_wall_ns: int, end_wall_ns: int) -> list[ServiceHistoryRow]:
        """Give the hours of services that overlap ``[start, end)``, by hour, service and model."""
        ...

    def price_history(self, start_wall_ns: int, end_wall_ns: int) -> list[HourPrice]:
        """Give what the hours of the host came to that overlap ``[start, end)``, in their order."""
        ...

    def device_names(self) -> dict[str, str]:
        """Give the name of every device that the books know, by uuid; empty where it never told one."""
        ...

    def close(self) -> None:
        """Let go of what is open. Safe to call twice."""
        ...


class Ledger(History, Protocol):
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

    def load_prices(self) -> Prices:
        """Give the counters of prices, and what is open, as the ledger knows them."""
        ...

    def commit(  # noqa: PLR0917  (each is a part of one commit)
        self,
        accounts: Mapping[str, DeviceAccount],
        entries: Sequence[Entry],
        at: Instant,
        alerts: "Mapping[str, GroupMemory] | None" = None,
        usage: UsageCommit | None = None,
        prices: PriceCommit | None = None,
    ) -> None:
        """Store *accounts* as they are now, and add *entries* to the hourly history. Call it before publishing.

        *alerts* is all there is of alerts, by group under a name of the caller's choice; None leaves them as they
        are. Receivers hear of them afterwards, so that none knows more than the ledger. *usage* and *prices* go with
        the accounts into one transaction.

        The ledger keeps accounts and totals, so they must not be changed afterwards. Each entry, part, window and
        closing is passed once, also when the disk fails: trouble with the disk raises nothing, shows in `health`,
        and is tried again by the next call.
        """
        ...

    def health(self) -> LedgerHealth:
        """Give whether the books reach the disk."""
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
