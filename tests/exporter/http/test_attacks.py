"""What hostile and broken clients do: hold, drip, flood, stall, reset. The others must not notice."""

from __future__ import annotations

import resource
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.exporter.http.client import BIG, PAGE, Client, fetch, serving, until
from wattledger.exporter.http import Limits, Request, Response

HALF = b"GET /metrics HTTP/1.1\r\nHost: test\r\nX-Half: "
QUICK = Limits(request_seconds=0.3, idle_seconds=0.3, write_seconds=0.3, unhurried_seconds=0.2, linger_seconds=0.3)
SLOW_SCRAPE_SECONDS = 1.0  # what a scrape may take at most; ten times what it takes on a busy machine


@contextmanager
def crowd(port: int, count: int, first: bytes) -> Iterator[list[Client]]:
    """Hold *count* connections that have sent *first*."""
    with ExitStack() as stack:
        clients = []
        for _ in range(count):
            client = stack.enter_context(Client.to(port))
            client.send(first)
            clients.append(client)
        yield clients


def timed(call: Callable[[], object]) -> float:
    start = time.monotonic()
    call()
    return time.monotonic() - start


def thread_cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


@pytest.mark.parametrize("sent", [b"", b"G", HALF])
def test_an_unfinished_request_ends_at_the_deadline(sent: bytes) -> None:
    with serving(limits=QUICK) as server, Client.to(server.port) as client:
        client.send(sent)
        end = client.rest()  # 408 to those who began, silence to those who did not
        assert end.startswith(b"HTTP/1.1 408 ") if sent else end == b""
        assert server.stats().timed_out_total == (1 if sent else 0)


def test_one_byte_at_a_time_does_not_extend_the_deadline() -> None:
    with serving(limits=QUICK) as server:
        start = time.monotonic()  # before the connection, with which the deadline begins
        with Client.to(server.port) as client:
            client.sock.settimeout(0.02)
            answer = b""
            while not answer:
                try:
                    client.send(b"a")
                    answer = client.sock.recv(100)
                except TimeoutError:
                    assert time.monotonic() - start < 5, "the drip held the connection"
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert time.monotonic() - start >= 0.3


def test_the_first_byte_does_not_extend_the_deadline_that_began_with_the_connection() -> None:
    with serving(limits=Limits(request_seconds=1.0)) as server:
        start = time.monotonic()
        with Client.to(server.port, seconds=0.7) as client:
            with pytest.raises(TimeoutError):
                client.sock.recv(1)
            client.send(b"G")
            client.sock.settimeout(10)
            assert client.reply().status == 408
            assert time.monotonic() - start < 1.6


def test_the_second_request_has_its_own_deadline() -> None:
    with serving(limits=QUICK) as server, Client.to(server.port) as client:
        assert client.get().status == 200
        client.send(HALF)
        assert client.reply().status == 408


def test_an_idle_connection_ends_quietly() -> None:
    with serving(limits=QUICK) as server, Client.to(server.port) as client:
        assert client.get().status == 200
        assert client.closed()
        assert server.stats().timed_out_total == 0


def test_400_half_open_connections_lock_nobody_out_and_cost_little() -> None:
    with serving() as server, crowd(server.port, 400, HALF):
        until(lambda: server.stats().connections_total == 400)
        assert server.stats().connections_open <= 128
        assert timed(lambda: fetch(server.port)) < SLOW_SCRAPE_SECONDS
        stats = server.stats()
        assert stats.evicted_total >= 400 + 1 - 128
        assert stats.refused_total == 0
        # Nothing turns while they only hold: a spinning loop would use a whole core.
        start, cpu = time.monotonic(), thread_cpu_seconds()
        with Client.to(server.port) as waiter:
            waiter.sock.settimeout(0.5)
            with pytest.raises(TimeoutError):
                waiter.sock.recv(1)
        assert (thread_cpu_seconds() - cpu) / (time.monotonic() - start) < 0.2


def test_a_scraper_with_a_kept_connection_survives_the_flood() -> None:
    with serving(limits=Limits(connections=16)) as server, Client.to(server.port) as scraper:
        assert scraper.get().status == 200
        with crowd(server.port, 200, HALF):
            assert scraper.get().status == 200


def test_idle_known_clients_give_way_to_a_new_one_oldest_first() -> None:
    with serving(limits=Limits(connections=2)) as server, ExitStack() as stack:
        first, second = (stack.enter_context(Client.to(server.port)) for _ in range(2))
        assert first.get().status == 200
        assert second.get().status == 200
        assert fetch(server.port).status == 200
        assert first.closed()
        assert second.get().status == 200


def test_a_full_house_of_busy_clients_refuses_the_newest_with_retry_after() -> None:
    limits = Limits(connections=2, unhurried_seconds=30)
    with serving(limits=limits) as server, ExitStack() as stack:
        for _ in range(2):
            reader = stack.enter_context(Client.to(server.port, receive_bytes=4096))
            reader.send(b"GET /big HTTP/1.1\r\nHost: test\r\n\r\n")
        until(lambda: server.stats().requests_total.get(200) == 2)
        newest = stack.enter_context(Client.to(server.port))
        reply = newest.reply()
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
        assert newest.closed()
        assert server.stats().refused_total == 1


def test_too_many_requests_in_flight_are_refused_until_slow_readers_give_way() -> None:
    limits = Limits(requests_in_flight=2, unhurried_seconds=0.5)
    with serving(limits=limits) as server, ExitStack() as stack:
        for _ in range(2):
            reader = stack.enter_context(Client.to(server.port, receive_bytes=4096))
            reader.send(b"GET /big HTTP/1.1\r\nHost: test\r\n\r\n")
        until(lambda: server.stats().requests_total.get(200) == 2)
        stack.enter_context(Client.to(server.port)).send(HALF)  # its place would help nobody
        assert fetch(server.port).status == 503
        until(lambda: fetch(server.port).status == 200)


def test_a_slow_reader_of_a_big_body_blocks_nobody_and_ends_at_the_deadline() -> None:
    limits = Limits(write_seconds=1.0)
    with serving(limits=limits) as server, Client.to(server.port, receive_bytes=4096) as slow:
        slow.send(b"GET /big HTTP/1.1\r\nHost: test\r\n\r\n")
        until(lambda: server.stats().requests_total.get(200) == 1)
        assert timed(lambda: fetch(server.port)) < SLOW_SCRAPE_SECONDS
        until(lambda: server.stats().timed_out_total == 1)
        until(lambda: server.stats().connections_open == 0)
        with pytest.raises((EOFError, ConnectionResetError)):
            slow.reply()


def test_a_reader_that_is_slow_but_steady_gets_every_byte() -> None:
    with serving() as server, Client.to(server.port, receive_bytes=131_072) as slow:
        slow.send(b"GET /big HTTP/1.1\r\nHost: test\r\n\r\n")
        assert slow.reply().body == BIG


def test_abrupt_resets_leave_nothing_behind_and_nothing_to_log(caplog: pytest.LogCaptureFixture) -> None:
    reset = struct.pack("ii", 1, 0)
    with serving() as server:
        for first in (b"", HALF, b"GET /big HTTP/1.1\r\nHost: test\r\n\r\n") * 20:
            with Client.to(server.port) as client:
                client.send(first)
                client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        until(lambda: server.stats().connections_open == 0)
        assert fetch(server.port).body == PAGE
    assert caplog.records == []


def test_an_answer_reaches_a_client_that_was_still_sending() -> None:
    body = b"x" * 500_000
    with serving() as server, Client.to(server.port) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: t\r\nContent-Length: 500000\r\n\r\n" + body)
        assert client.reply().status == 413
        assert client.closed()


def test_a_client_that_never_stops_sending_is_cut_off() -> None:
    with serving() as server, Client.to(server.port) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: t\r\nContent-Length: 999999999\r\n\r\n")
        with pytest.raises((BrokenPipeError, ConnectionResetError)):  # noqa: PT012  (any of them may be cut)
            for _ in range(10_000):
                client.send(b"x" * 65_536)


def test_closing_takes_less_than_a_second_with_every_kind_of_client_connected() -> None:
    with serving() as server, ExitStack() as stack:
        for first in (
            b"",
            HALF,
            b"GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n",
            b"GET /big HTTP/1.1\r\nHost: t\r\n\r\n",
        ):
            stack.enter_context(Client.to(server.port, receive_bytes=4096)).send(first)
        until(lambda: server.stats().requests_total.get(200) == 2)
        assert timed(server.close) < 1.0
        assert not server.alive
        with pytest.raises(ConnectionRefusedError):
            fetch(server.port)
        server.close()


def test_a_defect_met_by_one_client_does_not_end_the_service(caplog: pytest.LogCaptureFixture) -> None:
    def defective(request: Request) -> Response:
        return Response(200, "text/plain", b"" if request.path == "/" else 5)  # type: ignore[arg-type]  # the defect

    with serving(defective) as server:
        with Client.to(server.port) as client:
            client.send(b"GET /defect HTTP/1.1\r\nHost: t\r\n\r\n")
            assert client.closed()
        assert fetch(server.port, "/").status == 200
    assert [record.getMessage() for record in caplog.records] == ["http connection=dropped error=TypeError"]
