"""The notation of series in unit tests, `up{job="a"}` and `1+2x5 _ stale`; what they are for is unknown here."""

import math
import re

from wattledger.rules.promql.model import METRIC_NAME, STALE, Labels
from wattledger.rules.templates import parse_float
from wattledger.rules.templates.go_quote import unquoted

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_STRING = re.compile(r'"(?:[^"\\\n]|\\[^\n])*"|\'(?:[^\'\\\n]|\\[^\n])*\'|`[^`]*`')
_BLANK = re.compile(r"[ \t\r\n]*")
# Hexadecimal numbers are not read: their x is that of repetition, as in promtool.
_NUMBER = r"(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|(?i:inf|nan)(?![a-zA-Z0-9_:]))"
_ITEM = re.compile(
    rf"(?:(?P<gap>_)|(?P<stale>stale(?![a-zA-Z0-9_:]))|(?P<start>[+-]?{_NUMBER}))"
    rf"(?:(?P<step>(?<!_)[+-]{_NUMBER})?x(?P<times>\d+))?(?![^ \t\r\n])"
)
_MOST_SAMPLES = 10_000_000  # what a mistyped repetition may ask for before the memory is asked
# Words that PromQL's grammar keeps for itself; the other keywords may name a metric.
_NOT_METRICS = frozenset({"bool", "on", "ignoring", "group_left", "group_right", "inf", "nan"})


class NotationError(ValueError):
    """What cannot be read, with the character it starts at, counted from 0."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(position, reason)
        self.position = position
        self.reason = reason

    def __str__(self) -> str:
        """Give place and reason."""
        return f"at character {self.position + 1}: {self.reason}"


def parse_values(text: str) -> list[float | None]:
    """Give the samples that *text* stands for, None where there is none.

    `1x3` is 1 1 1 1 and `1+2x3` is 1 3 5 7: the start and then so many more. `_x3` is three gaps.
    Raises NotationError.
    """
    values: list[float | None] = []
    position = _skip(text, 0)
    while position < len(text):
        item = _ITEM.match(text, position)
        if item is None:
            raise NotationError(position, _bad_item(text, position))
        times = int(item["times"] or 0)
        if len(values) + times > _MOST_SAMPLES:
            raise NotationError(position, f"`{item.group()}` makes more than {_MOST_SAMPLES} samples")
        values.extend(_repeated(item, times, position))
        position = _skip(text, item.end())
    return values


def _repeated(item: re.Match[str], times: int, position: int) -> list[float | None]:
    if item["gap"]:
        return [None] * (times if item["times"] else 1)
    if item["stale"]:
        if item["step"]:
            raise NotationError(position, "`stale` does not grow; leave the step out")
        return [STALE]
    value = _number(item["start"], position)
    step = _number(item["step"], position) if item["step"] else 0.0
    made: list[float | None] = [value]
    for _ in range(times):
        value += step  # adds up as promtool does, its rounding included
        made.append(value)
    return made


def _number(text: str, position: int) -> float:
    try:
        if text.lstrip("+-").lower() == "nan":
            return math.nan
        return parse_float(text)
    except ValueError as error:
        raise NotationError(position, str(error)) from None


def _bad_item(text: str, position: int) -> str:
    found = text[position:].split(None, 1)[0]
    if found.startswith("{{"):
        return "native histograms are not supported; use plain numbers"
    return f"`{found}` is no value; write 5, 1x3, 1+2x3, 10-1x3, _, _x3, stale, NaN or Inf"


def parse_series(text: str) -> Labels:
    """Give the labels of `name{label="value", ...}`; labels with an empty value are left out.

    Raises NotationError.
    """
    labels, end = _metric(text, blank_before_brace=False)
    if not labels:
        raise NotationError(0, "the series has no label at all; give it a name")
    if end < len(text):
        raise NotationError(end, f"unexpected `{text[end : end + 1]}` after the series; values stand under `values`")
    return tuple(pair for pair in labels if pair[1])


def parse_metric(text: str) -> Labels:
    """Give the labels of an expected sample as they are written; `{}` and nothing stand for no labels.

    Raises NotationError.
    """
    labels, end = _metric(text, blank_before_brace=True)
    if end < len(text):
        raise NotationError(end, f"unexpected `{text[end : end + 1]}` after the labels")
    return labels


def _metric(text: str, *, blank_before_brace: bool) -> tuple[Labels, int]:
    """Give the labels that *text* starts with and the position behind them."""
    position = _skip(text, 0)
    pairs: dict[str, str] = {}
    name = _NAME.match(text, position)
    if name is not None:
        if name.group().lower() in _NOT_METRICS:
            raise NotationError(position, f"`{name.group()}` is a word of PromQL and no name of a series")
        pairs[METRIC_NAME] = name.group()
        position = name.end()
    after = _skip(text, position) if blank_before_brace or not pairs else position
    if text.startswith("{", after):
        position = _label_set(text, after + 1, pairs)
    return tuple(sorted(pairs.items())), _skip(text, position)


def _label_set(text: str, position: int, pairs: dict[str, str]) -> int:
    """Read up to the closing brace into *pairs*; give the position behind it."""
    while True:
        position = _skip(text, position)
        if text.startswith("}", position):
            return position + 1
        position = _label(text, position, pairs)
        position = _skip(text, position)
        if text.startswith(",", position):
            position += 1
        elif not text.startswith("}", position):
            raise NotationError(position, "the labels are not closed; write `,` and the next one, or `}`")


def _label(text: str, position: int, pairs: dict[str, str]) -> int:
    name = _LABEL.match(text, position)
    if name is None:
        raise NotationError(position, 'a label is missing; write name="value"')
    equals = _skip(text, name.end())
    if not text.startswith("=", equals) or text[equals + 1 : equals + 2] in ("~", "="):
        raise NotationError(equals, f'write {name.group()}="value": a series has values, not matchers')
    start = _skip(text, equals + 1)
    literal = _STRING.match(text, start)
    if literal is None:
        raise NotationError(start, f"the value of {name.group()} is no text in quotes")
    if name.group() in pairs:
        raise NotationError(position, f"the label {name.group()} is there twice")
    try:
        pairs[name.group()] = unquoted(literal.group())
    except ValueError as error:
        raise NotationError(start, str(error)) from None
    return literal.end()


def _skip(text: str, position: int) -> int:
    blank = _BLANK.match(text, position)
    return position if blank is None else blank.end()
