"""The source on a dcgm-exporter: what is new and what is held, what is absent and why, and how a page can fail."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.agent.dcgm_exporter import NS, Burst, DcgmExporter, FakeBoard, Fault
from tests.agent.fake_clock import FakeClock
from wattledger.agent.sources import dcgm_fetch
from wattledger.agent.sources.base import SourceError
from wattledger.agent.sources.dcgm import DcgmSource
from wattledger.agent.sources.dcgm_pace import COLLECT_NS, STALE_NS
from wattledger.rules.quantity import Gap, Quantity
from wattledger.rules.reading import Reading, Sample, SourceKind


@dataclass
class Bench:
    """An exporter and a source on one clock that moves only when told."""

    exporter: DcgmExporter
    clock: FakeClock
    source: DcgmSource
    samples: list[Sample] = field(default_factory=list)

    def tick(self, seconds: float = 1.0) -> Sample:
        """Let time pass and read once."""
        self.clock.advance(seconds)
        self.samples.append(self.source.read(self.clock.now()))
        return self.samples[-1]

    def only(self, seconds: float = 1.0) -> Reading:
        (reading,) = self.tick(seconds).devices
        return reading

    def collect(self) -> int:
        """Let the exporter collect; give the counter of its first board."""
        self.exporter.collect()
        return self.exporter.shown_mj(self.exporter.boards[0])

    def anew(self) -> None:
        """Put another source in the place of this one, as when the sampler is started again."""
        self.source.close()
        self.source = DcgmSource(self.exporter.url, self.clock)
        self.source.open()


@pytest.fixture(params=[False, True], ids=["legacy", "current"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    clock = FakeClock()
    board = FakeBoard(0, utilization=50)
    with DcgmExporter(board, current=request.param, now_ns=lambda: clock.now().mono_ns) as exporter:
        source = DcgmSource(exporter.url, clock)
        source.open()
        yield Bench(exporter, clock, source)
        source.close()


def test_a_page_gives_a_sample_of_the_host(bench: Bench) -> None:
    sample = bench.tick()
    assert sample.source is bench.source.kind is SourceKind.DCGM
    assert sample.host.driver_version == "580.105.08"
    assert sample.host.boot_id
    (reading,) = sample.devices
    assert reading.up
    assert reading.identity.index == 0
    assert reading.processes is None
    assert reading.gaps[Quantity.PROCESSES] is Gap.UNSUPPORTED
    assert reading.get(Quantity.UTILIZATION_GPU_RATIO) == 0.5


def test_energy_and_power_are_withheld_until_a_collection_is_seen(bench: Bench) -> None:
    for _ in range(3):
        reading = bench.only()
        assert Quantity.ENERGY_MJ not in reading.values
        assert Quantity.POWER_INSTANT_MW not in reading.values
        assert reading.gaps[Quantity.ENERGY_MJ] is reading.gaps[Quantity.POWER_INSTANT_MW] is Gap.TIMEOUT
    shown_mj = bench.collect()
    reading = bench.only()
    assert reading.integer(Quantity.ENERGY_MJ) == shown_mj
    assert reading.integer(Quantity.POWER_INSTANT_MW) in (300_000, 100_000)
    assert reading.at == bench.clock.now()


def test_what_a_page_repeats_is_the_same_reading_again(bench: Bench) -> None:
    bench.tick()
    shown_mj = bench.collect()
    first = bench.only()
    for _ in range(20):
        sample = bench.tick()
        assert sample.devices == (first,)
        assert sample.at == bench.clock.now()
    assert bench.collect() > shown_mj
    for _ in range(60):
        if (fresh := bench.only()) != first:
            break
    assert fresh.at.mono_ns > first.at.mono_ns
    assert (fresh.integer(Quantity.ENERGY_MJ) or 0) > shown_mj


def test_a_source_that_begins_anew_does_not_take_the_old_page_for_a_new_one(bench: Bench) -> None:
    bench.tick()
    bench.collect()
    assert Quantity.ENERGY_MJ in bench.only().values
    bench.anew()
    assert Quantity.ENERGY_MJ not in bench.only().values
    bench.collect()
    assert Quantity.ENERGY_MJ in bench.only().values


def test_it_asks_seldom_and_still_sees_each_collection_within_a_tick(bench: Bench) -> None:
    late: list[int] = []
    collected_ns = learnt = 0
    for second in range(1200):
        if second == 600:
            learnt = bench.exporter.asked
        if second % 30 == 0:
            bench.collect()
            collected_ns = bench.clock.now().mono_ns
        before = bench.samples[-1].devices[0].at if bench.samples else None
        reading = bench.only()
        if reading.at != before and second > 90:
            late.append(reading.at.mono_ns - collected_ns)
    assert len(late) == 36
    assert max(late) <= 2 * NS
    assert bench.exporter.asked - learnt <= 105  # in ten minutes


def test_an_exporter_that_collects_more_often_than_before_is_followed(bench: Bench) -> None:
    for second in range(200):
        if second % 30 == 0:
            bench.collect()
        bench.tick()
    seen = set()
    for second in range(200):
        if second % 5 == 0:
            bench.collect()
        reading = bench.only()
        if second >= 100:
            seen.add(reading.at)
    assert len(seen) >= 19


def test_a_board_whose_values_stay_is_not_shown_for_ever(bench: Bench) -> None:
    bench.tick()
    bench.collect()
    assert bench.only().up
    bench.clock.advance(STALE_NS / NS)
    stale = bench.only()
    assert not stale.up
    assert stale.values == {}
    assert set(stale.gaps.values()) <= {Gap.TIMEOUT, Gap.UNSUPPORTED}
    assert stale.gaps[Quantity.ENERGY_MJ] is Gap.TIMEOUT
    bench.collect()
    assert bench.only().up


def test_a_board_that_vanishes_is_gone_and_comes_back_unproven(bench: Bench) -> None:
    board = bench.exporter.boards[0]
    other = FakeBoard(1)
    bench.exporter.find(other)
    bench.tick()
    bench.collect()
    assert len(bench.tick().devices) == 2
    bench.exporter.lose(board)
    assert [reading.identity.index for reading in bench.tick().devices] == [1]
    bench.exporter.find(board)
    first, second = bench.tick().devices
    assert (first.identity.index, second.identity.index) == (0, 1)
    assert first.gaps[Quantity.ENERGY_MJ] is Gap.TIMEOUT
    bench.collect()
    assert all(Quantity.ENERGY_MJ in reading.values for reading in bench.tick().devices)


def test_without_a_counter_a_collection_is_told_by_what_differs(bench: Bench) -> None:
    board = bench.exporter.boards[0]
    board.without = frozenset({"DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "DCGM_FI_DEV_GPU_ENERGY_JOULES_TOTAL"})
    first = bench.only()
    assert first.gaps[Quantity.ENERGY_MJ] is Gap.FAILED  # it may have one that is missing for the moment
    assert first.gaps[Quantity.POWER_INSTANT_MW] is Gap.TIMEOUT
    assert bench.only() == first
    board.burst = Burst(250_000, 250_000)
    bench.collect()
    assert bench.only().integer(Quantity.POWER_INSTANT_MW) == 250_000
    board.burst = Burst(240_000, 240_000)
    bench.clock.advance(STALE_NS / NS)
    bench.collect()
    assert bench.only().gaps[Quantity.ENERGY_MJ] is Gap.UNSUPPORTED


def test_a_board_without_energy_and_power_is_read_each_time(bench: Bench) -> None:
    board = bench.exporter.boards[0]
    names = ("TOTAL_ENERGY_CONSUMPTION", "GPU_ENERGY_JOULES_TOTAL", "POWER_USAGE", "BOARD_POWER_WATTS")
    board.without = frozenset(f"DCGM_FI_DEV_{name}" for name in names)
    assert bench.only().at.mono_ns < bench.only().at.mono_ns == bench.clock.now().mono_ns


def test_xids_are_told_once_and_not_those_of_before(bench: Bench) -> None:
    board = bench.exporter.boards[0]
    board.xid = 31
    assert bench.tick().events == ()
    board.xid = 79
    bench.collect()
    (event,) = bench.tick().events
    assert (event.uuid, event.xid, event.wall_ns) == (board.uuid, 79, bench.clock.now().wall_ns)
    bench.collect()
    assert bench.tick().events == ()


def test_where_xids_are_counted_one_that_comes_again_is_told_too(bench: Bench) -> None:
    board = bench.exporter.boards[0]
    board.xid_counts = {13: 4}
    assert bench.tick().events == ()
    board.xid, board.xid_counts = 79, {13: 6, 79: 1}
    assert sorted(event.xid for event in bench.tick().events) == [13, 13, 79]
    board.xid_counts = {79: 1}  # the exporter was started again, and has seen one since
    bench.clock.advance(COLLECT_NS / NS)
    assert bench.tick().events == ()


def test_excluded_boards_are_left_out(bench: Bench) -> None:
    bench.exporter.find(FakeBoard(1))
    source = DcgmSource(bench.exporter.url, bench.clock, exclude=("0",))
    assert [reading.identity.index for reading in source.read(bench.clock.now()).devices] == [1]
    source = DcgmSource(bench.exporter.url, bench.clock, exclude=(bench.exporter.boards[1].uuid.upper(),))
    assert [reading.identity.index for reading in source.read(bench.clock.now()).devices] == [0]


@pytest.mark.parametrize(
    ("fault", "gap", "said"),
    [
        (Fault.SLOW, Gap.TIMEOUT, "timeout: no whole answer within 0.2 s; see the log of dcgm-exporter"),
        (Fault.CUT_OFF, Gap.FAILED, "no HTTP answer"),
        (Fault.CUT_IN_LINE, Gap.FAILED, "the page is cut off within a line"),
        (Fault.GARBAGE, Gap.FAILED, "this is not the page of a dcgm-exporter; correct the address"),
        (Fault.OTHER_PAGE, Gap.FAILED, "this is not the page of a dcgm-exporter; correct the address"),
        (Fault.NO_VALUES, Gap.FAILED, "the exporter finds no GPU; see its log, and nvidia-smi -L"),
        (Fault.REDIRECT, Gap.FAILED, "redirects are not followed"),
        (Fault.TOO_LARGE, Gap.FAILED, "the body has more than 8388608 bytes"),
        (Fault.STATUS, Gap.FAILED, "status 500; see the log of dcgm-exporter; restart it"),
    ],
)
def test_a_page_that_fails_fails_the_source_with_reason_and_cure(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, fault: Fault, gap: Gap, said: str
) -> None:
    monkeypatch.setattr(dcgm_fetch, "TIMEOUT_NS", NS // 5 if fault is Fault.SLOW else 3 * NS)
    bench.tick()
    bench.exporter.fault = fault
    with pytest.raises(SourceError) as failed:
        bench.tick()
    assert failed.value.gap is gap
    assert failed.value.detail.startswith(f"{bench.exporter.url}: ")
    assert said in failed.value.detail
    bench.exporter.fault = Fault.NONE
    assert bench.only().up


@pytest.mark.parametrize(("status", "gap"), [(401, Gap.NO_PERMISSION), (403, Gap.NO_PERMISSION), (404, Gap.FAILED)])
def test_a_refusal_is_told_from_a_failure(bench: Bench, status: int, gap: Gap) -> None:
    bench.exporter.fault, bench.exporter.status = Fault.STATUS, status
    with pytest.raises(SourceError, match=f"status {status}; ") as failed:
        bench.tick()
    assert failed.value.gap is gap


def test_nobody_who_answers_is_said_with_the_cure(bench: Bench) -> None:
    bench.exporter.down()
    with pytest.raises(SourceError, match="Connection refused; start dcgm-exporter, or correct") as failed:
        bench.tick()
    bench.exporter.up()
    assert failed.value.gap is Gap.FAILED


def test_an_address_that_is_none_fails_the_source() -> None:
    with pytest.raises(SourceError, match="is not a URL of HTTP; write dcgm:http://127"):
        DcgmSource("ftp://host", FakeClock())
