"""RE2 patterns: what they accept, always the whole text, and what is refused for Python takes it otherwise."""

import pytest

from wattledger.rules.promql.matcher import Matcher, MatchOp, accept_all
from wattledger.rules.promql.regex import RegexError, compile_anchored


@pytest.mark.parametrize(
    ("pattern", "accepted", "rejected"),
    [
        ("a|bc", ["a", "bc"], ["abc", "ac", "b", ""]),
        ("", [""], ["a"]),
        ("|a", ["", "a"], ["b"]),
        (".*", ["", "a\nb"], []),  # a dot is any character, a new line too
        (".", ["é", "\n"], ["", "ab"]),
        ("a.?", ["a", "ab"], ["abc", "xa"]),
        (r"\d+", ["12"], ["٣", "1a"]),  # digits are those of ASCII
        (r"\w+", ["a_9"], ["é"]),
        (r"\s", [" ", "\t", "\n"], ["\v", "\u00a0"]),
        (r"a\b.", ["a ", "aé"], ["ab"]),
        (r"\D\W\S", ["a-b"], ["1-b"]),
        ("^a$", ["a"], ["a\n", "ba"]),
        (r"\Aa\z", ["a"], ["a\n"]),
        ("a{2}", ["aa"], ["a", "a{2}"]),
        ("a{2,}", ["aa", "aaa"], ["a"]),
        ("a{,2}", ["a{,2}"], ["", "a", "aa"]),  # no quantifier in RE2
        ("{", ["{"], [""]),
        ("a{x}", ["a{x}"], []),
        ("(?:ab)*?", ["", "abab"], ["aba"]),
        ("(?i)gpu", ["GPU", "gpu"], ["gp"]),
        ("(?i:g)pu", ["Gpu"], ["GPU"]),
        ("(?P<n>a)(?<m>b)", ["ab"], []),
        ("[a-c-]", ["b", "-"], ["d"]),
        ("[-a]", ["-"], ["b"]),
        ("[]a]", ["]", "a"], ["[]"]),
        ("[^]a]", ["b"], ["]", "a"]),
        ("[a&&b]", ["&", "a"], ["&&"]),
        ("[[a]", ["[", "a"], ["]"]),
        (r"[\d.]+", ["1.5"], ["a"]),
        ("[[:alpha:][:digit:]]+", ["a1"], ["-"]),
        ("[[:space:]]", ["\v"], ["a"]),
        (r"\x41\x{e9}\t", ["Aé\t"], []),
        (r"\Qa.b\E+", ["a.bbb"], ["axb"]),
        (r"\.\-\_\/", [".-_/"], []),
        ("a#b c", ["a#b c"], []),
    ],
)
def test_a_pattern_is_about_the_whole_text(pattern: str, accepted: list[str], rejected: list[str]) -> None:
    compiled = compile_anchored(pattern)
    assert [text for text in accepted if not compiled.fullmatch(text)] == []
    assert [text for text in rejected if compiled.fullmatch(text)] == []


@pytest.mark.parametrize(
    "pattern",
    [
        "(", ")", ")(", "a)", "[a", "[", "a**", "a*+", "a++", "a{2}{3}", "*a", "|*", "(*a)", "a{1001}", "a{3,2}",
        "[b-a]", r"\1", r"(a)\1", r"\pL", r"\p{Greek}", r"\C", r"\Z", r"\u00e9", "\\", r"[\D]", "[[:^alpha:]]",
        "[[:greek:]]", "(?=a)", "(?!a)", "(?<=a)b", "(?>a)", "(?#c)", "(?x)a", "(?m)a", "(?U)a", "(?-s).", "a(?i)b",
        "(?P=n)", "[a-c-e]",
    ],
)  # fmt: skip
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
