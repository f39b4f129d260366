"""Records of a TensorBoard event file: cut out of bytes, and read as far as a scalar needs it; files it knows not.

A record is length, checksum of it, data, checksum of that (tensorflow/core/lib/io/record_writer.h); the data is an
Event in protobuf's encoding (tensorflow/core/util/event.proto, summary.proto and tensor.proto).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from .crc32c import masked_crc32c

HEAD_BYTES = 12
FRAME_BYTES = 16
# A scalar has some tens of bytes. Larger records (images, histograms, graphs) are passed over unread.
RECORD_BYTES = 64 << 10
# So large is no record; what says so is damaged.
_LENGTH_LIMIT = 1 << 31


class Cut(StrEnum):
    """What begins at an offset."""

    WHOLE = "whole"  # a record
    LARGE = "large"  # a record that is not worth reading
    UNFINISHED = "unfinished"  # its end is not there yet
    DAMAGED = "damaged"  # no record: where the next one is cannot be told
    SPOILT = "spoilt"  # a record whose data is not what was written


@dataclass(frozen=True, slots=True)
class Record:
    """What was cut out: `length` is that of the whole, frame included, where it is known."""

    cut: Cut
    length: int = 0
    data: bytes = b""


def cut_record(data: bytes, offset: int, wanted: bytes) -> Record:
    """Cut out the record at *offset*. Its data is checked, and given, only where it holds *wanted*."""
    if offset + HEAD_BYTES > len(data):
        return Record(Cut.UNFINISHED)
    head = data[offset : offset + 8]
    length, checksum = struct.unpack_from("<QI", data, offset)
    if masked_crc32c(head) != checksum or length > _LENGTH_LIMIT:
        return Record(Cut.DAMAGED)
    whole = length + FRAME_BYTES
    if length > RECORD_BYTES:
        return Record(Cut.LARGE, whole)
    end = offset + whole
    if end > len(data):
        return Record(Cut.UNFINISHED, whole)
    body = data[offset + HEAD_BYTES : end - 4]
    if wanted not in body:
        return Record(Cut.WHOLE, whole)
    if masked_crc32c(body) != int.from_bytes(data[end - 4 : end], "little"):
        return Record(Cut.SPOILT, whole)
    return Record(Cut.WHOLE, whole, body)


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value of one tag. `value` is None where the tag has something else than a number."""

    wall_seconds: float
    step: int
    value: float | None


def scalar_of(data: bytes, tag: str) -> Scalar | None:
    """Read an Event; give what it says of *tag*, None where nothing. Raises ValueError where it is no Event."""
    wall_seconds, step = 0.0, 0
    found: Scalar | None = None
    summaries: list[bytes] = []
    for number, value in _fields(data):
        if number == 1 and isinstance(value, bytes):
            wall_seconds = _float(value)
        elif number == 2 and isinstance(value, int):
            step = value - (1 << 64) if value >= 1 << 63 else value
        elif number == 5 and isinstance(value, bytes):
            summaries.append(value)
    for summary in summaries:
        for number, value in _fields(summary):
            if number == 1 and isinstance(value, bytes) and (entry := _entry(value, tag)) is not None:
                found = Scalar(wall_seconds, step, entry[0])
    return found


def _entry(data: bytes, tag: str) -> tuple[float | None] | None:
    """Read a Summary.Value; None where it has another tag."""
    name, number_value = b"", None
    for number, value in _fields(data):
        if not isinstance(value, bytes):
            continue
        if number == 1:
            name = value
        elif number == 2:
            number_value = _float(value)
        elif number == 8:
            number_value = _tensor(value)
    return (number_value,) if name == tag.encode() else None


_DTYPES = {1: "<f", 2: "<d", 3: "<i", 9: "<q"}  # DT_FLOAT, DT_DOUBLE, DT_INT32, DT_INT64 (types.proto)


def _tensor(data: bytes) -> float | None:
    """Read a TensorProto that holds one number, in one of its two ways to hold it."""
    dtype, content = 0, b""
    listed: list[float] = []
    for number, value in _fields(data):
        if number == 1 and isinstance(value, int):
            dtype = value
        elif number == 4 and isinstance(value, bytes):
            content = value
        elif number in (5, 6) and isinstance(value, bytes):
            size = 4 if number == 5 else 8
            listed += [_float(value[at : at + size]) for at in range(0, len(value), size)][:2]
        elif number in (7, 10):
            numbers = [value] if isinstance(value, int) else _packed(value)
            listed += [float(one - (1 << 64) if one >= 1 << 63 else one) for one in numbers[:2]]
    code = _DTYPES.get(dtype)
    if code is not None and len(content) == struct.calcsize(code):
        return float(struct.unpack(code, content)[0])
    return listed[0] if code is not None and not content and len(listed) == 1 else None


def _float(data: bytes) -> float:
    if len(data) not in (4, 8):
        raise ValueError("a float of another size")
    return float(struct.unpack("<d" if len(data) == 8 else "<f", data)[0])


def _packed(data: bytes) -> list[int]:
    numbers, at = [], 0
    while at < len(data):
        number, at = _varint(data, at)
        numbers.append(number)
    return numbers


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Give number and value of each field; fixed-size numbers as bytes. Raises ValueError."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        wire = key & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if wire == 2:
            length, at = _varint(data, at)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire}")
        if length > len(data) - at:
            raise ValueError("a field beyond the end")
        yield key >> 3, data[at : at + length]
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    result = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise ValueError("a number beyond the end")
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return result & 0xFFFFFFFFFFFFFFFF, at
    raise ValueError("a number that is too long")
