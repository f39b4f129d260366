"""What stands in the answers of Electricity Maps; what is asked for, and when, is not known here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from wattledger.rules.feeds.model import Factors, PointKind
from wattledger.rules.instant import NS_PER_HOUR

from .base import FeedError, Skipped, Trouble
from .extent import Extent
from .gathering import Gathering
from .json_body import lacking, rows_in
from .numbers import ValueUnusable, micrograms_per_kwh, share_factor, whole
from .plausible import share_is_plausible
from .times import wall_ns_of

_LISTS = ("history", "forecast", "data")
_PERCENT = "%"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What every value of an answer must be of. Without factors it is the carbon-free share, in percent."""

    zone: str
    factors: Factors | None

    def check(self, row: Mapping[str, object], answer: Mapping[str, object]) -> None:
        """Raise FeedError where *row* of *answer* says that it is of anything else."""
        zone = row.get("zone", answer.get("zone"))
        if zone != self.zone:
            told = "does not say of which zone it is" if zone is None else f"is of zone {repr(zone)[:80]}"
            raise FeedError(
                Trouble.WRONG_ZONE,
                f"the answer {told}, asked for was {self.zone}; check the key zone against app.electricitymaps.com",
            )
        kind = ("unit", _PERCENT) if self.factors is None else ("emissionFactorType", self.factors.value)
        for name, right in (kind, ("temporalGranularity", "hourly"), ("flowTraced", True)):
            told_is = row.get(name, answer.get(name))
            if told_is is not None and told_is != right:
                raise FeedError(
                    Trouble.INVALID, f"the answer has {name} {repr(told_is)[:80]}, asked for was {right!r}"
                )

    def value_of(self, row: Mapping[str, object]) -> int:
        """Give the value of *row*: micrograms per kWh, or millionths of the energy. Raises ValueUnusable."""
        if self.factors is None:
            return whole(row.get("value"), share_factor(_PERCENT), share_is_plausible)
        return micrograms_per_kwh(row.get("carbonIntensity"))


def read(
    answer: Mapping[str, object],
    wanted: Wanted,
    asked: Extent,
    *,
    gathered: Gathering,
    hours: dict[int, bool],
    is_forecast: bool = False,
) -> None:
    """Put the values of *answer* into *gathered*, and its hours into *hours*, with whether they have a value.

    An hour that has one already is left alone, except that forecasts are gathered beside it and enter no *hours*.
    Raises FeedError (INVALID, WRONG_ZONE).
    """
    mine: dict[int, bool] = {}
    for row in _rows(answer):
        wanted.check(row, answer)
        try:
            start_ns = wall_ns_of(row.get("datetime"))
        except ValueError:
            gathered.skip(Skipped.BAD_TIME)
            continue
        if start_ns % NS_PER_HOUR:
            gathered.skip(Skipped.BAD_TIME)
        elif mine.get(start_ns, False):
            gathered.skip(Skipped.DUPLICATE)
        elif asked.is_surplus(start_ns, start_ns + NS_PER_HOUR):
            mine[start_ns] = True
        elif is_forecast or not hours.get(start_ns, False):
            mine[start_ns] = _take(wanted, row, answer, start_ns, gathered, is_forecast=is_forecast)
    if not is_forecast:
        hours.update(mine)


def _rows(answer: Mapping[str, object]) -> Iterable[Mapping[str, object]]:
    """Give the rows; the answer to `latest` is a row itself."""
    if any(name in answer for name in _LISTS):
        return rows_in(answer, *_LISTS)
    if "datetime" in answer:
        return (answer,)
    raise lacking(answer, _LISTS[0])


def _take(
    wanted: Wanted,
    row: Mapping[str, object],
    answer: Mapping[str, object],
    start_ns: int,
    gathered: Gathering,
    *,
    is_forecast: bool,
) -> bool:
    try:
        value = wanted.value_of(row)
    except ValueUnusable as unusable:
        gathered.skip(unusable.why)
        return False
    issued_ns = _issued(row.get("updatedAt", answer.get("updatedAt")))
    kind = PointKind.FORECAST if is_forecast else _kind(row, start_ns, issued_ns)
    gathered.add(start_ns, start_ns + NS_PER_HOUR, value, kind, issued_ns)
    return True


def _issued(text: object) -> int | None:
    try:
        return wall_ns_of(text)
    except ValueError:
        return None


def _kind(row: Mapping[str, object], start_ns: int, issued_ns: int | None) -> PointKind:
    """Tell how the value came about: what is not said to be measured is estimated."""
    # Made before its hour began it can be no measurement, whatever is said.
    if row.get("isEstimated") is not False or (issued_ns is not None and issued_ns < start_ns):
        return PointKind.ESTIMATED
    return PointKind.ACTUAL
