"""From the configuration of a tariff to the tariff, and what in it cannot be meant or does less than it seems to."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, tzinfo
from itertools import islice

from wattledger.rules.tariff.coverage import look_over
from wattledger.rules.tariff.model import (
    EVERY_DAY,
    EVERY_MONTH,
    Demand,
    Period,
    Tariff,
    UtcOffset,
)

from .config.tariff_schema import Tariff as TariffSection
from .config.tariff_schema import TariffPeriod
from .tariff_words import clash_told, gap_told, never_told

DEFAULT_ZONE = "UTC"
GAPS_SHOWN = 5
Told = tuple[str, str]
"""The key below `tariff` that is concerned, empty for all of it, and what is wrong with it and the cure."""


def make_tariff(section: TariffSection) -> Tariff:
    """Give the tariff of a configuration without mistakes."""
    name = section.timezone or DEFAULT_ZONE
    demand = section.demand
    return Tariff(
        currency=section.currency,
        timezone=name,
        offset_at=clock_of(name),
        value=section.price_millionths,
        periods=tuple(map(_period, section.periods)),
        holidays=frozenset(section.holidays),
        workdays=frozenset(section.workdays),
        by_feed=section.feed is not None,
        adder=section.adder_millionths,
        demand=None if demand is None else Demand(demand.per_kw_millionths, demand.window_ns),
    )


def clock_of(name: str) -> UtcOffset:
    """Give the local clock of a time zone whose name has been checked."""
    if name == DEFAULT_ZONE:
        return _utc
    from zoneinfo import ZoneInfo  # noqa: PLC0415  (only where a time zone is named)

    zone: tzinfo = ZoneInfo(name)

    def offset_at(second: int) -> int:
        offset = datetime.fromtimestamp(second, UTC).astimezone(zone).utcoffset()
        return 0 if offset is None else offset.days * 86_400 + offset.seconds

    return offset_at


def _utc(_second: int) -> int:
    return 0


def _period(section: TariffPeriod) -> Period:
    return Period(
        label=section.label,
        value=section.price_millionths,
        months=frozenset(section.months) or EVERY_MONTH,
        days=EVERY_DAY if section.days is None else frozenset(section.days),
        hours=section.hours,
        from_day=section.from_day,
        to_day=section.to_day,
    )


def tariff_mistakes(section: TariffSection) -> Iterator[Told]:
    """Give what cannot be meant, each with its cure."""
    if section.feed is not None:
        if section.periods:
            yield "periods", "stand beside a feed, which gives every price; keep one of the two"
        if section.price_millionths is not None:
            yield (
                "price",
                "stands beside a feed, which gives every price; write adder for what comes on top, or remove it",
            )
    elif section.adder_millionths:
        yield "adder", "adds to the prices of a feed, and there is none; add a feed, or put it into the prices"
    for number, period in enumerate(section.periods):
        if period.days == ():
            yield f"periods[{number}].days", "names no day; write every or a list of workday, weekend, holiday"
        if period.from_day is not None and period.to_day is not None and period.to_day <= period.from_day:
            yield f"periods[{number}].to", "is not after `from`, and is the first day after; exchange or correct one"
    yield from _listed_twice("holidays", section.holidays)
    yield from _listed_twice("workdays", section.workdays)
    for number, day in enumerate(section.workdays):
        if day in section.holidays:
            yield f"workdays[{number}]", f"`{day}` stands under holidays too; keep one of them"


def _listed_twice(key: str, days: Sequence[date]) -> Iterator[Told]:
    for number, day in enumerate(days):
        if day in days[:number]:
            yield f"{key}[{number}]", f"`{day}` is listed twice; keep one of them"


def tariff_doubts(section: TariffSection) -> Iterator[Told]:
    """Give what is allowed and does less than it seems to; of a configuration without mistakes."""
    if section.feed is not None:
        return
    if section.timezone is None and section.periods:
        yield "", "has periods and no timezone, so they go by UTC; add timezone: Asia/Shanghai, or UTC to say so"
    if not section.periods:
        if section.price_millionths is None:
            yield "", "has no price, so that no cost is told; add price, periods or a feed"
        return
    tariff = make_tariff(section)
    findings = look_over(tariff)
    yield from ((f"periods[{number}]", never_told(tariff, findings, number)) for number in findings.never)
    yield from ((f"periods[{clash.second}]", clash_told(tariff, clash)) for clash in findings.clashes)
    yield from (("periods", gap_told(gap)) for gap in islice(findings.gaps, GAPS_SHOWN))
    if len(findings.gaps) > GAPS_SHOWN:
        yield (
            "periods",
            f"leave {len(findings.gaps) - GAPS_SHOWN} more gaps without a price; add price for all of them",
        )
