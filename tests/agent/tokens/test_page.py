"""Pages as servers write them, and as nobody should: any bytes give samples or one kind of error."""

import contextlib
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from wattledger.agent.tokens.catalogue import load_catalogue
from wattledger.agent.tokens.page import LINES_LIMIT, PageError, read_samples
from wattledger.rules.tokens.server import name_filter

_WANTED = re.compile(r"(?:(?:vllm:)?tokens_total|running|tgi_sum|tgi_count)(?![a-zA-Z0-9_:])")


def _values(body: bytes) -> dict[str, float]:
    return {name: value for name, _, value in read_samples(body, _WANTED).samples}


def test_only_what_is_wanted_is_parsed() -> None:
    page = read_samples(
        b"# HELP vllm:tokens_total Tokens.\n# TYPE vllm:tokens_total counter\n"
        b'vllm:tokens_total{m="x",a="1"} 27453.0\n'
        b"vllm:tokens_total_created 1.7e9\nother 5\n\n  running 3 1700000000\n",
        _WANTED,
    )
    assert page.samples == (("vllm:tokens_total", (("a", "1"), ("m", "x")), 27453.0), ("running", (), 3.0))
    assert (page.bad_lines, page.bad_values) == (0, 0)


def test_a_family_that_is_declared_and_has_no_series_yet_is_a_name_of_the_page() -> None:
    page = read_samples(b"# TYPE vllm:tokens_total counter\n# TYPE tgi histogram\n# TYPE other gauge\n", _WANTED)
    assert page.samples == ()
    assert page.names == {"vllm:tokens_total", "tgi_sum", "tgi_count"}


def test_what_the_client_library_writes_is_read_back() -> None:
    registry = CollectorRegistry()
    counter = Counter("vllm:tokens", "Tokens.", ["model"], registry=registry)
    odd = 'a "quoted" \\ back\nline, {brace} =\u00e9'
    counter.labels(odd).inc(7)
    Histogram("tgi", "Lengths.", registry=registry).observe(2.5)
    samples = {
        (name, labels): value for name, labels, value in read_samples(generate_latest(registry), _WANTED).samples
    }
    assert samples == {
        ("vllm:tokens_total", (("model", odd),)): 7.0,
        ("tgi_sum", ()): 2.5,
        ("tgi_count", ()): 1.0,
    }


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf", "-1", "-0.5", "1e999"])
def test_a_value_that_no_count_can_have_is_left_out_and_counted(value: str) -> None:
    page = read_samples(f"tokens_total {value}\nrunning 2\n".encode(), _WANTED)
    assert page.samples == (("running", (), 2.0),)
    assert page.bad_values == 1
    assert "tokens_total" in page.names


@pytest.mark.parametrize(
    "line",
    [
        b"tokens_total",
        b"tokens_total one",
        b'tokens_total{m="x} 1',
        b'tokens_total{m="x",m="y"} 1',
        b'tokens_total{m="\xff"} 1',
        b"tokens_total{m=x} 1",
        b"tokens_total " + b"9" * 400,
        b"tokens_total " + b"9" * 3000,
        b'tokens_total{m="' + b"y" * 5000 + b'"} 1',
        b"tokens_total{" + b",".join(b'l%d="x"' % number for number in range(100)) + b"} 1",
    ],
)
def test_a_bad_line_costs_itself_alone(line: bytes) -> None:
    page = read_samples(b"running 1\n" + line + b"\nvllm:tokens_total 3\n", _WANTED)
    assert {name: value for name, _, value in page.samples} == {"running": 1.0, "vllm:tokens_total": 3.0}
    assert page.bad_lines == 1


def test_a_page_with_one_series_twice_is_refused() -> None:
    with pytest.raises(PageError, match="vllm:tokens_total twice"):
        read_samples(b'vllm:tokens_total{a="1",b="2"} 1\nvllm:tokens_total{b="2",a="1"} 2\n', _WANTED)
    # Even if one of them has no value that counts.
    with pytest.raises(PageError):
        read_samples(b"running 1\nrunning NaN\n", _WANTED)


def test_a_page_that_may_be_cut_must_end_with_a_line() -> None:
    cut = b"vllm:tokens_total 27453.0\nrunning 1"
    with pytest.raises(PageError, match="cut off"):
        read_samples(cut, _WANTED, is_framed=False)
    assert read_samples(cut, _WANTED).samples[-1] == ("running", (), 1.0)
    assert len(read_samples(cut + b"\n", _WANTED, is_framed=False).samples) == 2


def test_html_has_no_samples() -> None:
    assert _values(b"<!doctype html><html><body>tokens_total 1</body></html>") == {}


def test_too_many_lines_refuse_the_page() -> None:
    most = b"".join(b'tokens_total{i="%d"} 1\n' % number for number in range(LINES_LIMIT))
    assert len(read_samples(most, _WANTED).samples) == LINES_LIMIT
    with pytest.raises(PageError, match="more than 20000 lines"):
        read_samples(most + b"running 1\n", _WANTED)


@pytest.mark.parametrize(
    "body",
    [
        b"\n" * (8 << 20),
        b"a\n" * (4 << 20),
        b"".join(b"n%d\n" % number for number in range(1_000_000)),
        b"# TYPE tokens_total x\n" * 300_000,
        b"tokens_total{" * (8 << 20 >> 4),
        b"".join(b'tokens_total{a="%d%s"} 1\n' % (number, b"\\\\" * 1900) for number in range(500)),
        b"tokens_total" + b" " * (8 << 20),
        b" " * (8 << 20),
        b"#" + b" " * (8 << 20),
    ],
    ids=[
        "empty lines",
        "short lines",
        "many names",
        "declarations",
        "one line",
        "backslashes",
        "blanks",
        "air",
        "hash",
    ],
)
def test_no_page_of_the_largest_size_takes_long(body: bytes) -> None:
    began = time.thread_time()
    with contextlib.suppress(PageError):
        read_samples(body[: 8 << 20], _WANTED)
    assert time.thread_time() - began < 3.0


@given(st.binary(max_size=400))
def test_any_bytes_give_samples_or_a_page_error(body: bytes) -> None:
    with contextlib.suppress(PageError):
        read_samples(body, _WANTED, is_framed=False)


_LINE = st.one_of(
    st.text(alphabet='{}=",\\ \t#_:.eE+-0123456789NaInfm\u00e9\x85\u2028', max_size=40).map(
        lambda rest: "running" + rest
    ),
    st.from_regex(r'tokens_total\{[a-z]="[^"\n]{0,5}"(,[a-z]="x")?,?\} ?[0-9.eE+-]{0,6}', fullmatch=True),
)


@given(st.lists(_LINE, max_size=8))
def test_any_lines_that_look_like_samples_give_samples_or_a_page_error(lines: list[str]) -> None:
    body = "\n".join(lines).encode("utf-8", "surrogatepass")
    try:
        page = read_samples(body, _WANTED)
    except PageError:
        return
    assert all(value >= 0 and labels == tuple(sorted(labels)) for _, labels, value in page.samples)
    assert len(page.samples) + page.bad_values + page.bad_lines <= body.count(b"\n") + 1


def test_the_filter_of_the_catalogue_finds_what_its_servers_count() -> None:
    page = read_samples(
        b'vllm:generation_tokens_total{model_name="m"} 5\nllamacpp:tokens_predicted_total 7\nhttp_requests_total 1\n',
        name_filter(load_catalogue()),
    )
    assert [name for name, _, _ in page.samples] == [
        "vllm:generation_tokens_total",
        "llamacpp:tokens_predicted_total",
    ]
