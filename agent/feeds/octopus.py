"""Octopus Energy in Great Britain: unit rates of one tariff, half-hourly for Agile, without a key.

`/v1/products/{product}/electricity-tariffs/{tariff}/standard-unit-rates/` gives pence per kWh in pages, the newest
first. Rates without VAT are taken (`value_exc_vat`), as a business books them; standing charges are not in them. A
rate without `valid_to` holds until further notice, and is given for the time asked for. Tariffs with several ways to
pay list a rate for each: the one for all stands before that by direct debit, and that before the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from wattledger.rules.feeds.model import Measure, Series
from wattledger.rules.instant import NS_PER_SECOND

from ..config.feed_schema import Feed
from .base import Answer, FeedError, Pace, Skipped, Trouble, Web, Window
from .declared import pace_of
from .gathering import Gathering
from .json_body import json_object, rows_in
from .numbers import ValueUnusable, price_millionths_per_kwh
from .preference import Candidate, take_best
from .registration import FeedKeys, Wants
from .times import iso_of, wall_ns_of

_URL = "https://api.octopus.energy"
_CURRENCY = "GBP"
_UNIT = "p/kWh"
_MINUTE_NS = 60 * NS_PER_SECOND
_STEP_NS = 30 * _MINUTE_NS
_PAGE_ROWS = 1500  # the most that a page has: a month of half hours
_MOST_PAGES = 20
_LEAST_LIKED = 2

KEYS = FeedKeys(required=("product", "tariff"), measures=(Measure.PRICE,), web=True)


def mistakes(feed: Feed, wants: Wants) -> Iterator[tuple[str, str]]:  # noqa: ARG001  (as every provider's)
    """Give the key and what is wrong with it, beyond what `KEYS` says."""
    if wants.currency != _CURRENCY:
        message = (
            f"is octopus, whose prices are in {_CURRENCY}, and the tariff is in {wants.currency}; "
            f"set tariff.currency to {_CURRENCY}, currencies are not converted"
        )
        yield "kind", message


def build(feed: Feed, wants: Wants) -> Octopus:
    """Make the provider. Raises FeedError(INVALID) for what `mistakes` tells."""
    for key, message in mistakes(feed, wants):
        raise FeedError(Trouble.INVALID, f"{key} {message}")
    url = feed.url.rstrip("/") or _URL
    rates = f"electricity-tariffs/{quote(feed.tariff, safe='')}/standard-unit-rates/"
    series = Series(
        Measure.PRICE,
        feed.kind.value,
        feed.zone or feed.tariff,
        currency=_CURRENCY,
        source=f"Octopus Energy, unit rates of {feed.tariff} without VAT",
    )
    pace = pace_of(feed, poll_ns=30 * _MINUTE_NS, step_ns=_STEP_NS)
    return Octopus(series, pace, f"{url}/v1/products/{quote(feed.product, safe='')}/{rates}", wants.credential)


@dataclass(frozen=True, slots=True)
class Octopus:
    """One tariff, which belongs to one region."""

    series: Series
    pace: Pace
    url: str
    credential: str = ""

    def fetch(self, web: Web, window: Window) -> Answer:
        """Ask for all pages of *window*. Raises FeedError."""
        gathered = Gathering(window)
        rates: list[Candidate] = []
        period = (("period_from", iso_of(window.start_wall_ns)), ("period_to", iso_of(_up(window.end_wall_ns))))
        whole = False
        for page in range(1, _MOST_PAGES + 1):
            query = (*period, ("page_size", str(_PAGE_ROWS)), ("page", str(page)))
            found = json_object(web.get(self.url, query=query).body)
            rates += _read(found, window, gathered)
            # Where `next` points to is not followed: it could be another host.
            if not found.get("next"):
                whole = True
                break
        else:
            gathered.warn(f"more than {_MOST_PAGES} pages of rates, the rest was not asked for")
        take_best(rates, gathered)
        return gathered.answer(
            empty="check the keys product and tariff, and whether the tariff was on sale then", whole=whole
        )


def _up(wall_ns: int) -> int:
    return -(-wall_ns // NS_PER_SECOND) * NS_PER_SECOND


def _read(found: Mapping[str, object], window: Window, gathered: Gathering) -> Iterator[Candidate]:
    for row in rows_in(found, "results"):
        try:
            start_ns = wall_ns_of(row.get("valid_from"))
            until = row.get("valid_to")
            end_ns = window.end_wall_ns if until is None else wall_ns_of(until)
            price = price_millionths_per_kwh(row.get("value_exc_vat"), _UNIT)
        except ValueError:
            gathered.skip(Skipped.BAD_TIME)
        except ValueUnusable as unusable:
            gathered.skip(unusable.why)
        else:
            if until is None and start_ns >= end_ns:
                gathered.skip(Skipped.OUTSIDE_WINDOW)
            else:
                yield Candidate((_rank(row.get("payment_method")),), start_ns, end_ns, price)


def _rank(payment_method: object) -> int:
    """Give how well liked a way to pay is: a rate for all ways first."""
    return {None: 0, "DIRECT_DEBIT": 1}.get(payment_method if isinstance(payment_method, str) else None, _LEAST_LIKED)
