"""WattTime against a server whose tokens end and whose plans differ, and against answers that hold every trap.

The answers in tests/data/feeds are the examples of the API's description, with a second row and marker put in.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from tests.agent.feeds.feed_server import Asked, FeedServer, Reply, serving
from tests.agent.feeds.plain_web import PlainWeb
from tests.agent.feeds.wall import ANSWERS, MINUTE_NS, around, at, text_of
from tests.agent.feeds.watttime_server import WattTimeServer, pounds
from wattledger.agent.config.feed_schema import Feed, FeedKind
from wattledger.agent.feeds.base import Answer, FeedError, Skipped, Trouble, Window
from wattledger.agent.feeds.registration import Wants
from wattledger.agent.feeds.watttime import WattTime, build
from wattledger.rules.feeds.model import Measure, PointKind, Signal
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND

_NOW = "2022-07-15T00:15+00:00"
_ZONE = "CAISO_NORTH"
_POUND = 453_592_370  # micrograms per kWh in a thousand lb/MWh


def _provider(server: FeedServer, *, key: str = "frog", **changes: object) -> WattTime:
    feed = Feed(kind=FeedKind.WATTTIME, zone=_ZONE, url=server.url, username="freddo")
    wants = Wants(Measure.INTENSITY, secret=lambda: key, credential="host#2")
    return build(msgspec.structs.replace(feed, **changes), wants)


def _recorded(name: str) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = json.loads((ANSWERS / "watttime" / f"{name}.json").read_bytes())
    return found


def _recorded_answers(asked: Asked) -> Reply:
    name = asked.path.rpartition("/")[2]
    return Reply({"token": "t"} if name == "login" else _recorded(name))


def _fetch(historical: Reply, window: Window | None = None) -> Answer:
    """Give what becomes of an answer about the past, where there is no forecast."""
    with serving(lambda asked: Reply({"token": "t"}) if asked.path == "/login" else historical) as server:
        return _provider(server, signal=Signal.MARGINAL).fetch(PlainWeb(), window or _past())


def _past() -> Window:
    now = at(_NOW)
    return Window(now - NS_PER_HOUR, now, now)


def _historical(meta: Mapping[str, object] | None = None, **row: object) -> Reply:
    whole = _recorded("historical")
    point = {"point_time": "2022-07-15T00:00:00+00:00", "value": 870, **row}
    told: dict[str, object] = {**whole["meta"], "warnings": []}
    return Reply({"data": [point], "meta": told | dict(meta or {})})


def test_recorded_answers_become_points_of_their_period_in_exact_grams() -> None:
    with serving(_recorded_answers) as server:
        answer = _provider(server).fetch(PlainWeb(), around(_NOW, hours_before=1, hours_ahead=2))
    assert [(text_of(p.start_wall_ns), p.value, p.kind) for p in answer.points] == [
        ("2022-07-15T00:00", 394_625_362, PointKind.ACTUAL),  # 870 lb/MWh: 394.6253619 g/kWh
        ("2022-07-15T00:05", 475_550_777, PointKind.ACTUAL),  # 1048.41 lb/MWh: 475.5507766... g/kWh
        ("2022-07-15T00:10", 390_316_234, PointKind.ESTIMATED),
        ("2022-07-15T00:15", 394_625_362, PointKind.FORECAST),
        ("2022-07-15T00:20", 453_592_370, PointKind.FORECAST),
        ("2022-07-15T00:25", 0, PointKind.FORECAST),
    ]
    assert {point.duration_ns for point in answer.points} == {5 * MINUTE_NS}
    assert [point.issued_wall_ns for point in answer.points] == [
        *(at(f"2022-07-15T00:{minute}:12+00:00") for minute in ("01", "06", "11")),
        *[at("2022-07-15T00:15+00:00")] * 3,
    ]
    assert answer.warnings == ("EXAMPLE_WARNING: This is just an example",)
    assert answer.whole


def test_the_series_is_marginal_unless_the_average_is_asked_for() -> None:
    with serving(Reply()) as server:
        marginal, average = _provider(server), _provider(server, signal=Signal.AVERAGE)
    assert str(marginal.series.caliber) == "marginal, direct, CO2, consumption"
    assert str(average.series.caliber) == "average, direct, CO2, production"
    assert (marginal.series.provider, marginal.series.zone, marginal.credential) == ("watttime", _ZONE, "host#2")
    assert (marginal.pace.step_ns, marginal.pace.max_age_ns) == (5 * MINUTE_NS, 30 * MINUTE_NS)
    assert (average.pace.step_ns, average.pace.lag_ns, average.pace.max_age_ns) == (NS_PER_HOUR, 72 * NS_PER_HOUR, 0)


def test_the_average_comes_by_the_hour_and_is_never_forecast() -> None:
    with serving(WattTimeServer(_NOW)) as server:
        answer = _provider(server, signal=Signal.AVERAGE).fetch(PlainWeb(), around(_NOW, hours_ahead=24))
        assert [asked.path for asked in server.asked] == ["/login", "/v3/historical"]
        assert server.asked[-1].query["signal_type"] == "co2_aoer"
    assert {point.duration_ns for point in answer.points} == {NS_PER_HOUR}
    assert text_of(answer.points[0].start_wall_ns) == "2022-07-14T18:00"  # the hour in which the window starts
    assert len(answer.points) == 7


def test_one_login_serves_until_25_minutes_and_the_password_is_in_no_other_request() -> None:
    api = WattTimeServer(_NOW)
    with serving(api) as server:
        provider = _provider(server)
        for minutes in (0, 10, 24, 25, 40, 50):
            api.now = datetime.fromisoformat(_NOW) + timedelta(minutes=minutes)
            provider.fetch(PlainWeb(), around(api.now.isoformat(), hours_before=1, hours_ahead=1))
        assert [asked.path for asked in server.asked].count("/login") == api.logins == 3
        tokens = [asked.headers["authorization"] for asked in server.asked if asked.path != "/login"]
    assert tokens == [*["Bearer token1"] * 6, *["Bearer token2"] * 4, *["Bearer token3"] * 2]


def test_a_clock_that_was_set_back_ends_the_token() -> None:
    api = WattTimeServer(_NOW)
    with serving(api) as server:
        provider = _provider(server)
        provider.fetch(PlainWeb(), around(_NOW))
        provider.fetch(PlainWeb(), around("2022-07-14T12:00+00:00"))
    assert api.logins == 2


def test_a_token_that_ended_early_is_renewed_once_within_the_fetch() -> None:
    api = WattTimeServer(_NOW)
    with serving(api) as server:
        provider = _provider(server)
        provider.fetch(PlainWeb(), around(_NOW, hours_ahead=1))
        api.end_tokens()
        api.now += timedelta(minutes=5)
        answer = provider.fetch(PlainWeb(), around(api.now.isoformat(), hours_ahead=1))
    assert api.logins == 2
    assert answer.whole


def test_a_wrong_password_is_told_with_its_cure_and_not_tried_again() -> None:
    with serving(WattTimeServer(_NOW)) as server, pytest.raises(FeedError) as caught:
        _provider(server, key="toad").fetch(PlainWeb(), around(_NOW, hours_ahead=1))
    assert caught.value.trouble is Trouble.UNAUTHORIZED
    assert "check username and password_file" in caught.value.detail
    assert "toad" not in caught.value.detail
    assert [asked.path for asked in server.asked] == ["/login"]


@pytest.mark.parametrize(
    ("reply", "trouble"),
    [
        (Reply("busy", status=429, headers={"Retry-After": "300"}), Trouble.THROTTLED),
        (Reply("oops", status=502), Trouble.SERVER),
        (Reply({"ok": "no token"}), Trouble.INVALID),
        (Reply({"token": "a\r\nb"}), Trouble.INVALID),
        (Reply({"token": ""}), Trouble.INVALID),
        (Reply("<html>"), Trouble.INVALID),
    ],
    ids=["429", "502", "no token", "a token of two lines", "an empty token", "HTML"],
)
def test_a_login_that_fails_ends_the_fetch(reply: Reply, trouble: Trouble) -> None:
    with serving(reply) as server, pytest.raises(FeedError) as caught:
        _provider(server).fetch(PlainWeb(), around(_NOW, hours_ahead=1))
    assert caught.value.trouble is trouble
    assert caught.value.retry_after_ns == (300 * NS_PER_SECOND if trouble is Trouble.THROTTLED else None)
    assert len(server.asked) == 1


def test_a_long_past_is_asked_for_32_days_at_a_time_and_no_point_comes_twice() -> None:
    window = around(_NOW, hours_before=70 * 24)
    with serving(WattTimeServer(_NOW)) as server:
        answer = _provider(server, signal=Signal.AVERAGE).fetch(PlainWeb(), window)
        ranges = [(a.query["start"], a.query["end"]) for a in server.asked if a.path != "/login"]
    assert ranges == [
        ("2022-05-06T00:00:00Z", "2022-06-06T23:59:59Z"),
        ("2022-06-07T00:00:00Z", "2022-07-08T23:59:59Z"),
        ("2022-07-09T00:00:00Z", "2022-07-15T00:14:59Z"),
    ]
    starts = [point.start_wall_ns for point in answer.points]
    assert starts == list(range(at("2022-05-06T00:00Z"), at("2022-07-15T00:00Z") + 1, NS_PER_HOUR))
    assert answer.skipped == {}


def test_values_of_the_server_arrive_exactly() -> None:
    with serving(WattTimeServer(_NOW)) as server:
        answer = _provider(server).fetch(PlainWeb(), around(_NOW, hours_before=2, hours_ahead=1))
    assert len(answer.points) == 24 + 13
    for point in answer.points:
        start = datetime.fromtimestamp(point.start_wall_ns // NS_PER_SECOND).astimezone()
        exact = Decimal(pounds(start, timedelta(minutes=5))) * _POUND / 1000
        assert abs(point.value - exact) <= Decimal("0.5")


@pytest.mark.parametrize(("hours_ahead", "horizon"), [(1, 24), (23.9, 24), (24.5, 72), (200, 72)])
def test_the_forecast_reaches_as_far_as_the_window(hours_ahead: float, horizon: int) -> None:
    with serving(WattTimeServer(_NOW)) as server:
        answer = _provider(server).fetch(PlainWeb(), around(_NOW, hours_before=0, hours_ahead=hours_ahead))
        assert [a.query["horizon_hours"] for a in server.asked if a.path != "/login"] == [str(horizon)]
    assert answer.points[-1].start_wall_ns <= at(_NOW) + round(hours_ahead * NS_PER_HOUR)
    assert answer.skipped == {}
    assert answer.whole


def test_a_plan_with_a_shorter_forecast_gives_that() -> None:
    with serving(WattTimeServer(_NOW, longest_horizon=24)) as server:
        provider = _provider(server)
        for asked_for in (["72", "24"], ["24"]):
            answer = provider.fetch(PlainWeb(), around(_NOW, hours_before=0, hours_ahead=60))
            assert [a.query["horizon_hours"] for a in server.asked if a.path != "/login"] == asked_for
            assert len(answer.points) == 24 * 12
            assert not answer.whole
            server.asked.clear()


def test_a_plan_without_the_past_gives_the_forecast_and_is_asked_again_a_day_later() -> None:
    api = WattTimeServer(_NOW, plan=frozenset({("forecast", "co2_moer")}))
    with serving(api) as server:
        provider = _provider(server)
        for hours, is_asked in ((0, True), (1, False), (23, False), (24, True)):
            server.asked.clear()
            api.now = datetime.fromisoformat(_NOW) + timedelta(hours=hours)
            answer = provider.fetch(PlainWeb(), around(api.now.isoformat(), hours_before=1, hours_ahead=1))
            assert ("/v3/historical" in [asked.path for asked in server.asked]) is is_asked
            assert {point.kind for point in answer.points} == {PointKind.FORECAST}
            assert not answer.whole
            assert bool(answer.warnings) is is_asked


def test_a_region_that_the_plan_does_not_cover_is_unauthorized_today_and_asked_about_once() -> None:
    with serving(WattTimeServer(_NOW)) as server:
        provider = _provider(server, zone="PJM_DC")
        for _ in range(2):
            with pytest.raises(FeedError) as caught:
                provider.fetch(PlainWeb(), around(_NOW, hours_ahead=1))
            assert caught.value.trouble is Trouble.UNAUTHORIZED
        assert [asked.path for asked in server.asked] == ["/login", "/v3/historical", "/v3/forecast"]
    assert "does not cover historical of co2_moer for PJM_DC" in caught.value.detail


@pytest.mark.parametrize(
    ("meta", "trouble"),
    [
        ({"region": "CAISO_SOUTH"}, Trouble.WRONG_ZONE),
        ({"region": None}, Trouble.WRONG_ZONE),
        ({"units": "percentile"}, Trouble.INVALID),
        ({"units": "lbs_co2e_per_mwh"}, Trouble.INVALID),
        ({"signal_type": "health_damage"}, Trouble.INVALID),
        ({"data_point_period_seconds": 0}, Trouble.INVALID),
        ({"data_point_period_seconds": None}, Trouble.INVALID),
        ({"data_point_period_seconds": "300"}, Trouble.INVALID),
        ({"data_point_period_seconds": True}, Trouble.INVALID),
    ],
    ids=json.dumps,
)
def test_an_answer_about_anything_else_is_refused(meta: dict[str, object], trouble: Trouble) -> None:
    with pytest.raises(FeedError) as caught:
        _fetch(_historical(meta))
    assert caught.value.trouble is trouble


def test_a_forecast_of_another_region_spoils_the_whole_answer() -> None:
    def answer(asked: Asked) -> Reply:
        reply = _recorded_answers(asked)
        if asked.path.endswith("forecast"):
            found = json.loads(reply.body)
            found["meta"]["region"] = "CAISO_SOUTH"
            reply = Reply(found)
        return reply

    with serving(answer) as server, pytest.raises(FeedError, match="'CAISO_SOUTH'") as caught:
        _provider(server).fetch(PlainWeb(), around(_NOW, hours_ahead=1))
    assert caught.value.trouble is Trouble.WRONG_ZONE


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"value": None}, Skipped.NULL),
        ({"value": -1}, Skipped.OUT_OF_RANGE),
        ({"value": 3307}, Skipped.OUT_OF_RANGE),  # 1500.03 g/kWh
        ({"value": float("nan")}, Skipped.NOT_A_NUMBER),
        ({"value": "n/a"}, Skipped.NOT_A_NUMBER),
        ({"point_time": "2022-07-15T00:00:00"}, Skipped.BAD_TIME),
        ({"point_time": None}, Skipped.BAD_TIME),
        ({"point_time": "2022-07-13T00:00:00+00:00"}, Skipped.OUTSIDE_WINDOW),
        ({"point_time": "2022-07-16T00:00:00+00:00"}, Skipped.OUTSIDE_WINDOW),
    ],
    ids=lambda value: value.value if isinstance(value, Skipped) else json.dumps(value),
)
def test_a_value_that_cannot_be_used_is_left_out_and_counted(row: dict[str, object], why: Skipped) -> None:
    reply = json.loads(_historical(None, **row).body)
    reply["data"].append({"point_time": "2022-07-15T00:05:00+00:00", "value": "870"})
    answer = _fetch(Reply(reply))
    assert [point.value for point in answer.points] == [394_625_362]
    assert answer.skipped == {why: 1}


def test_nothing_more_emitted_is_a_marginal_value_and_no_average() -> None:
    assert [point.value for point in _fetch(_historical(None, value=0)).points] == [0]
    whole = json.loads(_historical({"signal_type": "co2_aoer"}, value=0).body)
    with (
        serving(lambda asked: Reply({"token": "t"} if asked.path == "/login" else whole)) as server,
        pytest.raises(FeedError, match="1 out_of_range") as caught,
    ):
        _provider(server, signal=Signal.AVERAGE).fetch(PlainWeb(), _past())
    assert caught.value.trouble is Trouble.EMPTY


@pytest.mark.parametrize(
    ("reply", "trouble"),
    [
        (Reply({"error": "gone"}, status=404), Trouble.NOT_FOUND),
        (Reply("busy", status=429, headers={"Retry-After": "300"}), Trouble.THROTTLED),
        (Reply("oops", status=500), Trouble.SERVER),
        (Reply("<!DOCTYPE html>"), Trouble.INVALID),
        (Reply((ANSWERS / "watttime" / "historical.json").read_bytes()[:400]), Trouble.INVALID),
        (Reply({"error": "INVALID_QUERY_PARAMS", "message": "no"}), Trouble.INVALID),
        (Reply({"meta": _recorded("historical")["meta"]}), Trouble.INVALID),
        (Reply({"meta": _recorded("historical")["meta"], "data": []}), Trouble.EMPTY),
    ],
    ids=["404", "429", "500", "HTML with 200", "truncated", "an error with 200", "no data", "empty"],
)
def test_an_answer_without_values_tells_what_is_wrong(reply: Reply, trouble: Trouble) -> None:
    with pytest.raises(FeedError) as caught:
        _fetch(reply)
    assert caught.value.trouble is trouble
    assert caught.value.retry_after_ns == (300 * NS_PER_SECOND if trouble is Trouble.THROTTLED else None)


@pytest.mark.parametrize(
    "reply", [Reply("oops", status=500), Reply("busy", status=429), Reply("<html>")], ids=["500", "429", "HTML"]
)
def test_a_forecast_that_fails_leaves_the_past(reply: Reply) -> None:
    with serving(lambda asked: reply if "forecast" in asked.path else _recorded_answers(asked)) as server:
        provider = _provider(server)
        for _ in range(2):
            answer = provider.fetch(PlainWeb(), around(_NOW, hours_before=1, hours_ahead=1))
            assert len(answer.points) == 3
            assert not answer.whole
            assert "forecast of 24 h" in answer.warnings[-1]
        assert [asked.path for asked in server.asked].count("/v3/forecast") == 2


def test_a_server_that_is_busy_is_asked_nothing_more() -> None:
    busy = Reply("busy", status=429, headers={"Retry-After": "300"})
    with (
        serving(lambda asked: busy if "historical" in asked.path else _recorded_answers(asked)) as server,
        pytest.raises(FeedError) as caught,
    ):
        _provider(server).fetch(PlainWeb(), around(_NOW, hours_before=1, hours_ahead=1))
    assert (caught.value.trouble, caught.value.retry_after_ns) == (Trouble.THROTTLED, 300 * NS_PER_SECOND)
    assert [asked.path for asked in server.asked] == ["/login", "/v3/historical"]


def test_warnings_may_be_anything() -> None:
    answer = _fetch(_historical({"warnings": ["odd", {"message": "m" * 500}, {"type": "T", "message": "x"}, {}, 7]}))
    assert answer.warnings == ("odd", "m" * 200, "T: x", "7")


def test_without_a_password_there_is_no_provider() -> None:
    with pytest.raises(FeedError, match="set password_file") as caught:
        build(Feed(kind=FeedKind.WATTTIME, zone=_ZONE, username="freddo"), Wants(Measure.INTENSITY))
    assert caught.value.trouble is Trouble.UNAUTHORIZED
