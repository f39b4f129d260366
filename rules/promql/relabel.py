"""`label_replace` and `label_join`: elements with a label made from others; values stay as they are."""

import re
from dataclasses import dataclass

from .labels import value_of, with_label
from .node import Elements, Run, VectorNode, unique

_REFERENCE = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})")


@dataclass(frozen=True, slots=True)
class LabelReplace(VectorNode):
    """A label set from what a pattern finds in another, where it matches the whole of it."""

    inner: VectorNode
    target: str
    replacement: str
    source: str
    pattern: re.Pattern[str]
    position: int

    def elements(self, run: Run, at_ms: int) -> Elements:
        found: Elements = []
        for labels, value in self.inner.elements(run, at_ms):
            match = self.pattern.fullmatch(value_of(labels, self.source))
            if match is None:
                found.append((labels, value))
            else:
                found.append((with_label(labels, self.target, expand(self.replacement, match)), value))
        return unique(found, self.position)


def expand(template: str, match: re.Match[str]) -> str:
    """Put what the groups of *match* hold in place of `$1`, `${1}`, `$name` (Go regexp.Expand); `$$` is a dollar.

    A group that does not exist, or took no part, is empty.
    """

    def held(reference: re.Match[str]) -> str:
        name = reference[1] or reference[2]
        if name is None:
            return "$"
        if name == "0" or (name.isdecimal() and name[0] != "0"):
            return (match[int(name)] or "") if int(name) <= match.re.groups else ""
        return (match[name] or "") if name in match.re.groupindex else ""

    return _REFERENCE.sub(held, template)


@dataclass(frozen=True, slots=True)
class LabelJoin(VectorNode):
    """A label set to the values of others with a separator between them."""

    inner: VectorNode
    target: str
    separator: str
    sources: tuple[str, ...]
    position: int

    def elements(self, run: Run, at_ms: int) -> Elements:
        found: Elements = []
        for labels, value in self.inner.elements(run, at_ms):
            joined = self.separator.join([value_of(labels, source) for source in self.sources])
            found.append((with_label(labels, self.target, joined), value))
        return unique(found, self.position)
