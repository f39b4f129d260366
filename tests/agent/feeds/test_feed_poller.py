"""Who is asked when, what a failure of one costs the others, and what the log says: one line per change."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.agent.fake_clock import FakeClock
from tests.agent.feeds import feed_server
from tests.agent.feeds.scripted_provider import GRID, PACE, LinesProvider, ScriptedProvider, hour
from tests.agent.tokens.raw_server import serving
from tests.agent.tokens.running import until
from tests.exporter.delivery.manual_clock import ManualClock
from wattledger.agent.clock import Clock, SystemClock
from wattledger.agent.feeds.base import Answer, FeedError, Provider, Skipped, Trouble, Web, Window
from wattledger.agent.feeds.poller import Member, Poller
from wattledger.agent.feeds.record import Status
from wattledger.agent.feeds.web import WebSession
from wattledger.rules.feeds.model import Point
from wattledger.rules.instant import NS_PER_SECOND

_MINUTE = 60.0


class Stage:
    """A poller of some providers, whose clock goes on when told."""

    def __init__(self, *providers: Provider, chance: float = 0.0, web: Web | None = None) -> None:
        self.clock = FakeClock()
        self.delivered: list[tuple[int, Answer]] = []
        self.poller = Poller(
            self.clock,
            [Member(provider, web) for provider in providers],
            lambda index, _, answer: self.delivered.append((index, answer)),
            chance=lambda: chance,
        )
        self._next_ns = self.clock.mono_ns

    def run(self, minutes: float) -> None:
        """Let so much time go by, and do what is due in it."""
        end_ns = self.clock.mono_ns + round(minutes * _MINUTE * NS_PER_SECOND)
        while True:
            next_ns = self.poller.turn()
            if next_ns > end_ns:
                break
            self.clock.advance_ns(next_ns - self.clock.mono_ns)
        self.clock.advance_ns(end_ns - self.clock.mono_ns)

    def status(self, index: int = 0) -> Status:
        """Give how it goes with one."""
        return self.poller.statuses()[index]


def _asked_minutes(provider: ScriptedProvider) -> list[float]:
    first = FakeClock().wall_ns
    return [round((window.now_wall_ns - first) / NS_PER_SECOND / _MINUTE, 2) for window in provider.windows]


def test_each_is_asked_at_its_own_pace() -> None:
    quick, slow = ScriptedProvider(), ScriptedProvider(pace=replace(PACE, poll_ns=3 * PACE.poll_ns))
    stage = Stage(quick, slow, chance=0.5)
    stage.run(40)
    assert _asked_minutes(quick) == [0.04, 10.04, 20.04, 30.04]
    assert _asked_minutes(slow) == [0.04, 30.04]
    assert [index for index, _ in stage.delivered].count(0) == 4


def test_without_providers_there_is_nothing_to_do() -> None:
    stage = Stage()
    stage.run(600)
    stage.poller.start()
    assert stage.poller.statuses() == ()
    assert stage.poller.close()


def test_what_one_fails_at_costs_the_others_nothing() -> None:
    broken, sound = ScriptedProvider(answer=FeedError(Trouble.TIMEOUT, "slow")), ScriptedProvider()
    stage = Stage(broken, sound)
    stage.run(20)
    assert len(sound.windows) == 3
    assert (stage.status(0).trouble, stage.status(1).trouble) == (Trouble.TIMEOUT, None)
    assert stage.status(0).errors == {Trouble.TIMEOUT: len(broken.windows)}
    assert {index for index, _ in stage.delivered} == {1}


def test_a_defect_is_traced_once_and_costs_the_others_nothing(caplog: pytest.LogCaptureFixture) -> None:
    broken, sound = ScriptedProvider(answer=KeyError("surprise")), ScriptedProvider()
    stage = Stage(broken, sound)
    stage.run(5)
    assert len(broken.windows) > 2
    assert [record.exc_info is not None for record in caplog.records] == [True, False]
    assert stage.status(0).trouble is Trouble.INVALID
    assert "a defect of its code (KeyError)" in stage.status(0).detail
    assert stage.status(1).trouble is None


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [(Answer(()), Trouble.EMPTY), (Answer((Point(5, 5, 1),)), Trouble.INVALID)],
)
def test_an_answer_that_nobody_can_use_is_a_failure(answer: Answer, trouble: Trouble) -> None:
    stage = Stage(ScriptedProvider(answer=answer))
    stage.run(0)
    assert stage.status().trouble is trouble
    assert stage.delivered == []


def test_a_provider_of_this_host_gets_no_web() -> None:
    provider = ScriptedProvider(answer=lambda web, _: Answer((hour(0, len(web.get("http://x/").body)),)))
    stage = Stage(provider)
    stage.run(0)
    assert stage.status().trouble is Trouble.INVALID
    assert "asks no web" in stage.status().detail


def test_the_log_has_one_line_for_each_change(caplog: pytest.LogCaptureFixture) -> None:
    provider = ScriptedProvider()
    stage = Stage(provider)
    with caplog.at_level(logging.INFO):
        for answer in (FeedError(Trouble.TIMEOUT, 'a\n "b"'), FeedError(Trouble.SERVER, "status 500"), None):
            provider.answer = answer
            stage.run(10)
    assert [record.getMessage() for record in caplog.records] == [
        "feed provider=gb zone=GB measure=intensity trouble=timeout detail=\"a 'b'\"",
        'feed provider=gb zone=GB measure=intensity trouble=server detail="status 500"',
        "feed provider=gb zone=GB measure=intensity trouble=over failing_s=1230",
    ]
    assert (stage.status().trouble, stage.status().detail) == (None, "")
    assert set(stage.status().errors) == {Trouble.TIMEOUT, Trouble.SERVER}


def test_what_was_left_out_is_added_up_and_warnings_are_those_of_the_last_answer() -> None:
    provider = ScriptedProvider(answer=Answer((hour(0, 1),), {Skipped.NULL: 2}, ("x" * 999, *"abcdef")))
    stage = Stage(provider)
    stage.run(10)
    assert stage.status().skipped == {Skipped.NULL: 4}
    assert stage.status().warnings == ("x" * 200, "a", "b", "c", "d")
    provider.answer = None
    stage.run(10)
    assert (stage.status().skipped, stage.status().warnings) == ({Skipped.NULL: 4}, ())


def test_a_refusal_of_one_pauses_all_of_its_credential_and_then_one_tries() -> None:
    refused = FeedError(Trouble.UNAUTHORIZED, "status 401")
    first, second, other = (ScriptedProvider(credential=name, answer=refused) for name in ("a", "a", "b"))
    other.answer = None
    stage = Stage(first, second, other)
    stage.run(14)
    assert (len(first.windows), len(second.windows)) == (1, 0)
    assert _asked_minutes(other) == [0, 9]  # at 0.9 of its pace
    assert stage.status(1).trouble is Trouble.UNAUTHORIZED
    assert stage.status(1).detail == "waits with another feed of the same credential: status 401"
    stage.run(2)
    assert len(first.windows) + len(second.windows) == 2  # one of them alone
    first.answer = second.answer = None
    stage.run(15)
    assert (stage.status(0).trouble, stage.status(1).trouble) == (None, None)
    assert {0, 1} <= {index for index, _ in stage.delivered}


def test_without_a_credential_a_refusal_is_each_ones_own() -> None:
    refused = FeedError(Trouble.UNAUTHORIZED, "status 403")
    first, second = ScriptedProvider(answer=refused), ScriptedProvider()
    Stage(first, second).run(10)
    assert (len(first.windows), len(second.windows)) == (1, 2)


def test_other_trouble_does_not_pause_the_credential() -> None:
    first = ScriptedProvider(credential="a", answer=FeedError(Trouble.SERVER, "status 500"))
    second = ScriptedProvider(credential="a")
    Stage(first, second).run(10)
    assert len(second.windows) == 2


@pytest.mark.parametrize("header", ["3600", "Thu, 09 Oct 2025 09:53:20 GMT"])
def test_a_real_server_that_says_when_to_come_again_is_left_alone_until_then(header: str) -> None:
    replies = iter([feed_server.Reply(b"slow down", 429, {"Retry-After": header})])
    fine = feed_server.Reply("0 3600 100 actual")
    with feed_server.serving(lambda _: next(replies, fine)) as server:
        web = WebSession(FakeClock(), {})
        providers = [LinesProvider(f"{server.url}/{name}", credential="shared") for name in "ab"]
        stage = Stage(*providers, web=web)
        stage.run(59)
        assert len(server.asked) == 1
        assert [status.trouble for status in stage.poller.statuses()] == [Trouble.THROTTLED] * 2
        stage.run(1)
        assert [asked.path for asked in server.asked] == ["/a", "/a", "/b"]
        assert [status.trouble for status in stage.poller.statuses()] == [None, None]


def test_a_real_server_that_fails_in_every_way_is_told_by_its_kind() -> None:
    def answer(asked: feed_server.Asked) -> feed_server.Reply:
        status = int(asked.path[1:])
        return feed_server.Reply(b"<html>not a line</html>", status, {"Location": "/200"} if status == 301 else {})

    kinds = {
        200: Trouble.INVALID,
        301: Trouble.INVALID,
        401: Trouble.UNAUTHORIZED,
        403: Trouble.UNAUTHORIZED,
        404: Trouble.NOT_FOUND,
        429: Trouble.THROTTLED,
        500: Trouble.SERVER,
    }
    with feed_server.serving(answer) as server:
        stage = Stage(*(LinesProvider(f"{server.url}/{status}") for status in kinds), web=WebSession(FakeClock(), {}))
        stage.run(0)
        assert len(server.asked) == len(kinds)
    assert [status.trouble for status in stage.poller.statuses()] == list(kinds.values())
    stage.run(2)
    assert {status.trouble for status in stage.poller.statuses()} > {Trouble.UNREACHABLE}


def _thread(clock: Clock, provider: Provider, deliver: Callable[[], None], web: Web | None = None) -> Poller:
    poller = Poller(clock, [Member(provider, web)], lambda *_: deliver(), chance=lambda: 0.0)
    poller.start()
    return poller


def test_the_thread_asks_when_it_is_time() -> None:
    clock, provider, delivered = ManualClock(), ScriptedProvider(), threading.Semaphore(0)
    poller = _thread(clock, provider, delivered.release)
    for _ in range(3):
        assert delivered.acquire(timeout=10)
        until(lambda: clock.sleepers() == [540])
        clock.advance(540)
    assert poller.close()
    assert not any(thread.name == "feeds" for thread in threading.enumerate())


def test_a_thread_whose_hand_over_fails_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    clock, provider = ManualClock(), ScriptedProvider()

    def fail() -> None:
        raise OSError("no")

    poller = _thread(clock, provider, fail)
    for number in range(1, 4):
        until(lambda number=number: len(provider.windows) == number and bool(clock.sleepers()))  # type: ignore[misc]
        clock.advance(600)
    assert poller.close()
    assert sum(record.exc_info is not None for record in caplog.records) == 1


def test_closing_takes_no_longer_than_a_second_though_a_request_hangs() -> None:
    delivered: list[int] = []
    with serving(lambda _, over: over.wait()) as server:
        web = WebSession(SystemClock(), {}, timeout_ns=3 * NS_PER_SECOND)
        url = f"http://127.0.0.1:{server.port}/"
        poller = _thread(SystemClock(), LinesProvider(url), lambda: delivered.append(1), web)
        until(lambda: bool(server.requests))
        began = time.monotonic()
        assert not poller.close()
        assert time.monotonic() - began < 1.5
        assert [thread.daemon for thread in threading.enumerate() if thread.name == "feeds"] == [True]
    until(lambda: not any(thread.name == "feeds" for thread in threading.enumerate()))
    assert delivered == []


def test_what_comes_after_closing_is_not_handed_on() -> None:
    release = threading.Event()

    def wait(_: Web, window: Window) -> Answer:
        release.wait(10)
        return Answer((hour(window.now_wall_ns, 1),))

    provider, delivered = ScriptedProvider(answer=wait), threading.Event()
    poller = _thread(SystemClock(), provider, delivered.set)
    until(lambda: bool(provider.windows))
    assert not poller.close()
    release.set()
    until(poller.close)
    assert not delivered.is_set()


def test_series_of_equal_providers_are_told_apart_by_their_place() -> None:
    stage = Stage(ScriptedProvider(GRID), ScriptedProvider(GRID))
    stage.run(0)
    assert [index for index, _ in stage.delivered] == [0, 1]
