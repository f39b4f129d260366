"""EIA-930 against a server that cuts and shuffles pages, and against answers in its form that hold every trap.

The answer in tests/data/feeds is put together after the API's own form of /electricity/rto/fuel-type-data.
"""

import json
from decimal import Decimal

import pytest

from tests.agent.feeds.eia_server import EiaServer, grams
from tests.agent.feeds.feed_server import FeedServer, Reply, serving
from tests.agent.feeds.plain_web import PlainWeb
from tests.agent.feeds.refused_answers import REFUSED
from tests.agent.feeds.wall import ANSWERS, around, at, text_of
from wattledger.agent.clock import SystemClock
from wattledger.agent.config.feed_schema import Feed, FeedKind
from wattledger.agent.feeds.base import Answer, FeedError, Skipped, Trouble, Window
from wattledger.agent.feeds.eia import Eia, build
from wattledger.agent.feeds.registration import Wants
from wattledger.agent.feeds.web import WebSession
from wattledger.rules.feeds.model import Factors, Measure, PointKind
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND

_NOW = "2026-03-27T02:00+00:00"
_KEY = "eia-key-0123456789"
_Row = dict[str, object]


def _provider(server: FeedServer, zone: str = "MISO", *, key: str = _KEY, factors: Factors | None = None) -> Eia:
    feed = Feed(kind=FeedKind.EIA, zone=zone, url=f"{server.url}/v2", factors=factors)
    return build(feed, Wants(Measure.INTENSITY, secret=lambda: key, credential="host#1"))


def _recorded() -> Reply:
    return Reply((ANSWERS / "eia" / "mix.json").read_bytes())


def _fetch(reply: Reply, window: Window | None = None, factors: Factors | None = None) -> Answer:
    with serving(reply) as server:
        return _provider(server, factors=factors).fetch(PlainWeb(), window or around(_NOW))


def _row(period: str, fuel: str, value: object, **changed: object) -> _Row:
    return {"period": period, "respondent": "MISO", "fueltype": fuel, "value": value, **changed}


def _rows(*rows: _Row) -> Reply:
    return Reply({"response": {"total": str(len(rows)), "data": list(rows)}})


def _micrograms(*parts: tuple[str, int]) -> int:
    """Give the mean of *parts* (energy, factor) in micrograms, rounded."""
    total = sum(Decimal(energy) for energy, _ in parts)
    return round(sum(Decimal(energy) * factor for energy, factor in parts) * 1_000_000 / total)


def test_a_period_is_the_hour_that_ends_then_and_its_intensity_is_weighed_by_energy() -> None:
    answer = _fetch(_recorded())
    first = (("20000", 820), ("30000.5", 490), ("10000", 12), ("900", 700), ("15000", 11), ("80", 650))
    second = (("19000", 820), ("29000", 490), ("10000", 12), ("900", 700), ("15500", 11))
    assert [(text_of(p.start_wall_ns), text_of(p.end_wall_ns), p.value, p.kind) for p in answer.points] == [
        ("2026-03-26T23:00", "2026-03-27T00:00", _micrograms(*first), PointKind.ACTUAL),
        # Oil, 0.1 % in the hour before, is null: what is left is an estimate.
        ("2026-03-27T00:00", "2026-03-27T01:00", _micrograms(*second), PointKind.ESTIMATED),
    ]
    assert answer.skipped == {Skipped.NULL: 1}
    assert answer.whole


def test_direct_factors_count_fuel_that_burns_alone() -> None:
    answer = _fetch(_recorded(), factors=Factors.DIRECT)
    parts = (("20000", 760), ("30000.5", 370), ("10000", 0), ("900", 575), ("15000", 0), ("80", 406))
    assert answer.points[0].value == _micrograms(*parts)


def test_the_series_cites_where_its_factors_stand() -> None:
    with serving(_recorded()) as server:
        lifecycle, direct = _provider(server), _provider(server, factors=Factors.DIRECT)
    assert str(lifecycle.series.caliber) == "average, lifecycle, CO2e, production"
    assert str(direct.series.caliber) == "average, direct, CO2e, production"
    assert "EIA-930" in lifecycle.series.source
    assert "IPCC AR5 WG3 annex III table A.III.2" in lifecycle.series.source
    assert (lifecycle.series.provider, lifecycle.series.zone, lifecycle.credential) == ("eia", "MISO", "host#1")


@pytest.mark.parametrize("most_rows", [1, 7, 50, 5000])
def test_all_pages_are_got_however_short_they_are(most_rows: int) -> None:
    with serving(EiaServer("2026-03-27T00", most_rows=most_rows)) as server:
        hours = 1 if most_rows == 1 else 16
        answer = _provider(server, "CISO").fetch(PlainWeb(), around(_NOW, hours_before=hours + 2))
        assert len(server.asked) == -(-7 * hours // most_rows)
    assert answer.whole
    assert len(answer.points) == hours
    for point in answer.points:
        hour = point.end_wall_ns // NS_PER_HOUR
        assert point.value == round(grams(hour) * 1_000_000)
        assert point.kind is PointKind.ACTUAL
    assert text_of(answer.points[-1].end_wall_ns) == "2026-03-27T00:00"


def test_rows_that_are_counted_and_not_given_make_the_answer_partial() -> None:
    with serving(EiaServer("2026-03-27T00", holds_back=3)) as server:
        answer = _provider(server).fetch(PlainWeb(), around(_NOW, hours_before=3))
    assert not answer.whole
    assert answer.warnings == ("7 of 10 rows were got, of the oldest first",)


def test_pages_without_end_are_left() -> None:
    with serving(EiaServer("2026-03-27T00", most_rows=1)) as server:
        answer = _provider(server).fetch(PlainWeb(), around(_NOW, hours_before=40))
        assert len(server.asked) == 20
    assert not answer.whole


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("2026-03-26T10:00Z", "2026-03-26T12:00Z", ("10", "11")),
        ("2026-03-26T10:01Z", "2026-03-26T11:59Z", ("10", "11")),
        ("2026-03-26T10:59Z", "2026-03-26T11:01Z", ("10", "11")),
        ("2026-03-26T11:00Z", "2026-03-26T12:00Z", ("11",)),
    ],
)
def test_just_the_hours_that_reach_into_the_window_are_asked_for(
    start: str, end: str, hours: tuple[str, ...]
) -> None:
    with serving(EiaServer("2026-03-27T00")) as server:
        answer = _provider(server).fetch(PlainWeb(), Window(at(start), at(end), at(end)))
    assert [text_of(point.start_wall_ns)[11:13] for point in answer.points] == list(hours)
    assert answer.skipped == {}


@pytest.mark.parametrize(
    ("start", "hours"), [("2026-03-08T05:00Z", 23), ("2026-11-01T04:00Z", 25)], ids=["of 23 hours", "of 25 hours"]
)
def test_a_day_on_which_clocks_change_has_all_of_its_hours(start: str, hours: int) -> None:
    end_ns = at(start) + hours * NS_PER_HOUR
    with serving(EiaServer("2026-12-01T00")) as server:
        answer = _provider(server).fetch(PlainWeb(), Window(at(start), end_ns, end_ns))
    assert [p.start_wall_ns for p in answer.points] == list(range(at(start), end_ns, NS_PER_HOUR))
    assert len({point.value for point in answer.points}) >= 23


def test_storage_and_what_plants_use_themselves_are_in_neither_sum() -> None:
    hour = "2026-03-27T00"
    storage = [_row(hour, code, value) for code, value in (("BAT", 5e5), ("PS", "-900"), ("OES", 70), ("UES", 80))]
    answer = _fetch(_rows(_row(hour, "NG", "100"), _row(hour, "SUN", "-7"), _row(hour, "COL", -3), *storage))
    assert [point.value for point in answer.points] == [490_000_000]
    assert answer.points[0].kind is PointKind.ACTUAL


def test_fuels_with_batteries_of_their_own_and_new_codes_count() -> None:
    hour = "2026-03-27T00"
    parts = (("900", 48), ("50", 11), ("50", 700))
    answer = _fetch(
        _rows(*(_row(hour, code, part[0]) for code, part in zip(("SNB", "WNB", "H2"), parts, strict=True)))
    )
    assert answer.points[0].value == _micrograms(*parts)


@pytest.mark.parametrize("code", ["OTH", "UNK", "H2"])
def test_an_hour_with_more_than_a_twentieth_of_unknown_fuel_is_left_out(code: str) -> None:
    rows = [_row("2026-03-27T00", "NUC", "949"), _row("2026-03-27T00", code, "51")]
    rows += [_row("2026-03-27T01", "NUC", "950"), _row("2026-03-27T01", code, "50")]
    answer = _fetch(_rows(*rows))
    assert [text_of(point.end_wall_ns)[11:13] for point in answer.points] == ["01"]
    assert answer.skipped == {Skipped.NULL: 1}
    assert answer.warnings == ("hours left out: more than 5 % is of unknown fuel",)


def test_an_hour_that_lacks_a_large_fuel_is_left_out_and_one_that_lacks_a_small_one_is_estimated() -> None:
    rows = [_row("2026-03-27T00", fuel, value) for fuel, value in (("NG", 500), ("WND", 460), ("OIL", 40))]
    rows += [_row("2026-03-27T01", fuel, value) for fuel, value in (("WND", 470), ("OIL", 30))]
    rows += [_row("2026-03-27T02", fuel, value) for fuel, value in (("NG", 490), ("WND", 470))]
    answer = _fetch(_rows(*rows))
    assert [(text_of(p.end_wall_ns)[11:13], p.kind) for p in answer.points] == [
        ("00", PointKind.ACTUAL),
        ("02", PointKind.ESTIMATED),
    ]
    assert answer.warnings == ("hours left out: a fuel with more than 5 % of the hours around is missing",)


def test_the_sun_that_is_not_told_of_at_night_is_not_missed() -> None:
    rows = []
    for hour, sun in (("20", 600), ("21", 10), ("22", None), ("23", None)):
        rows += [_row(f"2026-03-26T{hour}", "NG", 1000), _row(f"2026-03-26T{hour}", "SUN", sun)]
    answer = _fetch(_rows(*rows), around(_NOW, hours_before=9))
    assert [(text_of(p.end_wall_ns)[11:13], p.kind) for p in answer.points] == [
        ("20", PointKind.ACTUAL),
        ("21", PointKind.ACTUAL),
        ("22", PointKind.ESTIMATED),
        ("23", PointKind.ESTIMATED),
    ]


def test_single_values_and_times_that_cannot_be_read_are_counted() -> None:
    rows = [
        _row("2026-03-27T00", "NG", "100"),
        _row("2026-03-27T00", "WND", "ND"),
        _row("2026-03-27T00", "NG", "999"),
        _row("yesterday", "NG", "1"),
        _row("2026-03-27T00:30", "NG", "1"),
        _row("2026-03-27T00", "WAT", None),
    ]
    answer = _fetch(_rows(*rows))
    assert [point.value for point in answer.points] == [490_000_000]
    assert answer.skipped == {
        Skipped.NOT_A_NUMBER: 1,
        Skipped.DUPLICATE: 1,
        Skipped.BAD_TIME: 2,
        Skipped.NULL: 1,
    }


def test_periods_in_local_time_are_read_with_their_offset() -> None:
    answer = _fetch(_rows(_row("2026-03-26T17-07", "NG", "100")))
    assert text_of(answer.points[0].end_wall_ns) == "2026-03-27T00:00"


def test_hours_outside_the_window_are_counted_and_not_given() -> None:
    answer = _fetch(_rows(_row("2026-03-20T00", "NG", "100"), _row("2026-03-27T00", "NG", "100")))
    assert len(answer.points) == 1
    assert answer.skipped == {Skipped.OUTSIDE_WINDOW: 1}


def test_rows_of_another_zone_are_left_out_and_alone_are_refused() -> None:
    other = _row("2026-03-27T00", "COL", "900", respondent="PJM")
    answer = _fetch(_rows(_row("2026-03-27T00", "NG", "100"), other))
    assert [point.value for point in answer.points] == [490_000_000]
    assert answer.skipped == {Skipped.OTHER_ZONE: 1}
    with pytest.raises(FeedError, match="about PJM, asked for was MISO; check the key zone") as caught:
        _fetch(_rows(other))
    assert caught.value.trouble is Trouble.WRONG_ZONE


def test_a_zone_that_tells_nothing_is_empty() -> None:
    with serving(EiaServer("2026-03-27T00")) as server, pytest.raises(FeedError, match="whether XX tells") as caught:
        _provider(server, "XX").fetch(PlainWeb(), around(_NOW))
    assert caught.value.trouble is Trouble.EMPTY


@pytest.mark.parametrize(
    "answer",
    [
        {"response": {"data": [_row("2026-03-27T00", "NG", "1")]}},
        {"response": {"total": "many", "data": []}},
        {"response": {"total": "0"}},
        {"response": {"total": "1", "data": ["NG"]}},
        {"response": {"total": "1", "data": [{"respondent": "MISO", "value": "1"}]}},
        {"response": {"total": "1", "data": [_row("2026-03-27T00", "NG", "1", **{"value-units": "MMBtu"})]}},
        {"response": []},
    ],
    ids=["no total", "total in words", "no data", "no rows", "no fuel", "another unit", "no object"],
)
def test_an_answer_in_another_form_is_refused(answer: object) -> None:
    with pytest.raises(FeedError) as caught:
        _fetch(Reply(answer))
    assert caught.value.trouble is Trouble.INVALID


@pytest.mark.parametrize(("reply", "trouble"), REFUSED.values(), ids=REFUSED)
def test_what_comes_instead_of_an_answer_is_told(reply: Reply, trouble: Trouble) -> None:
    with pytest.raises(FeedError) as caught:
        _fetch(reply)
    assert caught.value.trouble is trouble
    assert caught.value.retry_after_ns == (90 * NS_PER_SECOND if trouble is Trouble.THROTTLED else None)


def test_an_answer_that_was_cut_off_is_refused() -> None:
    whole = _recorded().body
    with pytest.raises(FeedError, match="no whole JSON") as caught:
        _fetch(Reply(whole[: len(whole) // 2]))
    assert caught.value.trouble is Trouble.INVALID


def test_no_error_shows_the_key_even_where_the_server_repeats_it() -> None:
    with serving(EiaServer("2026-03-27T00")) as server, pytest.raises(FeedError, match="invalid api_key") as caught:
        _provider(server, key="a-wrong-key+of/me").fetch(WebSession(SystemClock(), {}), around(_NOW))
    assert caught.value.trouble is Trouble.UNAUTHORIZED
    assert "wrong-key" not in json.dumps([caught.value.detail, str(caught.value), repr(caught.value)])


def test_the_real_session_gets_the_same_as_the_plain_one() -> None:
    with serving(EiaServer("2026-03-27T00", most_rows=10)) as server:
        provider = _provider(server)
        assert provider.fetch(WebSession(SystemClock(), {}), around(_NOW)) == provider.fetch(PlainWeb(), around(_NOW))


def test_without_a_key_there_is_no_provider() -> None:
    with pytest.raises(FeedError, match="token_file or token_variable") as caught:
        build(Feed(kind=FeedKind.EIA, zone="MISO"), Wants(Measure.INTENSITY))
    assert caught.value.trouble is Trouble.UNAUTHORIZED
