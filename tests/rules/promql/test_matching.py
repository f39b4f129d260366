"""Operators: arithmetic as IEEE 754 has it, filters, sets, and matching of vectors one to one and many to one."""

import math

import pytest

from tests.rules.promql.table import kept, result
from wattledger.rules.promql.model import PromqlError

STORE = kept(
    'used{gpu="0",job="x"} 30',
    'used{gpu="0",job="y"} 50',
    'used{gpu="1",job="x"} 70',
    'limit{gpu="0",model="h100"} 100',
    'limit{gpu="1",model="a100"} 200',
    'limit{gpu="2",model="a100"} 300',
)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("7 % 4 - 2 ^ 3 ^ 0 * 2", -1),
        ("-5.5 % 2", -1.5),
        ("5 % 0", math.nan),
        ("5 % Inf", 5),
        ("1 / 0", math.inf),
        ("-1 / 0", -math.inf),
        ("1 / -0", -math.inf),
        ("0 / 0", math.nan),
        ("0 ^ -1", math.inf),
        ("(-0) ^ -3", -math.inf),
        ("(-8) ^ (1 / 3)", math.nan),
        ("-8 ^ 2", -64),
        ("(-1e200) ^ 3", -math.inf),
        ("NaN ^ 0", 1),
        ("1 atan2 -1", 3 * math.pi / 4),
        ("1 < bool 2", 1),
        ("NaN == bool NaN", 0),
        ("NaN != bool NaN", 1),
        ("2 >= bool 2", 1),
    ],
)
def test_operators_between_numbers(query: str, expected: float) -> None:
    assert result(STORE, query, 0) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        # With a number: arithmetic and bool drop the name, a filter keeps the element as it is.
        ("limit / 100", {'{gpu="0", model="h100"}': 1, '{gpu="1", model="a100"}': 2, '{gpu="2", model="a100"}': 3}),
        ("600 / limit > 4", {'{gpu="0", model="h100"}': 6}),
        ("limit > 250", {'{__name__="limit", gpu="2", model="a100"}': 300}),
        ("250 < limit", {'{__name__="limit", gpu="2", model="a100"}': 300}),
        (
            "limit == bool 100",
            {'{gpu="0", model="h100"}': 1, '{gpu="1", model="a100"}': 0, '{gpu="2", model="a100"}': 0},
        ),
        ('-limit{gpu="0"}', {'{gpu="0", model="h100"}': -100}),
        ('+limit{gpu="0"}', {'{__name__="limit", gpu="0", model="h100"}': 100}),
        ('limit{gpu="0"} atan2 0', {'{gpu="0", model="h100"}': math.pi / 2}),
        # One to one.
        ("limit - limit", {'{gpu="0", model="h100"}': 0, '{gpu="1", model="a100"}': 0, '{gpu="2", model="a100"}': 0}),
        ('used{job="x"} / on (gpu) limit', {'{gpu="0"}': 0.3, '{gpu="1"}': 0.35}),
        ('used{job="x"} / ignoring (job, model) limit', {'{gpu="0"}': 0.3, '{gpu="1"}': 0.35}),
        ('used{job="x"} > on (gpu) limit / 3', {'{gpu="1"}': 70}),
        ('used{job="x"} > ignoring (job, model) limit / 3', {'{__name__="used", gpu="1"}': 70}),
        ('used{job="x"} < bool on (gpu) limit / 3', {'{gpu="0"}': 1, '{gpu="1"}': 0}),
        ('used{job="x",gpu="0"} + on () limit{gpu="2"}', {"{}": 330}),
        ("used / limit", {}),
        # Many to one: labels of the many side, and those that are asked for of the one.
        (
            "used / on (gpu) group_left limit",
            {'{gpu="0", job="x"}': 0.3, '{gpu="0", job="y"}': 0.5, '{gpu="1", job="x"}': 0.35},
        ),
        (
            "used / on (gpu) group_left (model) limit",
            {
                '{gpu="0", job="x", model="h100"}': 0.3,
                '{gpu="0", job="y", model="h100"}': 0.5,
                '{gpu="1", job="x", model="a100"}': 0.35,
            },
        ),
        ('limit - on (gpu) group_right (model) used{job="y"}', {'{gpu="0", job="y", model="h100"}': 50}),
        (
            "used > on (gpu) group_left limit / 3",
            {'{__name__="used", gpu="0", job="y"}': 50, '{__name__="used", gpu="1", job="x"}': 70},
        ),
        (
            "limit / 3 < on (gpu) group_right used",
            {'{__name__="used", gpu="0", job="y"}': 100 / 3, '{__name__="used", gpu="1", job="x"}': 200 / 3},
        ),
        ('used{gpu="1"} * on (gpu) group_left (job) limit', {'{gpu="1"}': 14000}),
        # Sets.
        (
            "limit and on (gpu) used",
            {'{__name__="limit", gpu="0", model="h100"}': 100, '{__name__="limit", gpu="1", model="a100"}': 200},
        ),
        ("limit unless on (gpu) used", {'{__name__="limit", gpu="2", model="a100"}': 300}),
        ("limit and used", {}),
        (
            'limit{gpu="2"} or on (gpu) limit > 150',
            {'{__name__="limit", gpu="2", model="a100"}': 300, '{__name__="limit", gpu="1", model="a100"}': 200},
        ),
        ('used{gpu="1"} and on () limit', {'{__name__="used", gpu="1", job="x"}': 70}),
        ('used{gpu="1"} unless on () vector(1)', {}),
        ("none or vector(0)", {"{}": 0}),
        ("none and limit", {}),
        ('limit{gpu="0"} unless none', {'{__name__="limit", gpu="0", model="h100"}': 100}),
        ("none + limit", {}),
    ],
)  # fmt: skip
def test_operators_on_vectors(query: str, expected: dict[str, float]) -> None:
    assert result(STORE, query, 0) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("limit * on (gpu) used", "found duplicate series for the match group .* on the right hand-side"),
        ("used * on (gpu) limit", "many-to-one matching must be explicit"),
        (
            "used > on (gpu) limit",
            "many-to-one matching must be explicit",
        ),  # since Prometheus 3, although none is kept
        ("limit * on (gpu) group_left used", "found duplicate series for the match group .* on the right hand-side"),
        ("used * on (gpu) group_right limit", "found duplicate series for the match group .* on the left hand-side"),
        ("used * on (gpu) group_left (job) limit", "grouping labels must ensure unique matches"),
        ('{__name__=~"used|limit",gpu="0",job!="y"} * on (gpu) group_left () limit', None),
        ('label_replace(used, "job", "", "", "") or limit', "same labelset"),
        ('limit{gpu="0"} / 2 or on (model) (limit / 2) or on (none) vector(1)', None),
    ],
)
def test_matches_that_are_not_unique_are_errors(query: str, reason: str | None) -> None:
    if reason is None:
        assert result(STORE, query, 0)
        return
    with pytest.raises(PromqlError, match=reason) as raised:
        result(STORE, query, 0)
    assert query[raised.value.position :].startswith(("*", ">", "or", "label_replace"))
