"""One rule of a rule file: its fields to a rule, or to what is wrong with them; groups are not its matter."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from wattledger.rules.alerting import AlertingRule, RecordingRule, Rule
from wattledger.rules.promql.expression import Expression, compile_expression
from wattledger.rules.promql.model import METRIC_NAME, PromqlError
from wattledger.rules.templates import Template, TemplateSyntaxError, compile_template

from ..config.document import Mapping as MappingNode
from ..config.problem import Place, quoted
from .fields import Fields, Written

_RULE_FIELDS = ("record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations")
_ALERT_ONLY = ("for", "keep_firing_for", "annotations")
_METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")

LabelTexts = dict[str, Written]


@dataclass(frozen=True, slots=True)
class Identity:
    """What makes two rules the same to promtool: the series or alert they give, and their labels."""

    name: str
    labels: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class RuleSite:
    """Where a rule was written, for what is found out about it later: `path` is how messages name it.

    `texts` are the places of its labels and annotations, by `labels.NAME` and `annotations.NAME`.
    """

    path: str
    expr: Place
    texts: Mapping[str, Place]


@dataclass(frozen=True, slots=True)
class ReadRule:
    """A rule as read; `rule` is None when something is wrong with it."""

    identity: Identity
    site: RuleSite
    rule: Rule | None


def read_labels(fields: Fields, name: str, *, annotations: bool = False) -> LabelTexts:
    """Give labels (or annotations) by name, bad names left out and complained of."""
    good: LabelTexts = {}
    for key, value in fields.texts(name):
        if not _LABEL_NAME.fullmatch(key.text):
            message = f"{quoted(key.text)} is no name; use letters, digits and underscores, no digit first"
            fields.problems.add(key.place, fields.key(name), message)
        elif key.text == METRIC_NAME and not annotations:
            message = f"{quoted(key.text)} cannot be set here; the name of a series is what `record` says"
            fields.problems.add(key.place, fields.key(name), message)
        else:
            good[key.text] = value
    return good


def read_rule(fields: Fields, group_labels: LabelTexts) -> ReadRule:
    """Read one rule; the labels of its group stand under its own."""
    before = len(fields.problems.found)
    fields.known(_RULE_FIELDS)
    record, alert = fields.text("record"), fields.text("alert")
    own = read_labels(fields, "labels")
    identity = Identity(alert or record, frozenset((name, value.text) for name, value in own.items()))
    _check_kind(fields, record, alert)
    expression = _expression(fields)
    labels = {**group_labels, **own}
    rule: Rule | None = None
    if alert:
        rule = _alerting(fields, alert, expression, labels)
    elif expression is not None:
        rule = RecordingRule(record, expression, tuple(sorted((name, text.text) for name, text in labels.items())))
    return ReadRule(identity, _site(fields, labels), rule if len(fields.problems.found) == before else None)


def _site(fields: Fields, labels: LabelTexts) -> RuleSite:
    texts = {f"labels.{name}": written.place for name, written in labels.items()}
    return RuleSite(fields.path, fields.place_of("expr"), texts | dict(_annotation_places(fields)))


def _annotation_places(fields: Fields) -> Iterator[tuple[str, Place]]:
    node = fields.node("annotations")
    for entry in node.entries if isinstance(node, MappingNode) else ():
        yield f"annotations.{entry.key.text}", entry.value.place


def _check_kind(fields: Fields, record: str, alert: str) -> None:
    problems = fields.problems
    if record and alert:
        message = "has both `record` and `alert`; make two rules of it"
        problems.add(fields.place_of("alert"), fields.path, message)
    elif not record and not alert:
        problems.add(fields.place, fields.path, "has neither `record` nor `alert`; write one of them with a name")
    if not record:
        return
    if not _METRIC_NAME.fullmatch(record):
        cure = "use letters, digits, underscores and colons, no digit first; an expression belongs under `expr`"
        problems.add(fields.place_of("record"), fields.key("record"), f"{quoted(record)} is no metric name; {cure}")
    for name in _ALERT_ONLY if not alert else ():
        if fields.node(name) is not None and not _is_zero(fields, name):
            message = "belongs to alerting rules; remove it, or write `alert` in place of `record`"
            problems.add(fields.place_of(name), fields.key(name), message)


def _is_zero(fields: Fields, name: str) -> bool:
    """Tell whether a field that only alerts have says nothing, which promtool lets pass."""
    if name == "annotations":
        return not fields.texts(name)
    return fields.duration_ms(name) in (0, None)


def _expression(fields: Fields) -> Expression | None:
    written = fields.written("expr")
    if written is None or not written.text:
        fields.problems.add(fields.place, fields.key("expr"), "is missing; write the expression of the rule")
        return None
    try:
        return compile_expression(written.text)
    except PromqlError as error:
        where = _place_in(written.text, error.position)
        fields.problems.add(written.place, fields.key("expr"), f"at {where} of the expression: {error.reason}")
        return None


def _place_in(text: str, position: int) -> str:
    line_start = text.rfind("\n", 0, position) + 1
    return f"{text.count(chr(10), 0, position) + 1}:{position - line_start + 1}"


def _alerting(fields: Fields, alert: str, expression: Expression | None, labels: LabelTexts) -> Rule | None:
    for_ms, keep_ms = fields.duration_ms("for"), fields.duration_ms("keep_firing_for")
    annotations = read_labels(fields, "annotations", annotations=True)
    label_texts = _templates(fields, "labels", labels)
    annotation_texts = _templates(fields, "annotations", annotations)
    if expression is None:
        return None
    return AlertingRule(alert, expression, for_ms or 0, keep_ms or 0, label_texts, annotation_texts)


def _templates(fields: Fields, name: str, texts: LabelTexts) -> tuple[tuple[str, Template], ...]:
    made = [(key, _template(fields, f"{fields.key(name)}.{key}", texts[key])) for key in sorted(texts)]
    return tuple((key, template) for key, template in made if template is not None)


def _template(fields: Fields, key: str, written: Written) -> Template | None:
    try:
        template = compile_template(written.text)
    except TemplateSyntaxError as error:
        fields.problems.add(written.place, key, str(error))
        return None
    for use in template.queries():
        if use.text is None or not use.exact:
            continue
        try:
            compile_expression(use.text)
        except PromqlError as error:
            message = f"at {use.line}:{use.column} of the template: query {quoted(use.text)}: {error}"
            fields.problems.add(written.place, key, message)
    return template
