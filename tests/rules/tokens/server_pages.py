"""Pages of servers from tests/data/pages, as samples; constructed after the servers' sources, not recorded."""

from collections import Counter
from functools import cache
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from wattledger.agent.tokens.catalogue import load_catalogue
from wattledger.rules.tokens.model import TokenKind, TokenPage
from wattledger.rules.tokens.server import Samples, ServerSpec, inspect, name_filter, read_page, recognise

PAGES = Path(__file__).parents[2] / "data" / "pages"
OTHERS = sorted((PAGES / "others").glob("*.prom"))
CATALOGUE = load_catalogue()
WANTED = name_filter(CATALOGUE)

PROMPT, CACHED = TokenKind.PROMPT, TokenKind.PROMPT_CACHED
COMPUTED, OUTPUT = TokenKind.PROMPT_COMPUTED, TokenKind.OUTPUT


def entry(key: str) -> ServerSpec:
    """Give the entry of the catalogue with that key."""
    return next(spec for spec in CATALOGUE if spec.key == key)


def parsed(text: str) -> Samples:
    """Give the samples of a page that have names worth parsing."""
    return tuple(
        (sample.name, tuple(sorted(sample.labels.items())), sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if WANTED.match(sample.name)
    )


@cache
def samples_of(name: str) -> Samples:
    """Give the samples of the page NAME.prom."""
    return parsed((PAGES / f"{name}.prom").read_text("utf-8"))


def spec_of(samples: Samples) -> ServerSpec | None:
    """Give the entry that the page is recognised as."""
    return recognise(CATALOGUE, {name for name, _, _ in samples})


def read(samples: Samples, command: tuple[str, ...] = (), model: str = "") -> TokenPage:
    """Recognise, inspect and read a page."""
    spec = spec_of(samples)
    assert spec is not None
    return read_page(spec, samples, inspect(spec, samples, command), model)


def sums(page: TokenPage) -> dict[tuple[str, TokenKind], float]:
    """Give the counts summed by model and kind."""
    found: Counter[tuple[str, TokenKind]] = Counter()
    for count in page.counts.values():
        found[count.model, count.kind] += count.value  # type: ignore[assignment]  # counters take floats too
    return {key: float(value) for key, value in found.items()}
