"""Strategies for expressions of every supported function and operator, as text, of bounded depth."""

import functools
import re

from hypothesis import strategies as st

from tests.rules.promql.generator import Dialect

_UNARY = [
    *("abs", "ceil", "floor", "round", "sgn", "sqrt", "deg", "rad", "timestamp", "sort", "sort_desc"),
    *("minute", "hour", "day_of_week", "day_of_month", "day_of_year", "days_in_month", "month", "year"),
]
# Their last digit depends on the library, and `%` or the sine of a large number would make it the first: outermost.
_INEXACT = [
    *("exp", "ln", "log2", "log10", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh"),
    *("asinh", "acosh", "atanh"),
]
_OVER_ANY = [
    *("delta", "idelta", "deriv", "changes", "resets", "avg_over_time", "min_over_time", "max_over_time"),
    *("sum_over_time", "count_over_time", "last_over_time", "present_over_time", "stdvar_over_time"),
    *("stddev_over_time", "absent_over_time"),
]
_OF_COUNTERS = ["rate", "increase", "irate"]
_AGGREGATIONS = ["sum", "avg", "min", "max", "count", "group"]
_LABELS = ["gpu", "host", "mode", "le"]
_NUMBERS = ["0", "1", "2", "-1", "0.5", "3.7", "10", "1e3", "Inf", "-Inf", "NaN", "100"]
_QUANTILES = ["0", "0.5", "0.9", "1", "0.33", "-1", "2", "NaN"]

Text = st.SearchStrategy[str]
numbers = st.sampled_from(_NUMBERS)
durations = st.sampled_from(["40s", "1m", "2m", "5m", "10m", "65s"])
label_lists = st.lists(st.sampled_from(_LABELS), max_size=2, unique=True).map(", ".join)


_MODIFIERS = [
    "",
    "",
    "",
    "",
    " offset 1m",
    " offset 5m",
    " offset -1m",
    " @ start()",
    " @ end()",
    " offset 2m @ end()",
]
_PINNED = [" @ <0>", " @ <-61>", " @ <-300>", " @ <30>"]
_modifiers = st.sampled_from(_MODIFIERS + _PINNED)
_offsets = st.sampled_from([modifier for modifier in _MODIFIERS if "@" not in modifier])


def pin(query: str, at_ms: int) -> str:
    """Put times in place of `<seconds after the evaluation>`, so that the text drawn does not depend on the day."""
    return re.sub(r"<(-?\d+)>", lambda pinned: f"{at_ms / 1000 + int(pinned[1]):.3f}", query)


_MATCHERS = (
    '{gpu="0"}', '{gpu!="1"}', '{host=~"a|b"}', '{gpu=~"[01]"}', '{gpu!~"2|"}', '{host=~".*",gpu=~"1"}', '{mode=""}',
    '{gpu=~"(?i)A?0"}', '{host!~"b.*"}', '{mode=~"y\\\\s\\\\w"}',
    '{le="+Inf"}', '{gpu=~"\\\\d{1,2}"}', '{host=~"[[:alpha:]]"}',
)  # fmt: skip
_SELECTORS = ["draw", "heat", "bare", "energy_total", "wait_bucket", "missing"]
_GROUPS = ['{__name__=~"draw|heat"}', '{__name__=~"draw|bare",mode=""}', '{__name__=~".+_total|draw",gpu!="2"}']


def selectors(*, counters: bool = False) -> Text:
    """Draw a selector without a range: name and matchers, and what goes after the range."""
    names = ["energy_total", "energy_total", "wait_bucket"] if counters else _SELECTORS
    named = st.tuples(st.sampled_from(names), st.sampled_from(["", "", *_MATCHERS])).map("".join)
    return named if counters else st.one_of(named, named, named, st.sampled_from(_GROUPS))


def instants() -> Text:
    """Draw an instant selector."""
    return st.tuples(selectors(), _modifiers).map("".join)


_plain_ranges = st.tuples(selectors(), durations.map("[{}]".format)).map("".join)


def ranges(vectors: Text, *, counters: bool) -> Text:
    """Draw a range selector or a subquery; subqueries over counters take the counters themselves."""
    direct = st.tuples(selectors(counters=counters), durations.map("[{}]".format), _modifiers).map("".join)
    inner = selectors(counters=True) if counters else vectors
    steps = st.sampled_from(["[5m100ms:30s]", "[2m100ms:]", "[100s100ms:20s]", "[3m100ms:1m]"])
    subquery = st.tuples(inner.map("({})".format), steps, _modifiers).map("".join)
    return st.one_of(direct, direct, subquery)


def _calls(vectors: Text, scalars: Text, dialect: Dialect) -> Text:
    any_range = ranges(vectors, counters=False)
    counter_range = any_range if dialect.gaps_in_counters else ranges(vectors, counters=True)
    of_prediction = _modifiers if dialect.pinned_predictions else _offsets
    return st.one_of(
        st.tuples(st.sampled_from(_UNARY), vectors).map(lambda p: f"{p[0]}({p[1]})"),
        st.tuples(st.sampled_from(_OVER_ANY), any_range).map(lambda p: f"{p[0]}({p[1]})"),
        st.tuples(st.sampled_from(_OF_COUNTERS), counter_range).map(lambda p: f"{p[0]}({p[1]})"),
        st.tuples(st.sampled_from(_QUANTILES), any_range).map(lambda p: f"quantile_over_time({p[0]}, {p[1]})"),
        # Not over subqueries with `@`: Prometheus loses their samples there (its issue 18610).
        st.tuples(_plain_ranges, of_prediction, numbers).map(lambda p: f"predict_linear({p[0]}{p[1]}, {p[2]})"),
        st.tuples(vectors, numbers).map(lambda p: f"predict_linear(({p[0]})[5m100ms:30s] offset 1m, {p[1]})"),
        st.tuples(vectors, scalars, scalars).map(lambda p: f"clamp({p[0]}, {p[1]}, {p[2]})"),
        st.tuples(st.sampled_from(["clamp_min", "clamp_max", "round"]), vectors, scalars).map(
            lambda p: f"{p[0]}({p[1]}, {p[2]})"
        ),
        st.tuples(st.sampled_from(_QUANTILES), vectors).map(lambda p: f"histogram_quantile({p[0]}, {p[1]})"),
        counter_range.map(lambda r: f"histogram_quantile(0.9, sum by (le, host) (rate({r})))"),
        vectors.map("absent({})".format),
        scalars.map("vector({})".format),
        st.tuples(vectors, st.sampled_from(_REPLACEMENTS)).map(lambda p: f"label_replace({p[0]}, {p[1]})"),
        st.tuples(vectors, st.sampled_from(_JOINS)).map(lambda p: f"label_join({p[0]}, {p[1]})"),
        st.sampled_from(["hour()", "day_of_year()", "minute()", "year()", "days_in_month()"]),
    )


_REPLACEMENTS = (
    '"host", "$1", "gpu", "(.)"', '"new", "${1}-$1x-$$", "host", "(a|b)"', '"gpu", "", "gpu", "1"',
    '"__name__", "other", "gpu", "(0|1)"', '"host", "same", "host", ".*"',
    '"new", "$letter", "host", "(?P<letter>[a-z])"',
    '"new", "$1", "missing", "(.*)"', '"new", "v", "host", "nothing"',
)  # fmt: skip
_JOINS = ('"new", "-", "gpu", "host"', '"host", ""', '"gpu", ",", "mode", "missing"', '"new", "/", "__name__", "gpu"')


def _aggregations(vectors: Text, scalars: Text, dialect: Dialect) -> Text:
    modifiers = st.one_of(
        st.just(""),
        label_lists.map(" by ({})".format),
        label_lists.map(" without ({})".format),
        st.just(" by (__name__)"),
    )
    plain = st.tuples(st.sampled_from(_AGGREGATIONS), modifiers, vectors).map(lambda p: f"{p[0]}{p[1]} ({p[2]})")
    # Of equal values topk keeps some, so only counts of what it gives can be compared.
    extremes = st.tuples(
        st.sampled_from(["topk", "bottomk"]), modifiers, st.sampled_from(["1", "2", "3", "0", "-1"]), vectors
    )
    # 2.42 refuses a count of -Inf, of which 3 gives nothing.
    number = "scalar(bare)" if dialect.huge else "scalar(clamp_min(bare, 0))"
    finite = vectors if dialect.huge else vectors.map("({}) > -1e9 < 1e9".format)
    deviations = st.tuples(st.sampled_from(["stddev", "stdvar"]), modifiers, finite)
    return st.one_of(
        plain,
        plain,
        deviations.map(lambda p: f"{p[0]}{p[1]} ({p[2]})"),
        st.tuples(modifiers, st.sampled_from(_QUANTILES), vectors).map(lambda p: f"quantile{p[0]} ({p[1]}, {p[2]})"),
        st.tuples(modifiers, vectors).map(lambda p: f'count_values{p[0]} ("value", {p[1]})'),
        extremes.map(lambda p: f"count({p[0]}{p[1]} ({p[2]}, {p[3]}))"),
        st.tuples(st.sampled_from(["sum(topk(2, {}))", "max(bottomk(2, {}))"]), vectors).map(
            lambda p: p[0].format(p[1])
        ),
        st.sampled_from(["topk(NaN, draw)", f"topk({number}, draw)", "count(bottomk(Inf, heat))", "topk(0.9, draw)"]),
    )


_ARITHMETIC = ["+", "-", "*", "/", "%"]
_COMPARISON = ["==", "!=", ">", "<", ">=", "<="]


def _binaries(vectors: Text, scalars: Text, dialect: Dialect) -> Text:
    compare = st.sampled_from(_COMPARISON)
    plain = st.one_of(st.sampled_from(_ARITHMETIC), compare.map("{} bool".format))
    with_filters = st.one_of(plain, compare)
    # Of pairs that a comparison filters away 2.42 allows many to match the same, 3 none.
    joining = with_filters if dialect.filters_join else plain
    on = st.one_of(label_lists.map(" on ({}) ".format), label_lists.map(" ignoring ({}) ".format))
    grouped = st.tuples(
        on, st.sampled_from(["group_left", "group_right"]), st.sampled_from(["", "(gpu)", "(mode)"])
    ).map("".join)
    one_side = st.one_of(
        vectors, label_lists.map("max by ({}) (draw)".format), label_lists.map("sum by ({}) (heat)".format)
    )
    sets = st.sampled_from(["and", "or", "unless"])
    return st.one_of(
        st.tuples(vectors, with_filters, scalars).map(lambda p: f"({p[0]}) {p[1]} ({p[2]})"),
        st.tuples(scalars, with_filters, vectors).map(lambda p: f"({p[0]}) {p[1]} ({p[2]})"),
        st.tuples(vectors, joining, vectors).map(lambda p: f"({p[0]}) {p[1]} ({p[2]})"),
        st.tuples(vectors, joining, on, one_side).map(lambda p: f"({p[0]}) {p[1]}{p[2]}({p[3]})"),
        st.tuples(vectors, joining, grouped, one_side).map(lambda p: f"({p[0]}) {p[1]}{p[2]} ({p[3]})"),
        st.tuples(one_side, joining, grouped, vectors).map(lambda p: f"({p[0]}) {p[1]}{p[2]} ({p[3]})"),
        st.tuples(vectors, compare, vectors).map(lambda p: f"sum by (gpu) ({p[0]}) {p[1]} max by (gpu) ({p[2]})"),
        compare.map("energy_total {} on (gpu, host) draw".format),
        st.tuples(vectors, sets, vectors).map(lambda p: f"({p[0]}) {p[1]} ({p[2]})"),
        st.tuples(vectors, sets, on, vectors).map(lambda p: f"({p[0]}) {p[1]}{p[2]}({p[3]})"),
        vectors.map("-({})".format),
    )


def _scalars(vectors: Text) -> Text:
    simple = st.one_of(numbers, numbers, st.sampled_from(["time()", "pi()", "scalar(bare)", "-scalar(bare)"]))
    bool_comparison = st.sampled_from(_COMPARISON).map("{} bool".format)
    pair = st.tuples(simple, st.one_of(st.sampled_from(_ARITHMETIC), bool_comparison), simple)
    return st.one_of(simple, simple, vectors.map("scalar({})".format), pair.map(lambda p: f"({p[0]} {p[1]} {p[2]})"))


@st.composite
def expressions(draw: st.DrawFn, dialect: Dialect) -> str:
    """Draw an expression; `pin` makes it a query."""
    return draw(_expressions(dialect))


@functools.cache
def _expressions(dialect: Dialect) -> Text:
    vectors = instants()
    for _ in range(2):
        scalars = _scalars(vectors)
        vectors = st.one_of(
            vectors,
            _calls(vectors, scalars, dialect),
            _aggregations(vectors, scalars, dialect),
            _binaries(vectors, scalars, dialect),
        )
    inexact = st.tuples(st.sampled_from(_INEXACT), vectors).map(lambda p: f"{p[0]}({p[1]})")
    operators = st.sampled_from(["^", *dialect.operators])
    powers = st.one_of(
        st.tuples(vectors, operators, numbers).map(lambda p: f"({p[0]}) {p[1]} {p[2]}"),
        st.tuples(numbers, operators, vectors).map(lambda p: f"{p[0]} {p[1]} ({p[2]})"),
        st.tuples(operators, vectors).map(lambda p: f"draw {p[0]} on (gpu, host) sum by (gpu, host) ({p[1]})"),
    )
    numeric = st.tuples(numbers, st.sampled_from(["^", "atan2"]), _scalars(vectors)).map(
        lambda p: f"{p[0]} {p[1]} ({p[2]})"
    )
    return st.one_of(vectors, vectors, vectors, vectors, inexact, powers, _scalars(vectors), numeric)


_PIECES = r"a b c 0 . .* + * ? | ( ) (?: (?i: (?P<n> [ab] [^a] [a-c] [[:digit:]] \d \w \s \S \b \. \x41 \x{e9} \z ^ $ {2} {1,3} {,2} {2,} { } - ] [ & \Q+\E [a&&b] [a-] [-a] [\w.] é A (?<m> (?i)".split()  # noqa: E501, SIM905 - as a list it would be a page
patterns = st.lists(st.sampled_from(_PIECES), max_size=5).map("".join)
_TEXTS = [
    "",
    "a",
    "b",
    "ab",
    "abc",
    "aab",
    "0",
    "a.b",
    "A",
    "é",
    "a b",
    "-",
    "aa",
    "{",
    "a{,2}",
    "+",
    "a]",
    "&",
    "_",
    "ABC",
    "٣",
]
texts = st.sampled_from(_TEXTS)
