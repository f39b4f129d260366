"""Values that a Prometheus server holds: one series of a range query, each sample standing for the step before it.

Without `query` it asks for `ceems_emissions_gCo2_kWh` of CEEMS for the country that `zone` names. The unit is the key
`unit`, else the label `units` (as grid-intensity-go writes it), else g/kWh; an energy needs one. A power is taken for
the mean of its step: let the query average it. Where a sample lacks or is no number, there is a gap.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from wattledger.rules.feeds.model import Measure, PointKind, Series
from wattledger.rules.instant import NS_PER_SECOND

from ..config.feed_schema import Feed
from .base import Answer, FeedError, Pace, Skipped, Trouble, Web, Window
from .conversion import Convert, conversion
from .declared import SOURCE_KEYS, pace_of, series_of
from .gathering import Gathering
from .json_body import json_object
from .numbers import ValueUnusable
from .registration import FeedKeys, Wants
from .times import wall_ns_of
from .web_access import ACCESS_KEYS, Access, access_mistakes

KEYS = FeedKeys(
    required=("url",),
    optional=("query", "unit", "step", *ACCESS_KEYS, *SOURCE_KEYS),
    measures=tuple(Measure),
    web=True,
)

_STEP_NS = 5 * 60 * NS_PER_SECOND
_HOLD_NS = 30 * 60 * NS_PER_SECOND
# Prometheus refuses more than 11000 points a series.
_MOST_POINTS = 10_000
_ZONE_LABELS = ("zone", "country_code", "location")
_UNIT_LABELS = ("units", "unit")


def build(feed: Feed, wants: Wants) -> Prometheus:
    """Make the provider. Raises ValueError for what `mistakes` tells."""
    for key, message in mistakes(feed, wants):
        raise ValueError(f"{key}: {message}")
    holds = wants.measure in (Measure.INTENSITY, Measure.PUE, Measure.CARBON_FREE)
    step_ns = feed.step_ns or _STEP_NS
    return Prometheus(
        series=series_of(feed, wants),
        pace=pace_of(feed, poll_ns=step_ns, step_ns=step_ns, lag_ns=step_ns, max_age_ns=_HOLD_NS if holds else 0),
        url=f"{feed.url.rstrip('/')}/api/v1/query_range",
        query=feed.query or f'ceems_emissions_gCo2_kWh{{country_code="{feed.zone}"}}',
        unit=feed.unit,
        access=Access.of(feed, wants),
        credential=wants.credential,
    )


def mistakes(feed: Feed, wants: Wants) -> Iterator[tuple[str, str]]:
    """Give the key and what is wrong with it, beyond what `KEYS` says."""
    if "?" in feed.url:
        yield "url", "holds a query; write the address of the server alone, as in Grafana"
    if not feed.query and (wants.measure is not Measure.INTENSITY or not feed.zone):
        yield "query", "is missing; write the query whose result is wanted"
    if feed.unit:
        try:
            conversion(wants.measure, feed.unit, wants.currency)
        except ValueError as error:
            yield "unit", str(error)
    yield from access_mistakes(feed)


@dataclass(frozen=True, slots=True)
class _SampleRow:
    """One series of a result."""

    labels: Mapping[str, object]
    samples: list[object]


@dataclass(frozen=True, slots=True)
class Prometheus:
    """One query. `url` is that of the range queries."""

    series: Series
    pace: Pace
    url: str
    query: str
    unit: str
    access: Access
    credential: str = ""

    def fetch(self, web: Web, window: Window) -> Answer:
        """Ask for the steps of *window* that are over, on a grid that does not move. Raises FeedError."""
        step = self.pace.step_ns
        first = window.start_wall_ns // step + 1
        last = min(-(-window.end_wall_ns // step), window.now_wall_ns // step)
        gathered = Gathering(window)
        for begin in range(first, last + 1, _MOST_POINTS):
            row = self._ask(web, begin * step, min(begin + _MOST_POINTS - 1, last) * step, gathered)
            if row is not None:
                self._take(row, gathered)
        return gathered.answer(empty=f"try the query {self.query!r} in the server's own page")

    def _ask(self, web: Web, start_ns: int, end_ns: int, gathered: Gathering) -> _SampleRow | None:
        query = (
            ("query", self.query),
            ("start", _seconds(start_ns)),
            ("end", _seconds(end_ns)),
            ("step", _seconds(self.pace.step_ns)),
        )
        answer = json_object(self.access.get(web, self.url, query).body)
        if answer.get("status") != "success":
            raise FeedError(
                Trouble.INVALID,
                f"the server says {str(answer.get('errorType', answer.get('status')))[:50]}: "
                f"{str(answer.get('error', ''))[:200]}; correct `query`, or `url` where it is no Prometheus",
            )
        for word in _list(answer.get("warnings")):
            gathered.warn(str(word)[:200])
        data = answer.get("data")
        if not isinstance(data, dict) or data.get("resultType") != "matrix":
            raise FeedError(Trouble.INVALID, "the result is no matrix; write a query that gives a series")
        return self._one([_row(row) for row in _list(data.get("result"))])

    def _one(self, rows: list[_SampleRow]) -> _SampleRow | None:
        """Give the series that is meant, None where there is none. Raises FeedError where it is not clear."""
        zone = self.series.zone
        mine = [row for row in rows if zone and zone in _zones(row)]
        if len(mine) == 1 or not rows:
            return mine[0] if mine else None
        if len(rows) == 1:
            found = _zones(rows[0])
            if zone and found and self.series.measure in (Measure.INTENSITY, Measure.CARBON_FREE):
                raise FeedError(
                    Trouble.WRONG_ZONE, f"the series is of {', '.join(found)}, not of {zone}; mend `zone` or `query`"
                )
            return rows[0]
        shown = "; ".join(_shown(row) for row in (mine or rows)[:4])
        cure = "narrow the query to one series" if mine or not zone else f"none is of zone {zone}, narrow the query"
        raise FeedError(Trouble.INVALID, f"the query gives {len(mine or rows)} series ({shown}); {cure}")

    def _take(self, row: _SampleRow, gathered: Gathering) -> None:
        convert = self._conversion(row)
        for sample in row.samples:
            if not isinstance(sample, list) or len(sample) != 2:
                raise FeedError(Trouble.INVALID, f"a sample is {repr(sample)[:60]}, not a time and a value")
            try:
                end = wall_ns_of(sample[0])
                value = convert(sample[1], self.pace.step_ns)
            except ValueUnusable as error:
                gathered.skip(error.why)
            except ValueError:
                gathered.skip(Skipped.BAD_TIME)
            else:
                gathered.add(end - self.pace.step_ns, end, value, PointKind.ACTUAL, issued_wall_ns=end)

    def _conversion(self, row: _SampleRow) -> Convert:
        labelled = next((str(row.labels[name]) for name in _UNIT_LABELS if name in row.labels), "")
        try:
            return conversion(self.series.measure, self.unit or labelled, self.series.currency)
        except ValueError as error:
            raise FeedError(Trouble.INVALID, f"{error}; set `unit` for this feed") from None


def _row(row: object) -> _SampleRow:
    if isinstance(row, dict) and isinstance(row.get("metric"), dict) and isinstance(row.get("values"), list):
        return _SampleRow(row["metric"], row["values"])
    raise FeedError(Trouble.INVALID, f"the result holds {repr(row)[:60]}, which is no series of samples")


def _list(found: object) -> list[object]:
    return found if isinstance(found, list) else []


def _zones(row: _SampleRow) -> list[str]:
    return [str(row.labels[name]) for name in _ZONE_LABELS if name in row.labels]


def _shown(row: _SampleRow) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in row.labels.items())[:100]


def _seconds(ns: int) -> str:
    """Give seconds as a plain number, without a float between."""
    text = f"{Decimal(ns).scaleb(-9):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
