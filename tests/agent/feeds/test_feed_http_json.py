"""Any JSON over HTTP from a server on loopback: paths, times, units, tokens, and answers that are none."""

from typing import Any

import pytest

from tests.agent.fake_clock import FakeClock
from tests.agent.feeds.feed_server import Asked, FeedServer, Reply, serving
from tests.agent.feeds.plain_web import PlainWeb
from tests.agent.feeds.wall import MINUTE_NS, around, at, text_of
from wattledger.agent.config.feed_schema import Feed, FeedKind
from wattledger.agent.feeds.base import Answer, FeedError, Skipped, Trouble, Window
from wattledger.agent.feeds.http_json import HttpJson, build, mistakes
from wattledger.agent.feeds.registration import Wants
from wattledger.agent.feeds.schedule import Schedule
from wattledger.agent.feeds.times import iso_of
from wattledger.rules.feeds.model import Measure, PointKind
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND

_NOW = "2026-10-13T12:00+00:00"
_DAY = around(_NOW, hours_before=12, hours_ahead=12)
_INTENSITY = Wants(Measure.INTENSITY)
_G = 1_000_000


def _feed(url: str, **changes: Any) -> Feed:
    keys: dict[str, Any] = {"values": "data[].carbon.intensity", "times": "data[].from", **changes}
    return Feed(kind=FeedKind.HTTP_JSON, url=url, **keys)


def _provider(server: FeedServer, wants: Wants = _INTENSITY, *, path: str = "/api", **changes: Any) -> HttpJson:
    return build(_feed(server.url + path, **changes), wants)


def _fetch(content: object, wants: Wants = _INTENSITY, window: Window = _DAY, **changes: Any) -> Answer:
    with serving(Reply(content)) as server:
        return _provider(server, wants, **changes).fetch(PlainWeb(), window)


def _trouble(content: object, **changes: Any) -> FeedError:
    with pytest.raises(FeedError) as caught:
        _fetch(content, **changes)
    return caught.value


def _spans(answer: Answer) -> list[tuple[str, str, int]]:
    return [(text_of(p.start_wall_ns)[11:], text_of(p.end_wall_ns)[11:], p.value) for p in answer.points]


def _rows(*values: object, minutes: int = 60, first: int = 8 * 60) -> dict[str, object]:
    times = [first + minutes * index for index in range(len(values))]
    clocks = [f"2026-10-13T{time // 60:02}:{time % 60:02}Z" for time in times]
    return {
        "data": [{"from": clock, "carbon": {"intensity": value}} for clock, value in zip(clocks, values, strict=True)]
    }


def test_a_row_of_objects() -> None:
    answer = _fetch(_rows(300, "310.5", 320))
    assert _spans(answer) == [
        ("08:00", "09:00", 300 * _G),
        ("09:00", "10:00", 310_500_000),
        ("10:00", "11:00", 320 * _G),
    ]
    assert {point.issued_wall_ns for point in answer.points} == {_DAY.now_wall_ns}


def test_parallel_arrays_of_epochs() -> None:
    start = at("2026-10-13T08:00+00:00") // NS_PER_SECOND
    content = {"unix_seconds": [start, start + 900, start + 1800], "co2eq": [200, None, 210.25]}
    answer = _fetch(content, values="co2eq[]", times="unix_seconds[]")
    assert _spans(answer) == [("08:00", "08:15", 200 * _G), ("08:30", "08:45", 210_250_000)]
    assert answer.skipped == {Skipped.NULL: 1}
    in_ms = {**content, "unix_seconds": [start * 1000, (start + 900) * 1000, (start + 1800) * 1000]}
    assert _spans(_fetch(in_ms, values="co2eq[]", times="unix_seconds[]")) == _spans(answer)


def test_one_value_with_a_step() -> None:
    content = {"now": {"g": 144, "at": "2026-10-13T11:00:00.000Z"}}
    answer = _fetch(content, values="now.g", times="now.at", step_ns=NS_PER_HOUR)
    assert _spans(answer) == [("11:00", "12:00", 144 * _G)]
    assert "set `ends` or `step`" in _trouble(content, values="now.g", times="now.at").detail


def test_a_list_at_the_root_and_names_with_points() -> None:
    content = [{"a.b": 100, "t": "2026-10-13T08:00Z"}, {"a.b": 200, "t": "2026-10-13T09:00Z"}]
    assert [point.value for point in _fetch(content, values='[]["a.b"]', times="[].t").points] == [100 * _G, 200 * _G]
    assert [p.value for p in _fetch([[], content], values='[-1][]["a.b"]', times="[1][].t").points] == [
        100 * _G,
        200 * _G,
    ]


def test_lists_within_lists_stay_side_by_side() -> None:
    days = [
        {"hours": [{"v": 1, "t": "2026-10-13T01:00Z"}, {"v": 2, "t": "2026-10-13T02:00Z"}]},
        {"hours": [{"v": 3, "t": "2026-10-13T03:00Z"}]},
    ]
    answer = _fetch({"days": days}, values="days[].hours[].v", times="days[].hours[].t")
    assert [point.value for point in answer.points] == [1 * _G, 2 * _G, 3 * _G]


def test_ends_close_what_times_open() -> None:
    content = _rows(300, 310)
    for row, end in zip(content["data"], ("2026-10-13T08:30Z", "2026-10-13T09:15Z"), strict=True):  # type: ignore[call-overload]  # a list
        row["to"] = end
    assert [span[:2] for span in _spans(_fetch(content, ends="data[].to"))] == [
        ("08:00", "08:30"),
        ("09:00", "09:15"),
    ]


def test_ends_alone_need_a_step_and_lie_behind_it() -> None:
    answer = _fetch(_rows(300, 310), times="", ends="data[].from", step_ns=30 * MINUTE_NS)
    assert [span[:2] for span in _spans(answer)] == [("07:30", "08:00"), ("08:30", "09:00")]


def test_a_step_is_the_length_of_every_value() -> None:
    answer = _fetch(_rows(300, 310), step_ns=30 * MINUTE_NS)
    assert [span[:2] for span in _spans(answer)] == [("08:00", "08:30"), ("09:00", "09:30")]


def test_newest_first_is_put_in_order() -> None:
    content = _rows(1, 2, 3)
    newest_first = {"data": content["data"][::-1]}  # type: ignore[index]  # a list
    assert _fetch(newest_first).points == _fetch(content).points


def test_a_hole_in_the_row_stays_one() -> None:
    content = _rows(1, 2, 3, 4, 5)
    del content["data"][2]  # type: ignore[attr-defined]  # a list
    assert [span[:2] for span in _spans(_fetch(content))] == [
        ("08:00", "09:00"),
        ("09:00", "10:00"),
        ("11:00", "12:00"),
        ("12:00", "13:00"),
    ]


def test_a_change_from_quarters_to_hours_is_no_hole() -> None:
    clocks = ["08:00", "08:15", "08:30", "08:45", "09:00", "10:00", "11:00"]
    content = {"v": [1] * 7, "t": [f"2026-10-13T{clock}Z" for clock in clocks]}
    ends = [end for _, end, _ in _spans(_fetch(content, values="v[]", times="t[]"))]
    assert ends == [*clocks[1:], "12:00"]


def test_values_that_are_none_are_counted_by_why() -> None:
    answer = _fetch(_rows(None, "ND", 0, -1, 5000, "", True, 90))
    assert [point.value for point in answer.points] == [90 * _G]
    assert answer.skipped == {Skipped.NULL: 1, Skipped.NOT_A_NUMBER: 3, Skipped.OUT_OF_RANGE: 3}


def test_a_value_whose_key_lacks_in_one_row_is_a_gap() -> None:
    content = _rows(100, 200, 300)
    del content["data"][1]["carbon"]  # type: ignore[index]  # a list
    answer = _fetch(content)
    assert [point.value for point in answer.points] == [100 * _G, 300 * _G]
    assert answer.skipped == {Skipped.NULL: 1}


def test_a_time_that_is_none_costs_its_value_alone() -> None:
    content = _rows(100, 200, 300, 400)
    content["data"][1]["from"] = None  # type: ignore[index]  # a list
    answer = _fetch(content)
    assert [span[2] for span in _spans(answer)] == [100 * _G, 300 * _G, 400 * _G]
    assert answer.skipped == {Skipped.BAD_TIME: 1}
    assert _spans(answer)[0][:2] == ("08:00", "09:00")


def test_a_time_that_comes_twice_counts_once() -> None:
    content = {"v": [1, 2, 3], "t": ["2026-10-13T08:00Z", "2026-10-13T08:00Z", "2026-10-13T09:00Z"]}
    answer = _fetch(content, values="v[]", times="t[]")
    assert [point.value for point in answer.points] == [1 * _G, 3 * _G]
    assert answer.skipped == {Skipped.DUPLICATE: 1}


def test_points_outside_of_the_window_are_dropped_and_counted() -> None:
    window = Window(at("2026-10-13T09:30+00:00"), at("2026-10-13T11:00+00:00"), at(_NOW))
    answer = _fetch(_rows(1, 2, 3, 4, 5), window=window)
    assert [point.value for point in answer.points] == [2 * _G, 3 * _G]
    assert answer.skipped == {Skipped.OUTSIDE_WINDOW: 3}


def test_what_lies_ahead_is_a_forecast_except_for_prices() -> None:
    rows = _rows(1, 2, 3, first=11 * 60)
    assert [point.kind for point in _fetch(rows).points] == [PointKind.ACTUAL, PointKind.ACTUAL, PointKind.FORECAST]
    prices = _fetch(rows, Wants(Measure.PRICE, currency="EUR"), unit="EUR/MWh")
    assert [(point.kind, point.value) for point in prices.points][-1] == (PointKind.ACTUAL, 3_000)


def test_local_times_without_an_offset_are_refused_unless_the_zone_is_said() -> None:
    content = {"v": [1, 2], "t": ["2026-10-13T10:00", "2026-10-13T11:00"]}
    error = _trouble(content, values="v[]", times="t[]")
    assert error.trouble is Trouble.INVALID
    assert "set `timezone`" in error.detail
    answer = _fetch(content, values="v[]", times="t[]", timezone="Europe/Paris")
    assert _spans(answer)[0][:2] == ("08:00", "09:00")


@pytest.mark.parametrize("newest_first", [False, True])
def test_days_of_23_and_25_local_hours(*, newest_first: bool) -> None:
    autumn = [f"2026-10-25T{hour:02}:00" for hour in (0, 1, 2, 2, *range(3, 24))]
    spring = [f"2026-03-29T{hour:02}:00" for hour in range(24)]  # 02:00 does not exist
    for times, day, hours in ((autumn, "2026-10-25", 25), (spring, "2026-03-29", 23)):
        values = list(range(100, 100 + len(times)))
        order = slice(None, None, -1 if newest_first else 1)
        window = Window(
            at(f"{day}T00:00+00:00") - 3 * NS_PER_HOUR, at(f"{day}T23:59+00:00"), at(f"{day}T23:59+00:00")
        )
        content = {"v": values[order], "t": times[order]}
        answer = _fetch(content, values="v[]", times="t[]", timezone="Europe/Paris", window=window)
        assert len(answer.points) == hours
        assert {point.duration_ns for point in answer.points} == {NS_PER_HOUR}
        starts = [point.start_wall_ns for point in answer.points]
        assert starts == list(range(starts[0], starts[0] + hours * NS_PER_HOUR, NS_PER_HOUR))
        assert answer.skipped.get(Skipped.BAD_TIME, 0) == len(times) - hours


def test_the_window_stands_in_the_url_encoded() -> None:
    window = Window(at("2026-10-13T00:00+00:00"), at("2026-10-14T00:00+00:00"), at(_NOW))
    path = "/v1/{zone}/{from_epoch}-{to_epoch}?start={from}&end={to}&q=a%20b"
    with serving(Reply(_rows(1, 2))) as server:
        _provider(server, path=path, zone="FR/1").fetch(PlainWeb(), window)
        (asked,) = server.asked
    assert (
        asked.target
        == "/v1/FR%2F1/1791849600-1791936000?start=2026-10-13T00%3A00%3A00Z&end=2026-10-14T00%3A00%3A00Z&q=a%20b"
    )


class TestAccess:
    """Tokens and passwords."""

    def _asked(self, secret: str | None, **changes: Any) -> dict[str, str]:
        wants = Wants(Measure.INTENSITY, secret=None if secret is None else lambda: secret)
        with serving(Reply(_rows(1, 2))) as server:
            _provider(server, wants, **changes).fetch(PlainWeb(), _DAY)
            return dict(server.asked[0].headers)

    def test_a_token_goes_as_bearer_or_in_the_header_that_is_named(self) -> None:
        assert self._asked("s3cret", token_variable="T")["authorization"] == "Bearer s3cret"  # noqa: S106  (a name)
        headers = self._asked("s3cret", token_variable="T", token_header="X-Api-Key")  # noqa: S106  (names)
        assert headers["x-api-key"] == "s3cret"
        assert "authorization" not in headers
        assert "authorization" not in self._asked(None)

    def test_a_user_has_a_password(self, tmp_path: Any) -> None:
        headers = self._asked("open", username="me", password_file=tmp_path / "password")
        assert headers["authorization"] == "Basic bWU6b3Blbg=="

    def test_without_the_secret_nobody_is_asked(self) -> None:
        def none() -> str:
            raise FeedError(Trouble.UNAUTHORIZED, "no token")

        with serving(Reply(_rows(1, 2))) as server:
            provider = _provider(server, Wants(Measure.INTENSITY, secret=none), token_variable="T")  # noqa: S106
            with pytest.raises(FeedError, match="no token"):
                provider.fetch(PlainWeb(), _DAY)
            assert server.asked == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("<html>Sign in</html>", "it begins with '<html>Sign in</html>'"),
        (b"", "it begins with nothing"),
        ('{"data": [', "is no whole JSON"),
        ({"error": "no"}, "the answer has no 'data', it has 'error'; correct the path"),
        ({"data": {}}, "`data` of the answer is no list, it is {}"),
        ({"data": [{"from": "2026-10-13T08:00Z", "co2": 1}]}, "`data[0]` of the answer has no 'carbon', it has"),
        ([1], "the answer is no object with 'data'"),
        ("null", "the answer is no object with 'data', it is None"),
    ],
)  # fmt: skip
def test_what_is_no_such_answer_is_shown_with_its_place(content: object, said: str) -> None:
    error = _trouble(content)
    assert error.trouble is Trouble.INVALID
    assert said in error.detail


def test_an_empty_list_is_a_sound_answer_without_values() -> None:
    for changes in ({}, {"step_ns": NS_PER_HOUR}, {"ends": "data[].to"}):
        assert _trouble({"data": []}, **changes).trouble is Trouble.EMPTY


def test_values_and_times_that_do_not_pair_are_refused() -> None:
    content = {"v": [1, 2, 3], "t": ["2026-10-13T08:00Z", "2026-10-13T09:00Z"]}
    error = _trouble(content, values="v[]", times="t[]")
    assert "`values` leads to 3 places and `times` to 2" in error.detail


@pytest.mark.parametrize(
    ("status", "trouble"), [(401, Trouble.UNAUTHORIZED), (404, Trouble.NOT_FOUND), (429, Trouble.THROTTLED)]
)
def test_a_refusal_of_the_server_is_passed_on(status: int, trouble: Trouble) -> None:
    with serving(Reply({"error": "no"}, status, {"Retry-After": "7"})) as server:
        with pytest.raises(FeedError) as caught:
            _provider(server).fetch(PlainWeb(), _DAY)
        assert caught.value.trouble is trouble
        assert caught.value.retry_after_ns == 7 * NS_PER_SECOND


@pytest.mark.parametrize(
    ("changes", "key", "said"),
    [
        ({"values": "data[].a..b"}, "values", "cannot be read at '..b'"),
        ({"values": ".data"}, "values", "cannot be read at '.data'"),
        ({"values": "data[x]"}, "values", "cannot be read at '[x]'"),
        ({"times": "data[]from"}, "times", "cannot be read at 'from'"),
        ({"ends": "a b"}, "ends", "cannot be read"),
        ({"times": ""}, "times", "is missing"),
        ({"times": "", "ends": "e[]"}, "step", "is missing"),
        ({"unit": "kWh"}, "unit", "write g/kWh"),
        ({"url": "http://h/{start}"}, "url", "{start}, which stands for nothing; what does is {from}"),
        ({"url": "http://h/{zone}"}, "zone", "is missing; the url asks for it"),
        ({"token_header": "X-Key"}, "token_header", "has no token to carry"),
        ({"token_header": "X: y", "token_variable": "T"}, "token_header", "is no name of a header"),
        ({"username": "me"}, "username", "set password_file"),
    ],
)
def test_mistakes_of_the_configuration_are_told_with_their_key(changes: dict[str, Any], key: str, said: str) -> None:
    feed = _feed(**{"url": "http://127.0.0.1/", **changes})
    ((found, message),) = mistakes(feed, _INTENSITY)
    assert found == key
    assert said in message
    with pytest.raises(ValueError, match=key):
        build(feed, _INTENSITY)


@pytest.mark.parametrize(
    ("hours", "has_ends", "starts"),
    [
        (1, False, [-5, -4, -3, -2, -1]),
        (1, False, [-5, -4, -3, -1]),  # with a hole
        (12, False, [-36, -24, -12, 0]),
        (24, True, [-72, -48, -24, 0]),
    ],
)
def test_a_server_that_gives_what_begins_in_the_time_asked_for_is_understood_each_time(
    hours: int, has_ends: bool, starts: list[int]
) -> None:
    clock = FakeClock()
    two_days_ns = clock.wall_ns - 48 * NS_PER_HOUR
    begin = clock.wall_ns - clock.wall_ns % (hours * NS_PER_HOUR)
    published = starts[:-1]

    def answer(asked: Asked) -> Reply:
        since = at(asked.query["from"].replace("Z", "+00:00"))
        rows = [begin + start * NS_PER_HOUR for start in published]
        return Reply(
            [{"t": iso_of(row), "e": iso_of(row + hours * NS_PER_HOUR), "g": 100} for row in rows if row >= since]
        )

    with serving(answer) as server:
        provider = _provider(
            server, path="/?from={from}", values="[].g", times="[].t", ends="[].e" if has_ends else ""
        )
        schedule = Schedule(provider.pace, clock.now(), lambda: 0.0)
        got: dict[int, int] = {}
        for _ in range(3):
            window = schedule.window(clock.now())
            points = provider.fetch(PlainWeb(), window).points
            schedule.succeeded(clock.now(), window, points)
            got.update((point.start_wall_ns, point.duration_ns) for point in points)
            clock.advance(900)
            published = starts
    rows = [begin + start * NS_PER_HOUR for start in starts]
    assert got == {row: hours * NS_PER_HOUR for row in rows if row >= two_days_ns}
