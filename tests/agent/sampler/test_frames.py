"""Frames on the sampler's pipe."""

import os
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.agent.sampler.samples import failure, sample
from wattledger.agent.sampler.frames import (
    MAX_FRAME_BYTES,
    EndOfFrames,
    FrameError,
    FrameReader,
    FrameWriter,
    Message,
    encode_frame,
)
from wattledger.rules.reading import Sample, SourceFailure

PIPE_PAGE = 4096  # the smallest pipe the kernel gives


class Pipe:
    """A pipe of one page, so that few frames fill it."""

    def __init__(self) -> None:
        import fcntl  # noqa: PLC0415

        self.read_fd, self.write_fd = os.pipe2(os.O_NONBLOCK)
        fcntl.fcntl(self.write_fd, fcntl.F_SETPIPE_SZ, PIPE_PAGE)
        self._reader = FrameReader()

    def receive(self, most_bytes: int) -> list[Message]:
        try:
            return list(self._reader.feed(os.read(self.read_fd, most_bytes)))
        except BlockingIOError:
            return []

    def drain(self, writer: FrameWriter) -> list[Message]:
        received: list[Message] = []
        while not writer.flush(patience_ms=0):
            received += self.receive(PIPE_PAGE)
        return received + self.receive(10 * PIPE_PAGE)

    def close(self) -> None:
        os.close(self.read_fd)
        os.close(self.write_fd)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


@given(cuts=st.lists(st.integers(1, 30_000)))
def test_frames_come_out_whole_wherever_the_bytes_are_cut(cuts: list[int]) -> None:
    sent: list[Message] = [sample(1, devices=2, xids=[79]), failure(2), sample(3), EndOfFrames()]
    data = b"".join(map(encode_frame, sent))
    reader, received = FrameReader(), list[Message]()
    for cut in [*cuts, len(data)]:
        received += reader.feed(data[:cut])
        data = data[cut:]
    assert received == sent


def test_a_frame_keeps_integers_and_floats_apart() -> None:
    sent = sample(1, devices=1)
    (received,) = FrameReader().feed(encode_frame(sent))
    assert isinstance(received, Sample)
    for quantity, value in sent.devices[0].values.items():
        assert type(received.devices[0].values[quantity]) is type(value)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\0\0\0\0",
        (MAX_FRAME_BYTES + 1).to_bytes(4, "big"),
        b"\xff" * 100,
        b"\0\0\0\x05hello",
        b"\0\0\0\x01" + msgspec.msgpack.encode(None),
        b"Traceback (most recent call last):\n" * 3,
    ],
    ids=["empty frame", "too long", "ones", "no msgpack", "no array", "text"],
)
def test_garbage_is_refused_after_the_frames_before_it(garbage: bytes) -> None:
    reader = FrameReader()
    messages = reader.feed(encode_frame(failure(1)) + garbage)
    assert next(messages) == failure(1)
    with pytest.raises(FrameError):
        next(messages)
    with pytest.raises(FrameError):
        list(reader.feed(encode_frame(failure(2))))


def test_an_unknown_tag_is_refused() -> None:
    body = msgspec.msgpack.encode(["greeting", {}])
    with pytest.raises(FrameError, match="greeting"):
        list(FrameReader().feed(len(body).to_bytes(4, "big") + body))


def test_a_message_too_large_for_a_frame_is_refused() -> None:
    with pytest.raises(FrameError, match="exceeds the limit"):
        encode_frame(failure(1, "x" * MAX_FRAME_BYTES))


def test_what_is_said_of_a_message_that_fits_no_frame_does_not_wait_behind_it(pipe: Pipe) -> None:
    writer = FrameWriter(pipe.write_fd)
    with pytest.raises(FrameError, match="exceeds the limit"):
        writer.send(failure(1, "x" * MAX_FRAME_BYTES))
    assert writer.send(sample(2))
    assert pipe.receive(PIPE_PAGE) == [sample(2)]


def test_a_reader_that_stands_still_gets_the_newest_sample_and_every_event(pipe: Pipe) -> None:
    writer = FrameWriter(pipe.write_fd, patience_ms=0)
    ticks = range(1, 201)
    for tick in ticks:
        writer.send(sample(tick, xids=[tick] if tick % 10 == 0 else ()))
    received = [message for message in pipe.drain(writer) if isinstance(message, Sample)]
    assert received[-1].at.mono_ns == 200
    assert [event.xid for message in received for event in message.events] == list(range(10, 201, 10))
    assert writer.dropped == len(ticks) - len(received) > 0


@given(
    steps=st.lists(
        st.one_of(
            st.builds(lambda xids, devices: ("sample", xids, devices), st.integers(0, 3), st.integers(0, 3)),
            st.just(("failure", 0, 0)),
            st.builds(lambda most: ("read", most, 0), st.integers(1, 6000)),
        ),
        max_size=60,
    )
)
def test_no_event_is_lost_or_doubled_and_time_never_runs_back_whenever_the_reader_reads(
    steps: list[tuple[str, int, int]],
) -> None:
    pipe = Pipe()
    try:
        writer, received, sent_xids, sent = FrameWriter(pipe.write_fd, patience_ms=0), list[Message](), list[int](), 0
        for tick, (kind, number, devices) in enumerate(steps):
            if kind == "sample":
                xids = [1000 * tick + event for event in range(number)]
                writer.send(sample(tick, xids=xids, devices=devices))
                sent_xids += xids
                sent += 1
            elif kind == "failure":
                writer.send(failure(tick))
            else:
                received += pipe.receive(number)
        received += pipe.drain(writer)
        samples = [message for message in received if isinstance(message, Sample)]
        assert [event.xid for message in samples for event in message.events] == sent_xids
        assert len(samples) + writer.dropped == sent
        moments = [message.at.mono_ns for message in received if isinstance(message, Sample | SourceFailure)]
        assert moments == sorted(set(moments))
        if told := [tick for tick, (kind, _, _) in enumerate(steps) if kind != "read"]:
            assert moments[-1] == told[-1]
    finally:
        pipe.close()


def test_a_writer_without_a_reader_says_so(pipe: Pipe) -> None:
    writer = FrameWriter(pipe.write_fd)
    read_fd = pipe.read_fd
    pipe.read_fd = os.dup(pipe.write_fd)
    os.close(read_fd)
    with pytest.raises(BrokenPipeError):
        writer.send(failure(1))
