"""Octopus Energy: half-hourly rates of one Agile tariff in pages, newest first, until *newest*.

The rate of a half hour is the tenth part of its number since the epoch modulo 700, minus 20 pence, without VAT. Where
the next page is it says with another host, as a proxy or an attacker may.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from tests.agent.feeds.feed_server import Asked, Reply
from tests.agent.feeds.wall import at
from wattledger.rules.instant import NS_PER_SECOND

HALF_HOUR_SECONDS = 1800
PATH = "/v1/products/AGILE-24-10-01/electricity-tariffs/E-1R-AGILE-24-10-01-C/standard-unit-rates/"


def tenths_of_pence(second: int) -> int:
    """Give the rate of the half hour that begins at *second*."""
    return second // HALF_HOUR_SECONDS % 700 - 200


@dataclass(frozen=True, slots=True)
class OctopusServer:
    """*most_rows* is the largest page, whatever is asked for."""

    newest: str
    most_rows: int = 1500

    def __call__(self, asked: Asked) -> Reply:
        """Answer one request."""
        if asked.path != PATH:
            return Reply({"detail": "No EnergyProduct matches the given query."}, 404)
        query = asked.query
        first = at(query["period_from"]) // NS_PER_SECOND // HALF_HOUR_SECONDS
        last = min(-(-at(query["period_to"]) // NS_PER_SECOND // HALF_HOUR_SECONDS), self._newest)
        numbers = list(range(first, last))[::-1]
        size, page = min(int(query["page_size"]), self.most_rows), int(query["page"])
        shown = numbers[(page - 1) * size : page * size]
        if not shown and page > 1:
            return Reply({"detail": "Invalid page."}, 404)
        following = f"http://192.0.2.1{PATH}?page={page + 1}" if page * size < len(numbers) else None
        return Reply({"count": len(numbers), "next": following, "results": [_row(number) for number in shown]})

    @property
    def _newest(self) -> int:
        return at(self.newest) // NS_PER_SECOND // HALF_HOUR_SECONDS


def _row(number: int) -> dict[str, object]:
    second = number * HALF_HOUR_SECONDS
    rate = tenths_of_pence(second) / 10
    return {
        "value_exc_vat": rate,
        "value_inc_vat": rate * 1.05,
        "valid_from": _text(second),
        "valid_to": _text(second + HALF_HOUR_SECONDS),
        "payment_method": None,
    }


def _text(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%SZ}"
