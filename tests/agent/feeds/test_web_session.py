"""HTTP for providers against real servers that answer well, badly, slowly or never: what it costs is bounded."""

import gzip
import logging
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
import zlib
from pathlib import Path

import pytest

from tests.agent.fake_clock import FakeClock
from tests.agent.feeds import feed_server
from tests.agent.tokens.raw_server import Answer, ok, serving
from wattledger.agent.feeds.base import FeedError, Trouble
from wattledger.agent.feeds.web import WebSession, retry_after_ns
from wattledger.rules.instant import NS_PER_SECOND

_MEBIBYTE = 1 << 20
_DAY_NS = 86_400 * NS_PER_SECOND
_WALL_NS = 1_760_000_000 * NS_PER_SECOND  # Thu, 09 Oct 2025 08:53:20 GMT


def _session(seconds: float = 5, *, body_bytes: int = 16 * _MEBIBYTE) -> WebSession:
    timeout_ns = round(seconds * NS_PER_SECOND)
    return WebSession(FakeClock(wall_ns=_WALL_NS), {}, timeout_ns=timeout_ns, body_bytes=body_bytes)


def _refused(answer: Answer | bytes, *, seconds: float = 5, body_bytes: int = 16 * _MEBIBYTE) -> FeedError:
    with serving(answer) as server, pytest.raises(FeedError) as caught:
        _session(seconds, body_bytes=body_bytes).get(f"http://127.0.0.1:{server.port}/v3")
    return caught.value


def _status(line: str, *headers: str, body: bytes = b"") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {line}", f"Content-Length: {len(body)}", *headers, "", ""]).encode() + body


def test_a_get_carries_query_headers_login_and_who_asks() -> None:
    with serving(ok(b"{}", "Content-Type: application/json")) as server:
        answer = _session().get(
            f"http://127.0.0.1:{server.port}/v3/x?fixed=1",
            query=[("data[0]", "a b&c"), ("start", "2026-10-01T00:00+08:00")],
            headers={"auth-token": "t0ken"},
            basic=("me", "pässword"),
        )
    assert (answer.body, answer.headers["content-type"], answer.unchanged) == (b"{}", "application/json", False)
    head = server.requests[0].decode()
    assert head.startswith("GET /v3/x?fixed=1&data%5B0%5D=a%20b%26c&start=2026-10-01T00%3A00%2B08%3A00 HTTP/1.1\r\n")
    for line in (
        f"Host: 127.0.0.1:{server.port}",
        "User-Agent: wattledger/",
        "Accept-Encoding: gzip, deflate",
        "auth-token: t0ken",
        "Authorization: Basic bWU6cMOkc3N3b3Jk",
    ):
        assert f"\r\n{line}" in head


def test_a_post_carries_its_body() -> None:
    with feed_server.serving(feed_server.Reply(b"1")) as server:
        reply = _session().post(f"{server.url}/query", b"query=up", content_type="text/x-expression")
    (asked,) = server.asked
    assert (reply.body, asked.method, asked.body) == (b"1", "POST", b"query=up")
    assert asked.headers["content-type"] == "text/x-expression"


@pytest.mark.parametrize(
    ("answer", "trouble", "said"),
    [
        (_status("401 Unauthorized", body=b'{"x":"bad key"}'), Trouble.UNAUTHORIZED, "status 401: {'x':'bad key'}"),
        (_status("403 Forbidden"), Trouble.UNAUTHORIZED, "status 403"),
        (_status("404 Not Found"), Trouble.NOT_FOUND, "status 404; check zone and url"),
        (_status("429 Slow Down"), Trouble.THROTTLED, "status 429"),
        (_status("500 Oops"), Trouble.SERVER, "status 500"),
        (_status("503 Later"), Trouble.SERVER, "status 503"),
        (_status("400 Bad Request", body=b"no such\n\tzone"), Trouble.INVALID, "status 400: no such zone"),
        (_status("410 Gone", body=b"closed for good"), Trouble.INVALID, "status 410: closed for good"),
        (_status("206 Partial Content", body=b"x"), Trouble.INVALID, "status 206"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", Trouble.INVALID, "speaks no HTTP"),
        (bytes(range(256)) * 10, Trouble.INVALID, "speaks no HTTP"),
        (b"", Trouble.UNREACHABLE, "ended without an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", Trouble.INVALID, "cut off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nabc", Trouble.INVALID, "cut off"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 100_000, Trouble.INVALID, "speaks no HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", Trouble.INVALID, "speaks no HTTP"),
    ],
)  # fmt: skip
def test_what_went_wrong_is_told_by_its_kind(answer: bytes, trouble: Trouble, said: str) -> None:
    error = _refused(answer)
    assert error.trouble is trouble
    assert said in error.detail
    assert error.detail.startswith("http://127.0.0.1:")


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
def test_a_redirect_is_not_followed(status: str) -> None:
    with serving(ok(b"never")) as elsewhere:
        place = f"http://127.0.0.1:{elsewhere.port}/there"
        error = _refused(_status(status, f"Location: {place}?key=secret"))
        assert error.trouble is Trouble.INVALID
        assert f"redirects are not followed (to {place})" in error.detail
        assert elsewhere.requests == []


@pytest.mark.parametrize(
    ("line", "header", "seconds"),
    [
        ("429 Slow Down", "Retry-After: 120", 120),
        ("429 Slow Down", "Retry-After: Thu, 09 Oct 2025 08:55:20 GMT", 120),
        ("503 Later", "Retry-After: 7", 7),
        ("429 Slow Down", "Retry-After: 99999999999999999999", 86_400),
        ("429 Slow Down", "Retry-After: soon", None),
        ("429 Slow Down", "X: y", None),
    ],
)
def test_when_to_come_again_is_heard(line: str, header: str, seconds: int | None) -> None:
    error = _refused(_status(line, header))
    assert error.retry_after_ns == (None if seconds is None else seconds * NS_PER_SECOND)


@pytest.mark.parametrize(
    ("text", "pause_ns"),
    [
        ("Thursday, 09-Oct-25 08:53:21 GMT", NS_PER_SECOND),
        ("Thu Oct  9 08:53:21 2025", NS_PER_SECOND),
        ("Thu, 09 Oct 2025 07:00:00 GMT", 0),
        ("Thu, 09 Oct 2125 07:00:00 GMT", _DAY_NS),
        ("Thu, 09 Oct 9999999999 07:00:00 GMT", None),
        ("-5", None),
        ("½", None),
        ("", None),
    ],
)
def test_a_pause_is_at_most_a_day_and_never_negative(text: str, pause_ns: int | None) -> None:
    assert retry_after_ns(text, _WALL_NS) == pause_ns


def test_no_secret_is_in_what_an_error_says(caplog: pytest.LogCaptureFixture) -> None:
    def repeat(sock: socket.socket, _: threading.Event) -> None:
        said = b"bad: k3y-in-query t0ken p4ss:/word bWU6cDRzczovd29yZA== k3y-in-url s3cr3t/x s3cr3t\\/x"
        sock.sendall(_status("400 Bad Request", body=said))

    with serving(repeat) as server, caplog.at_level(logging.DEBUG), pytest.raises(FeedError) as caught:
        _session().get(
            f"http://127.0.0.1:{server.port}/v3?key=k3y-in-url",
            query=[("api_key", "k3y-in-query"), ("zone", "DE"), ("more", "s3cr3t/x")],
            headers={"Auth": "Bearer t0ken"},
            basic=("me", "p4ss:/word"),
        )
    detail = caught.value.detail
    assert detail == f"http://127.0.0.1:{server.port}/v3: status 400: bad: *** *** *** *** *** *** ***"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert "k3y" not in caplog.text
    assert "t0ken" not in caplog.text


@pytest.mark.parametrize("token", ["evil\r\nX: y", "späť"])
def test_a_token_that_no_header_may_have_is_refused_and_not_shown(token: str) -> None:
    with serving(ok(b"")) as server, pytest.raises(FeedError, match="cannot be written as HTTP") as caught:
        _session().get(f"http://127.0.0.1:{server.port}/", headers={"auth-token": token})
    assert token not in str(caught.value)
    assert caught.value.trouble is Trouble.INVALID


@pytest.mark.parametrize(
    "url",
    ["", "api.example.org", "ftp://x/", "http://", "http://[::1", "http://x:99999/", "http://x/a b", "http://ü/"],
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(FeedError, match="url: it is none") as caught:
        _session().get(url)
    assert caught.value.trouble is Trouble.INVALID


def test_a_login_inside_the_url_is_refused_and_not_shown() -> None:
    with pytest.raises(FeedError, match="holds a user name") as caught:
        _session().get("http://me:p4ss@127.0.0.1/")
    assert "p4ss" not in str(caught.value)


def test_where_nobody_listens_that_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(FeedError, match=f"^http://127.0.0.1:{port}/x: Connection refused$") as caught:
        _session().get(f"http://127.0.0.1:{port}/x?key=secret")
    assert caught.value.trouble is Trouble.UNREACHABLE


def test_a_host_without_an_address_is_unreachable() -> None:
    with pytest.raises(FeedError, match="no address is known for this host") as caught:
        _session().get("http://nowhere.invalid/")
    assert caught.value.trouble is Trouble.UNREACHABLE


def _slow(head: bytes) -> Answer:
    def drip(sock: socket.socket, over: threading.Event) -> None:
        sock.sendall(head)
        while not over.wait(0.05):
            sock.sendall(b"1")

    return drip


@pytest.mark.parametrize(
    "answer",
    [
        _slow(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
        _slow(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        _slow(b"HTTP/1.1 200 OK\r\nX-Endless: "),
        _slow(b"HTTP/1.1 "),
        lambda _, over: over.wait(),
    ],
    ids=[
        "a byte at a time",
        "a chunk that never is one",
        "a head that trickles",
        "a status that trickles",
        "silence",
    ],
)
def test_however_slow_a_server_is_the_deadline_holds_for_all_of_it(answer: Answer) -> None:
    began = time.monotonic()
    error = _refused(answer, seconds=0.4)
    assert time.monotonic() - began < 1.5
    assert error.trouble is Trouble.TIMEOUT
    assert "no whole answer within 0.4 s" in error.detail


def test_a_status_is_told_though_its_body_never_comes() -> None:
    error = _refused(_slow(b"HTTP/1.1 429 Slow Down\r\nContent-Length: 900\r\nRetry-After: 9\r\n\r\n"), seconds=0.4)
    assert (error.trouble, error.retry_after_ns) == (Trouble.THROTTLED, 9 * NS_PER_SECOND)


def test_a_server_that_reads_nothing_of_a_long_post_does_not_hold_us_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/"
        with pytest.raises(FeedError) as caught:
            _session(0.4).post(url, bytes(32 * _MEBIBYTE), content_type="text/plain")
    assert caught.value.trouble is Trouble.TIMEOUT


def _bare_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(b"hello " * 1000, mtime=0)),
        ("GZIP", gzip.compress(b"hello " * 400, mtime=0) + gzip.compress(b"hello " * 600, mtime=0) + bytes(8)),
        ("x-gzip", gzip.compress(b"hello " * 1000, mtime=0)),
        ("deflate", zlib.compress(b"hello " * 1000)),
        ("deflate", _bare_deflate(b"hello " * 1000)),
        ("identity", b"hello " * 1000),
    ],
)
def test_a_packed_body_is_unpacked(encoding: str, packed: bytes) -> None:
    with serving(ok(packed, f"Content-Encoding: {encoding}")) as server:
        assert _session().get(f"http://127.0.0.1:{server.port}/").body == b"hello " * 1000


def test_a_packed_body_that_comes_byte_by_byte_is_unpacked() -> None:
    packed = zlib.compress(b"hello")

    def drip(sock: socket.socket, _: threading.Event) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\nTransfer-Encoding: chunked\r\n\r\n")
        for byte in packed:
            sock.sendall(b"1\r\n%c\r\n" % byte)
        sock.sendall(b"0\r\n\r\n")

    with serving(drip) as server:
        assert _session().get(f"http://127.0.0.1:{server.port}/").body == b"hello"


@pytest.mark.parametrize(
    ("encoding", "packed", "said"),
    [
        ("gzip", b"plain text", "it says that it is gzip, and is not"),
        ("gzip", gzip.compress(b"hello", mtime=0)[:-4], "it was cut off"),
        ("gzip", b"\x1f", "it was cut off"),
        ("deflate", b"\xff\xff plain", "it says that it is deflate, and is not"),
        ("br", b"x", "packed in a way that was not asked for ('br')"),
        ("gzip, gzip", b"x", "packed in a way that was not asked for"),
    ],
)
def test_a_body_that_cannot_be_unpacked_is_refused(encoding: str, packed: bytes, said: str) -> None:
    error = _refused(ok(packed, f"Content-Encoding: {encoding}"))
    assert error.trouble is Trouble.INVALID
    assert said in error.detail


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb_is_stopped_while_it_unpacks(encoding: str) -> None:
    zeros = bytes(64 * _MEBIBYTE)
    bomb = gzip.compress(zeros, 1) if encoding == "gzip" else zlib.compress(zeros, 1)
    del zeros
    _refused(_status("500 Oops"))  # what is imported is nothing to the bomb
    tracemalloc.start()
    try:
        error = _refused(ok(bomb, f"Content-Encoding: {encoding}"), body_bytes=4 * _MEBIBYTE)
        assert tracemalloc.get_traced_memory()[1] < 16 * _MEBIBYTE
    finally:
        tracemalloc.stop()
    assert (error.trouble, "more than 4194304 bytes" in error.detail) == (Trouble.INVALID, True)


def test_a_body_beyond_the_limit_is_refused_by_its_length_alone() -> None:
    error = _refused(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n")
    assert (error.trouble, "more than 16777216 bytes" in error.detail) == (Trouble.INVALID, True)


def test_a_body_without_a_length_is_given_up_at_the_limit() -> None:
    sent = [0]

    def pour(sock: socket.socket, over: threading.Event) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while sent[0] < 50 * _MEBIBYTE and not over.is_set():
            sent[0] += sock.send(b"x" * 100_000)

    assert "more than 1048576 bytes" in _refused(pour, body_bytes=_MEBIBYTE).detail
    assert sent[0] < 20 * _MEBIBYTE  # what fits into the buffers of the two sockets beside the limit


@pytest.mark.parametrize(
    ("header", "condition"),
    [
        ('ETag: "v1"', 'If-None-Match: "v1"'),
        ("Last-Modified: Thu, 09 Oct 2025 08:53:20 GMT", "If-Modified-Since: Thu, 09 Oct 2025 08:53:20 GMT"),
    ],
)
def test_a_body_that_is_unchanged_is_given_again(header: str, condition: str) -> None:
    def answer(sock: socket.socket, _: threading.Event) -> None:
        asked = server.requests[-1].decode()
        sock.sendall(_status("304 Not Modified") if condition in asked else ok(b"body", header))

    with serving(answer) as server:
        session, url = _session(), f"http://127.0.0.1:{server.port}/a"
        first, second, third = (session.get(url) for _ in range(3))
        other = session.get(url, headers={"auth-token": "of another"})
    assert [one.body for one in (first, second, third, other)] == [b"body"] * 4
    assert [one.unchanged for one in (first, second, third, other)] == [False, True, True, False]


def test_few_bodies_are_kept() -> None:
    with serving(lambda sock, _: sock.sendall(ok(b"body", 'ETag: "v1"'))) as server:
        session = _session()
        for number in (*range(6), 0, 5):
            session.get(f"http://127.0.0.1:{server.port}/{number}")
    assert [b"If-None-Match" in head for head in server.requests] == [False] * 7 + [True]


def test_unchanged_without_having_been_asked_is_no_answer() -> None:
    error = _refused(_status("304 Not Modified"))
    assert (error.trouble, "was not asked that" in error.detail) == (Trouble.INVALID, True)


def test_no_descriptor_is_left_behind() -> None:
    _refused(b"nonsense\r\n\r\n")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for answer in (b"nonsense\r\n\r\n", _status("500 Oops"), b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"):
        _refused(answer)
    with serving(ok(b"x")) as server:
        for _ in range(5):
            _session().get(f"http://127.0.0.1:{server.port}/")
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 4  # the servers close theirs a moment later


def test_nothing_of_urllib3_is_loaded_before_it_is_needed() -> None:
    lines = """
import sys
from wattledger.agent.clock import SystemClock
from wattledger.agent.feeds.web import WebSession
import wattledger.agent.feeds.desk
WebSession(SystemClock(), {})
assert not {"urllib3", "ssl", "http.client", "email"} & set(sys.modules), sorted(sys.modules)
"""
    subprocess.run([sys.executable, "-c", lines], check=True)
