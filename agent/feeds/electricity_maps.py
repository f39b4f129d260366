"""Electricity Maps, API v3: the average intensity of what a zone consumes, or its carbon-free share, for a token.

Caliber: average, CO2e, consumption with flows traced; life cycle, or direct with `factors: direct`. It is said in the
API's own model (`carbonIntensity`: gCO2eq/kWh, `emissionFactorType`) and at electricitymaps.com/methodology. The
model of a forecast has no `emissionFactorType`: forecasts are of the life cycle alone, and none is asked for with
`factors: direct`. The carbon-free share (`carbon-free-energy`: `value` in `unit` %) is of the same mix and depends on
no factors.

`datetime` is the start of the hour. A free token has one zone, the last 24 hours and no forecast; what a plan refuses
is asked for again a day later. A zone that the API does not know is answered for the place of the caller unless that
is forbidden, so it is forbidden, and every answer must name the zone that was asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from wattledger.rules.feeds.model import Basis, Caliber, Factors, Gas, Measure, Series, Signal
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND

from ..config.feed_schema import Feed
from .base import Answer, FeedError, Secret, Trouble, Web, Window
from .declared import pace_of
from .electricity_maps_rows import Wanted, read
from .extent import Extent
from .gathering import Gathering
from .json_body import json_object
from .refusals import Refusals
from .registration import FeedKeys, Wants
from .times import iso_of

_URL = "https://api.electricitymaps.com/v3"
_TOKEN_HEADER = "auth-token"  # noqa: S105  (a name)
_LONGEST_RANGE_NS = 240 * NS_PER_HOUR  # of hours in one request of the past: 10 days
_HORIZONS = (6, 24, 48, 72)
_DAY_HORIZON = 24

KEYS = FeedKeys(
    required=("zone",),
    optional=("token_header", "factors"),
    one_of=(("token_file", "token_variable"),),
    measures=(Measure.INTENSITY, Measure.CARBON_FREE),
    web=True,
)


def build(feed: Feed, wants: Wants) -> ElectricityMaps:
    """Make the provider. Raises FeedError(UNAUTHORIZED) where there is no token."""
    if wants.secret is None:
        raise FeedError(Trouble.UNAUTHORIZED, "there is no token; set token_file or token_variable")
    return ElectricityMaps(feed, wants.secret, wants.credential, measure=wants.measure)


@dataclass(frozen=True, slots=True)
class _Fetch:
    """What one fetch asks with and puts together. `hours` are those that were answered, and whether with a value."""

    web: Web
    headers: Mapping[str, str]
    window: Window
    gathered: Gathering
    hours: dict[int, bool] = field(default_factory=dict)

    @property
    def hour_ns(self) -> int:
        """Give the start of the hour that it is now."""
        return self.window.now_wall_ns // NS_PER_HOUR * NS_PER_HOUR

    def extent(self, start_ns: int, end_ns: int) -> Extent:
        """Give what a request for [start, end) covers."""
        return Extent(start_ns, end_ns, self.window)


@dataclass(frozen=True, slots=True)
class _Part:
    """One request. What a plan refuses is remembered by `name`."""

    name: str
    path: str
    asked: Extent
    query: tuple[tuple[str, str], ...] = ()


class ElectricityMaps:
    """One zone. Between fetches it keeps which parts of the API the plan does not cover."""

    def __init__(self, feed: Feed, token: Secret, credential: str, *, measure: Measure = Measure.INTENSITY) -> None:
        factors = feed.factors or Factors.LIFECYCLE
        is_share = measure is Measure.CARBON_FREE
        self._url = f"{feed.url.rstrip('/') or _URL}/{'carbon-free-energy' if is_share else 'carbon-intensity'}"
        self._wanted = Wanted(feed.zone, None if is_share else factors)
        self._token_header = feed.token_header or _TOKEN_HEADER
        self._token = token
        self._refusals = Refusals()
        self.credential = credential
        self.pace = pace_of(
            feed, poll_ns=900 * NS_PER_SECOND, step_ns=NS_PER_HOUR, lag_ns=3 * NS_PER_HOUR, max_age_ns=2 * NS_PER_HOUR
        )
        caliber = None if is_share else Caliber(Signal.AVERAGE, factors, Gas.CO2E, Basis.CONSUMPTION)
        self.series = Series(measure, "electricity_maps", feed.zone, caliber)

    def fetch(self, web: Web, window: Window) -> Answer:
        """Ask for the last day, and for what of *window* lies before it, is now, and lies ahead. Raises FeedError."""
        fetch = _Fetch(web, {self._token_header: self._token()}, window, Gathering(window))
        self._history(fetch)
        whole = self._past(fetch)
        if not fetch.hours.get(fetch.hour_ns, False):
            whole &= self._optional(fetch, _Part("latest", "latest", _last_day(fetch)))
        if window.end_wall_ns > fetch.hour_ns + NS_PER_HOUR and self._wanted.factors is not Factors.DIRECT:
            whole &= self._forecast(fetch)
        return fetch.gathered.answer(
            empty=f"see at app.electricitymaps.com whether zone {self._wanted.zone} has values", whole=whole
        )

    def _history(self, fetch: _Fetch) -> None:
        """Ask for the last day; nothing goes on without it."""
        try:
            self._ask(fetch, _Part("history", "history", _last_day(fetch)))
        except FeedError as error:
            if error.trouble is not Trouble.UNAUTHORIZED:
                raise
            raise FeedError(
                error.trouble,
                f"{error.detail}; check the token, and whether its plan covers zone {self._wanted.zone} "
                "(a free token has one zone)",
                retry_after_ns=error.retry_after_ns,
            ) from None

    def _past(self, fetch: _Fetch) -> bool:
        """Ask for what of the window lies before the history, down to the hour in which it starts."""
        begins_ns = fetch.window.start_wall_ns // NS_PER_HOUR * NS_PER_HOUR
        last_day = _last_day(fetch)
        reaches_ns = min((hour for hour in fetch.hours if hour >= last_day.start_wall_ns), default=fetch.hour_ns)
        whole = True
        for start_ns in range(begins_ns, reaches_ns, _LONGEST_RANGE_NS):
            end_ns = min(start_ns + _LONGEST_RANGE_NS, reaches_ns)
            query = (("start", iso_of(start_ns)), ("end", iso_of(end_ns)))
            # Whether the hour at its end belongs to the answer is not said.
            asked = fetch.extent(start_ns, end_ns + NS_PER_HOUR)
            whole &= self._optional(fetch, _Part("past-range", "past-range", asked, query))
        return whole

    def _forecast(self, fetch: _Fetch) -> bool:
        """Ask as far ahead as the window looks, or else for a day, which smaller plans have."""
        wanted = -(-(fetch.window.end_wall_ns - fetch.hour_ns) // NS_PER_HOUR)
        longest = next((hours for hours in _HORIZONS if hours >= wanted), _HORIZONS[-1])
        for hours in dict.fromkeys((longest, min(longest, _DAY_HORIZON))):
            asked = fetch.extent(fetch.hour_ns, fetch.hour_ns + (hours + 1) * NS_PER_HOUR)
            part = _Part(f"forecast of {hours} h", "forecast", asked, (("horizonHours", str(hours)),))
            if self._optional(fetch, part):
                return hours == longest
        return False

    def _optional(self, fetch: _Fetch, part: _Part) -> bool:
        """Ask for what may fail without harm to the rest; tell whether it came. Raises FeedError(WRONG_ZONE)."""
        if self._refusals.holds(part.name, fetch.window.now_wall_ns):
            return False
        try:
            self._ask(fetch, part)
        except FeedError as error:
            if error.trouble is Trouble.WRONG_ZONE:
                raise
            if error.trouble is Trouble.UNAUTHORIZED:
                self._refusals.note(part.name, fetch.window.now_wall_ns)
            fetch.gathered.warn(f"{part.name}: {error.detail}")
            return False
        return True

    def _ask(self, fetch: _Fetch, part: _Part) -> None:
        is_forecast = part.path == "forecast"
        query = [("zone", self._wanted.zone), ("disableCallerLookup", "true"), ("temporalGranularity", "hourly")]
        factors = self._wanted.factors
        if factors is not None and not is_forecast:  # it has no such parameter
            query.append(("emissionFactorType", factors.value))
        url = f"{self._url}/{part.path}"
        body = fetch.web.get(url, query=[*query, *part.query], headers=fetch.headers).body
        read(
            json_object(body),
            self._wanted,
            part.asked,
            gathered=fetch.gathered,
            hours=fetch.hours,
            is_forecast=is_forecast,
        )


def _last_day(fetch: _Fetch) -> Extent:
    """Give what the history covers: about 24 hours, and the hour that it is now."""
    return fetch.extent(fetch.hour_ns - 25 * NS_PER_HOUR, fetch.hour_ns + NS_PER_HOUR)
