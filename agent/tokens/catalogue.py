"""The catalogue of servers from its YAML file to typed entries; what the fields mean is told in rules/tokens."""

import re
from collections.abc import Mapping as AbstractMapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from wattledger.rules import tokens
from wattledger.rules.tokens.server import ServerSpec

from ..config.document import Document, Kind, Mapping, Node, Scalar, Sequence, parse_document
from ..config.problem import Origin, Place, Problem, guess, in_order, quoted

_FILE = "servers.yml"
_KEY = re.compile(r"[a-z][a-z0-9_]*")


class CatalogueError(Exception):
    """The catalogue cannot be used. `problems` holds every mistake found, with its place."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        """Give one line a problem."""
        return "\n".join(map(str, self.problems))


def load_catalogue() -> tuple[ServerSpec, ...]:
    """Give the entries of the shipped catalogue, in their order. Raises CatalogueError."""
    # Not importlib.resources, which takes a megabyte of memory: a package with native parts is never zipped.
    folder = Path(str(tokens.__file__)).parent
    return read_catalogue(parse_document((folder / _FILE).read_text("utf-8"), Origin(_FILE, folder)))


def read_catalogue(document: Document) -> tuple[ServerSpec, ...]:
    """Give the entries of a file that was parsed. Raises CatalogueError with every mistake."""
    reader = _Reader(list(document.problems))
    entries: tuple[ServerSpec, ...] = ()
    if not document.problems:
        entries = reader.entries(document.root)
    if reader.problems:
        raise CatalogueError(in_order(reader.problems))
    return entries


class _RefusedError(Exception):
    """A value whose problem has been noted."""


class _Reader:
    """Reads nodes as the types that the fields of the entries have; each mistake is noted with its place."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems

    def entries(self, root: Mapping) -> tuple[ServerSpec, ...]:
        found: dict[str, ServerSpec] = {}
        listed = self._listed(root)
        for index, node in enumerate(listed):
            path = f"servers[{index}]"
            try:
                entry = self._record(ServerSpec, node, path)
            except _RefusedError:
                continue
            self._judge(entry, node.place, path, found)
            found[entry.key] = entry
        return tuple(found.values())

    def _listed(self, root: Mapping) -> tuple[Node, ...]:
        listed: tuple[Node, ...] = ()
        for entry in root.entries:
            if entry.key.text != "servers":
                self._note(entry.key.place, "", f"unknown key {quoted(entry.key.text)}; the key here is servers")
            elif isinstance(entry.value, Sequence):
                listed = entry.value.items
            else:
                self._note(entry.value.place, "servers", f"{_what(entry.value)} is not taken here; write a list")
        if not listed and not self.problems:
            self._note(root.place, "servers", "lists no server; add one")
        return listed

    def _judge(self, entry: ServerSpec, place: Place, path: str, found: AbstractMapping[str, ServerSpec]) -> None:
        """Note what each field alone does not show."""
        if not _KEY.fullmatch(entry.key):
            self._note(
                place, f"{path}.key", f"{quoted(entry.key)} is no key; write small letters, digits, underscores"
            )
        if entry.key in found:
            self._note(place, f"{path}.key", f"{quoted(entry.key)} is the key of another entry; keys are unique")
        for name in ("paths", "signs", "ways"):
            if not getattr(entry, name):
                self._note(place, f"{path}.{name}", "is empty; write at least one")
        for url in (*entry.paths, *filter(None, (entry.models_path,))):
            if not url.startswith("/"):
                self._note(place, path, f"{quoted(url)} is no path of a URL; begin it with a slash")
        for index, way in enumerate(entry.ways):
            if not way.counters:
                self._note(place, f"{path}.ways[{index}].counters", "is empty; write at least one")
            if index < len(entry.ways) - 1 and not way.needs:
                self._note(place, f"{path}.ways[{index}].needs", "is empty, so that later ways are never taken")

    def _record(self, kind: type[Any], node: Node, path: str) -> Any:
        """Give a dataclass of the mapping in *node*. Raises _RefusedError."""
        known = {field.name: field for field in fields(kind)}
        if not isinstance(node, Mapping):
            raise self._refused(node, path, f"{_what(node)} is not taken here; write the keys {', '.join(known)}")
        hints = get_type_hints(kind)
        values: dict[str, object] = {}
        before = len(self.problems)
        for entry in node.entries:
            name = entry.key.text
            if name not in known:
                cure = guess(name, known) or f"the keys here are {', '.join(known)}"
                self._note(entry.key.place, path, f"unknown key {quoted(name)}; {cure}")
                continue
            try:
                values[name] = self._value(hints[name], entry.value, f"{path}.{name}")
            except _RefusedError:
                continue
        for name, field in known.items():
            if _is_required(field) and not node.has(name):
                self._note(node.place, path, f"lacks the key {quoted(name)}; add it")
        if len(self.problems) > before:
            raise _RefusedError
        return kind(**values)

    def _value(self, kind: Any, node: Node, path: str) -> object:
        """Give the value of type *kind* in *node*. Raises _RefusedError."""
        if isinstance(kind, UnionType):
            kind = next(member for member in get_args(kind) if member is not NoneType)
        origin = get_origin(kind)
        if is_dataclass(kind):
            return self._record(kind, node, path)  # type: ignore[arg-type]  # a class, not one of its instances
        if origin is tuple:
            if not isinstance(node, Sequence):
                raise self._refused(node, path, f"{_what(node)} is not taken here; write a list: [...]")
            item = get_args(kind)[0]
            return tuple(self._value(item, each, f"{path}[{index}]") for index, each in enumerate(node.items))
        if origin is AbstractMapping:
            if not isinstance(node, Mapping):
                raise self._refused(node, path, f"{_what(node)} is not taken here; write labels with patterns")
            item = get_args(kind)[1]
            return {each.key.text: self._value(item, each.value, f"{path}.{each.key.text}") for each in node.entries}
        return self._scalar(kind, origin, node, path)

    def _scalar(self, kind: Any, origin: Any, node: Node, path: str) -> object:
        wanted = {int: Kind.INTEGER, bool: Kind.BOOLEAN}.get(kind, Kind.TEXT)
        if not isinstance(node, Scalar) or node.kind is not wanted:
            raise self._refused(node, path, f"{_what(node)} is not taken here; write a value of the kind {wanted}")
        if origin is re.Pattern:
            try:
                return re.compile(node.text)
            except re.error as error:
                raise self._refused(node, path, f"{quoted(node.text)} is no pattern: {error}") from None
        if kind is int:
            if not (node.text.isascii() and node.text.isdigit()):
                raise self._refused(node, path, f"{quoted(node.text)} is no decimal number of 0 or more")
            return int(node.text)
        if kind is bool:
            return node.text.lower() in ("true", "yes", "on")
        if issubclass(kind, StrEnum):
            if node.text not in list(kind):
                raise self._refused(node, path, f"{quoted(node.text)} is none of {', '.join(kind)}")
            return kind(node.text)
        return node.text

    def _note(self, place: Place, path: str, message: str) -> None:
        self.problems.append(Problem(place, path, message))

    def _refused(self, node: Node, path: str, message: str) -> _RefusedError:
        self._note(node.place, path, message)
        return _RefusedError()


def _is_required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _what(node: Node) -> str:
    if isinstance(node, Scalar):
        return quoted(node.text) if node.text else "nothing"
    return "a list" if isinstance(node, Sequence) else "a mapping"
