"""A capture as a source: its frames again, at their own time or at the present; it never asks a driver.

Samples are marked as replayed. At their own time nothing else of them changes: the same capture gives the same page.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from wattledger.agent.capture.format import CaptureError, CaptureReader, Frame, Header
from wattledger.rules.instant import Instant
from wattledger.rules.quantity import COUNTERS, Gap, Quantity
from wattledger.rules.reading import Reading, Sample, SourceFailure, SourceKind, XidEvent

from .base import EndOfSource, SourceError

_CARRIED = COUNTERS | {Quantity.ENERGY_MJ, Quantity.UPTIME_SECONDS}


class ReplaySource:
    """Frames of the capture at *path*.

    realtime: times are moved so that the first frame was read half an interval before the first `read`; each `read`
    gives the latest frame that is due, with the events of those it passes over, and the same sample again, without
    events, while none is. Otherwise each `read` gives the next frame with the times of the capture.
    loop: begins again at the end, without end; hardware counters and times go on from where they were.
    """

    def __init__(self, path: Path, *, realtime: bool, loop: bool = False) -> None:
        self._path = path
        self._realtime = realtime
        self._loop = loop
        self._reader: CaptureReader | None = None
        self._frames: Iterator[Frame] = iter(())
        self._ahead: Frame | None = None  # read from the file, not yet due
        self._shift: tuple[int, int] | None = None  # ns to add to mono_ns and wall_ns
        self._given: Frame | None = None
        self._events: tuple[XidEvent, ...] = ()  # of samples that were passed over

    @property
    def kind(self) -> SourceKind:
        """Give the name under which its numbers are shown."""
        return SourceKind.REPLAY

    @property
    def header(self) -> Header:
        """Give what the capture says of itself. Raises SourceError before `open`."""
        return self._open_reader().header

    def open(self) -> None:
        """Open the file and read its header. Raises SourceError with file and line."""
        self.close()
        try:
            self._reader = CaptureReader(self._path)
        except CaptureError as error:
            raise SourceError(Gap.FAILED, str(error)) from error
        self._frames = self._all_frames()
        self._ahead = self._shift = self._given = None
        self._events = ()

    def read(self, at: Instant) -> Sample:
        """Give the frame of this tick. Raises SourceError for a recorded failure or a bad line, EndOfSource."""
        self._open_reader()
        try:
            frame = self._due(at) if self._realtime else next(self._frames, None)
        except CaptureError as error:
            raise SourceError(Gap.FAILED, str(error)) from error
        if frame is None:
            raise EndOfSource(str(self._path))
        if isinstance(frame, SourceFailure):
            raise SourceError(frame.reason, frame.detail, code=frame.code)
        return replace(frame, source=SourceKind.REPLAY)

    def close(self) -> None:
        """Close the file."""
        if self._reader:
            self._reader.close()
        self._reader = None
        self._frames = iter(())

    def _open_reader(self) -> CaptureReader:
        if self._reader is None:
            raise SourceError(Gap.FAILED, f"{self._path}: the capture is not open")
        return self._reader

    def _due(self, at: Instant) -> Frame | None:
        if self._ahead is None:
            self._ahead = next(self._frames, None)
        if self._ahead is None:
            return None
        if self._shift is None:
            # Half an interval of slack: a tick that comes a little early or late still meets its own frame.
            first, slack_ns = self._ahead.at, self.header.interval_ns // 2
            self._shift = (at.mono_ns - slack_ns - first.mono_ns, at.wall_ns - slack_ns - first.wall_ns)
        mono_ns, wall_ns = self._shift
        while self._ahead and self._ahead.at.mono_ns + mono_ns <= at.mono_ns:
            self._given = _shifted(self._ahead, mono_ns, wall_ns)
            if isinstance(self._given, Sample):
                self._events += self._given.events
            self._ahead = next(self._frames, None)
        if isinstance(self._given, Sample):
            # An event stands in one frame of a capture, and is given once whatever was passed over.
            self._given, self._events = replace(self._given, events=self._events), ()
        return self._given

    def _all_frames(self) -> Iterator[Frame]:
        reader = self._open_reader()
        if not self._loop:
            yield from reader.frames()
            return
        seam = _Seam(reader.header.interval_ns)
        while True:
            yield from map(seam.carry, reader.frames())
            if seam.last is None:
                return
            reader.close()
            self._reader = reader = CaptureReader(self._path)
            seam.begin_again()


class _Seam:
    """Joins the end of a capture to its beginning, as if its last interval happened once more in between.

    A counter that falls within the capture was reset on the recorded host: from there on it is given as recorded.
    """

    def __init__(self, interval_ns: int) -> None:
        self._interval_ns = interval_ns
        self._counters: dict[tuple[str, str], _Carry] = {}
        self._first: Instant | None = None
        self._shift = (0, 0)
        self.last: Instant | None = None

    def begin_again(self) -> None:
        """Note that the next frame is the first of the capture again."""
        self._first = None
        for counter in self._counters.values():
            counter.begin_again()

    def carry(self, frame: Frame) -> Frame:
        """Give *frame* with times and counters that go on."""
        if self._first is None:
            self._first = frame.at
            if self.last:
                self._shift = (
                    self.last.mono_ns + self._interval_ns - frame.at.mono_ns,
                    self.last.wall_ns + self._interval_ns - frame.at.wall_ns,
                )
        frame = _shifted(frame, *self._shift)
        self.last = frame.at
        if isinstance(frame, SourceFailure):
            return frame
        return replace(
            frame,
            devices=tuple(self._reading(reading) for reading in frame.devices),
            ticks_missed=self._carry("", "ticks_missed", frame.ticks_missed),
            driver_calls=self._carry("", "driver_calls", frame.driver_calls),
            driver_busy_ns=self._carry("", "driver_busy_ns", frame.driver_busy_ns),
        )

    def _reading(self, reading: Reading) -> Reading:
        uuid = reading.identity.uuid
        carried = {
            quantity: self._carry(uuid, quantity, int(value))
            for quantity, value in reading.values.items()
            if quantity in _CARRIED
        }
        return replace(reading, values={**reading.values, **carried})

    def _carry(self, owner: str, name: str, value: int) -> int:
        return self._counters.setdefault((owner, name), _Carry()).carry(value)


class _Carry:
    """One counter: what is added to it in this pass, and its last values."""

    __slots__ = ("_added", "_again", "_last", "_step")

    def __init__(self) -> None:
        self._added = 0
        self._again = False
        self._last: int | None = None  # as recorded
        self._step = 0

    def begin_again(self) -> None:
        self._again = True

    def carry(self, value: int) -> int:
        """Give *value* with what earlier passes came to."""
        if self._last is not None and self._again:
            self._added += self._last + self._step - value
        elif self._last is not None:
            self._step = max(0, value - self._last)
            if value < self._last:
                self._added = 0
        self._again = False
        self._last = value
        return value + self._added


def _shifted(frame: Frame, mono_ns: int, wall_ns: int) -> Frame:
    if not mono_ns and not wall_ns:
        return frame

    def moved(at: Instant) -> Instant:
        return Instant(at.mono_ns + mono_ns, at.wall_ns + wall_ns)

    if isinstance(frame, SourceFailure):
        return replace(frame, at=moved(frame.at))
    return replace(
        frame,
        at=moved(frame.at),
        devices=tuple(replace(reading, at=moved(reading.at)) for reading in frame.devices),
        events=tuple(replace(event, wall_ns=event.wall_ns + wall_ns) for event in frame.events),
    )
