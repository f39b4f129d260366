"""The law of the history: what it keeps is enough, at any evaluation after any number of samples forgotten."""

from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.rules.history.shelf import Everything, group
from tests.rules.promql.generator import FIRST_WORLD_MS, SAMPLES, STEP_MS, THREE, world
from tests.rules.promql.queries import expressions, pin
from wattledger.rules.alerting import EngineSettings, GroupEngine
from wattledger.rules.history import History, column, interests_of
from wattledger.rules.promql.expression import compile_expression
from wattledger.rules.promql.model import Labels, PromqlError, Storage, Vector, is_stale

_END_MS = FIRST_WORLD_MS + (SAMPLES + 40) * STEP_MS  # ten minutes after the last sample


@pytest.fixture(autouse=True, scope="module")
def _forgets_at_once() -> Iterator[None]:
    """Let nothing stay beyond its reach, so that a reach too short shows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(column, "_LEAST_SLACK_MS", 0)
        patch.setattr(column, "_SLACK_PART", 2**62)
        yield


def _pages(seed: int) -> Iterator[tuple[int, list[tuple[Labels, float]]]]:
    """Give the time and the page of each scrape of a world."""
    found: dict[int, list[tuple[Labels, float]]] = {}
    for series in world(seed, THREE):
        for sample in series.samples():
            if not is_stale(sample.value):
                found.setdefault(sample.timestamp_ms, []).append((series.labels, sample.value))
    for at_ms in range(FIRST_WORLD_MS, _END_MS, STEP_MS):
        yield at_ms, found.get(at_ms, [])


def _answer(storage: Storage, text: str, at_ms: int) -> str:
    try:
        result = compile_expression(text).evaluate(storage, at_ms)
    except PromqlError as error:
        return str(error)
    if isinstance(result, Vector):
        return repr([(element.labels, element.value) for element in result.elements])
    return repr(result)


def _is_one(text: str) -> bool:
    """Tell whether *text* is an expression: some that are drawn are refused."""
    try:
        compile_expression(text)
    except PromqlError:
        return False
    return True


def _hold_to_it(data: st.DataObject) -> None:
    seed = data.draw(st.integers(0, 2**32 - 1), label="seed")
    drawn = data.draw(st.lists(expressions(THREE), min_size=1, max_size=4), label="queries")
    offset_ms = data.draw(st.sampled_from([0, 0, 40_000]), label="query offset")
    pinned_ms = FIRST_WORLD_MS + data.draw(st.sampled_from([7, 30, 50])) * STEP_MS
    texts = [text for text in (pin(text, pinned_ms) for text in drawn) if _is_one(text)]
    rules = group(*texts, "max_over_time(r0[3m])", query_offset_ms=offset_ms)
    short, everything = History(interests_of([rules])), Everything()
    engines = [(GroupEngine(rules, EngineSettings()), storage) for storage in (short, everything)]
    for number, (at_ms, page) in enumerate(_pages(seed)):
        short.scrape(page, at_ms)
        everything.scrape(page, at_ms)
        if number % 7 == 6:
            short.forget(at_ms)
            moment_ms = at_ms - offset_ms
            for text in (*texts, "max_over_time(r0[3m])"):
                assert _answer(short, text, moment_ms) == _answer(everything, text, moment_ms), text
            for engine, storage in engines:
                engine.evaluate(storage, at_ms)


def _settings(examples: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return settings(
        derandomize=True,
        database=None,
        max_examples=examples,
        suppress_health_check=list(HealthCheck),
    )


@_settings(60)
@given(data=st.data())
def test_rules_give_the_same_over_a_short_history_as_over_everything(data: st.DataObject) -> None:
    _hold_to_it(data)


@pytest.mark.nightly
@_settings(3000)
@given(data=st.data())
def test_thousands_of_rules_give_the_same_over_a_short_history_as_over_everything(data: st.DataObject) -> None:
    _hold_to_it(data)
