"""ENTSO-E Transparency Platform: day-ahead prices of European bidding zones, for a free token.

Documents A44 of contracts A01 (day-ahead; intraday auctions, A07, are left out), in the currency that they say, per
MWh. Since October 2025 by the quarter hour, published about 13:00 Central European Time for the next day. Where a
zone has several auctions (Germany and Austria), sequence 1 is the coupled one; what another says is taken as an
estimate as long as sequence 1 has nothing for that time.

The token goes into the query, as the API wants it; the web session hides it in errors. The limit is 400 requests a
minute. An answer has whole days of the market: what of them is not asked for is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from wattledger.rules.feeds.model import Measure, PointKind, Series
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND

from ..config.feed_schema import Feed
from .base import Answer, FeedError, Pace, Secret, Trouble, Web, Window
from .declared import pace_of
from .entsoe_document import candidates_of, day_ahead_of, refusal, root_of
from .entsoe_zones import eic_of
from .extent import Extent
from .gathering import Gathering
from .preference import take_best
from .registration import FeedKeys, Wants

_URL = "https://web-api.tp.entsoe.eu/api"
_DAY_NS = 24 * NS_PER_HOUR
_STEP_NS = 15 * 60 * NS_PER_SECOND
_POLL_NS = 30 * 60 * NS_PER_SECOND

KEYS = FeedKeys(required=("zone",), one_of=(("token_file", "token_variable"),), measures=(Measure.PRICE,), web=True)


def mistakes(feed: Feed, wants: Wants) -> Iterator[tuple[str, str]]:  # noqa: ARG001  (as every provider's)
    """Give the key and what is wrong with it, beyond what `KEYS` says."""
    try:
        eic_of(feed.zone)
    except ValueError as error:
        yield "zone", str(error)


def build(feed: Feed, wants: Wants) -> Entsoe:
    """Make the provider. Raises FeedError: INVALID for what `mistakes` tells, UNAUTHORIZED without a token."""
    for key, message in mistakes(feed, wants):
        raise FeedError(Trouble.INVALID, f"{key} {message}")
    if wants.secret is None:
        raise FeedError(Trouble.UNAUTHORIZED, "there is no token; set token_file or token_variable")
    series = Series(
        Measure.PRICE,
        feed.kind.value,
        feed.zone,
        currency=wants.currency,
        source="ENTSO-E Transparency Platform, day-ahead prices (A44)",
    )
    pace = pace_of(feed, poll_ns=_POLL_NS, step_ns=_STEP_NS)
    return Entsoe(series, pace, feed.url.rstrip("/") or _URL, eic_of(feed.zone), wants.secret, wants.credential)


@dataclass(frozen=True, slots=True)
class Entsoe:
    """One bidding zone."""

    series: Series
    pace: Pace
    url: str
    eic: str
    token: Secret
    credential: str = ""

    def fetch(self, web: Web, window: Window) -> Answer:
        """Ask for *window*. Raises FeedError."""
        gathered = Gathering(window)
        root = root_of(self._ask(web, window))
        asked = Extent(window.start_wall_ns - _DAY_NS, window.end_wall_ns + _DAY_NS, window)
        wanted = [
            candidate
            for series in day_ahead_of(root, self.eic, self.series.currency, gathered)
            for candidate in candidates_of(series, gathered)
            if not asked.is_surplus(candidate.start_wall_ns, candidate.end_wall_ns)
        ]
        taken = take_best(wanted, gathered)
        if any(candidate.kind is PointKind.ESTIMATED for candidate in taken):
            gathered.warn("sequence 1 lacks prices for some of the time; another auction stands in as an estimate")
        return gathered.answer(empty="see at transparency.entsoe.eu whether the zone has prices")

    def _ask(self, web: Web, window: Window) -> bytes:
        query = (
            ("documentType", "A44"),
            ("contract_MarketAgreement.type", "A01"),
            ("in_Domain", self.eic),
            ("out_Domain", self.eic),
            ("periodStart", _minute(window.start_wall_ns // NS_PER_HOUR * NS_PER_HOUR)),
            ("periodEnd", _minute(-(-window.end_wall_ns // NS_PER_HOUR) * NS_PER_HOUR)),
        )
        try:
            return web.get(self.url, query=(*query, ("securityToken", self.token()))).body
        except FeedError as error:
            # Some versions of the platform say with status 400 that there is nothing.
            told = refusal(error.detail)
            if error.trouble is Trouble.INVALID and told.trouble is Trouble.EMPTY:
                raise told from None
            raise


def _minute(wall_ns: int) -> str:
    return f"{datetime.fromtimestamp(wall_ns // NS_PER_SECOND, UTC):%Y%m%d%H%M}"
