"""Calendar of a Unix time in UTC: what `hour`, `day_of_week` and their kin give; it knows no clock.

Days to dates after H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", which hold for any year: Python's own
calendar ends at the year 9999, Go's does not.
"""

import math
from collections.abc import Callable

_DAY_S = 86_400
_INT64_MIN = -(2**63)
_YEAR_ZERO_S = 9_223_372_028_715_321_600  # seconds before 1970 at which Go's time begins (time.go: absolute years)
_DAYS_TO_MONTH = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)


def _seconds(value: float) -> int:
    """Cut *value* to seconds as Go on amd64 does: what 64 bits cannot hold is the least, and time wraps around."""
    seconds = int(value) if math.isfinite(value) and abs(value) < 2**63 else _INT64_MIN
    return seconds if seconds >= -_YEAR_ZERO_S else seconds + 2**64


def _date(value: float) -> tuple[int, int, int]:
    """Give year, month and day."""
    days = _seconds(value) // _DAY_S + 719_468
    era, day_of_era = divmod(days, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year_of_era + era * 400 + (month <= 2), month, day_of_year - (153 * shifted + 2) // 5 + 1


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _day_of_year(value: float) -> float:
    year, month, day = _date(value)
    return float(_DAYS_TO_MONTH[month - 1] + day + (month > 2 and _is_leap(year)))


def _days_in_month(value: float) -> float:
    year, month, _ = _date(value)
    if month == 2:
        return 29.0 if _is_leap(year) else 28.0
    return 30.0 if month in (4, 6, 9, 11) else 31.0


CALENDAR: dict[str, Callable[[float], float]] = {
    "minute": lambda value: float(_seconds(value) % 3600 // 60),
    "hour": lambda value: float(_seconds(value) % _DAY_S // 3600),
    "day_of_week": lambda value: float((_seconds(value) // _DAY_S + 4) % 7),
    "day_of_month": lambda value: float(_date(value)[2]),
    "day_of_year": _day_of_year,
    "days_in_month": _days_in_month,
    "month": lambda value: float(_date(value)[1]),
    "year": lambda value: float(_date(value)[0]),
}
