"""What is refused at load: with the place in the text, and a reason that says what to do."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rules.promql.oracle import Kept
from wattledger.rules.promql.calls import REFUSED, SUPPORTED
from wattledger.rules.promql.expression import compile_expression
from wattledger.rules.promql.model import PromqlError


@pytest.mark.parametrize(
    ("query", "place", "reason"),
    [
        ("", "", "the expression is empty"),
        ("# nothing", "# nothing", "the expression is empty"),
        ("1 + histogram_sum(m)", "histogram_sum(m)", "native histograms are not supported"),
        (
            "abs(m) / histogram_fraction(0, 1, m)",
            "histogram_fraction(0, 1, m)",
            "native histograms are not supported",
        ),
        ("sum by (info) (info(m))", "info(m))", "info is an experimental function"),
        ("sum(limitk(1, m))", "limitk(1, m))", "limitk is an experimental function"),
        ("limit_ratio(0.1, m)", "limit_ratio(0.1, m)", "experimental"),
        ("m + mad_over_time(m[5m])", "mad_over_time(m[5m])", "mad_over_time is an experimental function"),
        ('sort_by_label(m, "a")', 'sort_by_label(m, "a")', "experimental"),
        ("1 + holt_winters(m[5m], 0.5, 0.5)", "holt_winters(m[5m], 0.5, 0.5)", "experimental"),
        ("m * start()", "start()", "start is an experimental function"),
        ("a + fill (0) b", "+ fill (0) b", "fill values are experimental"),
        ('a + m{a="b" or c="d"}', 'm{a="b" or c="d"}', "matchers joined by `or` are not PromQL"),
        ("rate(m[5m] anchored)", "anchored)", "unexpected"),
        ("m @ -5", "-5", "@ takes no time before 1970"),
        ("m * 1e400", "1e400", "the number 1e400 is out of range"),
        ("m offset 99999999999999999999", "99999999999999999999", "the time 99999999999999999999 is out of range"),
        ("m offset -Inf", "Inf", "the time Inf is out of range"),
        ("rate(m[1e30])", "1e30])", "the time 1e30 is out of range"),
        ("m @ 99999999999999", "99999999999999", "out of range"),
        ("m offset 300y", "300y", "the number 300y is out of range"),
        ("m[5m]", "m[5m]", "a range vector is no result"),
        ("(m[5m:1m])", "(m[5m:1m])", "a range vector is no result"),
        ('m + n{a=~"(?m)x"}', 'n{a=~"(?m)x"}', "regular expression"),
        ('label_replace(m, "a", "b", "c", "(")', 'label_replace(m, "a", "b", "c", "(")', r"missing \)"),
        ('label_replace(m, "", "b", "c", "")', "label_replace", "the destination label of label_replace has no name"),
        ('label_join(m, "a", "b", "")', "label_join", "the source label of label_join has no name"),
        ('count_values("", m)', "count_values", "the label of count_values has no name"),
        ("foo(m)", "foo(m)", "unknown function"),
        ("sum(rate(m))", "rate(m))", "expected type matrix in call to function 'rate'"),
        ("1 + + ", "", "unexpected end"),
        ("sum(a) by b", "b", "unexpected end or token"),
        ("a + on b", "b", "unexpected end or token"),
        ("(a + (b)) + (c + d", "(c + d", "unclosed left parenthesis"),
        ('m{a="b"', "", "unexpected end of input inside braces"),
        ("m offset", "", "unexpected end of input in offset"),
        ("m{a b}", "b}", "unexpected end or token"),
        ("1 + {}", "1 + {}", "at least one non-empty matcher"),
        ("a b", "b", "unexpected end or token"),
        ("a\n  + é", "é", "unexpected character"),
        ("rate(m[5m) + 1", ") + 1", "unexpected"),
    ],
)
def test_it_is_refused_with_place_and_reason(query: str, place: str, reason: str) -> None:
    with pytest.raises(PromqlError, match=reason) as raised:
        compile_expression(query)
    assert query[raised.value.position :].startswith(place)
    assert raised.value.position == (query.rindex(place) if place else len(query) * bool(query.strip()))


@pytest.mark.parametrize(
    ("begin", "end"), [("(", ")"), ("1 + ", ""), ("-", ""), ("abs(", ")"), ("m ^ ", ""), ("a or ", "")]
)
def test_nesting_without_end_is_refused_before_the_parser_overflows_its_stack(begin: str, end: str) -> None:
    with pytest.raises(PromqlError, match="split the rule"):
        compile_expression(begin * 10_000 + "m" + end * 10_000)
    assert compile_expression(begin * 200 + "m" + end * 200).evaluate(Kept([]), 0)


_WORDS = [
    *("m", "rate", "(", ")", "[", "]", "{", "}", ",", ":", "=", "=~", "@", "-", "+", "==", "#", "\n", "é", "$"),
    *("5m", "1m", "1", "0x", "1e999", "1e30", "NaN", '"a"', "`b\\`", "start()", "offset", "by", "on", "sum", "topk"),
    *("bool", "and", "fill"),
]


@settings(derandomize=True, max_examples=300)
@given(st.one_of(st.text(max_size=20), st.lists(st.sampled_from(_WORDS), max_size=12).map(" ".join)))
def test_law_any_text_is_an_expression_or_refused_at_a_place_within_it(text: str) -> None:
    try:
        compile_expression(text).evaluate(Kept([]), 0)
    except PromqlError as error:
        assert 0 <= error.position <= len(text)  # noqa: PT017 - most texts are refused, some are not


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_no_refused_function_slips_through(name: str) -> None:
    for arguments in ("", "m", "m[5m]", "1, m", "0, 1, m", 'm, "a"', "m[5m], 0.5, 0.5", 'm, "a", 0.5', "1"):
        with pytest.raises(PromqlError):
            compile_expression(f"{name}({arguments})")


def test_the_parser_knows_what_is_supported() -> None:
    import promql_parser  # noqa: PLC0415 - heavy, and only this test looks into it

    assert {name for name in SUPPORTED if _is_known(promql_parser.parse, name)} == SUPPORTED
    assert not set(REFUSED) & SUPPORTED


def _is_known(parse: Callable[[str], object], name: str) -> bool:
    try:
        parse(f"{name}()")
    except ValueError as error:
        return "unknown function" not in str(error)
    return True
