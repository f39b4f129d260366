"""How providers of carbon intensity, prices, metered energy and PUE are doing, as the page and its readers see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from wattledger.rules.feeds.fallback import FeedState
from wattledger.rules.feeds.model import PointKind, Series


@dataclass(frozen=True, slots=True)
class FeedHealth:
    """One provider of one chain; `level` 0 is asked first.

    `age_ns` is the time since its newest datum ended (of one that only forecasts: since it was issued), None where
    there never was one. `value`, in the unit of its measure, and `kind` are for now, None where it knows nothing of
    now. `trouble` is empty while the last attempt went well; `errors` by kind of trouble and `skipped` by reason
    count since the start.
    """

    chain: str
    level: int
    provider: str
    zone: str
    series: Series
    state: FeedState
    age_ns: int | None = None
    last_success_wall_ns: int | None = None
    trouble: str = ""
    detail: str = ""
    errors: Mapping[str, int] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    value: int | None = None
    kind: PointKind | None = None


def in_use(feeds: Iterable[FeedHealth]) -> frozenset[tuple[str, int]]:
    """Give chain and level of those whose value counts now: the first of each chain that has one."""
    first: dict[str, int] = {}
    for feed in feeds:
        if feed.value is not None:
            first[feed.chain] = min(feed.level, first.get(feed.chain, feed.level))
    return frozenset(first.items())
