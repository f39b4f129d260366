"""What stands in the answers of WattTime; what is asked for, and when, is not known here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wattledger.rules.feeds.model import PointKind, Signal
from wattledger.rules.instant import NS_PER_SECOND

from .base import FeedError, Skipped, Trouble
from .extent import Extent
from .gathering import Gathering
from .json_body import object_in, rows_in
from .numbers import ValueUnusable, decimal_of, micrograms_per_kwh
from .times import wall_ns_of

_UNIT = "lbs_co2_per_mwh"
_SHORTEST_SECONDS, _LONGEST_SECONDS = 60, 86_400
_MOST_WARNINGS = 10


@dataclass(frozen=True, slots=True)
class Wanted:
    """What every value of an answer must be of."""

    region: str
    signal: Signal

    @property
    def signal_type(self) -> str:
        """Give the provider's word."""
        return "co2_moer" if self.signal is Signal.MARGINAL else "co2_aoer"

    def check(self, meta: Mapping[str, object]) -> None:
        """Raise FeedError where *meta* tells of anything else."""
        region = meta.get("region")
        if region != self.region:
            raise FeedError(
                Trouble.WRONG_ZONE,
                f"the answer is of region {repr(region)[:80]}, asked for was {self.region}; check the key zone",
            )
        for name, right in (("signal_type", self.signal_type), ("units", _UNIT)):
            if meta.get(name) != right:
                raise FeedError(
                    Trouble.INVALID, f"the answer has {name} {repr(meta.get(name))[:80]}, asked for was {right!r}"
                )


def read(
    answer: Mapping[str, object], wanted: Wanted, asked: Extent, *, gathered: Gathering, is_forecast: bool = False
) -> None:
    """Put the values of *answer*, and the provider's warnings, into *gathered*. Raises FeedError."""
    meta = object_in(answer, "meta")
    wanted.check(meta)
    period_ns = _period_ns(meta)
    issued_ns = _time(meta.get("generated_at")) if is_forecast else None
    _warn(meta, gathered)
    for row in rows_in(answer, "data"):
        start_ns = _time(row.get("point_time"))
        if start_ns is None:
            gathered.skip(Skipped.BAD_TIME)
            continue
        if asked.is_surplus(start_ns, start_ns + period_ns):
            continue
        try:
            value = _value(row.get("value"), wanted.signal)
        except ValueUnusable as unusable:
            gathered.skip(unusable.why)
            continue
        kind = PointKind.FORECAST if is_forecast else _kind(row)
        issued = issued_ns if is_forecast else _time(row.get("last_updated"))
        gathered.add(start_ns, start_ns + period_ns, value, kind, issued)


def _period_ns(meta: Mapping[str, object]) -> int:
    seconds = meta.get("data_point_period_seconds")
    if (
        not isinstance(seconds, int)
        or isinstance(seconds, bool)
        or not _SHORTEST_SECONDS <= seconds <= _LONGEST_SECONDS
    ):
        raise FeedError(
            Trouble.INVALID, f"the answer has data_point_period_seconds {repr(seconds)[:80]}, which is no length"
        )
    return seconds * NS_PER_SECOND


def _time(text: object) -> int | None:
    try:
        return wall_ns_of(text)
    except ValueError:
        return None


def _value(value: object, signal: Signal) -> int:
    # Where wind or sun is curtailed, one more kWh emits nothing; a whole region never averages that.
    if signal is Signal.MARGINAL and decimal_of(value) == 0:
        return 0
    return micrograms_per_kwh(value, _UNIT)


def _kind(row: Mapping[str, object]) -> PointKind:
    return PointKind.ESTIMATED if row.get("imputed_data_used") is True else PointKind.ACTUAL


def _warn(meta: Mapping[str, object], gathered: Gathering) -> None:
    warnings = meta.get("warnings")
    for warning in warnings[:_MOST_WARNINGS] if isinstance(warnings, list) else ():
        words = (warning.get("type"), warning.get("message")) if isinstance(warning, dict) else (warning,)
        if any(words):
            gathered.warn(": ".join(str(word)[:200] for word in words if word))
