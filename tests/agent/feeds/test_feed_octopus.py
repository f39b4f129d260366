"""Octopus Energy against a server with pages, and against answers in its form that hold every trap.

The answers in tests/data/feeds are put together after published ones.
"""

import json

import pytest

from tests.agent.feeds.feed_server import FeedServer, Reply, serving
from tests.agent.feeds.octopus_server import OctopusServer, tenths_of_pence
from tests.agent.feeds.plain_web import PlainWeb
from tests.agent.feeds.refused_answers import REFUSED
from tests.agent.feeds.wall import ANSWERS, MINUTE_NS, around, at, text_of
from wattledger.agent.clock import SystemClock
from wattledger.agent.config.feed_schema import Feed, FeedKind
from wattledger.agent.feeds.base import Answer, FeedError, Skipped, Trouble, Window
from wattledger.agent.feeds.octopus import Octopus, build, mistakes
from wattledger.agent.feeds.registration import Wants
from wattledger.agent.feeds.web import WebSession
from wattledger.rules.feeds.model import Measure, PointKind
from wattledger.rules.instant import NS_PER_SECOND

_NOW = "2024-01-05T23:10+00:00"
_Row = dict[str, object]


def _provider(server: FeedServer, tariff: str = "E-1R-AGILE-24-10-01-C", **keys: object) -> Octopus:
    feed = Feed(kind=FeedKind.OCTOPUS, url=server.url, product="AGILE-24-10-01", tariff=tariff, **keys)  # type: ignore[arg-type]
    return build(feed, Wants(Measure.PRICE, "GBP"))


def _recorded(name: str) -> Reply:
    return Reply((ANSWERS / "octopus" / f"{name}.json").read_bytes())


def _fetch(reply: Reply, window: Window | None = None) -> Answer:
    with serving(reply) as server:
        return _provider(server).fetch(PlainWeb(), window or around(_NOW, hours_before=3, hours_ahead=3))


def _row(start: str, end: str | None, price: object, method: object = None) -> _Row:
    return {"value_exc_vat": price, "valid_from": start, "valid_to": end, "payment_method": method}


def _rates(*rows: _Row) -> Reply:
    return Reply({"count": len(rows), "next": None, "results": list(rows)})


def _told(answer: Answer) -> list[tuple[str, str, int]]:
    return [(text_of(p.start_wall_ns)[5:], text_of(p.end_wall_ns)[5:], p.value) for p in answer.points]


def test_pence_without_vat_become_millionths_of_a_pound_in_order_of_time() -> None:
    answer = _fetch(_recorded("agile"))
    assert _told(answer) == [
        ("01-05T22:00", "01-05T22:30", 1_000_000),
        ("01-05T22:30", "01-05T23:00", 0),
        ("01-05T23:00", "01-05T23:30", -25_000),
        ("01-05T23:30", "01-06T00:00", 174_300),
    ]
    assert {point.kind for point in answer.points} == {PointKind.ACTUAL}
    assert (answer.skipped, answer.warnings, answer.whole) == ({}, (), True)


def test_the_rate_by_direct_debit_stands_before_the_dearer_one_whichever_comes_first() -> None:
    window = Window(at("2026-06-30T22:00Z"), at("2026-07-02T00:00Z"), at("2026-07-01T12:00Z"))
    answer = _fetch(_recorded("flexible"), window)
    # Without an end a rate holds until further notice: for what is asked for.
    assert _told(answer) == [
        ("03-31T23:00", "06-30T23:00", 241_000),
        ("06-30T23:00", "07-02T00:00", 251_251),
    ]
    assert answer.skipped == {Skipped.DUPLICATE: 2}


def test_a_rate_for_all_ways_to_pay_stands_first_and_any_is_better_than_none() -> None:
    stretch = ("2024-01-05T22:00Z", "2024-01-05T23:00Z")
    rows = [_row(*stretch, 3, "NON_DIRECT_DEBIT"), _row(*stretch, 2, "DIRECT_DEBIT"), _row(*stretch, 1)]
    for count, price in ((1, 30_000), (2, 20_000), (3, 10_000)):
        assert [point.value for point in _fetch(_rates(*rows[:count])).points] == [price]


def test_a_rate_that_begins_after_the_window_is_outside_of_it() -> None:
    rows = [_row("2024-02-01T00:00Z", None, 9), _row("2024-01-01T00:00Z", "2024-02-01T00:00Z", 8)]
    answer = _fetch(_rates(*rows))
    assert [point.value for point in answer.points] == [80_000]
    assert answer.skipped == {Skipped.OUTSIDE_WINDOW: 1}


def test_the_request_names_product_tariff_and_the_period_with_its_offset() -> None:
    with serving(OctopusServer("2024-01-06T23:00Z")) as server:
        provider = _provider(server)
        answer = provider.fetch(PlainWeb(), around(_NOW, hours_before=2, hours_ahead=1))
        assert server.asked[0].query == {
            "period_from": "2024-01-05T21:10:00Z",
            "period_to": "2024-01-06T00:10:01Z",
            "page_size": "1500",
            "page": "1",
        }
    assert [text_of(answer.points[index].start_wall_ns) for index in (0, -1)] == [
        "2024-01-05T21:00",
        "2024-01-06T00:00",
    ]
    assert (provider.series.zone, provider.series.currency) == ("E-1R-AGILE-24-10-01-C", "GBP")
    assert "without VAT" in provider.series.source


@pytest.mark.parametrize("most_rows", [1, 5, 7, 1500])
def test_all_pages_are_got_from_the_host_that_was_asked(most_rows: int) -> None:
    with serving(OctopusServer("2024-01-06T23:00Z", most_rows)) as server:
        window = around(_NOW, hours_before=4, hours_ahead=2)
        answer = _provider(server).fetch(PlainWeb(), window)
        assert len(server.asked) == -(-13 // most_rows)
    assert len(answer.points) == 13
    assert answer.whole
    for point in answer.points:
        assert point.value == tenths_of_pence(point.start_wall_ns // NS_PER_SECOND) * 1000


def test_pages_without_end_are_left() -> None:
    with serving(OctopusServer("2024-01-06T23:00Z", 1)) as server:
        answer = _provider(server).fetch(PlainWeb(), around(_NOW, hours_before=20))
        assert len(server.asked) == 20
    assert not answer.whole
    assert answer.warnings == ("more than 20 pages of rates, the rest was not asked for",)


@pytest.mark.parametrize(
    ("day", "halves"),
    [(("2026-03-29T00:00Z", "2026-03-29T23:00Z"), 46), (("2026-10-24T23:00Z", "2026-10-26T00:00Z"), 50)],
    ids=["of 23 hours", "of 25 hours"],
)
def test_a_day_on_which_clocks_change_has_all_of_its_half_hours(day: tuple[str, str], halves: int) -> None:
    start_ns, end_ns = at(day[0]), at(day[1])
    with serving(OctopusServer("2027-01-01T00:00Z", 30)) as server:
        answer = _provider(server).fetch(PlainWeb(), Window(start_ns, end_ns, end_ns))
    assert len(answer.points) == halves
    assert [point.start_wall_ns for point in answer.points] == list(range(start_ns, end_ns, 30 * MINUTE_NS))


def test_single_rates_that_cannot_be_read_are_counted() -> None:
    rows = [
        _row("2024-01-05T22:00Z", "2024-01-05T22:30Z", "17.43"),
        _row("2024-01-05T22:30Z", "2024-01-05T23:00Z", None),
        _row("2024-01-05T22:30Z", "2024-01-05T23:00Z", "n/a"),
        _row("2024-01-05T22:30Z", "2024-01-05T23:00Z", 10**12),
        _row("2024-01-05T22:30", "2024-01-05T23:00Z", 1),
        _row("2024-01-05T23:00Z", "2024-01-05T22:30Z", 1),
        _row("2023-01-05T22:30Z", "2023-01-05T23:00Z", 1),
    ]
    answer = _fetch(_rates(*rows))
    assert _told(answer) == [("01-05T22:00", "01-05T22:30", 174_300)]
    assert answer.skipped == {
        Skipped.NULL: 1,
        Skipped.NOT_A_NUMBER: 1,
        Skipped.OUT_OF_RANGE: 1,
        Skipped.BAD_TIME: 2,
        Skipped.OUTSIDE_WINDOW: 1,
    }


def test_no_rates_are_empty_and_an_unknown_tariff_is_not_found() -> None:
    with pytest.raises(FeedError, match="check the keys product and tariff") as caught:
        _fetch(_rates())
    assert caught.value.trouble is Trouble.EMPTY
    with serving(OctopusServer("2024-01-06T23:00Z")) as server, pytest.raises(FeedError) as caught:
        _provider(server, "E-1R/../../..").fetch(PlainWeb(), around(_NOW))
    assert caught.value.trouble is Trouble.NOT_FOUND
    assert server.asked[0].path.count("/") == 7


@pytest.mark.parametrize("currency", ["EUR", "USD", ""])
def test_another_currency_is_refused_and_never_converted(currency: str) -> None:
    feed = Feed(kind=FeedKind.OCTOPUS, product="AGILE-24-10-01", tariff="E-1R-AGILE-24-10-01-C")
    [(key, message)] = mistakes(feed, Wants(Measure.PRICE, currency))
    assert key == "kind"
    assert "set tariff.currency to GBP" in message
    with pytest.raises(FeedError, match="GBP") as caught:
        build(feed, Wants(Measure.PRICE, currency))
    assert caught.value.trouble is Trouble.INVALID


@pytest.mark.parametrize(("reply", "trouble"), REFUSED.values(), ids=REFUSED)
def test_what_comes_instead_of_an_answer_is_told(reply: Reply, trouble: Trouble) -> None:
    with pytest.raises(FeedError) as caught:
        _fetch(reply)
    assert caught.value.trouble is trouble
    assert caught.value.retry_after_ns == (90 * NS_PER_SECOND if trouble is Trouble.THROTTLED else None)


def test_an_answer_that_was_cut_off_is_refused() -> None:
    whole = _recorded("agile").body
    with pytest.raises(FeedError, match="no whole JSON") as caught:
        _fetch(Reply(whole[:-3]))
    assert caught.value.trouble is Trouble.INVALID
    with pytest.raises(FeedError, match="'results'") as caught:
        _fetch(Reply(json.dumps({"count": 0, "results": {}})))
    assert caught.value.trouble is Trouble.INVALID


def test_the_real_session_gets_the_same_as_the_plain_one() -> None:
    with serving(OctopusServer("2024-01-06T23:00Z", 5)) as server:
        provider = _provider(server, zone="GB")
        assert provider.fetch(WebSession(SystemClock(), {}), around(_NOW)) == provider.fetch(PlainWeb(), around(_NOW))
    assert provider.series.zone == "GB"
