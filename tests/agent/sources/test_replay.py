"""A replay gives what was captured: with its own times for tests, at the present for people, for ever if told to."""

import itertools
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.agent.capture.strategies import frames
from tests.agent.capture.writing import write
from tests.data.captures import make
from wattledger.agent.capture.format import Frame
from wattledger.agent.sources.base import EndOfSource, Source, SourceError
from wattledger.agent.sources.replay import ReplaySource
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.quantity import Gap, Quantity
from wattledger.rules.reading import (
    DeviceIdentity,
    HostFacts,
    Reading,
    Sample,
    SourceFailure,
    SourceKind,
    Values,
    XidEvent,
)

NOW = Instant(90_000 * NS_PER_SECOND, 1_800_000_000 * NS_PER_SECOND)
FAULTS = make.FOLDER / "faults.jsonl"
_names = itertools.count()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("captures")


@dataclass(slots=True)
class Opened:
    """Opens replays, and closes them when the test is over."""

    sources: list[ReplaySource] = field(default_factory=list)

    def __call__(self, path: Path, *, realtime: bool = False, loop: bool = False) -> ReplaySource:
        source = ReplaySource(path, realtime=realtime, loop=loop)
        source.open()
        self.sources.append(source)
        return source

    def close(self) -> None:
        for source in self.sources:
            source.close()


@pytest.fixture
def opened() -> Iterator[Opened]:
    with closing(Opened()) as opener:
        yield opener


def later(ns: int) -> Instant:
    return Instant(NOW.mono_ns + ns, NOW.wall_ns + ns)


def all_of(source: Source, at: Instant = NOW) -> Iterator[Sample | SourceError]:
    while True:
        try:
            yield source.read(at)
        except SourceError as error:
            yield error
        except EndOfSource:
            return


def frame(second: float, values: Values | None = None, *, events: tuple[XidEvent, ...] = ()) -> Sample:
    at = Instant(round(second * NS_PER_SECOND), 50 + round(second * NS_PER_SECOND))
    device = Reading(DeviceIdentity("GPU-1", 0, "H"), at, values=values or {})
    return Sample(at, SourceKind.NVML, HostFacts(), (device,), events=events)


@given(frames)
@settings(max_examples=60)
def test_replay_gives_every_frame_as_captured_but_marked(folder: Path, frames: list[Frame]) -> None:
    with closing(Opened()) as opened:
        found = list(all_of(opened(write(folder / f"{next(_names)}.jsonl", frames))))
    for captured, given_now in zip(frames, found, strict=True):
        if isinstance(captured, SourceFailure):
            assert isinstance(given_now, SourceError)
            assert (given_now.gap, given_now.detail, given_now.code) == (
                captured.reason,
                captured.detail,
                captured.code,
            )
        else:
            assert given_now == replace(captured, source=SourceKind.REPLAY)


def test_a_recorded_failure_is_raised_and_the_next_read_goes_on(opened: Opened) -> None:
    found = list(all_of(opened(FAULTS)))
    assert [isinstance(one, SourceError) for one in found] == [False] * 3 + [True] + [False] * 4
    failure = found[3]
    assert isinstance(failure, SourceError)
    assert (failure.gap, failure.code) == (Gap.TIMEOUT, 10)


def test_the_end_stays_the_end(opened: Opened) -> None:
    source = opened(FAULTS)
    list(all_of(source))
    for _ in range(2):
        with pytest.raises(EndOfSource):
            source.read(NOW)


def test_realtime_moves_all_times_and_keeps_their_differences(opened: Opened) -> None:
    captured = [one for one in make.faults_frames() if isinstance(one, Sample)]
    source = opened(FAULTS, realtime=True)
    found = [
        one
        for tick in range(9)
        for one in itertools.islice(all_of(source, later(tick * NS_PER_SECOND)), 1)
        if isinstance(one, Sample)
    ]
    del found[-2]  # the tick that was missed when recording gives the frame before it again
    assert found[0].at == later(-NS_PER_SECOND // 2)
    for given_now, before in zip(found, captured, strict=True):
        for now, then in [
            (given_now.at, before.at),
            *((a.at, b.at) for a, b in zip(given_now.devices, before.devices, strict=True)),
        ]:
            assert now.mono_ns - then.mono_ns == found[0].at.mono_ns - captured[0].at.mono_ns
            assert now.wall_ns - then.wall_ns == found[0].at.wall_ns - captured[0].at.wall_ns
        assert [e.wall_ns - given_now.at.wall_ns for e in given_now.events] == [
            e.wall_ns - before.at.wall_ns for e in before.events
        ]


@given(st.lists(st.integers(-200, 200), min_size=20, max_size=20))
@settings(max_examples=30)
def test_frames_and_ticks_that_are_both_unpunctual_meet_once(folder: Path, late_ms: list[int]) -> None:
    late_ms[0] = 0
    path = write(folder / f"{next(_names)}.jsonl", [frame(k + late / 1000) for k, late in enumerate(late_ms)])
    ticks_ns = [k * NS_PER_SECOND - late * 1_000_000 for k, late in enumerate(late_ms)]
    with closing(Opened()) as opened:
        source = opened(path, realtime=True)
        assert len({source.read(later(tick_ns)).at for tick_ns in ticks_ns}) == 20


def test_realtime_skips_what_a_slow_reader_missed_and_loses_no_event(opened: Opened, tmp_path: Path) -> None:
    events = [XidEvent("GPU-1", k, k) for k in range(6)]
    source = opened(write(tmp_path / "c.jsonl", [frame(k, events=(events[k],)) for k in range(6)]), realtime=True)
    first, second = source.read(NOW), source.read(later(4 * NS_PER_SECOND))
    assert [event.xid for event in first.events] == [0]
    assert second.at.ns_since(first.at) == 4 * NS_PER_SECOND
    assert [event.xid for event in second.events] == [1, 2, 3, 4]


def test_realtime_keeps_events_over_a_failure(opened: Opened, tmp_path: Path) -> None:
    failure = SourceFailure(frame(2).at, SourceKind.NVML, Gap.TIMEOUT, "slow")
    path = write(tmp_path / "c.jsonl", [frame(0), frame(1, events=(XidEvent("GPU-1", 31, 1),)), failure, frame(3)])
    source = opened(path, realtime=True)
    source.read(NOW)
    for tick in (2 * NS_PER_SECOND, 2 * NS_PER_SECOND + 1):
        with pytest.raises(SourceError, match="slow"):
            source.read(later(tick))
    assert [event.xid for event in source.read(later(3 * NS_PER_SECOND)).events] == [31]


def test_realtime_gives_a_sample_again_without_events_until_the_next_is_due(opened: Opened, tmp_path: Path) -> None:
    path = write(tmp_path / "c.jsonl", [frame(0, events=(XidEvent("GPU-1", 31, 1),)), frame(5)])
    source = opened(path, realtime=True)
    first, again = source.read(NOW), source.read(later(NS_PER_SECOND))
    assert len(first.events) == 1
    assert again == replace(first, events=())


def test_realtime_ends_after_the_last_frame(opened: Opened, tmp_path: Path) -> None:
    source = opened(write(tmp_path / "c.jsonl", [frame(0), frame(1)]), realtime=True)
    source.read(NOW)
    source.read(later(NS_PER_SECOND))
    with pytest.raises(EndOfSource):
        source.read(later(2 * NS_PER_SECOND))


@pytest.mark.parametrize("realtime", [False, True])
def test_monotony_a_loop_carries_counters_and_times_on(opened: Opened, realtime: bool) -> None:
    source = opened(make.FOLDER / "sim.jsonl.gz", realtime=realtime, loop=True)
    found = [source.read(later(tick * NS_PER_SECOND)) for tick in range(3 * make.SIM_FRAMES)]
    for before, after in pairwise(found):
        assert NS_PER_SECOND // 2 < after.at.ns_since(before.at) < 2 * NS_PER_SECOND
        for device, again in zip(before.devices, after.devices, strict=True):
            for quantity in (Quantity.ENERGY_MJ, Quantity.PCIE_RECEIVE_BYTES, Quantity.UPTIME_SECONDS):
                assert (again.get(quantity) or 0) >= (device.get(quantity) or 0)
    parked = [sample.devices[5].integer(Quantity.ENERGY_MJ) or 0 for sample in found]
    steps = [after - before for before, after in pairwise(parked)]
    assert max(steps) < 1.2 * min(steps)  # the seam is an interval like the others


def test_a_reset_within_a_looped_capture_stays_a_reset_and_the_seam_none(opened: Opened, tmp_path: Path) -> None:
    counters = [1000, 1100, 0, 50]
    path = write(tmp_path / "c.jsonl", [frame(k, {Quantity.ENERGY_MJ: mj}) for k, mj in enumerate(counters)])
    source = opened(path, loop=True)
    found = [source.read(NOW).devices[0].values[Quantity.ENERGY_MJ] for _ in range(12)]
    assert found == [1000, 1100, 0, 50, 100, 200, 0, 50, 100, 200, 0, 50]


def test_a_value_missing_at_the_seam_goes_on_from_the_last_that_was_read(opened: Opened, tmp_path: Path) -> None:
    values: list[Values] = [{}, {Quantity.ENERGY_MJ: 10}, {Quantity.ENERGY_MJ: 40}, {}]
    source = opened(write(tmp_path / "c.jsonl", [frame(k, v) for k, v in enumerate(values)]), loop=True)
    found = [source.read(NOW).devices[0].get(Quantity.ENERGY_MJ) for _ in range(8)]
    assert found == [None, 10, 40, None, None, 70, 100, None]


def test_a_loop_over_nothing_ends(opened: Opened, tmp_path: Path) -> None:
    with pytest.raises(EndOfSource):
        opened(write(tmp_path / "c.jsonl", []), loop=True).read(NOW)


def test_bad_files_and_lines_are_source_errors_with_their_place(opened: Opened, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"none\.jsonl: No such file"):
        opened(tmp_path / "none.jsonl")
    path = write(tmp_path / "c.jsonl", [frame(0)])
    path.write_bytes(path.read_bytes() + b"{}\n")
    source = opened(path)
    source.read(NOW)
    with pytest.raises(SourceError, match=r"c\.jsonl:3: "):
        source.read(NOW)


def test_open_begins_anew_and_close_may_come_twice(opened: Opened) -> None:
    source = opened(FAULTS)
    first = source.read(NOW)
    source.open()
    assert source.read(NOW) == first
    assert source.header.source is SourceKind.NVML
    source.close()
    source.close()
    with pytest.raises(SourceError, match="not open"):
        source.read(NOW)
