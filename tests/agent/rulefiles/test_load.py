"""Mistakes in rule files: each is told with its place, what stands there and the cure, all of them in one pass."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattledger.agent.config.document import parse_document
from wattledger.agent.config.problem import Origin
from wattledger.agent.rulefiles import check_rule_file, load_rule_file
from wattledger.agent.rulefiles.load import LoadedRules, load_rules
from wattledger.rules.alerting import AlertingRule, RecordingRule

MISTAKES = """\
grups: []
groups:
- name: g
  intervall: 1m
  limit: many
  rules:
  - alert: A
    expr: |
      sum(up)
        + rate(up)
    fro: 5m
    for: 5
    labels: {a-b: c, __name__: d}
    annotations:
      summary: |
        GPU {{ $labels.gpu }}
        {{ $vlaue }}
  - record: a-b
    expr: up
    annotations: {x: y}
- name: g
- rules: [{expr: up}, {alert: B, record: c, expr: ""}]
"""

TOLD = """\
1:1: the field `grups` is not known here; did you mean `groups`?
4:3: groups[0]: the field `intervall` is not known here; did you mean `interval`?
5:10: groups[0].limit: `many` is a text; write a whole number
8:11: groups[0].rules[0].expr: at 2:5 of the expression: expected
11:5: groups[0].rules[0]: the field `fro` is not known here; did you mean `for`?
12:10: groups[0].rules[0].for: `5` has no unit; write 5s or 5m
13:14: groups[0].rules[0].labels: `a-b` is no name; use letters, digits and underscores, no digit first
13:22: groups[0].rules[0].labels: `__name__` cannot be set here; the name of a series is what `record` says
15:16: groups[0].rules[0].annotations.summary: at 2:4 of the template: the variable `$vlaue` is not set before
18:13: groups[0].rules[1].record: `a-b` is no metric name; use letters, digits, underscores and colons
20:18: groups[0].rules[1].annotations: belongs to alerting rules; remove it, or write `alert` in place of `record`
21:9: groups[1].name: `g` is the name of another group in line 3; names are unique within a file
22:3: groups[2].name: is missing; give the group a name
22:11: groups[2].rules[0]: has neither `record` nor `alert`; write one of them with a name
22:23: groups[2].rules[1].expr: is missing; write the expression of the rule
22:31: groups[2].rules[1]: has both `record` and `alert`; make two rules of it
"""


def load(text: str, tmp_path: Path) -> tuple[LoadedRules, Path]:
    path = tmp_path / "r.yml"
    path.write_text(text)
    return load_rule_file(path), path


def test_every_mistake_is_told_in_one_pass(tmp_path: Path) -> None:
    loaded, path = load(MISTAKES, tmp_path)
    told = [str(problem).removeprefix(f"{path}:") for problem in loaded.problems]
    expected = TOLD.splitlines()
    assert [line for line, start in zip(told, expected, strict=False) if not line.startswith(start)] == []
    assert len(told) == len(expected), "\n".join(told)
    assert check_rule_file(path).problems == loaded.problems


def test_a_good_file_gives_its_rules(tmp_path: Path) -> None:
    text = """
groups:
- name: g
  interval: 15s
  limit: 3
  query_offset: 30s
  labels: {team: power, a: group}
  rules:
  - {record: "x:y", expr: up, labels: {a: own, empty: ""}}
  - alert: A
    expr: up == 0
    for: 1m30s
    keep_firing_for: 2m
    labels: {b: "{{ $value }}"}
    annotations: {z: last, c: 5}
"""
    loaded, path = load(text, tmp_path)
    assert loaded.problems == loaded.warnings == ()
    (group,) = loaded.groups
    assert (group.name, group.file, group.interval_ms, group.limit, group.query_offset_ms) == (
        "g",
        str(path),
        15_000,
        3,
        30_000,
    )
    recording, alerting = group.rules
    assert isinstance(recording, RecordingRule)
    assert recording.labels == (("a", "own"), ("empty", ""), ("team", "power"))
    assert isinstance(alerting, AlertingRule)
    assert (alerting.for_ms, alerting.keep_firing_for_ms) == (90_000, 120_000)
    assert [(name, text.source) for name, text in alerting.labels] == [
        ("a", "group"),
        ("b", "{{ $value }}"),
        ("team", "power"),
    ]
    assert [(name, text.source) for name, text in alerting.annotations] == [("c", "5"), ("z", "last")]
    assert [expression.text for expression in group.expressions()] == ["up", "up == 0"]
    assert len(group.templates()) == 5


def test_a_query_offset_of_zero_is_not_the_same_as_none(tmp_path: Path) -> None:
    loaded, _ = load("groups:\n- {name: a, query_offset: 0s}\n- {name: b}\n", tmp_path)
    assert [group.query_offset_ms for group in loaded.groups] == [0, None]


def test_the_same_rule_twice_is_a_warning(tmp_path: Path) -> None:
    text = "groups:\n- name: g\n  rules:\n  - {record: a, expr: up}\n  - {record: a, expr: up, labels: {b: c}}\n"
    loaded, path = load(text + "- name: h\n  rules:\n  - {record: a, expr: down}\n", tmp_path)
    assert loaded.problems == ()
    told = f"{path}:8:5: groups[1].rules[0]: `a` with the same labels stands in line 4 too; give one"
    assert [str(one).startswith(told) for one in loaded.warnings] == [True]


def test_a_wrong_query_in_a_template_is_told_where_it_stands(tmp_path: Path) -> None:
    text = (
        "groups:\n- name: g\n  rules:\n  - {alert: A, expr: up, annotations: {a: 'x {{ query \"sum(\" | first }}'}}\n"
    )
    loaded, path = load(text, tmp_path)
    assert str(loaded.problems[0]).startswith(
        f"{path}:4:43: groups[0].rules[0].annotations.a: at 1:6 of the template: query `sum(`: character"
    )


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    told = str(load_rule_file(tmp_path / "nope.yml").problems[0])
    assert "cannot be read: No such file or directory; check the path of the rule file" in told


@pytest.mark.parametrize("text", ["groups: [\n", "groups:\n\t- a\n", "a: 1\na: 2\n", "- a\n"])
def test_what_is_no_yaml_gives_no_rules(text: str, tmp_path: Path) -> None:
    loaded, _ = load(text, tmp_path)
    assert loaded.groups == ()
    assert loaded.problems


WORDS = st.sampled_from(
    [
        "groups",
        "name",
        "rules",
        "alert",
        "record",
        "expr",
        "for",
        "labels",
        "limit",
        "up",
        "5m",
        "{{",
        "x",
        "",
        "5",
        "null",
    ]
)
TREES = st.recursive(
    WORDS | st.none() | st.integers() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=15,
)


@given(TREES)
def test_any_tree_is_loaded_or_refused_with_a_place(tree: object) -> None:
    import json  # noqa: PLC0415

    document = parse_document(json.dumps({"groups": [{"name": "g", "rules": [tree]}, tree]}), Origin("f", Path()))
    loaded = load_rules(document)
    assert all(problem.place.line == 1 for problem in loaded.problems)
    assert loaded.problems or loaded.groups
