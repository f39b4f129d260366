"""Edges of windows as Prometheus 3 has them, staleness, lookback, and what offset, @ and subqueries make of time."""

from collections.abc import Iterable, Sequence

import pytest

from tests.rules.promql.oracle import Kept
from tests.rules.promql.table import kept, only, result
from wattledger.rules.promql.expression import compile_expression
from wattledger.rules.promql.matcher import Matcher
from wattledger.rules.promql.model import Scalar, Series

# A sample a minute: value n at n minutes.
MINUTES = kept("m 0 1 2 3 4 5 6 7 8 9 10")


@pytest.mark.parametrize(
    ("query", "at_s", "expected"),
    [
        # The lookback of five minutes leaves out the sample that is just five minutes old.
        ("m", 900, None),
        ("m", 899.999, 10),
        ("m", 600, 10),
        ("m", 599.999, 9),
        # A range leaves out its left edge and holds its right one.
        ("count_over_time(m[5m])", 600, 5),
        ("min_over_time(m[5m])", 600, 6),
        ("min_over_time(m[5m])", 599.999, 5),
        ("count_over_time(m[5m])", 599.999, 5),
        ("count_over_time(m[1m])", 600, 1),
        ("count_over_time(m[59s999ms])", 659.999, None),
        ("count_over_time(m[1m])", 659.999, 1),
        # rate needs two samples: a range of as many scrape intervals holds just as many samples.
        ("increase(m[1m])", 600, None),
        ("increase(m[2m])", 600, 2),
        # A window that ends before the epoch began holds nothing, and one that begins before it does.
        ("count_over_time(m[5m])", 0, 1),
        ("count_over_time(m[5m] offset 5m)", 240, None),
        # A subquery leaves out the step at its left edge, and its steps are aligned to the epoch.
        ("count_over_time(m[5m:1m])", 600, 5),
        ("min_over_time(m[5m:1m])", 600, 6),
        ("count_over_time(m[5m:1m])", 630, 5),
        ("sum_over_time(m[2m:40s])", 600, 10 + 9 + 8),
        ("count_over_time(m[1m:7m])", 600, None),
        ("count_over_time(m[1m:7m])", 420, 1),
        ("count_over_time(m[2m:1m])", 959, 1),  # at the step of 840 s the last sample is seen, at 900 s no longer
        ("count_over_time(m[2m:1m])", 960, None),
        ("sum_over_time(vector(time())[2m:])", 600, 600 + 540),
        ("sum_over_time(vector(time())[2m:])", 0, -60),
    ],
)
def test_a_window_leaves_out_its_left_edge(query: str, at_s: float, expected: float | None) -> None:
    assert only(MINUTES, query, at_s) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("m offset 2m", 8),
        ("m offset -2m", None),
        ("m offset -1m @ 180", 4),
        ("m @ 180", 3),
        ("m @ 180 offset 1m", 2),
        ("m offset 1m @ 180", 2),
        ("m @ start()", 10),
        ("m @ end() offset 3m", 7),
        ("sum_over_time(m[2m] @ 300)", 5 + 4),
        ("sum_over_time(m[2m] offset 1m)", 9 + 8),
        ("sum_over_time(m[2m:1m] offset 1m)", 9 + 8),
        ("sum_over_time(m[2m:1m] @ 300 offset 1m)", 4 + 3),
        ("sum_over_time((m offset 1m)[2m:1m])", 9 + 8),
        ("sum_over_time((m @ 120)[3m:1m])", 2 * 3),
        ("sum_over_time((m @ start())[3m:1m])", 10 * 3),
        ("sum_over_time((m @ end() offset 1m)[3m:1m] @ 300)", 9 * 3),
        ("max_over_time(sum_over_time(m[2m])[3m:1m] offset 2m)", 8 + 7),
        ("timestamp(m offset 2m)", 480),
        ("timestamp(m @ 190)", 180),
        ("timestamp((m))", 600),
        ("timestamp(m + 0)", 600),
        ("time() - timestamp(m offset 1m)", 60),
    ],
)
def test_offset_and_at_move_a_window(query: str, expected: float | None) -> None:
    before_eleven = 600 if "offset -2m" not in query else 1100
    assert only(MINUTES, query, before_eleven) == expected


def test_a_negative_offset_looks_ahead() -> None:
    assert only(MINUTES, "m offset -2m", 300) == 7


def test_a_stale_marker_ends_a_series_at_once_and_no_range_sees_it() -> None:
    store = kept("m 1 2 stale _ _ 6")
    assert only(store, "m", 119) == 2
    assert only(store, "m", 120) is None
    assert only(store, "m", 299) is None
    assert only(store, "m", 300) == 6
    assert only(store, "sum_over_time(m[10m])", 300) == 9
    assert only(store, "count_over_time(m[1m])", 120) is None
    assert only(store, "timestamp(m)", 130) is None
    assert only(store, "count_over_time(m[4m:1m])", 240) == 1  # of the steps at 1 to 4 minutes


def test_a_nan_is_a_value_and_no_end() -> None:
    store = kept("m 1 NaN")
    assert str(only(store, "m", 60)) == "nan"
    assert only(store, "count_over_time(m[5m])", 60) == 2


def test_the_lookback_is_an_argument() -> None:
    expression = compile_expression("scalar(m)")
    assert expression.evaluate(MINUTES, 900_000, lookback_ms=300_001) == Scalar(10.0)
    assert str(expression.evaluate(MINUTES, 630_000, lookback_ms=30_000)) == "Scalar(value=nan)"


def test_a_subquery_without_a_step_takes_the_one_given() -> None:
    expression = compile_expression("scalar(count_over_time(m[5m:]))")
    assert expression.evaluate(MINUTES, 600_000) == Scalar(5.0)
    assert expression.evaluate(MINUTES, 600_000, step_ms=30_000) == Scalar(10.0)


def test_a_subquery_keeps_series_that_are_there_for_some_steps_only() -> None:
    store = kept('m{a="x"} 1 2 stale', 'm{a="y"} _ _ _ 4 5')
    assert result(store, "sum_over_time(m[5m:1m])", 240) == {'{a="x"}': 3.0, '{a="y"}': 9.0}


def test_each_selector_is_read_once_however_many_steps_there_are() -> None:
    read: list[tuple[int, int]] = []

    class Watched(Kept):
        def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Iterable[Series]:
            read.append((start_ms, end_ms))
            return super().select(matchers, start_ms, end_ms)

    store = Watched(MINUTES.series)
    assert only(store, "max_over_time(rate(m[2m])[5m:1s]) + on () sum(m @ 60)", 600) == pytest.approx(1 / 60 + 1)
    assert read == [(600_000 - 300_000 + 1 - 120_000 + 1, 600_000), (60_000 - 300_000 + 1, 60_000)]
