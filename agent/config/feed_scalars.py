"""How the single values of feeds are read; which provider takes which is judged with the providers."""

import re

from .document import Scalar
from .scalars import Key, text_of

_ZONE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_LONGEST_EXPRESSION = 2_000


def _zone(scalar: Scalar) -> str:
    text = text_of(scalar)
    if not _ZONE.fullmatch(text):
        raise ValueError("is no zone; write it as the provider does: letters, digits, - and _, such as DE or CN-ZJ")
    return text


def _currency(scalar: Scalar) -> str:
    text = text_of(scalar)
    if not _CURRENCY.fullmatch(text):
        raise ValueError("is no currency; write its three capital letters, such as CNY or EUR")
    return text


def _time_zone(scalar: Scalar) -> str:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # noqa: PLC0415  (only where a time zone is named)

    text = text_of(scalar)
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is no time zone; write one such as Asia/Shanghai, Europe/Paris or UTC") from None
    return text


def _expression(scalar: Scalar) -> str:
    text = text_of(scalar)
    if not text.strip() or len(text) > _LONGEST_EXPRESSION:
        raise ValueError(f"has {len(text)} characters; write 1 to {_LONGEST_EXPRESSION}, not all blank")
    return text


def _variable(scalar: Scalar) -> str:
    text = text_of(scalar)
    if not _VARIABLE.fullmatch(text):
        raise ValueError("is no name of an environment variable; write letters, digits and underscores")
    return text


ZONE = Key("zone of the provider", _zone)
CURRENCY = Key("currency: three capital letters", _currency)
TIME_ZONE = Key("time zone, such as Asia/Shanghai", _time_zone)
EXPRESSION = Key("expression", _expression)
VARIABLE_NAME = Key("name of an environment variable", _variable)
