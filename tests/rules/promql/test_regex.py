"""RE2 patterns: what they accept, always the whole text, and what is refused for Python takes it otherwise."""

import pytest

from tests.rules.pattern_tables import REFUSED, REFUSED_IN_MATCHERS, WHOLE
from wattledger.rules.promql.matcher import Matcher, MatchOp, accept_all
from wattledger.rules.promql.regex import RegexError, compile_anchored


@pytest.mark.parametrize(("pattern", "accepted", "rejected"), WHOLE)
def test_a_pattern_is_about_the_whole_text(pattern: str, accepted: list[str], rejected: list[str]) -> None:
    compiled = compile_anchored(pattern)
    assert [text for text in accepted if not compiled.fullmatch(text)] == []
    assert [text for text in rejected if compiled.fullmatch(text)] == []


@pytest.mark.parametrize("pattern", [*REFUSED, *REFUSED_IN_MATCHERS])
def test_what_python_takes_otherwise_or_not_at_all_is_refused(pattern: str) -> None:
    with pytest.raises(RegexError, match="regular expression"):
        compile_anchored(pattern)


@pytest.mark.parametrize(
    ("op", "value", "accepted", "rejected"),
    [
        (MatchOp.EQUAL, "a", ["a"], ["", "b", "A"]),
        (MatchOp.NOT_EQUAL, "a", ["", "b"], ["a"]),
        (MatchOp.REGEX, "a.*", ["a", "ab"], ["", "ba"]),
        (MatchOp.NOT_REGEX, "a.*", ["", "ba"], ["a", "ab"]),
        (MatchOp.REGEX, "a", ["a"], ["ab", "ba"]),
        (MatchOp.EQUAL, "", [""], ["a"]),
    ],
)
def test_each_matcher(op: MatchOp, value: str, accepted: list[str], rejected: list[str]) -> None:
    matcher = Matcher("label", op, value)
    assert [text for text in accepted if not matcher.accepts(text)] == []
    assert [text for text in rejected if matcher.accepts(text)] == []


def test_a_label_that_is_missing_is_the_empty_text() -> None:
    labels = {"__name__": "m", "gpu": "0"}
    assert accept_all([Matcher("host", MatchOp.EQUAL, ""), Matcher("gpu", MatchOp.NOT_EQUAL, "")], labels)
    assert not accept_all([Matcher("host", MatchOp.NOT_REGEX, ".*")], labels)


def test_matchers_are_equal_and_written_as_in_a_query() -> None:
    assert Matcher("a", MatchOp.REGEX, "b.*") == Matcher("a", MatchOp.REGEX, "b.*")
    assert len({Matcher("a", MatchOp.EQUAL, "b"), Matcher("a", MatchOp.EQUAL, "b")}) == 1
    assert str(Matcher("a", MatchOp.NOT_REGEX, 'x"\\\n')) == 'a!~"x\\"\\\\\\n"'
