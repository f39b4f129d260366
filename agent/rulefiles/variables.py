"""Thresholds of a pack that may be set: literals marked in its text. It knows no pack and none of their rules.

A marker is a comment at the end of a line, `for: 15m  # var: held_warning`, and means the last number or duration
before it. Being a comment, it leaves the file as Prometheus takes it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from wattledger.rules.templates import parse_duration_ms

from ..config.problem import Place, Problem, quoted

_MARKER = re.compile(r"#\s*var: (?P<name>[a-z][a-z0-9_]*)$")
_INTENDED = re.compile(r"#\s*vars?\b", re.IGNORECASE)
_DURATION = re.compile(r"(?:[0-9]+(?:ms|[smhdwy]))+")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
# Names are passed over whole: the 5m of `x:rate:5m` is none of ours.
_TOKEN = re.compile(
    rf"[A-Za-z_][\w:]*|(?:(?P<duration>{_DURATION.pattern})|(?P<number>{_NUMBER.pattern}))(?![\w.])", re.ASCII
)


class Kind(StrEnum):
    """What a value must be."""

    DURATION = "duration"
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class Marker:
    """One marked literal of a text, at `start` to `end` of it."""

    name: str
    default: str
    kind: Kind
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Variable:
    """A threshold by name, with the packs it stands in."""

    name: str
    default: str
    kind: Kind
    packs: tuple[str, ...]


class MarkerError(Exception):
    """Markers that mean nothing, or that contradict each other: a defect of a pack, not of what a user set."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        """Give one line a problem."""
        return "\n".join(map(str, self.problems))


def read_markers(text: str, place: Place) -> tuple[Marker, ...]:
    """Give the markers of *text*, which stands at *place*, in order.

    Raises MarkerError.
    """
    markers: list[Marker] = []
    problems: list[Problem] = []
    start = 0
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            marker = _marker(line.rstrip(), start)
        except ValueError as error:
            problems.append(Problem(Place(place.origin, number), "", str(error)))
        else:
            markers += [] if marker is None else [marker]
        start += len(line) + 1
    if problems:
        raise MarkerError(tuple(problems))
    return tuple(markers)


def _marker(line: str, start: int) -> Marker | None:
    """Give the marker of a line that begins at *start*. Raises ValueError."""
    if _INTENDED.search(line) is None:
        return None
    marker = _MARKER.search(line)
    if marker is None or _INTENDED.search(line, 0, marker.start()):
        raise ValueError("a marker is the comment `# var: name` at the end of a line, one a line")
    literals = [token for token in _TOKEN.finditer(line, 0, marker.start()) if token.lastgroup]
    if not literals:
        raise ValueError(f"no number or duration stands before the marker of {quoted(marker['name'])}")
    last = literals[-1]
    kind = Kind(str(last.lastgroup))
    return Marker(marker["name"], last.group(), kind, start + last.start(), start + last.end())


def variables_of(markers: Mapping[str, Iterable[Marker]]) -> dict[str, Variable]:
    """Give the variables of the *markers* of each pack, by name in the order of the packs.

    Raises ValueError where the same name has two defaults.
    """
    found: dict[str, Variable] = {}
    for pack, marked in markers.items():
        for marker in marked:
            known = found.get(marker.name) or Variable(marker.name, marker.default, marker.kind, ())
            if known.default != marker.default:
                where = ", ".join(dict.fromkeys((*known.packs, pack)))
                raise ValueError(
                    f"{quoted(marker.name)} has the defaults {known.default} and {marker.default} (packs: {where})"
                )
            packs = known.packs if pack in known.packs else (*known.packs, pack)
            found[marker.name] = Variable(known.name, known.default, known.kind, packs)
    return found


def wrong_value(variable: Variable, value: str) -> str:
    """Tell what is wrong with *value* for *variable* and what to write, empty text when nothing is."""
    if variable.kind is Kind.NUMBER:
        if not _NUMBER.fullmatch(value):
            return f"{quoted(value)} is no plain decimal number; write one such as {variable.default}"
        return "" if float(value) > 0 else f"{quoted(value)} is not above 0; write one such as {variable.default}"
    try:
        duration_ms = parse_duration_ms(value)
    except ValueError as error:
        return str(error)
    return "" if duration_ms > 0 else f"{quoted(value)} is not above 0; write one such as {variable.default}"


def replaced(text: str, markers: Iterable[Marker], values: Mapping[str, str]) -> str:
    """Give *text* with the marked literals set to *values*; every other character stays."""
    return "".join(_pieces(text, markers, values))


def _pieces(text: str, markers: Iterable[Marker], values: Mapping[str, str]) -> Iterator[str]:
    end = 0
    for marker in markers:
        yield text[end : marker.start]
        yield values.get(marker.name, marker.default)
        end = marker.end
    yield text[end:]
