"""A constant of the configuration, through the real decoder: its unit, its caliber, its limits."""

import pytest

from tests.agent.feeds.plain_web import PlainWeb
from tests.agent.feeds.wall import around
from wattledger.agent.config.feed_schema import Feed, FeedKind
from wattledger.agent.feeds.registration import Wants
from wattledger.agent.feeds.static import KEYS, build, mistakes
from wattledger.rules.feeds.model import Basis, Caliber, Factors, Gas, Measure, PointKind, Signal

_WINDOW = around("2026-10-13T12:00+00:00", hours_ahead=6)


def _feed(value_micro: int, unit: str = "", **changes: object) -> Feed:
    return Feed(kind=FeedKind.STATIC, zone="DE", value_micro=value_micro, unit=unit, **changes)  # type: ignore[arg-type]  # of a table


def _value(feed: Feed, wants: Wants) -> int:
    (point,) = build(feed, wants).fetch(PlainWeb(), _WINDOW).points
    return point.value


def test_the_one_value_is_a_factor_that_holds_for_all_time() -> None:
    provider = build(_feed(380_000_000), Wants(Measure.INTENSITY))
    answer = provider.fetch(PlainWeb(), _WINDOW)
    (point,) = answer.points
    assert point.value == 380_000_000
    assert point.kind is PointKind.FACTOR
    assert point.start_wall_ns < _WINDOW.start_wall_ns
    assert point.end_wall_ns > _WINDOW.end_wall_ns
    assert dict(answer.skipped) == {}


@pytest.mark.parametrize(
    ("measure", "value_micro", "unit", "expected"),
    [
        (Measure.INTENSITY, 530_600, "kg/kWh", 530_600_000),
        (Measure.INTENSITY, 1_000_000_000, "lb/MWh", 453_592_370),
        (Measure.PRICE, 611_200, "", 611_200),
        (Measure.PRICE, -12_500_000, "EUR/MWh", -12_500),
        (Measure.PRICE, 0, "", 0),
        (Measure.PUE, 1_250_000, "", 1_250_000),
    ],
)
def test_values_are_exact_in_their_units(measure: Measure, value_micro: int, unit: str, expected: int) -> None:
    assert _value(_feed(value_micro, unit), Wants(measure, currency="EUR")) == expected


def test_the_caliber_is_what_the_configuration_says() -> None:
    feed = _feed(380_000_000, signal=Signal.MARGINAL, factors=Factors.DIRECT, gas=Gas.CO2, basis=Basis.PRODUCTION)
    series = build(feed, Wants(Measure.INTENSITY)).series
    assert series.caliber == Caliber(Signal.MARGINAL, Factors.DIRECT, Gas.CO2, Basis.PRODUCTION)
    assert (series.provider, series.zone, series.currency) == ("static", "DE", "")


def test_the_citation_is_the_source_and_prices_have_a_currency_and_no_caliber() -> None:
    feed = _feed(611_200, citation="contract 17 of 2026")
    series = build(feed, Wants(Measure.PRICE, currency="CNY")).series
    assert (series.source, series.currency, series.caliber) == ("contract 17 of 2026", "CNY", None)


@pytest.mark.parametrize(
    ("measure", "value_micro", "unit", "key", "said"),
    [
        (Measure.INTENSITY, 0, "", "value", "more than 0 g"),
        (Measure.INTENSITY, -1_000_000, "", "value", "more than 0 g"),
        (Measure.INTENSITY, 1_501_000_000, "", "value", "at most 1500 g"),
        (Measure.INTENSITY, 380_000_000, "kg/kWh", "value", "check the number and its unit"),
        (Measure.INTENSITY, 380_000_000, "kWh", "unit", "write g/kWh"),
        (Measure.PUE, 990_000, "", "value", "from 1 to 10"),
        (Measure.PRICE, 1_000_000, "USD/kWh", "unit", "not converted"),
    ],
)
def test_what_cannot_be_is_told_with_its_key(
    measure: Measure, value_micro: int, unit: str, key: str, said: str
) -> None:
    wants = Wants(measure, currency="EUR")
    ((found, message),) = mistakes(_feed(value_micro, unit), wants)
    assert found == key
    assert said in message
    with pytest.raises(ValueError, match=key):
        build(_feed(value_micro, unit), wants)


def test_metered_energy_is_no_constant() -> None:
    assert Measure.ENERGY not in KEYS.measures
