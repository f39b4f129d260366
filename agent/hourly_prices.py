"""What a kWh costs in the hours that are priced: by the tariff's own periods, or by a feed and what comes on top."""

from collections.abc import Callable, Sequence

from wattledger.rules.feeds.fallback import Resolved
from wattledger.rules.tariff.model import Tariff
from wattledger.rules.tariff.prices import PricePoint, feed_price_points, price_points

Resolve = Callable[[int, int], Sequence[Resolved]]
"""Gives the feed's prices, which tile `[start, end)`."""

_MOST_REMEMBERED = 200


class HourlyPrices:
    """The prices of one tariff. Stretches of its own periods are computed once: they do not change."""

    def __init__(self, tariff: Tariff, resolve: Resolve | None = None) -> None:
        """*resolve* is asked where the tariff says that a feed makes its prices."""
        self._tariff = tariff
        self._resolve = resolve
        self._known: dict[tuple[int, int], Sequence[PricePoint]] = {}

    def points(self, start_wall_ns: int, end_wall_ns: int) -> Sequence[PricePoint]:
        """Give the prices of `[start, end)`, which tile it."""
        if self._tariff.by_feed:
            spans = () if self._resolve is None else self._resolve(start_wall_ns, end_wall_ns)
            return feed_price_points(self._tariff, spans, start_wall_ns, end_wall_ns)
        found = self._known.get((start_wall_ns, end_wall_ns))
        if found is None:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            found = self._known[start_wall_ns, end_wall_ns] = price_points(self._tariff, start_wall_ns, end_wall_ns)
        return found
