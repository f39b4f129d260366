"""Each function on stated samples, with results worked out by hand from Prometheus' documentation."""

import math

import pytest

from tests.rules.promql.table import kept, only, result
from wattledger.rules.promql.model import PromqlError

STORE = kept(
    "counter 0 10 20 30 40 50",
    "late _ _ _ 2 12 22",
    "fell 10 20 30 5 15 25",
    "gauge 10 8 6 4 2 0",
    "flat 7 7 7 7 7 7",
    "endless Inf Inf Inf Inf Inf Inf",
    "holed 1 NaN NaN 2 2 -3",
    "single _ _ _ _ _ 5",
)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        # Window (0, 300]: 10..50 over 240 s, extended by 60 s to the left edge, where the counter was just zero.
        ("increase(counter[5m])", 50),
        ("rate(counter[5m])", 50 / 300),
        # First sample 180 s after the edge, too far: half of the 60 s distance, but zero was 12 s before it already.
        ("increase(late[5m])", 20 * (120 + 12) / 120),
        # After the fall from 30 to 5 the 30 are added: 25 - 20 + 30 = 35, and 240 s become 300 s.
        ("increase(fell[5m])", 35 * 300 / 240),
        ("delta(gauge[5m])", -8 * 300 / 240),
        ("delta(fell[5m])", 5 * 300 / 240),
        ("increase(single[5m])", None),
        ("rate(counter[5m] offset 10m)", None),
        ("irate(counter[5m])", 10 / 60),
        ("irate(fell[5m] offset 2m)", 5 / 60),
        ("idelta(fell[5m] offset 2m)", -25),
        ("idelta(single[5m])", None),
        ("deriv(gauge[5m])", -2 / 60),
        ("deriv(flat[5m])", 0),
        ("deriv(endless[5m])", math.nan),
        ("deriv(single[5m])", None),
        ("predict_linear(gauge[5m], 60)", -2),
        ("predict_linear(gauge[5m] offset 1m, 60)", -2),
        ("predict_linear(flat[5m], 1e9)", 7),
        ("predict_linear(single[5m], 60)", None),
        ("changes(fell[5m])", 4),
        ("changes(flat[5m])", 0),
        ("changes(holed[5m])", 2),
        ("resets(fell[5m])", 1),
        ("resets(gauge[5m])", 4),
        ("resets(single[5m])", 0),
        ("avg_over_time(gauge[5m])", 4),
        ("min_over_time(gauge[5m])", 0),
        ("max_over_time(gauge[5m])", 8),
        ("min_over_time(holed[5m])", -3),
        ("max_over_time(holed[5m])", 2),
        ("sum_over_time(gauge[5m])", 20),
        ("sum_over_time(holed[5m])", math.nan),
        ("avg_over_time(endless[5m])", math.inf),
        ("sum_over_time(endless[5m])", math.inf),
        ("count_over_time(holed[5m])", 5),
        ("present_over_time(holed[5m])", 1),
        ("last_over_time(holed[5m])", -3),
        ("stdvar_over_time(gauge[5m])", 8),
        ("stddev_over_time(gauge[5m])", math.sqrt(8)),
        ("stdvar_over_time(endless[5m])", math.nan),
        ("quantile_over_time(0.5, gauge[5m])", 4),
        ("quantile_over_time(0.9, gauge[5m])", 7.2),
        ("quantile_over_time(-0.1, gauge[5m])", -math.inf),
        ("quantile_over_time(1.1, gauge[5m])", math.inf),
        ("quantile_over_time(NaN, gauge[5m])", math.nan),
        ("quantile_over_time(0, holed[5m])", math.nan),
    ],
)
def test_functions_of_ranges(query: str, expected: float | None) -> None:
    found = only(STORE, query, 300)
    assert found == (None if expected is None else pytest.approx(expected, rel=1e-12, nan_ok=True))


def test_extrapolation_reaches_half_a_distance_beyond_an_end_that_is_far() -> None:
    # Window (120, 420]: 30, 40, 50; 60 s to the left edge is near, 120 s to the right is not.
    assert only(STORE, "increase(counter[5m])", 420) == pytest.approx(20 * (120 + 60 + 30) / 120)


def test_the_zero_point_counts_after_the_half_distance_as_in_prometheus_3() -> None:
    # Zero lies 48 s before the first sample, 180 s after the edge: 3 extends by 30 s, 2.42 would by 48 s.
    assert only(kept("m _ _ _ 8 18 28"), "increase(m[5m])", 300) == pytest.approx(20 * (120 + 30) / 120)


def test_the_sum_over_time_is_compensated() -> None:
    store = kept("m 0 1 1e100 1 -1e100")
    assert only(store, "sum_over_time(m[5m])", 240) == 2
    assert only(store, "avg_over_time(m[5m])", 240) == 2 / 5


def test_the_mean_of_what_overflows_as_a_sum_is_finite() -> None:
    store = kept("m 1.5e308 1.5e308 1.5e308", 'm{a="b"} 1.5e308 1.5e308 1.5e308')
    assert result(store, "avg_over_time(m[5m])", 120) == {"{}": 1.5e308, '{a="b"}': 1.5e308}
    assert only(store, "avg(m)", 120) == 1.5e308
    assert only(store, "sum(m)", 120) == math.inf


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("vector(1)", {"{}": 1}),
        ("absent(counter)", {}),
        ("absent(none)", {"{}": 1}),
        ('absent(none{a="x",b=~"y",c!="z"})', {'{a="x"}': 1}),
        ('absent(none{a="x",a="y",b="z"})', {'{b="z"}': 1}),
        ('absent(sum(none{a="x"}))', {"{}": 1}),
        ('absent_over_time(none{a="x"}[5m])', {'{a="x"}': 1}),
        ("absent_over_time(single[1m])", {}),
        ("abs(gauge - 5)", {"{}": 5}),
        ("last_over_time(gauge[5m])", {'{__name__="gauge"}': 0}),
        ("max_over_time(gauge[5m])", {"{}": 8}),
        ("clamp(gauge, 3, 9)", {"{}": 3}),
        ("clamp(gauge, 9, 3)", {}),
        ("clamp_min(gauge, 2)", {"{}": 2}),
        ("clamp_max(counter, 2)", {"{}": 2}),
        ("clamp(vector(NaN), -Inf, -Inf)", {"{}": -math.inf}),
        ("clamp_min(vector(NaN), Inf)", {"{}": math.inf}),
        ("clamp(vector(-Inf), 1, 2)", {"{}": 1}),
        ("sgn(gauge - 3)", {"{}": -1}),
        ("round(counter / 100, 0.2)", {"{}": 0.6000000000000001}),
        ("round(vector(-2.5))", {"{}": -2}),
        ("floor(vector(-2.5))", {"{}": -3}),
        ("ceil(vector(-2.5))", {"{}": -2}),
        ("deg(vector(pi()))", {"{}": 180}),
        ("rad(vector(180))", {"{}": math.pi}),
        ("exp(ln(vector(3)))", {"{}": 3.0000000000000004}),
        ("log2(vector(8)) + log10(vector(100))", {"{}": 5}),
        ("sqrt(vector(9))", {"{}": 3}),
        ("hour(vector(86399)) + minute(vector(86399))", {"{}": 23 + 59}),
        ("day_of_week(vector(0))", {"{}": 4}),
        ("day_of_month(vector(1709164800))", {"{}": 29}),
        ("day_of_year(vector(1735603200))", {"{}": 366}),
        ("day_of_year(vector(1704067199))", {"{}": 365}),
        ("days_in_month(vector(1709164800))", {"{}": 29}),
        ("days_in_month(vector(-2203977600))", {"{}": 28}),
        ("month(vector(-1)) + year(vector(-1))", {"{}": 12 + 1969}),
        ("minute()", {"{}": 5}),
        ('label_replace(gauge, "to", "$1-${2}-$$", "__name__", "(.)(..).*")', {'{__name__="gauge", to="g-au-$"}': 0}),
        ('label_replace(gauge, "to", "x", "__name__", "aug")', {'{__name__="gauge"}': 0}),
        ('label_replace(gauge, "to", "x", "__name__", `\\w\\S+`)', {'{__name__="gauge", to="x"}': 0}),
        ('label_replace(gauge, "__name__", "", "", "")', {"{}": 0}),
        (
            'label_join(gauge, "to", "/", "__name__", "none", "__name__")',
            {'{__name__="gauge", to="gauge//gauge"}': 0},
        ),
    ],
)
def test_functions_of_instant_vectors(query: str, expected: dict[str, float]) -> None:
    assert result(STORE, query, 300) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    ("query", "expected"),
    [("time()", 300), ("pi()", math.pi), ("scalar(gauge)", 0), ("scalar(none)", math.nan), ("-time()", -300)],
)
def test_functions_that_give_numbers(query: str, expected: float) -> None:
    assert result(STORE, query, 300) == pytest.approx(expected, nan_ok=True)


def test_scalar_of_two_elements_is_no_number() -> None:
    assert math.isnan(only(STORE, 'scalar({__name__=~"gauge|flat"})', 300) or 0)


def test_sort_puts_nan_last_in_either_direction() -> None:
    store = kept('m{a="x"} NaN', 'm{a="y"} 2', 'm{a="z"} 1', 'm{a="u"} -Inf')
    for query, order in (("sort(m)", "uzyx"), ("sort_desc(m)", "yzux")):
        found = result(store, query, 0)
        assert isinstance(found, dict)
        assert "".join(labels[-3] for labels in found) == order


BUCKETS = kept('b{le="1"} 2', 'b{le="2"} 6', 'b{le="4"} 8', 'b{le="+Inf"} 10', 'b{le="high"} 99', "b 99")


@pytest.mark.parametrize(
    ("quantile", "expected"),
    [
        ("0.1", 0.5),  # half of the first bucket, which begins at zero
        ("0.4", 1.5),
        ("0.7", 3),
        ("0.8", 4),
        ("0.95", 4),  # in the last bucket: its lower bound
        ("0", 0),
        ("-1", -math.inf),
        ("2", math.inf),
        ("NaN", math.nan),
    ],
)
def test_histogram_quantile_interpolates_within_buckets(quantile: str, expected: float) -> None:
    assert only(BUCKETS, f"histogram_quantile({quantile}, b)", 0) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("buckets", "expected"),
    [
        # A count that falls is raised to the one before: 4, 4, 6, 10, and rank 5 lies half way from 2 to 4.
        (('b{le="1"} 4', 'b{le="2"} 2', 'b{le="4"} 6', 'b{le="+Inf"} 10'), 3.0),
        (('b{le="1"} 5', 'b{le="1.0"} 5', 'b{le="+Inf"} 20'), 1.0),  # two writings of one bound are added
        (('b{le="-2"} 8', 'b{le="+Inf"} 10'), -2.0),  # no lower bound is known below zero
        (('b{le="1"} 5', 'b{le="2"} 10'), math.nan),  # without the infinite bucket
        (('b{le="+Inf"} 10',), math.nan),
        (('b{le="1"} 0', 'b{le="+Inf"} 0'), math.nan),
    ],
)
def test_histogram_quantile_repairs_or_refuses_buckets(buckets: tuple[str, ...], expected: float) -> None:
    assert only(kept(*buckets), "histogram_quantile(0.5, b)", 0) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    "query",
    [
        'abs({__name__=~"gauge|flat"})',
        'rate({__name__=~"gauge|flat"}[5m])',
        'predict_linear({__name__=~"gauge|flat"}[5m], 1)',
        'quantile_over_time(0.5, {__name__=~"gauge|flat"}[5m])',
        '-{__name__=~"gauge|flat"}',
        '{__name__=~"gauge|flat"} * 2',
        '{__name__=~"gauge|flat"} > bool 2',
        'round({__name__=~"gauge|flat"})',
        'clamp_min({__name__=~"gauge|flat"}, 1)',
        'timestamp({__name__=~"gauge|flat"})',
        'hour({__name__=~"gauge|flat"})',
        'label_replace({__name__=~"gauge|flat"}, "__name__", "same", "", "")',
        'label_join({__name__=~"gauge|flat"}, "__name__", "")',
    ],
)
def test_labels_that_become_the_same_without_the_name_are_an_error(query: str) -> None:
    with pytest.raises(PromqlError, match="vector cannot contain metrics with the same labelset"):
        result(STORE, query, 300)


def test_names_that_stay_keep_series_apart() -> None:
    found = result(STORE, 'last_over_time({__name__=~"gauge|flat"}[5m]) >= 0', 300)
    assert found == {'{__name__="gauge"}': 0, '{__name__="flat"}': 7}
