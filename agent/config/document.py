"""YAML text to a tree of nodes that know their places; it knows YAML's rules, and nothing of what the keys mean."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from .problem import Origin, Place, Problem, printable, quoted

if TYPE_CHECKING:
    import yaml

_MOST_BYTES = 1 << 20
_DEEPEST = 32
_TAG = "tag:yaml.org,2002:"
_MERGE = _TAG + "merge"


class Kind(StrEnum):
    """What YAML takes a scalar for."""

    TEXT = "text"
    INTEGER = "integer"
    FLOAT = "float"
    BOOLEAN = "boolean"
    NULL = "null"
    TIME = "time"
    REFUSED = "refused"  # what stood here has been reported already


_KINDS = {
    _TAG + "str": Kind.TEXT,
    _TAG + "value": Kind.TEXT,  # a lone `=`
    _MERGE: Kind.TEXT,  # a `<<` that is a value
    _TAG + "int": Kind.INTEGER,
    _TAG + "float": Kind.FLOAT,
    _TAG + "bool": Kind.BOOLEAN,
    _TAG + "null": Kind.NULL,
    _TAG + "timestamp": Kind.TIME,
}


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value as it was written, which keeps decimals exact."""

    text: str
    kind: Kind
    place: Place


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    items: "tuple[Node, ...]"
    place: Place


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys with their values, merge keys resolved. Where a key comes twice the later entry overrides."""

    entries: "tuple[Entry, ...]"
    place: Place

    def has(self, key: str) -> bool:
        """Tell whether *key* stands here."""
        return any(entry.key.text == key for entry in self.entries)


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a mapping with its value."""

    key: Scalar
    value: "Node"


Node = Scalar | Sequence | Mapping


@dataclass(frozen=True, slots=True)
class Document:
    """A file as read. `root` is empty when `problems` says that the file could not be read as a mapping."""

    origin: Origin
    root: Mapping
    problems: tuple[Problem, ...] = ()


def read_document(path: Path, *, named_by: str = "the path") -> Document:
    """Read and parse the YAML file at *path*; what is wrong with it stands in `problems`.

    *named_by* is what the reader of a message has to check when there is no such file.
    """
    origin = Origin(str(path), path.parent)
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a null byte
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return _unreadable(Place(origin), f"cannot be read: {reason}; check {named_by} and its permissions")
    if len(raw) > _MOST_BYTES:
        return _unreadable(Place(origin), "is larger than 1 MiB; a configuration is a few kilobytes")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        return _unreadable(Place(origin, line, column), "is not UTF-8 text; save the file as UTF-8")
    return parse_document(text, origin)


def parse_document(text: str, origin: Origin) -> Document:
    """Parse YAML *text*; what is wrong with it stands in `problems`."""
    import yaml  # noqa: PLC0415  (1.5 MB of memory: only when there is a file)

    try:
        composed = _compose(text)
    except yaml.MarkedYAMLError as error:
        return _unreadable(_marked(origin, error.problem_mark or error.context_mark), _reason(error, text))
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        column = error.position - text.rfind("\n", 0, error.position)
        return _unreadable(Place(origin, line, column), "holds a character that YAML does not allow; remove it")
    except (ValueError, OverflowError) as error:  # PyYAML passes on what chr() and int() refuse
        return _unreadable(Place(origin), f"is not valid YAML: {printable(str(error))}; check its \\U escapes")
    if composed is None:
        return Document(origin, Mapping((), Place(origin)))
    converter = _Converter(origin)
    root = converter.node(composed)
    if isinstance(root, Scalar) and root.kind is Kind.NULL:
        root = Mapping((), root.place)
    if not isinstance(root, Mapping) and converter.problems:
        return Document(origin, Mapping((), root.place), tuple(converter.problems))
    if not isinstance(root, Mapping):
        what = "a list" if isinstance(root, Sequence) else "a single value"
        problem = Problem(root.place, "", f"the file holds {what}; write keys with values, such as `interval: 1s`")
        return Document(origin, Mapping((), root.place), (problem,))
    return Document(origin, root, tuple(converter.problems))


def scalars_below(root: Mapping) -> Iterator[Entry]:
    """Give every entry whose value is a scalar, at any depth, each once although aliases share it."""
    waiting: list[Node] = [root]
    seen: set[int] = set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, Sequence):
            waiting.extend(node.items)
        elif isinstance(node, Mapping):
            yield from (entry for entry in node.entries if isinstance(entry.value, Scalar))
            waiting.extend(entry.value for entry in node.entries)


def _unreadable(place: Place, message: str) -> Document:
    return Document(place.origin, Mapping((), place), (Problem(place, "", message),))


def _marked(origin: Origin, mark: "yaml.error.Mark | None") -> Place:
    return Place(origin) if mark is None else Place(origin, mark.line + 1, mark.column + 1)


def _reason(error: "yaml.MarkedYAMLError", text: str) -> str:
    """Give what PyYAML found, with the cure for the mistakes that are made most."""
    mark = error.problem_mark
    lines = text.splitlines()
    line = lines[mark.line].strip() if mark is not None and mark.line < len(lines) else ""
    found = printable(" ".join(str(error.problem or error.context or "cannot be parsed").split()))
    if line.startswith("listen:") and "[" in line:
        cure = 'put an IPv6 address in quotes: listen: "[::1]:9889"'
    elif "\\t" in found:
        cure = "indent with spaces, not tabs"
    elif "single document" in str(error.context):
        cure = "keep one document in the file: remove the line `---`"
    else:
        cure = "check the indentation, colons and quotes up to here"
    return f"is not valid YAML: {found}; {cure}"


def _compose(text: str) -> "yaml.Node | None":
    """Give PyYAML's node tree, with a limit on nesting in place of Python's own."""
    import yaml  # noqa: PLC0415

    class Loader(yaml.SafeLoader):
        depth = 0

        def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
            if self.depth > _DEEPEST:
                mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]  # untyped in the stubs
                raise yaml.composer.ComposerError(None, None, f"nested deeper than {_DEEPEST} levels", mark)
            self.depth += 1
            try:
                return super().compose_node(parent, index)
            finally:
                self.depth -= 1

    loader = Loader(text)
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


class _Converter:
    """Turns PyYAML's nodes into ours: aliases stay shared, merge keys are resolved, duplicate keys are refused."""

    def __init__(self, origin: Origin) -> None:
        self.problems: list[Problem] = []
        self._origin = origin
        self._done: dict[int, Node] = {}
        self._open: set[int] = set()

    def node(self, source: "yaml.Node") -> Node:
        """Give our form of *source*."""
        import yaml  # noqa: PLC0415

        place = _marked(self._origin, source.start_mark)
        if id(source) in self._done:
            return self._done[id(source)]
        if id(source) in self._open:
            return self._refused(place, "an anchor stands inside itself; write the value out")
        self._open.add(id(source))
        made: Node
        if isinstance(source, yaml.ScalarNode):
            kind = _KINDS.get(source.tag)
            made = self._bad_tag(source, place) if kind is None else Scalar(source.value, kind, place)
        elif source.tag == _TAG + "seq" and isinstance(source, yaml.SequenceNode):
            made = Sequence(tuple(self.node(item) for item in source.value), place)
        elif source.tag == _TAG + "map" and isinstance(source, yaml.MappingNode):
            made = self._mapping(source, place)
        else:
            made = self._bad_tag(source, place)
        self._open.discard(id(source))
        self._done[id(source)] = made
        return made

    def _mapping(self, source: "yaml.MappingNode", place: Place) -> Mapping:
        own: dict[str, Entry] = {}
        merged: dict[str, Entry] = {}
        for key_source, value_source in source.value:
            key, value = self.node(key_source), self.node(value_source)
            if key_source.tag == _MERGE:
                self._merge(value, merged)
            elif not isinstance(key, Scalar):
                self._refused(key.place, "a key must be a single word, not a list or mapping")
            elif key.text in own:
                first = own[key.text].key.place.seen_from(key.place)
                self._refused(key.place, f"the key {quoted(key.text)} already stands {first}; keep one of them")
            else:
                own[key.text] = Entry(key, value)
        return Mapping((*own.values(), *(entry for name, entry in merged.items() if name not in own)), place)

    def _merge(self, value: Node, merged: dict[str, Entry]) -> None:
        parts = value.items if isinstance(value, Sequence) else (value,)
        for part in parts:
            if not isinstance(part, Mapping):
                self._refused(
                    part.place, "`<<` takes a mapping or a list of mappings; give it an alias such as *name"
                )
                continue
            for entry in part.entries:
                merged.setdefault(entry.key.text, entry)

    def _bad_tag(self, source: "yaml.Node", place: Place) -> Scalar:
        return self._refused(place, f"the tag {quoted(source.tag)} has no meaning here; remove it")

    def _refused(self, place: Place, message: str) -> Scalar:
        self.problems.append(Problem(place, "", message))
        return Scalar("", Kind.REFUSED, place)
