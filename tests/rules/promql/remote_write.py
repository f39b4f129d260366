"""The body of a remote-write request: protobuf WriteRequest in snappy, written by hand because it is so little.

Unlike OpenMetrics blocks it carries stale markers, and a running server takes it, so each example has its own series.
"""

import struct
from collections.abc import Iterable

from wattledger.rules.promql.model import Series

_WIRE_FIXED64, _WIRE_BYTES = 1, 2


def body_of(series: Iterable[Series]) -> bytes:
    """Encode *series* (prompb.WriteRequest: timeseries = 1; labels = 1, samples = 2; value = 1, timestamp = 2)."""
    return _snappy(b"".join(_bytes(1, _time_series(one)) for one in series))


def _time_series(series: Series) -> bytes:
    labels = b"".join(
        _bytes(1, _bytes(1, name.encode()) + _bytes(2, value.encode())) for name, value in series.labels
    )
    samples = b"".join(
        _bytes(
            2, bytes([1 << 3 | _WIRE_FIXED64]) + struct.pack("<d", one.value) + b"\x10" + _varint(one.timestamp_ms)
        )
        for one in series.samples()
    )
    return labels + samples


def _bytes(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | _WIRE_BYTES]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _snappy(content: bytes) -> bytes:
    """Wrap *content* as literals of at most 60 bytes, which need no copying and no search."""
    parts = [_varint(len(content))]
    for start in range(0, len(content), 60):
        piece = content[start : start + 60]
        parts.append(bytes([(len(piece) - 1) << 2]) + piece)
    return b"".join(parts)
