"""What a client asks and gets: keep-alive, pipelining, methods, limits of one message."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

import pytest

from tests.exporter.http.client import BIG, PAGE, TEXT, Client, fetch, serving
from wattledger.exporter.http import PageServer


@pytest.fixture(scope="module")
def server() -> Iterator[PageServer]:
    with serving() as running:
        yield running


@pytest.fixture
def client(server: PageServer) -> Iterator[Client]:
    with Client.to(server.port) as connected:
        yield connected


def test_a_page_comes_with_its_exact_type_length_and_body(client: Client) -> None:
    reply = client.get("/metrics")
    assert (reply.status, reply.body) == (200, PAGE)
    assert reply.headers["content-type"] == TEXT
    assert reply.headers["content-length"] == str(len(PAGE))


def test_headers_name_no_version_and_forbid_sniffing(client: Client) -> None:
    headers = client.get("/metrics").headers
    assert headers["server"] == "wattledger"
    assert headers["x-content-type-options"] == "nosniff"
    date = r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT"
    assert re.fullmatch(date, headers["date"])


def test_one_connection_serves_many_requests(client: Client) -> None:
    for number in range(20):
        assert client.get(f"/echo/{number}").body == f"GET /echo/{number}  ".encode()


def test_pipelined_requests_are_answered_in_order(client: Client) -> None:
    count = 500  # about 27 kB: more than the server holds at once
    client.send(b"".join(b"GET /echo/%d HTTP/1.1\r\nHost: test\r\n\r\n" % number for number in range(count)))
    bodies = [client.reply().body for _ in range(count)]
    assert bodies == [b"GET /echo/%d  " % number for number in range(count)]


def test_a_pipelined_request_waits_behind_a_big_body(client: Client) -> None:
    client.send(b"GET /big HTTP/1.1\r\nHost: test\r\n\r\nGET /echo/after HTTP/1.1\r\nHost: test\r\n\r\n")
    assert client.reply().body == BIG
    assert client.reply().body == b"GET /echo/after  "


def test_head_has_the_headers_of_get_and_no_body(client: Client) -> None:
    full, empty = client.get("/metrics"), client.get("/metrics", method="HEAD")
    assert empty.body == b""
    assert {**empty.headers, "date": ""} == {**full.headers, "date": ""}
    assert client.get("/echo/next").body == b"GET /echo/next  "  # no stray body byte in between


def test_http_1_0_is_answered_and_closed(client: Client) -> None:
    client.send(b"GET /metrics HTTP/1.0\r\n\r\n")
    reply = client.reply()
    assert (reply.status, reply.body, reply.headers["connection"]) == (200, PAGE, "close")
    assert client.closed()


def test_connection_close_is_obeyed(client: Client) -> None:
    reply = client.get("/metrics", "Connection: close")
    assert reply.headers["connection"] == "close"
    assert client.closed()


def test_a_client_that_half_closes_after_its_request_is_answered(client: Client) -> None:
    client.send(b"GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n")
    client.sock.shutdown(1)
    assert client.reply().body == PAGE
    assert client.closed()


def test_304_has_no_body_and_keeps_the_connection(client: Client) -> None:
    reply = client.get("/unchanged")
    assert (reply.status, reply.headers["etag"]) == (304, '"1"')
    assert "content-length" not in reply.headers
    assert client.get("/metrics").status == 200


def test_an_upgrade_that_is_not_offered_is_ignored(client: Client) -> None:
    reply = client.get("/metrics", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
    assert reply.status == 200
    assert client.get("/echo/more").status == 200


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/echo/a%20b%C3%A9?x=%20y", "GET /echo/a bé x=%20y "),
        ("http://any.host:1/echo/abs?q", "GET /echo/abs q "),
        ("/echo?a?b", "GET /echo a?b "),
    ],
)
def test_the_path_is_decoded_and_the_query_is_not(client: Client, target: str, expected: str) -> None:
    assert client.get(target).body.decode() == expected


def test_a_repeated_header_is_joined(client: Client) -> None:
    assert client.get("/echo", "X-Test: a", "x-test: b").body == b"GET /echo  a, b"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "BREW"])
def test_other_methods_are_refused_with_the_allowed_ones(client: Client, method: str) -> None:
    reply = client.get("/metrics", method=method)
    assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nhello", 413),
        (b"GET / HTTP/1.1\r\nHost: t\r\nContent-Length: 9999999999\r\nExpect: 100-continue\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nhello", 405),
        (b"GET / HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\nContent-Length: 40\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding : chunked\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: xchunked\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\nHost: t\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: t\r\nContent-Length: +0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: t\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"GET * HTTP/1.1\r\nHost: t\r\n\r\n", 400),
        (b"GET /%zz HTTP/1.1\r\nHost: t\r\n\r\n", 400),
        (b"GET /%ff HTTP/1.1\r\nHost: t\r\n\r\n", 400),
        (b"GET /%00 HTTP/1.1\r\nHost: t\r\n\r\n", 400),
        (b"GET /\x00 HTTP/1.1\r\nHost: t\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"\r\nGET / HTTP/1.1\r\nHost: t\r\n\r\n", 400),
    ],
)
def test_a_bad_request_is_refused_and_the_connection_ends(
    server: PageServer, request_bytes: bytes, status: int
) -> None:
    smuggled = b"GET /echo/smuggled HTTP/1.1\r\nHost: t\r\n\r\n"
    with Client.to(server.port) as client:
        client.send(request_bytes + smuggled)
        reply = client.reply()
        assert reply.status == status
        assert reply.headers["connection"] == "close"
        assert client.closed()  # nothing that followed was taken for a request


@pytest.mark.parametrize("requests_before", [0, 1])
@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /" + b"a" * 20_000, 414),
        (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: t\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: t\r\nX: " + b"a" * 20_000, 431),
        (b"GET / HTTP/1.1\r\nHost: t\r\n" + b"A: b\r\n" * 50_000, 431),
        # Complete, but too long: it must not pass just because it came in one piece.
        (b"GET / HTTP/1.1\r\nHost: t\r\nX: " + b"a" * 17_000 + b"\r\n\r\n", 431),
    ],
)
def test_a_giant_head_is_refused(client: Client, head: bytes, status: int, requests_before: int) -> None:
    for _ in range(requests_before):
        assert client.get().status == 200
    client.send(head)
    assert client.reply().status == status


def test_a_head_just_under_the_limit_is_served(client: Client) -> None:
    frame = len(b"GET /metrics HTTP/1.1\r\nHost: test\r\nX: \r\n\r\n")
    assert client.get("/metrics", "X: " + "a" * (16_384 - frame)).status == 200
    assert client.get("/metrics", "X: " + "a" * (16_384 - frame)).status == 200


def test_a_faulty_page_is_a_500_without_details_and_one_log_line(
    server: PageServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        replies = [fetch(server.port, "/fault") for _ in range(3)]
    assert [reply.status for reply in replies] == [500, 500, 500]
    assert replies[0].body == b"500 Internal Server Error\n"
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 1
    assert re.search(r"error=LookupError at=client.py:\d+ message='secret detail'", lines[0])
    assert server.stats().responder_failures_total >= 3


def test_a_page_with_an_invalid_header_is_a_500_and_splits_no_response(client: Client) -> None:
    reply = client.get("/invalid")
    assert reply.status == 500
    assert "set-cookie" not in reply.headers


def test_requests_are_counted_by_status(server: PageServer) -> None:
    before = server.stats().requests_total.get(404, 0)
    assert fetch(server.port, "/nowhere").status == 404
    assert server.stats().requests_total[404] == before + 1
