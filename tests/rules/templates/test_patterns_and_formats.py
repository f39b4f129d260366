"""Patterns and formats, many of them, through ours and through the real promtool in one run each."""

import json
import random
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.rules.pattern_tables import EVERY, REFUSED_THOUGH_RIGHT, TEXTS
from tests.rules.templates import promtool_texts as promtool
from wattledger.rules.templates import ExpansionError, TemplateData, TemplateSyntaxError, compile_template
from wattledger.rules.templates.go_numbers import format_float, parse_float
from wattledger.rules.templates.go_quote import quoted_text, unquoted

FAILURE = "<error expanding template:"

REPLACEMENTS = ("<$0>", "$1-$2", "${1}x", "$n", "$$", "x")


def ours(text: str, value: float) -> str:
    try:
        return compile_template(text).expand(TemplateData({}, value, promtool.EXTERNAL_LABELS))
    except (ExpansionError, TemplateSyntaxError):
        return FAILURE


def differences(texts: list[str], folder: Path, value: str) -> list[tuple[str, str, str]]:
    (theirs,) = promtool.expanded(texts, [promtool.InputSeries({}, value)], folder)
    found = []
    for text, expected in zip(texts, theirs, strict=True):
        got = ours(text, float(value))
        if got != (FAILURE if expected.startswith(FAILURE) else expected):
            found.append((text, got, expected))
    return found


def test_patterns_mean_what_they_mean_in_go(tmp_path: Path) -> None:
    texts: list[str] = []
    for index, pattern in enumerate(EVERY):
        literal = quoted_text(pattern)
        for text in TEXTS:
            replacement = quoted_text(REPLACEMENTS[index % len(REPLACEMENTS)])
            texts.append(f"{{{{ match {literal} {quoted_text(text)} }}}}")
            texts.append(f"{{{{ reReplaceAll {literal} {replacement} {quoted_text(text)} }}}}")
    found = differences(texts, tmp_path, "1")
    refused_here = {text.split(" ")[2] for text, got, _ in found if got == FAILURE}
    assert [one for one in found if one[1] != FAILURE] == []
    assert refused_here <= {quoted_text(pattern) for pattern in REFUSED_THOUGH_RIGHT}


def test_random_formats_are_carried_out_as_in_go(tmp_path: Path) -> None:
    chance = random.Random(7)  # noqa: S311  (cases, not secrets)
    texts: list[str] = []
    while len(texts) < 600:
        flags = "".join(chance.choice(("", "", "-", "+", "0", " ")) for _ in range(2))
        width, precision = chance.choice(("", "", "1", "6", "12")), chance.choice(("", "", ".", ".0", ".2", ".7"))
        verb = chance.choice("vdsqxXobcUeEfFgGtT%zw")
        argument = chance.choice(("$value", "$value", "7", "-42", "1.5", '"aé"', "true", "65", "$externalLabels"))
        if verb in "xX" and precision and argument in ("$value", "1.5"):
            continue  # hexadecimal floats with a precision are refused here
        layout = quoted_text(f"<%{flags}{width}{precision}{verb}>")
        texts.append(f"{{{{ printf {layout} {argument} }}}}")
    for value in ("0.1", "-1234567.891", "1e21"):
        assert differences(texts, tmp_path, value) == []


@given(st.floats())
def test_the_shortest_text_of_a_number_reads_back_as_the_number(value: float) -> None:
    for verb in "efg":
        read = parse_float(format_float(value, verb))
        assert read == value or (value != value and read != read)  # noqa: PLR0124


@given(st.text())
def test_a_quoted_text_reads_back_as_the_text(text: str) -> None:
    if not any(0xD800 <= ord(c) <= 0xDFFF for c in text):
        assert unquoted(quoted_text(text)) == text
        assert json.loads(json.dumps(text)) == text


PIECES = st.sampled_from(
    [
        "{{",
        "}}",
        "{{-",
        "-}}",
        "if",
        "else",
        "end",
        "range",
        "with",
        "$x",
        ":=",
        "=",
        "|",
        "(",
        ")",
        ".",
        ".Labels",
        "$labels.a",
        "$value",
        "1",
        "1.5",
        "`a`",
        '"b"',
        "'c'",
        ",",
        "eq",
        "printf",
        "query",
        "first",
        "/*",
        "*/",
        "nil",
        "true",
        "break",
        "and",
    ]
)


@given(st.lists(PIECES, max_size=25).map(" ".join))
def test_any_text_is_a_template_or_refused_with_a_place(text: str) -> None:
    refusal, expanded = None, ""
    try:
        expanded = compile_template(text).expand(TemplateData({"a": "b"}, 1.5, {}))
    except TemplateSyntaxError as error:
        refusal = error
    except ExpansionError as error:
        expanded = str(error)
    if refusal is not None:
        assert refusal.line == 1
        assert 1 <= refusal.column <= len(text) + 1
    assert isinstance(expanded, str)
