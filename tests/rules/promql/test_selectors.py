"""What an expression says it reads, which is all that the history keeps for it."""

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rules.promql.generator import FIRST_WORLD_MS, THREE, world
from tests.rules.promql.oracle import Kept, ours
from tests.rules.promql.queries import expressions, pin
from wattledger.rules.promql.expression import compile_expression
from wattledger.rules.promql.matcher import Matcher, accept_all
from wattledger.rules.promql.model import PromqlError, Series

MINUTE_MS = 60_000


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("m", [('__name__="m"', 5, None)]),
        ('{a="x",b=~"y.*",c!="z",d!~"w"}', [('a="x" b=~"y.*" c!="z" d!~"w"', 5, None)]),
        ('m{a="\\"\\\\"}', [('__name__="m" a="\\"\\\\"', 5, None)]),
        ("rate(m[10m])", [('__name__="m"', 10, None)]),
        ("rate(m[10m] offset 1h)", [('__name__="m"', 70, None)]),
        ("m offset 1h", [('__name__="m"', 65, None)]),
        ("m offset -3m", [('__name__="m"', 2, None)]),
        ("m offset -1h", [('__name__="m"', 0, None)]),
        ("m @ start() offset 2m", [('__name__="m"', 7, None)]),
        ("m @ 3600", [('__name__="m"', 0, 55)]),
        ("rate(m[10m] @ 3600 offset 5m)", [('__name__="m"', 0, 45)]),
        ("a + rate(b[1m]) / c", [('__name__="a"', 5, None), ('__name__="b"', 1, None), ('__name__="c"', 5, None)]),
        ("m or m", [('__name__="m"', 5, None), ('__name__="m"', 5, None)]),
        ("vector(time())", []),
        ("max_over_time((m @ end())[1h:])", [('__name__="m"', 5, None)]),
        ("max_over_time((m @ 3600)[1h:] offset 1d)", [('__name__="m"', 0, 55)]),
    ],
)
def test_selectors_of(query: str, expected: list[tuple[str, int, int | None]]) -> None:
    found = [
        (
            " ".join(map(str, selector.matchers)),
            round(selector.back_ms / MINUTE_MS),
            None if selector.pinned_from_ms is None else round(selector.pinned_from_ms / MINUTE_MS),
        )
        for selector in compile_expression(query).selectors()
    ]
    assert found == expected


@pytest.mark.parametrize(
    ("query", "back_ms"),
    [
        # The first step lies after the left edge of the subquery, and the first sample after that of its window.
        ("max_over_time(m[1h:])", 60 * MINUTE_MS - 1 + 5 * MINUTE_MS),
        ("max_over_time(rate(m[10m])[1h:] offset 5m)", 65 * MINUTE_MS - 1 + 10 * MINUTE_MS),
        ("sum_over_time(max_over_time(rate(m[1m])[1h:])[1d:])", (1440 + 60 + 1) * MINUTE_MS - 2),
    ],
)
def test_subqueries_add_up(query: str, back_ms: int) -> None:
    (selector,) = compile_expression(query).selectors()
    assert selector.back_ms == back_ms


def test_the_lookback_counts_where_there_is_no_range() -> None:
    expression = compile_expression("m + rate(n[1m])")
    assert [one.back_ms for one in expression.selectors(lookback_ms=1000)] == [1000, MINUTE_MS]


def _within(series: Series, query: str, at_ms: int) -> Series:
    """Keep of *series* only what *query* says that it reads."""
    first_ms = at_ms + 1
    for selector in compile_expression(query).selectors():
        if accept_all(selector.matchers, dict(series.labels)):
            since_ms = at_ms - selector.back_ms + 1 if selector.pinned_from_ms is None else selector.pinned_from_ms
            first_ms = min(first_ms, since_ms)
    return Series.of(series.labels, [sample for sample in series.samples() if sample.timestamp_ms >= first_ms])


@settings(derandomize=True, max_examples=150)
@given(seed=st.integers(0, 2**32 - 1), text=expressions(THREE))
def test_law_nothing_outside_of_the_selectors_changes_a_result(seed: int, text: str) -> None:
    series, at_ms = world(seed, THREE), FIRST_WORLD_MS + THREE.evaluated_after_ms
    query = pin(text, at_ms)
    try:
        kept = [_within(one, query, at_ms) for one in series]
    except PromqlError:
        return  # refused at load: there is nothing to keep
    assert ours(kept, query, at_ms).agrees(ours(series, query, at_ms))


def test_the_store_is_asked_within_the_selectors() -> None:
    asked: list[int] = []

    class Watched(Kept):
        def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Iterable[Series]:
            asked.append(start_ms)
            return super().select(matchers, start_ms, end_ms)

    for query in ("m", "rate(m[10m] offset 1h)", "max_over_time(rate(m[10m])[1h:] offset 5m)"):
        expression = compile_expression(query)
        expression.evaluate(Watched([]), 0)
        assert asked[-1] == 1 - expression.selectors()[0].back_ms
