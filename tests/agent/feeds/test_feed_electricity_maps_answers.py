"""Answers of Electricity Maps: what becomes of each row, and of what is no answer at all."""

import json

import pytest

from tests.agent.feeds.electricity_maps_asking import (
    GRAM,
    NOW,
    ZONE,
    Row,
    history,
    provider_at,
    recorded,
    recorded_answers,
    row_of,
)
from tests.agent.feeds.feed_server import Asked, Reply, serving
from tests.agent.feeds.plain_web import PlainWeb
from tests.agent.feeds.wall import around, at, text_of
from wattledger.agent.feeds.base import Answer, FeedError, Skipped, Trouble, Window
from wattledger.rules.feeds.model import PointKind
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND


def _fetch(reply: Reply, window: Window | None = None) -> Answer:
    """Give what becomes of a reply where the provider has nothing else."""
    nothing = Reply({"status": "error", "message": "no more"}, status=404)
    with serving(lambda asked: reply if asked.path.endswith("history") else nothing) as server:
        return provider_at(server, ZONE).fetch(PlainWeb(), window or around(NOW))


def test_recorded_answers_become_points_of_an_hour_from_their_datetime_on() -> None:
    with serving(recorded_answers) as server:
        answer = provider_at(server, ZONE).fetch(PlainWeb(), around(NOW, hours_before=5, hours_ahead=3))
    assert [(text_of(p.start_wall_ns), p.value, p.kind, text_of(p.issued_wall_ns)) for p in answer.points] == [
        ("2025-03-29T13:00", 171 * GRAM, PointKind.ACTUAL, "2025-03-29T15:45"),
        ("2025-03-29T14:00", 166_250_000, PointKind.ACTUAL, "2025-03-29T16:45"),
        ("2025-03-29T16:00", 151 * GRAM, PointKind.ESTIMATED, "2025-03-29T17:46"),
        ("2025-03-29T17:00", 148 * GRAM, PointKind.ESTIMATED, "2025-03-29T16:45"),
        ("2025-03-29T18:00", 144 * GRAM, PointKind.ESTIMATED, "2025-03-29T16:45"),
        ("2025-03-29T18:00", 145 * GRAM, PointKind.FORECAST, "2025-03-29T17:30"),
        ("2025-03-29T19:00", 139 * GRAM, PointKind.FORECAST, "2025-03-29T17:30"),
        ("2025-03-29T20:00", 142 * GRAM, PointKind.FORECAST, "2025-03-29T17:30"),
    ]
    assert all(point.duration_ns == NS_PER_HOUR for point in answer.points)
    assert answer.skipped == {Skipped.NULL: 1}
    assert answer.whole
    assert answer.warnings == ()


@pytest.mark.parametrize(
    "rows",
    [
        Reply({"zone": "US-CENT-SWPP", "history": [row_of(zone=...)]}),
        Reply({"zone": ZONE, "history": [row_of(), row_of(zone="US-CENT-SWPP", datetime="2025-03-29T17:00Z")]}),
        Reply({"history": [row_of(zone=...)]}),
        Reply(row_of(zone="us-car-duk")),
    ],
    ids=["another", "another in one row", "none", "another case"],
)
def test_an_answer_that_does_not_name_the_zone_is_refused(rows: Reply) -> None:
    with pytest.raises(FeedError) as caught:
        _fetch(rows)
    assert caught.value.trouble is Trouble.WRONG_ZONE


def test_a_forecast_of_another_zone_spoils_the_whole_answer() -> None:
    def answer(asked: Asked) -> Reply:
        reply = recorded_answers(asked)
        if asked.path.endswith("forecast"):
            reply = Reply({**json.loads(reply.body), "zone": "FR"})
        return reply

    with serving(answer) as server, pytest.raises(FeedError) as caught:
        provider_at(server, ZONE).fetch(PlainWeb(), around(NOW, hours_ahead=3))
    assert caught.value.trouble is Trouble.WRONG_ZONE


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"carbonIntensity": None}, Skipped.NULL),
        ({"carbonIntensity": ...}, Skipped.NULL),
        ({"carbonIntensity": 0}, Skipped.OUT_OF_RANGE),
        ({"carbonIntensity": -3}, Skipped.OUT_OF_RANGE),
        ({"carbonIntensity": 1500.1}, Skipped.OUT_OF_RANGE),
        ({"carbonIntensity": float("nan")}, Skipped.NOT_A_NUMBER),
        ({"carbonIntensity": "ND"}, Skipped.NOT_A_NUMBER),
        ({"carbonIntensity": True}, Skipped.NOT_A_NUMBER),
        ({"datetime": "2025-03-29T17:00:00.000"}, Skipped.BAD_TIME),
        ({"datetime": "2025-03-29T17:07:00.350Z"}, Skipped.BAD_TIME),
        ({"datetime": None}, Skipped.BAD_TIME),
        ({"datetime": "2024-03-29T17:00:00.000Z"}, Skipped.OUTSIDE_WINDOW),
        ({"datetime": "2025-03-30T17:00:00.000Z"}, Skipped.OUTSIDE_WINDOW),
    ],
    ids=lambda value: value.value if isinstance(value, Skipped) else json.dumps(value, default=str),
)
def test_a_value_that_cannot_be_used_is_left_out_and_counted(changed: Row, why: Skipped) -> None:
    answer = _fetch(history(row_of(**{"datetime": "2025-03-29T17:00:00.000Z", **changed}), row_of()))
    assert [text_of(point.start_wall_ns) for point in answer.points] == ["2025-03-29T18:00"]
    assert answer.skipped == {why: 1}


def test_a_number_may_be_written_as_text_and_exactly() -> None:
    answer = _fetch(history(row_of(carbonIntensity="144.000001")))
    assert [point.value for point in answer.points] == [144_000_001]


def test_an_hour_that_comes_twice_counts_once() -> None:
    answer = _fetch(history(row_of(), row_of(carbonIntensity=150)))
    assert [point.value for point in answer.points] == [144 * GRAM]
    assert answer.skipped == {Skipped.DUPLICATE: 1}


def test_what_the_history_has_beyond_the_window_is_no_mistake() -> None:
    answer = _fetch(history(row_of(datetime="2025-03-29T05:00Z"), row_of()), around(NOW, hours_before=2))
    assert len(answer.points) == 1
    assert answer.skipped == {}


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({}, PointKind.ACTUAL),
        ({"isEstimated": True}, PointKind.ESTIMATED),
        ({"isEstimated": ...}, PointKind.ESTIMATED),
        ({"updatedAt": "2025-03-29T17:59:59.000Z"}, PointKind.ESTIMATED),
        ({"updatedAt": ...}, PointKind.ACTUAL),
    ],
    ids=["measured", "estimated", "not said", "made before its hour", "when made is not said"],
)
def test_only_what_is_said_to_be_measured_and_can_be_is_actual(changed: Row, kind: PointKind) -> None:
    (point,) = _fetch(history(row_of(**changed))).points
    assert point.kind is kind


@pytest.mark.parametrize("values", [(None, 300), (300, None)], ids=["before", "after"])
def test_a_row_without_a_value_does_not_hide_that_of_the_same_hour_with_one(values: tuple[int | None, ...]) -> None:
    (point,) = _fetch(history(*(row_of(carbonIntensity=value) for value in values))).points
    assert point.value == 300 * 1_000_000


def test_without_a_time_of_issue_a_value_is_issued_now() -> None:
    (point,) = _fetch(history(row_of(updatedAt=...))).points
    assert point.issued_wall_ns == at(NOW)


@pytest.mark.parametrize(
    "changed",
    [{"emissionFactorType": "direct"}, {"temporalGranularity": "daily"}, {"flowTraced": False}],
    ids=["factors", "length", "production"],
)
def test_an_answer_of_another_caliber_or_length_is_refused(changed: Row) -> None:
    with pytest.raises(FeedError, match=next(iter(changed))) as caught:
        _fetch(history(row_of(**changed)))
    assert caught.value.trouble is Trouble.INVALID


@pytest.mark.parametrize(
    ("reply", "trouble"),
    [
        (Reply({"error": "Invalid auth-token"}, status=401), Trouble.UNAUTHORIZED),
        (Reply({"error": "forbidden"}, status=403), Trouble.UNAUTHORIZED),
        (Reply({"status": "error", "message": "No recent data"}, status=404), Trouble.NOT_FOUND),
        (Reply({"error": "slow down"}, status=429, headers={"Retry-After": "90"}), Trouble.THROTTLED),
        (Reply("oops", status=500), Trouble.SERVER),
        (Reply("<!DOCTYPE html><html>Sign in</html>"), Trouble.INVALID),
        (Reply(recorded("history")[:700]), Trouble.INVALID),
        (Reply(b""), Trouble.INVALID),
        (Reply([]), Trouble.INVALID),
        (Reply({"error": "Invalid auth-token"}), Trouble.INVALID),
        (Reply({"zone": ZONE, "history": {}}), Trouble.INVALID),
        (Reply({"zone": ZONE, "history": [17]}), Trouble.INVALID),
        (Reply(b"[" * 100_000), Trouble.INVALID),
        (Reply({"zone": ZONE, "history": []}), Trouble.EMPTY),
        (Reply({"zone": ZONE, "history": [row_of(carbonIntensity=None)]}), Trouble.EMPTY),
    ],
    ids=[
        *("401", "403", "404", "429", "500", "HTML with 200", "truncated", "nothing", "a list", "an error with 200"),
        *("no list", "no rows", "deep", "empty", "nulls"),
    ],
)
def test_an_answer_without_values_tells_what_is_wrong_and_not_the_token(reply: Reply, trouble: Trouble) -> None:
    with pytest.raises(FeedError) as caught:
        _fetch(reply)
    assert caught.value.trouble is trouble
    assert "em-token" not in caught.value.detail
    assert caught.value.retry_after_ns == (90 * NS_PER_SECOND if trouble is Trouble.THROTTLED else None)


def test_an_error_with_200_is_told_in_its_own_words() -> None:
    with pytest.raises(FeedError, match="the answer says 'Invalid auth-token'"):
        _fetch(Reply({"error": "Invalid auth-token"}))
