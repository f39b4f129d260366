"""The part of each tick that is beyond devices: who held them, what each used, and the tokens that came of it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from wattledger.exporter.usage import UsageHealth, usage_views
from wattledger.rules.account import Entry
from wattledger.rules.book import DeviceBook
from wattledger.rules.instant import Instant
from wattledger.rules.reading import DeviceIdentity, Pace, ProcessKind, Reading, Sample
from wattledger.rules.state import BaselineKind
from wattledger.rules.tokens.book import ServiceBook
from wattledger.rules.tokens.model import Service, TokenRead
from wattledger.rules.tokens.policy import TokenPolicy
from wattledger.rules.tokens.totals import ServiceWindow
from wattledger.rules.tokens.view import ServiceView
from wattledger.rules.usage.book import UsagePolicy, WorkloadBook
from wattledger.rules.usage.shares import ShareSignals
from wattledger.rules.usage.workload import NOBODY, Holding

from .config.schema import Services
from .device_names import DeviceNames
from .ledger import Usage, UsageCommit
from .workloads.attribution import Attribution, WorkloadSettings

_NOT_KNOWN = ShareSignals(idle_mw=None)


class TokenSource(Protocol):
    """Where services and reads of their counters come from. No call blocks."""

    def apply(self, section: Services) -> None:
        """Go on with the servers of another configuration."""
        ...

    def observe(self, holders: Mapping[str, Collection[int]]) -> None:
        """Take which processes hold which device now."""
        ...

    def services(self) -> tuple[Service, ...]:
        """Give the services that are known now; the same tuple as long as nothing changes."""
        ...

    def service_of(self, pid: int) -> str:
        """Give the service that a process works for; empty where it works for none."""
        ...

    def device_service(self, uuid: str) -> str:
        """Give the service that the configuration gives a device to; empty where it gives it to none."""
        ...

    def drain(self) -> list[TokenRead]:
        """Give what was read since the last call."""
        ...

    def start(self) -> None:
        """Begin to look and to read."""
        ...

    def close(self) -> None:
        """Read nothing any more."""
        ...


class Closable(Protocol):
    """Something with a thread of its own."""

    def close(self) -> None:
        """End it."""
        ...


@dataclass(frozen=True, slots=True)
class UsageSettings:
    """What the configuration says of workloads and services; None: as it is."""

    workloads: WorkloadSettings
    policy: UsagePolicy = field(default_factory=UsagePolicy)
    tokens: TokenPolicy | None = None
    services: Services | None = None


class UsageDesk:
    """Books workloads and services of one host. Every method is called by the tick thread alone."""

    def __init__(
        self,
        attribution: Attribution,
        usage: Usage,
        *,
        settings: UsageSettings,
        tokens: TokenSource | None = None,
        token_policy: TokenPolicy,
        devices: DeviceNames | None = None,
        helpers: Sequence[Closable] = (),
    ) -> None:
        """*devices* is told which boards there are, for others; *helpers* are closed with this."""
        self._helpers = tuple(helpers)
        self._attribution = attribution
        self._devices = devices
        self._settings = settings
        self._tokens = tokens
        self._workloads = WorkloadBook(usage.totals, settings.policy)
        self._token_policy = token_policy
        self._services = ServiceBook(usage.services, token_policy)
        self._pace: Pace | None = None  # of the last sample
        self._known: tuple[Service, ...] = ()
        self._holdings: dict[str, Holding] = {}
        self._sample: Sample | None = None

    def apply(self, settings: UsageSettings) -> None:
        """Go on under another configuration."""
        self._settings = settings
        self._attribution.apply(settings.workloads)
        self._workloads.apply(settings.policy)
        if settings.tokens is not None and settings.tokens != self._token_policy:
            self._token_policy = settings.tokens
            self._services.apply(settings.tokens.at_pace(self._pace))
        if settings.services is not None and self._tokens is not None:
            self._tokens.apply(settings.services)
        if self._sample is not None:
            self._holdings = self._attribution.holdings(self._sample)

    def look(self, sample: Sample) -> None:
        """Find out who has to do with each device of *sample*, before it is booked."""
        self._sample = sample
        if sample.pace != self._pace:
            self._pace = sample.pace
            self._services.apply(self._token_policy.at_pace(sample.pace))
        if self._devices is not None:
            self._devices.see(sample)
        self._holdings = self._attribution.holdings(sample)
        if self._tokens is not None:
            self._tokens.observe({reading.identity.uuid: _pids(reading) for reading in sample.devices})

    def owner_of(self, uuid: str) -> str:
        """Give to whom a device is given; "" for nobody."""
        return self._attribution.owner_of(uuid)

    def configured_owner(self, identity: DeviceIdentity) -> str:
        """Give whom the configuration names for a device, whoever has been given it; "" for nobody."""
        return self._settings.workloads.owners(identity)

    def holding_of(self, uuid: str) -> Holding:
        """Give who has to do with a device now."""
        return self._holdings.get(uuid, NOBODY)

    def book(
        self,
        entries: Sequence[Entry],
        readings: Mapping[str, Reading],
        book_of: Callable[[str], DeviceBook | None],
        at: Instant,
    ) -> UsageCommit:
        """Share out *entries* among those who were looked up last; give what is to be stored with them."""

        def signals(uuid: str) -> ShareSignals:
            book, reading = book_of(uuid), readings.get(uuid)
            if book is None:
                return _NOT_KNOWN
            return ShareSignals(_idle_mw(book), () if reading is None else reading.instances)

        parts = self._workloads.add(entries, self._holdings, signals, at)
        self._services.add_parts(parts)
        self._note_devices()
        windows = self._settle(at)
        changes = self._workloads.take_changes()
        return UsageCommit(
            changed=changes.changed,
            dropped=changes.dropped,
            parts=parts,
            services=self._services.take_changes(),
            dropped_services=self._services.take_dropped(),
            windows=[(self._services.energy_model(window.service), window) for window in windows],
        )

    def close(self, at: Instant) -> UsageCommit:
        """Give what is pending, which is stored last, and look nothing up any more."""
        self._attribution.close()
        if self._tokens is not None:
            self._tokens.close()
        for helper in self._helpers:
            helper.close()
        windows = self._services.close(at)
        return UsageCommit(
            services=self._services.take_changes(),
            dropped_services=self._services.take_dropped(),
            windows=[(self._services.energy_model(window.service), window) for window in windows],
        )

    def health(self, device_labels: Mapping[str, tuple[str, ...]]) -> UsageHealth:
        """Give what the page shows of workloads on the devices that it has labels for."""
        found = self._attribution.health()
        return UsageHealth(
            views=usage_views(self._workloads.shown(), device_labels),
            shown=self._workloads.workloads,
            folded=self._workloads.folded,
            limit=self._settings.policy.limit,
            processes=found.processes,
            unresolved=tuple((reason.value, number) for reason, number in found.unresolved.items()),
        )

    def services(self) -> tuple[ServiceView, ...]:
        """Give what the page shows of services."""
        return self._services.views()

    def _settle(self, at: Instant) -> list[ServiceWindow]:
        if self._tokens is not None:
            known = self._tokens.services()
            if known is not self._known:
                self._known = known
                self._services.set_services(known)
            self._services.add_reads(self._tokens.drain())
        return self._services.settle(at)

    def _note_devices(self) -> None:
        """Tell how many devices each service holds: of a board that is cut each instance is one."""
        counts: dict[str, set[tuple[str, int | None]]] = {}
        for uuid, holding in self._holdings.items():
            for holder in holding.holders:
                if holder.service:
                    counts.setdefault(holder.service, set()).add((uuid, holder.gpu_instance))
        for service in self._known:
            if not service.devices and service.name in counts:
                self._services.note_devices(service.name, len(counts[service.name]))


def _pids(reading: Reading) -> frozenset[int]:
    return frozenset(process.pid for process in reading.processes or () if process.kind is not ProcessKind.GRAPHICS)


def _idle_mw(book: DeviceBook) -> int | None:
    """Give the draw of a device that is held and does nothing, or failing that of one that nobody holds."""
    known = {baseline.kind: baseline.power_mw for baseline in book.corrected_baselines()}
    return known.get(BaselineKind.CONTEXT, known.get(BaselineKind.BARE))
