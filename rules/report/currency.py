"""Money of one currency: amounts of two cannot be added, so that what came to another is in no sum."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from wattledger.rules.pricing.model import Priced

from .rows import DeviceHour, HostHour, OwnerHour, ReportRows, ServiceHour

RowT = TypeVar("RowT", DeviceHour, OwnerHour, ServiceHour)
HourKey = tuple[str, int]


def currency_of(hours: Iterable[HostHour]) -> str:
    """Give the first that there is, empty without any."""
    return next((hour.price.currency for hour in hours if hour.price.currency), "")


def in_currency(rows: ReportRows, currency: str) -> tuple[ReportRows, frozenset[str]]:
    """Give *rows* without money in others than *currency*, whose energy then has no price; and which those are."""
    foreign = {
        (hour.host, hour.price.hour): hour.price.currency
        for hour in rows.hours
        if hour.price.currency not in ("", currency)
    }
    if not foreign:
        return rows, frozenset()
    kept = replace(
        rows,
        devices=_kept(rows.devices, foreign),
        owners=_kept(rows.owners, foreign),
        services=_kept(rows.services, foreign),
        hours=tuple(_unpriced(hour) if (hour.host, hour.price.hour) in foreign else hour for hour in rows.hours),
    )
    return kept, frozenset(foreign.values())


def _kept(rows: Iterable[RowT], foreign: Iterable[HourKey]) -> tuple[RowT, ...]:
    return tuple(row.at(_without_money(row.priced)) if (row.host, row.hour) in foreign else row for row in rows)


def _unpriced(hour: HostHour) -> HostHour:
    boundaries = {boundary: _without_money(priced) for boundary, priced in hour.price.boundaries.items()}
    return replace(hour, price=replace(hour.price, boundaries=boundaries, currency=""))


def _without_money(priced: Priced) -> Priced:
    return replace(priced, cost=0, credit=0, priced_mj=0)
