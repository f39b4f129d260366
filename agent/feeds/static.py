"""A constant that an operator sets: a factor, a price, a PUE, the carbon-free share of a grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from wattledger.rules.feeds.model import Measure, Point, PointKind, Series
from wattledger.rules.instant import NS_PER_HOUR

from ..config.feed_schema import Feed
from .base import Answer, Pace, Skipped, Web, Window
from .conversion import conversion
from .declared import SOURCE_KEYS, pace_of, series_of
from .numbers import ValueUnusable
from .registration import FeedKeys, Wants
from .times import ALWAYS

KEYS = FeedKeys(
    required=("value",),
    optional=("unit", "year", *SOURCE_KEYS),
    measures=(Measure.INTENSITY, Measure.PRICE, Measure.PUE, Measure.CARBON_FREE),
)


def build(feed: Feed, wants: Wants) -> StaticProvider:
    """Make the provider. Raises ValueError for what `mistakes` tells."""
    for key, message in mistakes(feed, wants):
        raise ValueError(f"{key}: {message}")
    source = ", ".join(filter(None, (feed.citation, "" if feed.year is None else str(feed.year))))
    return StaticProvider(
        replace(series_of(feed, wants), source=source),
        pace_of(feed, poll_ns=_DAY_NS, step_ns=_DAY_NS),
        _value(feed, wants),
    )


def mistakes(feed: Feed, wants: Wants) -> Iterator[tuple[str, str]]:
    """Give the key and what is wrong with it, beyond what `KEYS` says."""
    try:
        _value(feed, wants)
    except ValueError as error:
        yield "unit", str(error)
    except ValueUnusable as error:
        if error.why is not Skipped.NULL:  # that it lacks, the keys say
            yield "value", f"cannot be: {_LIMITS[wants.measure]}; check the number and its unit"
    if wants.measure is Measure.CARBON_FREE:
        # The share of a grid moves by several percent a year: without these nobody can tell what it was of.
        if not feed.citation:
            yield "citation", "is missing; write where the share of this grid stands"
        if feed.year is None:
            yield "year", "is missing; write the year that the share is of"


_DAY_NS = 24 * NS_PER_HOUR
_LIMITS = {
    Measure.INTENSITY: "a kWh of a grid emits more than 0 g and at most 1500 g",
    Measure.PRICE: "a kWh costs at most a million",
    Measure.PUE: "a PUE is from 1 to 10",
    Measure.CARBON_FREE: "a share is from 0 to 1, or to 100 with unit: '%'",
}


def _value(feed: Feed, wants: Wants) -> int:
    convert = conversion(wants.measure, feed.unit, wants.currency)
    return convert(None if feed.value_micro is None else Decimal(feed.value_micro).scaleb(-6), 0)


@dataclass(frozen=True, slots=True)
class StaticProvider:
    """Gives its one value for all time, as a factor."""

    series: Series
    pace: Pace
    value: int
    credential: str = ""

    def fetch(self, web: Web, window: Window) -> Answer:  # noqa: ARG002  (a constant asks nobody)
        """Give the one point."""
        start, end = ALWAYS
        return Answer((Point(start, end, self.value, PointKind.FACTOR, window.now_wall_ns),))
