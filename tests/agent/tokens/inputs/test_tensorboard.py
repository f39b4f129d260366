"""Counters from event files: those of a real writer, and those that are damaged, half written or nonsense."""

import os
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.agent.tokens.inputs.hosts import aged, now, tokens, until
from wattledger.agent.tokens.inputs.crc32c import crc32c, masked_crc32c
from wattledger.agent.tokens.inputs.event_record import Scalar, scalar_of
from wattledger.agent.tokens.inputs.settings import TensorBoardSettings
from wattledger.agent.tokens.inputs.tensorboard import TensorBoardInput
from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.tokens.model import Service, TokenRead, Withheld

TAG = "train/tokens"


def follow(folder: Path, **more: object) -> TensorBoardInput:
    return TensorBoardInput(
        TensorBoardSettings("pretrain", folder, TAG, gpus=("0",), **more),  # type: ignore[arg-type]
        uuid_of={"0": "GPU-a"}.get,
    )


def seen(source: TensorBoardInput, *, later: float = 0) -> list[float]:
    return [tokens(read) for read in source.look(now(later=later))[1]]


def told(source: TensorBoardInput, writer: Any) -> tuple[Service, TokenRead]:  # its writer ships no types
    """Look until there is a value: the writer's thread takes its time."""
    found: list[tuple[Service, TokenRead]] = []

    def look() -> bool:
        writer.flush()
        (service,), reads = source.look(now())
        found[:] = [(service, read) for read in reads if read.page is not None]
        return bool(found)

    until(look)
    return found[0]


def varint(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def part(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def event(value: bytes, *, step: int = 1, wall_seconds: float = 0.0, tag: str = TAG) -> bytes:
    summary = part(1, part(1, tag.encode()) + value)
    return b"\x09" + struct.pack("<d", wall_seconds) + b"\x10" + varint(step) + part(5, summary)


def simple(number: float) -> bytes:
    return b"\x15" + struct.pack("<f", number)


def record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc32c(length)) + data + struct.pack("<I", masked_crc32c(data))


def events(folder: Path, data: bytes, *, at: int = 1_700_000_000) -> Path:
    path = folder / f"events.out.tfevents.{at}.host.1.0"
    with path.open("ab") as file:
        file.write(data)
    return path


def test_the_checksum_is_that_of_the_standard() -> None:
    # RFC 3720 appendix B.4: 32 bytes of zeros, of ones, and ascending.
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E


def test_what_a_real_writer_writes_is_read_as_it_grows(tmp_path: Path) -> None:
    tensorboard = pytest.importorskip("tensorboardX")
    source = follow(tmp_path)
    wall_seconds = now(later=-3).wall_ns / NS_PER_SECOND
    with tensorboard.SummaryWriter(str(tmp_path), flush_secs=1) as writer:
        writer.add_text("config", "x" * 100_000)
        writer.add_scalar("train/loss", 2.5, 1)
        writer.add_scalar(TAG, 4096, 1, walltime=wall_seconds)
        service, read = told(source, writer)
        assert (service.server, service.devices, service.problem) == ("tensorboard", ("GPU-a",), None)
        assert tokens(read) == 4096
        assert abs(read.at.wall_ns - wall_seconds * NS_PER_SECOND) < 1000
        assert read.process.startswith("events.out.tfevents.")
        writer.add_histogram("weights", list(range(1000)), 2)
        writer.add_scalar(TAG, 8192, 2)
        writer.add_scalar("train/loss", 2.4, 2)
        assert tokens(told(source, writer)[1]) == 8192
        assert seen(source, later=2) == []
    source.close()


def test_steps_of_a_real_writer_can_be_what_counts(tmp_path: Path) -> None:
    tensorboard = pytest.importorskip("tensorboardX")
    source = follow(tmp_path, tokens_per_step=1_000_000)
    with tensorboard.SummaryWriter(str(tmp_path)) as writer:
        writer.add_scalar(TAG, float("nan"), 12)
        assert tokens(told(source, writer)[1]) == 12_000_000
    source.close()


def test_a_newer_file_is_another_count(tmp_path: Path) -> None:
    source = follow(tmp_path)
    events(tmp_path, record(event(simple(1000))), at=1_700_000_000)
    (first,) = source.look(now())[1]
    events(tmp_path, record(event(simple(50))), at=1_700_000_500)
    events(tmp_path, record(event(simple(2000))), at=1_700_000_000)
    (second,) = source.look(now(later=1))[1]
    assert tokens(second) == 50
    assert second.process != first.process
    source.close()


@pytest.mark.parametrize(
    "value",
    [
        simple(48),
        part(8, b"\x08\x01" + part(5, struct.pack("<f", 48))),
        part(8, b"\x08\x01\x2d" + struct.pack("<f", 48)),
        part(8, b"\x08\x01" + part(4, struct.pack("<f", 48))),
        part(8, b"\x08\x02" + part(6, struct.pack("<d", 48))),
        part(8, b"\x08\x02" + part(4, struct.pack("<d", 48))),
        part(8, b"\x08\x09" + part(10, varint(48))),
        part(8, b"\x08\x09\x50" + varint(48)),
        part(8, b"\x08\x09" + part(4, struct.pack("<q", 48))),
        part(8, b"\x08\x03\x38" + varint(48)),
    ],
)
def test_a_number_is_read_in_every_way_in_which_it_is_written(value: bytes) -> None:
    assert scalar_of(event(value, step=7, wall_seconds=9.5), TAG) == Scalar(9.5, 7, 48.0)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        part(8, b"\x08\x07" + part(8, b"text")),  # a string
        part(8, b"\x08\x01" + part(5, struct.pack("<2f", 1, 2))),  # a vector
        part(4, b"image"),
    ],
)
def test_what_is_no_number_has_no_value(value: bytes) -> None:
    assert scalar_of(event(value), TAG) == Scalar(0.0, 1, None)
    assert scalar_of(event(simple(1), tag="other"), TAG) is None


def test_a_file_without_the_tag_and_a_folder_without_files_are_problems(tmp_path: Path) -> None:
    source = follow(tmp_path / "none")
    assert "No such file" in source.look(now())[1][0].detail
    source = follow(tmp_path)
    (service,), (read,) = source.look(now())
    assert "holds no event file" in service.detail
    events(tmp_path, record(event(simple(1), tag="train/loss")))
    (service,), (read,) = source.look(now(later=1))
    assert service.problem is read.problem is Withheld.NOT_UNDERSTOOD
    assert "no number of tokens under the tag 'train/tokens' yet" in read.detail
    path = events(tmp_path, record(event(simple(float("inf")))) + record(event(simple(-1))))
    assert source.look(now(later=2))[1][0].page is None
    events(tmp_path, record(event(simple(5))))
    assert seen(source, later=3) == [5]
    aged(path, 7200)
    assert "was not written for 1800 s" in source.look(now(later=4))[1][0].detail
    source.close()


def test_a_record_that_is_half_written_is_waited_for(tmp_path: Path) -> None:
    source = follow(tmp_path)
    events(tmp_path, record(event(simple(1))))
    assert seen(source) == [1]
    whole = record(event(simple(2)))
    for at in range(len(whole)):
        assert seen(source, later=at / 100) == []
        events(tmp_path, whole[at : at + 1])
    assert seen(source, later=2) == [2]
    source.close()


def test_a_spoilt_record_is_passed_over_and_a_damaged_file_is_told_of_until_there_is_another(tmp_path: Path) -> None:
    source = follow(tmp_path)
    spoilt = bytearray(record(event(simple(7))))
    spoilt[-6] ^= 1
    events(tmp_path, bytes(spoilt) + record(b"\xff" + TAG.encode()) + record(event(simple(3))))
    assert seen(source) == [3]
    path = events(tmp_path, b"\0" * 64 + record(event(simple(4))))
    (service,), (read,) = source.look(now(later=1))
    assert read.problem is Withheld.NOT_UNDERSTOOD
    assert "the file is damaged, or not all there yet" in service.detail
    events(tmp_path, record(event(simple(1))), at=1_800_000_000)
    assert path.exists()
    assert seen(source, later=2) == [1]
    source.close()


def test_large_records_are_passed_over_unread(tmp_path: Path) -> None:
    source = follow(tmp_path)
    huge = 3_000_000
    length = struct.pack("<Q", huge)
    frame = length + struct.pack("<I", masked_crc32c(length))
    path = events(tmp_path, record(event(simple(1))) + frame)
    assert seen(source) == [1]
    os.truncate(path, path.stat().st_size + huge + 4)
    events(tmp_path, record(event(simple(2))))
    told = seen(source, later=1) + seen(source, later=2)
    assert told == [2]
    source.close()


def test_an_old_file_is_read_over_several_looks_and_only_its_last_value_is_told(tmp_path: Path) -> None:
    source = follow(tmp_path)
    filler = record(event(simple(1), tag="train/loss") + part(3, b"." * 60_000)) * 60
    events(tmp_path, record(event(simple(1))) + filler + record(event(simple(9))))
    assert seen(source) == []
    assert seen(source, later=1) == [9]
    source.close()


@given(st.binary(max_size=400))
@settings(max_examples=200)
def test_no_bytes_break_the_reader_of_events(data: bytes) -> None:
    for text in (data, event(data), event(part(8, data))):
        try:
            found = scalar_of(text, TAG)
        except ValueError:
            found = None
        assert found is None or isinstance(found, Scalar)


@given(
    values=st.lists(st.integers(0, 2**24), min_size=1, max_size=8),
    flipped=st.integers(0, 10**6),
    cut=st.integers(0, 10**6),
)
@settings(max_examples=100)
def test_a_flipped_bit_or_a_cut_never_gives_a_number_that_was_not_written(
    tmp_path_factory: pytest.TempPathFactory, values: list[int], flipped: int, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("events")
    data = bytearray(b"".join(record(event(simple(value))) for value in values))
    data[flipped // 8 % len(data)] ^= 1 << flipped % 8
    events(folder, bytes(data[: cut % (len(data) + 1)]))
    source = follow(folder)
    for later in range(3):
        assert set(seen_if_any(source, later)) <= {float(value) for value in values}
    source.close()


def seen_if_any(source: TensorBoardInput, later: float) -> list[float]:
    return [tokens(read) for read in source.look(now(later=later))[1] if read.page is not None]
