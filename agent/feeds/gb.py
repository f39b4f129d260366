"""Carbon Intensity API of NESO: Great Britain and its 17 regions by the half hour, without a key (CC BY 4.0).

Caliber: average, CO2, of generation alone (direct), consumption: imports at the intensity of where they come from,
and the losses of transmission, are in it. It is said in the methodologies at carbonintensity.org.uk (national and
regional): "CO2 emissions related to electricity generation only"; wind, sun, water and the atom count 0, biomass 120.
Not to be compared with values of the life cycle.

Zones: `GB`, which gets an estimated `actual` when the half hour is over, and `GB-1` to `GB-17` (13 is London; 15
England, 16 Scotland, 17 Wales), which have forecasts for good. When a value was made is not said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from wattledger.rules.feeds.model import Basis, Caliber, Factors, Gas, Measure, Series, Signal
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND

from ..config.feed_schema import Feed
from .base import Answer, FeedError, Trouble, Web, Window
from .declared import pace_of
from .extent import Extent
from .gathering import Gathering
from .gb_rows import read
from .json_body import json_object
from .registration import FeedKeys, Wants

_URL = "https://api.carbonintensity.org.uk"
_SOURCE = "NESO Carbon Intensity API, CC BY 4.0"
_ZONE = re.compile(r"GB(?:-([1-9]|1[0-7]))?", re.ASCII)
_HALF_HOUR_NS = NS_PER_HOUR // 2
_LONGEST_PAST_NS = 14 * 24 * NS_PER_HOUR  # for one request
_AHEAD_NS = 48 * NS_PER_HOUR

KEYS = FeedKeys(required=("zone",), web=True)


def mistakes(feed: Feed, wants: Wants) -> Iterator[tuple[str, str]]:  # noqa: ARG001  (as every provider's)
    """Give the key and what is wrong with it, beyond what `KEYS` says."""
    if not _ZONE.fullmatch(feed.zone):
        yield "zone", f"{feed.zone!r} is none of this provider; write GB, or GB-1 to GB-17 for a region"


def build(feed: Feed, wants: Wants) -> CarbonIntensityGb:
    """Make the provider. Raises FeedError(INVALID) for what `mistakes` tells."""
    for key, message in mistakes(feed, wants):
        raise FeedError(Trouble.INVALID, f"{key} {message}")
    return CarbonIntensityGb(feed, wants.credential)


class CarbonIntensityGb:
    """Great Britain, or one of its regions."""

    def __init__(self, feed: Feed, credential: str) -> None:
        region = feed.zone.partition("-")[2]
        self._region = int(region) if region else None
        self._url = feed.url.rstrip("/") or _URL
        self.credential = credential
        self.pace = pace_of(
            feed,
            poll_ns=900 * NS_PER_SECOND,
            step_ns=_HALF_HOUR_NS,
            lag_ns=_HALF_HOUR_NS,
            max_age_ns=3 * _HALF_HOUR_NS,
        )
        caliber = Caliber(Signal.AVERAGE, Factors.DIRECT, Gas.CO2, Basis.CONSUMPTION)
        self.series = Series(Measure.INTENSITY, "gb", feed.zone, caliber, source=_SOURCE)

    def fetch(self, web: Web, window: Window) -> Answer:
        """Ask for *window* up to now, and for two days ahead where it looks ahead. Raises FeedError."""
        gathered = Gathering(window)
        begins_ns = window.start_wall_ns // _HALF_HOUR_NS * _HALF_HOUR_NS
        now_ns = window.now_wall_ns // _HALF_HOUR_NS * _HALF_HOUR_NS
        for start_ns in range(begins_ns, now_ns, _LONGEST_PAST_NS):
            end_ns = min(start_ns + _LONGEST_PAST_NS, now_ns)
            asked = Extent(start_ns, end_ns, window)
            self._ask(web, f"{_stamp(start_ns)}/{_stamp(end_ns)}", asked, gathered)
        whole = True
        try:
            # It begins with the half hour that it is now.
            self._ask(web, f"{_stamp(now_ns)}/fw48h", Extent(now_ns, now_ns + _AHEAD_NS, window), gathered)
        except FeedError as error:
            if begins_ns == now_ns or error.trouble is Trouble.WRONG_ZONE:
                raise
            gathered.warn(f"forecast: {error.detail}")
            whole = False
        return gathered.answer(whole=whole)

    def _ask(self, web: Web, times: str, asked: Extent, gathered: Gathering) -> None:
        path = (
            f"/intensity/{times}" if self._region is None else f"/regional/intensity/{times}/regionid/{self._region}"
        )
        body = web.get(self._url + path, headers={"Accept": "application/json"}).body
        read(json_object(body), self._region, asked, gathered=gathered)


def _stamp(wall_ns: int) -> str:
    """Give a time as this API takes it, to the minute: 2020-05-24T20:30Z."""
    return f"{datetime.fromtimestamp(wall_ns // NS_PER_SECOND, UTC):%Y-%m-%dT%H:%MZ}"
