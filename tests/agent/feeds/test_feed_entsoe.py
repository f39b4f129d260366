"""ENTSO-E against a server with days of the market, and against documents in its form that hold every trap.

The documents in tests/data/feeds are put together after published ones.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.agent.feeds.entsoe_server import EntsoeServer, document, euros, time_series
from tests.agent.feeds.feed_server import FeedServer, Reply, serving
from tests.agent.feeds.plain_web import PlainWeb
from tests.agent.feeds.refused_answers import REFUSED
from tests.agent.feeds.wall import ANSWERS, MINUTE_NS, around, at, text_of
from wattledger.agent.clock import SystemClock
from wattledger.agent.config.feed_schema import Feed, FeedKind
from wattledger.agent.feeds.base import Answer, FeedError, Skipped, Trouble, Window
from wattledger.agent.feeds.entsoe import Entsoe, build, mistakes
from wattledger.agent.feeds.entsoe_document import candidates_of, root_of, series_in
from wattledger.agent.feeds.entsoe_zones import ZONES, check_character, eic_of
from wattledger.agent.feeds.gathering import Gathering
from wattledger.agent.feeds.registration import Wants
from wattledger.agent.feeds.web import WebSession
from wattledger.rules.feeds.model import Measure, PointKind
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND

_NOW = "2026-02-17T10:20+00:00"
_TOKEN = "0a1b2c3d-0000-4000-8000-0123456789ab"  # noqa: S105  (of the server of the tests)
_DAY = ("2026-02-16T23:00Z", "2026-02-17T23:00Z")
_CURRENCY = "currency_Unit.name"
_CONTRACT = "contract_MarketAgreement.type"
_SEQUENCE = "classificationSequence_AttributeInstanceComponent.position"


def _provider(server: FeedServer, zone: str = "DE-LU", *, token: str = _TOKEN, currency: str = "EUR") -> Entsoe:
    feed = Feed(kind=FeedKind.ENTSOE, zone=zone, url=f"{server.url}/api")
    return build(feed, Wants(Measure.PRICE, currency, lambda: token, "host#1"))


def _fetch(reply: Reply, window: Window | None = None, zone: str = "DE-LU", currency: str = "EUR") -> Answer:
    with serving(reply) as server:
        provider = _provider(server, zone, currency=currency)
        return provider.fetch(PlainWeb(), window or Window(at(_DAY[0]), at(_DAY[1]), at(_NOW)))


def _hour(*points: tuple[int, object], **changed: str) -> str:
    """Give a series of one hour of four quarters."""
    return time_series("2026-02-17T10:00Z", "2026-02-17T11:00Z", list(points), **changed)


def _told(answer: Answer) -> list[tuple[str, int]]:
    return [(text_of(point.start_wall_ns)[11:], point.value) for point in answer.points]


def test_a_position_that_is_missing_repeats_the_one_before() -> None:
    answer = _fetch(Reply((ANSWERS / "entsoe" / "prices.xml").read_bytes()), zone="FR")
    assert len(answer.points) == 96
    assert _told(answer)[:6] == [
        ("23:00", 91_110),
        ("23:15", 92_200),
        ("23:30", 92_200),
        ("23:45", 92_200),
        ("00:00", -3_000),
        ("00:15", -3_000),
    ]
    assert _told(answer)[-3:] == [("22:15", -3_000), ("22:30", 0), ("22:45", 0)]
    assert {(point.duration_ns, point.kind) for point in answer.points} == {(15 * MINUTE_NS, PointKind.ACTUAL)}
    assert answer.skipped == {}
    assert answer.warnings == ()


def test_on_a_curve_of_fixed_blocks_what_is_missing_is_missing() -> None:
    for curve in ("A01", ""):
        answer = _fetch(Reply(document(_hour((1, 5), (4, 6), curveType=curve))))
        assert _told(answer) == [("10:00", 5_000), ("10:45", 6_000)]


def test_before_the_first_position_nothing_holds() -> None:
    assert _told(_fetch(Reply(document(_hour((3, 5)))))) == [("10:30", 5_000), ("10:45", 5_000)]


def test_a_price_that_cannot_be_read_holds_for_its_time_and_is_not_bridged() -> None:
    answer = _fetch(Reply(document(_hour((1, 5), (2, "n/e"), (4, 6)))))
    assert _told(answer) == [("10:00", 5_000), ("10:45", 6_000)]
    assert answer.skipped == {Skipped.NOT_A_NUMBER: 1}
    assert _fetch(Reply(document(_hour((1, 5), (2, ""))))).skipped == {Skipped.NULL: 1}


def test_positions_that_a_period_has_not_are_counted() -> None:
    answer = _fetch(Reply(document(_hour((1, 5), (0, 1), (5, 1), ("x", 1), ("-1", 1), (1, 9)))))  # type: ignore[arg-type]
    assert _told(answer) == [("10:00", 5_000), ("10:15", 5_000), ("10:30", 5_000), ("10:45", 5_000)]
    assert answer.skipped == {Skipped.BAD_TIME: 4, Skipped.DUPLICATE: 1}


def test_the_request_names_document_contract_zone_and_whole_hours() -> None:
    with serving(EntsoeServer("2026-02-18")) as server:
        _provider(server, "de_lu").fetch(PlainWeb(), around(_NOW, hours_before=2, hours_ahead=3.5))
        assert server.asked[0].path == "/api"
        assert server.asked[0].query == {
            "documentType": "A44",
            "contract_MarketAgreement.type": "A01",
            "in_Domain": "10Y1001A1001A82H",
            "out_Domain": "10Y1001A1001A82H",
            "periodStart": "202602170800",
            "periodEnd": "202602171400",
            "securityToken": _TOKEN,
        }


def test_whole_days_come_and_what_was_not_asked_for_is_passed_over() -> None:
    with serving(EntsoeServer("2026-02-18")) as server:
        answer = _provider(server).fetch(PlainWeb(), around(_NOW, hours_before=0.5, hours_ahead=20))
    assert [text_of(answer.points[index].start_wall_ns) for index in (0, -1)] == [
        "2026-02-17T09:45",
        "2026-02-18T06:15",
    ]
    assert answer.skipped == {}
    for point in answer.points:
        assert point.value == euros(point.start_wall_ns // NS_PER_SECOND) * 1000


@pytest.mark.parametrize(
    ("day", "quarters"),
    [(("2026-03-28T23:00Z", "2026-03-29T22:00Z"), 92), (("2026-10-24T22:00Z", "2026-10-25T23:00Z"), 100)],
    ids=["of 23 hours", "of 25 hours"],
)
def test_a_day_on_which_clocks_change_has_all_of_its_quarters(day: tuple[str, str], quarters: int) -> None:
    start_ns, end_ns = at(day[0]), at(day[1])
    with serving(EntsoeServer("2027-01-01")) as server:
        answer = _provider(server).fetch(PlainWeb(), Window(start_ns, end_ns, end_ns))
    assert len(answer.points) == quarters
    assert [point.start_wall_ns for point in answer.points] == list(range(start_ns, end_ns, 15 * MINUTE_NS))
    for point in answer.points:
        assert point.value == euros(point.start_wall_ns // NS_PER_SECOND) * 1000


def test_the_series_is_of_the_zone_as_it_was_written() -> None:
    with serving(EntsoeServer("2026-02-18")) as server:
        series = _provider(server, "10Y1001A1001A82H").series
    assert (series.provider, series.zone, series.currency, series.caliber) == (
        "entsoe",
        "10Y1001A1001A82H",
        "EUR",
        None,
    )


def test_the_coupled_auction_stands_before_the_other() -> None:
    with serving(EntsoeServer("2026-02-18", sequences=(2, 1))) as server:
        answer = _provider(server).fetch(PlainWeb(), around(_NOW, hours_before=1, hours_ahead=1))
    for point in answer.points:
        assert (point.value, point.kind) == (euros(point.start_wall_ns // NS_PER_SECOND) * 1000, PointKind.ACTUAL)
    assert answer.skipped == {Skipped.DUPLICATE: len(answer.points)}
    assert answer.warnings == ()


def test_another_auction_stands_in_as_an_estimate_as_long_as_the_coupled_one_is_not_there() -> None:
    api = EntsoeServer("2026-02-18", newest_coupled="2026-02-17", sequences=(1, 2))
    with serving(api) as server:
        answer = _provider(server).fetch(PlainWeb(), around(_NOW, hours_before=1, hours_ahead=20))
    midnight_ns = at("2026-02-17T23:00Z")
    for point in answer.points:
        sequence = 1 if point.start_wall_ns < midnight_ns else 2
        assert point.value == euros(point.start_wall_ns // NS_PER_SECOND, sequence) * 1000
        assert point.kind is (PointKind.ACTUAL if sequence == 1 else PointKind.ESTIMATED)
    assert {point.kind for point in answer.points} == {PointKind.ACTUAL, PointKind.ESTIMATED}
    assert answer.warnings == (
        "sequence 1 lacks prices for some of the time; another auction stands in as an estimate",
    )


def test_quarter_hours_stand_before_hours() -> None:
    hourly = time_series("2026-02-17T09:00Z", "2026-02-17T11:00Z", [(1, 70), (2, 80)], resolution="PT60M")
    answer = _fetch(Reply(document(hourly, _hour((1, 5), (3, 6)))))
    assert _told(answer) == [
        ("09:00", 70_000),
        ("10:00", 5_000),
        ("10:15", 5_000),
        ("10:30", 6_000),
        ("10:45", 6_000),
    ]
    assert answer.skipped == {Skipped.DUPLICATE: 1}


def test_hours_of_the_coupled_auction_stand_before_quarter_hours_of_another() -> None:
    hourly = time_series("2026-02-17T10:00Z", "2026-02-17T11:00Z", [(1, 70)], resolution="PT60M", **{_SEQUENCE: "1"})
    answer = _fetch(Reply(document(_hour((1, 5), **{_SEQUENCE: "2"}), hourly)))
    assert _told(answer) == [("10:00", 70_000)]
    assert answer.skipped == {Skipped.DUPLICATE: 4}


def test_intraday_auctions_are_left_out() -> None:
    answer = _fetch(Reply(document(_hour((1, 999), **{_CONTRACT: "A07"}), _hour((1, 5)))))
    assert {point.value for point in answer.points} == {5_000}
    with pytest.raises(FeedError) as caught:
        _fetch(Reply(document(_hour((1, 999), **{_CONTRACT: "A07"}))))
    assert caught.value.trouble is Trouble.EMPTY


def test_prices_in_another_currency_are_left_out_and_alone_are_refused() -> None:
    lei, euro = _hour((1, 400), **{_CURRENCY: "RON"}), _hour((1, 5))
    assert {point.value for point in _fetch(Reply(document(lei, euro))).points} == {5_000}
    assert {point.value for point in _fetch(Reply(document(lei, euro)), currency="RON").points} == {400_000}
    with pytest.raises(FeedError, match=r"prices in RON and the tariff is in EUR; set tariff\.currency") as caught:
        _fetch(Reply(document(lei)))
    assert caught.value.trouble is Trouble.INVALID


def test_prices_of_anything_but_a_megawatt_hour_are_refused() -> None:
    with pytest.raises(FeedError, match="per KWH, not per MWH") as caught:
        _fetch(Reply(document(_hour((1, 5), **{"price_Measure_Unit.name": "KWH"}))))
    assert caught.value.trouble is Trouble.INVALID


def test_series_of_another_zone_are_left_out_and_alone_are_refused() -> None:
    other = _hour((1, 9), eic="10YFR-RTE------C")
    answer = _fetch(Reply(document(other, _hour((1, 5)))))
    assert {point.value for point in answer.points} == {5_000}
    assert answer.skipped == {Skipped.OTHER_ZONE: 1}
    with pytest.raises(FeedError, match="about 10YFR-RTE------C, asked for was 10Y1001A1001A82H") as caught:
        _fetch(Reply(document(other)))
    assert caught.value.trouble is Trouble.WRONG_ZONE


def test_times_far_from_the_window_are_counted() -> None:
    old = time_series("2026-01-17T10:00Z", "2026-01-17T11:00Z", [(1, 1)])
    assert _fetch(Reply(document(old, _hour((1, 5))))).skipped == {Skipped.OUTSIDE_WINDOW: 4}


@pytest.mark.parametrize(
    "series",
    [
        _hour((1, 5), resolution="P1D"),
        _hour((1, 5), resolution=""),
        time_series("2026-02-17T10:00", "2026-02-17T11:00Z", [(1, 5)]),
        time_series("2026-02-17T10:00Z", "", [(1, 5)]),
        time_series("2026-02-17T10:00Z", "2026-02-17T11:10Z", [(1, 5)]),
        time_series("2026-02-17T11:00Z", "2026-02-17T10:00Z", [(1, 5)]),
        time_series("1991-02-17T11:00Z", "2190-02-17T10:00Z", [(1, 5)], resolution="PT1M"),
    ],
    ids=["days", "no resolution", "no offset", "no end", "no whole steps", "backwards", "two centuries"],
)
def test_a_period_that_cannot_be_is_refused(series: str) -> None:
    with pytest.raises(FeedError, match="a period") as caught:
        _fetch(Reply(document(series)))
    assert caught.value.trouble is Trouble.INVALID


def test_that_there_is_nothing_is_no_mistake_whatever_its_status() -> None:
    nothing = (ANSWERS / "entsoe" / "nothing.xml").read_bytes()
    short = nothing[nothing.index(b"<Reason>") :]
    for reply in (Reply(nothing), Reply(short, 400)):
        with pytest.raises(
            FeedError, match=r"No matching data found for Data item.*transparency.entsoe.eu"
        ) as caught:
            _fetch(reply)
        assert caught.value.trouble is Trouble.EMPTY


@pytest.mark.parametrize("reason", ["The amount of requested data exceeds allowed limit", ""])
def test_another_acknowledgement_is_a_refusal_in_its_words(reason: str) -> None:
    text = f"<text>{reason}</text>" if reason else ""
    body = f"<Acknowledgement_MarketDocument><Reason><code>999</code>{text}</Reason></Acknowledgement_MarketDocument>"
    with pytest.raises(FeedError, match=f"ENTSO-E refuses: {reason or 'no reason given'}") as caught:
        _fetch(Reply(body))
    assert caught.value.trouble is Trouble.INVALID


def test_a_document_without_series_is_empty() -> None:
    with pytest.raises(FeedError) as caught:
        _fetch(Reply(document()))
    assert caught.value.trouble is Trouble.EMPTY


@pytest.mark.parametrize(
    "body",
    [
        document(_hour((1, "&a;"))).replace("\n", '<!DOCTYPE x [<!ENTITY a "5">]>', 1),
        document(_hour((1, "&a;"))).replace("\n", '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>', 1),
        document(_hour((1, 5))).encode("utf-16"),
        "<GL_MarketDocument/>",
        document(_hour((1, 5)))[:-9],
        "<" * 5000,
    ],
    ids=["entities", "an outer entity", "UTF-16", "another document", "cut off", "nested"],
)
def test_what_is_no_plain_price_document_is_refused(body: object) -> None:
    with pytest.raises(FeedError) as caught:
        _fetch(Reply(body))
    assert caught.value.trouble is Trouble.INVALID


@pytest.mark.parametrize(("reply", "trouble"), REFUSED.values(), ids=REFUSED)
def test_what_comes_instead_of_an_answer_is_told(reply: Reply, trouble: Trouble) -> None:
    with pytest.raises(FeedError) as caught:
        _fetch(reply)
    assert caught.value.trouble is trouble
    assert caught.value.retry_after_ns == (90 * NS_PER_SECOND if trouble is Trouble.THROTTLED else None)


def test_no_error_shows_the_token_even_where_the_server_repeats_it() -> None:
    with serving(EntsoeServer("2026-02-18")) as server, pytest.raises(FeedError, match="invalid security") as caught:
        _provider(server, token=f"9f8e7d6c{_TOKEN}").fetch(WebSession(SystemClock(), {}), around(_NOW))
    assert caught.value.trouble is Trouble.UNAUTHORIZED
    assert "9f8e7d6c" not in repr((caught.value.detail, caught.value))


def test_the_real_session_gets_the_same_as_the_plain_one() -> None:
    with serving(EntsoeServer("2026-02-18")) as server:
        provider = _provider(server)
        assert provider.fetch(WebSession(SystemClock(), {}), around(_NOW)) == provider.fetch(PlainWeb(), around(_NOW))


def test_without_a_token_there_is_no_provider() -> None:
    with pytest.raises(FeedError, match="token_file or token_variable") as caught:
        build(Feed(kind=FeedKind.ENTSOE, zone="FR"), Wants(Measure.PRICE, "EUR"))
    assert caught.value.trouble is Trouble.UNAUTHORIZED


@pytest.mark.parametrize("zone", ["DE", "10YFR-RTE------D", "10YFR-RTE-----C", ""])
def test_a_zone_that_is_none_is_told_with_those_that_are(zone: str) -> None:
    feed, wants = Feed(kind=FeedKind.ENTSOE, zone=zone), Wants(Measure.PRICE, "EUR", lambda: _TOKEN)
    [(key, message)] = mistakes(feed, wants)
    assert key == "zone"
    assert ("typing error" if zone.endswith("D") else "DE-LU") in message
    with pytest.raises(FeedError, match="zone") as caught:
        build(feed, wants)
    assert caught.value.trouble is Trouble.INVALID


def test_codes_of_zones_have_no_typing_error() -> None:
    for name, code in ZONES.items():
        assert eic_of(name) == eic_of(name.lower().replace("-", "_")) == eic_of(code) == code
        assert code[-1] == check_character(code[:-1])
    assert len(set(ZONES.values())) == len(ZONES)
    assert eic_of("10YGB----------A") == "10YGB----------A"


@given(st.dictionaries(st.integers(1, 12), st.integers(-500, 4000), min_size=1), st.sampled_from(["A01", "A03"]))
def test_a_curve_is_filled_from_the_left_or_not_at_all(points: dict[int, int], curve: str) -> None:
    text = document(time_series("2026-02-17T10:00Z", "2026-02-17T13:00Z", sorted(points.items()), curveType=curve))
    window = Window(at("2026-02-17T10:00Z"), at("2026-02-17T13:00Z"), at(_NOW))
    [series] = series_in(root_of(text.encode()))
    found = {each.start_wall_ns: each.value for each in candidates_of(series, Gathering(window))}
    for position in range(1, 13):
        earlier = [each for each in points if each <= position]
        source = max(earlier) if curve == "A03" and earlier else position
        expected = points.get(source)
        start_ns = window.start_wall_ns + (position - 1) * NS_PER_HOUR // 4
        assert found.get(start_ns) == (None if expected is None else expected * 1000)
