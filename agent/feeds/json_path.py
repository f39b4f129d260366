"""A small language of paths into a JSON answer, with the place in every message.

`data[].carbon.intensity`: names joined by points lead into objects; `[0]` takes one item of a list, `[-1]` the last,
and `[]` every one. `["a.b"]` is a name that holds points or brackets. A path may begin with brackets where the answer
is a list itself. What an item of a list lacks is found as a gap, so that values and times stay side by side.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_STEP = re.compile(
    r'\[(?P<index>-?\d{1,6})?\]|\["(?P<quoted>[^"]{1,200})"\]|(?P<point>\.?)(?P<name>[^.\[\]"\s]{1,200})'
)
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class _Every:
    """All items of a list."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a path led to. `indices` are those of the lists that `[]` opened; `lack` says why there is nothing."""

    indices: tuple[int, ...]
    value: object
    lack: str = ""


@dataclass(frozen=True, slots=True)
class _Spot:
    indices: tuple[int, ...]
    node: object
    place: str
    lack: str = ""


class JsonPath:
    """A path that was parsed."""

    def __init__(self, text: str) -> None:
        """Parse *text*. Raises ValueError with the place and the cure."""
        self.text = text.strip()
        self._steps = tuple(_steps(self.text))

    def find(self, tree: object) -> list[Found]:
        """Give what *tree* holds there, in order. Raises ValueError where it has no such place at all."""
        spots = [_Spot((), tree, "")]
        for step in self._steps:
            spots = [after for spot in spots for after in _follow(spot, step)]
        if spots and all(spot.lack for spot in spots):
            raise ValueError(spots[0].lack)
        return [Found(spot.indices, None if spot.lack else spot.node, spot.lack) for spot in spots]


def _steps(text: str) -> Iterator[str | int | _Every]:
    at = 0
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None or (match["name"] and bool(match["point"]) is (at == 0)):
            raise ValueError(
                f"{text!r} is no path: it cannot be read at {text[at : at + 20]!r}; write one such as "
                "data[].carbon.intensity"
            )
        if match["name"] or match["quoted"]:
            yield match["name"] or match["quoted"]
        else:
            yield _Every() if match["index"] is None else int(match["index"])
        at = match.end()
    if not text:
        raise ValueError("is empty; write a path such as data[].carbon.intensity")


def _follow(spot: _Spot, step: str | int | _Every) -> Iterator[_Spot]:
    """Give where *step* leads from *spot*. Raises ValueError for what lacks outside of every list."""
    node = spot.node
    if spot.lack:
        yield spot
    elif isinstance(step, str) and isinstance(node, dict) and step in node:
        yield _Spot(spot.indices, node[step], f"{spot.place}.{step}" if spot.place else step)
    elif isinstance(step, int) and isinstance(node, list) and -len(node) <= step < len(node):
        yield _Spot(spot.indices, node[step], f"{spot.place}[{step}]")
    elif isinstance(step, _Every) and isinstance(node, list):
        for index, item in enumerate(node):
            yield _Spot((*spot.indices, index), item, f"{spot.place}[{index}]")
    else:
        lack = _lack(spot, step)
        if not spot.indices:
            raise ValueError(lack)
        yield _Spot(spot.indices, None, spot.place, lack)


def _lack(spot: _Spot, step: str | int | _Every) -> str:
    where = f"`{spot.place}` of the answer" if spot.place else "the answer"
    node = spot.node
    if isinstance(step, str):
        if isinstance(node, dict):
            return f"{where} has no {step!r}, it has {', '.join(map(repr, node))[:_SHOWN] or 'nothing'}"
        return f"{where} is no object with {step!r}, it is {repr(node)[:_SHOWN]}"
    if isinstance(node, list):
        return f"{where} has no item [{step}], it has {len(node)}"
    return f"{where} is no list, it is {repr(node)[:_SHOWN]}"
