"""A rule file of Prometheus to rules that can be evaluated: as strict as promtool, and every mistake in one pass."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wattledger.rules.alerting import RuleGroup

from ..config.document import Document, read_document
from ..config.problem import Problem, in_order, quoted
from .fields import Fields, Problems
from .rule_fields import Identity, RuleSite, read_labels, read_rule

_GROUP_FIELDS = ("name", "interval", "query_offset", "limit", "labels", "rules")


@dataclass(frozen=True, slots=True)
class LoadedRules:
    """What a file gave. With `problems` the groups are incomplete and must not be evaluated.

    `sites` tell where each rule of each group was written.
    """

    groups: tuple[RuleGroup, ...]
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    sites: tuple[tuple[RuleSite, ...], ...] = ()


def load_rule_file(path: Path) -> LoadedRules:
    """Read the rule file at *path*."""
    return load_rules(read_document(path, named_by="the path of the rule file"))


def load_rules(document: Document) -> LoadedRules:
    """Give the groups of a file that was read."""
    problems, warnings = Problems(list(document.problems)), Problems()
    if document.problems:
        return LoadedRules((), in_order(problems.found))
    root = Fields(document.root, "", problems)
    root.known(("groups",))
    read = tuple(_groups(root, document.origin.name, warnings))
    groups, sites = tuple(group for group, _ in read), tuple(sites for _, sites in read)
    return LoadedRules(groups, in_order(problems.found), in_order(warnings.found), sites)


def _groups(root: Fields, file: str, warnings: Problems) -> Iterator[tuple[RuleGroup, tuple[RuleSite, ...]]]:
    names: dict[str, Fields] = {}
    identities: dict[Identity, Fields] = {}
    for fields in root.mappings("groups"):
        fields.known(_GROUP_FIELDS)
        name = fields.text("name")
        if not name:
            fields.problems.add(fields.place, fields.key("name"), "is missing; give the group a name")
        elif name in names:
            where = names[name].place_of("name").seen_from(fields.place)
            message = f"{quoted(name)} is the name of another group {where}; names are unique within a file"
            fields.problems.add(fields.place_of("name"), fields.key("name"), message)
        names.setdefault(name, fields)
        yield _group(fields, name, file, _Duplicates(identities, warnings))


@dataclass(frozen=True, slots=True)
class _Duplicates:
    """The rules of a file so far, and where a second one of the same name and labels is told."""

    seen: dict[Identity, Fields]
    warnings: Problems

    def note(self, identity: Identity, fields: Fields) -> None:
        first = self.seen.setdefault(identity, fields)
        if first is not fields:
            where = first.place.seen_from(fields.place)
            message = (
                f"{quoted(identity.name)} with the same labels stands {where} too; give one of them another label"
            )
            self.warnings.add(fields.place, fields.path, message)


def _group(fields: Fields, name: str, file: str, duplicates: _Duplicates) -> tuple[RuleGroup, tuple[RuleSite, ...]]:
    interval_ms = fields.duration_ms("interval")
    offset_ms = fields.duration_ms("query_offset")
    limit = fields.integer("limit")
    labels = read_labels(fields, "labels")
    rules, sites = [], []
    for rule_fields in fields.mappings("rules"):
        read = read_rule(rule_fields, labels)
        duplicates.note(read.identity, rule_fields)
        if read.rule is not None:
            rules.append(read.rule)
            sites.append(read.site)
    group = RuleGroup(
        name,
        file,
        tuple(rules),
        interval_ms=interval_ms or None,
        limit=limit or 0,
        query_offset_ms=offset_ms,
    )
    return group, tuple(sites)
