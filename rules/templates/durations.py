"""Durations as Prometheus writes them, `1d2h3m4s5ms`, to milliseconds and back; it knows no limits of any field."""

import re

from .errors import ExpansionError

_UNITS_MS = {
    "y": 365 * 86_400_000,
    "w": 7 * 86_400_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1_000,
    "ms": 1,
}
_DURATION = re.compile(
    r"(?:(?P<y>\d+)y)?(?:(?P<w>\d+)w)?(?:(?P<d>\d+)d)?(?:(?P<h>\d+)h)?(?:(?P<m>\d+)m)?(?:(?P<s>\d+)s)?(?:(?P<ms>\d+)ms)?",
    re.ASCII,
)
_LARGEST_MS = (2**63 - 1) // 1_000_000  # Go keeps nanoseconds in 64 bits
# Years and weeks are written only where nothing remains below them.
_WRITTEN = (("y", True), ("w", True), ("d", False), ("h", False), ("m", False), ("s", False), ("ms", False))


def parse_duration_ms(text: str) -> int:
    """Give the milliseconds of `5m`, `1h30m`, `500ms` or `0`: each unit once, largest first.

    Raises ValueError with what is wrong and what to write. Form: prometheus/common model.ParseDuration.
    """
    if text == "0":
        return 0
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        if re.fullmatch(r"\d+", text, re.ASCII):
            raise ValueError(f"`{text}` has no unit; write {text}s or {text}m")
        raise ValueError(f"`{text}` is not a duration; write whole numbers with units, such as 30s, 5m or 1h30m")
    total_ms = sum(int(count) * _UNITS_MS[unit] for unit, count in match.groupdict().items() if count)
    if total_ms > _LARGEST_MS:
        raise ValueError(f"`{text}` is out of range; the longest duration is 292y")
    return total_ms


def parse_duration_seconds(text: str) -> float:
    """Give the seconds of a duration, for templates.

    Raises ExpansionError.
    """
    try:
        return parse_duration_ms(text) / 1000
    except ValueError as error:
        raise ExpansionError(str(error)) from None


def format_duration_ms(duration_ms: int) -> str:
    """Give the text of a duration as Prometheus writes it; `parse_duration_ms` gives it back."""
    if duration_ms == 0:
        return "0s"
    parts: list[str] = []
    rest_ms = duration_ms
    for unit, exact in _WRITTEN:
        count, below_ms = divmod(rest_ms, _UNITS_MS[unit])
        if count and not (exact and below_ms):
            parts.append(f"{count}{unit}")
            rest_ms = below_ms
    return "".join(parts)
