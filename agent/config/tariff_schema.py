"""The keys below `tariff`: what a kWh costs, and when."""

from datetime import date
from typing import Annotated

import msgspec

from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.tariff.model import DayType, HourSpan

from .feed_scalars import CURRENCY, TIME_ZONE
from .feed_schema import Feed
from .scalars import WordForNone, choice_key
from .section import Section
from .tariff_scalars import CHARGE, DATE, DEMAND_WINDOW, HOURS, LABEL, MONTH, PRICE

DayItem = Annotated[DayType, choice_key(DayType)]


class TariffPeriod(Section, frozen=True, kw_only=True):
    """A price for some of the time. Without months, days or hours it is every month, every day, the whole day.

    `from` is its first day and `to` the first day after it. Prices are in millionths of the currency per kWh.
    """

    label: Annotated[str, LABEL]
    price_millionths: Annotated[int, PRICE] = msgspec.field(name="price")
    months: tuple[Annotated[int, MONTH], ...] = ()
    days: Annotated[tuple[DayItem, ...] | None, WordForNone("every", one=True)] = None
    hours: tuple[Annotated[HourSpan, HOURS], ...] = ()
    from_day: Annotated[date | None, DATE] = msgspec.field(default=None, name="from")
    to_day: Annotated[date | None, DATE] = msgspec.field(default=None, name="to")


class DemandCharge(Section, frozen=True, kw_only=True):
    """A charge for the highest mean power of a month, for reports alone."""

    per_kw_millionths: Annotated[int, CHARGE] = msgspec.field(name="price_per_kw_month")
    window_ns: Annotated[int, DEMAND_WINDOW] = msgspec.field(default=900 * NS_PER_SECOND, name="window")


class Tariff(Section, frozen=True, kw_only=True):
    """Prices in one currency, which is a label and never converted. The first period that covers a moment counts.

    `price` holds where no period does. Periods, holidays and workdays go by the clock of `timezone`; None is UTC.
    """

    currency: Annotated[str, CURRENCY]
    timezone: Annotated[str | None, TIME_ZONE] = None
    price_millionths: Annotated[int | None, PRICE] = msgspec.field(default=None, name="price")
    periods: tuple[TariffPeriod, ...] = ()
    holidays: tuple[Annotated[date, DATE], ...] = ()
    workdays: tuple[Annotated[date, DATE], ...] = ()
    feed: Feed | None = None
    adder_millionths: Annotated[int, PRICE] = msgspec.field(default=0, name="adder")
    demand: DemandCharge | None = None
