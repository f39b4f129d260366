"""Energy-Charts of Fraunhofer ISE: intensity of European countries and day-ahead prices of bidding zones, no key.

Intensity: `/co2eq`, in g CO2eq/kWh by the quarter hour. What was computed from the generation so far is actual; where
there is none, the forecast of the same answer stands. Caliber: average, CO2e; life cycle and production are what
users of the API take it for (it is computed from the live generation mix), the API itself does not say: `factors` and
`basis` overrule it.

Price: `/price`, in the currency that the answer says, which is never converted. A unit other than that per MWh is
refused. Licence: CC BY 4.0 for most zones; where `license_info` says another it is handed on as a warning.

The answers are parallel lists beside `unix_seconds`, the starts of the stretches, and do not name the zone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from wattledger.rules.feeds.model import Basis, Caliber, Factors, Gas, Measure, PointKind, Series, Signal
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND

from ..config.feed_schema import Feed
from .base import Answer, FeedError, Pace, Skipped, Trouble, Web, Window
from .declared import caliber_of, pace_of
from .gathering import Gathering
from .json_body import json_object, lacking
from .numbers import ValueUnusable, micrograms_per_kwh, price_millionths_per_kwh, price_unit
from .registration import FeedKeys, Wants
from .times import wall_ns_of

_URL = "https://api.energy-charts.info"
_MINUTE_NS = 60 * NS_PER_SECOND
_STEP_NS = 15 * _MINUTE_NS
_LONGEST_NS = NS_PER_HOUR  # prices before October 2025 are by the hour; what lasts longer is a gap
_MILLIONTHS_OF_PER_MWH = 1000
_FREE_LICENCE = "CC BY 4.0"

KEYS = FeedKeys(
    required=("zone",), optional=("factors", "basis"), measures=(Measure.INTENSITY, Measure.PRICE), web=True
)


def build(feed: Feed, wants: Wants) -> EnergyCharts:
    """Make the provider."""
    url = feed.url.rstrip("/") or _URL
    source = f"Energy-Charts, Fraunhofer ISE, {_FREE_LICENCE} where the answer says no other"
    if wants.measure is Measure.PRICE:
        series = Series(wants.measure, feed.kind.value, feed.zone, currency=wants.currency, source=source)
        return EnergyCharts(series, pace_of(feed, poll_ns=30 * _MINUTE_NS, step_ns=_STEP_NS), url, wants.credential)
    usual = Caliber(Signal.AVERAGE, Factors.LIFECYCLE, Gas.CO2E, Basis.PRODUCTION)
    series = Series(wants.measure, feed.kind.value, feed.zone, caliber_of(feed, usual), source=source)
    pace = pace_of(feed, poll_ns=15 * _MINUTE_NS, step_ns=_STEP_NS, lag_ns=NS_PER_HOUR, max_age_ns=2 * NS_PER_HOUR)
    return EnergyCharts(series, pace, url, wants.credential)


@dataclass(frozen=True, slots=True)
class EnergyCharts:
    """One country, or one bidding zone."""

    series: Series
    pace: Pace
    url: str
    credential: str = ""

    def fetch(self, web: Web, window: Window) -> Answer:
        """Ask for *window*. Raises FeedError."""
        gathered = Gathering(window)
        is_price = self.series.measure is Measure.PRICE
        place = ("bzn", self.series.zone) if is_price else ("country", self.series.zone.lower())
        query = (place, ("start", _minute(window.start_wall_ns)), ("end", _minute(window.end_wall_ns)))
        found = json_object(web.get(f"{self.url}/{'price' if is_price else 'co2eq'}", query=query).body)
        _hand_on(found, gathered)
        if is_price:
            _read_prices(found, self.series.currency, gathered)
        else:
            _read_intensities(found, gathered)
        return gathered.answer(empty=f"see at energy-charts.info whether {self.series.zone} has values")


def _minute(wall_ns: int) -> str:
    return f"{datetime.fromtimestamp(wall_ns // NS_PER_SECOND, UTC):%Y-%m-%dT%H:%MZ}"


def _hand_on(found: Mapping[str, object], gathered: Gathering) -> None:
    licence = found.get("license_info")
    if isinstance(licence, str) and licence and not licence.startswith(_FREE_LICENCE):
        gathered.warn(f"licence: {licence[:200]}")
    if found.get("deprecated") is True:
        gathered.warn("Energy-Charts says that this request is deprecated")


def _read_prices(found: Mapping[str, object], currency: str, gathered: Gathering) -> None:
    unit = _unit(found, currency)
    prices = _beside(found, "price")
    if prices is None:
        raise lacking(found, "price")
    for start_ns, end_ns, index in _stretches(found, gathered):
        try:
            gathered.add(start_ns, end_ns, price_millionths_per_kwh(prices[index], unit))
        except ValueUnusable as unusable:
            gathered.skip(unusable.why)


def _unit(found: Mapping[str, object], currency: str) -> str:
    """Give the unit of the prices. Raises FeedError(INVALID) where it is not *currency* per MWh."""
    unit = found.get("unit")
    try:
        said = price_unit(unit) if isinstance(unit, str) else None
    except ValueError:
        said = None
    if not isinstance(unit, str) or said is None or said.millionths != _MILLIONTHS_OF_PER_MWH:
        raise FeedError(Trouble.INVALID, f"the answer has prices in {repr(unit)[:80]}, which is no currency per MWh")
    if said.currency != currency:
        raise FeedError(
            Trouble.INVALID,
            f"the answer has prices in {said.currency or repr(unit)} and the tariff is in {currency}; "
            f"set tariff.currency to {said.currency or 'the currency of the zone'}, currencies are not converted",
        )
    return unit


def _read_intensities(found: Mapping[str, object], gathered: Gathering) -> None:
    computed, forecast = _beside(found, "co2eq"), _beside(found, "co2eq_forecast")
    if computed is None and forecast is None:
        raise lacking(found, "co2eq")
    for start_ns, end_ns, index in _stretches(found, gathered):
        why = Skipped.NULL
        for values, kind in ((computed, PointKind.ACTUAL), (forecast, PointKind.FORECAST)):
            try:
                value = micrograms_per_kwh(None if values is None else values[index])
            except ValueUnusable as unusable:
                why = unusable.why if why is Skipped.NULL else why
                continue
            gathered.add(start_ns, end_ns, value, kind)
            break
        else:
            gathered.skip(why)


def _beside(found: Mapping[str, object], name: str) -> list[object] | None:
    """Give the list that runs beside the times, None without one. Raises FeedError(INVALID)."""
    values = found.get(name)
    if values is None:
        return None
    times = _times(found)
    if not isinstance(values, list) or len(values) != len(times):
        has = f"{len(values)} values" if isinstance(values, list) else repr(values)[:80]
        raise FeedError(Trouble.INVALID, f"the answer has {has} in {name!r} for {len(times)} times")
    return values


def _times(found: Mapping[str, object]) -> list[object]:
    times = found.get("unix_seconds")
    if not isinstance(times, list):
        raise lacking(found, "unix_seconds")
    return times


def _stretches(found: Mapping[str, object], gathered: Gathering) -> Iterator[tuple[int, int, int]]:
    """Give start, end and place in the lists of each stretch. One without a neighbour has no length and is left out.

    A stretch lasts until the next begins, and no longer than the one before it: a gap stays a gap.
    """
    places: dict[int, int] = {}
    for index, text in enumerate(_times(found)):
        try:
            start_ns = wall_ns_of(text)
        except ValueError:
            gathered.skip(Skipped.BAD_TIME)
            continue
        if places.setdefault(start_ns, index) != index:
            gathered.skip(Skipped.DUPLICATE)
    starts = sorted(places)
    steps = [min(after - before, _LONGEST_NS) for before, after in pairwise(starts)]
    if not steps:
        gathered.skip(Skipped.BAD_TIME, len(starts))
        return
    for start_ns, last_ns, next_ns in zip(starts, [steps[0], *steps], [*steps, steps[-1]], strict=True):
        yield start_ns, start_ns + min(last_ns, next_ns), places[start_ns]
