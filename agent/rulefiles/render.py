"""Packs merged into one rule file, or into a PrometheusRule of Kubernetes: text to text, so that comments stay.

It knows YAML's layout and that of our packs, and nothing of what the rules say.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..config.document import Mapping as MappingNode
from ..config.document import Scalar, parse_document
from ..config.document import Sequence as SequenceNode
from .packs import Pack, PackError
from .variables import variables_of

_GROUPS = re.compile(r"^groups:[ ]*(?:#.*)?$", re.MULTILINE)
_RUNBOOK = re.compile(r"""(?P<key>\brunbook_url: *["']?)(?P<path>docs/)""")
# What would end the value or become a template in one of the places that it is written to.
_BASE = re.compile(r"https?://[^\s\"'{}\[\],#]+")
# Of Kubernetes: a DNS subdomain, a DNS label, and the names and values of labels.
_SUBDOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
_DNS_LABEL = re.compile(r"(?=.{1,63}$)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")
_LABEL_WORD = re.compile(r"(?=.{1,63}$)[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class KubernetesObject:
    """How the object is named. An empty namespace is that of whoever applies it."""

    name: str = "wattledger"
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    def wrong(self) -> Iterator[str]:
        """Give what Kubernetes would not take, with the flag that set it."""
        if not _SUBDOMAIN.fullmatch(self.name):
            yield f"--name {self.name}: is no name of an object; write small letters, digits, `-` and `.`"
        if self.namespace and not _DNS_LABEL.fullmatch(self.namespace):
            yield f"--namespace {self.namespace}: is no namespace; write small letters, digits and `-`"
        for name, value in self.labels.items():
            prefix, slash, word = name.rpartition("/")
            if not _LABEL_WORD.fullmatch(word) or (slash and not _SUBDOMAIN.fullmatch(prefix)):
                yield f"--label {name}={value}: `{name}` is no name of a label; write one such as team"
            if value and not _LABEL_WORD.fullmatch(value):
                yield f"--label {name}={value}: `{value}` is no value of a label; write letters, digits, `-_.`"


@dataclass(frozen=True, slots=True)
class Rendering:
    """What is rendered: packs with their settings, and what goes around them."""

    packs: Sequence[Pack]
    values: Mapping[str, str]
    version: str
    runbook_base: str = ""

    def rule_file(self) -> str:
        """Give one rule file of all groups. Raises PackError."""
        return "".join(f"{line}\n" for line in (*self._header(), "groups:", *self._groups()))

    def kubernetes(self, named: KubernetesObject) -> str:
        """Give a PrometheusRule with the same groups. Raises PackError."""
        lines = [
            *self._header(),
            "apiVersion: monitoring.coreos.com/v1",
            "kind: PrometheusRule",
            "metadata:",
            f"  name: {_text(named.name)}",
            *((f"  namespace: {_text(named.namespace)}",) if named.namespace else ()),
            *(("  labels:",) if named.labels else ()),
            *(f"    {_text(name)}: {_text(value)}" for name, value in sorted(named.labels.items())),
            "spec:",
            "  groups:",
            *(f"  {line}" if line else "" for line in self._groups()),
        ]
        return "".join(f"{line}\n" for line in lines)

    def _header(self) -> Iterator[str]:
        yield f"# Rules of wattledger {self.version}, packs: {', '.join(pack.name for pack in self.packs)}."
        variables = variables_of({pack.name: pack.markers for pack in self.packs})
        given = [(one, self.values[one.name]) for one in variables.values() if one.name in self.values]
        changed = [f"{one.name}={value} (default {one.default})" for one, value in given if value != one.default]
        yield f"# Settings: {', '.join(changed)}." if changed else "# Every setting has its default."

    def _groups(self) -> Iterator[str]:
        """Give the lines of all groups as items of a list that is not indented."""
        taken: set[str] = set()
        for pack in self.packs:
            text = pack.text_with(self.values)
            lines = text.rstrip().split("\n")
            _rename(lines, pack, taken)
            start = _start_of_groups(text, pack)
            yield ""
            yield f"# ---- pack {pack.name}"
            yield from (line.rstrip() for line in lines[: start - 1] if line.strip())
            yield from self._linked(_dedented(lines[start:]))

    def _linked(self, lines: Iterable[str]) -> Iterator[str]:
        base = self.runbook_base.rstrip("/")
        for line in lines:
            yield _RUNBOOK.sub(rf"\g<key>{base}/\g<path>", line) if base else line


def wrong_runbook_base(base: str) -> str:
    """Tell what is wrong with the address that runbooks start with, empty text when nothing is."""
    return "" if _BASE.fullmatch(base) else "is no address of pages; write such as https://example.com/wattledger"


def _text(text: str) -> str:
    """Write a text so that YAML takes it for nothing else."""
    return json.dumps(text)


def _start_of_groups(text: str, pack: Pack) -> int:
    """Give the number of the line `groups:`, counted from 1; only comments stand before it. Raises PackError."""
    found = _GROUPS.search(text)
    before = "" if found is None else text[: found.start()]
    if found is None or any(line.strip() and not line.startswith("#") for line in before.split("\n")):
        raise PackError(f"{pack.origin.name}: does not begin with comments and a line `groups:` alone")
    return before.count("\n") + 1


def _dedented(lines: Sequence[str]) -> Iterator[str]:
    """Give the items of a list without its indentation; comments may stand further left."""
    indent = next((len(line) - len(line.lstrip()) for line in lines if line.lstrip().startswith("- ")), 0)
    for line in lines:
        yield line[min(indent, len(line) - len(line.lstrip())) :].rstrip()


def _rename(lines: list[str], pack: Pack, taken: set[str]) -> None:
    """Put the pack's name before those of its groups that another pack has used: they are unique within a file."""
    for name in _group_names(pack):
        if name.text not in taken:
            taken.add(name.text)
            continue
        renamed = f"{pack.name}-{name.text}"
        line, column = (name.place.line or 1) - 1, (name.place.column or 1) - 1
        before, rest = lines[line][:column], lines[line][column:]
        written = next(form for form in (name.text, f'"{name.text}"', f"'{name.text}'") if rest.startswith(form))
        lines[line] = f"{before}{_text(renamed)}{rest[len(written) :]}"
        taken.add(renamed)


def _group_names(pack: Pack) -> Iterator[Scalar]:
    root = parse_document(pack.text, pack.origin).root
    groups = next((entry.value for entry in root.entries if entry.key.text == "groups"), None)
    for group in groups.items if isinstance(groups, SequenceNode) else ():
        for entry in group.entries if isinstance(group, MappingNode) else ():
            if entry.key.text == "name" and isinstance(entry.value, Scalar):
                yield entry.value
