"""Messages of the sampler as bytes on a pipe; knows framing and back-pressure, nothing of processes or sources.

A frame is a length (4 bytes, big-endian) and that many bytes of msgpack: an array of a tag and the message.
"""

import dataclasses
import os
import select
from collections.abc import Iterator
from typing import TypeAlias

import msgspec

from wattledger.rules.reading import Sample, SourceFailure

MAX_FRAME_BYTES = 16 * 1024 * 1024  # a host of 8 GPUs takes 20 kB; the bound keeps garbage from asking for memory
MAX_HELD_EVENTS = 10_000  # 1 MB of events: a day of one Xid every 9 s while nobody reads

_LENGTH_BYTES = 4


class FrameError(Exception):
    """The bytes are no frame, or a message is too large for one. Nothing after it on the pipe can be trusted."""


@dataclasses.dataclass(frozen=True, slots=True)
class EndOfFrames:
    """A finite source was read to its end; nothing follows."""


Message: TypeAlias = Sample | SourceFailure | EndOfFrames


class _SampleFrame(msgspec.Struct, frozen=True, array_like=True, tag="sample"):
    message: Sample


class _FailureFrame(msgspec.Struct, frozen=True, array_like=True, tag="failure"):
    message: SourceFailure


class _EndFrame(msgspec.Struct, frozen=True, array_like=True, tag="end"):
    message: EndOfFrames


def encode_frame(message: Message) -> bytes:
    """Give the whole frame of *message*. Raises FrameError when it exceeds MAX_FRAME_BYTES."""
    frame: _SampleFrame | _FailureFrame | _EndFrame
    if isinstance(message, Sample):
        frame = _SampleFrame(message)
    elif isinstance(message, SourceFailure):
        frame = _FailureFrame(message)
    else:
        frame = _EndFrame(message)
    body = msgspec.msgpack.encode(frame)
    if len(body) > MAX_FRAME_BYTES:
        raise FrameError(f"a frame of {len(body)} bytes exceeds the limit of {MAX_FRAME_BYTES}")
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body


class FrameReader:
    """Frames out of bytes as they arrive, cut anywhere."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._decoder = msgspec.msgpack.Decoder(_SampleFrame | _FailureFrame | _EndFrame)

    def feed(self, data: bytes) -> Iterator[Message]:
        """Give the messages that *data* completes, the good ones first. Raises FrameError, and then ever after."""
        self._buffer += data
        while (body := self._next_body()) is not None:
            try:
                frame = self._decoder.decode(body)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise FrameError(f"a frame cannot be decoded: {error}") from error
            del self._buffer[: _LENGTH_BYTES + len(body)]
            yield frame.message

    def _next_body(self) -> bytes | None:
        if len(self._buffer) < _LENGTH_BYTES:
            return None
        length = int.from_bytes(self._buffer[:_LENGTH_BYTES], "big")
        if not 0 < length <= MAX_FRAME_BYTES:
            raise FrameError(f"a frame claims {length} bytes; 1 to {MAX_FRAME_BYTES} are possible")
        if len(self._buffer) < _LENGTH_BYTES + length:
            return None
        return bytes(self._buffer[_LENGTH_BYTES : _LENGTH_BYTES + length])


FOREVER_MS = -1  # as poll(2) has it


class FrameWriter:
    """Whole frames into a non-blocking pipe; a reader that stands still delays nobody and loses no event.

    What the pipe does not take is held: at most one sample and one failure, always the newest. A sample that gives
    way to a newer one is counted in `dropped` and hands its events on, so an Xid is late but never lost (up to
    MAX_HELD_EVENTS; beyond, the oldest go). A frame that was begun is finished before anything else is written.
    """

    def __init__(self, fd: int, *, patience_ms: int = 50) -> None:
        """Take a pipe's end. *patience_ms* bounds how long one call waits for a reader that is draining.

        With FOREVER_MS none is dropped: the reader sets the pace as long as it lives.
        """
        os.set_blocking(fd, False)
        self._fd = fd
        self._patience_ms = patience_ms
        self._begun = memoryview(b"")
        self._held: list[Message] = []
        self.dropped = 0

    def send(self, message: Message) -> bool:
        """Write *message* or hold it; give whether everything is written. Raises BrokenPipeError, FrameError."""
        if isinstance(message, Sample):
            message = self._supersede(message)
        elif isinstance(message, SourceFailure):
            self._held = [held for held in self._held if not isinstance(held, SourceFailure)]
        self._held.append(message)
        return self.flush()

    def flush(self, patience_ms: int | None = None) -> bool:
        """Write what is held; give whether nothing is left. Raises BrokenPipeError when the reader is gone."""
        patience = self._patience_ms if patience_ms is None else patience_ms
        while self._begun or self._held:
            frame = self._begun or self._next_frame()
            try:
                written = os.write(self._fd, frame)
            except BlockingIOError:
                if not self._wait_for_room(patience):
                    return False
                continue
            if not self._begun:
                del self._held[0]
            self._begun = frame[written:]
        return True

    def _next_frame(self) -> memoryview:
        """Give the first of what is held. One that fits no frame is let go of: what is said of it must not wait."""
        try:
            return memoryview(encode_frame(self._held[0]))
        except FrameError:
            del self._held[0]
            raise

    def _supersede(self, newest: Sample) -> Sample:
        events = newest.events
        for held in self._held:
            if isinstance(held, Sample):
                self.dropped += 1
                events = held.events + events
        self._held = [held for held in self._held if not isinstance(held, Sample)]
        return newest if events is newest.events else dataclasses.replace(newest, events=events[-MAX_HELD_EVENTS:])

    def _wait_for_room(self, patience_ms: int) -> bool:
        poller = select.poll()
        poller.register(self._fd, select.POLLOUT)
        return bool(poller.poll(patience_ms))
