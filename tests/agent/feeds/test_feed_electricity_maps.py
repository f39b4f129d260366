"""What is asked of Electricity Maps, of a server with plans, zones and the habit of taking the caller's place."""

from datetime import timedelta

import pytest

from tests.agent.feeds.electricity_maps_asking import GRAM, NOW, ZONE, history, provider_at, recorded_answers, row_of
from tests.agent.feeds.electricity_maps_server import FREE, ElectricityMapsServer, intensity
from tests.agent.feeds.feed_server import Asked, Reply, serving
from tests.agent.feeds.plain_web import PlainWeb
from tests.agent.feeds.wall import around, at, text_of
from wattledger.agent.config.feed_schema import Feed, FeedKind
from wattledger.agent.feeds.base import FeedError, Trouble
from wattledger.agent.feeds.electricity_maps import build
from wattledger.agent.feeds.registration import Wants
from wattledger.rules.feeds.model import Factors, Measure, PointKind
from wattledger.rules.instant import NS_PER_HOUR


def test_the_series_has_the_caliber_that_is_asked_for() -> None:
    with serving(history(row_of())) as server:
        lifecycle, direct = provider_at(server, ZONE), provider_at(server, ZONE, factors=Factors.DIRECT)
        assert str(lifecycle.series.caliber) == "average, lifecycle, CO2e, consumption"
        assert str(direct.series.caliber) == "average, direct, CO2e, consumption"
        lifecycle.fetch(PlainWeb(), around(NOW))
        assert server.asked[-1].query["emissionFactorType"] == "lifecycle"
        with pytest.raises(FeedError, match="emissionFactorType 'lifecycle', asked for was 'direct'") as caught:
            direct.fetch(PlainWeb(), around(NOW))
        assert server.asked[-1].query["emissionFactorType"] == "direct"
    assert caught.value.trouble is Trouble.INVALID
    assert (lifecycle.series.provider, lifecycle.series.zone, lifecycle.credential) == (
        "electricity_maps",
        ZONE,
        "host#1",
    )


def test_every_request_names_the_zone_forbids_the_callers_place_and_carries_the_token() -> None:
    api = ElectricityMapsServer(NOW)
    api.token_header, api.token = "x-blobr-key", "s3cret"
    with serving(api) as server:
        provider = provider_at(server, key="s3cret", token_header="X-BLOBR-KEY")  # noqa: S106  (of this server)
        provider.fetch(PlainWeb(), around(NOW, hours_before=30, hours_ahead=20))
        assert {asked.path.rpartition("/")[2] for asked in server.asked} == {
            "history",
            "past-range",
            "latest",
            "forecast",
        }
        for asked in server.asked:
            assert asked.query["zone"] == "DE"
            assert asked.query["disableCallerLookup"] == "true"
            assert asked.query["temporalGranularity"] == "hourly"
            assert "s3cret" not in asked.target


def test_a_zone_that_is_not_known_is_not_found_and_not_answered_for_the_callers_place() -> None:
    with (
        serving(ElectricityMapsServer(NOW)) as server,
        pytest.raises(FeedError, match="No data for zone XX") as caught,
    ):
        provider_at(server, "XX").fetch(PlainWeb(), around(NOW))
    assert caught.value.trouble is Trouble.NOT_FOUND


def test_a_token_that_is_refused_names_the_cure() -> None:
    with serving(ElectricityMapsServer(NOW)) as server, pytest.raises(FeedError) as caught:
        provider_at(server, key="old").fetch(PlainWeb(), around(NOW))
    assert "check the token, and whether its plan covers zone DE" in caught.value.detail
    assert len(server.asked) == 1


def test_the_hour_that_it_is_now_is_asked_for_only_where_the_history_lacks_it() -> None:
    with serving(history(row_of())) as server:
        provider_at(server, ZONE).fetch(PlainWeb(), around(NOW, hours_before=0.2))
        assert [asked.path for asked in server.asked] == ["/v3/carbon-intensity/history"]
    with serving(ElectricityMapsServer(NOW)) as server:
        answer = provider_at(server).fetch(PlainWeb(), around(NOW))
        assert [asked.path.rpartition("/")[2] for asked in server.asked] == ["history", "latest"]
    assert text_of(answer.points[-1].start_wall_ns) == "2025-03-29T18:00"


def test_an_hour_without_a_value_in_the_history_is_asked_for_too() -> None:
    def answer(asked: Asked) -> Reply:
        return Reply(row_of()) if asked.path.endswith("latest") else history(row_of(carbonIntensity=None))

    with serving(answer) as server:
        (point,) = provider_at(server, ZONE).fetch(PlainWeb(), around(NOW, hours_before=0.2)).points
    assert point.value == 144 * GRAM


def test_a_free_token_gets_its_day_and_its_forecast_is_asked_for_once_a_day() -> None:
    api = ElectricityMapsServer(NOW, plan=FREE)
    with serving(api) as server:
        provider = provider_at(server)
        answer = provider.fetch(PlainWeb(), around(NOW, hours_ahead=12))
        assert len(answer.points) == 7
        assert not answer.whole
        assert "forecast of 24 h" in answer.warnings[0]

        server.asked.clear()
        api.now += timedelta(hours=23, minutes=59)
        again = provider.fetch(PlainWeb(), around("2025-03-30T18:19+00:00", hours_ahead=12))
        assert [asked.path.rpartition("/")[2] for asked in server.asked] == ["history", "latest"]
        assert not again.whole
        assert again.warnings == ()

        api.plan |= {"forecast"}
        api.now += timedelta(minutes=1)
        server.asked.clear()
        paid = provider.fetch(PlainWeb(), around("2025-03-30T18:20+00:00", hours_ahead=12))
        assert "forecast" in server.asked[-1].path
        assert paid.whole


def test_the_past_beyond_a_day_is_asked_for_where_the_plan_has_it() -> None:
    with serving(ElectricityMapsServer(NOW)) as server:
        answer = provider_at(server).fetch(PlainWeb(), around(NOW, hours_before=72))
    hours = [point.start_wall_ns // NS_PER_HOUR for point in answer.points]
    assert hours == list(range(at("2025-03-26T18:00Z") // NS_PER_HOUR, at(NOW) // NS_PER_HOUR + 1))
    assert [point.value for point in answer.points] == [intensity(hour) * GRAM for hour in hours]
    assert answer.skipped == {}
    assert answer.whole


def test_the_past_that_the_plan_does_not_cover_is_missing_and_said_once() -> None:
    with serving(ElectricityMapsServer(NOW, plan=FREE)) as server:
        provider = provider_at(server)
        answers = [provider.fetch(PlainWeb(), around(NOW, hours_before=72)) for _ in range(2)]
        assert [asked.path.rpartition("/")[2] for asked in server.asked].count("past-range") == 1
    assert [len(answer.points) for answer in answers] == [25, 25]
    assert [answer.whole for answer in answers] == [False, False]
    assert [len(answer.warnings) for answer in answers] == [1, 0]


def test_a_long_past_is_asked_for_ten_days_at_a_time() -> None:
    with serving(ElectricityMapsServer(NOW)) as server:
        answer = provider_at(server).fetch(PlainWeb(), around(NOW, hours_before=25 * 24))
        ranges = [(a.query["start"], a.query["end"]) for a in server.asked if a.path.endswith("past-range")]
    assert ranges == [
        ("2025-03-04T18:00:00Z", "2025-03-14T18:00:00Z"),
        ("2025-03-14T18:00:00Z", "2025-03-24T18:00:00Z"),
        ("2025-03-24T18:00:00Z", "2025-03-28T18:00:00Z"),
    ]
    starts = [point.start_wall_ns for point in answer.points]
    assert len(starts) == len(set(starts)) == 25 * 24 + 1
    assert answer.skipped == {}


@pytest.mark.parametrize(
    ("hours_ahead", "horizon"), [(1, 6), (5.6, 6), (6, 24), (23, 24), (36, 48), (60, 72), (500, 72)]
)
def test_the_forecast_reaches_as_far_as_the_window(hours_ahead: float, horizon: int) -> None:
    with serving(ElectricityMapsServer(NOW)) as server:
        answer = provider_at(server).fetch(PlainWeb(), around(NOW, hours_ahead=hours_ahead))
        assert server.asked[-1].query["horizonHours"] == str(horizon)
    ahead = {p.start_wall_ns // NS_PER_HOUR for p in answer.points if p.kind is PointKind.FORECAST}
    now = at(NOW) // NS_PER_HOUR
    wanted = -(-(at(NOW) + round(hours_ahead * NS_PER_HOUR) + 1) // NS_PER_HOUR)
    assert ahead == set(range(now, min(wanted, now + horizon + 1)))
    assert answer.skipped == {}
    assert answer.whole


def test_no_forecast_is_asked_for_that_lies_within_the_hour() -> None:
    with serving(ElectricityMapsServer(NOW)) as server:
        provider_at(server).fetch(PlainWeb(), around(NOW, hours_ahead=0.5))
        assert not any(asked.path.endswith("forecast") for asked in server.asked)


def test_a_plan_with_a_shorter_forecast_gives_that() -> None:
    with serving(ElectricityMapsServer(NOW, horizon=24)) as server:
        provider = provider_at(server)
        answer = provider.fetch(PlainWeb(), around(NOW, hours_ahead=60))
        assert [a.query.get("horizonHours") for a in server.asked][-2:] == ["72", "24"]
        provider.fetch(PlainWeb(), around(NOW, hours_ahead=60))
        assert [a.query.get("horizonHours") for a in server.asked][-2:] == [None, "24"]
    assert sum(point.kind is PointKind.FORECAST for point in answer.points) == 25
    assert not answer.whole


def test_with_direct_factors_no_forecast_is_asked_for_for_it_would_be_of_the_life_cycle() -> None:
    with serving(ElectricityMapsServer(NOW)) as server:
        answer = provider_at(server, factors=Factors.DIRECT).fetch(PlainWeb(), around(NOW, hours_ahead=24))
        assert not any(asked.path.endswith("forecast") for asked in server.asked)
    assert answer.whole
    assert len(answer.points) == 7


def test_a_forecast_that_fails_leaves_the_rest() -> None:
    def answer(asked: Asked) -> Reply:
        return Reply("oops", status=503) if asked.path.endswith("forecast") else recorded_answers(asked)

    with serving(answer) as server:
        provider = provider_at(server, ZONE)
        for _ in range(2):
            got = provider.fetch(PlainWeb(), around(NOW, hours_before=5, hours_ahead=3))
            assert len(got.points) == 5
            assert not got.whole
            assert "forecast of 6 h: status 503" in got.warnings[0]
        assert sum(asked.path.endswith("forecast") for asked in server.asked) == 2


def test_the_pace_is_of_hours_and_the_configuration_may_change_it() -> None:
    with serving(Reply()) as server:
        usual = provider_at(server).pace
        changed = provider_at(server, poll_ns=7 * NS_PER_HOUR, max_age_ns=0).pace
    assert (usual.step_ns, usual.max_age_ns) == (NS_PER_HOUR, 2 * NS_PER_HOUR)
    assert (changed.poll_ns, changed.max_age_ns) == (7 * NS_PER_HOUR, 0)


def test_without_a_token_there_is_no_provider() -> None:
    with pytest.raises(FeedError, match="set token_file or token_variable") as caught:
        build(Feed(kind=FeedKind.ELECTRICITY_MAPS, zone="DE"), Wants(Measure.INTENSITY))
    assert caught.value.trouble is Trouble.UNAUTHORIZED
