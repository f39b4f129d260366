"""EIA-930 of the US Energy Information Administration: what a balancing authority generates, by fuel and hour.

The intensity is computed here (`eia_mix.py`, with its factors). Caliber: average, CO2e, production: imports and
exports are not in it; life cycle, or direct with `factors: direct`. US public domain; the key is free.

`period` is the END of the hour, in UTC without offset: "hourly data are published using the hour ending time
reporting convention" (eia.gov/electricity/gridmonitor/about). gridstatus, Electricity Maps and PUDL read it so.

An answer has at most 5000 rows, so it is asked for page by page against `total`, and sorted, without which pages do
not fit together. Values are text, may be null, come up to a day late, and are revised. The key goes into the query,
as the API wants it; the web session hides it in errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from wattledger.rules.feeds.model import Basis, Caliber, Factors, Gas, Measure, Series, Signal
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND

from ..config.feed_schema import Feed
from .base import Answer, FeedError, Pace, Secret, Skipped, Trouble, Web, Window
from .declared import pace_of
from .eia_mix import SOURCE, FuelMix, Unusable, is_generation
from .gathering import Gathering
from .json_body import json_object, lacking, object_in, rows_in
from .numbers import ValueUnusable, decimal_of, whole_micrograms
from .registration import FeedKeys, Wants
from .times import wall_ns_of

_URL = "https://api.eia.gov/v2"
_PAGE_ROWS = 5000
_MOST_PAGES = 20
_UNIT = "megawatthours"
_PERIODS_IN = ZoneInfo("UTC")  # what `frequency=hourly` means

KEYS = FeedKeys(required=("zone",), optional=("factors",), one_of=(("token_file", "token_variable"),), web=True)


def build(feed: Feed, wants: Wants) -> Eia:
    """Make the provider. Raises FeedError(UNAUTHORIZED) where there is no key."""
    if wants.secret is None:
        raise FeedError(Trouble.UNAUTHORIZED, "there is no API key; set token_file or token_variable")
    caliber = Caliber(Signal.AVERAGE, feed.factors or Factors.LIFECYCLE, Gas.CO2E, Basis.PRODUCTION)
    series = Series(
        Measure.INTENSITY, feed.kind.value, feed.zone, caliber, source=f"EIA-930 net generation; {SOURCE}"
    )
    pace = pace_of(
        feed, poll_ns=NS_PER_HOUR, step_ns=NS_PER_HOUR, lag_ns=24 * NS_PER_HOUR, max_age_ns=36 * NS_PER_HOUR
    )
    return Eia(series, pace, feed.url.rstrip("/") or _URL, caliber.factors, wants.secret, wants.credential)


@dataclass(slots=True)
class _Read:
    """What the pages of one fetch had. `here` and `elsewhere` count rows by whether they are of the zone."""

    mix: FuelMix = field(default_factory=FuelMix)
    rows: int = 0
    here: int = 0
    elsewhere: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Eia:
    """One balancing authority, or a region such as US48."""

    series: Series
    pace: Pace
    url: str
    factors: Factors
    key: Secret
    credential: str = ""

    def fetch(self, web: Web, window: Window) -> Answer:
        """Ask for all pages of *window*. Raises FeedError."""
        gathered = Gathering(window)
        read = _Read()
        whole = self._pages(web, window, read, gathered)
        if read.elsewhere and not read.here:
            raise FeedError(
                Trouble.WRONG_ZONE,
                f"the answer is about {', '.join(sorted(read.elsewhere))[:80]}, asked for was {self.series.zone}; "
                "check the key zone",
            )
        for hour, found in read.mix.intensities(self.factors).items():
            if isinstance(found, Unusable):
                gathered.skip(Skipped.NULL)
                gathered.warn(f"hours left out: {found.value}")
                continue
            grams, kind = found
            try:
                gathered.add((hour - 1) * NS_PER_HOUR, hour * NS_PER_HOUR, whole_micrograms(grams), kind)
            except ValueUnusable as unusable:
                gathered.skip(unusable.why)
        cure = f"see at eia.gov/electricity/gridmonitor whether {self.series.zone} tells its generation by fuel"
        return gathered.answer(empty=cure, whole=whole)

    def _pages(self, web: Web, window: Window, read: _Read, gathered: Gathering) -> bool:
        """Read page after page; tell whether all were got."""
        for _ in range(_MOST_PAGES):
            query = self._query(window, read.rows)
            answer = json_object(web.get(f"{self.url}/electricity/rto/fuel-type-data/data/", query=query).body)
            response = object_in(answer, "response")
            total = _total(response)
            before = read.rows
            for row in rows_in(response, "data"):
                read.rows += 1
                self._take(row, read, gathered)
            if read.rows >= total:
                return True
            if read.rows == before:
                break
        gathered.warn(f"{read.rows} of {total} rows were got, of the oldest first")
        return False

    def _query(self, window: Window, offset: int) -> tuple[tuple[str, str], ...]:
        # A stretch that reaches into the window ends after its start, and at most one hour after its end.
        first = window.start_wall_ns // NS_PER_HOUR + 1
        last = -(-window.end_wall_ns // NS_PER_HOUR)
        return (
            ("frequency", "hourly"),
            ("data[0]", "value"),
            ("facets[respondent][]", self.series.zone),
            ("start", _period(first)),
            ("end", _period(last)),
            ("sort[0][column]", "period"),
            ("sort[0][direction]", "asc"),
            ("sort[1][column]", "fueltype"),
            ("sort[1][direction]", "asc"),
            ("offset", str(offset)),
            ("length", str(_PAGE_ROWS)),
            ("api_key", self.key()),
        )

    def _take(self, row: Mapping[str, object], read: _Read, gathered: Gathering) -> None:
        respondent, fuel = row.get("respondent"), row.get("fueltype")
        if respondent != self.series.zone:
            gathered.skip(Skipped.OTHER_ZONE)
            read.elsewhere.add(str(respondent)[:40])
            return
        read.here += 1
        if not isinstance(fuel, str):
            raise lacking(row, "fueltype")
        if not is_generation(fuel):
            return
        unit = row.get("value-units", _UNIT)
        if unit != _UNIT:
            raise FeedError(Trouble.INVALID, f"the answer has energies in {repr(unit)[:80]}, not in {_UNIT}")
        try:
            hour, rest = divmod(wall_ns_of(row.get("period"), _PERIODS_IN), NS_PER_HOUR)
            energy = decimal_of(row.get("value"))
        except ValueError:
            gathered.skip(Skipped.BAD_TIME)
        except ValueUnusable as unusable:
            gathered.skip(unusable.why)
        else:
            if rest:
                gathered.skip(Skipped.BAD_TIME)
            elif not read.mix.add(hour, fuel, energy):
                gathered.skip(Skipped.DUPLICATE)


def _total(response: Mapping[str, object]) -> int:
    total = response.get("total")
    try:
        return int(decimal_of(total))
    except ValueUnusable:
        raise lacking(response, "total") from None


def _period(hour: int) -> str:
    return f"{datetime.fromtimestamp(hour * (NS_PER_HOUR // NS_PER_SECOND), UTC):%Y-%m-%dT%H}"
