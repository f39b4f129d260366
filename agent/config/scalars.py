"""How each kind of single value is read and shown again, limits included; which key takes which is unknown here."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from ..sources.dcgm_address import USUAL, read_exporter
from .document import Kind, Scalar
from .duration import format_duration, is_plain_number, parse_duration
from .problem import guess, printable
from .values import GpuReference, SourceChoice, SourceMode, parse_gpu_uuid, parse_listen

_NUMBER = re.compile(r"([+-]?)([0-9]{0,9})\.?([0-9]{0,30})")
_INDEX = re.compile(r"0|[1-9][0-9]{0,2}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(?P<offset> ?([Zz]|[+-]\d\d:\d\d))?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Key:
    """What a key takes. `form` is said in the documentation, `parse` raises ValueError with what is wrong and a cure.

    `show` gives a parsed value in the form it is written in.
    """

    form: str
    parse: Callable[[Scalar], object]
    show: Callable[[Any], str] = str


@dataclass(frozen=True, slots=True)
class WordForNone:
    """The word that may stand in place of a list and then gives None; with *one*, a single item may too."""

    word: str
    one: bool = False


def duration_key(lowest: str, highest: str) -> Key:
    """Make a key of a duration within two limits, in nanoseconds."""
    lowest_ns, highest_ns = parse_duration(lowest), parse_duration(highest)

    def parse(scalar: Scalar) -> int:
        if is_plain_number(scalar.text):
            raise ValueError(f"has no unit; write {with_unit(scalar.text)}")
        duration_ns = parse_duration(scalar.text)
        if not lowest_ns <= duration_ns <= highest_ns:
            raise ValueError(f"is out of range; write a duration from {lowest} to {highest}")
        return duration_ns

    def with_unit(number: str) -> str:
        """Give *number* with the unit of the lower limit, or else the commonest that brings it within the limits."""
        for unit in (lowest.lstrip("0123456789"), "s", "ms", "m", "h", "d"):
            if len(number) < 10 and lowest_ns <= parse_duration(number + unit) <= highest_ns:
                return number + unit
        return f"a duration from {lowest} to {highest}"

    return Key(f"duration, {lowest} to {highest}", parse, format_duration)


def decimal_key(lowest: str, highest: str, *, decimals: int, above: bool = False) -> Key:
    """Make a key of a number within two limits, in whole units of 10^-decimals; *above* leaves *lowest* itself out.

    The unit is computed from the digits as written: 1.03 becomes 1030000 millionths, without a float between.
    """
    lowest_units, highest_units = _units(lowest, decimals), _units(highest, decimals)
    form = f"above {lowest} and at most {highest}" if above else f"from {lowest} to {highest}"

    def parse(scalar: Scalar) -> int:
        if scalar.kind is Kind.TEXT and _is_number(scalar.text):
            plain = decimal_text(_units(scalar.text, decimals), decimals)
            raise ValueError(f"is text; write {plain} without quotes")
        if scalar.text.endswith("%") and _is_number(scalar.text[:-1]):
            raise ValueError("is a percentage; write it as a fraction, such as 0.05 for 5%")
        if not _is_number(scalar.text):
            raise ValueError(f"is not a decimal number; write a number {form}")
        units = _units(scalar.text, decimals)
        if not (lowest_units < units if above else lowest_units <= units) or units > highest_units:
            raise ValueError(f"is out of range; write a number {form}")
        return units

    return Key(f"number {form}", parse, lambda units: decimal_text(units, decimals))


def whole_key(lowest: int, highest: int) -> Key:
    """Make a key of a whole number within two limits, both included."""

    def parse(scalar: Scalar) -> int:
        if scalar.kind is not Kind.INTEGER or not scalar.text.isascii() or not scalar.text.isdigit():
            raise ValueError(f"is not a whole number; write one from {lowest} to {highest}")
        if len(scalar.text) > len(str(highest)) or not lowest <= int(scalar.text) <= highest:
            raise ValueError(f"is out of range; write a whole number from {lowest} to {highest}")
        return int(scalar.text)

    return Key(f"whole number, {lowest} to {highest}", parse)


def _is_number(text: str) -> bool:
    return any(c.isdigit() for c in text) and _NUMBER.fullmatch(text) is not None and text.isascii()


def _units(text: str, decimals: int) -> int:
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ValueError("is not a decimal number")
    sign, whole, fraction = match.groups()
    if fraction[decimals:].strip("0"):
        raise ValueError(f"has too many decimals; write at most {decimals}")
    units = int((whole or "0") + fraction[:decimals].ljust(decimals, "0"))
    return -units if sign == "-" else units


def decimal_text(units: int, decimals: int) -> str:
    """Give a whole number of 10^-decimals as a decimal number, without trailing zeros."""
    digits = str(abs(units)).rjust(decimals + 1, "0")
    text = f"{digits[:-decimals]}.{digits[-decimals:]}".rstrip("0").rstrip(".")
    return f"-{text}" if units < 0 else text


def choice_key(choices: type[StrEnum]) -> Key:
    """Make a key of one word of a closed set."""
    words = [choice.value for choice in choices]

    def parse(scalar: Scalar) -> StrEnum:
        if scalar.text in words:
            return choices(scalar.text)
        raise ValueError(f"is not known; {guess(scalar.text, words) or 'write one of ' + ', '.join(words)}")

    return Key(", ".join(words[:-1]) + f" or {words[-1]}", parse)


def flag_key() -> Key:
    """Make a key that is true or false."""

    def parse(scalar: Scalar) -> bool:
        if scalar.kind is not Kind.BOOLEAN or scalar.text not in ("true", "false"):
            raise ValueError("is neither; write true or false, without quotes")
        return scalar.text == "true"

    return Key("true or false", parse, lambda flag: "true" if flag else "false")


def text_of(scalar: Scalar) -> str:
    """Give the text of what is text: YAML takes `yes` and `0123` for something else, which changes them.

    Raises ValueError.
    """
    if scalar.kind is not Kind.TEXT:
        raise ValueError(
            f'is read by YAML as {scalar.kind}, not as text; put it in quotes: "{printable(scalar.text)}"'
        )
    if not scalar.text.isprintable():
        raise ValueError("holds a character that cannot be printed; remove it")
    return scalar.text


def _name(scalar: Scalar) -> str:
    text = text_of(scalar)
    if not text.strip() or len(text) > _LONGEST_NAME:
        raise ValueError(f"has {len(text)} characters; write 1 to {_LONGEST_NAME}, not all blank")
    return text


def _path(scalar: Scalar) -> Path:
    return _located(text_of(scalar), scalar)


def _located(text: str, scalar: Scalar) -> Path:
    """Give an absolute path; a relative one counts from the folder of the file it stands in."""
    if not text:
        raise ValueError("is empty; write the path of a file or folder")
    if text.startswith("~"):
        raise ValueError("starts with ~, which is not expanded here; write the whole path")
    try:
        return (scalar.place.origin.folder / text).absolute()
    except FileNotFoundError:
        raise ValueError("is relative to a folder that is gone; write an absolute path") from None


def _source(scalar: Scalar) -> SourceChoice:
    word, colon, rest = scalar.text.partition(":")
    if word == SourceMode.REPLAY:
        if not colon or not rest:
            raise ValueError("names no capture; write replay:FILE")
        return SourceChoice(SourceMode.REPLAY, _located(rest, scalar))
    if word == SourceMode.DCGM:
        return SourceChoice(SourceMode.DCGM, url=_exporter(rest) if colon else USUAL)
    words = [mode.value for mode in SourceMode]
    if word not in words:
        raise ValueError(f"is not known; {guess(word, words) or 'write auto, nvml, sim, dcgm:URL or replay:FILE'}")
    if colon:
        raise ValueError(f"takes nothing after the word; write {word}")
    return SourceChoice(SourceMode(word))


def _exporter(url: str) -> str:
    read_exporter(url)
    return url


def _gpu(scalar: Scalar) -> GpuReference:
    if scalar.kind is Kind.INTEGER:
        if not _INDEX.fullmatch(scalar.text):
            raise ValueError("is not a GPU index; write a whole number from 0 to 999")
        return GpuReference(index=int(scalar.text))
    if _INDEX.fullmatch(scalar.text):
        raise ValueError(f"is text; for the GPU with that index write {scalar.text} without quotes")
    try:
        return GpuReference(uuid=parse_gpu_uuid(scalar.text))
    except ValueError:
        raise ValueError("is not a GPU; write an index such as 0, or a UUID such as GPU-... or MIG-...") from None


def _board(scalar: Scalar) -> str:
    uuid = parse_gpu_uuid(scalar.text)
    if not uuid.startswith("GPU-"):
        raise ValueError("is a MIG instance, which has no power reading of its own; write the UUID of its GPU")
    return uuid


def _moment(scalar: Scalar) -> int:
    """Give nanoseconds of the Unix epoch."""
    written = _TIME.fullmatch(scalar.text)
    if written is None:
        raise ValueError("is not a time; write ISO 8601 with an offset, such as 2026-01-31T22:00:00+01:00")
    if written["offset"] is None:
        raise ValueError(f"has no offset from UTC; write {scalar.text}Z for UTC, or {scalar.text}+01:00")
    try:
        since = datetime.fromisoformat(scalar.text.replace(" ", "T", 1).replace(" ", "").upper()) - _EPOCH
    except ValueError as error:
        raise ValueError(f"is no moment of the calendar ({error}); correct it") from None
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000


def _shown_moment(wall_ns: int) -> str:
    return datetime.fromtimestamp(wall_ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


LISTEN = Key("address: host:port, [IPv6]:port or :port", lambda scalar: parse_listen(scalar.text))
NAME = Key("text", _name)
PATH = Key("path", _path)
SOURCE = Key("auto, nvml, sim, dcgm:URL or replay:FILE", _source)
GPU = Key("GPU index or UUID", _gpu)
BOARD = Key("UUID of a GPU", _board)
MOMENT = Key("time, ISO 8601 with offset", _moment, _shown_moment)
