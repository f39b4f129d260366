"""The tables and random lives against promtool of Prometheus 3, whose semantics are ours: window edges included."""

import io
import subprocess
from pathlib import Path

import pytest

from tests.agent.rulefiles.random_lives import count_of, written
from tests.agent.rulefiles.rule_tables import BAD, GOOD, NEWER
from tests.agent.rulefiles.unit_test_tables import (
    BAD_SERIES,
    BAD_VALUES,
    DOES_NOT_HOLD,
    GOOD_SERIES,
    GOOD_VALUES,
    HOLDS,
    MALFORMED,
    RULES,
    series_file,
)
from tests.prometheus3 import Program, prometheus3
from wattledger.agent.rulefiles import load_rule_file, run_rule_tests

pytestmark = pytest.mark.nightly

# Prometheus 3 takes any UTF-8 as a name, and histograms; here rules stay loadable by every Prometheus.
UTF8_NAMES = (
    "a metric name with a dash",
    "an expression as a name",
    "a label with a dash",
    "a label that starts with a digit",
    "an annotation with a dash",
)
NEWER_VALUES = ("1_2", "{{schema:1}}")
TOLD_OTHERWISE = ("a broken rule file", "a rule that writes what the input says otherwise")

NEWER_TESTS = {
    "the neighbouring float": "fuzzy_compare: true\n" + DOES_NOT_HOLD["the neighbouring float"],
    "another value": "fuzzy_compare: true\n" + DOES_NOT_HOLD["another value"],
    "no interval": """
tests:
- input_series: [{series: m, values: '0+1x9'}]
  promql_expr_test: [{expr: m, eval_time: 5m, exp_samples: [{labels: m, value: 5}]}]
""",
    "a start": """
tests:
- start_timestamp: 2026-01-31T22:00:00Z
  interval: 1m
  input_series: [{series: m, values: '0+1x9'}]
  promql_expr_test: [{expr: 'timestamp(m)', eval_time: 5m, exp_samples: [{labels: '{}', value: 1769897100}]}]
""",
    "edges of windows": """
tests:
- interval: 1m
  input_series: [{series: m, values: '0+1x9'}]
  promql_expr_test:
  - {expr: 'count_over_time(m[5m])', eval_time: 5m, exp_samples: [{labels: '{}', value: 5}]}
  - {expr: m, eval_time: 14m}
  - {expr: m, eval_time: 13m, exp_samples: [{labels: m, value: 9}]}
""",
    "labels and offset of a group": """
rule_files: [group.yml]
tests:
- interval: 1m
  input_series: [{series: m, values: '0+1x9'}]
  alert_rule_test:
  - {eval_time: 3m, alertname: A}
  - eval_time: 4m
    alertname: A
    exp_alerts: [{exp_labels: {team: power, severity: "3", t: x3}, exp_annotations: {v: "4"}}]
  promql_expr_test:
  - {expr: r, eval_time: 4m, exp_samples: [{labels: 'r{team="power",severity="own",t="x{{ $value }}"}', value: 3}]}
  - {expr: sum(timestamp(r)), eval_time: 4m, exp_samples: [{labels: '{}', value: 180}]}
  - {expr: sum(ALERTS_FOR_STATE), eval_time: 4m, exp_samples: [{labels: '{}', value: 240}]}
  - expr: ALERTS
    eval_time: 4m
    exp_samples:
    - {labels: 'ALERTS{alertname="A",alertstate="firing",team="power",severity="3",t="x3"}', value: 1}
""",
}
GROUP = """
groups:
- name: g
  labels: {team: power, severity: low, t: "x{{ $value }}"}
  query_offset: 1m
  rules:
  - {record: r, expr: m, labels: {severity: own}}
  - alert: A
    expr: m > 2
    labels: {severity: "{{ $value }}"}
    annotations: {v: "{{ query `m` | first | value }}"}
"""


@pytest.fixture(scope="session")
def program(pytestconfig: pytest.Config) -> str:
    return prometheus3(Program.PROMTOOL, pytestconfig)


def run(program: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True, timeout=300, check=False)


def codes_and_words(program: str, text: str, folder: Path) -> tuple[tuple[int, str], tuple[int, str]]:
    path = folder / "test.yml"
    path.write_text(text)
    out, err = io.StringIO(), io.StringIO()
    code = run_rule_tests([path], out, err)
    done = run(program, "test", "rules", str(path), folder=folder)
    return (code, err.getvalue()), (done.returncode, done.stderr)


def test_unit_tests_give_the_same_codes_and_words(program: str, tmp_path: Path) -> None:
    for name, text in RULES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "group.yml").write_text(GROUP)
    different = []
    for what, text in (*HOLDS.items(), *DOES_NOT_HOLD.items(), *NEWER_TESTS.items()):
        got, want = codes_and_words(program, text, tmp_path)
        if got[0] != want[0] or (got[1] != want[1] and what not in TOLD_OTHERWISE):
            different.append((what, got, want))
    for what, text in MALFORMED.items():
        got, want = codes_and_words(program, text, tmp_path)
        if got[0] != want[0]:
            different.append((what, got, want))
    assert different == []


def test_series_and_values_are_read_or_refused_alike(program: str, tmp_path: Path) -> None:
    cases = [(series, "1") for series in (*BAD_SERIES, *GOOD_SERIES)]
    cases += [("m", values) for values in (*BAD_VALUES, *GOOD_VALUES) if values not in NEWER_VALUES]
    different = []
    for series, values in cases:
        got, want = codes_and_words(program, series_file(series, values), tmp_path)
        if got[0] != want[0]:
            different.append((series, values, got, want))
    assert different == []


def test_rule_files_are_accepted_or_refused_alike(program: str, tmp_path: Path) -> None:
    different = []
    for what, text in (GOOD | BAD | NEWER).items():
        path = tmp_path / "rules.yml"
        path.write_text(text)
        refused = bool(load_rule_file(path).problems)
        if refused != bool(run(program, "check", "rules", str(path), folder=tmp_path).returncode):
            different.append(what)
    assert sorted(different) == sorted(UTF8_NAMES)


def test_lives_with_samples_on_every_edge(program: str, tmp_path: Path) -> None:
    files = [written(tmp_path, seed, step_s=60) for seed in range(5000, 5200)]
    print(f"{len(files)} lives, {count_of(tmp_path, files)} firing alerts and samples")
    done = run(program, "test", "rules", *files, folder=tmp_path)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
