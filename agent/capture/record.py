"""Recording: ticks a source on a drift-free grid and keeps what it gives, failures too; any source will do."""

import os
import threading
from dataclasses import dataclass, replace
from pathlib import Path

from wattledger.agent.clock import Clock
from wattledger.agent.sources.base import EndOfSource, Source, SourceError
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.reading import HostFacts, Sample, SourceFailure

from .anonymise import Anonymiser
from .format import CaptureWriter, Frame, Header


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a recording came to."""

    samples: int
    failures: int
    ticks_missed: int


def record(
    source: Source,
    clock: Clock,
    path: Path,
    *,
    seconds: float,
    interval_ns: int = NS_PER_SECOND,
    anonymise: bool = True,
    stop_event: threading.Event | None = None,
    product: str = "",
    comment: str = "",
) -> Recorded:
    """Open *source*, record it for *seconds*, until *stop_event* or its end, and close it.

    The file appears with the first frame and is readable after a kill at any moment. *comment* is written as given.
    Raises SourceError when the source cannot be opened, CaptureError when the file cannot be written.
    """
    if interval_ns <= 0 or seconds <= 0:
        raise ValueError(f"seconds is {seconds} and interval_ns {interval_ns}: both must be above 0")
    stop = stop_event or threading.Event()
    anonymiser = Anonymiser(host_name=os.uname().nodename) if anonymise else None
    writer: CaptureWriter | None = None
    samples = failures = missed = 0
    source.open()
    try:
        first_ns = tick_ns = clock.now().mono_ns
        end_ns = first_ns + int(seconds * NS_PER_SECOND)
        while tick_ns < end_ns and not clock.wait_until(tick_ns, stop):
            frame = _read(source, clock.now(), missed)
            if frame is None:
                break
            if anonymiser:
                frame = anonymiser.frame(frame)
            if writer is None:
                writer = CaptureWriter(
                    path, _header(frame, interval_ns, anonymised=anonymise, product=product, comment=comment)
                )
            writer.write(frame)
            samples += isinstance(frame, Sample)
            failures += isinstance(frame, SourceFailure)
            # The grid is that of the first tick: a late tick skips what it overran and moves nothing.
            ticks = max(1, (clock.now().mono_ns - tick_ns) // interval_ns + 1)
            tick_ns += ticks * interval_ns
            missed += ticks - 1
    finally:
        source.close()
        if writer:
            writer.close()
    return Recorded(samples, failures, missed)


def _read(source: Source, at: Instant, missed: int) -> Frame | None:
    try:
        sample = source.read(at)
    except SourceError as error:
        return SourceFailure(at=at, source=source.kind, reason=error.gap, detail=error.detail, code=error.code)
    except EndOfSource:
        return None
    return replace(sample, ticks_missed=sample.ticks_missed + missed) if missed else sample


def _header(frame: Frame, interval_ns: int, *, anonymised: bool, product: str, comment: str) -> Header:
    return Header(
        source=frame.source,
        started=frame.at,
        interval_ns=interval_ns,
        anonymised=anonymised,
        host=frame.host if isinstance(frame, Sample) else HostFacts(),
        product=product,
        comment=comment,
    )
