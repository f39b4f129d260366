"""Aggregation: groups, each operator, and what NaN and infinities do to it."""

import math

import pytest

from tests.rules.promql.table import kept, only, result
from wattledger.rules.promql.model import PromqlError

STORE = kept(
    'w{gpu="0",host="a"} 4',
    'w{gpu="1",host="a"} 6',
    'w{gpu="0",host="b"} 2',
    'w{host="b"} 8',
)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("sum(w)", {"{}": 20}),
        ("sum by (host) (w)", {'{host="a"}': 10, '{host="b"}': 10}),
        ("sum by (gpu) (w)", {'{gpu="0"}': 6, '{gpu="1"}': 6, "{}": 8}),
        ("sum by (gpu, none) (w)", {'{gpu="0"}': 6, '{gpu="1"}': 6, "{}": 8}),
        ("sum by (__name__) (w)", {'{__name__="w"}': 20}),
        ("sum without (gpu) (w)", {'{host="a"}': 10, '{host="b"}': 10}),
        ("count without (gpu, host) (w)", {"{}": 4}),
        (
            "avg without () (w)",
            {'{gpu="0", host="a"}': 4, '{gpu="1", host="a"}': 6, '{gpu="0", host="b"}': 2, '{host="b"}': 8},
        ),
        ("avg(w)", {"{}": 5}),
        ("min(w)", {"{}": 2}),
        ("max(w)", {"{}": 8}),
        ("group(w)", {"{}": 1}),
        ("stdvar(w)", {"{}": 5}),
        ("stddev(w)", {"{}": math.sqrt(5)}),
        ("quantile(0.5, w)", {"{}": 5}),
        ("quantile(1 / 3, w)", {"{}": 4}),
        ("quantile(-1, w)", {"{}": -math.inf}),
        ("quantile(1.5, w)", {"{}": math.inf}),
        ("topk(2, w)", {'{__name__="w", host="b"}': 8, '{__name__="w", gpu="1", host="a"}': 6}),
        ("bottomk(1, w)", {'{__name__="w", gpu="0", host="b"}': 2}),
        ("topk by (host) (1, w)", {'{__name__="w", gpu="1", host="a"}': 6, '{__name__="w", host="b"}': 8}),
        ("topk(2.9, w)", {'{__name__="w", host="b"}': 8, '{__name__="w", gpu="1", host="a"}': 6}),
        ("topk(0.9, w)", {}),
        ("topk(-Inf, w)", {}),
        ("sum(none)", {}),
        ("count(none)", {}),
        ('count_values("v", w > bool 3)', {'{v="1"}': 3, '{v="0"}': 1}),
        (
            'count_values by (host) ("v", w > bool 3)',
            {'{host="a", v="1"}': 2, '{host="b", v="0"}': 1, '{host="b", v="1"}': 1},
        ),
        ('count_values without (gpu, host) ("v", w > bool 9)', {'{v="0"}': 4}),
        ('count_values("gpu", w * 0)', {'{gpu="0"}': 4}),
    ],
)
def test_aggregation_by_groups(query: str, expected: dict[str, float]) -> None:
    assert result(STORE, query, 0) == pytest.approx(expected)


def test_topk_and_bottomk_give_their_order() -> None:
    for query, order in (("topk(3, w)", [8, 6, 4]), ("bottomk(3, w)", [2, 4, 6])):
        found = result(STORE, query, 0)
        assert isinstance(found, dict)
        assert list(found.values()) == order


@pytest.mark.parametrize("count", ["NaN", "Inf", "1e30", "scalar(none)"])
def test_a_count_that_is_no_int64_is_an_error(count: str) -> None:
    with pytest.raises(PromqlError, match="the number of elements"):
        result(STORE, f"topk({count}, w)", 0)


STRANGE = kept('s{a="3"} 3', 's{a="1"} NaN', 's{a="2"} 1', 's{a="4",i="y"} Inf', 's{a="5",i="n"} -Inf')


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("sum(s)", math.nan),
        ("avg(s)", math.nan),
        ("min(s)", -math.inf),
        ("max(s)", math.inf),
        ('min(s{a="1"})', math.nan),
        ('max(s{a="1"})', math.nan),
        ('max(s{a=~"1|2"})', 1),
        ('sum(s{a!="1"})', math.nan),
        ('sum(s{i!="n",a!="1"})', math.inf),
        ('avg(s{i!="n",a!="1"})', math.inf),
        ('stddev(s{a=~"2|4"})', math.nan),
        ('stdvar(s{a=~"4"})', math.nan),
        ('stdvar(s{a=~"2"})', 0),
        ("quantile(0, s)", math.nan),
        ("quantile(0.5, s)", 1),
        ("quantile(1, s)", math.nan),  # infinity times the weight 0 of the next value
        ("count(s)", 5),
        ('topk(1, s{a=~"1|2"})', 1),
        ('bottomk(1, s{a=~"1|2"})', 1),
        ('topk(1, s{a="1"})', math.nan),
    ],
)
def test_aggregation_of_nan_and_infinities(query: str, expected: float) -> None:
    assert only(STRANGE, query, 0) == pytest.approx(expected, nan_ok=True)


def test_the_sum_across_series_is_compensated() -> None:
    store = kept('m{a="1"} 1', 'm{a="2"} 1e100', 'm{a="3"} 1', 'm{a="4"} -1e100')
    assert only(store, "sum(m)", 0) == 2
    assert only(store, "avg(m)", 0) == 0.5


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1e21", "1000000000000000000000"),
        ("1.5e-7", "0.00000015"),
        ("NaN", "NaN"),
        ("-Inf", "-Inf"),
        ("0.1", "0.1"),
        ("3", "3"),
    ],
)
def test_count_values_writes_numbers_without_exponent(value: str, text: str) -> None:
    assert result(STORE, f'count_values("v", vector({value}))', 0) == {f'{{v="{text}"}}': 1}
