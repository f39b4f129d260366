"""Captures written by tests."""

from collections.abc import Iterable
from pathlib import Path

from wattledger.agent.capture.format import CaptureReader, CaptureWriter, Frame, Header
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.reading import SourceKind


def header(interval_ns: int = NS_PER_SECOND) -> Header:
    """Give a header of the simulated source."""
    return Header(source=SourceKind.SIM, started=Instant(1, 2), interval_ns=interval_ns, anonymised=False)


def write(path: Path, frames: Iterable[Frame], *, interval_ns: int = NS_PER_SECOND) -> Path:
    """Write *frames* as a capture; give its path."""
    with CaptureWriter(path, header(interval_ns)) as writer:
        for frame in frames:
            writer.write(frame)
    return path


def read(path: Path) -> list[Frame]:
    """Give all frames of the capture at *path*."""
    with CaptureReader(path) as reader:
        return list(reader.frames())
