"""All meters together: the tick waits for none, failures are asked less often, and each reading is given once."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.agent.fake_clock import FakeClock
from tests.agent.host_energy.fake_sys import FakeSys
from wattledger.agent.clock import SystemClock
from wattledger.agent.host_energy.hwmon import HwmonMeter
from wattledger.agent.host_energy.meters import LONGEST_PAUSE_NS, REFUSED_PAUSE_NS, HostMeters
from wattledger.agent.host_energy.rapl import RaplMeter
from wattledger.agent.sources.base import SourceError
from wattledger.exporter.node import NodeSourceHealth
from wattledger.rules.chain.node_model import NodeReading, NodeSource
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.quantity import Gap


@dataclass
class Meter:
    """A meter that takes as long as it is told, and fails as it is told."""

    clock: FakeClock
    source: NodeSource = NodeSource.RAPL
    period_ns: int = NS_PER_SECOND
    takes_ns: int = 0
    fails: Exception | None = None
    asked: list[Instant] = field(default_factory=list)
    closed: int = 0

    def read(self, at: Instant) -> tuple[NodeReading, ...]:
        self.asked.append(at)
        self.clock.advance_ns(self.takes_ns)
        if self.fails is not None:
            raise self.fails
        return (NodeReading("node", self.source, at, power_mw=len(self.asked), period_ns=self.period_ns),)

    def close(self) -> None:
        self.closed += 1


@dataclass
class Stalled:
    """A meter that answers when it is let, once a period of real time."""

    source: NodeSource = NodeSource.REDFISH
    period_ns: int = 10_000_000
    may_answer: threading.Event = field(default_factory=threading.Event)
    answered: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    closed: int = 0

    def read(self, at: Instant) -> tuple[NodeReading, ...]:
        self.may_answer.wait(10)
        self.answered.release()
        return (NodeReading("node", self.source, at, power_mw=5, period_ns=self.period_ns),)

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def health_of(meters: HostMeters) -> NodeSourceHealth:
    (health,) = meters.health()
    return health


def test_a_quick_meter_is_read_at_each_tick_however_short(clock: FakeClock) -> None:
    meters = HostMeters(clock=clock, quick=[Meter(clock)])
    for tick in range(1, 4):
        (reading,) = meters.read(clock.now())
        assert (reading.power_mw, reading.at) == (tick, clock.now())
        clock.advance(0.2)


def test_what_took_a_while_was_so_in_its_middle(clock: FakeClock) -> None:
    meters = HostMeters(clock=clock, quick=[Meter(clock, takes_ns=4_000_000)])
    began = clock.now()
    (reading,) = meters.read(began)
    assert reading.at == Instant(began.mono_ns + 2_000_000, began.wall_ns + 2_000_000)
    assert health_of(meters).duration_ns == 4_000_000


def test_a_meter_that_fails_is_asked_less_and_less_often_and_says_why(clock: FakeClock) -> None:
    meter = Meter(clock, fails=SourceError(Gap.FAILED, "it is broken"))
    meters = HostMeters(clock=clock, quick=[meter])
    for _ in range(5_000):
        assert meters.read(clock.now()) == []
        clock.advance(1)
    pauses = [
        later.ns_since(earlier) // NS_PER_SECOND for earlier, later in zip(meter.asked, meter.asked[1:], strict=False)
    ]
    assert pauses[:10] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    assert set(pauses[10:]) == {LONGEST_PAUSE_NS // NS_PER_SECOND}
    health = health_of(meters)
    assert (health.success, health.reason, health.detail) == (False, Gap.FAILED, "it is broken")
    meter.fails = None
    clock.advance_ns(LONGEST_PAUSE_NS)
    assert len(meters.read(clock.now())) == len(meters.read(clock.now())) == 1
    assert health_of(meters).success
    assert health_of(meters).reason is None


def test_one_that_refuses_us_is_left_alone_for_long(clock: FakeClock) -> None:
    meter = Meter(clock, fails=SourceError(Gap.NO_PERMISSION, "wrong password"))
    meters = HostMeters(clock=clock, quick=[meter])
    meters.read(clock.now())
    clock.advance_ns(REFUSED_PAUSE_NS - 1)
    meters.read(clock.now())
    assert len(meter.asked) == 1
    clock.advance_ns(1)
    meters.read(clock.now())
    assert len(meter.asked) == 2


def test_the_last_success_is_kept_while_it_fails(clock: FakeClock) -> None:
    meter = Meter(clock)
    meters = HostMeters(clock=clock, quick=[meter])
    began = clock.now()
    meters.read(began)
    meter.fails = ValueError("a mistake of ours")
    clock.advance(1)
    assert meters.read(clock.now()) == []
    health = health_of(meters)
    assert (health.last_success, health.reason) == (began, Gap.FAILED)
    assert "a mistake of ours" in health.detail


@pytest.fixture
def stalled() -> Iterator[Stalled]:
    meter = Stalled()
    yield meter
    meter.may_answer.set()


def test_no_tick_waits_for_a_slow_meter(stalled: Stalled) -> None:
    clock = SystemClock()
    meters = HostMeters(clock=clock, slow=[stalled])
    meters.start()
    try:
        assert meters.read(clock.now()) == []
        assert health_of(meters) == NodeSourceHealth(NodeSource.REDFISH)
        stalled.may_answer.set()
        for _ in range(3):
            assert stalled.answered.acquire(timeout=10)
        # Two are in; the third may be on its way. Each is given once, in order.
        readings = meters.read(clock.now())
        assert len(readings) >= 2
        assert readings == sorted(readings, key=lambda reading: reading.at)
        assert health_of(meters).success
        again = meters.read(clock.now())
        assert not {reading.at for reading in again} & {reading.at for reading in readings}
    finally:
        meters.close()
    assert stalled.closed == 1


def test_a_meter_that_hangs_does_not_keep_the_agent_from_ending(
    stalled: Stalled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wattledger.agent.host_energy.meters._STOP_SECONDS", 0.01)
    meters = HostMeters(clock=SystemClock(), slow=[stalled])
    meters.start()
    meters.close()
    assert stalled.closed == 0  # its thread still has it


def test_counters_and_sensors_of_a_host_come_together(tmp_path: Path) -> None:
    tree = FakeSys(tmp_path)
    tree.xeon()
    tree.acpi_meter(3, 742_000_000)
    hwmon = HwmonMeter(tmp_path)
    clock = SystemClock()
    meters = HostMeters(clock=clock, quick=[RaplMeter(tmp_path)], slow=[hwmon])
    meters.start()
    try:
        found: set[tuple[str, NodeSource]] = set()
        deadline_ns = clock.now().mono_ns + 10 * NS_PER_SECOND
        while len(found) < 6 and clock.now().mono_ns < deadline_ns:
            found |= {reading.key for reading in meters.read(clock.now())}
    finally:
        meters.close()
    assert found == {
        *((domain, NodeSource.RAPL) for domain in ("package-0", "package-1", "dram-0", "dram-1", "psys")),
        ("node", NodeSource.HWMON),
    }
