"""What one process has counted between two pages: per series first, and nothing of it twice."""

import math

from hypothesis import given
from hypothesis import strategies as st

from tests.rules.tokens.stage import page, series
from wattledger.rules.tokens.meter import TokenMeter
from wattledger.rules.tokens.model import Count, SeriesKey, TokenKind, TokenPage

OUTPUT, PROMPT = TokenKind.OUTPUT, TokenKind.PROMPT
CACHED, COMPUTED = TokenKind.PROMPT_CACHED, TokenKind.PROMPT_COMPUTED


def begun(first: TokenPage, *, models_limit: int = 32) -> TokenMeter:
    meter = TokenMeter(models_limit=models_limit)
    meter.begin(first)
    return meter


def outputs(*values: float | None, model: str = "m") -> TokenPage:
    """Give a page with the output of one engine after the other; None is one that is not there."""
    keys = [series(OUTPUT, model, engine) for engine in range(len(values))]
    return TokenPage(
        {key: Count(OUTPUT, model, value) for key, value in zip(keys, values, strict=True) if value is not None}
    )


def test_deltas_are_summed_over_series_and_models() -> None:
    meter = begun(outputs(100, 1000))
    delta = meter.advance(outputs(150, 1007))
    assert delta.tokens == {"m": {OUTPUT: 57}}
    assert delta.came
    assert meter.models == ("m",)


def test_what_a_process_has_at_its_first_page_it_has_counted_since_it_began() -> None:
    meter = begun(outputs(100))
    assert meter.begin(outputs(30)).tokens == {"m": {OUTPUT: 30}}
    assert meter.advance(outputs(31)).tokens == {"m": {OUTPUT: 1}}


def test_a_series_that_comes_later_counts_whole_and_one_that_goes_is_kept() -> None:
    meter = begun(outputs(100))
    assert meter.advance(outputs(100, 40)).tokens == {"m": {OUTPUT: 40}}
    assert meter.advance(outputs(110, None)).tokens == {"m": {OUTPUT: 10}}
    gone = meter.advance(outputs())
    assert gone.tokens == {"m": {OUTPUT: 0}}
    assert not gone.fell
    assert meter.advance(outputs(111, 45)).tokens == {"m": {OUTPUT: 6}}


def test_one_series_that_falls_loses_its_own_delta_only() -> None:
    meter = begun(outputs(100, 1000))
    delta = meter.advance(outputs(5, 1010))
    assert (delta.tokens, delta.fell) == ({"m": {OUTPUT: 10}}, True)
    delta = meter.advance(outputs(25, 1010))
    assert (delta.tokens, delta.fell) == ({"m": {OUTPUT: 20}}, False)


def test_a_counter_that_shows_zero_once_and_comes_back_counts_nothing_twice() -> None:
    meter = begun(outputs(1_000_000))
    assert meter.advance(outputs(0)).tokens == {"m": {OUTPUT: 0}}
    delta = meter.advance(outputs(1_000_050))
    assert (delta.tokens, delta.fell) == ({"m": {OUTPUT: 50}}, True)
    assert meter.advance(outputs(1_000_060)).tokens == {"m": {OUTPUT: 10}}


def test_two_servers_behind_one_port_count_nothing_twice() -> None:
    meter = begun(outputs(1000))
    counted = sum(
        meter.advance(outputs(value)).tokens["m"][OUTPUT] for value in (300, 1010, 310, 1020, 320, 330, 1030)
    )
    assert counted <= 30 + 30


def test_values_that_are_none_say_nothing() -> None:
    meter = begun(outputs(100))
    for value in (math.nan, math.inf, -1.0):
        delta = meter.advance(outputs(value))
        assert (delta.tokens, delta.fell) == ({"m": {OUTPUT: 0}}, False)
    assert meter.advance(outputs(101)).tokens == {"m": {OUTPUT: 1}}


def test_computed_is_what_was_not_cached() -> None:
    meter = begun(page(0, prompt=100, cached=40))
    assert meter.advance(page(0, prompt=200, cached=70)).tokens["m"][COMPUTED] == 70


def test_cached_tokens_that_are_told_before_their_prompt_are_taken_from_it_later() -> None:
    meter = begun(page(0, prompt=100, cached=40))
    assert meter.advance(page(0, prompt=110, cached=80)).tokens["m"][COMPUTED] == 0
    assert meter.advance(page(0, prompt=200, cached=80)).tokens["m"][COMPUTED] == 60, "140 - 80 + 0 + 30 owed"


def test_prompt_and_cached_follow_from_computed() -> None:
    meter = begun(page(0, computed=10, cached=5))
    assert meter.advance(page(0, computed=30, cached=6)).tokens["m"] == {
        OUTPUT: 0,
        COMPUTED: 20,
        CACHED: 1,
        PROMPT: 21,
    }
    meter = begun(page(0, computed=10, prompt=15))
    assert meter.advance(page(0, computed=30, prompt=36)).tokens["m"] == {
        OUTPUT: 0,
        COMPUTED: 20,
        CACHED: 1,
        PROMPT: 21,
    }


def test_of_prompt_alone_the_computed_part_is_not_guessed() -> None:
    meter = begun(page(0, prompt=100))
    assert meter.advance(page(0, prompt=200)).tokens["m"] == {OUTPUT: 0, PROMPT: 100}
    assert meter.advance(page(0, prompt=300, cached=30)).tokens["m"][COMPUTED] == 70, (
        "a counter that came at first use"
    )


def test_what_all_three_say_stands() -> None:
    meter = begun(page(prompt=0, cached=0, computed=0))
    assert meter.advance(page(prompt=100, cached=10, computed=80)).tokens["m"] == {
        PROMPT: 100, CACHED: 10, COMPUTED: 80,
    }  # fmt: skip


def test_models_beyond_the_limit_have_the_empty_name() -> None:
    meter = TokenMeter(models_limit=2)
    pages = [outputs(10, model=model) for model in "abcd"]
    together = TokenPage({key: count for one in pages for key, count in one.counts.items()})
    assert meter.begin(together).tokens == {"a": {OUTPUT: 10}, "b": {OUTPUT: 10}, "": {OUTPUT: 20}}


def test_drafts_preemptions_and_requests() -> None:
    def speculating(proposed: float, accepted: float, preempted: float, ended: float) -> TokenPage:
        return TokenPage(
            counts={},
            drafts_proposed={("drafts", ()): proposed},
            drafts_accepted={("accepted", ()): accepted},
            preemptions={("preemptions", ()): preempted},
            requests_finished={("requests_count", ()): ended},
            request_seconds={("requests_sum", ()): 2.5 * ended},
        )

    meter = begun(speculating(10, 5, 1, 2))
    delta = meter.advance(speculating(110, 65, 4, 6))
    assert (delta.drafts, delta.drafts_wasted, delta.preemptions) == (100, 40, 3)
    assert (delta.requests, delta.request_ns) == (4, 10_000_000_000)
    assert not delta.came


counters = st.lists(st.lists(st.integers(0, 10**6), min_size=3, max_size=3), min_size=1, max_size=20)


@given(counters)
def test_splitting_deltas_between_pages_sum_to_that_of_the_whole(steps: list[list[int]]) -> None:
    values = [0, 0, 0]
    meter = begun(outputs(*values))
    counted = 0
    for step in steps:
        values = [value + more for value, more in zip(values, step, strict=True)]
        counted += meter.advance(outputs(*values)).tokens["m"][OUTPUT]
    assert counted == sum(values)


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), min_size=1, max_size=30))
def test_of_the_computed_part_nothing_is_lost_and_nothing_is_below_zero(steps: list[tuple[int, int]]) -> None:
    prompt = cached = computed = 0
    meter = begun(page(prompt=0, cached=0))
    for more_prompt, more_cached in steps:
        prompt, cached = prompt + more_prompt, cached + more_cached
        delta = meter.advance(page(prompt=prompt, cached=cached)).tokens["m"][COMPUTED]
        assert delta >= 0
        computed += delta
    prompt += 100_000
    computed += meter.advance(page(prompt=prompt, cached=cached)).tokens["m"][COMPUTED]
    assert computed == prompt - cached


appearances = st.dictionaries(st.integers(0, 3), st.integers(0, 50), max_size=4)


@given(st.lists(appearances, max_size=30))
def test_monotony_whatever_pages_say_no_count_is_below_zero_or_more_than_was_shown(
    pages: list[dict[int, int]],
) -> None:
    meter = TokenMeter(models_limit=2)
    meter.begin(TokenPage({}))
    shown: dict[SeriesKey, int] = {}
    counted = 0
    for values in pages:
        counts = {series(OUTPUT, "m", engine): Count(OUTPUT, "m", value) for engine, value in values.items()}
        delta = meter.advance(TokenPage(counts)).tokens.get("m", {}).get(OUTPUT, 0)
        assert delta >= 0
        counted += delta
        for key, count in counts.items():
            shown[key] = shown.get(key, 0) + int(count.value)
    assert counted <= sum(shown.values())
