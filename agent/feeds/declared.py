"""What the configuration declares of a feed where its provider does not: caliber, series and pace."""

from __future__ import annotations

from wattledger.rules.feeds.model import Caliber, Measure, Series
from wattledger.rules.instant import NS_PER_HOUR

from ..config.feed_schema import Feed
from .base import Pace
from .registration import Wants

CALIBER_KEYS = ("signal", "factors", "gas", "basis")
"""Keys that only carbon intensities have."""

SOURCE_KEYS = (*CALIBER_KEYS, "citation")
"""Keys of providers that hand on other people's numbers."""


def caliber_of(feed: Feed, default: Caliber | None = None) -> Caliber:
    """Give the caliber that *feed* declares, and what it leaves out as in *default*."""
    default = default or Caliber()
    return Caliber(
        signal=feed.signal or default.signal,
        factors=feed.factors or default.factors,
        gas=feed.gas or default.gas,
        basis=feed.basis or default.basis,
        accounting=default.accounting,
    )


def series_of(feed: Feed, wants: Wants, default: Caliber | None = None) -> Series:
    """Give the series of a provider that takes its caliber and its source from the configuration."""
    return Series(
        measure=wants.measure,
        provider=feed.kind.value,
        zone=feed.zone,
        caliber=caliber_of(feed, default) if wants.measure is Measure.INTENSITY else None,
        currency=wants.currency if wants.measure is Measure.PRICE else "",
        source=feed.citation,
    )


def pace_of(feed: Feed, *, poll_ns: int, step_ns: int = NS_PER_HOUR, lag_ns: int = 0, max_age_ns: int = 0) -> Pace:
    """Give the pace of a provider; what *feed* sets goes before its defaults."""
    return Pace(
        step_ns=feed.step_ns or step_ns,
        lag_ns=lag_ns,
        max_age_ns=max_age_ns if feed.max_age_ns is None else feed.max_age_ns,
        poll_ns=feed.poll_ns or poll_ns,
    )
