"""A tree of nodes to the typed configuration, every mistake noted; which keys exist is read from the schema."""

from dataclasses import dataclass, field
from types import UnionType
from typing import Annotated, Final, get_args, get_origin

import msgspec

from .document import Entry, Kind, Mapping, Node, Scalar, Sequence
from .problem import Places, Problem, guess, printable, quoted
from .scalars import Key, WordForNone
from .schema import Config
from .section import Section


class _Refused:
    """Stands for a value whose problem has been noted."""


_REFUSED: Final = _Refused()


@dataclass(slots=True)
class Decoder:
    """Decodes one tree. What it notes: mistakes, and where each accepted value stands by its key path."""

    places: Places
    problems: list[Problem] = field(default_factory=list)

    def config(self, root: Mapping) -> Config:
        """Give the configuration; a refused value leaves its default, so that the rest can still be judged."""
        values = self._fields(Config, root, "")
        # Every value has passed its own parser; this holds the result against the types that the rest relies on.
        return msgspec.convert(values, Config)

    def _fields(self, type_: type[Section], node: Mapping, path: str) -> dict[str, object]:
        known = {info.encode_name: info for info in msgspec.structs.fields(type_)}
        values: dict[str, object] = {}
        for entry in node.entries:
            name = entry.key.text
            key_path = f"{path}.{name}" if path else name
            if name in known:
                value = self._value(known[name].type, entry.value, key_path)
                if not isinstance(value, _Refused):
                    values[name] = value
            else:
                cure = guess(name, known) or f"the keys here are {', '.join(known)}"
                self.problems.append(Problem(entry.key.place, path, f"unknown key {quoted(name)}; {cure}"))
        return values

    def _value(self, type_: object, node: Node, path: str) -> object:
        """Give the value of *type_* in *node*, or _REFUSED with its problem noted."""
        self.places[path] = node.place
        if isinstance(node, Scalar) and node.kind is Kind.REFUSED:
            return _REFUSED
        if get_origin(type_) is Annotated:
            inner, mark = get_args(type_)
            if isinstance(mark, WordForNone):
                return self._list_or_word(get_args(inner)[0], mark, node, path)
            return self._scalar(mark, node, path, may_be_none=type(None) in get_args(inner))
        if get_origin(type_) is UnionType:  # a section, or None where it is left out
            return None if _is_null(node) else self._value(get_args(type_)[0], node, path)
        if isinstance(type_, type) and issubclass(type_, Section):
            return self._section(type_, node, path)
        if get_origin(type_) is tuple:
            return self._list(get_args(type_)[0], node, path)
        return self._keyed(*get_args(type_), node=node, path=path)

    def _scalar(self, key: Key, node: Node, path: str, *, may_be_none: bool) -> object:
        if not isinstance(node, Scalar):
            what = "a list" if isinstance(node, Sequence) else "a mapping"
            return self._refuse(node, path, f"{what} is not taken here; write one value: {key.form}")
        if node.kind is Kind.NULL:
            return (
                None
                if may_be_none
                else self._refuse(node, path, f"has no value; give one ({key.form}) or leave the key out")
            )
        try:
            return key.parse(node)
        except ValueError as error:
            return self._refuse(node, path, f"{quoted(node.text)} {error}")

    def _section(self, type_: type[Section], node: Node, path: str) -> object:
        if _is_null(node):
            node = Mapping((), node.place)
        if isinstance(node, Scalar) and type_.short:
            node = Mapping((Entry(Scalar(type_.short, Kind.TEXT, node.place), node),), node.place)
        if not isinstance(node, Mapping):
            names = ", ".join(info.encode_name for info in msgspec.structs.fields(type_))
            return self._refuse(node, path, f"{_what(node)} is not taken here; write a mapping with the keys {names}")
        values = self._fields(type_, node, path)
        lacking = [
            info.encode_name
            for info in msgspec.structs.fields(type_)
            if info.required and info.encode_name not in values
        ]
        given = {entry.key.text for entry in node.entries}
        for name in lacking:
            if name not in given:
                self._refuse(node, path, f"lacks the key {quoted(name)}; add it")
        return _REFUSED if lacking else msgspec.convert(values, type_)

    def _list(self, item_type: object, node: Node, path: str) -> object:
        if _is_null(node):
            return ()
        if not isinstance(node, Sequence):
            return self._refuse(node, path, f"{_what(node)} is not taken here; write a list: [...]")
        items = [self._value(item_type, item, f"{path}[{number}]") for number, item in enumerate(node.items)]
        return _REFUSED if any(isinstance(item, _Refused) for item in items) else tuple(items)

    def _list_or_word(self, list_type: object, mark: WordForNone, node: Node, path: str) -> object:
        if isinstance(node, Scalar):
            if node.text == mark.word:
                return None
            if not mark.one or _is_null(node):
                return self._refuse(
                    node, path, f"{_what(node)} is not taken here; write {mark.word} or a list: [...]"
                )
            node = Sequence((node,), node.place)
        return self._list(get_args(list_type)[0], node, path)

    def _keyed(self, key_type: object, item_type: object, *, node: Node, path: str) -> object:
        if _is_null(node):
            return {}
        key = get_args(key_type)[1]
        if not isinstance(node, Mapping):
            return self._refuse(
                node, path, f"{_what(node)} is not taken here; write a mapping with the {key.form} as key"
            )
        values: dict[str, object] = {}
        for entry in node.entries:
            name = self._scalar(key, entry.key, path, may_be_none=False)
            value = self._value(
                item_type, entry.value, f"{path}.{printable(entry.key.text) if isinstance(name, _Refused) else name}"
            )
            if isinstance(name, str) and name in values:
                self._refuse(entry.key, path, f"{quoted(entry.key.text)} stands here twice; keep one of them")
            elif isinstance(name, str) and not isinstance(value, _Refused):
                values[name] = value
        return values

    def _refuse(self, node: Node, path: str, message: str) -> _Refused:
        self.problems.append(Problem(node.place, path, message))
        return _REFUSED


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.kind is Kind.NULL


def _what(node: Node) -> str:
    if isinstance(node, Scalar):
        return quoted(node.text)
    return "a list" if isinstance(node, Sequence) else "a mapping"
