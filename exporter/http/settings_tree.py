"""A YAML mapping read key by key: closed sets of keys, types, line numbers; it knows the meaning of none."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from .model import WebConfigError

_NULL = "tag:yaml.org,2002:null"
_BOOL = "tag:yaml.org,2002:bool"
_INT = "tag:yaml.org,2002:int"
_TRUE = ("true", "yes", "on")  # YAML 1.1, as in Go's yaml.v2
# Go's time.ParseDuration, which has no days.
_DURATION = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h)")
_UNIT_NS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


def read_tree(path: Path) -> Section:
    """Read *path* as one YAML mapping. Raises WebConfigError."""
    try:
        root = yaml.compose(path.read_bytes(), Loader=yaml.SafeLoader)
    except OSError as error:
        cure = "give a file that this user can read"
        raise WebConfigError(path, f"cannot be read ({error.strerror})", cure=cure) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "characters that YAML does not allow"
        line = None if mark is None else mark.line + 1
        raise WebConfigError(path, f"not YAML: {problem}", cure="correct the line", line=line) from error
    return Section(path, "the file", root)


class Section:
    """One mapping node. Every reader gives None for a key that is absent or null."""

    def __init__(self, path: Path, name: str, node: yaml.Node | None) -> None:
        self.path = path
        self.name = name
        self.line = 1 if node is None else node.start_mark.line + 1
        self._values: dict[str, yaml.Node] = {}
        self._lines: dict[str, int] = {}
        if node is None or node.tag == _NULL:
            return
        if not isinstance(node, yaml.MappingNode):
            raise WebConfigError(path, f"{name} is not a mapping", cure="write key: value lines", line=self.line)
        for key, value in node.value:
            self._take(key, value)

    def _take(self, key: yaml.Node, value: yaml.Node) -> None:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise WebConfigError(self.path, "a key is not a word", cure="write key: value", line=line)
        if key.value in self._lines:
            problem = f"{key.value} stands twice in {self.name}"
            cure = f"keep one (the first is on line {self._lines[key.value]})"
            raise WebConfigError(self.path, problem, cure=cure, line=line)
        self._lines[key.value] = line
        if value.tag != _NULL:
            self._values[key.value] = value

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def keys(self) -> Iterable[str]:
        """Give every key that stands in the file, those without a value too."""
        return self._lines.keys()

    @property
    def lines(self) -> Mapping[str, int]:
        return self._lines

    def error(self, key: str, problem: str, *, cure: str) -> WebConfigError:
        return WebConfigError(self.path, problem, cure=cure, line=self._lines.get(key, self.line))

    def only(self, known: Iterable[str]) -> None:
        """Raise WebConfigError for a key that is not one of *known*."""
        known = tuple(known)
        for key in self._lines:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
                cure = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
                raise self.error(key, f"unknown key {key} in {self.name}", cure=cure)

    def section(self, key: str) -> Section:
        section = Section(self.path, key, self._values.get(key))
        section.line = self._lines.get(key, self.line)
        return section

    def text(self, key: str) -> str | None:
        """Give a scalar as it is written: ``X-XSS-Protection: 0`` is the text 0."""
        node = self._values.get(key)
        if node is None:
            return None
        if not isinstance(node, yaml.ScalarNode):
            raise self.error(key, f"{key} is not a single value", cure="write key: value on one line")
        return str(node.value)

    def texts(self, key: str) -> tuple[str, ...]:
        node = self._values.get(key)
        if node is None:
            return ()
        items = node.value if isinstance(node, yaml.SequenceNode) else None
        if items is None or not all(isinstance(item, yaml.ScalarNode) for item in items):
            raise self.error(key, f"{key} is not a list of words", cure="write - value, one a line")
        return tuple(str(item.value) for item in items)

    def flag(self, key: str, *, default: bool) -> bool:
        node = self._values.get(key)
        if node is None:
            return default
        if node.tag != _BOOL:
            raise self.error(key, f"{key} is neither true nor false", cure="write true or false")
        return str(node.value).lower() in _TRUE

    def count(self, key: str) -> int | None:
        node = self._values.get(key)
        if node is None:
            return None
        if node.tag != _INT or not str(node.value).isdigit():
            raise self.error(key, f"{key} is no whole number", cure="write a number such as 20")
        return int(str(node.value))

    def duration_ns(self, key: str) -> int | None:
        """Read a duration as Go writes it, ``1s`` or ``1m30s``, in nanoseconds; 0 needs no unit."""
        text = self.text(key)
        if text is None:
            return None
        parts = _DURATION.findall(text)
        if text != "0" and (not parts or "".join(parts) != text):
            raise self.error(key, f"{key} {text!r} is no duration", cure="write a number and a unit, such as 1s")
        return sum(_part_ns(part) for part in parts)


def _part_ns(part: str) -> int:
    number = part.rstrip("nuµmsh")
    return int(float(number) * _UNIT_NS[part[len(number) :]])
