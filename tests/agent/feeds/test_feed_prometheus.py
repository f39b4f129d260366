"""What a Prometheus server answers, in its own form: series, units in labels, gaps, and what is refused."""

import json
from typing import Any

import pytest

from tests.agent.feeds.feed_server import Asked, FeedServer, Reply, serving
from tests.agent.feeds.plain_web import PlainWeb
from tests.agent.feeds.wall import MINUTE_NS, around, at, text_of
from wattledger.agent.config.feed_schema import Feed, FeedKind
from wattledger.agent.feeds.base import Answer, FeedError, Skipped, Trouble, Window
from wattledger.agent.feeds.prometheus import Prometheus, build, mistakes
from wattledger.agent.feeds.registration import Wants
from wattledger.rules.feeds.model import Measure, PointKind
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND

_NOW = "2026-10-13T12:02+00:00"
_HOUR = around(_NOW, hours_before=1)
_INTENSITY = Wants(Measure.INTENSITY)
_FROM = at("2026-10-13T11:05+00:00") // NS_PER_SECOND  # the first step that ends within the window
_G = 1_000_000


def _provider(server: FeedServer, wants: Wants = _INTENSITY, *, path: str = "", **changes: Any) -> Prometheus:
    keys: dict[str, Any] = {"query": "intensity", **changes}
    return build(Feed(kind=FeedKind.PROMETHEUS, url=server.url + path, **keys), wants)


def _series(*values: object, **labels: str) -> dict[str, object]:
    return {"metric": labels, "values": [[_FROM + 300 * index, value] for index, value in enumerate(values)]}


def _matrix(*series: object, **more: object) -> dict[str, object]:
    return {"status": "success", "data": {"resultType": "matrix", "result": list(series)}, **more}


def _fetch(content: object, wants: Wants = _INTENSITY, window: Window = _HOUR, **changes: Any) -> Answer:
    with serving(Reply(content)) as server:
        return _provider(server, wants, **changes).fetch(PlainWeb(), window)


def _trouble(content: object, wants: Wants = _INTENSITY, **changes: Any) -> FeedError:
    with pytest.raises(FeedError) as caught:
        _fetch(content, wants, **changes)
    return caught.value


def _spans(answer: Answer) -> list[tuple[str, str, int]]:
    return [(text_of(p.start_wall_ns)[11:], text_of(p.end_wall_ns)[11:], p.value) for p in answer.points]


def test_each_sample_stands_for_the_step_before_it() -> None:
    answer = _fetch(_matrix(_series("300", "310.5")))
    assert _spans(answer) == [("11:00", "11:05", 300 * _G), ("11:05", "11:10", 310_500_000)]
    assert {point.kind for point in answer.points} == {PointKind.ACTUAL}
    assert [point.issued_wall_ns for point in answer.points] == [point.end_wall_ns for point in answer.points]


def test_it_asks_for_the_steps_that_are_over_on_a_grid_that_does_not_move() -> None:
    for now in (_NOW, "2026-10-13T12:04:59+00:00"):
        with serving(Reply(_matrix(_series("300")))) as server:
            _provider(server, path="/prometheus/").fetch(PlainWeb(), around(now, hours_before=1, hours_ahead=6))
            (asked,) = server.asked
        assert asked.path == "/prometheus/api/v1/query_range"
        assert asked.query == {
            "query": "intensity",
            "start": str(_FROM),
            "end": str(at("2026-10-13T12:00+00:00") // NS_PER_SECOND),
            "step": "300",
        }


def test_a_long_window_is_asked_for_in_parts_that_neither_lack_nor_repeat_a_step() -> None:
    def answer(asked: Asked) -> Reply:
        start, end, step = (int(asked.query[key]) for key in ("start", "end", "step"))
        assert (end - start) // step < 11_000
        return Reply(_matrix({"metric": {}, "values": [[time, "100"] for time in range(start, end + 1, step)]}))

    window = around(_NOW, hours_before=24 * 20)
    with serving(answer) as server:
        found = _provider(server, step_ns=MINUTE_NS).fetch(PlainWeb(), window)
        assert len(server.asked) == 3
    assert len(found.points) == 24 * 20 * 60
    ends = [point.end_wall_ns for point in found.points]
    assert ends == list(range(ends[0], ends[0] + len(ends) * MINUTE_NS, MINUTE_NS))


def test_samples_that_lack_or_are_no_number_are_gaps() -> None:
    row = _series("300", "NaN", "+Inf", "0", "-3", "1e4", "310")
    del row["values"][0]  # type: ignore[attr-defined]  # a list
    answer = _fetch(_matrix(row))
    assert _spans(answer) == [("11:30", "11:35", 310 * _G)]
    assert answer.skipped == {Skipped.NOT_A_NUMBER: 2, Skipped.OUT_OF_RANGE: 3}


def test_no_series_is_an_empty_answer() -> None:
    error = _trouble(_matrix())
    assert error.trouble is Trouble.EMPTY
    assert "try the query 'intensity'" in error.detail


class TestUnits:
    """The key, the label, or grams."""

    @pytest.mark.parametrize(
        ("key", "label", "value", "expected"),
        [
            ("", "", "300", 300 * _G),
            ("", "gCO2 per kWh", "300", 300 * _G),
            ("", "lb CO2 per MWh", "1000", 453_592_370),  # as grid-intensity-go writes it
            ("lb/MWh", "", "1000", 453_592_370),
            ("kg/kWh", "gCO2 per kWh", "0.3", 300 * _G),  # the key goes first
        ],
    )
    def test_of_intensities(self, key: str, label: str, value: str, expected: int) -> None:
        labels = {"units": label} if label else {}
        assert [p.value for p in _fetch(_matrix(_series(value, **labels)), unit=key).points] == [expected]

    def test_a_label_that_is_no_unit_of_intensity_is_refused(self) -> None:
        error = _trouble(_matrix(_series("50", units="percent")))
        assert error.trouble is Trouble.INVALID
        assert "set `unit`" in error.detail

    @pytest.mark.parametrize(
        ("unit", "value", "expected"),
        [("W", "1200", 360_000_000), ("kW", "1.2", 360_000_000), ("kWh", "0.1", 360_000_000), ("Wh", "0", 0)],
    )
    def test_a_power_gives_the_energy_of_its_step_and_an_energy_is_that_of_the_step(
        self, unit: str, value: str, expected: int
    ) -> None:
        answer = _fetch(_matrix(_series(value)), Wants(Measure.ENERGY), unit=unit)
        assert [point.value for point in answer.points] == [expected]

    def test_an_energy_without_a_unit_is_refused(self) -> None:
        assert "set `unit`" in _trouble(_matrix(_series("1")), Wants(Measure.ENERGY)).detail

    def test_prices_and_pue(self) -> None:
        prices = _fetch(_matrix(_series("-12.5")), Wants(Measure.PRICE, currency="EUR"), unit="EUR/MWh")
        assert [point.value for point in prices.points] == [-12_500]
        assert [p.value for p in _fetch(_matrix(_series("1.25")), Wants(Measure.PUE)).points] == [1_250_000]


class TestWhichSeries:
    """One, or the one of the zone."""

    @pytest.mark.parametrize("label", ["zone", "country_code", "location"])
    def test_the_zone_picks_one_of_several(self, label: str) -> None:
        content = _matrix(_series("300", **{label: "DE"}), _series("40", **{label: "FR"}))
        assert [point.value for point in _fetch(content, zone="FR").points] == [40 * _G]

    def test_several_without_a_zone_are_refused_and_shown(self) -> None:
        error = _trouble(_matrix(_series("300", zone="DE"), _series("40", zone="FR")))
        assert error.trouble is Trouble.INVALID
        assert "2 series (zone='DE'; zone='FR'); narrow the query" in error.detail

    def test_several_of_one_zone_are_refused(self) -> None:
        rows = [_series("300", country_code="FR", provider=provider) for provider in ("rte", "owid")]
        error = _trouble(_matrix(*rows), zone="FR")
        assert "2 series" in error.detail
        assert "provider='owid'" in error.detail

    def test_none_of_the_zone_is_refused(self) -> None:
        error = _trouble(_matrix(_series("300", zone="DE"), _series("40", zone="FR")), zone="SE")
        assert "none is of zone SE" in error.detail

    def test_a_single_series_of_another_zone_is_refused(self) -> None:
        error = _trouble(_matrix(_series("300", zone="DE")), zone="FR")
        assert error.trouble is Trouble.WRONG_ZONE
        assert "is of DE, not of FR" in error.detail

    def test_a_single_series_that_names_no_zone_is_taken(self) -> None:
        assert len(_fetch(_matrix(_series("300", job="grid")), zone="FR").points) == 1

    def test_a_zone_of_a_meter_is_no_grid_zone(self) -> None:
        content = _matrix(_series("1200", zone="rack-7"))
        assert len(_fetch(content, Wants(Measure.ENERGY), unit="W", zone="FR").points) == 1

    def test_without_a_query_ceems_is_asked_for_the_country(self) -> None:
        with serving(Reply(_matrix(_series("40", country_code="FR")))) as server:
            _provider(server, query="", zone="FR").fetch(PlainWeb(), _HOUR)
            assert server.asked[0].query["query"] == 'ceems_emissions_gCo2_kWh{country_code="FR"}'


class TestRefusals:
    """What the server says goes to the operator."""

    def test_an_error_of_the_query_is_shown(self) -> None:
        body = {"status": "error", "errorType": "bad_data", "error": "invalid parameter: parse error"}
        with serving(Reply(body, 400)) as server:
            with pytest.raises(FeedError, match="parse error") as caught:
                _provider(server).fetch(PlainWeb(), _HOUR)
            assert caught.value.trouble is Trouble.INVALID
        assert "bad_data: invalid parameter: parse error" in _trouble(body).detail

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ("<html>Sign in</html>", "is no whole JSON"),
            ({"status": "success", "data": {"resultType": "vector", "result": []}}, "no matrix"),
            ({"status": "success"}, "no matrix"),
            ({"hello": 1}, "where it is no Prometheus"),
            (_matrix({"metric": {}, "histograms": []}), "no series of samples"),
            (_matrix({"metric": {}, "values": [7]}), "not a time and a value"),
        ],
    )
    def test_what_is_no_result_is_refused(self, content: object, said: str) -> None:
        error = _trouble(content)
        assert error.trouble is Trouble.INVALID
        assert said in error.detail

    def test_warnings_of_the_server_are_passed_on(self) -> None:
        answer = _fetch(_matrix(_series("300"), warnings=["results may be incomplete"]))
        assert answer.warnings == ("results may be incomplete",)

    def test_a_time_that_is_none_is_counted(self) -> None:
        row = _series("300", "310")
        row["values"][0][0] = "soon"  # type: ignore[index]  # a list
        assert _fetch(_matrix(row)).skipped == {Skipped.BAD_TIME: 1}

    def test_a_token_is_sent(self) -> None:
        wants = Wants(Measure.INTENSITY, secret=lambda: "s3cret")
        with serving(Reply(_matrix(_series("300")))) as server:
            _provider(server, wants, token_variable="T").fetch(PlainWeb(), _HOUR)  # noqa: S106  (a name)
            assert server.asked[0].headers["authorization"] == "Bearer s3cret"

    def test_a_window_before_the_first_step_asks_nobody(self) -> None:
        now = at("2026-10-13T12:02+00:00")
        with serving(Reply(_matrix())) as server:
            with pytest.raises(FeedError) as caught:
                _provider(server).fetch(PlainWeb(), Window(now - NS_PER_SECOND, now + NS_PER_HOUR, now))
            assert caught.value.trouble is Trouble.EMPTY
            assert server.asked == []


@pytest.mark.parametrize(
    ("changes", "measure", "key", "said"),
    [
        ({}, Measure.INTENSITY, "query", "is missing"),
        ({"zone": "FR"}, Measure.PUE, "query", "is missing"),
        ({"query": "x", "unit": "kWh"}, Measure.INTENSITY, "unit", "write g/kWh"),
        ({"query": "x", "url": "http://h/?a=b"}, Measure.INTENSITY, "url", "the address of the server alone"),
        ({"query": "x", "token_header": "X-Key"}, Measure.INTENSITY, "token_header", "has no token"),
    ],
)
def test_mistakes_of_the_configuration_are_told_with_their_key(
    changes: dict[str, Any], measure: Measure, key: str, said: str
) -> None:
    feed = Feed(kind=FeedKind.PROMETHEUS, **{"url": "http://127.0.0.1", **changes})
    ((found, message),) = mistakes(feed, Wants(measure))
    assert found == key
    assert said in message
    with pytest.raises(ValueError, match=key):
        build(feed, Wants(measure))


def test_a_sample_in_full_as_the_server_writes_it() -> None:
    text = (
        '{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"grid_intensity_carbon_average",'
        '"location":"DE","node":"n1","provider":"ElectricityMaps","region":"DE","units":"gCO2e per kWh"},'
        f'"values":[[{_FROM},"386.00000000000006"],[{_FROM + 300}.125,"387"]]}}]}}}}'
    )
    json.loads(text)
    assert [point.value for point in _fetch(text, zone="DE").points] == [386_000_000, 387_000_000]
