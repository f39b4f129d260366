"""What stands in the answers of the Carbon Intensity API; what is asked for, and when, is not known here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from wattledger.rules.feeds.model import PointKind
from wattledger.rules.instant import NS_PER_HOUR

from .base import FeedError, Skipped, Trouble
from .extent import Extent
from .gathering import Gathering
from .json_body import lacking, rows_in
from .numbers import ValueUnusable, decimal_of, micrograms_per_kwh
from .times import wall_ns_of


def read(answer: Mapping[str, object], region: int | None, asked: Extent, *, gathered: Gathering) -> None:
    """Put the half hours of *answer* into *gathered*. Raises FeedError (INVALID, WRONG_ZONE).

    Each answer begins with the half hour that ends where it was asked to begin: that one is passed over.
    """
    for row in _rows(answer, region):
        try:
            from_ns, to_ns = wall_ns_of(row.get("from")), wall_ns_of(row.get("to"))
        except ValueError:
            gathered.skip(Skipped.BAD_TIME)
            continue
        if to_ns == asked.start_wall_ns or asked.is_surplus(from_ns, to_ns):
            continue
        if not from_ns < to_ns <= from_ns + NS_PER_HOUR:
            gathered.skip(Skipped.BAD_TIME)
            continue
        try:
            value, kind = _value(row, region, gathered)
        except ValueUnusable as unusable:
            gathered.skip(unusable.why)
            continue
        gathered.add(from_ns, to_ns, value, kind)


def _rows(answer: Mapping[str, object], region: int | None) -> Iterator[Mapping[str, object]]:
    """Give the half hours. Those of a region stand in an object, or in a list of one."""
    if region is None:
        return rows_in(answer, "data")
    data = answer.get("data")
    if isinstance(data, list) and len(data) == 1:
        data = data[0]
    if not isinstance(data, dict):
        raise lacking(answer, "data")
    told = data.get("regionid")
    if str(told) != str(region):
        raise FeedError(Trouble.WRONG_ZONE, f"the answer is of region {repr(told)[:80]}, asked for was {region}")
    return rows_in(data, "data")


def _value(row: Mapping[str, object], region: int | None, gathered: Gathering) -> tuple[int, PointKind]:
    """Give what was, else what was forecast. Raises ValueUnusable."""
    intensity = row.get("intensity")
    if not isinstance(intensity, dict):
        raise ValueUnusable(Skipped.NULL)
    actual = intensity.get("actual")
    if actual is not None:
        try:
            return micrograms_per_kwh(actual), PointKind.ACTUAL
        except ValueUnusable as unusable:
            gathered.skip(unusable.why)
    return _forecast(intensity, region), PointKind.FORECAST


def _forecast(intensity: Mapping[str, object], region: int | None) -> int:
    forecast = intensity.get("forecast")
    # The north of Scotland is at 0 for days, wind alone; the word beside the number tells it from a lack of one.
    if region is not None and decimal_of(forecast) == 0 and intensity.get("index") == "very low":
        return 0
    return micrograms_per_kwh(forecast)
