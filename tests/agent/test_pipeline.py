"""From frames to snapshots: what a page shows when all is well, when the source fails and when a device goes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.agent.fake_clock import FakeClock
from tests.rules.gpu_model import GpuModel
from wattledger.agent.config import Config
from wattledger.agent.config.schema import Correction, Gpus, Ownership
from wattledger.agent.config.values import GpuReference
from wattledger.agent.ledger import (
    HistoryRow,
    Ledger,
    MemoryLedger,
    PriceCommit,
    Prices,
    ServiceHistoryRow,
    Usage,
    UsageCommit,
    WorkloadHistoryRow,
)
from wattledger.agent.pipeline import Pipeline, SamplerHealth, Toll, fresh_limit_ns
from wattledger.agent.policy import host_policy, usage_settings
from wattledger.agent.price_desk import PriceDesk
from wattledger.agent.price_parts import PriceSettings
from wattledger.agent.usage_desk import UsageDesk
from wattledger.agent.workloads.attribution import Attribution
from wattledger.agent.workloads.pods import Pods
from wattledger.agent.workloads.simulated import SimulatedPods, SimulatedProcesses
from wattledger.exporter.snapshot import AgentHealth, ConfigHealth, DeviceView, LedgerHealth, Snapshot
from wattledger.rules.account import DeviceAccount, Entry
from wattledger.rules.alerting import GroupMemory
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.pricing.model import HourPrice
from wattledger.rules.quantity import Gap, Quantity
from wattledger.rules.reading import Sample, SourceFailure, SourceKind, XidEvent, without_values
from wattledger.rules.state import State
from wattledger.rules.tokens.policy import TokenPolicy

FRESH_NS = 5 * NS_PER_SECOND


class DiskError(Exception):
    """What the ledger of these tests raises when told to."""


@dataclass(slots=True)
class Books:
    """A ledger that notes what the page showed while it committed, and fails on demand."""

    inner: MemoryLedger = field(default_factory=MemoryLedger)
    pipeline: Pipeline | None = None
    shown: list[Snapshot] = field(default_factory=list)
    fails: bool = False

    def load(self) -> dict[str, DeviceAccount]:
        return self.inner.load()

    def load_alerts(self) -> dict[str, GroupMemory]:
        return self.inner.load_alerts()

    def load_usage(self) -> Usage:
        return self.inner.load_usage()

    def commit(  # noqa: PLR0917  (as the protocol has it)
        self,
        accounts: Mapping[str, DeviceAccount],
        entries: Sequence[Entry],
        at: Instant,
        alerts: Mapping[str, GroupMemory] | None = None,
        usage: UsageCommit | None = None,
        prices: PriceCommit | None = None,
    ) -> None:
        assert self.pipeline is not None
        self.shown.append(snapshot(self.pipeline))
        if self.fails:
            raise DiskError
        self.inner.commit(accounts, entries, at, alerts, usage, prices)

    def health(self) -> LedgerHealth:
        return self.inner.health()

    def history(self, start_wall_ns: int, end_wall_ns: int, *, uuid: str | None = None) -> list[HistoryRow]:
        return self.inner.history(start_wall_ns, end_wall_ns, uuid=uuid)

    def workload_history(self, start_wall_ns: int, end_wall_ns: int) -> list[WorkloadHistoryRow]:
        return self.inner.workload_history(start_wall_ns, end_wall_ns)

    def service_history(self, start_wall_ns: int, end_wall_ns: int) -> list[ServiceHistoryRow]:
        return self.inner.service_history(start_wall_ns, end_wall_ns)

    def load_prices(self) -> Prices:
        return self.inner.load_prices()

    def price_history(self, start_wall_ns: int, end_wall_ns: int) -> list[HourPrice]:
        return self.inner.price_history(start_wall_ns, end_wall_ns)

    def device_names(self) -> dict[str, str]:
        return self.inner.device_names()

    def close(self) -> None:
        self.inner.close()


@dataclass(slots=True)
class Host:
    """Boards whose samples go through a pipeline."""

    gpus: list[GpuModel] = field(default_factory=lambda: [GpuModel(uuid="GPU-1"), GpuModel(uuid="GPU-2", index=1)])
    clock: FakeClock = field(default_factory=FakeClock)
    config: Config = field(default_factory=Config)
    ledger: Ledger = field(default_factory=MemoryLedger)
    pods: Pods | None = None
    pipeline: Pipeline = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        self.pipeline = Pipeline(
            kind=SourceKind.SIM,
            ledger=self.ledger,
            clock=self.clock,
            policy=host_policy(self.config),
            usage=UsageDesk(
                Attribution(
                    self.clock,
                    SimulatedProcesses(),
                    settings=usage_settings(self.config).workloads,
                    pods=self.pods,
                ),
                self.ledger.load_usage(),
                settings=usage_settings(self.config),
                token_policy=TokenPolicy(),
            ),
            prices=PriceDesk(self.ledger.load_prices(), PriceSettings(open_ns=0)),
            fresh_ns=FRESH_NS,
        )

    def sample(self, *, without: str = "", events: tuple[XidEvent, ...] = ()) -> Sample:
        readings = tuple(gpu.reading() for gpu in self.gpus if gpu.uuid != without)
        return Sample(self.gpus[0].at, SourceKind.SIM, self.gpus[0].host, readings, events, duration_ns=7)

    def run(self, times: int, *, without: str = "") -> Snapshot:
        for _ in range(times):
            for gpu in self.gpus:
                gpu.advance(1)
            self.clock.advance(1)
            self.pipeline.take(self.sample(without=without))
        return self.snapshot()

    def fail(self, reason: Gap, detail: str = "the driver hangs") -> Snapshot:
        self.pipeline.take(SourceFailure(self.clock.now(), SourceKind.SIM, reason, detail))
        return self.snapshot()

    def snapshot(self) -> Snapshot:
        return snapshot(self.pipeline)


def snapshot(pipeline: Pipeline) -> Snapshot:
    return pipeline.snapshot(
        SamplerHealth(restarts=3, abandoned=1),
        ConfigHealth(loaded_wall_ns=5),
        AgentHealth(version="1", started_wall_ns=0),
    )


def view(shown: Snapshot, uuid: str) -> DeviceView:
    (found,) = (device for device in shown.devices if device.reading.identity.uuid == uuid)
    return found


def test_before_the_first_sample_there_is_no_device_and_a_reason() -> None:
    shown = Host().snapshot()
    assert shown.devices == ()
    assert shown.sample_at is None
    assert not shown.source.success
    assert shown.source.detail == "no sample yet"


def test_a_sample_shows_values_states_and_books() -> None:
    host = Host()
    shown = host.run(3)
    first = view(shown, "GPU-1")
    assert first.present
    assert first.reading.values[Quantity.POWER_AVERAGE_MW] == 100_000
    assert first.account.states[State.PARKED].energy_mj == 200_000
    assert first.state is State.PARKED
    assert shown.source.success
    assert (shown.source.restarts, shown.source.abandoned, shown.source.duration_ns) == (3, 1, 7)
    assert shown.source.last_success_wall_ns == host.gpus[0].at.wall_ns
    assert shown.sample_at == host.gpus[0].at
    assert shown.host == host.gpus[0].host


def test_a_failure_blanks_every_value_with_its_reason_and_keeps_the_totals() -> None:
    host = Host()
    before = host.run(3)
    shown = host.fail(Gap.TIMEOUT)
    for uuid in ("GPU-1", "GPU-2"):
        blank, full = view(shown, uuid), view(before, uuid)
        assert not blank.reading.up
        assert blank.reading.values == {}
        assert blank.reading.processes is None
        assert all(blank.reading.gaps[quantity] is Gap.TIMEOUT for quantity in full.reading.values)
        assert blank.reading.gaps[Quantity.PROCESSES] is Gap.TIMEOUT
        assert blank.state is None
        assert blank.present, "nobody said that it went"
        assert blank.account == full.account
    assert (shown.source.success, shown.source.reason, shown.source.detail) == (
        False,
        Gap.TIMEOUT,
        "the driver hangs",
    )
    assert shown.source.last_success_wall_ns == before.source.last_success_wall_ns
    assert shown.source.duration_ns is None
    assert shown.sample_at == before.sample_at


def test_a_later_failure_gives_its_own_reason() -> None:
    host = Host()
    host.run(3)
    host.fail(Gap.TIMEOUT)
    shown = host.fail(Gap.NO_DRIVER, "no driver is loaded")
    assert view(shown, "GPU-1").reading.gaps[Quantity.POWER_AVERAGE_MW] is Gap.NO_DRIVER
    assert shown.source.reason is Gap.NO_DRIVER


def test_a_value_that_was_absent_before_the_failure_keeps_its_own_reason() -> None:
    host = Host()
    host.gpus[0].gaps[Quantity.FAN_SPEED_RATIO] = Gap.UNSUPPORTED
    host.run(2)
    shown = host.fail(Gap.TIMEOUT)
    assert view(shown, "GPU-1").reading.gaps[Quantity.FAN_SPEED_RATIO] is Gap.UNSUPPORTED


def test_after_a_failure_the_next_sample_shows_everything_again_and_no_joule_is_missing() -> None:
    host = Host()
    host.run(3)
    host.fail(Gap.TIMEOUT)
    for gpu in host.gpus:
        gpu.advance(60)
    shown = host.run(1)
    first = view(shown, "GPU-1")
    assert first.reading.values[Quantity.POWER_AVERAGE_MW] == 100_000
    assert first.account.energy_mj == 63 * 100_000
    assert first.account.states[State.UNOBSERVED].energy_mj == 61 * 100_000
    assert (shown.source.success, shown.source.reason, shown.source.detail) == (True, None, "")


def test_a_device_that_vanishes_stays_with_its_totals_and_without_values() -> None:
    host = Host()
    before = host.run(3)
    shown = host.run(2, without="GPU-2")
    gone = view(shown, "GPU-2")
    assert not gone.present
    assert not gone.reading.up
    assert gone.reading.values == {}
    assert gone.reading.gaps[Quantity.POWER_AVERAGE_MW] is Gap.LOST
    assert gone.state is None
    assert gone.account == view(before, "GPU-2").account
    assert view(shown, "GPU-1").present
    assert view(host.fail(Gap.TIMEOUT), "GPU-2").reading.gaps[Quantity.POWER_AVERAGE_MW] is Gap.LOST
    back = view(host.run(1), "GPU-2")
    assert back.present
    assert back.account.energy_mj == 5 * 100_000


def test_a_lost_device_does_not_blank_its_neighbour() -> None:
    host = Host()
    host.run(3)
    sample = host.sample()
    host.pipeline.take(replace(sample, devices=(host.gpus[0].reading(up=False), sample.devices[1])))
    shown = host.snapshot()
    assert view(shown, "GPU-1").state is None
    assert not view(shown, "GPU-1").reading.up
    assert view(shown, "GPU-2").state is State.PARKED


def test_devices_stand_in_the_order_of_their_indices() -> None:
    host = Host([GpuModel(uuid="GPU-b", index=1), GpuModel(uuid="GPU-a", index=2), GpuModel(uuid="GPU-c", index=0)])
    assert [device.reading.identity.uuid for device in host.run(1).devices] == ["GPU-c", "GPU-b", "GPU-a"]


def test_the_books_are_committed_before_the_page_shows_them() -> None:
    host = Host()
    books = Books()
    host.ledger = books
    host.start()
    books.pipeline = host.pipeline
    first, second = host.run(1), host.run(1)
    assert [shown.sample_at for shown in books.shown] == [None, first.sample_at]
    books.fails = True
    with pytest.raises(DiskError):
        host.run(1)
    assert host.snapshot().sample_at == second.sample_at


def test_what_was_committed_is_gone_on_with_at_the_next_start() -> None:
    host = Host()
    host.run(3)
    host.start()
    shown = host.run(1)
    assert view(shown, "GPU-1").account.states[State.UNOBSERVED].energy_mj == 100_000
    assert view(shown, "GPU-1").account.energy_mj == 300_000
    assert sum(row.energy_mj for row in host.ledger.history(0, 2**62)) == 2 * 300_000


def test_a_new_configuration_holds_from_the_next_snapshot_on() -> None:
    host = Host()
    host.run(2)
    config = Config(
        gpus=Gpus(corrections={"GPU-1": Correction(gain_ppm=2_000_000)}),
        owners=(Ownership(gpus=(GpuReference(index=0),), owner="alice"),),
    )
    host.pipeline.apply(host_policy(config), usage_settings(config), fresh_ns=9)
    shown = host.snapshot()
    assert shown.fresh_ns == 9
    first, second = view(shown, "GPU-1"), view(shown, "GPU-2")
    assert (first.owner, second.owner) == ("alice", "")
    assert first.reading.values[Quantity.POWER_AVERAGE_MW] == 200_000
    assert first.account.energy_mj == 100_000
    assert view(host.run(1), "GPU-1").account.energy_mj == 300_000


def test_the_owner_is_whom_the_configuration_names_and_not_the_pod_that_was_given_the_device() -> None:
    gpus = [GpuModel(uuid="GPU-1", index=5), GpuModel(uuid="GPU-2", index=13)]
    config = Config(owners=(Ownership(gpus=(GpuReference(index=5),), owner="carol"),))
    shown = Host(gpus=gpus, config=config, pods=SimulatedPods()).run(2)
    assert [view(shown, gpu.uuid).state for gpu in gpus] == [State.ALLOCATED] * 2
    assert [view(shown, gpu.uuid).owner for gpu in gpus] == ["carol", ""]


def test_a_device_that_is_excluded_leaves_the_page_and_is_not_called_lost() -> None:
    host = Host()
    host.run(2)
    excluding = Config(gpus=Gpus(exclude=(GpuReference(index=1),)))
    host.pipeline.apply(host_policy(excluding), usage_settings(excluding), fresh_ns=FRESH_NS)
    host.run(1)  # a last sample of before may still name it
    assert [shown.reading.identity.uuid for shown in snapshot(host.pipeline).devices] == ["GPU-1"]


def test_an_xid_reaches_the_account() -> None:
    host = Host()
    host.run(1)
    host.pipeline.take(host.sample(events=(XidEvent("GPU-2", 79, 5),)))
    assert view(host.snapshot(), "GPU-2").account.xids[79].count == 1


def test_the_same_frame_again_changes_no_total() -> None:
    host = Host()
    before = host.run(3)
    for _ in range(5):
        host.pipeline.take(host.sample())
    assert [device.account for device in host.snapshot().devices] == [device.account for device in before.devices]


def test_the_time_of_a_tick_is_measured() -> None:
    host = Host()
    assert host.snapshot().agent.tick_duration_ns is None
    host.run(1)
    assert host.snapshot().agent.tick_duration_ns == 0


def test_a_page_is_fresh_for_five_ticks_and_never_less_than_five_seconds() -> None:
    assert fresh_limit_ns(NS_PER_SECOND // 5) == 5 * NS_PER_SECOND
    assert fresh_limit_ns(10 * NS_PER_SECOND) == 50 * NS_PER_SECOND


def test_a_reading_without_values_has_only_reasons() -> None:
    reading = GpuModel(pids=(1,)).reading()
    blank = without_values(reading, Gap.ASLEEP)
    assert not blank.up
    assert set(blank.gaps) == {*reading.values, Quantity.PROCESSES}
    assert blank.instances == ()


tolls = st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))


@given(st.lists(st.lists(tolls, min_size=1, max_size=5), max_size=8))
def test_monotony_the_toll_adds_up_over_samplers_and_never_falls(samplers: list[list[tuple[int, int, int]]]) -> None:
    """Each sampler counts from its own start; what a page shows goes on."""
    toll, shown, truth = Toll(), [(0, 0, 0)], [0, 0, 0]
    empty = GpuModel().sample()
    for steps in samplers:
        here = [0, 0, 0]
        for step in steps:
            here = [count + more for count, more in zip(here, step, strict=True)]
            missed, calls, busy_ns = here
            toll.add(replace(empty, ticks_missed=missed, driver_calls=calls, driver_busy_ns=busy_ns))
            shown.append((toll.ticks_missed, toll.driver_calls, toll.driver_busy_ns))
        truth = [total + more for total, more in zip(truth, here, strict=True)]
    for before, after in pairwise(shown):
        assert all(later >= earlier for earlier, later in zip(before, after, strict=True))
    assert all(total <= most for total, most in zip(shown[-1], truth, strict=True))


def test_what_the_source_costs_is_shown() -> None:
    host = Host()
    for calls in (200, 210):
        host.pipeline.take(replace(host.sample(), driver_calls=calls, driver_busy_ns=2 * calls, ticks_missed=3))
    source = host.snapshot().source
    assert (source.driver_calls, source.driver_busy_ns, source.ticks_missed) == (210, 420, 3)


def test_a_sampler_that_is_replaced_counts_whole() -> None:
    toll, empty = Toll(), GpuModel().sample()
    for calls in (200, 210, 200, 220):
        toll.add(replace(empty, driver_calls=calls, driver_busy_ns=calls, ticks_missed=1))
    assert (toll.driver_calls, toll.driver_busy_ns, toll.ticks_missed) == (430, 430, 2)
