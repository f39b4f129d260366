"""Recording keeps what a source gives, on a grid that does not drift, until it is told to stop."""

import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.agent.capture.writing import read
from tests.agent.fake_clock import FakeClock
from tests.data.captures import make
from wattledger.agent.capture.format import CaptureReader
from wattledger.agent.capture.record import Recorded, record
from wattledger.agent.sources.base import EndOfSource, SourceError
from wattledger.agent.sources.replay import ReplaySource
from wattledger.agent.sources.sim import SimSource
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.quantity import Gap
from wattledger.rules.reading import HostFacts, Sample, SourceFailure, SourceKind


@dataclass(slots=True)
class SlowSource:
    """A source whose reads take the time given for each, in turn, and which ends or fails where told."""

    clock: FakeClock
    takes_s: tuple[float, ...]
    fails_at: int = -1
    stop: threading.Event | None = None
    reads: int = 0
    opened: bool = field(default=False)

    @property
    def kind(self) -> SourceKind:
        return SourceKind.NVML

    def open(self) -> None:
        self.opened = True

    def read(self, at: Instant) -> Sample:
        if self.reads == len(self.takes_s):
            raise EndOfSource
        self.clock.advance(self.takes_s[self.reads])
        self.reads += 1
        if self.reads == self.fails_at:
            raise SourceError(Gap.TIMEOUT, "nvmlInit_v2: Timeout", code=10)
        if self.stop and self.reads == 2:
            self.stop.set()
        return Sample(at, self.kind, HostFacts(boot_id="ab"), ())

    def close(self) -> None:
        self.opened = False


def test_ticks_stay_on_the_grid_of_the_first_and_late_ones_are_skipped(tmp_path: Path) -> None:
    clock = FakeClock()
    start_ns = clock.mono_ns
    source = SlowSource(clock, (0.1, 2.5, 0.999, 0, 0, 0, 0, 0))
    told = record(source, clock, tmp_path / "c.jsonl", seconds=7)
    frames = [frame for frame in read(tmp_path / "c.jsonl") if isinstance(frame, Sample)]
    assert [(frame.at.mono_ns - start_ns) / NS_PER_SECOND for frame in frames] == [0, 1, 4, 5, 6]
    assert [frame.ticks_missed for frame in frames] == [0, 0, 2, 2, 2]
    assert told == Recorded(samples=5, failures=0, ticks_missed=2)
    assert not source.opened


def test_a_failure_is_a_frame_and_the_recording_goes_on(tmp_path: Path) -> None:
    clock = FakeClock()
    told = record(SlowSource(clock, (0, 0, 0), fails_at=2), clock, tmp_path / "c.jsonl", seconds=60)
    first, failure, last = read(tmp_path / "c.jsonl")
    assert isinstance(first, Sample)
    assert isinstance(last, Sample)
    assert isinstance(failure, SourceFailure)
    assert (failure.reason, failure.detail, failure.code) == (Gap.TIMEOUT, "nvmlInit_v2: Timeout", 10)
    assert failure.at.ns_since(first.at) == NS_PER_SECOND
    assert told == Recorded(samples=2, failures=1, ticks_missed=0)


def test_a_stop_ends_the_recording_with_whole_frames(tmp_path: Path) -> None:
    clock, stop = FakeClock(), threading.Event()
    source = SlowSource(clock, (0,) * 9, stop=stop)
    told = record(source, clock, tmp_path / "c.jsonl.gz", seconds=60, stop_event=stop)
    assert told.samples == len(read(tmp_path / "c.jsonl.gz")) == 2


def test_the_header_tells_host_product_and_comment_without_identifiers(tmp_path: Path) -> None:
    clock = FakeClock()
    source = SimSource(proc_root=_proc(tmp_path))
    record(
        source, clock, tmp_path / "c.jsonl", seconds=2, interval_ns=NS_PER_SECOND // 2, product="1.2", comment="rack"
    )
    with CaptureReader(tmp_path / "c.jsonl") as reader:
        header = reader.header
        frames = list(reader.frames())
    assert (header.source, header.interval_ns, header.anonymised) == (SourceKind.SIM, NS_PER_SECOND // 2, True)
    assert (header.product, header.comment) == ("1.2", "rack")
    assert header.started == frames[0].at
    assert isinstance(frames[0], Sample)
    assert header.host == frames[0].host
    assert header.host.boot_id != make.SIM_BOOT_ID
    assert len(frames) == 4
    assert b"51300000" not in (tmp_path / "c.jsonl").read_bytes()


def test_a_recording_as_it_is_replays_as_it_was(tmp_path: Path) -> None:
    clock = FakeClock()
    path = tmp_path / "c.jsonl"
    record(SimSource(proc_root=_proc(tmp_path)), clock, path, seconds=3, anonymise=False)
    again = tmp_path / "again.jsonl"
    record(ReplaySource(path, realtime=False), FakeClock(), again, seconds=60, anonymise=False)
    assert again.read_text().replace('"source":"replay"', '"source":"sim"') == path.read_text()


def test_a_source_that_does_not_open_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="boot id"):
        record(SimSource(proc_root=tmp_path), FakeClock(), tmp_path / "c.jsonl", seconds=3)
    assert not (tmp_path / "c.jsonl").exists()


def _proc(tmp_path: Path) -> Path:
    path = tmp_path / "proc/sys/kernel/random/boot_id"
    path.parent.mkdir(parents=True)
    path.write_text(f"{make.SIM_BOOT_ID}\n")
    return tmp_path / "proc"
