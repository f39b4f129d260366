"""Numbers and texts as the landing page writes them; it knows no device and no snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log10

from wattledger.rules.instant import NS_PER_SECOND

from .catalog.units import kilowatt_hours
from .render import storable

_HTML_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})

_SMALLEST_KWH = 0.00001
_MOST_DECIMALS = 6


def escaped(text: str) -> str:
    """Give *text* for HTML content and quoted attributes."""
    return storable(text).translate(_HTML_ESCAPES)


def kwh(energy_mj: int) -> str:
    """Give millijoules as kilowatt-hours; what is not zero never reads as zero."""
    value = kilowatt_hours(energy_mj)
    if value >= 100:
        return f"{value:,.0f}" if value >= 10_000 else f"{value:,.1f}"
    if value >= 0.1:
        return f"{value:.3f}"
    if value >= _SMALLEST_KWH:
        return f"{value:.5f}"
    return "0" if value == 0 else f"under {_SMALLEST_KWH:.5f}"


def percent(part: int, whole: int) -> str:
    """Give *part* of *whole* in percent; empty text when there is no whole."""
    return f"{100 * part / whole:.1f} %" if whole else ""


def duration(nanoseconds: int) -> str:
    """Give a length of time in its two largest units."""
    whole = max(nanoseconds, 0) // NS_PER_SECOND
    if whole < 10:
        return f"{max(nanoseconds, 0) / NS_PER_SECOND:.1f} s"
    days, hours, minutes, seconds = whole // 86_400, whole // 3_600 % 24, whole // 60 % 60, whole % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def significant(number: float) -> str:
    """Give *number*, which is not negative, in three digits or all of its whole ones; only zero reads as zero."""
    if number == 0:
        return "0"
    decimals = min(max(2 - floor(log10(number)), 0), _MOST_DECIMALS)
    text = f"{number:,.{decimals}f}"
    return text if text.strip("0.") else f"under {10.0**-_MOST_DECIMALS:.{_MOST_DECIMALS}f}"


def ranges(numbers: Sequence[int]) -> str:
    """Give numbers in short: 0-3,5."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ",".join(str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts)
