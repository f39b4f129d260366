"""The same queries to ours and to a real Prometheus: any difference beyond rounding is a defect of ours.

The distribution's Prometheus answers in every run, Prometheus 3, edges of windows included, in the nightly one.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.prometheus3 import Program, prometheus3
from tests.rules.pattern_tables import EVERY, NEWER, REFUSED_IN_MATCHERS, REFUSED_THOUGH_RIGHT, WHOLE_TEXTS
from tests.rules.promql.generator import EITHER, FIRST_WORLD_MS, THREE, WORLD_MS, Dialect, moved, world
from tests.rules.promql.odd_queries import EITHER as ODD_IN_EITHER
from tests.rules.promql.odd_queries import ONLY_THREE as ODD_IN_THREE
from tests.rules.promql.oracle import Answer, Prometheus, ours, running
from tests.rules.promql.queries import expressions, patterns, pin, texts
from tests.servers import need
from wattledger.rules.promql.model import Series
from wattledger.rules.templates.go_quote import quoted_text

QUERIES_A_WORLD = 20
# As `^(?s:)()$`, which is what Prometheus makes of the first; on their own they are no patterns.
RIGHT_WHEN_WRAPPED = (")(", "ab)(c")


@dataclass(slots=True)
class Bench:
    """A server, and the next free time of its store."""

    server: Prometheus
    dialect: Dialect
    worlds: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    asked: int = 0
    errors: int = 0
    values: int = 0

    def load(self, series: tuple[Series, ...]) -> tuple[tuple[Series, ...], int]:
        """Store *series* at a time of their own; give them as stored, and when to ask."""
        later_ms = next(self.worlds) * WORLD_MS
        stored = tuple(moved(one, later_ms) for one in series)
        self.server.write(stored)
        return stored, FIRST_WORLD_MS + later_ms + self.dialect.evaluated_after_ms

    def compare(self, series: tuple[Series, ...], query: str, at_ms: int) -> Answer:
        """Put *query* to both, and give the answer."""
        mine, theirs = ours(series, query, at_ms), self.server.answer(query, at_ms)
        assert mine.agrees(theirs, in_order=query.startswith("sort")), f"{query}\nours   {mine}\ntheirs {theirs}"
        self.asked += 1
        self.errors += theirs.error is not None
        self.values += len(theirs.rows)
        return theirs

    def summary(self) -> str:
        """Say what was asked."""
        version = self.server.version() or "3, built from its module"
        return (
            f"Prometheus {version}: {self.asked} queries agreed: {self.values} values, {self.errors} refused by both"
        )


@pytest.fixture(scope="module")
def distribution() -> Iterator[Bench]:
    """Give the Prometheus of the distribution, 2 or 3."""
    with running(need("prometheus", "prometheus")) as server:
        bench = Bench(server, EITHER if server.version().startswith("2.") else THREE)
        yield bench
        print(bench.summary())


@pytest.fixture(scope="module")
def three(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Give a Prometheus 3 built from its module."""
    with running(prometheus3(Program.PROMETHEUS, request.config)) as server:
        bench = Bench(server, THREE)
        yield bench
        print(bench.summary())


def compare_worlds(bench: Bench, data: st.DataObject) -> None:
    """Draw a world and queries, and compare every answer."""
    series = world(data.draw(st.integers(0, 2**32 - 1), label="seed"), bench.dialect)
    query_lists = st.lists(
        expressions(bench.dialect), min_size=QUERIES_A_WORLD, max_size=QUERIES_A_WORLD, unique=True
    )
    queries = data.draw(query_lists, label="queries")
    stored, at_ms = bench.load(series)
    for query in queries:
        bench.compare(stored, pin(query, at_ms), at_ms)


def compare_patterns(bench: Bench, pattern: str, text: str) -> None:
    """Match *text* by *pattern* on both sides; what ours refuses as different in Python is no case."""
    text, pattern = text.replace("\\", "\\\\"), pattern.replace("\\", "\\\\")
    query = f'label_replace(label_replace(vector(1), "a", "{text}", "", ""), "to", "<$1>", "a", "{pattern}")'
    if ours((), query, FIRST_WORLD_MS).error is None:
        bench.compare((), query, FIRST_WORLD_MS)


def compare_listed_patterns(bench: Bench, patterns: Iterable[str], texts: Iterable[str]) -> None:
    """Match each text by each pattern on both sides; of what is right, only what is listed so is refused here."""
    refused = []
    for pattern in patterns:
        query = " or ".join(
            f'label_replace(label_replace(vector(1), "a", {quoted_text(text)}, "", ""), "to", "<$1>", "a", '
            f"{quoted_text(pattern)})"
            for text in texts
        )
        if ours((), query, FIRST_WORLD_MS).error is None:
            bench.compare((), query, FIRST_WORLD_MS)
        elif bench.server.answer(query, FIRST_WORLD_MS).error is None:
            refused.append(pattern)
    assert set(refused) <= {*REFUSED_THOUGH_RIGHT, *REFUSED_IN_MATCHERS, *RIGHT_WHEN_WRAPPED}


def _settings(examples: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    checks = list(HealthCheck)
    phases = (Phase.generate, Phase.shrink)
    return settings(
        derandomize=True,
        database=None,
        max_examples=examples,
        suppress_health_check=checks,
        phases=phases,
    )


@_settings(20)
@given(data=st.data())
def test_every_query_gives_what_prometheus_gives(distribution: Bench, data: st.DataObject) -> None:
    compare_worlds(distribution, data)


@_settings(200)
@given(pattern=patterns, text=texts)
def test_every_pattern_accepts_what_prometheus_accepts(distribution: Bench, pattern: str, text: str) -> None:
    compare_patterns(distribution, pattern, text)


def test_every_listed_pattern_accepts_what_prometheus_accepts(distribution: Bench) -> None:
    one_liners = [text for text in WHOLE_TEXTS if "\n" not in text]  # in 2.42 a dot is no new line
    compare_listed_patterns(distribution, EVERY, one_liners)


def test_odd_queries_give_what_prometheus_gives(distribution: Bench) -> None:
    for query in ODD_IN_EITHER:
        distribution.compare((), query, FIRST_WORLD_MS + 500)


@pytest.mark.nightly
@_settings(250)
@given(data=st.data())
def test_thousands_of_queries_give_what_prometheus_gives(distribution: Bench, data: st.DataObject) -> None:
    compare_worlds(distribution, data)


@pytest.mark.nightly
@_settings(400)
@given(data=st.data())
def test_thousands_of_queries_give_what_prometheus_3_gives(three: Bench, data: st.DataObject) -> None:
    compare_worlds(three, data)


@pytest.mark.nightly
@_settings(5000)
@given(pattern=patterns, text=texts)
def test_thousands_of_patterns_accept_what_prometheus_3_accepts(three: Bench, pattern: str, text: str) -> None:
    compare_patterns(three, pattern, text)


@pytest.mark.nightly
def test_every_listed_pattern_accepts_what_prometheus_3_accepts(three: Bench) -> None:
    compare_listed_patterns(three, (*EVERY, *NEWER), WHOLE_TEXTS)


@pytest.mark.nightly
def test_odd_queries_give_what_prometheus_3_gives(three: Bench) -> None:
    for query in (*ODD_IN_EITHER, *ODD_IN_THREE):
        three.compare((), query, FIRST_WORLD_MS + 500)
