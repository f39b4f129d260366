"""The capture file: a line of JSON for the header, then one a frame; it knows lines, not where samples come from.

A name that ends in `.gz` means gzip. Files of version 1 are read by every later product. What a program that was
killed leaves of its last line is dropped with a warning; anything else that is not as described is an error.
"""

import logging
import math
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

import msgspec

from wattledger.rules.instant import Instant
from wattledger.rules.reading import HostFacts, Sample, SourceFailure, SourceKind

FORMAT = "wattledger-capture"
VERSION = 1

_LOG = logging.getLogger(__name__)

Frame = Sample | SourceFailure


class CaptureError(Exception):
    """A capture cannot be read or written; the text gives file and line, what is wrong and what helps."""


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The first line. `started` and `host` are those of the first frame; `product` is the version that recorded."""

    format: str = FORMAT
    version: int = VERSION
    source: SourceKind
    started: Instant
    interval_ns: int
    anonymised: bool
    host: HostFacts = HostFacts()
    product: str = ""
    comment: str = ""


class _Claim(msgspec.Struct):
    """What must be known before the header can be read strictly."""

    format: str
    version: int


class _SampleLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="sample"):
    sample: Sample


class _FailureLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="failure"):
    failure: SourceFailure


def encode_header(header: Header) -> bytes:
    """Give the line of *header*, with its line end."""
    return msgspec.json.encode(header) + b"\n"


def encode_frame(frame: Frame) -> bytes:
    """Give the line of *frame*, with its line end. Raises CaptureError for a number that JSON cannot tell."""
    if isinstance(frame, SourceFailure):
        return msgspec.json.encode(_FailureLine(frame)) + b"\n"
    for reading in frame.devices:
        for values in (reading.values, *(instance.values for instance in reading.instances)):
            for quantity, value in values.items():
                if not math.isfinite(value):
                    raise CaptureError(f"{reading.identity.uuid}: {quantity} is {value}: a source gives it as a gap")
    return msgspec.json.encode(_SampleLine(frame)) + b"\n"


class CaptureWriter:
    """Writes one capture; each frame has left the process when `write` returns. Never overwrites a file."""

    def __init__(self, path: Path, header: Header) -> None:
        """Create *path* and write *header*. Raises CaptureError."""
        self._path = path
        try:
            self._raw: BinaryIO = path.open("xb")
        except FileExistsError:
            raise CaptureError(f"{path}: the file exists: remove it or give another name") from None
        except OSError as error:
            raise CaptureError(f"{path}: {error.strerror}") from error
        self._file: BinaryIO = self._raw
        if path.suffix == ".gz":
            import gzip  # noqa: PLC0415  (only who asks for gzip pays for it)

            # No name and no time of the recording host inside.
            self._file = cast("BinaryIO", gzip.GzipFile(filename="", mode="wb", fileobj=self._raw, mtime=0))
        self._put(encode_header(header))

    def write(self, frame: Frame) -> None:
        """Append *frame*. Raises CaptureError."""
        self._put(encode_frame(frame))

    def _put(self, line: bytes) -> None:
        try:
            self._file.write(line)
            self._file.flush()
            self._raw.flush()
        except OSError as error:
            raise CaptureError(f"{self._path}: {error.strerror}") from error

    def close(self) -> None:
        """Finish the file. Raises CaptureError."""
        try:
            self._file.close()
            self._raw.close()
        except OSError as error:
            raise CaptureError(f"{self._path}: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class CaptureReader:
    """Reads one capture from its beginning: the header at once, then frame by frame. Raises CaptureError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._line = 0
        self._decoder = msgspec.json.Decoder(_SampleLine | _FailureLine)
        self._broken: tuple[type[Exception], ...] = (OSError,)
        try:
            self._file = self._open()
        except OSError as error:
            raise CaptureError(f"{path}: {error.strerror}") from error
        try:
            self.header = self._read_header()
        except CaptureError:
            self._file.close()
            raise

    def frames(self) -> Iterator[Frame]:
        """Give the frames that are left. Raises CaptureError at a line that is no frame."""
        while line := self._next_line():
            frame = self._decode(line)
            if frame is None:
                _LOG.warning("capture torn file=%s line=%d bytes=%d", self._path, self._line, len(line))
                return
            yield frame

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _decode(self, line: bytes) -> Frame | None:
        """Give the frame, or None for a last line that was being written when the program died."""
        try:
            decoded = self._decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if not line.endswith(b"\n"):
                return None
            raise self._error(str(error)) from error
        # msgspec passes over unknown keys of a dataclass, and a misspelt key would give its default.
        if unknown := _unknown_key(msgspec.json.decode(line), msgspec.to_builtins(decoded), "$"):
            raise self._error(f"unknown key - at `{unknown}`")
        return decoded.sample if isinstance(decoded, _SampleLine) else decoded.failure

    def _read_header(self) -> Header:
        line = self._next_line()
        if not line:
            raise self._error("empty, or cut off in the first line: nothing was recorded")
        try:
            claim = msgspec.json.decode(line, type=_Claim)
        except (msgspec.DecodeError, UnicodeDecodeError):
            claim = _Claim(format="", version=0)
        if claim.format != FORMAT:
            raise self._error(f"no capture: the first line must be a header with format {FORMAT!r}")
        if claim.version != VERSION:
            raise self._error(
                f"version {claim.version}, this product reads {VERSION}: use the product that recorded it"
            )
        try:
            header = msgspec.json.decode(line, type=Header)
        except msgspec.ValidationError as error:
            raise self._error(str(error)) from error
        if header.interval_ns <= 0:
            raise self._error(f"interval_ns is {header.interval_ns}, it must be above 0")
        return header

    def _open(self) -> BinaryIO:
        if self._path.suffix != ".gz":
            return self._path.open("rb")
        import gzip  # noqa: PLC0415  (only who asks for gzip pays for it)
        import zlib  # noqa: PLC0415

        self._broken = (OSError, zlib.error)
        return cast("BinaryIO", gzip.open(self._path, "rb"))

    def _next_line(self) -> bytes:
        self._line += 1
        try:
            return self._file.readline()
        except EOFError:  # gzip without its end: what could be read was given
            _LOG.warning("capture torn file=%s line=%d", self._path, self._line)
            return b""
        except self._broken as error:
            raise self._error(str(error)) from error

    def _error(self, text: str) -> CaptureError:
        return CaptureError(f"{self._path}:{self._line}: {text}")


def _unknown_key(found: object, known: object, path: str) -> str:
    """Give the path of the first key of *found* that *known*, decoded from it, does not have; or empty text."""
    pairs: Iterator[tuple[str, object, object]]
    if isinstance(found, dict) and isinstance(known, dict):
        for key in found:
            if key not in known:
                return f"{path}.{key}"
        pairs = ((f"{path}.{key}", value, known[key]) for key, value in found.items())
    elif isinstance(found, list) and isinstance(known, list | tuple):
        together = zip(found, known, strict=True)
        pairs = ((f"{path}[{place}]", value, other) for place, (value, other) in enumerate(together))
    else:
        return ""
    return next((unknown for where, value, other in pairs if (unknown := _unknown_key(value, other, where))), "")
