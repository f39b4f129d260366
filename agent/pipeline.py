"""From a frame of the sampler to the next snapshot: book, commit, then show. It reads no device, serves no page."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from wattledger.exporter.catalog.family import device_label_values
from wattledger.exporter.rules_health import RulesHealth
from wattledger.exporter.snapshot import AgentHealth, ConfigHealth, DeviceView, Snapshot, SourceHealth
from wattledger.rules.host_book import HostBook, HostPolicy
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.quantity import Gap
from wattledger.rules.reading import (
    DeviceIdentity,
    HostFacts,
    Reading,
    Sample,
    SourceFailure,
    SourceKind,
    without_values,
)
from wattledger.rules.states import Circumstances

from .clock import Clock
from .ledger import Ledger
from .price_desk import PriceDesk
from .usage_desk import UsageDesk, UsageSettings

_NO_RULES = RulesHealth()


@dataclass(frozen=True, slots=True)
class SamplerHealth:
    """What the supervisor knows of its sampler processes."""

    restarts: int = 0
    abandoned: int = 0


class Toll:
    """What the source has cost since the daemon started; each sampler counts from its own start."""

    def __init__(self) -> None:
        self.ticks_missed = self.driver_calls = self.driver_busy_ns = 0
        self._last = (0, 0, 0)

    def add(self, sample: Sample) -> None:
        """Add what *sample* says beyond the one before; a lower count is that of a new sampler."""
        here = (sample.ticks_missed, sample.driver_calls, sample.driver_busy_ns)
        same = all(now >= before for now, before in zip(here, self._last, strict=True))
        missed, calls, busy_ns = self._last if same else (0, 0, 0)
        self.ticks_missed += sample.ticks_missed - missed
        self.driver_calls += sample.driver_calls - calls
        self.driver_busy_ns += sample.driver_busy_ns - busy_ns
        self._last = here


class Pipeline:
    """Owns the books and the latest readings of one host. Every method is called by the tick thread alone."""

    def __init__(
        self,
        *,
        kind: SourceKind,
        ledger: Ledger,
        clock: Clock,
        policy: HostPolicy,
        usage: UsageDesk,
        prices: PriceDesk,
        fresh_ns: int,
    ) -> None:
        self._kind = kind
        self._ledger = ledger
        self._clock = clock
        self._fresh_ns = fresh_ns
        self._usage = usage
        self._prices = prices
        self._excludes = policy.excludes
        self._book = HostBook(ledger.load(), self._with_owners(policy))
        self._readings: dict[str, Reading] = {}  # the last of every device seen since the start
        self._failing: Gap | None = None  # why the source as a whole gives nothing now
        self._present: frozenset[str] = frozenset()
        self._host = HostFacts()
        self._sample_at: Instant | None = None
        self._source = SourceHealth(kind=kind, success=False, detail="no sample yet")
        self._tick_ns: int | None = None
        self._toll = Toll()

    def apply(
        self,
        policy: HostPolicy,
        usage: UsageSettings,
        *,
        fresh_ns: int,
        prices: Callable[[], PriceDesk] | None = None,
    ) -> None:
        """Go on under another configuration. *prices* makes another desk of prices, at work, as a restart would."""
        self._fresh_ns = fresh_ns
        self._excludes = policy.excludes
        self._usage.apply(usage)
        self._book.apply(self._with_owners(policy), [reading.identity for reading in self._readings.values()])
        if prices is not None:
            # The new desk begins with what the ledger knows, so all that the old one has must be there first.
            self._ledger.commit({}, (), self._clock.now(), prices=self._prices.close())
            self._prices = prices()

    def close(self) -> None:
        """Store what waits for more to come; nothing comes any more."""
        now = self._clock.now()
        self._ledger.commit({}, (), now, usage=self._usage.close(now), prices=self._prices.close())

    def take(self, frame: Sample | SourceFailure) -> None:
        """Book a sample and commit it, or note that the source failed."""
        started_ns = self._clock.now().mono_ns
        if isinstance(frame, Sample):
            self._take_sample(frame)
        else:
            self._take_failure(frame)
        self._tick_ns = self._clock.now().mono_ns - started_ns

    def snapshot(
        self, sampler: SamplerHealth, config: ConfigHealth, agent: AgentHealth, rules: RulesHealth = _NO_RULES
    ) -> Snapshot:
        """Give everything a page shows, as of now."""
        now = self._clock.now()
        # A device that is no longer wanted is not lost, and nobody shall be told that it is.
        shown = (reading for reading in self._readings.values() if not self._excludes(reading.identity))
        views = [self._view(reading) for reading in shown]
        labels = {view.reading.identity.uuid: device_label_values(view) for view in views}
        services = self._usage.services()
        return Snapshot(
            at=now,
            sample_at=self._sample_at,
            fresh_ns=self._fresh_ns,
            host=self._host,
            devices=tuple(sorted(views, key=lambda view: (view.reading.identity.index, view.reading.identity.uuid))),
            source=replace(self._source, restarts=sampler.restarts, abandoned=sampler.abandoned),
            ledger=self._ledger.health(),
            config=config,
            agent=replace(agent, tick_duration_ns=self._tick_ns),
            rules=rules,
            usage=self._usage.health(labels),
            services=services,
            feeds=self._prices.feeds(),
            prices=self._prices.view(now, services),
            node=self._prices.node_view(now),
        )

    def _take_sample(self, sample: Sample) -> None:
        self._usage.look(sample)  # to whom a device is given decides on its state
        entries = self._book.read(sample)
        readings = {reading.identity.uuid: reading for reading in sample.devices}
        usage = self._usage.book(entries, readings, self._book.book_of, sample.at)
        prices = self._prices.book(entries, sample.at, sample.host.boot_id)
        # The books reach the disk before anyone can see the numbers: what was exported is never taken back.
        self._ledger.commit(self._book.accounts, entries, sample.at, usage=usage, prices=prices)
        self._host = sample.host
        self._sample_at = sample.at
        self._failing = None
        self._readings |= readings
        self._present = frozenset(readings)
        self._toll.add(sample)
        self._source = SourceHealth(
            kind=self._kind,
            success=True,
            last_success_wall_ns=sample.at.wall_ns,
            duration_ns=sample.duration_ns,
            ticks_missed=self._toll.ticks_missed,
            driver_calls=self._toll.driver_calls,
            driver_busy_ns=self._toll.driver_busy_ns,
        )

    def _take_failure(self, failure: SourceFailure) -> None:
        self._source = replace(
            self._source, success=False, reason=failure.reason, detail=failure.detail, duration_ns=None
        )
        self._failing = failure.reason

    def _view(self, reading: Reading) -> DeviceView:
        uuid = reading.identity.uuid
        present = uuid in self._present
        book = self._book.book_of(uuid)
        assert book is not None  # noqa: S101  (every reading kept here went through the book)
        reason = self._failing if present else Gap.LOST
        if reason is not None:
            reading = without_values(reading, reason)
        judgement = book.judgement if reading.up else None
        return DeviceView(
            reading=book.corrected(reading),
            account=book.account,
            present=present,
            state=None if judgement is None else judgement.state,
            state_detail="" if judgement is None else judgement.detail,
            state_since_wall_ns=book.state_since_wall_ns,
            state_energy_mj=book.state_energy_mj if judgement is not None else None,
            owner=self._usage.configured_owner(reading.identity),
            method=book.method,
            divergence_ratio=book.divergence_ratio,
            counter_suspect=book.counter_suspect,
            baselines=book.corrected_baselines(),
            holding=self._usage.holding_of(uuid),
        )

    def _with_owners(self, policy: HostPolicy) -> HostPolicy:
        """Give *policy* with the owner that a scheduler names, or else the configuration."""

        def circumstances(identity: DeviceIdentity, wall_ns: int) -> Circumstances:
            return replace(policy.circumstances(identity, wall_ns), owner=self._usage.owner_of(identity.uuid))

        return replace(policy, circumstances=circumstances)


def fresh_limit_ns(interval_ns: int) -> int:
    """Give the age at which a sample is stale: a few ticks, and never less than five seconds."""
    return max(5 * NS_PER_SECOND, 5 * interval_ns)
