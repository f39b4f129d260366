"""A unit-test file of promtool as values; how tests are run and told is not its matter."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from wattledger.rules.promql.model import Labels

from ..config.document import Document, Scalar
from ..config.problem import Problem, in_order, quoted
from .fields import Fields, Problems, Written
from .notation import NotationError, parse_series, parse_values

_FILE_FIELDS = ("rule_files", "evaluation_interval", "group_eval_order", "tests", "fuzzy_compare")
_GROUP_FIELDS = (
    "name",
    "interval",
    "input_series",
    "alert_rule_test",
    "promql_expr_test",
    "external_labels",
    "external_url",
    "start_timestamp",
)
_DEFAULT_INTERVAL_MS = 60_000
# Of YAML 1.2, as promtool reads them: 1e6 is a number there, and text to YAML 1.1.
_YAML_FLOAT = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|\.inf)|\.nan", re.ASCII)
_YAML_INTEGER = re.compile(r"[+-]?0(?:x[0-9a-f]+|o[0-7]+|b[01]+)", re.ASCII)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class InputSeries:
    """A series that a test feeds in, one value an interval, None for none."""

    labels: Labels
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class ExpectedAlert:
    """Labels, the alert's name among them, and annotations as the test states them."""

    labels: Labels
    annotations: Labels


@dataclass(frozen=True, slots=True)
class AlertTest:
    """The alerts of one name that fire at a moment. Times count from the start of the test."""

    eval_time_ms: int
    alertname: str
    expected: tuple[ExpectedAlert, ...]


@dataclass(frozen=True, slots=True)
class ExpectedSample:
    """A sample as the test states it, its labels still as text."""

    labels: str
    value: float


@dataclass(frozen=True, slots=True)
class ExpressionTest:
    """What an expression gives at a moment."""

    expr: str
    eval_time_ms: int
    expected: tuple[ExpectedSample, ...]


@dataclass(frozen=True, slots=True)
class UnitTest:
    """Input and what is expected of it. `interval_ms` lies between two values of the input."""

    name: str
    interval_ms: int
    input_series: tuple[InputSeries, ...]
    alert_tests: tuple[AlertTest, ...]
    expression_tests: tuple[ExpressionTest, ...]
    external_labels: Labels
    external_url: str
    start_ms: int

    @property
    def last_ms(self) -> int:
        """Give the latest moment that something is expected at, from the start of the test."""
        alert_ms = (test.eval_time_ms for test in self.alert_tests)
        expression_ms = (test.eval_time_ms for test in self.expression_tests)
        return max((*alert_ms, *expression_ms), default=0)


@dataclass(frozen=True, slots=True)
class UnitTestFile:
    """A file of tests. With `problems` it must not be run."""

    rule_files: tuple[str, ...] = ()
    evaluation_interval_ms: int = _DEFAULT_INTERVAL_MS
    group_eval_order: tuple[str, ...] = ()
    fuzzy_compare: bool = False
    tests: tuple[UnitTest, ...] = ()
    problems: tuple[Problem, ...] = ()


def read_unit_tests(document: Document) -> UnitTestFile:
    """Give the tests of a file that was read."""
    problems = Problems(list(document.problems))
    if document.problems:
        return UnitTestFile(problems=in_order(problems.found))
    root = Fields(document.root, "", problems)
    root.known(_FILE_FIELDS)
    interval_ms = root.duration_ms("evaluation_interval") or _DEFAULT_INTERVAL_MS
    order = root.texts_of_list("group_eval_order")
    _unique(order, root)
    return UnitTestFile(
        tuple(written.text for written in root.texts_of_list("rule_files")),
        interval_ms,
        tuple(written.text for written in order),
        root.boolean("fuzzy_compare"),
        tuple(_unit_test(fields, interval_ms) for fields in root.mappings("tests")),
        in_order(problems.found),
    )


def _unique(order: list[Written], root: Fields) -> None:
    seen: set[str] = set()
    for written in order:
        if written.text in seen:
            message = f"{quoted(written.text)} is named twice; name each group once"
            root.problems.add(written.place, root.key("group_eval_order"), message)
        seen.add(written.text)


def _unit_test(fields: Fields, interval_ms: int) -> UnitTest:
    fields.known(_GROUP_FIELDS)
    return UnitTest(
        fields.text("name"),
        fields.duration_ms("interval") or interval_ms,
        tuple(_input_series(fields)),
        tuple(_alert_test(item) for item in fields.mappings("alert_rule_test")),
        tuple(_expression_test(item) for item in fields.mappings("promql_expr_test")),
        _labels(fields, "external_labels"),
        fields.text("external_url"),
        _start_ms(fields),
    )


def _input_series(fields: Fields) -> Iterator[InputSeries]:
    for item in fields.mappings("input_series"):
        item.known(("series", "values"))
        labels = _noted(item, "series", parse_series)
        values = _noted(item, "values", parse_values)
        if labels is not None and values is not None:
            yield InputSeries(labels, tuple(values))


def _noted(fields: Fields, name: str, parse: Callable[[str], T]) -> T | None:
    """Give what *parse* makes of a field, None and a problem where it is in no notation."""
    try:
        return parse(fields.text(name))
    except NotationError as error:
        fields.problems.add(fields.place_of(name), fields.key(name), str(error))
        return None


def _alert_test(fields: Fields) -> AlertTest:
    fields.known(("eval_time", "alertname", "exp_alerts"))
    alertname = fields.text("alertname")
    if not alertname:
        fields.problems.add(fields.place, fields.key("alertname"), "is missing; name the alert that is tested")
    expected = tuple(_expected_alert(item, alertname) for item in fields.mappings("exp_alerts"))
    return AlertTest(fields.duration_ms("eval_time") or 0, alertname, expected)


def _expected_alert(fields: Fields, alertname: str) -> ExpectedAlert:
    fields.known(("exp_labels", "exp_annotations"))
    labels = dict(_labels(fields, "exp_labels")) | {"alertname": alertname}
    return ExpectedAlert(tuple(sorted(labels.items())), _labels(fields, "exp_annotations"))


def _labels(fields: Fields, name: str) -> Labels:
    return tuple(sorted((key.text, value.text) for key, value in fields.texts(name)))


def _expression_test(fields: Fields) -> ExpressionTest:
    fields.known(("expr", "eval_time", "exp_samples"))
    expected = tuple(_expected_sample(item) for item in fields.mappings("exp_samples"))
    return ExpressionTest(fields.text("expr"), fields.duration_ms("eval_time") or 0, expected)


def _expected_sample(fields: Fields) -> ExpectedSample:
    fields.known(("labels", "value", "histogram"))
    if fields.node("histogram") is not None:
        message = "native histograms are not supported; test numbers computed from them"
        fields.problems.add(fields.place_of("histogram"), fields.key("histogram"), message)
    return ExpectedSample(fields.text("labels"), _float(fields, "value"))


def _float(fields: Fields, name: str) -> float:
    node = fields.node(name)
    if node is None:
        return 0.0
    text = node.text if isinstance(node, Scalar) else ""
    plain = text.lower().replace("_", "")
    if _YAML_INTEGER.fullmatch(plain):
        return float(int(plain, 0))
    if _YAML_FLOAT.fullmatch(plain):
        return float(plain.replace(".inf", "inf").replace(".nan", "nan"))
    cure = "write .nan, .inf or -.inf" if plain.lstrip("+-") in ("nan", "inf") else "write one such as 1.5"
    fields.problems.add(node.place, fields.key(name), f"{quoted(text)} is not a number; {cure}")
    return 0.0


def _start_ms(fields: Fields) -> int:
    written = fields.written("start_timestamp")
    if written is None or not written.text:
        return 0
    try:
        if re.fullmatch(r"\d+(\.\d+)?", written.text):
            return round(float(written.text) * 1000)
        moment = datetime.fromisoformat(written.text)
        if moment.tzinfo is not None:
            return round(moment.timestamp() * 1000)
    except ValueError:
        pass
    message = f"{quoted(written.text)} is no time; write seconds of the Unix epoch or 2026-01-31T22:00:00Z"
    fields.problems.add(written.place, fields.key("start_timestamp"), message)
    return 0
