"""Energy-Charts: quarter hours from *start* to *end* in parallel lists, actual until *now*, forecast from then on.

The values of a quarter hour are its number since the epoch modulo 500, plus 100; prices are half of it, minus 100.
"""

import re

from tests.agent.feeds.feed_server import Asked, Reply
from tests.agent.feeds.wall import at
from wattledger.rules.instant import NS_PER_SECOND

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\dZ", re.ASCII)
_COUNTRIES = frozenset({"de", "fr"})
_ZONES = frozenset({"DE-LU", "FR"})
QUARTER_SECONDS = 900


def grams(second: int) -> int:
    """Give the intensity of the quarter hour that begins at *second*."""
    return 100 + second // QUARTER_SECONDS % 500


def euros(second: int) -> float:
    """Give the price per MWh of the quarter hour that begins at *second*."""
    return grams(second) / 2 - 100


class EnergyChartsServer:
    """Knows some countries and zones. *newest* is the end of what is computed."""

    def __init__(self, newest: str) -> None:
        self.newest = at(newest) // NS_PER_SECOND

    def __call__(self, asked: Asked) -> Reply:
        """Answer one request."""
        query = asked.query
        if not (_TIME.fullmatch(query["start"]) and _TIME.fullmatch(query["end"])):
            return Reply({"detail": "start and end: YYYY-MM-DDTHH:MMZ"}, 422)
        first, last = (at(query[name]) // NS_PER_SECOND for name in ("start", "end"))
        seconds = list(range(first - first % QUARTER_SECONDS, last + 1, QUARTER_SECONDS))
        if asked.path == "/price" and query["bzn"] in _ZONES:
            prices = [euros(each) for each in seconds]
            return Reply({"license_info": "CC BY 4.0", "unix_seconds": seconds, "price": prices, "unit": "EUR / MWh"})
        if asked.path == "/co2eq" and query["country"] in _COUNTRIES:
            computed = [grams(each) if each < self.newest else None for each in seconds]
            forecast = [grams(each) for each in seconds]
            return Reply({"unix_seconds": seconds, "co2eq": computed, "co2eq_forecast": forecast})
        return Reply({"detail": "no content available"}, 404)
