"""Reads fields of rule and test files from YAML nodes, each mistake noted with its place; it gives no meaning."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from wattledger.rules.templates import parse_duration_ms

from ..config.document import Entry, Kind, Mapping, Node, Scalar, Sequence
from ..config.problem import Place, Problem, guess, quoted

# A zero before other digits makes it octal in YAML, which nobody means.
_INTEGER = re.compile(r"[+-]?(?:0|[1-9][0-9_]*)", re.ASCII)
_LARGEST = 2**63 - 1  # Go's int


@dataclass(frozen=True, slots=True)
class Written:
    """A text with the place it was written at."""

    text: str
    place: Place


@dataclass(slots=True)
class Problems:
    """Collects what is wrong with a file, so that all of it is told in one pass."""

    found: list[Problem] = field(default_factory=list)

    def add(self, place: Place, key: str, message: str) -> None:
        """Note one mistake."""
        self.found.append(Problem(place, key, message))


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of one mapping. `path` is how messages name it, empty for the file itself."""

    mapping: Mapping
    path: str
    problems: Problems

    def known(self, names: Iterable[str]) -> None:
        """Complain of every field that is none of *names*."""
        allowed = tuple(names)
        for entry in self.mapping.entries:
            if entry.key.text not in allowed:
                cure = guess(entry.key.text, allowed) or "write one of " + ", ".join(allowed)
                message = f"the field {quoted(entry.key.text)} is not known here; {cure}"
                self.problems.add(entry.key.place, self.path, message)

    @property
    def place(self) -> Place:
        """Give where the mapping starts."""
        return self.mapping.place

    def key(self, name: str) -> str:
        """Give the path of the field *name* for messages."""
        return f"{self.path}.{name}" if self.path else name

    def node(self, name: str) -> Node | None:
        """Give the value of a field, None where it is absent or null."""
        for entry in self.mapping.entries:
            if entry.key.text == name:
                return None if _is_null(entry.value) else entry.value
        return None

    def place_of(self, name: str) -> Place:
        """Give where the value of a field stands, or the mapping where there is none."""
        for entry in self.mapping.entries:
            if entry.key.text == name:
                return entry.value.place
        return self.place

    def written(self, name: str) -> Written | None:
        """Give a text as it stands: YAML's numbers, truth values and dates are texts here."""
        node = self.node(name)
        return None if node is None else _text(node, self.key(name), self.problems)

    def text(self, name: str) -> str:
        """Give a text, empty where there is none."""
        written = self.written(name)
        return "" if written is None else written.text

    def duration_ms(self, name: str) -> int | None:
        """Give a duration in milliseconds, None where there is none or it is wrong."""
        return self._parsed(name, parse_duration_ms)

    def integer(self, name: str) -> int | None:
        """Give a whole number."""
        node = self.node(name)
        if isinstance(node, Scalar) and node.kind is Kind.TEXT:
            cure = f"write {node.text} without quotes" if _INTEGER.fullmatch(node.text) else "write a whole number"
            self.problems.add(node.place, self.key(name), f"{quoted(node.text)} is a text; {cure}")
            return None
        return self._parsed(name, _integer)

    def _parsed(self, name: str, parse: Callable[[str], int]) -> int | None:
        written = self.written(name)
        if written is None:
            return None
        try:
            return parse(written.text)
        except ValueError as error:
            self.problems.add(written.place, self.key(name), str(error))
            return None

    def boolean(self, name: str) -> bool:
        """Give a truth value, False where there is none."""
        node = self.node(name)
        if node is None:
            return False
        if isinstance(node, Scalar) and node.kind is Kind.BOOLEAN:
            return node.text.lower() in ("true", "yes", "on", "y")
        self.problems.add(node.place, self.key(name), "is neither true nor false; write one of the two")
        return False

    def texts(self, name: str) -> list[tuple[Written, Written]]:
        """Give a mapping of texts, names with values; null is the empty text."""
        node = self.node(name)
        if node is None:
            return []
        if not isinstance(node, Mapping):
            self._wrong(node, name, "names with values, such as `severity: warning`")
            return []
        pairs: list[tuple[Written, Written]] = []
        for entry in node.entries:
            value = _entry_text(entry, self.key(name), self.problems)
            if value is not None:
                pairs.append((Written(entry.key.text, entry.key.place), value))
        return pairs

    def items(self, name: str) -> Iterator[Node]:
        """Give the items of a list."""
        node = self.node(name)
        if node is None:
            return
        if not isinstance(node, Sequence):
            self._wrong(node, name, "a list: one item a line, each after a dash")
            return
        yield from node.items

    def mappings(self, name: str) -> "Iterator[Fields]":
        """Give the items of a list of mappings; null is one without fields."""
        for index, node in enumerate(self.items(name)):
            path = f"{self.key(name)}[{index}]"
            if isinstance(node, Mapping):
                yield Fields(node, path, self.problems)
            elif _is_null(node):
                yield Fields(Mapping((), node.place), path, self.problems)
            elif not _was_refused(node):
                self.problems.add(node.place, path, "is not a mapping; write keys with values")

    def texts_of_list(self, name: str) -> list[Written]:
        """Give the items of a list of texts."""
        found = [
            _text(node, f"{self.key(name)}[{index}]", self.problems) for index, node in enumerate(self.items(name))
        ]
        return [written for written in found if written is not None]

    def _wrong(self, node: Node, name: str, wanted: str) -> None:
        if not _was_refused(node):
            self.problems.add(node.place, self.key(name), f"is {_kind(node)}; write {wanted}")


def _text(node: Node, key: str, problems: Problems) -> Written | None:
    if isinstance(node, Scalar):
        if node.kind is Kind.NULL:
            return Written("", node.place)
        return None if node.kind is Kind.REFUSED else Written(node.text, node.place)
    problems.add(node.place, key, f"is {_kind(node)}; write a text")
    return None


def _entry_text(entry: Entry, key: str, problems: Problems) -> Written | None:
    return _text(entry.value, f"{key}.{entry.key.text}", problems)


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError(f"{quoted(text)} is not a whole number; write one such as 10")
    value = int(text.replace("_", ""))
    if abs(value) > _LARGEST:
        raise ValueError(f"{quoted(text)} is larger than a number can be; write one such as 10")
    return value


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.kind is Kind.NULL


def _was_refused(node: Node) -> bool:
    return isinstance(node, Scalar) and node.kind is Kind.REFUSED


def _kind(node: Node) -> str:
    if isinstance(node, Scalar):
        return f"the single value {quoted(node.text)}"
    return "a list" if isinstance(node, Sequence) else "a mapping"
