"""Every page of every server is known as that server's and read to the tokens that it tells."""

from pathlib import Path

import pytest

from tests.rules.tokens.server_pages import (
    CACHED,
    CATALOGUE,
    COMPUTED,
    OTHERS,
    OUTPUT,
    PAGES,
    PROMPT,
    WANTED,
    parsed,
    read,
    samples_of,
    spec_of,
    sums,
)
from wattledger.rules.tokens.model import CounterClass, Role, TokenKind
from wattledger.rules.tokens.server import inspect, recognise

ITERATION, FINISH = CounterClass.ITERATION, CounterClass.FINISH

# Page, class, role, tokens by model and kind.
TABLE: list[tuple[str, CounterClass, Role, dict[tuple[str, TokenKind], float]]] = [
    (
        "vllm-0.33.0",
        ITERATION,
        Role.UNIFIED,
        {("m", COMPUTED): 8000, ("m", CACHED): 4000, ("m", OUTPUT): 30000},
    ),
    ("vllm-0.28.0", ITERATION, Role.UNIFIED, {("m", COMPUTED): 360, ("m", CACHED): 2128, ("m", OUTPUT): 800}),
    ("vllm-0.11.1", ITERATION, Role.UNIFIED, {("m", PROMPT): 5000, ("m", CACHED): 1500, ("m", OUTPUT): 2000}),
    ("vllm-0.6.4", ITERATION, Role.UNIFIED, {("m", PROMPT): 700, ("m", OUTPUT): 300}),
    ("vllm-decode", ITERATION, Role.DECODE, {("gpt-oss-20b", COMPUTED): 602, ("gpt-oss-20b", OUTPUT): 37324}),
    ("vllm-dynamo_worker", ITERATION, Role.UNIFIED, {("m", COMPUTED): 800, ("m", CACHED): 100, ("m", OUTPUT): 450}),
    ("sglang-0.5.23", ITERATION, Role.UNIFIED, {("m", COMPUTED): 6000, ("m", CACHED): 2000, ("m", OUTPUT): 950}),
    ("sglang-0.5.13", ITERATION, Role.UNIFIED, {("m", COMPUTED): 300, ("m", CACHED): 0, ("m", OUTPUT): 100}),
    ("sglang-0.5.6", FINISH, Role.UNIFIED, {("m", PROMPT): 3000, ("m", CACHED): 1000, ("m", OUTPUT): 1200}),
    ("sglang-underscores", FINISH, Role.UNIFIED, {("m", PROMPT): 3000, ("m", CACHED): 1000, ("m", OUTPUT): 1200}),
    ("sglang-prefill", ITERATION, Role.PREFILL, {("m", COMPUTED): 9000, ("m", CACHED): 1000}),
    ("sglang-decode", ITERATION, Role.DECODE, {("m", COMPUTED): 0, ("m", OUTPUT): 4000}),
    ("trtllm-1.3", FINISH, Role.UNIFIED, {("m", PROMPT): 4000, ("m", CACHED): 1000, ("m", OUTPUT): 12345}),
    ("lmdeploy-0.18.0", ITERATION, Role.UNIFIED, {("m", PROMPT): 30000, ("m", CACHED): 6000, ("m", OUTPUT): 20100}),
    ("lmdeploy-0168eeda", ITERATION, Role.UNIFIED, {("m", PROMPT): 30000, ("m", OUTPUT): 40200}),
    ("tgi-3.3", FINISH, Role.UNIFIED, {("", PROMPT): 9000, ("", OUTPUT): 4100}),
    ("llamacpp-b6900", FINISH, Role.UNIFIED, {("", COMPUTED): 1200, ("", CACHED): 800, ("", OUTPUT): 640}),
    (
        "dynamo-1.6.1",
        ITERATION,
        Role.UNIFIED,
        {("a", PROMPT): 9000, ("a", CACHED): 2500, ("a", OUTPUT): 5000, ("b", PROMPT): 300, ("b", OUTPUT): 700},
    ),
    (
        "ray_serve_llm-2.50",
        ITERATION,
        Role.UNIFIED,
        {
            ("m", PROMPT): 4000,
            ("m", CACHED): 1000,
            ("m", OUTPUT): 1000,
            ("n", PROMPT): 100,
            ("n", CACHED): 0,
            ("n", OUTPUT): 500,
        },
    ),
    ("litellm-1.109.1", FINISH, Role.UNIFIED, {("qwen", PROMPT): 2000, ("qwen", CACHED): 500, ("qwen", OUTPUT): 400}),
    ("nim-1.8", ITERATION, Role.UNIFIED, {("meta/llama", PROMPT): 6000, ("meta/llama", OUTPUT): 2200}),
]


def test_every_page_and_every_server_is_in_the_table() -> None:
    named = {name for name, *_ in TABLE} | {"vllm-prefill"}  # its role shows on the command line alone
    assert named == {path.stem for path in PAGES.glob("*.prom")}
    assert {name.rpartition("-")[0] for name in named} == {spec.key for spec in CATALOGUE}


@pytest.mark.parametrize(("name", "counter_class", "role", "tokens"), TABLE, ids=[name for name, *_ in TABLE])
def test_a_page_is_read_to_what_it_tells(
    name: str, counter_class: CounterClass, role: Role, tokens: dict[tuple[str, TokenKind], float]
) -> None:
    samples = samples_of(name)
    spec = spec_of(samples)
    assert spec is not None
    assert spec.key == name.rpartition("-")[0]
    facts = inspect(spec, samples, ())
    assert (facts.counter_class, facts.role, facts.remote, facts.local_engines) == (counter_class, role, False, None)
    assert sums(read(samples)) == tokens


@pytest.mark.parametrize("path", OTHERS, ids=[path.stem for path in OTHERS])
def test_pages_of_others_are_nobodys(path: Path) -> None:
    text = path.read_text("utf-8")
    names = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if not line.startswith("#")}
    assert len(names) >= 3
    assert recognise(CATALOGUE, names) is None


@pytest.mark.parametrize("name", [name for name, *_ in TABLE])
def test_what_the_filter_leaves_out_would_have_changed_nothing(name: str) -> None:
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415  (the page without the filter)

    text = (PAGES / f"{name}.prom").read_text("utf-8")
    everything = tuple(
        (sample.name, tuple(sorted(sample.labels.items())), sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    )
    assert len(everything) >= len(samples_of(name))
    assert read(everything) == read(samples_of(name))


def test_the_filter_takes_lines_and_names_and_no_longer_names() -> None:
    assert WANTED.match('vllm:generation_tokens_total{engine="0"} 1')
    assert WANTED.match("llamacpp:tokens_predicted_total 5")
    assert WANTED.fullmatch("nv_inference_count") is None
    assert WANTED.match('vllm:generation_tokens_total_of_others{engine="0"} 1') is None
    assert WANTED.match('ray_vllm_generation_tokens{engine="0"} 1') is None
    assert WANTED.match("# TYPE vllm:generation_tokens_total counter") is None


def test_a_histogram_is_no_counter_whatever_its_name() -> None:
    page = read(samples_of("vllm-0.33.0"))
    assert not [name for name, _ in page.counts if "iteration_tokens" in name]


def test_what_else_a_page_tells() -> None:
    page = read(samples_of("vllm-0.33.0"))
    assert (page.running, page.waiting, page.engines) == (5, 1, 2)
    assert sum((page.preemptions or {}).values()) == 5
    assert sum((page.drafts_proposed or {}).values()) == 9000
    assert sum((page.drafts_accepted or {}).values()) == 6000  # by position they stand there once more
    assert sum((page.requests_finished or {}).values()) == 100
    assert sum((page.request_seconds or {}).values()) == 450.5
    other = read(samples_of("tgi-3.3"))
    assert (other.running, other.waiting, other.engines) == (3, 1, 1)
    assert other.preemptions is other.drafts_proposed is other.requests_finished is None


def test_a_model_without_a_label_is_the_one_that_was_asked_for() -> None:
    page = read(samples_of("llamacpp-b6900"), model="qwen")
    assert {count.model for count in page.counts.values()} == {"qwen"}
    assert {count.model for count in read(samples_of("vllm-0.6.4"), model="other").counts.values()} == {"m"}


def test_a_worker_of_dynamo_is_its_engine_and_the_frontend_is_a_proxy() -> None:
    worker, frontend = spec_of(samples_of("vllm-dynamo_worker")), spec_of(samples_of("dynamo-1.6.1"))
    assert worker is not None
    assert frontend is not None
    assert (worker.key, worker.proxy, frontend.proxy) == ("vllm", False, True)
    both = (*samples_of("vllm-dynamo_worker"), *samples_of("dynamo-1.6.1"))
    assert spec_of(both) == worker


def test_a_page_with_gauges_alone_is_known_and_counts_nothing() -> None:
    page = read(parsed('trtllm_num_requests_running{model_name="m"} 0\n'))
    assert (page.counts, page.running) == ({}, 0)
    assert read(parsed('sglang:num_running_reqs{model_name="m",tp_rank="0"} 0\n')).counts == {}


def test_versions_are_told_by_what_is_on_the_page() -> None:
    told = {}
    for name in ("vllm-0.33.0", "vllm-0.11.1", "vllm-0.6.4", "tgi-3.3"):
        spec = spec_of(samples_of(name))
        assert spec is not None
        told[name] = inspect(spec, samples_of(name), ()).version
    assert told == {
        "vllm-0.33.0": "V1 of 2026-02 or later",
        "vllm-0.11.1": "V1 before 2026-02",
        "vllm-0.6.4": "V0",
        "tgi-3.3": "",
    }
