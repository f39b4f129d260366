"""One GET against servers that answer well, badly, or never: what they cost is bounded, whatever they do."""

import gzip
import socket
import threading
import time
import tracemalloc
from pathlib import Path

import pytest

from tests.agent.tokens.raw_server import Answer, ok, serving
from wattledger.agent.tokens.fetch import Failure, FetchError, Target, fetch
from wattledger.rules.instant import NS_PER_SECOND

_SHORT_NS = NS_PER_SECOND // 2
_MEBIBYTE = 1 << 20


def _refused(answer: Answer | bytes) -> FetchError:
    with serving(answer) as server, pytest.raises(FetchError) as caught:
        fetch(server.target, "/metrics", timeout_ns=_SHORT_NS)
    return caught.value


def test_a_page_comes_whole_with_who_answered() -> None:
    with serving(ok(b"a 1\n")) as server:
        body = fetch(server.target, "/metrics")
        assert body.content == b"a 1\n"
        assert body.is_framed
        assert body.peer == ("127.0.0.1", server.port)


def test_the_request_is_a_plain_get_that_wants_text_unpacked() -> None:
    with serving(ok(b"")) as server:
        fetch(server.target, "/metrics/?a=b", headers=(("Authorization", "Bearer x"),))
        head = server.requests[0].decode().lower()
    assert head.startswith("get /metrics/?a=b http/1.1\r\n")
    for line in (
        f"host: 127.0.0.1:{server.port}",
        "accept: text/plain",
        "accept-encoding: identity",
        "connection: close",
        "authorization: bearer x",
    ):
        assert f"\r\n{line}\r\n" in head


def test_chunks_are_put_together() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\na 1\n\r\n4\r\nb 2\n\r\n0\r\n\r\n"
    with serving(chunked) as server:
        body = fetch(server.target, "/")
    assert (body.content, body.is_framed) == (b"a 1\nb 2\n", True)


def test_a_body_that_ends_with_the_connection_may_be_cut() -> None:
    with serving(b"HTTP/1.0 200 OK\r\n\r\na 1\n") as server:
        body = fetch(server.target, "/")
    assert (body.content, body.is_framed) == (b"a 1\n", False)


def test_a_body_shorter_than_was_told_is_none() -> None:
    error = _refused(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\na 1\n")
    assert error.failure is Failure.NOT_HTTP


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
def test_a_redirect_is_an_error_and_nobody_goes_there(status: str) -> None:
    with serving(ok(b"never 1\n")) as elsewhere:
        place = f"http://127.0.0.1:{elsewhere.port}/secret"
        error = _refused(f"HTTP/1.1 {status}\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n".encode())
        assert error.failure is Failure.REFUSED
        assert "redirects are not followed" in str(error)
        assert elsewhere.requests == []


@pytest.mark.parametrize("status", ["204 No Content", "401 Unauthorized", "404 Not Found", "500 Oops"])
def test_what_is_no_success_has_no_body(status: str) -> None:
    error = _refused(f"HTTP/1.1 {status}\r\n\r\n".encode())
    assert error.failure is Failure.REFUSED
    assert status[:3] in str(error)


def test_a_gzip_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(64 * _MEBIBYTE))
    tracemalloc.start()
    try:
        error = _refused(ok(bomb, "Content-Encoding: gzip"))
        assert tracemalloc.get_traced_memory()[1] < 8 * _MEBIBYTE
    finally:
        tracemalloc.stop()
    assert "packed ('gzip')" in str(error)


def test_a_page_of_50_megabytes_is_refused_by_its_length_alone() -> None:
    assert "more than 8388608 bytes" in str(_refused(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n"))


def test_a_length_of_a_thousand_digits_is_refused() -> None:
    assert _refused(b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 1000 + b"\r\n\r\n").failure in Failure


def test_a_page_of_50_megabytes_without_a_length_is_given_up_at_the_limit() -> None:
    sent = [0]

    def pour(sock: socket.socket, over: threading.Event) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        block = b"vllm:generation_tokens_total 1\n" * 1000
        while sent[0] < 50 * _MEBIBYTE and not over.is_set():
            sock.sendall(block)
            sent[0] += len(block)

    with serving(pour) as server, pytest.raises(FetchError, match="more than 8388608 bytes"):
        fetch(server.target, "/metrics", timeout_ns=10 * NS_PER_SECOND)
    assert sent[0] < 20 * _MEBIBYTE  # what fits into the buffers of the two sockets beside the limit


def _slow(head: bytes) -> Answer:
    def drip(sock: socket.socket, over: threading.Event) -> None:
        sock.sendall(head)
        while not over.wait(0.1):
            sock.sendall(b"x")

    return drip


@pytest.mark.parametrize(
    "answer",
    [
        _slow(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
        _slow(b"HTTP/1.1 200 OK\r\nX-Endless: "),
        lambda _, over: over.wait(),
        lambda sock, over: (sock.sendall(b"HTTP/1.1 20"), over.wait()),
    ],
    ids=["a byte at a time", "a head that trickles", "silence", "half a head"],
)
def test_however_slow_a_server_is_the_deadline_holds_for_all_of_it(answer: Answer) -> None:
    began = time.monotonic()
    error = _refused(answer)
    assert time.monotonic() - began < 2.0
    assert error.failure is Failure.SILENT
    assert not error.not_serving, "it may well be at work"
    assert "timeout: no whole answer within 0.5 s" in str(error)


def test_a_head_without_end_is_given_up_by_its_size() -> None:
    def pour(sock: socket.socket, over: threading.Event) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\n")
        while not over.is_set():
            sock.sendall(b"X-More: " + b"y" * 100 + b"\r\n")

    assert _refused(pour).failure is Failure.NOT_HTTP


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", bytes(range(256)) * 10])
def test_what_speaks_no_http_is_told_from_what_is_silent(answer: bytes) -> None:
    assert _refused(answer).failure is Failure.NOT_HTTP


def test_where_nobody_listens_that_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(FetchError, match="Connection refused") as caught:
        fetch(Target("127.0.0.1", port), "/")
    assert caught.value.failure is Failure.NO_CONNECTION
    assert caught.value.not_serving


@pytest.mark.parametrize(("status", "not_serving"), [("503 Loading", True), ("500 Oops", False), ("404 No", False)])
def test_a_server_that_says_it_is_not_ready_serves_nobody(status: str, not_serving: bool) -> None:
    assert _refused(f"HTTP/1.1 {status}\r\n\r\n".encode()).not_serving is not_serving


@pytest.mark.parametrize("path", ["/a b", "/a\r\nX: y", "/\x00"])
def test_a_path_that_no_request_may_have_is_refused_before_it_is_sent(path: str) -> None:
    with serving(ok(b"")) as server, pytest.raises(FetchError, match="cannot be written"):
        fetch(server.target, path)
    assert server.requests in ([b""], [])


def test_a_connection_that_is_bound_to_an_interface_goes_out_by_no_other() -> None:
    with serving(ok(b"a 1\n")) as server:
        over_loopback = Target("127.0.0.1", server.port, device="lo")
        assert fetch(over_loopback, "/").content == b"a 1\n"
        others = [name for _, name in socket.if_nameindex() if name != "lo"]
        if not others:
            pytest.skip("this host has no interface but the loopback one")
        with pytest.raises(FetchError):
            fetch(Target("127.0.0.1", server.port, device=others[0]), "/", timeout_ns=_SHORT_NS)


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_no_descriptor_is_left_behind() -> None:
    before = _open_files()
    for _ in range(5):
        _refused(b"nonsense\r\n\r\n")
    with serving(ok(b"x 1\n")) as server:
        for _ in range(5):
            fetch(server.target, "/")
    assert _open_files() <= before + 4  # the test's servers close theirs a moment later
