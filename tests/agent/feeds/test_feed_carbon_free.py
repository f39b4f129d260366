"""The carbon-free share of a grid from every kind of feed that gives it: percent or ratio, and what cannot be one."""

from pathlib import Path
from typing import Any

import pytest

from tests.agent.feeds.electricity_maps_asking import NOW, provider_at
from tests.agent.feeds.electricity_maps_server import FREE, ElectricityMapsServer, carbon_free
from tests.agent.feeds.feed_server import Reply, serving
from tests.agent.feeds.plain_web import PlainWeb
from tests.agent.feeds.wall import around, at, text_of
from wattledger.agent.config.feed_schema import Feed, FeedKind
from wattledger.agent.feeds.base import Answer, FeedError, Skipped, Trouble
from wattledger.agent.feeds.catalogue import build_provider, keys_of, mistakes
from wattledger.agent.feeds.registration import Wants
from wattledger.rules.feeds.model import Factors, Measure, PointKind
from wattledger.rules.instant import NS_PER_HOUR

SHARE = Wants(Measure.CARBON_FREE)
NOON = "2026-10-13T12:00+00:00"
DAY = around(NOON, hours_before=12, hours_ahead=12)
CITED = {"citation": "a statistical office", "year": 2024}


def fetch(feed: Feed) -> Answer:
    return build_provider(feed, SHARE).fetch(PlainWeb(), DAY)


def values(answer: Answer) -> list[tuple[str, int]]:
    return [(text_of(point.start_wall_ns)[11:], point.value) for point in answer.points]


def test_the_kinds_that_give_it() -> None:
    kinds = {kind for kind in FeedKind if Measure.CARBON_FREE in keys_of(kind).measures}
    assert kinds == {
        FeedKind.STATIC,
        FeedKind.CSV,
        FeedKind.JSON,
        FeedKind.HTTP_JSON,
        FeedKind.PROMETHEUS,
        FeedKind.ELECTRICITY_MAPS,
    }


# A constant.


@pytest.mark.parametrize(
    ("micro", "unit", "expected"),
    [
        (423_000, "", 423_000),
        (423_000, "ratio", 423_000),
        (42_300_000, "%", 423_000),
        (0, "", 0),
        (10**8, "%", 10**6),
    ],
)
def test_a_static_share_is_exact_and_says_whose_and_of_which_year_it_is(micro: int, unit: str, expected: int) -> None:
    feed = Feed(kind=FeedKind.STATIC, zone="DE", value_micro=micro, unit=unit, citation="an office", year=2024)
    assert list(mistakes(feed, Measure.CARBON_FREE, "at")) == []
    provider = build_provider(feed, SHARE)
    (point,) = provider.fetch(PlainWeb(), DAY).points
    assert (point.value, point.kind) == (expected, PointKind.FACTOR)
    assert (provider.series.source, provider.series.zone, provider.series.caliber) == ("an office, 2024", "DE", None)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"value_micro": 42_300_000}, ("at.value", "cannot be: a share is from 0 to 1, or to 100 with unit: '%'")),
        ({"value_micro": -1}, ("at.value", "cannot be: a share is from 0 to 1")),
        ({"unit": "g/kWh"}, ("at.unit", "unit 'g/kWh' is none of a share; write % for percent, or ratio")),
        ({"citation": ""}, ("at.citation", "is missing; write where the share of this grid stands")),
        ({"year": None}, ("at.year", "is missing; write the year that the share is of")),
        ({"factors": Factors.DIRECT}, ("at.factors", "is of carbon intensities alone")),
    ],
)
def test_what_is_wrong_with_a_static_share_has_its_place_and_cure(
    changes: dict[str, Any], told: tuple[str, str]
) -> None:
    keys: dict[str, Any] = {"value_micro": 423_000, **CITED, **changes}
    ((key, message),) = mistakes(Feed(kind=FeedKind.STATIC, **keys), Measure.CARBON_FREE, "at")
    assert (key, message.startswith(told[1])) == (told[0], True), message


def test_other_constants_need_no_year() -> None:
    assert list(mistakes(Feed(kind=FeedKind.STATIC, value_micro=380_000_000), Measure.INTENSITY, "at")) == []


def test_a_kind_that_gives_none_says_so() -> None:
    told = list(mistakes(Feed(kind=FeedKind.GB, zone="GB"), Measure.CARBON_FREE, "carbon.carbon_free[0]"))
    assert told == [("carbon.carbon_free[0].kind", "gb gives no carbon_free_share; it gives intensity")]


# Files.


def test_a_csv_file_has_ratios(tmp_path: Path) -> None:
    path = tmp_path / "share.csv"
    path.write_text("from,to,carbon_free_ratio\n2026-10-13T10:00Z,2026-10-13T11:00Z,0.5\n2026-10-13T11:00Z,,42\n")
    answer = fetch(Feed(kind=FeedKind.CSV, path=path))
    assert values(answer) == [("10:00", 500_000)]
    assert answer.skipped == {Skipped.OUT_OF_RANGE: 1}, "percent in a column of ratios is no 100 %"


@pytest.mark.parametrize("column", ["Carbon-free energy percentage (CFE%)", "Low Carbon Percentage"])
def test_an_export_of_electricity_maps_has_percent(column: str, tmp_path: Path) -> None:
    path = tmp_path / "DE_2026_hourly.csv"
    path.write_text(
        f"Datetime (UTC),Country,Zone id,Carbon Intensity gCO\u2082eq/kWh (LCA),{column},Data estimated\n"
        "2026-10-13 10:00:00,Germany,DE,300,61.25,false\n2026-10-13 11:00:00,Germany,DE,310,,true\n",
        encoding="utf-8",
    )
    answer = fetch(Feed(kind=FeedKind.CSV, path=path, zone="DE"))
    assert values(answer) == [("10:00", 612_500)]
    assert answer.skipped == {Skipped.NULL: 1}


def test_an_export_without_that_column_says_so(tmp_path: Path) -> None:
    path = tmp_path / "old.csv"
    path.write_text("Datetime (UTC),Zone id\n2026-10-13 10:00:00,DE\n")
    with pytest.raises(FeedError, match="no column of carbon-free energy, such as 'carbon-free energy percentage"):
        fetch(Feed(kind=FeedKind.CSV, path=path))


def test_a_json_file_says_its_unit(tmp_path: Path) -> None:
    path = tmp_path / "share.json"
    path.write_text(
        '{"unit": "%", "intervals": [{"from": "2026-10-13T10:00Z", "to": "2026-10-13T11:00Z", "value": 7}]}'
    )
    assert values(fetch(Feed(kind=FeedKind.JSON, path=path))) == [("10:00", 70_000)]


# Over HTTP.


def test_http_json_takes_percent_and_leaves_out_what_is_none() -> None:
    rows = [{"at": f"2026-10-13T{9 + n:02}:00Z", "cfe": value} for n, value in enumerate([55, None, "56.5", 101, -1])]
    keys: dict[str, Any] = {"values": "rows[].cfe", "times": "rows[].at", "unit": "%"}
    with serving(Reply({"rows": rows})) as server:
        answer = fetch(Feed(kind=FeedKind.HTTP_JSON, url=server.url, **keys))
    assert values(answer) == [("09:00", 550_000), ("11:00", 565_000)]
    assert answer.skipped == {Skipped.NULL: 1, Skipped.OUT_OF_RANGE: 2}


def test_prometheus_gives_ratios_of_the_zone_that_is_asked_for() -> None:
    first = at("2026-10-13T11:00+00:00") // 10**9
    row = {"metric": {"zone": "FR"}, "values": [[first, "0.93"], [first + 300, "NaN"]]}
    answer = {"status": "success", "data": {"resultType": "matrix", "result": [row]}}
    with serving(Reply(answer)) as server:
        feed = Feed(kind=FeedKind.PROMETHEUS, url=server.url, query="grid_carbon_free_ratio", zone="FR")
        assert values(fetch(feed)) == [("10:55", 930_000)]
        elsewhere = Feed(kind=FeedKind.PROMETHEUS, url=server.url, query="grid_carbon_free_ratio", zone="DE")
        with pytest.raises(FeedError, match="the series is of FR, not of DE") as caught:
            fetch(elsewhere)
    assert caught.value.trouble is Trouble.WRONG_ZONE


# Electricity Maps.


def test_electricity_maps_is_asked_for_carbon_free_energy_in_percent() -> None:
    with serving(ElectricityMapsServer(NOW)) as server:
        provider = provider_at(server, measure=Measure.CARBON_FREE)
        answer = provider.fetch(PlainWeb(), around(NOW, hours_before=30, hours_ahead=20))
    assert {asked.path for asked in server.asked} == {
        f"/v3/carbon-free-energy/{part}" for part in ("history", "past-range", "latest", "forecast")
    }
    for asked in server.asked:
        assert (asked.query["zone"], asked.query["disableCallerLookup"]) == ("DE", "true")
        assert "emissionFactorType" not in asked.query, "a share has no factors"
    for point in answer.points:
        assert point.value == carbon_free(point.start_wall_ns // NS_PER_HOUR) * 10_000
    kinds = {point.kind for point in answer.points}
    assert kinds == {PointKind.ACTUAL, PointKind.ESTIMATED, PointKind.FORECAST}
    assert provider.series.measure is Measure.CARBON_FREE
    assert provider.series.caliber is None


def test_a_plan_without_the_past_gives_the_last_day_and_now() -> None:
    with serving(ElectricityMapsServer(NOW, plan=FREE)) as server:
        answer = provider_at(server, measure=Measure.CARBON_FREE).fetch(PlainWeb(), around(NOW, hours_before=30))
    assert not answer.whole
    assert len(answer.points) == 25


def row_of(**changed: object) -> dict[str, object]:
    row: dict[str, object] = {"zone": "DE", "datetime": "2025-03-29T17:00:00.000Z", "unit": "%", "value": 61}
    return {**row, **changed}


@pytest.mark.parametrize(
    ("row", "trouble", "text"),
    [
        (row_of(zone="US-CAR-DUK"), Trouble.WRONG_ZONE, "is of zone 'US-CAR-DUK', asked for was DE"),
        (row_of(unit="MW"), Trouble.INVALID, "the answer has unit 'MW', asked for was '%'"),
        (row_of(temporalGranularity="daily"), Trouble.INVALID, "has temporalGranularity 'daily'"),
        (row_of(value=None), Trouble.EMPTY, "left out: . null"),
        (row_of(value=101), Trouble.EMPTY, "left out: . out_of_range"),
    ],
)
def test_an_answer_of_anything_else_is_no_share(row: dict[str, object], trouble: Trouble, text: str) -> None:
    with (
        serving(Reply({"zone": row["zone"], "history": [row]})) as server,
        pytest.raises(FeedError, match=text) as caught,
    ):
        provider_at(server, measure=Measure.CARBON_FREE).fetch(PlainWeb(), around(NOW, hours_before=1.5))
    assert caught.value.trouble is trouble


@pytest.mark.parametrize(
    ("status", "trouble"),
    [(401, Trouble.UNAUTHORIZED), (429, Trouble.THROTTLED), (503, Trouble.SERVER), (404, Trouble.NOT_FOUND)],
)
def test_what_the_server_refuses_is_told_by_its_kind(status: int, trouble: Trouble) -> None:
    with serving(Reply({"error": "no"}, status)) as server, pytest.raises(FeedError) as caught:
        provider_at(server, measure=Measure.CARBON_FREE).fetch(PlainWeb(), around(NOW))
    assert caught.value.trouble is trouble
