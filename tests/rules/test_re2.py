"""RE2 in Python's dialect, as matchers and templates share it: what a pattern finds, and what is refused and why."""

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rules.pattern_tables import ENDLESS, EVERY, REFUSED, REFUSED_IN_MATCHERS, WHOLE, WHOLE_TEXTS
from wattledger.rules.re2 import Re2Error, compile_re2


def whole(pattern: str) -> re.Pattern[str]:
    """Compile as text of its own what Prometheus makes of a matcher's pattern."""
    flags = re.match(r"\(\?([is]*)\)", pattern)  # for the whole: they are written at the very start
    letters, rest = (flags[1], pattern[flags.end() :]) if flags else ("", pattern)
    return compile_re2(f"(?{letters}s)^(?:{rest})$", matcher=False)


@pytest.mark.parametrize(("pattern", "accepted", "rejected"), WHOLE)
def test_a_pattern_means_what_prometheus_makes_of_it(pattern: str, accepted: list[str], rejected: list[str]) -> None:
    compiled = whole(pattern)
    assert [text for text in accepted if not compiled.search(text)] == []
    assert [text for text in rejected if compiled.search(text)] == []


@pytest.mark.parametrize("matcher", [True, False])
@pytest.mark.parametrize("pattern", REFUSED)
def test_what_python_takes_otherwise_is_refused_with_a_reason(pattern: str, *, matcher: bool) -> None:
    with pytest.raises(Re2Error, match=r"\w"):
        compile_re2(pattern, matcher=matcher)


@pytest.mark.parametrize("pattern", ENDLESS)
def test_what_could_backtrack_for_ever_is_refused_and_says_so(pattern: str) -> None:
    with pytest.raises(Re2Error, match="may take long"):
        compile_re2(pattern, matcher=True)


@pytest.mark.parametrize("pattern", REFUSED_IN_MATCHERS)
def test_what_is_refused_in_matchers_alone(pattern: str) -> None:
    with pytest.raises(Re2Error, match=r"matchers|written first, last or"):
        compile_re2(pattern, matcher=True)
    assert compile_re2(pattern, matcher=False).search("a\nb")


def test_both_users_accept_the_same_texts() -> None:
    compared = 0
    for pattern in EVERY:
        try:
            of_matcher = compile_re2(pattern, matcher=True)
        except Re2Error:
            continue
        found = [of_matcher.fullmatch(text) is not None for text in WHOLE_TEXTS]
        assert found == [whole(pattern).search(text) is not None for text in WHOLE_TEXTS], pattern
        compared += 1
    assert compared > 80


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("a.b", "a\nb", None),
        ("(?s)a.b", "a\nb", "a\nb"),
        ("(?s:a.)b", "a\nb", "a\nb"),
        ("^b", "a\nb", None),
        ("a$", "a\n", None),
        ("(?m)^b$", "a\nb\nc", "b"),
        ("(?m)$b", "a\nb", None),
        ("(?im)^B$", "a\nb", "b"),
        ("(?i)É", "é", "é"),
        ("(?i)s", "\u017f", "\u017f"),  # the long s, of one case by Unicode
        ("[a-c-e]+", "d-bd", "-b"),
        (r"[\w-.]+", "!a-b.c", "a-b.c"),
    ],
)
def test_what_a_search_finds(pattern: str, text: str, found: str | None) -> None:
    match = compile_re2(pattern, matcher=False).search(text)
    assert (match and match[0]) == found


PIECES = st.sampled_from(
    [*"ab.*+?|()[]^$-{},:0\\é", "(?", "(?i", "(?:", "(?P<n>", "[:alpha:]", "{2}", r"\Q", r"\x{", "&&", "~~"]
)


@pytest.mark.parametrize("matcher", [True, False])
@given(pattern=st.lists(PIECES, max_size=12).map("".join))
def test_any_text_is_a_pattern_or_refused(pattern: str, *, matcher: bool) -> None:
    with contextlib.suppress(Re2Error):  # Python's own errors and warnings would end the test
        compiled = compile_re2(pattern, matcher=matcher)
        assert compiled.flags & re.DOTALL or not matcher


def test_a_pattern_that_is_nested_too_deep_is_refused() -> None:
    with pytest.raises(Re2Error, match="recursion"):
        compile_re2("(" * 2000 + ")" * 2000, matcher=True)
