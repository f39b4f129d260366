"""Pages of services, read every few seconds by real requests; time is the test's."""

import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.agent.fake_clock import FakeClock
from tests.agent.tokens.page_server import PAGES
from tests.agent.tokens.raw_server import Answer, RawServer, ok, serving
from tests.agent.tokens.running import page_server, until
from wattledger.agent.clock import Clock, SystemClock
from wattledger.agent.tokens.access import Access
from wattledger.agent.tokens.catalogue import load_catalogue
from wattledger.agent.tokens.fetch import Target
from wattledger.agent.tokens.reader import PageReader
from wattledger.agent.tokens.scraper import Owner, Scraper, Source, Status
from wattledger.agent.tokens.tree import ProcessFiles
from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.tokens.model import TokenKind, TokenPage, TokenRead, Withheld
from wattledger.rules.tokens.server import ServerSpec
from wattledger.rules.tokens.spec import Doubling, KnownBad

_INTERVAL_NS = 5 * NS_PER_SECOND
_FILES = ProcessFiles(Path("/proc"))
_CATALOGUE = load_catalogue()


def _page(tokens: int, name: str = "vllm") -> bytes:
    return PAGES[name].format(tokens=tokens).encode()


def _output(page: TokenPage | None) -> float | None:
    if page is None:
        return None
    return sum(count.value for count in page.counts.values() if count.kind is TokenKind.OUTPUT)


@dataclass
class Bench:
    """A scraper whose turns the test makes."""

    scraper: Scraper
    clock: Clock

    def read(self, count: int = 1) -> list[TokenRead]:
        """Have what is due read; give the reads once there are *count*."""
        self.scraper.turn(self.clock.now())
        return self.wait(count)

    def wait(self, count: int) -> list[TokenRead]:
        """Give the next *count* reads."""
        found: list[TokenRead] = []

        def are_there() -> bool:
            found.extend(self.scraper.drain())
            return len(found) >= count and self.scraper.next_ns() is not None

        until(are_there)
        return found

    def one(self) -> TokenRead:
        """Have the only service read."""
        (found,) = self.read()
        return found

    def status(self) -> Status:
        """Give the status of the only service."""
        return self.scraper.status("chat")


@contextmanager
def bench(
    *sources: Source, clock: Clock | None = None, catalogue: tuple[ServerSpec, ...] = _CATALOGUE
) -> Iterator[Bench]:
    """Make a scraper of *sources*."""
    time = clock or FakeClock()
    scraper = Scraper(time, PageReader(catalogue), files=_FILES, interval_ns=_INTERVAL_NS)
    scraper.set_sources(sources)
    yield Bench(scraper, time)
    scraper.close()


def _source(
    port: int, *, name: str = "chat", kind: str = "vllm", owner: Owner | None = None, paths: str = ""
) -> Source:
    access = Access(Target("127.0.0.1", port), f"http://127.0.0.1:{port}")
    return Source(name, access, tuple(paths.split()) or ("/metrics",), kind, owner)


def _owner(pid: int) -> Owner:
    start = _FILES.start_of(pid)
    assert start is not None
    return Owner(pid, start)


def test_a_page_is_read_with_its_process_and_the_start_of_that() -> None:
    with page_server() as server, bench(_source(server.port, owner=_owner(server.pid)), clock=SystemClock()) as made:
        read = made.one()
        assert (read.service, read.problem) == ("chat", None)
        assert _output(read.page) == 10
        assert read.page is not None
        assert (read.page.running, {count.model for count in read.page.counts.values()}) == (1.0, {"tiny"})
        assert read.process == _owner(server.pid).key
        assert read.started is not None
        ago_ns = made.clock.now().mono_ns - read.started.mono_ns
        assert 0 <= ago_ns < 20 * NS_PER_SECOND
        assert abs((read.at.wall_ns - read.started.wall_ns) - (read.at.mono_ns - read.started.mono_ns)) < 1000
        assert made.status().is_up
        assert made.status().peer == ("127.0.0.1", server.port)


def test_the_moment_of_a_read_is_the_middle_of_the_request() -> None:
    clock = FakeClock()

    def answer(sock: socket.socket, _: threading.Event) -> None:
        clock.advance(2)
        sock.sendall(ok(_page(7)))

    with serving(answer) as server, bench(_source(server.port), clock=clock) as made:
        began = clock.now()
        read = made.one()
    assert (read.at.mono_ns - began.mono_ns, read.at.wall_ns - began.wall_ns) == (NS_PER_SECOND, NS_PER_SECOND)


def test_a_page_is_read_every_interval_and_not_before() -> None:
    with serving(ok(_page(7))) as server, bench(_source(server.port)) as made:
        clock = made.clock
        assert isinstance(clock, FakeClock)
        for count in range(1, 4):
            made.one()
            made.scraper.turn(clock.now())
            clock.advance(4.9)
            made.scraper.turn(clock.now())
            assert len(server.requests) == count
            clock.advance(0.1)


def test_a_server_that_fails_is_asked_ever_more_seldom_up_to_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    answers = [b"HTTP/1.1 500 Oops\r\n\r\n"]
    with serving(lambda sock, _: sock.sendall(answers[0])) as server, bench(_source(server.port)) as made:
        clock = made.clock
        assert isinstance(clock, FakeClock)
        pauses = []
        with caplog.at_level("INFO"):
            for _ in range(7):
                before = clock.now().mono_ns
                read = made.one()
                assert (read.page, read.problem, read.detail) == (None, Withheld.UNREACHABLE, "status 500")
                due_ns = made.scraper.next_ns()
                assert due_ns is not None
                pauses.append((due_ns - before) // NS_PER_SECOND)
                clock.mono_ns = due_ns
            answers[0] = ok(_page(7))
            assert made.one().problem is None
        assert pauses == [5, 10, 20, 40, 60, 60, 60]
        due_ns = made.scraper.next_ns()
        assert due_ns == clock.now().mono_ns + _INTERVAL_NS
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "status 500" in caplog.messages[0]


def test_slow_servers_delay_no_other() -> None:
    with serving(lambda _, over: over.wait()) as slow, serving(ok(_page(7))) as quick:
        sources = [_source(slow.port, name=f"slow{index}") for index in range(3)]
        with bench(*sources, _source(quick.port), clock=SystemClock()) as made:
            began = made.clock.now().mono_ns
            made.scraper.turn(made.clock.now())
            found = made.wait(1)
            assert [read.service for read in found] == ["chat"]
            assert made.clock.now().mono_ns - began < NS_PER_SECOND


def test_a_process_that_has_ended_is_said_and_nobody_else_is_asked() -> None:
    with serving(ok(_page(7))) as server:
        with page_server() as other:
            owner = _owner(other.pid)
        with bench(_source(server.port, owner=owner)) as made:
            read = made.one()
            assert (read.page, read.problem, read.detail) == (None, Withheld.UNREACHABLE, "its process has ended")
            assert made.scraper.ended() == [owner]
            assert made.scraper.ended() == []
        assert server.requests == []


def test_a_page_that_comes_while_its_process_ends_is_of_nobody() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:

        def answer(sock: socket.socket, _: threading.Event) -> None:
            child.communicate(b"\n")
            sock.sendall(ok(_page(7)))

        with serving(answer) as server, bench(_source(server.port, owner=_owner(child.pid))) as made:
            assert made.one().page is None


@pytest.mark.parametrize(
    ("answer", "problem", "detail"),
    [
        (ok(b"<!doctype html><p>vllm</p>"), Withheld.NOT_UNDERSTOOD, "no token counters of vllm"),
        (ok(b"\xff\xfe\x00" * 1000), Withheld.NOT_UNDERSTOOD, "no token counters"),
        (ok(_page(7) * 2), Withheld.NOT_UNDERSTOOD, "twice"),
        (b"HTTP/1.0 200 OK\r\n\r\n" + _page(7)[:-40], Withheld.NOT_UNDERSTOOD, "cut off"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n", Withheld.UNREACHABLE, "more than"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\n\r\n", Withheld.UNREACHABLE, "redirects"),
        (ok(b"\x1f\x8b", "Content-Encoding: gzip"), Withheld.UNREACHABLE, "packed"),
        (b"nonsense\r\n\r\n", Withheld.UNREACHABLE, "no HTTP answer"),
    ],
)
def test_a_bad_page_costs_the_one_read(answer: bytes, problem: Withheld, detail: str) -> None:
    with serving(answer) as server, bench(_source(server.port)) as made:
        read = made.one()
    assert (read.page, read.problem) == (None, problem)
    assert detail in read.detail


def test_a_counter_that_is_no_number_is_not_there() -> None:
    page = re.sub(rb"(generation_tokens_total{[^}]*}) \S+", rb"\1 NaN", _page(7))
    with serving(ok(page)) as server, bench(_source(server.port)) as made:
        read = made.one()
    assert read.problem is None
    assert read.page is not None
    assert TokenKind.OUTPUT not in {count.kind for count in read.page.counts.values()}
    assert read.page.counts


def _by_path(answers: dict[str, bytes]) -> Iterator[RawServer]:
    """Answer by the path of the request."""
    made: list[RawServer] = []

    def answer(sock: socket.socket, _: threading.Event) -> None:
        path = made[0].requests[-1].split()[1].decode()
        sock.sendall(answers.get(path, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"))

    with serving(answer) as server:
        made.append(server)
        yield server


by_path = contextmanager(_by_path)


def test_a_model_that_no_label_names_is_asked_for_once_a_process() -> None:
    answers = {"/metrics": ok(_page(7, "llamacpp")), "/v1/models": ok(b'{"data": [{"id": "/models/tiny.gguf"}]}')}
    with by_path(answers) as server, bench(_source(server.port, kind="llamacpp")) as made:
        clock = made.clock
        assert isinstance(clock, FakeClock)
        for _ in range(3):
            read = made.one()
            assert read.page is not None
            assert {count.model for count in read.page.counts.values()} == {"tiny.gguf"}
            clock.advance(5)
        asked = [request.split()[1] for request in server.requests]
        assert asked.count(b"/v1/models") == 1
        made.scraper.set_sources([replace(_source_of(made), owner=_owner(os.getpid()))])
        made.one()
        assert [request.split()[1] for request in server.requests].count(b"/v1/models") == 2


def _source_of(made: Bench) -> Source:
    return made.scraper._desks["chat"].source


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b'{"data": []}',
        b'{"data": [{"id": 7}]}',
        b'{"data": [{"id": "/"}]}',
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_a_list_of_models_that_tells_none_is_waited_for_and_then_done_without(content: bytes) -> None:
    answers = {"/metrics": ok(_page(7, "llamacpp")), "/v1/models": ok(content)}
    with by_path(answers) as server, bench(_source(server.port, kind="llamacpp")) as made:
        clock = made.clock
        assert isinstance(clock, FakeClock)
        for _ in range(2):
            assert made.one().page is None
            clock.advance(60)
        read = made.one()
        assert read.page is not None
        assert {count.model for count in read.page.counts.values()} == {""}


def test_a_name_of_a_model_is_cut_and_printable() -> None:
    name = "a/" + "b\\u0000\\n\\u202e" + "c" * 300
    answers = {"/metrics": ok(_page(7, "llamacpp")), "/v1/models": ok(f'{{"data": [{{"id": "{name}"}}]}}'.encode())}
    with by_path(answers) as server, bench(_source(server.port, kind="llamacpp")) as made:
        read = made.one()
    assert read.page is not None
    assert {count.model for count in read.page.counts.values()} == {"b" + "c" * 199}


def test_path_and_server_are_found_where_they_are_not_told() -> None:
    answers = {"/prometheus/metrics": ok(_page(7))}
    paths = "/metrics /v1/metrics /prometheus/metrics"
    with by_path(answers) as server, bench(_source(server.port, kind="", paths=paths)) as made:
        assert _output(made.one().page) == 7
        status = made.status()
        assert status.spec is not None
        assert status.spec.key == "vllm"
        answers["/metrics"] = ok(_page(8, "llamacpp"))
        answers["/v1/models"] = ok(b'{"data": [{"id": "m"}]}')
        del answers["/prometheus/metrics"]  # another server took its place
        clock = made.clock
        assert isinstance(clock, FakeClock)
        clock.advance(5)
        assert made.one().page is None
        clock.advance(60)
        assert _output(made.one().page) == 8


def test_a_kind_that_is_not_known_is_said_with_those_that_are() -> None:
    with serving(ok(_page(7))) as server, bench(_source(server.port, kind="vlllm")) as made:
        read = made.one()
    assert read.problem is Withheld.NOT_UNDERSTOOD
    assert "'vlllm' is not known; write one of" in read.detail
    assert "sglang" in read.detail


def test_a_version_whose_counters_are_wrong_is_told_with_its_page() -> None:
    names = (re.compile(f"vllm:{name}_tokens_total") for name in ("generation", "prompt", "prompt"))
    bad = KnownBad("counts twice", doubling=Doubling(*names))
    spec = next(spec for spec in _CATALOGUE if spec.key == "vllm")
    page = re.sub(rb"(vllm:prompt_tokens_total{[^}]*}) \S+", rb"\1 5000", _page(10_000))
    with (
        serving(ok(page)) as server,
        bench(_source(server.port), catalogue=(replace(spec, known_bad=(bad,)),)) as made,
    ):
        read = made.one()
    assert (read.problem, read.detail) == (Withheld.KNOWN_BAD, "counts twice")
    assert read.page is not None


def test_a_page_that_is_dear_to_read_is_read_more_seldom() -> None:
    lines = b"".join(b'vllm:generation_tokens_total{model_name="m",i="%d"} 1\n' % number for number in range(19_000))
    with serving(ok(lines)) as server, bench(_source(server.port)) as made:
        before = made.clock.now().mono_ns
        assert made.one().page is not None
        due_ns = made.scraper.next_ns()
    assert due_ns is not None
    assert due_ns > before + _INTERVAL_NS


def test_what_is_no_longer_wanted_is_read_no_more() -> None:
    gate = threading.Event()

    def answer(sock: socket.socket, _: threading.Event) -> None:
        gate.wait(10)
        sock.sendall(ok(_page(7)))

    with serving(answer) as server, serving(ok(_page(8))) as other, bench(_source(server.port)) as made:
        made.scraper.turn(made.clock.now())
        until(lambda: len(server.requests) == 1)
        made.scraper.set_sources([_source(other.port, name="else")])
        gate.set()
        assert [read.service for read in made.read()] == ["else"]
        assert made.status() == Status()


_SILENT: Answer = lambda _, over: over.wait()  # noqa: E731  (an answer is one call)


def test_close_ends_what_waits(capfd: pytest.CaptureFixture[str]) -> None:
    with serving(_SILENT) as server, bench(*(_source(server.port, name=f"s{index}") for index in range(8))) as made:
        made.scraper.turn(made.clock.now())
        until(lambda: len(server.requests) == 4)  # no more at a time
        made.scraper.close()
        assert made.scraper.next_ns() is None
    assert capfd.readouterr().err == ""
