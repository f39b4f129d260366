"""Times of providers to nanoseconds since the Unix epoch, and the stretches that a row of starts makes.

A time has an offset, or the configuration names its zone: nothing is taken for UTC, or for the zone of this host,
without being told. Of the two local times that an autumn day has twice, order decides; one that a spring day leaves
out is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import MAXYEAR, UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from wattledger.rules.instant import NS_PER_SECOND

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_NS_PER_MS = NS_PER_SECOND // 1000
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  (differences of times in UTC, none of which has a zone)
_ISO = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)"
    r"(?:[Tt ](?P<hour>\d\d)(?::(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<part>\d{1,9})\d*)?)?)?)?"
    r" ?(?P<offset>[Zz]|UTC|[+-]\d\d(?::?\d\d)?)?",
    re.ASCII,
)
_NUMBER = re.compile(r"\d{9,14}(?:\.\d{1,9})?", re.ASCII)
# Seconds until the year 5138, milliseconds from March 1973 on.
_FEWEST_MS = 10**11
_EARLIEST_NS = 631_152_000 * NS_PER_SECOND  # 1990
_LATEST_NS = 7_258_118_400 * NS_PER_SECOND  # 2200

ALWAYS = (0, _LATEST_NS)
"""The stretch of a factor, which has no hours: from the epoch to 2200."""


def wall_ns_of(text: object, zone: ZoneInfo | None = None, *, after_wall_ns: int | None = None) -> int:
    """Give a time in nanoseconds since the Unix epoch. Raises ValueError with what is wrong and the cure.

    *text* is ISO 8601 (`2026-10-25T02:00+01:00`, `2026-10-25 02:00Z`, `2026-10-25T02`, `2026-10-25`) or the seconds
    or milliseconds since the epoch, as number or digits. *zone* is for a time without an offset alone, which else is
    refused. Of a local time that comes twice, the first is meant unless that is not after *after_wall_ns*, the time
    of the row before (or the start, for an end).
    """
    if isinstance(text, int | float | Decimal) and not isinstance(text, bool):
        text = repr(text) if isinstance(text, float) else str(text)
    if not isinstance(text, str):
        raise ValueError(f"{_shown(text)} is no time; write one such as 2026-10-25T02:00+01:00")  # noqa: TRY004  (of data)
    text = text.strip()
    if _NUMBER.fullmatch(text):
        number = Decimal(text)
        return _checked(int(number * (_NS_PER_MS if number >= _FEWEST_MS else NS_PER_SECOND)), text)
    match = _ISO.fullmatch(text)
    if match is None:
        raise ValueError(f"{_shown(text)} is no time; write ISO 8601, such as 2026-10-25T02:00+01:00")
    local, part_ns = _local(match, text)
    offset = match["offset"]
    if offset is not None:
        return _checked(_ns(local) + part_ns - _offset_ns(offset, text), text)
    if zone is None:
        raise ValueError(
            f"{_shown(text)} has no offset; write it as {text}Z or {text}+08:00, or set `timezone` for this feed"
        )
    return _checked(_in_zone(local, zone, None if after_wall_ns is None else after_wall_ns - part_ns) + part_ns, text)


def iso_of(wall_ns: int) -> str:
    """Give a time in UTC to the second, as providers take it: `2026-10-25T01:00:00Z`."""
    return f"{_EPOCH + timedelta(seconds=wall_ns // NS_PER_SECOND):%Y-%m-%dT%H:%M:%SZ}"


def zone_of(name: str) -> ZoneInfo | None:
    """Give the time zone of the key `timezone`, None where it is not set. Raises ValueError for an unknown one."""
    if not name:
        return None
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # noqa: PLC0415  (only where a time zone is named)

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError):
        raise ValueError(f"{name!r} is no time zone; write one such as Europe/Paris") from None


def steps(
    starts: Sequence[int], last_ns: int | None = None, *, longest_ns: int | None = None
) -> list[tuple[int, int]]:
    """Give the stretches [start, end) of *starts*, which ascend: each lasts until the next begins.

    The last one lasts *last_ns*, or else as long as the one before it. With *longest_ns* none is longer, so that a
    gap in the row stays a gap. Raises ValueError where two do not ascend, or a single one has no length.
    """
    found: list[tuple[int, int]] = []
    for index, start in enumerate(starts):
        if index + 1 < len(starts):
            end = starts[index + 1]
            if end <= start:
                raise ValueError(f"{iso_of(end)} comes after {iso_of(start)}; put the times in order, each once")
        elif last_ns is not None:
            end = start + last_ns
        elif found:
            end = start + found[-1][1] - found[-1][0]
        else:
            raise ValueError(
                f"{iso_of(start)} stands alone and has no end; give its end, or set `step` for this feed"
            )
        if longest_ns is not None:
            end = min(end, start + longest_ns)
        found.append((start, end))
    return found


def _local(match: re.Match[str], text: str) -> tuple[datetime, int]:
    """Give date and time as they stand, without a zone, to the second, and the nanoseconds beyond."""
    year, month, day, hour, minute, second, part, _ = match.groups()
    clock = int(hour or 0), int(minute or 0), int(second or 0)
    ends_day = clock == (24, 0, 0)  # ISO 8601 lets a day end so
    try:
        local = datetime(int(year), int(month), int(day), *((0, 0, 0) if ends_day else clock))  # noqa: DTZ001  (local)
    except ValueError:
        raise ValueError(f"{_shown(text)} is no time of the calendar; correct it") from None
    if ends_day and int(year) < MAXYEAR:
        local += timedelta(days=1)
    return local, int(part.ljust(9, "0")) if part else 0


def _offset_ns(offset: str, text: str) -> int:
    if offset in ("Z", "z", "UTC"):
        return 0
    digits = offset[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 15 or minutes > 59:
        raise ValueError(f"{_shown(text)} has an offset that no zone has; correct it")
    ns = (hours * 60 + minutes) * 60 * NS_PER_SECOND
    return -ns if offset[0] == "-" else ns


def _in_zone(local: datetime, zone: ZoneInfo, after_wall_ns: int | None) -> int:
    # Through UTC: the difference of two times of one zone would be that of their local clocks.
    first, second = (
        _ns(local.replace(tzinfo=zone, fold=fold).astimezone(UTC).replace(tzinfo=None)) for fold in (0, 1)
    )
    # A local time that is skipped gives the later instant for fold 0; one that comes twice the earlier.
    if first > second:
        raise ValueError(
            f"{_shown(local.isoformat(' '))} does not exist in {zone.key}, where the clocks are put forward; "
            "correct the time, or write times with an offset"
        )
    return second if after_wall_ns is not None and first <= after_wall_ns else first


def _ns(in_utc: datetime) -> int:
    since = in_utc - _EPOCH
    return (since.days * 86_400 + since.seconds) * NS_PER_SECOND


def _checked(wall_ns: int, text: str) -> int:
    if not _EARLIEST_NS <= wall_ns < _LATEST_NS:
        raise ValueError(f"{_shown(text)} is not between 1990 and 2200; check its unit and its year")
    return wall_ns


def _shown(value: object) -> str:
    return repr(value)[:60]
