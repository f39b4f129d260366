"""Chains of providers as the tick thread sees them: what holds, what changed, and how they do in outages."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain, repeat
from pathlib import Path

import pytest

from tests.agent.fake_clock import FakeClock
from tests.agent.feeds import feed_server
from tests.agent.feeds.scripted_provider import GRID, PACE, TABLE, LinesProvider, ScriptedProvider, hour
from tests.agent.tokens.running import until
from wattledger.agent.clock import SystemClock
from wattledger.agent.feeds.base import Answer, FeedError, Pace, Provider, Trouble, Web, Window
from wattledger.agent.feeds.desk import Chain, FeedDesk
from wattledger.agent.feeds.no_web import NoWeb
from wattledger.agent.feeds.poller import Member
from wattledger.agent.feeds.store import STORE_NAME, FeedStore
from wattledger.agent.feeds.web import WebSession
from wattledger.exporter.feeds import FeedHealth
from wattledger.rules.feeds.fallback import FeedState, Resolved
from wattledger.rules.feeds.model import Caliber, Measure, PointKind, Series, Signal
from wattledger.rules.feeds.span import Span
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND

_HOUR = 3600
_NOW = FakeClock().wall_ns // NS_PER_SECOND
_START = _NOW - _NOW % _HOUR  # of the hour that is now
_WEB = NoWeb()


def _ns(seconds: int) -> int:
    return seconds * NS_PER_SECOND


def _span(start_hours: int, end_hours: int) -> Span:
    """Give a span by hours from the beginning of this one."""
    return Span(_ns(_START + start_hours * _HOUR), _ns(_START + end_hours * _HOUR))


@dataclass
class Host:
    """A desk that is asked on the thread of the test, as time goes by."""

    desk: FeedDesk
    clock: FakeClock

    def run(self, hours: float = 0.0) -> dict[str, list[Span]]:
        """Let so much time go by, do what is due in it, and give the changes."""
        end_ns = self.clock.mono_ns + round(hours * NS_PER_HOUR)
        while (next_ns := self.desk.turn()) <= end_ns:
            self.clock.advance_ns(next_ns - self.clock.mono_ns)
        self.clock.advance_ns(end_ns - self.clock.mono_ns)
        return self.desk.changes()

    def now(self) -> Resolved:
        """Give what holds now."""
        (found,) = self.desk.resolve("carbon", self.clock.wall_ns, self.clock.wall_ns + 1)
        return found

    def health(self, level: int = 0) -> FeedHealth:
        """Give how one of the only chain does."""
        return self.desk.health()[level]


def _host(*members: Member, clock: FakeClock | None = None, state_dir: Path | None = None) -> Host:
    time = clock or FakeClock()
    chances = chain([0.0] * len(members), repeat(0.5))  # each is asked at once, and then at its pace
    chains = [Chain("carbon", members)]
    return Host(FeedDesk(chains, clock=time, state_dir=state_dir, chance=lambda: next(chances)), time)


@dataclass
class Grid:
    """A real server with the hours of a grid; while `is_out` it answers 503."""

    hours: dict[int, int] = field(default_factory=dict)  # hours from this one, and their values
    is_out: bool = False
    url: str = ""

    def answer(self, _: feed_server.Asked) -> feed_server.Reply:
        """Give all hours, as lines."""
        if self.is_out:
            return feed_server.Reply("down", 503)
        lines = [
            f"{_START + at * _HOUR} {_START + (at + 1) * _HOUR} {value} actual" for at, value in self.hours.items()
        ]
        return feed_server.Reply("\n".join(lines))

    def member(self) -> Member:
        """Give a provider that asks it."""
        return Member(LinesProvider(self.url), WebSession(SystemClock(), {}))


@pytest.fixture
def grid() -> Iterator[Grid]:
    """Run such a server."""
    made = Grid()
    with feed_server.serving(made.answer) as server:
        made.url = server.url
        yield made


def _table(value: int = 400) -> Member:
    """Give a constant, which is read from this host."""

    def answer(_: Web, window: Window) -> Answer:
        point = hour(0, value, PointKind.FACTOR, window.now_wall_ns)
        return Answer((replace(point, end_wall_ns=_ns(7_258_118_400)),))

    return Member(ScriptedProvider(TABLE, replace(PACE, max_age_ns=0), answer=answer))


def test_the_first_that_knows_gives_the_value(grid: Grid) -> None:
    grid.hours = {-2: 100, 0: 120}
    host = _host(grid.member(), _table())
    assert host.now() == Resolved(host.clock.wall_ns, host.clock.wall_ns + 1)
    host.run()
    found = host.desk.resolve("carbon", _span(-3, 0).start_wall_ns, _span(0, 1).end_wall_ns)
    assert [(one.value, one.kind, one.level, one.held) for one in found] == [
        (400, PointKind.FACTOR, 1, False),
        (100, PointKind.ACTUAL, 0, False),
        (100, PointKind.ESTIMATED, 0, True),
        (120, PointKind.ACTUAL, 0, False),
    ]


def test_changes_are_told_once_and_those_that_are_hidden_never(grid: Grid) -> None:
    grid.hours = {-2: 100}
    host = _host(grid.member(), Member(ScriptedProvider(TABLE), _WEB))  # which gives the hour of now
    first = host.run()
    # Two hours back, held until the third from now; the table's hour is hidden by that, and its own hold shows later.
    assert first == {"carbon": [_span(-2, 5)]}
    assert host.desk.changes() == {}
    grid.hours = {-2: 100, -1: 110}
    assert host.run(1) == {"carbon": [_span(-1, 4), _span(5, 6)]}


def test_what_only_a_later_provider_says_anew_is_no_change() -> None:
    later = ScriptedProvider(TABLE, answer=Answer((hour(_ns(_START), 1), hour(_ns(_START + 9 * _HOUR), 1))))
    first = ScriptedProvider(pace=replace(PACE, max_age_ns=0))
    host = _host(Member(first, _WEB), Member(later, _WEB), clock=FakeClock(wall_ns=_ns(_START)))
    host.run()
    later.answer = Answer(
        (hour(_ns(_START), 2, issued_wall_ns=1), hour(_ns(_START + 9 * _HOUR), 2, issued_wall_ns=1))
    )
    assert host.run(0.2) == {"carbon": [_span(1, 5), _span(9, 14)]}
    assert [one.value for one in host.desk.resolve("carbon", _ns(_START), _ns(_START + 2 * _HOUR))] == [100, 2]


def test_a_stretch_that_was_asked_for_before_is_given_as_it_is_known_now(grid: Grid) -> None:
    here = _span(0, 1)

    def values() -> list[int | None]:
        found = host.desk.resolve("carbon", here.start_wall_ns, here.end_wall_ns)
        assert host.desk.resolve("carbon", here.start_wall_ns, here.end_wall_ns) is found
        return [one.value for one in found]

    grid.hours = {0: 120}
    host = _host(grid.member(), _table())
    assert values() == [None]
    host.run()
    assert values() == [120]
    grid.hours = {0: 130}
    host.run(1)
    assert values() == [130]
    host.clock.advance_ns(11 * 24 * NS_PER_HOUR)
    host.run()
    assert values() == [400], "it was forgotten"


def test_an_unknown_chain_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        _host().desk.resolve("price", 0, 1)


def test_an_outage_falls_to_the_next_visibly_and_comes_back(grid: Grid) -> None:
    grid.hours = {-1: 100}
    host = _host(grid.member(), _table())
    host.run()
    assert host.health() == FeedHealth(
        chain="carbon",
        level=0,
        provider="gb",
        zone="GB",
        series=GRID,
        state=FeedState.FRESH,
        age_ns=_ns(_NOW - _START),
        last_success_wall_ns=_ns(_NOW),
        value=100,
        kind=PointKind.ESTIMATED,
    )
    grid.is_out = True
    host.run(2)
    health = host.health()
    assert (health.state, health.trouble, health.value) == (FeedState.LATE, "server", 100)
    assert health.detail.endswith("status 503: down")
    assert health.errors["server"] > 2
    assert (host.now().value, host.now().level) == (100, 0)
    host.run(3)
    health = host.health()
    assert (health.state, health.value, health.kind) == (FeedState.STALE, None, None)
    assert (host.now().value, host.now().level, host.now().kind) == (400, 1, PointKind.FACTOR)
    assert (host.health(1).state, host.health(1).age_ns, host.health(1).value) == (FeedState.FRESH, 0, 400)
    grid.is_out, grid.hours = False, {-1: 100, 4: 130, 5: 140}
    host.run(1)
    assert (host.health().trouble, host.now().value, host.now().level) == ("", 140, 0)


def test_a_restart_in_an_outage_goes_on_with_what_was_known_and_its_age_grows(grid: Grid, tmp_path: Path) -> None:
    grid.hours = {-1: 100, 0: 110}
    before = _host(grid.member(), state_dir=tmp_path)
    before.run()
    before.desk.close()
    grid.is_out = True
    clock = FakeClock(wall_ns=_ns(_NOW + 2 * _HOUR))
    host = _host(grid.member(), clock=clock, state_dir=tmp_path)
    host.desk.load()
    assert host.desk.changes() == {"carbon": [_span(-1, 5)]}
    assert (host.now().value, host.now().held) == (110, True)
    ages = []
    for _ in range(3):
        host.run(1)
        health = host.health()
        ages.append((health.age_ns, health.state))
        assert (health.trouble, health.last_success_wall_ns) == ("server", None)
    since = _NOW - _START + _HOUR  # from the end of the last hour until the restart
    assert ages == [
        (_ns(since + _HOUR), FeedState.LATE),
        (_ns(since + 2 * _HOUR), FeedState.LATE),
        (_ns(since + 3 * _HOUR), FeedState.STALE),
    ]
    assert host.now().value is None


def test_what_is_on_this_host_is_not_kept_on_the_disk(tmp_path: Path) -> None:
    host = _host(_table(), Member(ScriptedProvider(GRID)), Member(ScriptedProvider(GRID), _WEB), state_dir=tmp_path)
    host.run()
    host.desk.close()
    store = FeedStore(tmp_path)
    assert [len(store.points(series, number=number)) for series, number in ((TABLE, 0), (GRID, 0), (GRID, 1))] == [
        0,
        0,
        1,
    ]


def test_a_factor_of_the_web_is_not_kept_on_the_disk(tmp_path: Path) -> None:
    member = Member(ScriptedProvider(answer=Answer((hour(0, 5, PointKind.FACTOR), hour(_ns(_START), 6)))), _WEB)
    host = _host(member, state_dir=tmp_path)
    host.run()
    host.desk.close()
    assert [one.value for one in FeedStore(tmp_path).points(GRID)] == [6]


def test_a_row_that_was_taken_out_of_a_file_is_gone() -> None:
    provider = ScriptedProvider(answer=Answer((hour(_ns(_START - _HOUR), 1), hour(_ns(_START), 2))))
    host = _host(Member(provider))
    host.run()
    provider.answer = Answer((hour(_ns(_START - _HOUR), 1),))
    host.run(1)
    (held,) = host.desk.resolve("carbon", _ns(_START), _ns(_START) + 1)
    assert (held.value, held.held) == (1, True)
    provider.answer = Answer((hour(_ns(_START), 3),), whole=False)
    host.run(1)
    (before,) = host.desk.resolve("carbon", _ns(_START - 1), _ns(_START))
    assert before.value == 1  # an answer that is not all of it takes nothing away


def test_what_the_web_leaves_out_stays(grid: Grid) -> None:
    grid.hours = {-1: 100, 0: 110}
    host = _host(grid.member())
    host.run()
    for hours in ({0: 111}, {}):
        grid.hours = hours
        host.run(1)
    found = host.desk.resolve("carbon", _span(-1, 0).start_wall_ns, _span(0, 1).end_wall_ns)
    assert [one.value for one in found] == [100, 111]
    assert host.health().trouble == "empty"


def test_what_was_got_while_the_clock_was_ahead_is_replaced_by_what_is_got_when_it_is_right(tmp_path: Path) -> None:
    value = 1

    def answer(_web: Web, window: Window) -> Answer:
        now = window.now_wall_ns
        starts = [_ns(_START + _HOUR * number) for number in range(-9, 9)]
        kinds = [PointKind.FORECAST if start > now else PointKind.ACTUAL for start in starts]
        return Answer(tuple(hour(start, value, kind, now) for start, kind in zip(starts, kinds, strict=True)))

    member = Member(ScriptedProvider(answer=answer), _WEB)
    host = _host(member, state_dir=tmp_path)
    host.clock.step_wall(8 * _HOUR)
    host.run()
    host.clock.step_wall(-8 * _HOUR)
    value = 2
    host.run(1.5)
    assert host.now().value == 2
    host.desk.close()
    again = _host(member, clock=host.clock, state_dir=tmp_path)
    again.desk.load()
    again.desk.changes()
    assert again.now().value == 2


def test_equal_series_are_kept_apart_on_the_disk(tmp_path: Path) -> None:
    def member(value: int) -> Member:
        return Member(ScriptedProvider(answer=Answer((hour(_ns(_START), value),))), _WEB)

    host = _host(member(1), member(2), state_dir=tmp_path)
    host.run()
    host.desk.close()
    again = _host(member(1), member(2), state_dir=tmp_path)
    again.desk.load()
    again.desk.changes()
    assert [again.health(level).value for level in (0, 1)] == [1, 2]


def test_a_damaged_cache_costs_no_more_than_the_cache(grid: Grid, tmp_path: Path) -> None:
    (tmp_path / STORE_NAME).write_bytes(b"nonsense" * 1000)
    grid.hours = {0: 110}
    host = _host(grid.member(), state_dir=tmp_path)
    host.desk.load()
    host.run()
    assert host.now().value == 110


def test_a_provider_that_only_forecasts_is_as_old_as_its_issue() -> None:
    issued = _ns(_NOW - 90 * 60)
    points = tuple(hour(_ns(_START + at * _HOUR), 5, PointKind.FORECAST, issued) for at in range(30))
    host = _host(Member(ScriptedProvider(answer=Answer(points)), _WEB))
    host.run()
    assert (host.health().state, host.health().age_ns) == (FeedState.FRESH, _ns(90 * 60))
    host.run(3)
    assert (host.health().state, host.health().kind) == (FeedState.STALE, PointKind.FORECAST)


def test_what_was_never_heard_of_has_no_age() -> None:
    host = _host(Member(ScriptedProvider(answer=FeedError(Trouble.NOT_FOUND, "no such zone")), _WEB))
    host.run()
    health = host.health()
    assert (health.state, health.age_ns, health.value, health.kind) == (FeedState.STALE, None, None, None)
    assert (health.trouble, health.detail, health.errors) == ("not_found", "no such zone", {"not_found": 1})


def test_a_metered_energy_is_not_held_whatever_its_pace_says() -> None:
    meter = Series(Measure.ENERGY, "prometheus", "roof")
    host = _host(Member(ScriptedProvider(meter, answer=Answer((hour(_ns(_START - _HOUR), 3600),))), _WEB))
    host.run()
    found = host.desk.resolve("carbon", _ns(_START - 1800), _ns(_START + 1))
    assert [one.value for one in found] == [1800, None]
    assert host.health().value is None


def test_marginal_is_for_advice_alone() -> None:
    marginal = Series(Measure.INTENSITY, "watttime", "CAISO_NORTH", Caliber(signal=Signal.MARGINAL))
    host = _host(Member(ScriptedProvider(marginal), _WEB))
    host.run()
    with pytest.raises(ValueError, match="enters no account"):
        host.now()
    (found,) = host.desk.resolve_marginal("carbon", host.clock.wall_ns, host.clock.wall_ns + 1)
    assert found.value == host.health().value == 100
    with pytest.raises(ValueError, match="is not marginal"):
        _host(Member(ScriptedProvider(marginal), _WEB), _table())


def test_unlike_measures_make_no_chain() -> None:
    price = Series(Measure.PRICE, "entsoe", "DE", currency="EUR")
    with pytest.raises(ValueError, match="different measures"):
        _host(Member(ScriptedProvider(price), _WEB), _table())


def test_old_values_leave_memory_and_disk(tmp_path: Path) -> None:
    host = _host(Member(ScriptedProvider(pace=replace(PACE, poll_ns=NS_PER_HOUR)), _WEB), state_dir=tmp_path)
    for _ in range(36):
        host.run(24)
    (line,) = host.desk._lines
    assert 10 * 24 <= len(line.track) <= 12 * 24
    host.desk.close()
    oldest = min(one.end_wall_ns for one in FeedStore(tmp_path).points(GRID))
    assert 30 * 24 - 1 <= (host.clock.wall_ns - oldest) / NS_PER_HOUR <= 30 * 24 + 2


@contextmanager
def _running(*members: Member, state_dir: Path | None = None) -> Iterator[FeedDesk]:
    desk = FeedDesk([Chain("carbon", members)], clock=SystemClock(), state_dir=state_dir, chance=lambda: 0.0)
    desk.start()
    try:
        yield desk
    finally:
        desk.close()


def test_the_tick_thread_hears_of_what_the_feeds_thread_learns(tmp_path: Path) -> None:
    found: dict[str, list[Span]] = {}
    with _running(Member(ScriptedProvider(), _WEB), state_dir=tmp_path) as desk:
        until(lambda: bool(found.update(desk.changes()) or found))
        now = time.time_ns()
        assert desk.resolve("carbon", now, now + 1)[0].value == 100
        assert desk.health()[0].trouble == ""
    assert not any(thread.name == "feeds" for thread in threading.enumerate())
    assert len(FeedStore(tmp_path).points(GRID)) == 1


def test_the_tick_thread_never_waits_for_a_provider_that_hangs() -> None:
    release, asked = threading.Event(), threading.Event()

    def hang(_: Web, window: Window) -> Answer:
        asked.set()
        release.wait(20)
        return Answer((hour(window.now_wall_ns, 1),))

    hanging: Provider = ScriptedProvider(answer=hang, pace=Pace(1, 1, 1, 1))
    try:
        with _running(Member(hanging, _WEB)) as desk:
            assert asked.wait(10)
            began = time.monotonic()
            assert desk.changes() == {}
            assert desk.resolve("carbon", 0, 10)[0].value is None
            assert desk.health()[0].age_ns is None
            assert time.monotonic() - began < 0.5
            began = time.monotonic()
        assert time.monotonic() - began < 1.5
    finally:
        release.set()
