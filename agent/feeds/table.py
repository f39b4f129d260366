"""Annual factors that are shipped: China's grid factors (MEE), and countries of the world (Ember, by OWID).

Calibers. mee: average, direct, CO2 alone, consumption with transfers between provinces. mee_residual, mee_fossil: the
same for the market-based method, as they are for power by contract, never for a place. world: average, life cycle,
CO2e, production, as imports are not traced.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from wattledger.rules.feeds.model import (
    Accounting,
    Basis,
    Caliber,
    Factors,
    Gas,
    Measure,
    Point,
    PointKind,
    Series,
    Signal,
)
from wattledger.rules.instant import NS_PER_HOUR

from ..config.feed_schema import Feed
from ..config.problem import guess
from .base import Answer, Pace, Web, Window
from .declared import pace_of
from .numbers import micrograms_per_kwh
from .registration import FeedKeys, Wants
from .tabled import Factor, NoFactorError, Status, Table, TableSource
from .times import ALWAYS, wall_ns_of

KEYS = FeedKeys(required=("source",), optional=("region", "year"))

_DAY_NS = 24 * NS_PER_HOUR
_YEAR_NS = 365 * _DAY_NS


def build(feed: Feed, wants: Wants) -> TableProvider:  # noqa: ARG001  (all tables are of intensities)
    """Make the provider. Raises ValueError for what `mistakes` tells."""
    try:
        source, factor = _found(feed)
    except NoFactorError as error:
        raise ValueError(f"{error.key}: {error}") from None
    citation = factor.citation
    if factor.status is Status.QUOTED:
        citation += " (as quoted by others)"
    asked = _region(feed, source)
    series = Series(
        measure=Measure.INTENSITY,
        provider=source.value,
        zone=feed.zone or asked,
        caliber=_caliber(source),
        source=citation,
    )
    return TableProvider(series, pace_of(feed, poll_ns=_DAY_NS, step_ns=_YEAR_NS), factor, asked)


def mistakes(feed: Feed, wants: Wants) -> Iterator[tuple[str, str]]:  # noqa: ARG001  (all tables are of intensities)
    """Give the key and what is wrong with it, beyond what `KEYS` says."""
    try:
        _found(feed)
    except NoFactorError as error:
        yield error.key, str(error)


def _found(feed: Feed) -> tuple[TableSource, Factor]:
    words = [source.value for source in TableSource]
    if feed.source not in words:
        cure = guess(feed.source, words) or "write " + ", ".join(words)
        raise NoFactorError("source", f"{feed.source!r} is no table; {cure}")
    source = TableSource(feed.source)
    return source, Table(source).find(_region(feed, source), feed.year)


def _region(feed: Feed, source: TableSource) -> str:
    if source in (TableSource.MEE_RESIDUAL, TableSource.MEE_FOSSIL):
        return feed.region or "CN"
    return feed.region or feed.zone


def _caliber(source: TableSource) -> Caliber:
    if source is TableSource.WORLD:
        return Caliber(Signal.AVERAGE, Factors.LIFECYCLE, Gas.CO2E, Basis.PRODUCTION, Accounting.LOCATION)
    accounting = Accounting.LOCATION if source is TableSource.MEE else Accounting.MARKET
    return Caliber(Signal.AVERAGE, Factors.DIRECT, Gas.CO2, Basis.CONSUMPTION, accounting)


@dataclass(frozen=True, slots=True)
class TableProvider:
    """Gives its one factor for all time. `asked` is the region that was asked for."""

    series: Series
    pace: Pace
    factor: Factor
    asked: str
    credential: str = ""

    def fetch(self, web: Web, window: Window) -> Answer:  # noqa: ARG002  (what is shipped asks nobody)
        """Give the one point, with what is to be said of it."""
        start, end = ALWAYS
        factor = self.factor
        issued = window.now_wall_ns if factor.published_wall_ns is None else factor.published_wall_ns
        value = micrograms_per_kwh(factor.value, factor.unit)
        point = Point(start, end, value, PointKind.FACTOR, issued)
        return Answer((point,), warnings=tuple(self._warnings(window.now_wall_ns)))

    def _warnings(self, now_wall_ns: int) -> Iterator[str]:
        factor = self.factor
        if factor.region != self.asked:
            yield f"no factor is published for {self.asked}; that of {factor.region} stands in"
        if factor.status is Status.UNVERIFIED:
            yield f"the factor {factor.value} of {factor.region} for {factor.year} is not verified in any source"
        if now_wall_ns > wall_ns_of(f"{factor.year + 1}-01-01Z") + 2 * _YEAR_NS:
            cure = "no newer one is shipped"
            if factor.year < factor.newest_year:
                cure = f"set year: {factor.newest_year}, or leave it out"
            yield f"the factor of {factor.region} is of {factor.year}, more than two years ago; {cure}"
