"""WattTime, API v3: what one more kWh in a region emits, for user name and password; on request the average.

Caliber: `co2_moer` is marginal, for advice on shifting load and never for accounts, and follows imports and exports.
With `signal: average` it is `co2_aoer`: of the region's own generation without exchange, by the hour, up to 72 hours
late, and never a forecast. Both are CO2 alone (`lbs_co2_per_mwh`), of operation (direct). It is said at
watttime.org/data-science/data-signals (marginal-co2 and average-co2) and docs.watttime.org. The signal index is a
percentile and no intensity: it is not offered.

`point_time` is the start of a stretch of `data_point_period_seconds`. One lb/MWh is 0.45359237 g/kWh exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from wattledger.rules.feeds.model import Basis, Caliber, Factors, Gas, Measure, Series, Signal
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND

from ..config.feed_schema import Feed
from .base import Answer, FeedError, Pace, Secret, Trouble, Web, Window
from .declared import pace_of
from .extent import Extent
from .gathering import Gathering
from .json_body import json_object
from .refusals import Refusals
from .registration import FeedKeys, Wants
from .times import iso_of
from .watttime_login import Login
from .watttime_rows import Wanted, read

_URL = "https://api.watttime.org"
_MINUTE_NS = 60 * NS_PER_SECOND
_LONGEST_PAST_NS = 32 * 24 * NS_PER_HOUR  # for one request
_HORIZONS = (24, 72)  # hours; every version of the API's description takes them

KEYS = FeedKeys(required=("zone", "username", "password_file"), optional=("signal",), web=True)


def build(feed: Feed, wants: Wants) -> WattTime:
    """Make the provider. Raises FeedError(UNAUTHORIZED) where there is no password."""
    if wants.secret is None:
        raise FeedError(Trouble.UNAUTHORIZED, "there is no password; set password_file")
    return WattTime(feed, wants.secret, wants.credential)


@dataclass(frozen=True, slots=True)
class _Part:
    """One request. What a plan refuses is remembered by `name`."""

    name: str
    path: str
    query: tuple[tuple[str, str], ...]
    asked: Extent
    is_forecast: bool = False


class WattTime:
    """One region and one signal. Between fetches it keeps its token, and what the plan does not cover."""

    def __init__(self, feed: Feed, password: Secret, credential: str) -> None:
        signal = feed.signal or Signal.MARGINAL
        self._wanted = Wanted(feed.zone, signal)
        self._login = Login(feed.url.rstrip("/") or _URL, feed.username, password)
        self._refusals = Refusals()
        self.credential = credential
        self.pace = _pace(feed, signal)
        basis = Basis.CONSUMPTION if signal is Signal.MARGINAL else Basis.PRODUCTION
        caliber = Caliber(signal, Factors.DIRECT, Gas.CO2, basis)
        self.series = Series(Measure.INTENSITY, "watttime", feed.zone, caliber)

    def fetch(self, web: Web, window: Window) -> Answer:
        """Ask for the past of *window* and, of the marginal signal, for what lies ahead. Raises FeedError."""
        gathered = Gathering(window)
        failed: FeedError | None = None
        for part in self._parts(window):
            if self._refusals.holds(part.name, window.now_wall_ns):
                failed = failed or self._refused(part)
                continue
            try:
                self._ask(web, window, gathered, part)
            except FeedError as error:
                if not self._login.is_open or error.trouble is Trouble.WRONG_ZONE:
                    raise
                failed = failed or error
                gathered.warn(f"{part.name}: {error.detail}")
                if error.trouble is Trouble.UNAUTHORIZED:
                    self._refusals.note(part.name, window.now_wall_ns)
                elif error.trouble is Trouble.THROTTLED:
                    break
        try:
            return gathered.answer(whole=failed is None)
        except FeedError as empty:
            raise failed or empty from None

    def _parts(self, window: Window) -> Iterator[_Part]:
        """Give the requests. A long forecast that turns out to be refused is followed by a shorter one."""
        step_ns = self.pace.step_ns
        begins_ns = window.start_wall_ns // step_ns * step_ns
        until_ns = min(window.now_wall_ns, window.end_wall_ns)
        for start_ns in range(begins_ns, until_ns, _LONGEST_PAST_NS):
            # Both ends belong to the answer: a second less, and no point comes twice.
            end_ns = max(start_ns, min(start_ns + _LONGEST_PAST_NS, until_ns) - NS_PER_SECOND)
            times = (("start", iso_of(start_ns)), ("end", iso_of(end_ns)), ("include_imputed_marker", "true"))
            yield _Part("historical", "/v3/historical", times, Extent(start_ns, end_ns + NS_PER_SECOND, window))
        ahead_ns = window.end_wall_ns - window.now_wall_ns
        if self._wanted.signal is not Signal.MARGINAL or ahead_ns <= 0:
            return
        for hours in _HORIZONS[-1:] + _HORIZONS[:1] if ahead_ns > _HORIZONS[0] * NS_PER_HOUR else _HORIZONS[:1]:
            asked = Extent(window.now_wall_ns - NS_PER_HOUR, window.now_wall_ns + hours * NS_PER_HOUR, window)
            query = (("horizon_hours", str(hours)),)
            part = _Part(f"forecast of {hours} h", "/v3/forecast", query, asked, is_forecast=True)
            yield part
            if not self._refusals.holds(part.name, window.now_wall_ns):
                return

    def _ask(self, web: Web, window: Window, gathered: Gathering, part: _Part) -> None:
        query = [("region", self._wanted.region), ("signal_type", self._wanted.signal_type), *part.query]
        body = self._login.get(web, part.path, query, window.now_wall_ns)
        read(json_object(body), self._wanted, part.asked, gathered=gathered, is_forecast=part.is_forecast)

    def _refused(self, part: _Part) -> FeedError:
        return FeedError(
            Trouble.UNAUTHORIZED,
            f"the plan of this account does not cover {part.name} of {self._wanted.signal_type} for "
            f"{self._wanted.region}; asked again within a day",
        )


def _pace(feed: Feed, signal: Signal) -> Pace:
    if signal is Signal.MARGINAL:
        return pace_of(
            feed,
            poll_ns=5 * _MINUTE_NS,
            step_ns=5 * _MINUTE_NS,
            lag_ns=5 * _MINUTE_NS,
            max_age_ns=30 * _MINUTE_NS,
        )
    # An average of three days ago says nothing of now: it is not held on to.
    return pace_of(feed, poll_ns=NS_PER_HOUR, step_ns=NS_PER_HOUR, lag_ns=72 * NS_PER_HOUR)
