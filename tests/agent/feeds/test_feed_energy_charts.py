"""Energy-Charts against a server with countries and zones, and against answers in its form that hold every trap.

The answers in tests/data/feeds are put together after published answers to /co2eq and /price.
"""

import json
from decimal import Decimal

import pytest

from tests.agent.feeds.energy_charts_server import QUARTER_SECONDS, EnergyChartsServer, euros, grams
from tests.agent.feeds.feed_server import FeedServer, Reply, serving
from tests.agent.feeds.plain_web import PlainWeb
from tests.agent.feeds.refused_answers import REFUSED
from tests.agent.feeds.wall import ANSWERS, MINUTE_NS, around, at, text_of
from wattledger.agent.config.feed_schema import Feed, FeedKind
from wattledger.agent.feeds.base import Answer, FeedError, Skipped, Trouble, Window
from wattledger.agent.feeds.energy_charts import EnergyCharts, build
from wattledger.agent.feeds.registration import Wants
from wattledger.rules.feeds.model import Basis, Factors, Measure, PointKind
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND

_GRAM = 1_000_000
_CO2_NOW = "2026-07-12T22:50+00:00"
_PRICE_NOW = "2025-12-30T23:30+00:00"


def _provider(
    server: FeedServer,
    zone: str = "DE",
    measure: Measure = Measure.INTENSITY,
    *,
    currency: str = "EUR",
    **keys: object,
) -> EnergyCharts:
    feed = Feed(kind=FeedKind.ENERGY_CHARTS, zone=zone, url=f"{server.url}/", **keys)  # type: ignore[arg-type]
    return build(feed, Wants(measure, currency if measure is Measure.PRICE else ""))


def _recorded(name: str, **changed: object) -> Reply:
    found = json.loads((ANSWERS / "energy_charts" / f"{name}.json").read_bytes())
    return Reply({key: value for key, value in {**found, **changed}.items() if value is not ...})


def _intensity(reply: Reply, window: Window | None = None) -> Answer:
    with serving(reply) as server:
        return _provider(server).fetch(PlainWeb(), window or around(_CO2_NOW, hours_before=1, hours_ahead=2))


def _price(reply: Reply, currency: str = "EUR") -> Answer:
    with serving(reply) as server:
        provider = _provider(server, "DE-LU", Measure.PRICE, currency=currency)
        return provider.fetch(PlainWeb(), around(_PRICE_NOW, hours_before=1, hours_ahead=1))


def test_what_is_computed_is_actual_and_the_forecast_stands_where_nothing_is() -> None:
    answer = _intensity(_recorded("co2eq"))
    assert [(text_of(point.start_wall_ns), point.value, point.kind) for point in answer.points] == [
        ("2026-07-12T22:00", 491_500_000, PointKind.ACTUAL),
        ("2026-07-12T22:15", 497_400_000, PointKind.ACTUAL),
        ("2026-07-12T22:30", 502_600_000, PointKind.ACTUAL),
        ("2026-07-12T22:45", 505_250_000, PointKind.FORECAST),
        ("2026-07-12T23:00", 508 * _GRAM, PointKind.FORECAST),
    ]
    assert {point.duration_ns for point in answer.points} == {15 * MINUTE_NS}
    assert {point.issued_wall_ns for point in answer.points} == {at(_CO2_NOW)}
    assert answer.skipped == {Skipped.NULL: 1}
    assert answer.warnings == ()


def test_prices_are_exact_and_may_be_zero_and_negative() -> None:
    answer = _price(_recorded("price"))
    assert [(text_of(point.start_wall_ns), point.value, point.kind) for point in answer.points] == [
        ("2025-12-30T23:00", 94_870, PointKind.ACTUAL),
        ("2025-12-30T23:15", -10, PointKind.ACTUAL),
        ("2025-12-30T23:30", 0, PointKind.ACTUAL),
    ]
    assert answer.skipped == {Skipped.NULL: 1}
    assert answer.warnings == ()


def test_the_series_say_what_the_numbers_are() -> None:
    with serving(_recorded("price")) as server:
        usual, told = _provider(server), _provider(server, factors=Factors.DIRECT, basis=Basis.CONSUMPTION)
        price = _provider(server, "DE-LU", Measure.PRICE)
    assert str(usual.series.caliber) == "average, lifecycle, CO2e, production"
    assert str(told.series.caliber) == "average, direct, CO2e, consumption"
    assert (usual.series.provider, usual.series.zone, usual.series.currency) == ("energy_charts", "DE", "")
    assert (price.series.caliber, price.series.currency, price.series.zone) == (None, "EUR", "DE-LU")
    assert "CC BY 4.0" in price.series.source
    assert (usual.pace.step_ns, usual.pace.max_age_ns) == (15 * MINUTE_NS, 2 * NS_PER_HOUR)
    assert price.pace.max_age_ns == 0


def test_times_are_asked_for_to_the_minute_and_not_to_the_month() -> None:
    now = "2026-01-15T10:47+00:00"
    with serving(EnergyChartsServer(now)) as server:
        answer = _provider(server, "FR").fetch(PlainWeb(), around(now, hours_before=2, hours_ahead=3))
        assert server.asked[0].path == "/co2eq"
        assert server.asked[0].query == {"country": "fr", "start": "2026-01-15T08:47Z", "end": "2026-01-15T13:47Z"}
    assert [text_of(answer.points[index].start_wall_ns) for index in (0, -1)] == [
        "2026-01-15T08:45",
        "2026-01-15T13:45",
    ]


@pytest.mark.parametrize(
    ("day", "quarters"),
    [(("2026-03-28T23:00Z", "2026-03-29T22:00Z"), 92), (("2026-10-24T22:00Z", "2026-10-25T23:00Z"), 100)],
    ids=["of 23 hours", "of 25 hours"],
)
@pytest.mark.parametrize("measure", [Measure.INTENSITY, Measure.PRICE])
def test_a_day_on_which_clocks_change_has_no_gap_and_no_overlap(
    day: tuple[str, str], quarters: int, measure: Measure
) -> None:
    start_ns, end_ns = at(day[0]), at(day[1])
    with serving(EnergyChartsServer("2030-01-01T00:00Z")) as server:
        provider = _provider(server, "DE-LU" if measure is Measure.PRICE else "DE", measure)
        answer = provider.fetch(PlainWeb(), Window(start_ns, end_ns, end_ns))
    assert len(answer.points) == quarters
    assert [point.start_wall_ns for point in answer.points] == list(range(start_ns, end_ns, 15 * MINUTE_NS))
    assert all(point.duration_ns == 15 * MINUTE_NS for point in answer.points)
    for point in answer.points:
        second = point.start_wall_ns // NS_PER_SECOND
        expected = Decimal(str(euros(second))) * 1000 if measure is Measure.PRICE else grams(second) * _GRAM
        assert point.value == expected


def test_hours_and_quarter_hours_are_told_apart_and_a_gap_stays_a_gap() -> None:
    hour, quarter = 4 * QUARTER_SECONDS, QUARTER_SECONDS
    first = at("2025-09-30T20:00Z") // NS_PER_SECOND
    starts = [first, first + hour, first + 2 * hour, first + 2 * hour + quarter, first + 4 * hour]
    reply = Reply({"unix_seconds": starts, "price": [10, 20, 30, 40, 50], "unit": "EUR / MWh"})
    with serving(reply) as server:
        window = Window(first * NS_PER_SECOND, (first + 6 * hour) * NS_PER_SECOND, first * NS_PER_SECOND)
        answer = _provider(server, "DE-LU", Measure.PRICE).fetch(PlainWeb(), window)
    assert [(text_of(p.start_wall_ns), p.duration_ns // MINUTE_NS, p.value) for p in answer.points] == [
        ("2025-09-30T20:00", 60, 10_000),
        ("2025-09-30T21:00", 60, 20_000),
        ("2025-09-30T22:00", 15, 30_000),
        ("2025-09-30T22:15", 15, 40_000),
        ("2025-10-01T00:00", 60, 50_000),
    ]


def test_order_and_repetition_do_not_matter() -> None:
    times = [1783895400, 1783893600, 1783894500, 1783893600, "soon", 1783896300]
    answer = _intensity(_recorded("co2eq", unix_seconds=times, co2eq=[3, 1, 2, 9, 9, 4], co2eq_forecast=...))
    assert [point.value // _GRAM for point in answer.points] == [1, 2, 3, 4]
    assert answer.skipped == {Skipped.DUPLICATE: 1, Skipped.BAD_TIME: 1}


def test_a_single_point_has_no_length() -> None:
    with pytest.raises(FeedError, match=r"left out: 1 bad_time.*energy-charts.info") as caught:
        _intensity(_recorded("co2eq", unix_seconds=[1783893600], co2eq=[400], co2eq_forecast=[400]))
    assert caught.value.trouble is Trouble.EMPTY


def test_text_is_read_as_the_number_that_it_is_and_nonsense_gives_way_to_the_forecast() -> None:
    answer = _intensity(
        _recorded(
            "co2eq", co2eq=["491.5", "ND", 0, -4, 9999, True], co2eq_forecast=[None, 300, None, None, 310, None]
        )
    )
    assert [(point.value, point.kind) for point in answer.points] == [
        (491_500_000, PointKind.ACTUAL),
        (300 * _GRAM, PointKind.FORECAST),
        (310 * _GRAM, PointKind.FORECAST),
    ]
    assert answer.skipped == {Skipped.OUT_OF_RANGE: 2, Skipped.NOT_A_NUMBER: 1}


def test_not_a_number_in_the_json_is_left_out() -> None:
    body = json.dumps({"unix_seconds": [1783893600, 1783894500], "co2eq": [float("nan"), 5]})
    answer = _intensity(Reply(body))
    assert [point.value for point in answer.points] == [5 * _GRAM]
    assert answer.skipped == {Skipped.NOT_A_NUMBER: 1}


def test_points_outside_the_window_are_counted_and_not_given() -> None:
    now = "2026-07-12T22:35+00:00"
    answer = _intensity(_recorded("co2eq"), around(now, hours_before=0.25))
    assert [text_of(point.start_wall_ns) for point in answer.points] == ["2026-07-12T22:15", "2026-07-12T22:30"]
    assert answer.skipped == {Skipped.OUTSIDE_WINDOW: 3, Skipped.NULL: 1}


@pytest.mark.parametrize(
    "changed",
    [
        {"co2eq": [1, 2]},
        {"co2eq_forecast": [1, 2, 3, 4, 5, 6, 7]},
        {"co2eq": {"a": 1}},
        {"unix_seconds": ...},
        {"co2eq": ..., "co2eq_forecast": ...},
    ],
    ids=["too few", "too many", "no list", "no times", "no values"],
)
def test_lists_that_do_not_fit_are_refused(changed: dict[str, object]) -> None:
    with pytest.raises(FeedError, match=r"unix_seconds|co2eq") as caught:
        _intensity(_recorded("co2eq", **changed))
    assert caught.value.trouble is Trouble.INVALID


@pytest.mark.parametrize(
    ("unit", "words"),
    [
        ("EUR / kWh", "'EUR / kWh', which is no currency per MWh"),
        ("EUR", "'EUR', which is no currency per MWh"),
        (..., "None, which is no currency per MWh"),
        ("PLN / MWh", "in PLN and the tariff is in EUR; set tariff.currency to PLN"),
        ("/ MWh", "the tariff is in EUR"),
    ],
)
def test_another_unit_or_currency_is_refused_and_never_converted(unit: object, words: str) -> None:
    with pytest.raises(FeedError, match=words) as caught:
        _price(_recorded("price", unit=unit))
    assert caught.value.trouble is Trouble.INVALID


def test_the_zone_may_have_another_currency_if_the_tariff_has_it() -> None:
    assert _price(_recorded("price", unit="PLN / MWh"), "PLN").points[0].value == 94_870


def test_another_licence_and_the_end_of_the_request_are_handed_on() -> None:
    licence = "Only for private and internal use, all rights with the exchange"
    answer = _price(_recorded("price", license_info=licence, deprecated=True))
    assert answer.warnings == (f"licence: {licence}", "Energy-Charts says that this request is deprecated")


def test_a_country_that_is_not_known_is_not_found() -> None:
    with serving(EnergyChartsServer(_CO2_NOW)) as server, pytest.raises(FeedError, match="no content") as caught:
        _provider(server, "XX").fetch(PlainWeb(), around(_CO2_NOW))
    assert caught.value.trouble is Trouble.NOT_FOUND


@pytest.mark.parametrize(("reply", "trouble"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("measure", [Measure.INTENSITY, Measure.PRICE])
def test_what_comes_instead_of_an_answer_is_told(reply: Reply, trouble: Trouble, measure: Measure) -> None:
    with serving(reply) as server, pytest.raises(FeedError) as caught:
        _provider(server, "DE-LU", measure).fetch(PlainWeb(), around(_CO2_NOW))
    assert caught.value.trouble is trouble
    assert caught.value.retry_after_ns == (90 * NS_PER_SECOND if trouble is Trouble.THROTTLED else None)


def test_an_answer_that_was_cut_off_is_refused() -> None:
    whole = _recorded("co2eq").body
    for length in (1, len(whole) // 2, len(whole) - 1):
        with pytest.raises(FeedError, match="no whole JSON") as caught:
            _intensity(Reply(whole[:length]))
        assert caught.value.trouble is Trouble.INVALID
