"""The humanize functions of Prometheus: numbers as people read them; it knows nothing of the alert they belong to."""

import math

from .errors import ExpansionError
from .go_numbers import format_float, parse_float
from .values import Moment, Value, kind_of

_ABOVE = ("k", "M", "G", "T", "P", "E", "Z", "Y")
_BELOW = ("m", "u", "n", "p", "f", "a", "z", "y")
_BINARY = ("ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi")
_NS_PER_SECOND = 1e9
_LARGEST_NS = 2.0**63
_NS_PER_MS = 1_000_000


def number_of_value(value: Value) -> float:
    """Give the number that a humanize function is asked to write; texts are read as numbers.

    Raises ExpansionError.
    """
    if isinstance(value, str):
        try:
            return parse_float(value)
        except ValueError as error:
            raise ExpansionError(str(error)) from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ExpansionError(f"{kind_of(value)} is not a number")
    return float(value)


def humanize(value: float) -> str:
    """Write with a metric prefix and four digits: 1234567 is 1.235M."""
    if value == 0 or not math.isfinite(value):
        return _four_digits(value)
    if abs(value) >= 1:
        return _scaled(value, 1000.0, _ABOVE)
    return _scaled_up(value)


def humanize1024(value: float) -> str:
    """Write with a binary prefix and four digits: 1048576 is 1Mi."""
    if abs(value) <= 1 or not math.isfinite(value):
        return _four_digits(value)
    return _scaled(value, 1024.0, _BINARY)


def humanize_duration(seconds: float) -> str:
    """Write seconds as `1d 2h 3m 4s`, below a minute with four digits, below a second with a prefix."""
    if not math.isfinite(seconds):
        return _four_digits(seconds)
    if seconds == 0:
        return _four_digits(seconds) + "s"
    if abs(seconds) < 1:
        return _scaled_up(seconds) + "s"
    sign, length = ("-", -seconds) if seconds < 0 else ("", seconds)
    minutes, second = divmod(int(length), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{sign}{days}d {hour}h {minute}m {second}s"
    if hour:
        return f"{sign}{hour}h {minute}m {second}s"
    if minute:
        return f"{sign}{minute}m {second}s"
    return f"{sign}{_four_digits(length)}s"


def humanize_percentage(ratio: float) -> str:
    """Write a ratio in percent with four digits."""
    return _four_digits(ratio * 100) + "%"


def moment(seconds: float) -> Moment:
    """Give the time that *seconds* of the Unix epoch stand for, whole milliseconds.

    Raises ExpansionError beyond what 64 bits of nanoseconds hold.
    """
    wall_ns = seconds * _NS_PER_SECOND
    if not -_LARGEST_NS <= wall_ns <= _LARGEST_NS:
        raise ExpansionError(f"{format_float(seconds)} seconds are no time: too far from 1970")
    return Moment(int(math.copysign(abs(int(wall_ns)) // _NS_PER_MS, wall_ns)))


def humanize_timestamp(seconds: float) -> str:
    """Write a time of the Unix epoch as a date and time in UTC."""
    return str(moment(seconds)) if math.isfinite(seconds) else _four_digits(seconds)


def _four_digits(value: float) -> str:
    return format_float(value, "g", 4)


def _scaled(value: float, base: float, prefixes: tuple[str, ...]) -> str:
    chosen = ""
    for prefix in prefixes:
        if abs(value) < base:
            break
        chosen = prefix
        value /= base
    return _four_digits(value) + chosen


def _scaled_up(value: float) -> str:
    chosen = ""
    for prefix in _BELOW:
        if abs(value) >= 1:
            break
        chosen = prefix
        value *= 1000
    return _four_digits(value) + chosen
