"""éCO2mix of RTE on the ODRÉ portal: what France generates, in quarter hours, without a key (Licence Ouverte 2.0).

Caliber: average, CO2, of burning fuel alone (direct), production: exchange with other countries is not in it. It is
said at rte-france.com/eco2mix/les-emissions-de-co2-par-kwh-produit-en-france, where also "CO2 équivalent" is written:
the factors are of the combustion of coal, oil, gas and waste. Values are whole grams.

The rows stand on a grid of 15 minutes, of which mostly every second has a value (`taux_co2`); a value holds until the
next, for an hour at most, and the newest for as long as the shortest of those before. Times are asked for in UTC: a
local "today" is empty after midnight. The data set `eco2mix-national-tr` goes back some weeks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

from wattledger.rules.feeds.model import Basis, Caliber, Factors, Gas, Measure, Series, Signal
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND

from ..config.feed_schema import Feed
from .base import Answer, FeedError, Skipped, Trouble, Web, Window
from .declared import pace_of
from .extent import Extent
from .gathering import Gathering
from .json_body import json_object, lacking, rows_in
from .numbers import ValueUnusable, micrograms_per_kwh
from .registration import FeedKeys, Wants
from .times import iso_of, steps, wall_ns_of

_URL = "https://odre.opendatasoft.com/api/explore/v2.1/catalog/datasets/eco2mix-national-tr"
_SOURCE = "RTE éCO2mix on ODRÉ, Licence Ouverte 2.0"
_ZONE = "FR"
_PERIMETER = "France"
_QUARTER_NS = NS_PER_HOUR // 4
_LONGEST_HOLD_NS = NS_PER_HOUR
_PAGE_ROWS = 100  # the most that the portal gives at once
_MOST_ROWS = 2000  # of half hours: 41 days

KEYS = FeedKeys(required=("zone",), web=True)


def mistakes(feed: Feed, wants: Wants) -> Iterator[tuple[str, str]]:  # noqa: ARG001  (as every provider's)
    """Give the key and what is wrong with it, beyond what `KEYS` says."""
    if feed.zone != _ZONE:
        yield "zone", f"{feed.zone!r} is none of this provider; write {_ZONE}"


def build(feed: Feed, wants: Wants) -> Rte:
    """Make the provider. Raises FeedError(INVALID) for what `mistakes` tells."""
    for key, message in mistakes(feed, wants):
        raise FeedError(Trouble.INVALID, f"{key} {message}")
    return Rte(feed, wants.credential)


class Rte:
    """France without Corsica."""

    def __init__(self, feed: Feed, credential: str) -> None:
        self._url = f"{feed.url.rstrip('/') or _URL}/records"
        self.credential = credential
        self.pace = pace_of(
            feed,
            poll_ns=_QUARTER_NS,
            step_ns=2 * _QUARTER_NS,
            lag_ns=NS_PER_HOUR,
            max_age_ns=NS_PER_HOUR + 1800 * NS_PER_SECOND,
        )
        caliber = Caliber(Signal.AVERAGE, Factors.DIRECT, Gas.CO2, Basis.PRODUCTION)
        self.series = Series(Measure.INTENSITY, "rte", feed.zone, caliber, source=_SOURCE)

    def fetch(self, web: Web, window: Window) -> Answer:
        """Ask for *window*, page by page. Raises FeedError."""
        gathered = Gathering(window)
        values: dict[int, int] = {}
        offset, total = 0, 1
        while offset < total:
            try:
                total, rows = self._page(web, window, offset, gathered, values)
            except FeedError as error:
                if not offset or error.trouble is Trouble.WRONG_ZONE:
                    raise
                gathered.warn(error.detail)
                break
            offset += rows
            if not rows or offset >= _MOST_ROWS:
                break
        if offset < total:
            gathered.warn(f"{offset} of {total} rows were got, of the newest first")
        _add(values, window, gathered)
        return gathered.answer(whole=offset >= total)

    def _page(
        self, web: Web, window: Window, offset: int, gathered: Gathering, values: dict[int, int]
    ) -> tuple[int, int]:
        """Put the values of one page into *values*; give how many rows there are in all, and in this page."""
        # A value from before the window may hold in it.
        since = iso_of(window.start_wall_ns - _LONGEST_HOLD_NS)
        until = iso_of(window.end_wall_ns + NS_PER_SECOND - 1)  # the second in which the window ends is in it
        query = (
            ("select", "perimetre,date_heure,taux_co2"),
            ("where", f"date_heure > date'{since}' and date_heure < date'{until}' and taux_co2 is not null"),
            ("order_by", "date_heure desc"),  # so that of too many pages the newest are got
            ("limit", str(_PAGE_ROWS)),
            ("offset", str(offset)),
            ("timezone", "UTC"),
        )
        answer = json_object(web.get(self._url, query=query).body)
        rows = list(rows_in(answer, "results"))
        total = answer.get("total_count")
        if not isinstance(total, int) or isinstance(total, bool):
            raise lacking(answer, "total_count")
        for row in rows:
            _take(row, gathered, values)
        return total, len(rows)


def _take(row: Mapping[str, object], gathered: Gathering, values: dict[int, int]) -> None:
    perimeter = row.get("perimetre")
    if perimeter != _PERIMETER:
        raise FeedError(
            Trouble.WRONG_ZONE,
            f"a row is of {repr(perimeter)[:80]}, wanted is {_PERIMETER}; check the key url: it names a data set",
        )
    try:
        start_ns = wall_ns_of(row.get("date_heure"))
        value = micrograms_per_kwh(row.get("taux_co2"))
    except ValueError:
        gathered.skip(Skipped.BAD_TIME)
    except ValueUnusable as unusable:
        gathered.skip(unusable.why)
    else:
        if start_ns in values:
            gathered.skip(Skipped.DUPLICATE)
        values.setdefault(start_ns, value)


def _add(values: Mapping[int, int], window: Window, gathered: Gathering) -> None:
    """Let each value hold until the next."""
    starts = sorted(values)
    newest_ns = min((later - start for start, later in pairwise(starts)), default=_QUARTER_NS)
    # What was asked for from before the window only may hold in it.
    asked = Extent(window.start_wall_ns - _LONGEST_HOLD_NS, window.end_wall_ns, window)
    for start_ns, end_ns in steps(starts, newest_ns, longest_ns=_LONGEST_HOLD_NS):
        if not asked.is_surplus(start_ns, end_ns):
            gathered.add(start_ns, end_ns, values[start_ns])
