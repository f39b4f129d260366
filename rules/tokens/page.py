"""A page of a known server to token counts: which series count, as what and for whom; deltas are not its matter."""

from collections.abc import Iterable
from math import isfinite

from .model import Count, Role, SeriesKey, TokenKind, TokenPage
from .recognise import ServerFacts, way_of
from .spec import Labels, Pattern, Samples, ServerSpec, TokenSeries

# What a server of a role does not count: the other one of the pair does.
_NOT_COUNTED: dict[Role, frozenset[TokenKind]] = {
    Role.PREFILL: frozenset({TokenKind.OUTPUT}),  # its one token a request is the first that the decode server gives
    Role.DECODE: frozenset({TokenKind.PROMPT, TokenKind.PROMPT_CACHED}),  # the same prompts over again
}


def read_page(spec: ServerSpec, samples: Samples, facts: ServerFacts, model: str = "") -> TokenPage:
    """Give what a page of this server counts. *model* names the model where no label does.

    `engines` of the page are those that are kept. A value that is no number, or below 0, is as if it were not there.
    """
    kept = _here(spec, _of_lowest_rank(spec, samples), facts.local_engines)
    unwanted = _NOT_COUNTED.get(facts.role, frozenset())
    counters = [counter for counter in way_of(spec, samples).counters if counter.kind not in unwanted]
    counts = dict(_counts(spec, kept, counters, model))
    counts |= dict(_not_yet(counters, list(counts.values())))
    engines = {dict(labels).get(spec.engine_label, "") for name, labels in counts if name}
    return TokenPage(
        counts=counts,
        running=_gauge(kept, spec.running),
        waiting=_gauge(kept, spec.waiting),
        engines=max(1, len(engines)),
        preemptions=_named(kept, spec.preemptions),
        drafts_proposed=_named(kept, spec.drafts_proposed),
        drafts_accepted=_named(kept, spec.drafts_accepted),
        requests_finished=_named(kept, spec.requests_finished),
        request_seconds=_named(kept, spec.request_seconds),
    )


def _of_lowest_rank(spec: ServerSpec, samples: Samples) -> list[tuple[SeriesKey, float]]:
    """Leave out what ranks of the same engine count once more.

    Ranks go through all engines, so the lowest of an engine need not be 0. What has no rank is counted once anyway.
    """
    lowest: dict[tuple[str, str], tuple[int, ...]] = {}
    ranked: list[tuple[SeriesKey, float, tuple[str, str], tuple[int, ...]]] = []
    for name, labels, value in samples:
        if not (isfinite(value) and value >= 0):
            continue
        given = dict(labels)
        engine = name, given.get(spec.engine_label, "")
        rank = tuple(_number(given[label]) for label in spec.rank_labels if label in given)
        if rank:
            lowest[engine] = min(rank, lowest.get(engine, rank))
        ranked.append(((name, labels), value, engine, rank))
    return [(key, value) for key, value, engine, rank in ranked if not rank or rank == lowest[engine]]


def _here(
    spec: ServerSpec, samples: list[tuple[SeriesKey, float]], engines: frozenset[str] | None
) -> list[tuple[SeriesKey, float]]:
    """Leave out what engines on other hosts count; a series that tells no engine may be of one of them."""
    if engines is None:
        return samples
    return [(key, value) for key, value in samples if dict(key[1]).get(spec.engine_label, "") in engines]


def _counts(
    spec: ServerSpec, samples: list[tuple[SeriesKey, float]], counters: list[TokenSeries], model: str
) -> Iterable[tuple[SeriesKey, Count]]:
    for key, value in samples:
        for counter in counters:
            if counter.finds(*key):
                yield key, Count(counter.kind, _model(spec, key[1]) or model, value)
                break  # as the first kind that it is, and never as two


def _not_yet(counters: list[TokenSeries], counts: list[Count]) -> Iterable[tuple[SeriesKey, Count]]:
    """Give what late series count before they are there: 0, under an identity that no series has."""
    known = {(count.model, count.kind) for count in counts}
    for counter in counters:
        for model in dict.fromkeys(count.model for count in counts):
            if counter.late and (model, counter.kind) not in known:
                yield ("", (("kind", counter.kind), ("model", model))), Count(counter.kind, model, 0.0)


def _model(spec: ServerSpec, labels: Labels) -> str:
    given = dict(labels)
    return next((given[label] for label in spec.model_labels if given.get(label)), "")


def _gauge(samples: list[tuple[SeriesKey, float]], name: Pattern | None) -> float | None:
    found = _named(samples, name)
    return None if found is None else sum(found.values())


def _named(samples: list[tuple[SeriesKey, float]], name: Pattern | None) -> dict[SeriesKey, float] | None:
    """Give the series of a name; None where the server has none of it."""
    if name is None:
        return None
    return {key: value for key, value in samples if name.fullmatch(key[0])} or None


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
