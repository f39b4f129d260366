"""RTE's éCO2mix against a portal with pages, and answers that hold every trap.

The answer in tests/data/feeds is put together after a published row, on the grid of that data set.
"""

from collections.abc import Mapping
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.agent.feeds.feed_server import FeedServer, Reply, serving
from tests.agent.feeds.plain_web import PlainWeb
from tests.agent.feeds.rte_server import RteServer
from tests.agent.feeds.wall import ANSWERS, MINUTE_NS, around, at, text_of
from wattledger.agent.config.feed_schema import Feed, FeedKind
from wattledger.agent.feeds.base import Answer, FeedError, Skipped, Trouble
from wattledger.agent.feeds.registration import Wants
from wattledger.agent.feeds.rte import Rte, build, mistakes
from wattledger.rules.feeds.model import Measure, PointKind
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND

_NOW = "2026-05-14T19:00+00:00"
_GRAM = 1_000_000
_WANTS = Wants(Measure.INTENSITY)


def _provider(server: FeedServer, **changes: object) -> Rte:
    feed = Feed(kind=FeedKind.RTE, zone="FR", url=f"{server.url}/datasets/eco2mix-national-tr")
    return build(msgspec.structs.replace(feed, **changes), _WANTS)


def _fetch(reply: Reply, *, hours_before: float = 4) -> Answer:
    with serving(reply) as server:
        return _provider(server).fetch(PlainWeb(), around(_NOW, hours_before=hours_before))


def _recorded() -> bytes:
    return (ANSWERS / "rte" / "records.json").read_bytes()


def _row(**changed: object) -> dict[str, object]:
    return {"perimetre": "France", "date_heure": "2026-05-14T18:00:00+00:00", "taux_co2": 35, **changed}


def _rows(*rows: Mapping[str, object], total: object = ...) -> Reply:
    return Reply({"total_count": len(rows) if total is ... else total, "results": list(rows)})


def test_a_recorded_answer_becomes_stretches_that_last_until_the_next_value_and_an_hour_at_most() -> None:
    answer = _fetch(Reply(_recorded()))
    assert [(text_of(p.start_wall_ns), text_of(p.end_wall_ns), p.value // _GRAM) for p in answer.points] == [
        ("2026-05-14T15:00", "2026-05-14T15:30", 34),
        ("2026-05-14T15:30", "2026-05-14T16:30", 35),  # the next has no number, the one after comes late
        ("2026-05-14T18:00", "2026-05-14T18:30", 41),
        ("2026-05-14T18:30", "2026-05-14T19:00", 40),  # the newest lasts as long as the shortest
    ]
    assert {(point.kind, point.issued_wall_ns) for point in answer.points} == {(PointKind.ACTUAL, at(_NOW))}
    assert answer.skipped == {Skipped.NULL: 1, Skipped.NOT_A_NUMBER: 1}
    assert answer.whole


def test_the_caliber_is_direct_carbon_dioxide_of_what_is_produced() -> None:
    with serving(Reply()) as server:
        provider = _provider(server, max_age_ns=0)
    assert str(provider.series.caliber) == "average, direct, CO2, production"
    assert (provider.series.provider, provider.series.zone, provider.credential) == ("rte", "FR", "")
    assert provider.series.source == "RTE éCO2mix on ODRÉ, Licence Ouverte 2.0"
    assert (provider.pace.step_ns, provider.pace.max_age_ns) == (30 * MINUTE_NS, 0)


def test_rows_are_asked_for_in_utc_from_an_hour_before_the_window() -> None:
    with serving(RteServer(_NOW)) as server:
        _provider(server).fetch(PlainWeb(), around(_NOW, hours_before=2))
        (asked,) = server.asked
    assert asked.path == "/datasets/eco2mix-national-tr/records"
    assert asked.query["timezone"] == "UTC"
    assert asked.query["where"] == (
        "date_heure > date'2026-05-14T16:00:00Z' and date_heure < date'2026-05-14T19:00:01Z' and taux_co2 is not null"
    )


@pytest.mark.parametrize(("each", "minutes"), [(1, 15), (2, 30), (4, 60)])
def test_however_dense_the_values_are_they_cover_the_window(each: int, minutes: int) -> None:
    with serving(RteServer(_NOW, each=each)) as server:
        answer = _provider(server).fetch(PlainWeb(), around("2026-05-14T19:07+00:00", hours_before=3))
    assert {point.duration_ns for point in answer.points} == {minutes * MINUTE_NS}
    assert answer.points[0].start_wall_ns <= at("2026-05-14T16:07Z")
    assert answer.points[-1].end_wall_ns == at("2026-05-14T19:00Z") + minutes * MINUTE_NS
    assert all(one.end_wall_ns == other.start_wall_ns for one, other in pairwise(answer.points))
    for point in answer.points:
        assert point.value == (10 + point.start_wall_ns // NS_PER_SECOND // 900 % 60) * _GRAM
    assert answer.skipped == {}


def test_a_value_of_an_hour_before_the_window_does_not_reach_into_it() -> None:
    answer = _fetch(_rows(_row(date_heure="2026-05-14T17:15:00+00:00"), _row()), hours_before=1)
    assert [text_of(point.start_wall_ns) for point in answer.points] == ["2026-05-14T18:00"]
    assert answer.skipped == {}


def test_a_value_of_an_earlier_row_that_holds_in_the_window_is_kept() -> None:
    answer = _fetch(
        _rows(_row(date_heure="2026-05-14T17:15:00+00:00"), _row(date_heure="2026-05-14T18:30Z")), hours_before=1
    )
    assert [(text_of(p.start_wall_ns), text_of(p.end_wall_ns)) for p in answer.points] == [
        ("2026-05-14T17:15", "2026-05-14T18:15"),
        ("2026-05-14T18:30", "2026-05-14T19:30"),
    ]


def test_a_single_value_lasts_a_quarter_of_an_hour() -> None:
    (point,) = _fetch(_rows(_row())).points
    assert point.duration_ns == 15 * MINUTE_NS


def test_stretches_begin_at_values_never_overlap_and_last_an_hour_at_most() -> None:
    replies: list[Reply] = []
    with serving(lambda _: replies[-1]) as server:
        provider = _provider(server)

        @given(st.lists(st.integers(0, 40), min_size=1, max_size=30))
        def check(quarters: list[int]) -> None:
            starts = [at("2026-05-14T10:00Z") + quarter * 15 * MINUTE_NS for quarter in quarters]
            rows = [
                _row(date_heure=f"{text_of(s)}:00+00:00", taux_co2=10 + q)
                for q, s in zip(quarters, starts, strict=True)
            ]
            replies.append(_rows(*rows))
            points = provider.fetch(PlainWeb(), around(_NOW, hours_before=24, hours_ahead=24)).points
            assert [point.start_wall_ns for point in points] == sorted(set(starts))
            assert [point.value // _GRAM - 10 for point in points] == sorted(set(quarters))
            assert all(15 * MINUTE_NS <= point.duration_ns <= NS_PER_HOUR for point in points)
            assert all(one.end_wall_ns <= other.start_wall_ns for one, other in pairwise(points))

        check()


def test_all_pages_are_got() -> None:
    with serving(RteServer(_NOW, each=1)) as server:
        answer = _provider(server).fetch(PlainWeb(), around(_NOW, hours_before=72))
        assert [asked.query["offset"] for asked in server.asked] == ["0", "100", "200"]
        assert {asked.query["limit"] for asked in server.asked} == {"100"}
    starts = [point.start_wall_ns for point in answer.points]
    assert starts == list(range(at("2026-05-11T19:00Z"), at(_NOW) + 1, 15 * MINUTE_NS))
    assert answer.whole


def test_a_later_page_that_fails_leaves_the_newest_values() -> None:
    portal = RteServer(_NOW, each=1)
    with serving(
        lambda asked: portal(asked) if asked.query["offset"] == "0" else Reply("busy", status=429)
    ) as server:
        answer = _provider(server).fetch(PlainWeb(), around(_NOW, hours_before=72))
        assert len(server.asked) == 2
    assert (len(answer.points), answer.points[-1].start_wall_ns) == (100, at(_NOW))
    assert not answer.whole
    assert answer.warnings == ("status 429: busy", "100 of 292 rows were got, of the newest first")


def test_a_later_page_of_another_region_spoils_the_whole_answer() -> None:
    portal = RteServer(_NOW, each=1)
    other = _rows(_row(perimetre="Bretagne"), total=292)
    with (
        serving(lambda asked: portal(asked) if asked.query["offset"] == "0" else other) as server,
        pytest.raises(FeedError) as caught,
    ):
        _provider(server).fetch(PlainWeb(), around(_NOW, hours_before=72))
    assert caught.value.trouble is Trouble.WRONG_ZONE


def test_more_pages_than_are_asked_for_are_said() -> None:
    with serving(RteServer(_NOW, each=1)) as server:
        answer = _provider(server).fetch(PlainWeb(), around(_NOW, hours_before=24 * 24))
        assert len(server.asked) == 20
    assert (len(answer.points), answer.points[-1].start_wall_ns) == (2000, at(_NOW))
    assert not answer.whole
    assert answer.warnings == ("2000 of 2308 rows were got, of the newest first",)


def test_a_portal_that_counts_more_than_it_gives_is_not_asked_for_ever() -> None:
    with serving(RteServer(_NOW, holds_back=7)) as server:  # 15 values, one of which ends before the window
        answer = _provider(server).fetch(PlainWeb(), around(_NOW))
        assert len(server.asked) == 2
    assert not answer.whole
    assert len(answer.points) == 13


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"taux_co2": None}, Skipped.NULL),
        ({"taux_co2": "ND"}, Skipped.NOT_A_NUMBER),
        ({"taux_co2": float("nan")}, Skipped.NOT_A_NUMBER),
        ({"taux_co2": 0}, Skipped.OUT_OF_RANGE),
        ({"taux_co2": -4}, Skipped.OUT_OF_RANGE),
        ({"taux_co2": 1501}, Skipped.OUT_OF_RANGE),
        ({"date_heure": "2026-05-14T17:00:00"}, Skipped.BAD_TIME),
        ({"date_heure": None}, Skipped.BAD_TIME),
        ({"date_heure": "2026-05-14T18:00:00Z"}, Skipped.DUPLICATE),
        ({"date_heure": "2025-05-14T17:00:00Z"}, Skipped.OUTSIDE_WINDOW),
        ({"date_heure": "2027-05-14T17:00:00Z"}, Skipped.OUTSIDE_WINDOW),
    ],
    ids=lambda value: value.value if isinstance(value, Skipped) else str(value),
)
def test_a_value_that_cannot_be_used_is_left_out_and_counted(changed: dict[str, object], why: Skipped) -> None:
    answer = _fetch(_rows(_row(), _row(**{"date_heure": "2026-05-14T17:00:00Z", "taux_co2": "36", **changed})))
    assert [(text_of(p.start_wall_ns), p.value // _GRAM) for p in answer.points] == [("2026-05-14T18:00", 35)]
    assert answer.skipped == {why: 1}


@pytest.mark.parametrize("perimeter", ["Bretagne", None, "france"])
def test_a_row_of_another_region_is_refused(perimeter: str | None) -> None:
    with pytest.raises(FeedError) as caught:
        _fetch(_rows(_row(), _row(perimetre=perimeter)))
    assert caught.value.trouble is Trouble.WRONG_ZONE


@pytest.mark.parametrize(
    ("reply", "trouble"),
    [
        (Reply("who are you", status=401), Trouble.UNAUTHORIZED),
        (Reply("blocked", status=403), Trouble.UNAUTHORIZED),
        (Reply({"error_code": "UnknownDataset"}, status=404), Trouble.NOT_FOUND),
        (Reply({"error_code": 10002}, status=429, headers={"Retry-After": "3600"}), Trouble.THROTTLED),
        (Reply("oops", status=500), Trouble.SERVER),
        (Reply({"error_code": "ODSQLError", "message": "malformed"}, status=400), Trouble.INVALID),
        (Reply({"error_code": "ODSQLError", "message": "malformed"}), Trouble.INVALID),
        (Reply("<!DOCTYPE html>"), Trouble.INVALID),
        (Reply(_recorded()[:300]), Trouble.INVALID),
        (_rows(_row(), total=None), Trouble.INVALID),
        (_rows(_row(), total="1"), Trouble.INVALID),
        (_rows(), Trouble.EMPTY),
        (_rows(_row(taux_co2=None)), Trouble.EMPTY),
    ],
    ids=[
        *("401", "403", "404", "429", "500", "400", "an error with 200", "HTML with 200", "truncated"),
        *("no count", "a count as text", "no rows", "nulls"),
    ],
)
def test_an_answer_without_values_tells_what_is_wrong(reply: Reply, trouble: Trouble) -> None:
    with pytest.raises(FeedError) as caught:
        _fetch(reply)
    assert caught.value.trouble is trouble
    assert caught.value.retry_after_ns == (NS_PER_HOUR if trouble is Trouble.THROTTLED else None)


@pytest.mark.parametrize("zone", ["FR-BRE", "fr", "France", ""])
def test_france_is_the_only_zone(zone: str) -> None:
    feed = Feed(kind=FeedKind.RTE, zone=zone)
    ((key, message),) = mistakes(feed, _WANTS)
    assert (key, message.endswith("write FR")) == ("zone", True)
    with pytest.raises(FeedError, match="write FR"):
        build(feed, _WANTS)
