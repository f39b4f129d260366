"""The Carbon Intensity API of Great Britain against a server with its habits, and answers that hold every trap.

The answers in tests/data/feeds are put together after published ones: of 2020 for the nation, of 2026 for regions.
"""

import json
from collections.abc import Mapping

import msgspec
import pytest

from tests.agent.feeds.feed_server import Asked, FeedServer, Reply, serving
from tests.agent.feeds.gb_server import GbServer
from tests.agent.feeds.plain_web import PlainWeb
from tests.agent.feeds.wall import ANSWERS, MINUTE_NS, around, at, text_of
from wattledger.agent.config.feed_schema import Feed, FeedKind
from wattledger.agent.feeds.base import Answer, FeedError, Skipped, Trouble, Window
from wattledger.agent.feeds.gb import CarbonIntensityGb, build, mistakes
from wattledger.agent.feeds.registration import Wants
from wattledger.rules.feeds.model import Measure, PointKind
from wattledger.rules.instant import NS_PER_SECOND

_NOW = "2020-05-24T21:10+00:00"
_GRAM = 1_000_000
_WANTS = Wants(Measure.INTENSITY)


def _provider(server: FeedServer, zone: str = "GB", **changes: object) -> CarbonIntensityGb:
    feed = Feed(kind=FeedKind.GB, zone=zone, url=server.url)
    return build(msgspec.structs.replace(feed, **changes), _WANTS)


def _recorded(name: str) -> Reply:
    return Reply((ANSWERS / "gb" / f"{name}.json").read_bytes())


def _fetch(reply: Reply, *, zone: str = "GB", now: str = "2026-05-08T18:40+00:00") -> Answer:
    """Give what becomes of a reply about the hour and a half before; ahead there is nothing but another half hour."""
    with serving(lambda asked: _ahead(asked, now) if "fw48h" in asked.path else reply) as server:
        now_ns = at(now)
        return _provider(server, zone).fetch(PlainWeb(), Window(now_ns - 90 * MINUTE_NS, now_ns + MINUTE_NS, now_ns))


def _ahead(asked: Asked, now: str) -> Reply:
    """Fail: what is tested stands in the past."""
    return Reply(f"nothing after {now} at {asked.path}", status=503)


def _row(**changed: object) -> dict[str, object]:
    row: dict[str, object] = {
        "from": "2026-05-08T18:00Z",
        "to": "2026-05-08T18:30Z",
        "intensity": {"forecast": 146, "actual": 150, "index": "low"},
    }
    return {**row, **changed}


def _rows(*rows: Mapping[str, object]) -> Reply:
    return Reply({"data": list(rows)})


def _region(number: object = 13, *, forecast: object = 160, index: str = "moderate") -> Reply:
    row = _row(intensity={"forecast": forecast, "index": index})
    return Reply({"data": {"regionid": number, "data": [row]}})


def test_recorded_answers_become_half_hours_of_what_was_and_what_is_forecast() -> None:
    with serving(lambda asked: _recorded("forward" if "fw48h" in asked.path else "national")) as server:
        answer = _provider(server).fetch(PlainWeb(), around(_NOW, hours_before=1.1, hours_ahead=0.5))
    assert [(text_of(p.start_wall_ns), p.value, p.kind) for p in answer.points] == [
        ("2020-05-24T20:00", 150 * _GRAM, PointKind.ACTUAL),
        ("2020-05-24T20:30", 146 * _GRAM, PointKind.FORECAST),
        ("2020-05-24T21:00", 148 * _GRAM, PointKind.FORECAST),
        ("2020-05-24T21:30", 148 * _GRAM, PointKind.FORECAST),
    ]
    assert {point.duration_ns for point in answer.points} == {30 * MINUTE_NS}
    assert {point.issued_wall_ns for point in answer.points} == {at(_NOW)}
    assert answer.skipped == {Skipped.NULL: 1}
    assert answer.whole


def test_the_caliber_is_direct_carbon_dioxide_of_what_is_consumed() -> None:
    with serving(Reply()) as server:
        provider = _provider(server, "GB-13", poll_ns=5 * MINUTE_NS)
    assert str(provider.series.caliber) == "average, direct, CO2, consumption"
    assert (provider.series.provider, provider.series.zone, provider.credential) == ("gb", "GB-13", "")
    assert provider.series.source == "NESO Carbon Intensity API, CC BY 4.0"
    assert (provider.pace.step_ns, provider.pace.max_age_ns) == (30 * MINUTE_NS, 90 * MINUTE_NS)
    assert provider.pace.poll_ns == 5 * MINUTE_NS


@pytest.mark.parametrize(("zone", "suffix"), [("GB", ""), ("GB-1", "/regionid/1"), ("GB-17", "/regionid/17")])
def test_the_paths_name_the_half_hours_and_the_region(zone: str, suffix: str) -> None:
    with serving(GbServer(_NOW)) as server:
        _provider(server, zone).fetch(PlainWeb(), around(_NOW, hours_before=2, hours_ahead=2))
        paths = [asked.path for asked in server.asked]
    prefix = "/regional" if suffix else ""
    assert paths == [
        f"{prefix}/intensity/2020-05-24T19:00Z/2020-05-24T21:00Z{suffix}",
        f"{prefix}/intensity/2020-05-24T21:00Z/fw48h{suffix}",
    ]


@pytest.mark.parametrize("as_list", [False, True], ids=["an object", "a list of one"])
def test_a_region_has_forecasts_alone_in_either_envelope(as_list: bool) -> None:
    with serving(GbServer(_NOW, as_list=as_list)) as server:
        answer = _provider(server, "GB-13").fetch(PlainWeb(), around(_NOW, hours_before=2, hours_ahead=2))
    assert {point.kind for point in answer.points} == {PointKind.FORECAST}
    starts = [point.start_wall_ns for point in answer.points]
    assert starts == list(range(at("2020-05-24T19:00Z"), at("2020-05-24T23:01Z"), 30 * MINUTE_NS))
    assert answer.skipped == {}


def test_what_is_over_has_its_actual_value_and_no_half_hour_comes_twice() -> None:
    with serving(GbServer(_NOW)) as server:
        answer = _provider(server).fetch(PlainWeb(), around(_NOW, hours_before=24, hours_ahead=24))
    starts = [point.start_wall_ns for point in answer.points]
    assert starts == list(range(at("2020-05-23T21:00Z"), at("2020-05-25T21:11Z"), 30 * MINUTE_NS))
    for point in answer.points:
        expected = 50 + point.start_wall_ns // NS_PER_SECOND // 1800 % 300
        is_over = point.end_wall_ns <= at(_NOW)
        assert point.kind is (PointKind.ACTUAL if is_over else PointKind.FORECAST)
        assert point.value == (expected + is_over) * _GRAM
    assert answer.skipped == {}
    assert answer.whole


def test_a_long_past_is_asked_for_14_days_at_a_time() -> None:
    with serving(GbServer(_NOW)) as server:
        answer = _provider(server).fetch(PlainWeb(), around(_NOW, hours_before=30 * 24))
        ranges = [asked.path.split("/")[2:] for asked in server.asked]
    assert ranges == [
        ["2020-04-24T21:00Z", "2020-05-08T21:00Z"],
        ["2020-05-08T21:00Z", "2020-05-22T21:00Z"],
        ["2020-05-22T21:00Z", "2020-05-24T21:00Z"],
        ["2020-05-24T21:00Z", "fw48h"],
    ]
    starts = [point.start_wall_ns for point in answer.points]
    assert len(starts) == len(set(starts)) == 30 * 48 + 1


def test_the_recorded_regions_are_read() -> None:
    london = _fetch(_recorded("region_list"), zone="GB-13")
    assert [(text_of(p.start_wall_ns), p.value) for p in london.points] == [("2026-05-08T18:00", 160 * _GRAM)]
    scotland = _fetch(_recorded("region_object"), zone="GB-1")
    assert [(text_of(p.start_wall_ns), p.value) for p in scotland.points] == [
        ("2026-05-08T17:30", 0),
        ("2026-05-08T18:00", 12 * _GRAM),
    ]


@pytest.mark.parametrize(
    ("reply", "zone"),
    [
        (_region(1, forecast=0, index="moderate"), "GB-1"),
        (_region(1, forecast=0, index=""), "GB-1"),
        (_rows(_row(intensity={"forecast": 0, "actual": None, "index": "very low"})), "GB"),
    ],
    ids=["the word says more", "no word", "the nation"],
)
def test_a_zero_is_believed_of_a_region_alone_and_where_the_word_beside_it_agrees(reply: Reply, zone: str) -> None:
    with pytest.raises(FeedError, match="1 out_of_range") as caught:
        _fetch(reply, zone=zone)
    assert caught.value.trouble is Trouble.EMPTY


@pytest.mark.parametrize("number", ["13", 13], ids=["text", "number"])
def test_the_number_of_the_region_may_be_text(number: object) -> None:
    assert len(_fetch(_region(number), zone="GB-13").points) == 1


@pytest.mark.parametrize("number", [12, None, True, "London", 13.5], ids=str)
def test_another_region_is_refused(number: object) -> None:
    with pytest.raises(FeedError) as caught:
        _fetch(_region(number), zone="GB-13")
    assert caught.value.trouble is Trouble.WRONG_ZONE


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"intensity": None}, Skipped.NULL),
        ({"intensity": {"forecast": None, "actual": None}}, Skipped.NULL),
        ({"intensity": {"forecast": -1, "actual": None}}, Skipped.OUT_OF_RANGE),
        ({"intensity": {"forecast": 1501, "actual": None}}, Skipped.OUT_OF_RANGE),
        ({"intensity": {"forecast": "ND", "actual": None}}, Skipped.NOT_A_NUMBER),
        ({"intensity": {"forecast": float("nan"), "actual": None}}, Skipped.NOT_A_NUMBER),
        ({"from": "2026-05-08T17:30"}, Skipped.BAD_TIME),
        ({"from": None}, Skipped.BAD_TIME),
        ({"from": "2026-05-08T18:30Z"}, Skipped.BAD_TIME),
        ({"from": "2026-05-08T15:30Z"}, Skipped.BAD_TIME),
        ({"from": "2025-05-08T17:30Z", "to": "2025-05-08T18:00Z"}, Skipped.OUTSIDE_WINDOW),
        ({"from": "2027-05-08T17:30Z", "to": "2027-05-08T18:00Z"}, Skipped.OUTSIDE_WINDOW),
    ],
    ids=lambda value: value.value if isinstance(value, Skipped) else json.dumps(value),
)
def test_a_value_that_cannot_be_used_is_left_out_and_counted(changed: dict[str, object], why: Skipped) -> None:
    usual = {"from": "2026-05-08T17:30Z", "to": "2026-05-08T18:00Z"}
    answer = _fetch(_rows(_row(**{**usual, **changed}), _row()))
    assert [(text_of(p.start_wall_ns), p.value) for p in answer.points] == [("2026-05-08T18:00", 150 * _GRAM)]
    assert answer.skipped == {why: 1}


def test_an_actual_value_that_cannot_be_leaves_the_forecast() -> None:
    answer = _fetch(_rows(_row(intensity={"forecast": "146", "actual": 0, "index": "low"})))
    assert [(p.value, p.kind) for p in answer.points] == [(146 * _GRAM, PointKind.FORECAST)]
    assert answer.skipped == {Skipped.OUT_OF_RANGE: 1}


@pytest.mark.parametrize(
    ("reply", "trouble"),
    [
        (Reply("who are you", status=401), Trouble.UNAUTHORIZED),
        (Reply("blocked", status=403), Trouble.UNAUTHORIZED),
        (Reply("gone", status=404), Trouble.NOT_FOUND),
        (Reply("busy", status=429, headers={"Retry-After": "60"}), Trouble.THROTTLED),
        (Reply("oops", status=500), Trouble.SERVER),
        (Reply({"error": {"code": "400 Bad Request", "message": "no"}}, status=400), Trouble.INVALID),
        (Reply({"error": {"code": "400 Bad Request", "message": "no"}}), Trouble.INVALID),
        (Reply("<!DOCTYPE html>"), Trouble.INVALID),
        (Reply(b'{"data":[{"from":"2026-05-08T18:00Z","to":"20'), Trouble.INVALID),
        (Reply({"data": None}), Trouble.INVALID),
        (Reply({"data": ["2026-05-08T18:00Z"]}), Trouble.INVALID),
    ],
    ids=[
        "401",
        "403",
        "404",
        "429",
        "500",
        "400",
        "an error with 200",
        "HTML with 200",
        "truncated",
        "null",
        "texts",
    ],
)
@pytest.mark.parametrize("zone", ["GB", "GB-13"])
def test_an_answer_without_values_tells_what_is_wrong(reply: Reply, trouble: Trouble, zone: str) -> None:
    with pytest.raises(FeedError) as caught:
        _fetch(reply, zone=zone)
    assert caught.value.trouble is trouble
    assert caught.value.retry_after_ns == (60 * NS_PER_SECOND if trouble is Trouble.THROTTLED else None)


@pytest.mark.parametrize(
    ("zone", "reply"), [("GB", Reply({"data": []})), ("GB-13", Reply({"data": {"regionid": 13, "data": []}}))]
)
def test_an_answer_of_no_rows_is_empty(zone: str, reply: Reply) -> None:
    with pytest.raises(FeedError) as caught:
        _fetch(reply, zone=zone)
    assert caught.value.trouble is Trouble.EMPTY


def test_a_forecast_that_fails_leaves_what_was() -> None:
    answer = _fetch(_rows(_row()))
    assert len(answer.points) == 1
    assert not answer.whole
    assert "forecast: status 503" in answer.warnings[0]


def test_a_forecast_of_another_region_spoils_the_whole_answer() -> None:
    with (
        serving(lambda asked: _region(12 if "fw48h" in asked.path else 13)) as server,
        pytest.raises(FeedError, match="is of region 12, asked for was 13") as caught,
    ):
        _provider(server, "GB-13").fetch(PlainWeb(), around("2026-05-08T18:40+00:00", hours_before=2))
    assert caught.value.trouble is Trouble.WRONG_ZONE


def test_where_the_forecast_alone_is_asked_for_its_failure_is_told() -> None:
    now = at("2020-05-24T21:00Z")
    window = Window(now, now + 60 * MINUTE_NS, now)
    with serving(Reply("oops", status=503)) as server, pytest.raises(FeedError) as caught:
        _provider(server).fetch(PlainWeb(), window)
    assert caught.value.trouble is Trouble.SERVER
    assert len(server.asked) == 1


@pytest.mark.parametrize("zone", ["GB-0", "GB-18", "GB-01", "gb", "UK", "GB-", "GB-1x", "GB-13 "])
def test_a_zone_of_another_kind_is_refused_with_the_cure(zone: str) -> None:
    feed = Feed(kind=FeedKind.GB, zone=zone)
    ((key, message),) = mistakes(feed, _WANTS)
    assert (key, "write GB, or GB-1 to GB-17" in message) == ("zone", True)
    with pytest.raises(FeedError, match="GB-1 to GB-17"):
        build(feed, _WANTS)
