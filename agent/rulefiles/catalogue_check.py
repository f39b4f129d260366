"""Holds what rules read against the catalogue of our metrics; it knows no file format and evaluates nothing.

A metric of ours that does not exist is a mistake. Anything else is a doubt: a Prometheus may have other series, and
more labels on ours.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from wattledger.exporter.catalog import FAMILIES
from wattledger.exporter.catalog.family import PREFIX, Family
from wattledger.rules.alerting import AlertingRule, RecordingRule, Rule
from wattledger.rules.promql.expression import compile_expression
from wattledger.rules.promql.matcher import Matcher, MatchOp
from wattledger.rules.promql.model import METRIC_NAME, PromqlError
from wattledger.rules.templates import QueryUse, Template

from ..config.problem import Problem, guess, in_order, quoted
from .label_values import LabelValues, closed_labels
from .load import LoadedRules
from .rule_fields import RuleSite

# Of the rule engine itself; their labels are those of any alert.
_OF_ALERTS = frozenset({"ALERTS", "ALERTS_FOR_STATE"})
# What scrape configurations and service discovery commonly put on targets.
_TARGET_LABELS = frozenset(
    {
        *("instance", "job", "cluster", "namespace", "pod", "node", "container", "service", "endpoint", "host"),
        *("hostname", "region", "zone", "datacenter", "dc", "rack", "environment", "env", "tenant"),
        *("prometheus", "replica"),
    }
)
_RECORDED_PREFIX = "wattledger:"
_ALTERNATIVES = re.compile(r"\w+(?:\|\w+)*", re.ASCII)
_WORD = re.compile(r"\w+", re.ASCII)
_MOST_LISTED = 12


@dataclass(frozen=True, slots=True)
class Findings:
    """`problems` can never work, `warnings` work at most in a Prometheus that has more than this host."""

    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class _Doubt:
    """One thing found about a selector; `wrong` where it cannot work anywhere."""

    message: str
    wrong: bool = False


def catalogue_findings(files: Iterable[LoadedRules], *, recorded: Collection[str] = ()) -> Findings:
    """Check every selector of the rules, and of the queries in their texts.

    What one of *files* records, the others may read; *recorded* names further series that rules elsewhere write.
    """
    files = tuple(files)
    rules = [rule for file in files for group in file.groups for rule in group.rules]
    names = frozenset({*recorded, *(rule.record for rule in rules if isinstance(rule, RecordingRule))})
    check = _Check({family.name: family for family in FAMILIES}, closed_labels(), names)
    found = dict.fromkeys(finding for file in files for finding in _of_file(check, file))
    return Findings(
        in_order(problem for problem, wrong in found if wrong),
        in_order(problem for problem, wrong in found if not wrong),
    )


def _of_file(check: "_Check", file: LoadedRules) -> Iterator[tuple[Problem, bool]]:
    for group, sites in zip(file.groups, file.sites, strict=True):
        for rule, site in zip(group.rules, sites, strict=True):
            for selector in rule.expression.selectors():
                for doubt in check.selector(selector.matchers):
                    yield Problem(site.expr, f"{site.path}.expr", f"{rule.name}: {doubt.message}"), doubt.wrong
            yield from _of_texts(check, rule, site)


def _of_texts(check: "_Check", rule: Rule, site: RuleSite) -> Iterator[tuple[Problem, bool]]:
    if not isinstance(rule, AlertingRule):
        return
    for part, texts in (("labels", rule.labels), ("annotations", rule.annotations)):
        for name, template in texts:
            key = f"{part}.{name}"
            for use in template.queries():
                where = f"{rule.name}: at {use.line}:{use.column} of the template:"
                for doubt in check.query(use, template):
                    yield Problem(site.texts[key], f"{site.path}.{key}", f"{where} {doubt.message}"), doubt.wrong


@dataclass(frozen=True, slots=True)
class _Check:
    """What is known: the families, the closed sets among their labels, and the names of recorded series."""

    families: Mapping[str, Family]
    closed: Mapping[str, LabelValues]
    recorded: frozenset[str]

    def query(self, use: QueryUse, template: Template) -> Iterator[_Doubt]:
        """Check a query in a text. Where printf makes it, only what stands in the text itself is looked at."""
        if use.text is None:
            return
        try:
            selectors = compile_expression(use.text).selectors()
        except PromqlError:
            return  # only with what printf fills in; a query that is written out was compiled when it was loaded
        for selector in selectors:
            if use.exact:
                yield from self.selector(selector.matchers)
            elif all(one.value in template.source for one in selector.matchers if one.name == METRIC_NAME):
                written = [one for one in selector.matchers if one.name in (METRIC_NAME, *_words(template.source))]
                yield from self.selector(written, values=False)

    def selector(self, matchers: Sequence[Matcher], *, values: bool = True) -> Iterator[_Doubt]:
        """Check one selector; without *values* those of labels may be anything."""
        named = [matcher for matcher in matchers if matcher.name == METRIC_NAME]
        names = [name for name in (*self.families, *self.recorded, *_OF_ALERTS) if _accepted(name, named)]
        if not names:
            yield self._unknown_name(named)
        if not named or not names or any(name not in self.families or name in _OF_ALERTS for name in names):
            return  # the labels of these are not known beforehand
        families = [self.families[name] for name in names]
        for matcher in matchers:
            if matcher.name == METRIC_NAME or matcher.value == "" or matcher.name in _TARGET_LABELS:
                continue
            having = [family for family in families if matcher.name in (*family.all_labels, *family.optional_labels)]
            if not having:
                yield self._unknown_label(matcher, families)
            elif values:
                yield from self._unknown_value(matcher, having)

    def _unknown_name(self, named: Sequence[Matcher]) -> _Doubt:
        exact = [matcher.value for matcher in named if matcher.op is MatchOp.EQUAL]
        if not exact:
            pattern = ",".join(map(str, named))
            return _Doubt(f"no metric of this host has a name such as {quoted('{' + pattern + '}')}")
        name = exact[0]
        if name.startswith(PREFIX):
            cure = guess(name, (*self.families, *self.recorded)) or "docs/metrics.md lists them"
            return _Doubt(f"wattledger has no metric {quoted(name)}; {cure}", wrong=True)
        if name.startswith(_RECORDED_PREFIX):
            cure = guess(name, self.recorded) or "is the file with that rule loaded too?"
            return _Doubt(f"no rule here records {quoted(name)}; {cure}")
        return _Doubt(
            f"nothing on this host is named {quoted(name)}; the rule can work only in a Prometheus that has it"
        )

    def _unknown_label(self, matcher: Matcher, families: Sequence[Family]) -> _Doubt:
        having = [(*family.all_labels, *family.optional_labels) for family in families]
        labels = list(dict.fromkeys(label for labels in having for label in labels))
        near = guess(matcher.name, labels)
        which = quoted(families[0].name) if len(families) == 1 else "these metrics"
        cure = near or ("it has " + ", ".join(labels) if labels else "it has none of its own")
        return _Doubt(
            f"{which} has no label {quoted(matcher.name)}; {cure}; only a Prometheus that adds the label has it"
        )

    def _unknown_value(self, matcher: Matcher, having: Sequence[Family]) -> Iterator[_Doubt]:
        """Tell of values that the label never has, unless one of the families takes any text for it."""
        sets = [self.closed.get(family.name, {}).get(matcher.name) for family in having]
        if None in sets:
            return
        possible = tuple(dict.fromkeys(value for values in sets for value in values or ()))
        if matcher.op in (MatchOp.EQUAL, MatchOp.NOT_EQUAL):
            wanted: Sequence[str] = (matcher.value,)
        elif _ALTERNATIVES.fullmatch(matcher.value):
            wanted = matcher.value.split("|")
        else:
            matching = Matcher(matcher.name, MatchOp.REGEX, matcher.value)
            wanted = () if any(map(matching.accepts, possible)) else (matcher.value,)
        for value in wanted:
            if value not in possible:
                listed = ", ".join(possible[:_MOST_LISTED]) + (", ..." if len(possible) > _MOST_LISTED else "")
                cure = guess(value, possible) or f"there are {listed}"
                yield _Doubt(f"{matcher.name} is never {quoted(value)} in {quoted(having[0].name)}; {cure}")


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def _accepted(name: str, named: Iterable[Matcher]) -> bool:
    return all(matcher.accepts(name) for matcher in named)
