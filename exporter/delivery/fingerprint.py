"""The short name that Alertmanager gives a set of labels; it knows nothing of alerts."""

from __future__ import annotations

from collections.abc import Iterable

from wattledger.rules.promql.model import Labels

# FNV-1a of 64 bits: draft-eastlake-fnv, section 5.
_OFFSET = 0xCBF29CE484222325
_PRIME = 0x100000001B3
_MASK = 0xFFFFFFFFFFFFFFFF


def fingerprint(labels: Labels) -> str:
    """Give 16 hexadecimal digits: FNV-1a over names and values in order of names, the byte 0xff after each.

    Source: prometheus/common model/signature.go, labelSetToFingerprint.
    """
    value = _OFFSET
    for byte in _bytes(sorted(labels)):
        value = (value ^ byte) * _PRIME & _MASK
    return f"{value:016x}"


def _bytes(labels: Iterable[tuple[str, str]]) -> Iterable[int]:
    for pair in labels:
        for text in pair:
            yield from text.encode("utf-8", "replace")
            yield 0xFF
