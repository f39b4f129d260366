"""Durations as people write them, `1h30m`, to whole nanoseconds and back; it knows no limits of any key."""

import re

from wattledger.rules.instant import NS_PER_SECOND

_UNITS_NS = {
    "w": 7 * 86_400 * NS_PER_SECOND,
    "d": 86_400 * NS_PER_SECOND,
    "h": 3_600 * NS_PER_SECOND,
    "m": 60 * NS_PER_SECOND,
    "s": NS_PER_SECOND,
    "ms": 1_000_000,
    "us": 1_000,
    "ns": 1,
}
_WRITTEN = ("d", "h", "m", "s", "ms", "us", "ns")  # weeks are read, not written
_PART = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,9}))?(ms|us|ns|[wdhms])")
_PLAIN_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
_LONGEST_TEXT = 64


def is_plain_number(text: str) -> bool:
    """Tell whether *text* is a number that lacks its unit."""
    return _PLAIN_NUMBER.fullmatch(text) is not None


def parse_duration(text: str) -> int:
    """Give the nanoseconds of `500ms`, `1.5s`, `1h30m`: largest unit first, each at most once.

    Raises ValueError, whose text says what is wrong and what to write.
    """
    if is_plain_number(text):
        raise ValueError(f"has no unit; write {text}s")
    total_ns, position, smallest_ns = 0, 0, None
    while position < len(text) <= _LONGEST_TEXT:
        part = _PART.match(text, position)
        if part is None:
            break
        whole, fraction, unit = part.groups()
        unit_ns = _UNITS_NS[unit]
        if smallest_ns is not None and unit_ns >= smallest_ns:
            raise ValueError("has its units out of order; write the largest first, such as 1h30m")
        fraction_ns, rest = divmod(int(fraction or 0) * unit_ns, 10 ** len(fraction or ""))
        if rest:
            raise ValueError("is finer than a nanosecond; write fewer decimals")
        total_ns += int(whole) * unit_ns + fraction_ns
        position, smallest_ns = part.end(), unit_ns
    if position == 0 or position < len(text):
        raise ValueError("is not a duration; write a number with a unit, such as 500ms, 5s, 15m, 1h30m or 400d")
    return total_ns


def format_duration(duration_ns: int) -> str:
    """Give the text of a duration of 0 or more, largest unit first; `parse_duration` gives it back exactly."""
    parts: list[str] = []
    for unit in _WRITTEN:
        count, duration_ns = divmod(duration_ns, _UNITS_NS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
