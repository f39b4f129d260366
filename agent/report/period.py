"""The stretch of time that a report is of, from the words of the command line; on the reader's clock."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo

from wattledger.agent.config.duration import is_plain_number, parse_duration
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND
from wattledger.rules.report.choices import GroupBy

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_HALF_AN_HOUR = timedelta(minutes=30)
_WORDS = "write 7d, today, yesterday, this-month, last-month, boot, a day such as 2026-11-01, or a time with offset"


def moment(
    text: str, *, now_wall_ns: int, zone: tzinfo, boot_wall_ns: int | None = None, is_end: bool = False
) -> int:
    """Give the moment that *text* means, in ns since the Unix epoch. Raises ValueError with the cure.

    A length of time is before now. Words and days begin at midnight of *zone*. The result is a whole UTC hour, as
    rows are: the one that the moment lies in, so that a stretch has all hours that overlap it. *is_end*: the end of
    that hour. A day that begins within an hour begins with it. There are no rows before the epoch, nor after the hour
    that runs.
    """
    found = _moment(text, now_wall_ns, zone, boot_wall_ns, is_end=is_end)
    return min(max(0, found), _whole(now_wall_ns, is_end=True))


def _moment(text: str, now_wall_ns: int, zone: tzinfo, boot_wall_ns: int | None, *, is_end: bool) -> int:
    now = datetime.fromtimestamp(now_wall_ns // NS_PER_SECOND, UTC).astimezone(zone)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    match text:
        case "now":
            return _whole(now_wall_ns, is_end=is_end)
        case "boot":
            if boot_wall_ns is None:
                raise ValueError("the time of the last boot is not known here; write a day")
            return _whole(boot_wall_ns, is_end=is_end)
        case "today":
            return _day(midnight)
        case "yesterday":
            return _day(_day_before(midnight, zone))
        case "this-month":
            return _day(midnight.replace(day=1))
        case "last-month":
            return _day(_day_before(midnight.replace(day=1), zone).replace(day=1))
        case _:
            return _written(text, now_wall_ns, zone, is_end=is_end)


def _written(text: str, now_wall_ns: int, zone: tzinfo, *, is_end: bool) -> int:
    if _DAY.fullmatch(text):
        try:
            return _day(datetime.fromisoformat(text).replace(tzinfo=zone))
        except (ValueError, OverflowError) as error:
            raise ValueError(f"{text!r} is no day of the calendar ({error}); {_WORDS}") from None
    if not is_plain_number(text):
        try:
            return _whole(now_wall_ns - parse_duration(text), is_end=is_end)
        except ValueError:
            pass
    try:
        written = datetime.fromisoformat(text)
        if written.tzinfo is None:
            written = written.replace(tzinfo=zone)
        return _whole(int(written.timestamp()) * NS_PER_SECOND, is_end=is_end)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no time; {_WORDS}") from None


def _day_before(midnight: datetime, zone: tzinfo) -> datetime:
    """Give the midnight before, which is not always 24 hours ago."""
    noon = (midnight - timedelta(hours=12)).astimezone(zone)
    return noon.replace(hour=0, minute=0, second=0, microsecond=0)


def _day(midnight: datetime) -> int:
    return _whole(int(midnight.timestamp()) * NS_PER_SECOND, is_end=False)


def _whole(wall_ns: int, *, is_end: bool) -> int:
    return -(-wall_ns // NS_PER_HOUR) * NS_PER_HOUR if is_end else wall_ns // NS_PER_HOUR * NS_PER_HOUR


def clock_text(zone: tzinfo) -> Callable[[int, GroupBy], str]:
    """Give what writes a UTC hour, or its day, on the clock of *zone*.

    Where clocks go back, and an hour is there twice, its distance from UTC tells which it is.
    """

    def text(hour: int, by: GroupBy) -> str:
        local = datetime.fromtimestamp(hour * 3_600, UTC).astimezone(zone)
        if by is GroupBy.DAY:  # of its middle: with clocks half an hour apart from UTC it begins the day before
            return (local + _HALF_AN_HOUR).strftime("%Y-%m-%d")
        if local.replace(fold=0).utcoffset() == local.replace(fold=1).utcoffset():
            return local.strftime("%Y-%m-%d %H:%M")
        return f"{local:%Y-%m-%d %H:%M} UTC{local.isoformat()[-6:]}"

    return text


def boot_wall_ns(stat: str) -> int | None:
    """Give when the host booted, out of the text of /proc/stat; None where it does not say."""
    for line in stat.splitlines():
        name, _, value = line.partition(" ")
        if name == "btime" and value.strip().isdigit():
            return int(value) * NS_PER_SECOND
    return None
