"""How the single values of a tariff are read; what its periods come to together is judged elsewhere."""

import re
from datetime import date

from wattledger.rules.tariff.model import DAY_MINUTES, HourSpan

from .document import Scalar
from .duration import format_duration, is_plain_number, parse_duration
from .scalars import Key, decimal_key, text_of, whole_key

_HOURS = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)\s*-\s*([01]?\d|2[0-4]):([0-5]\d)", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_FIRST_YEAR, _LAST_YEAR = 1990, 2200
_LONGEST_LABEL = 40
_WINDOWS = ("15m", "30m", "1h")  # energy is kept by quarter hours


def _label(scalar: Scalar) -> str:
    text = text_of(scalar)
    if not text.strip() or len(text) > _LONGEST_LABEL:
        raise ValueError(f"has {len(text)} characters; write 1 to {_LONGEST_LABEL}, not all blank, such as peak")
    return text


def _hours(scalar: Scalar) -> HourSpan:
    match = _HOURS.fullmatch(scalar.text.replace("\N{EN DASH}", "-"))
    if match is None:
        raise ValueError('is no stretch of the day; write two times of the clock, such as "18:00-21:00"')
    hour, minute, end_hour, end_minute = map(int, match.groups())
    start, end = hour * 60 + minute, end_hour * 60 + end_minute
    if start >= DAY_MINUTES:
        raise ValueError("begins at the end of the day; for the beginning of a day write 00:00")
    if end > DAY_MINUTES:
        raise ValueError("ends after 24:00; for hours past midnight write the time of the clock, such as 23:00-07:00")
    if end == start:
        raise ValueError("is empty; for the whole day write 00:00-24:00 or leave hours out")
    return HourSpan(start, end or DAY_MINUTES)


def _date(scalar: Scalar) -> date:
    if not _DAY.fullmatch(scalar.text):
        raise ValueError("is no date; write year, month and day, such as 2026-10-01")
    try:
        day = date.fromisoformat(scalar.text)
    except ValueError as error:
        raise ValueError(f"is no day of the calendar ({error}); correct it") from None
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise ValueError(f"is out of range; write a year from {_FIRST_YEAR} to {_LAST_YEAR}")
    return day


def _window(scalar: Scalar) -> int:
    known = {parse_duration(text): text for text in _WINDOWS}
    if is_plain_number(scalar.text) or parse_duration(scalar.text) not in known:
        raise ValueError(f"is no window of demand; write {', '.join(_WINDOWS[:-1])} or {_WINDOWS[-1]}")
    return parse_duration(scalar.text)


LABEL = Key("name of the period", _label)
PRICE = decimal_key("-100000", "100000", decimals=6)
CHARGE = decimal_key("0", "100000", decimals=6)
MONTH = whole_key(1, 12)
HOURS = Key('times of the clock, such as "23:00-07:00"', _hours)
DATE = Key("date, such as 2026-10-01", _date)
DEMAND_WINDOW = Key("15m, 30m or 1h", _window, format_duration)
