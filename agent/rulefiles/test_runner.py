"""Runs unit tests of rules, the files of `promtool test rules`; how files and series are written is unknown here."""

import glob
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

from wattledger.rules.alerting import (
    AlertState,
    EngineSettings,
    ExternalNames,
    GroupEngine,
    RuleGroup,
    SampleRefusedError,
)
from wattledger.rules.promql.expression import compile_expression
from wattledger.rules.promql.model import PromqlError, Scalar, String

from ..config.document import read_document
from .load import load_rule_file
from .memory_storage import MemoryStorage
from .notation import NotationError, parse_metric
from .unit_report import ValuedLabels, alerts_differ, expression_failed, rule_failed, samples_differ
from .unit_tests import AlertTest, ExpectedAlert, ExpressionTest, UnitTest, UnitTestFile, read_unit_tests


def run_rule_tests(paths: Iterable[Path], out: TextIO, err: TextIO) -> int:
    """Run the unit tests of each file and tell the results; give the exit code: 0 when all hold, 1 when not."""
    failed = False
    for path in paths:
        out.write(f"Unit Testing:  {path}\n")
        failures = _run_file(path, err)
        if failures:
            err.write("  FAILED:\n")
            for failure in failures:
                err.write(f"{failure}\n")
                out.write("\n")
            failed = True
        else:
            out.write("  SUCCESS\n")
        out.write("\n")
    return 1 if failed else 0


def _run_file(path: Path, err: TextIO) -> list[str]:
    file = read_unit_tests(read_document(path, named_by="the path of the test file"))
    if file.problems:
        return [str(problem) for problem in file.problems]
    rule_paths = _rule_paths(path.parent, file.rule_files, err)
    if not file.tests:
        return []
    loaded = [load_rule_file(rule_path) for rule_path in rule_paths]
    problems = [str(problem) for rules in loaded for problem in rules.problems]
    if problems:
        return problems
    groups = _in_order([group for rules in loaded for group in rules.groups], file.group_eval_order)
    return [failure for test in file.tests for failure in _TestRun(file, test, groups).run()]


def _rule_paths(folder: Path, patterns: Sequence[str], err: TextIO) -> list[Path]:
    """Give the files that the patterns stand for, each once; relative ones count from the test file's folder."""
    found: dict[str, None] = {}
    for pattern in patterns:
        whole = str(folder / pattern)
        names = sorted(glob.glob(whole, include_hidden=True))  # noqa: PTH207  (of any folder, absolute ones too)
        if not names:
            err.write(f"  WARNING: no file match pattern {whole}\n")
        found.update(dict.fromkeys(names))
    return [Path(name) for name in found]


def _in_order(groups: list[RuleGroup], order: Sequence[str]) -> list[RuleGroup]:
    """Give the groups in the order asked for; one that is not named counts as first, as in promtool."""
    places = {name: place for place, name in enumerate(order)}
    return sorted(groups, key=lambda group: places.get(group.name, 0))


class _TestRun:
    """One test: its storage, its groups and what was found wrong."""

    def __init__(self, file: UnitTestFile, test: UnitTest, groups: Sequence[RuleGroup]) -> None:
        self._test = test
        self._step_ms = file.evaluation_interval_ms
        self._fuzzy = file.fuzzy_compare
        self._storage = MemoryStorage()
        external = ExternalNames(test.external_labels, test.external_url)
        settings = EngineSettings(external, step_ms=self._step_ms)
        self._engines = [GroupEngine(group, settings) for group in groups]
        self._failures: list[str] = []

    def run(self) -> list[str]:
        """Give what does not hold."""
        test = self._test
        for series in test.input_series:
            self._storage.add_input(
                series.labels, series.values, start_ms=test.start_ms, interval_ms=test.interval_ms
            )
        waiting: dict[int, list[AlertTest]] = defaultdict(list)
        for alert_test in test.alert_tests:
            waiting[alert_test.eval_time_ms].append(alert_test)
        for time_ms in range(0, test.last_ms + 1, self._step_ms):
            if not self._evaluate(time_ms):
                return self._failures
            for eval_ms in sorted(due for due in waiting if time_ms <= due < time_ms + self._step_ms):
                for alert_test in waiting[eval_ms]:
                    self._check_alerts(alert_test)
        for expression_test in test.expression_tests:
            self._check_expression(expression_test)
        return self._failures

    def _evaluate(self, time_ms: int) -> bool:
        """Evaluate all groups; tell whether every rule could be."""
        at_ms = self._test.start_ms + time_ms
        try:
            self._storage.appear_until(at_ms)
        except SampleRefusedError as error:
            self._failures.append(str(error))
            return True
        errors: list[str] = []
        for engine in self._engines:
            engine.evaluate(self._storage, at_ms)
            errors += [rule_failed(rule.name, time_ms, reason) for rule, reason in engine.errors()]
        self._failures += errors
        return not errors

    def _check_alerts(self, test: AlertTest) -> None:
        got = sorted(
            (
                ExpectedAlert(alert.labels, alert.annotations)
                for engine in self._engines
                for rule, alert in engine.alerts()
                if rule.alert == test.alertname and alert.state is AlertState.FIRING
            ),
            key=_by_texts,
        )
        want = sorted(test.expected, key=_by_texts)
        if got != want:
            self._failures.append(alerts_differ(self._test.name, test, got, want))

    def _check_expression(self, test: ExpressionTest) -> None:
        try:
            got = sorted(self._result(test), key=lambda sample: sample[0])
        except PromqlError as error:
            self._failures.append(expression_failed(test, str(error)))
            return
        want: list[ValuedLabels] = []
        for sample in test.expected:
            try:
                want.append((parse_metric(sample.labels), sample.value))
            except NotationError as error:
                self._failures.append(expression_failed(test, f"labels `{sample.labels}`: {error}"))
                return
        want.sort(key=lambda sample: sample[0])
        if len(got) != len(want) or not all(map(self._same, got, want)):
            self._failures.append(samples_differ(test, got, want))

    def _result(self, test: ExpressionTest) -> list[ValuedLabels]:
        expression = compile_expression(test.expr)
        at_ms = self._test.start_ms + test.eval_time_ms
        result = expression.evaluate(self._storage, at_ms, step_ms=self._step_ms)
        if isinstance(result, String):
            raise PromqlError(0, "rule result is not a vector or scalar")
        if isinstance(result, Scalar):
            return [((), result.value)]
        return [(element.labels, element.value) for element in result.elements]

    def _same(self, got: ValuedLabels, want: ValuedLabels) -> bool:
        """Compare one sample; a fuzzy comparison lets the neighbouring floats pass. NaN is equal to nothing."""
        if got[0] != want[0]:
            return False
        x, y = want[1], got[1]
        near = (math.nextafter(x, -math.inf), math.nextafter(x, math.inf)) if self._fuzzy else ()
        return x == y or y in near


def _by_texts(alert: ExpectedAlert) -> tuple[object, object]:
    return alert.labels, alert.annotations
