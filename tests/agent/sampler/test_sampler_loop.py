"""The sampler's loop: scripted sources, a clock that moves when waited on, real frames on a real pipe."""

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import pytest

from tests.agent.fake_clock import FakeClock
from tests.agent.sampler.samples import sample
from wattledger.agent.sampler.exits import SamplerExit
from wattledger.agent.sampler.frames import EndOfFrames, FrameReader, FrameWriter, Message
from wattledger.agent.sampler.main import RELEASED, Sampler, random_phase_ns
from wattledger.agent.sampler.orders import Orders
from wattledger.agent.sampler.settings import SamplerSettings
from wattledger.agent.sources.base import EndOfSource, SourceError
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.quantity import Gap
from wattledger.rules.reading import Sample, SourceFailure, SourceKind

SECOND = NS_PER_SECOND
PHASE_NS = 700_000_000


@dataclass(slots=True)
class InterruptedClock(FakeClock):
    """A clock whose waits are cut by orders given at their moments."""

    given: list[tuple[int, Callable[[], None]]] = field(default_factory=list)

    def wait_until(self, mono_ns: int, stop: threading.Event) -> bool:
        while self.given and self.given[0][0] <= mono_ns and not stop.is_set():
            at_ns, order = self.given.pop(0)
            self.advance_ns(max(0, at_ns - self.mono_ns))
            order()
        return FakeClock.wait_until(self, mono_ns, stop)


@dataclass
class ScriptedSource:
    """A source that takes some time to open and to read, and does what `on_read` says at each reading."""

    clock: FakeClock
    orders: Orders
    last_read: int = 10
    kind: SourceKind = SourceKind.NVML
    open_ns: int = 0
    read_ns: dict[int, int] = field(default_factory=dict)
    on_read: dict[int, Callable[[], None]] = field(default_factory=dict)
    reads: int = 0
    opened: int = 0
    is_open: bool = False

    def open(self) -> None:
        self.clock.advance_ns(self.open_ns)
        self.opened += 1
        self.is_open = True

    def read(self, at: Instant) -> Sample:
        assert self.is_open
        self.reads += 1
        self.clock.advance_ns(self.read_ns.get(self.reads, 0))
        if self.reads == self.last_read:
            self.orders.stop()
        self.on_read.get(self.reads, lambda: None)()
        return replace(sample(at.mono_ns), source=self.kind)

    def close(self) -> None:
        self.is_open = False


@dataclass
class Bench:
    """A sampler with its surroundings, and the reading end of its pipe."""

    clock: InterruptedClock
    orders: Orders
    source: ScriptedSource
    read_fd: int
    write_fd: int

    def run(self) -> SamplerExit:
        sampler = Sampler(
            SamplerSettings(self.source.kind),
            lambda: self.source,
            clock=self.clock,
            writer=FrameWriter(self.write_fd),
            orders=self.orders,
            phase_ns=PHASE_NS,
        )
        return sampler.run()

    def received(self) -> list[Message]:
        return list(FrameReader().feed(os.read(self.read_fd, 65536)))


@pytest.fixture
def bench() -> Iterator[Bench]:
    clock, orders = InterruptedClock(), Orders()
    read_fd, write_fd = os.pipe2(os.O_NONBLOCK)
    yield Bench(clock, orders, ScriptedSource(clock, orders), read_fd, write_fd)
    os.close(read_fd)
    os.close(write_fd)


def failing(gap: Gap, code: int) -> Callable[[], None]:
    def fail() -> None:
        raise SourceError(gap, "not today", code=code)

    return fail


def end() -> None:
    raise EndOfSource


def test_the_first_sample_comes_at_once_and_the_others_on_the_shifted_grid(bench: Bench) -> None:
    start_ns = bench.clock.mono_ns
    assert bench.run() is SamplerExit.DONE
    moments = [message.at.mono_ns - start_ns for message in bench.received() if isinstance(message, Sample)]
    assert moments == [0, *(PHASE_NS + tick * SECOND for tick in range(9))]
    assert not bench.source.is_open


def test_an_overrun_skips_ticks_counts_them_and_keeps_the_grid(bench: Bench) -> None:
    bench.source.last_read = 5
    bench.source.read_ns = {3: 3 * SECOND + 1}
    start_ns = bench.clock.mono_ns
    bench.run()
    samples = [message for message in bench.received() if isinstance(message, Sample)]
    assert [message.at.mono_ns - start_ns for message in samples] == [
        0,
        PHASE_NS,
        PHASE_NS + SECOND,
        PHASE_NS + 5 * SECOND,
        PHASE_NS + 6 * SECOND,
    ]
    assert [message.ticks_missed for message in samples] == [0, 0, 0, 3, 3]


def test_ticks_that_pass_while_the_driver_comes_up_are_not_missed(bench: Bench) -> None:
    bench.source.last_read = 3
    bench.source.open_ns = 8 * SECOND
    bench.run()
    assert [message.ticks_missed for message in bench.received() if isinstance(message, Sample)] == [0, 0, 0]


def test_a_source_that_fails_as_a_whole_is_told_closed_and_left(bench: Bench) -> None:
    bench.source.on_read = {2: failing(Gap.NO_DRIVER, 18)}
    assert bench.run() is SamplerExit.SOURCE_FAILED
    first, failure = bench.received()
    assert isinstance(first, Sample)
    assert isinstance(failure, SourceFailure)
    assert (failure.source, failure.reason, failure.detail, failure.code) == (
        SourceKind.NVML,
        Gap.NO_DRIVER,
        "not today",
        18,
    )
    assert not bench.source.is_open


def test_a_failure_in_a_capture_is_part_of_the_capture(bench: Bench) -> None:
    bench.source.kind = SourceKind.REPLAY
    bench.source.last_read = 3
    bench.source.on_read = {2: failing(Gap.LOST, 15)}
    assert bench.run() is SamplerExit.DONE
    assert [type(message) for message in bench.received()] == [Sample, SourceFailure, Sample]


def test_the_end_of_a_finite_source_is_a_frame_and_an_exit_code(bench: Bench) -> None:
    bench.source.on_read = {3: end}
    assert bench.run() is SamplerExit.END_OF_SOURCE
    assert [type(message) for message in bench.received()] == [Sample, Sample, EndOfFrames]
    assert not bench.source.is_open


def test_a_released_source_is_closed_at_once_and_says_so_each_tick_until_taken_again(bench: Bench) -> None:
    start_ns = bench.clock.mono_ns
    bench.source.last_read = 4
    released_ns, taken_ns = PHASE_NS + SECOND // 4, PHASE_NS + 2 * SECOND + SECOND // 2
    bench.clock.given = [(start_ns + released_ns, bench.orders.release), (start_ns + taken_ns, bench.orders.take)]
    bench.run()
    messages = bench.received()
    told = [
        (type(message), message.at.mono_ns - start_ns) for message in messages if not isinstance(message, EndOfFrames)
    ]
    assert told == [
        (Sample, 0),
        (Sample, PHASE_NS),
        (SourceFailure, released_ns),
        (SourceFailure, PHASE_NS + SECOND),
        (SourceFailure, PHASE_NS + 2 * SECOND),
        (Sample, taken_ns),
        (Sample, PHASE_NS + 3 * SECOND),
    ]
    assert {message.detail for message in messages if isinstance(message, SourceFailure)} == {RELEASED}
    assert bench.source.opened == 2


def test_a_sampler_that_starts_released_leaves_the_driver_alone(bench: Bench) -> None:
    bench.orders.release()
    bench.clock.given = [(bench.clock.mono_ns + 3 * SECOND, bench.orders.stop)]
    assert bench.run() is SamplerExit.DONE
    assert bench.source.opened == 0
    assert {type(message) for message in bench.received()} == {SourceFailure}


def test_a_repeated_order_changes_nothing(bench: Bench) -> None:
    bench.clock.given = [
        (bench.clock.mono_ns + tick * SECOND // 10, order)
        for tick, order in enumerate([bench.orders.release, bench.orders.release, bench.orders.take] * 2, 8)
    ]
    bench.source.last_read = 5
    bench.run()
    kinds = [type(message) for message in bench.received()]
    assert kinds == [Sample, Sample, SourceFailure, Sample, SourceFailure, Sample, Sample]


def test_the_source_is_closed_when_nobody_reads_any_more(bench: Bench) -> None:
    os.dup2(bench.write_fd, bench.read_fd)  # closes the only reading end
    assert bench.run() is SamplerExit.DONE
    assert bench.source.reads == 1
    assert not bench.source.is_open


@pytest.mark.parametrize("interval_ns", [1, SECOND // 5, 10 * SECOND])
def test_the_phase_leaves_half_an_interval_to_one_and_a_half_after_the_first_sample(interval_ns: int) -> None:
    phases = {random_phase_ns(interval_ns) for _ in range(200)}
    assert interval_ns // 2 <= min(phases) <= max(phases) < interval_ns * 3 / 2
    assert interval_ns == 1 or len(phases) > 100
