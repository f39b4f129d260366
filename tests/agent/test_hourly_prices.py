"""Prices of the hours that are priced: of periods computed once, of a feed asked each time."""

from wattledger.agent.hourly_prices import HourlyPrices
from wattledger.rules.feeds.fallback import Resolved
from wattledger.rules.feeds.model import Measure, PointKind, Series
from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.tariff.model import HourSpan, Period, Tariff
from wattledger.rules.tariff.prices import PricePoint, price_points

HOUR_NS = NS_PER_HOUR
START = 490_000 * NS_PER_HOUR
SERIES = Series(Measure.PRICE, "told", "DE-LU", currency="EUR")
PERIODS = tuple(
    Period(f"p{number}", number, hours=(HourSpan(number * 60, (number + 1) * 60),)) for number in range(24)
)


class Clocks:
    """A clock on the wall that notes how often it is looked at."""

    def __init__(self) -> None:
        self.looked = 0

    def offset_at(self, _second: int) -> int:
        self.looked += 1
        return 0


def tariff(clocks: Clocks, *, by_feed: bool = False) -> Tariff:
    return Tariff("EUR", "UTC", clocks.offset_at, periods=() if by_feed else PERIODS, by_feed=by_feed, adder=50_000)


def test_the_prices_of_an_hour_are_computed_once() -> None:
    clocks = Clocks()
    prices = HourlyPrices(tariff(clocks))
    first = prices.points(START, START + HOUR_NS)
    looked = clocks.looked
    assert looked > 0
    assert prices.points(START, START + HOUR_NS) is first
    assert clocks.looked == looked
    assert first == price_points(tariff(Clocks()), START, START + HOUR_NS)


def test_what_is_remembered_does_not_grow_without_end_and_is_right_for_each_stretch() -> None:
    prices, plain = HourlyPrices(tariff(Clocks())), tariff(Clocks())
    for hour in [*range(500), *range(3)]:
        start = START + hour * HOUR_NS
        assert prices.points(start, start + HOUR_NS) == price_points(plain, start, start + HOUR_NS)
        half = start + HOUR_NS // 2
        assert prices.points(start, half) == [
            PricePoint(start, half, (490_000 + hour) % 24, f"p{(490_000 + hour) % 24}")
        ]
    assert len(prices._known) <= 200


def test_a_feed_is_asked_each_time_for_its_price_may_have_come_since() -> None:
    told: list[Resolved] = []
    prices = HourlyPrices(tariff(Clocks(), by_feed=True), lambda start, end: told or [Resolved(start, end)])
    (unknown,) = prices.points(START, START + HOUR_NS)
    assert unknown.value is None
    told.append(Resolved(START, START + HOUR_NS, 250_000, PointKind.ACTUAL, 0, SERIES))
    (known,) = prices.points(START, START + HOUR_NS)
    assert known.value == 300_000


def test_without_anybody_to_ask_there_is_no_price() -> None:
    (point,) = HourlyPrices(tariff(Clocks(), by_feed=True)).points(START, START + HOUR_NS)
    assert (point.start_wall_ns, point.end_wall_ns, point.value) == (START, START + HOUR_NS, None)
