"""What promtool does not show: queries of a template, places of mistakes, bounds, and what is refused here alone."""

import pytest

from wattledger.rules.templates import (
    ExpansionError,
    QueryUse,
    TemplateData,
    TemplateSyntaxError,
    compile_template,
    format_duration_ms,
    parse_duration_ms,
)

DATA = TemplateData({"a": "b"}, 1.5, {"cluster": "c"}, "http://host:9090/path/x?y=z")


def test_the_url_of_the_host_and_its_path() -> None:
    text = compile_template("{{ externalURL }} {{ pathPrefix }} {{ $externalURL }}").expand(DATA)
    assert text == "http://host:9090/path/x?y=z /path/x http://host:9090/path/x?y=z"


@pytest.mark.parametrize(
    ("text", "uses"),
    [
        ('{{ query "up" | first | value }}', [QueryUse("up", 1, 4)]),
        ('{{ "up" | query }}', [QueryUse("up", 1, 11)]),
        ('{{ range query "a" }}{{ with query "b" }}{{ end }}{{ end }}', [QueryUse("a", 1, 10), QueryUse("b", 1, 30)]),
        ('x\n {{ printf "u{a=%q} > %f" $labels.a 2 | query }}', [QueryUse('u{a="x"} > 1', 2, 41, exact=False)]),
        ('{{ query (printf "%s" $labels.a) }}', [QueryUse("x", 1, 4, exact=False)]),
        ("{{ query $labels.a }}", [QueryUse(None, 1, 4, exact=False)]),
        ('{{ if len (query "a") }}{{ else }}{{ query "b" }}{{ end }}', [QueryUse("a", 1, 12), QueryUse("b", 1, 38)]),
        ("query", []),
    ],
)  # fmt: skip
def test_a_template_tells_its_queries(text: str, uses: list[QueryUse]) -> None:
    assert list(compile_template(text).queries()) == uses


@pytest.mark.parametrize(
    ("text", "place", "part"),
    [
        ("a\nb {{ nope }}", (2, 6), "the function `nope` is not known"),
        ("{{ humanise 1 }}", (1, 4), "did you mean `humanize`?"),
        ("a {{ if true }}\n", (1, 3), "write {{ end }}"),
        ("{{ $vlaue }}", (1, 4), "`$vlaue` is not set before"),
        ('{{ define "x" }}{{ end }}', (1, 4), "`define` is not supported"),
        ('{{ template "x" }}', (1, 4), "`template` is not supported"),
        ('{{ printf "%*d" 1 2 }}', (1, 11), "printf takes no `*`"),
        (r'{{ match "\\pL" "x" }}', (1, 10), r"the escape `\p` is not known here"),
        ("{{ (toTime $value).Format `2006` }}", (1, 4), "methods such as .Format are not supported"),
        ("{{ js `x` }}", (1, 4), "the function `js` is not known"),
        ("{{ " + "(" * 70 + "1" + ")" * 70 + " }}", (1, 68), "nested deeper than 64 levels"),
    ],
)
def test_what_is_not_supported_is_refused_with_place_and_reason(text: str, place: tuple[int, int], part: str) -> None:
    with pytest.raises(TemplateSyntaxError) as caught:
        compile_template(text)
    assert (caught.value.line, caught.value.column) == place
    assert part in str(caught.value)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("{{ .Nope }}", "there is no .Nope; write .Labels"),
        ("{{ gt $value 1 }}", "write the number with a point, such as 5.0"),
        ('{{ query "up" }}', "queries cannot be run here"),
        ('{{ printf "%2000000d" 1 }}{{ nil }}', ""),
    ],
)
def test_what_cannot_be_expanded_says_why(text: str, part: str) -> None:
    with pytest.raises((ExpansionError, TemplateSyntaxError)) as caught:
        compile_template(text).expand(DATA)
    assert part in str(caught.value)


def test_a_text_without_end_is_cut_off_by_a_limit() -> None:
    text = '{{ $x := printf "%999999d" 1 }}{{ $x }}{{ $x }}'
    with pytest.raises(ExpansionError, match="longer than 1000000 characters"):
        compile_template(text).expand(DATA)


def test_variables_do_not_leak_from_one_expansion_to_the_next() -> None:
    template = compile_template("{{ $x := 1 }}{{ range $labels }}{{ $x = 2 }}{{ end }}{{ $x }}")
    assert [template.expand(DATA), template.expand(DATA)] == ["2", "2"]


def test_only_a_text_without_actions_is_constant() -> None:
    assert compile_template("plain }} text").is_constant
    assert not compile_template("{{ 1 }}").is_constant


@pytest.mark.parametrize(
    ("text", "duration_ms"),
    [("0", 0), ("5m", 300_000), ("1y2w3d4h5m6s7ms", 33_019_506_007), ("90s", 90_000), ("60m", 3_600_000)],
)
def test_durations_are_read_as_prometheus_reads_them(text: str, duration_ms: int) -> None:
    assert parse_duration_ms(text) == duration_ms
    assert parse_duration_ms(format_duration_ms(duration_ms)) == duration_ms


@pytest.mark.parametrize(
    ("duration_ms", "text"),
    [
        (0, "0s"),
        (90_000, "1m30s"),
        (604_800_000, "1w"),
        (691_200_000, "8d"),
        (31_536_000_000, "1y"),
        (1_500, "1s500ms"),
    ],
)
def test_durations_are_written_as_prometheus_writes_them(duration_ms: int, text: str) -> None:
    assert format_duration_ms(duration_ms) == text


def test_title_raises_the_first_letter_of_words_as_prometheus_3_has_them() -> None:
    text = compile_template('{{ title "a.b-c o\'neil d_e x:y z: 1a .b été" }}').expand(DATA)
    assert text == "A.b-C O'neil D_e X:y Z: 1a .B Été"
