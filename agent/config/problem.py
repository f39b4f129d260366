"""How a mistake in the configuration is told: place, key, value and cure; what is a mistake is decided elsewhere."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_SHOWN_CHARACTERS = 200
_LONGEST_GUESSED_NAME = 64  # difflib's effort grows with the square of the length


@dataclass(frozen=True, slots=True)
class Origin:
    """Where text came from: a file, an environment variable or a flag, and the folder its relative paths start at."""

    name: str
    folder: Path


@dataclass(frozen=True, slots=True)
class Place:
    """A position in an origin. `line` and `column` count from 1, None where the origin has no lines."""

    origin: Origin
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        """Give `FILE:LINE:COL`, as editors and compilers do."""
        numbers = (number for number in (self.line, self.column) if number is not None)
        return ":".join((escaped(self.origin.name), *map(str, numbers)))

    def seen_from(self, other: "Place") -> str:
        """Give this place in words for a message that already names *other*."""
        if self.line is None or self.origin != other.origin:
            return f"at {self}"
        return f"in line {self.line}"


class Places(dict[str, Place]):
    """Where the value of each key path stands; a key that nobody wrote stands in the *origin* as a whole."""

    def __init__(self, origin: Origin) -> None:
        super().__init__()
        self._elsewhere = Place(origin)

    def __missing__(self, key: str) -> Place:
        return self._elsewhere


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake or doubt. `key` is the path of the key concerned, empty where the origin as a whole is meant."""

    place: Place
    key: str
    message: str

    def __str__(self) -> str:
        """Give `FILE:LINE:COL: key: message` in one line."""
        return ": ".join(part for part in (str(self.place), self.key, self.message) if part)


class ConfigError(Exception):
    """The configuration cannot be used. `problems` holds every mistake found, `warnings` what else was noticed."""

    def __init__(self, problems: tuple[Problem, ...], warnings: tuple[Problem, ...] = ()) -> None:
        super().__init__(problems, warnings)
        self.problems = problems
        self.warnings = warnings

    def __str__(self) -> str:
        """Give one line a problem."""
        return "\n".join(map(str, self.problems))


def escaped(text: str) -> str:
    """Give *text* with what cannot be printed escaped: line ends, control characters, bytes that are no UTF-8."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def printable(text: str) -> str:
    """Give *text* escaped, and its end cut off when it is long."""
    return escaped(text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "...")


def quoted(text: str) -> str:
    """Give *text* as it is quoted in messages."""
    return f"`{printable(text)}`"


def guess(name: str, known: Iterable[str]) -> str:
    """Give `did you mean ...?` with the nearest of the *known* names, or empty text when none is near."""
    import difflib  # noqa: PLC0415  (only after a mistake)

    if len(name) > _LONGEST_GUESSED_NAME:
        return ""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {quoted(near[0])}?" if near else ""


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Give the problems in reading order: those with a line first, top to bottom."""
    return tuple(sorted(problems, key=lambda p: (p.place.line is None, p.place.line or 0, p.place.column or 0)))
