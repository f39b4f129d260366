"""The push endpoint against callers that are slow, large, many, broken, or a browser."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.agent.tokens.inputs.hosts import child, now, until
from tests.agent.tokens.inputs.pushing import connected, endpoint, exchange, posted, push
from wattledger.agent.tokens.inputs.push_server import PushLimits
from wattledger.agent.tokens.inputs.push_wire import BODY_BYTES, PushWire, Refusal

GOOD = b'{"job": "a", "tokens_total": 3}'
HEAD = b"POST /v1/tokens HTTP/1.1\r\nHost: x\r\n"
SHORT = PushLimits(connections=4, request_seconds=0.3, idle_seconds=0.3, linger_seconds=0.3)


def head(length: int, *more: bytes) -> bytes:
    return b"\r\n".join([HEAD + b"Content-Length: %d" % length, *more, b"", b""])


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET /v1/tokens HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"POST /v1/other HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"POST /v1/tokens HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (HEAD + b"X: " + b"x" * 20_000 + b"\r\n\r\n", 431),
        (head(BODY_BYTES + 1), 413),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1388\r\n" + b" " * 5000 + b"\r\n0\r\n\r\n", 413),
        (HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400),
        (head(-1) + GOOD, 400),
        (head(10**30) + GOOD, 400),
        (head(len(GOOD)) + GOOD[:-3], 400),
        (head(len(GOOD), b"Origin: http://evil.example") + GOOD, 403),
        (head(len(GOOD), b"Sec-Fetch-Site: cross-site") + GOOD, 403),
        (head(4) + b"\xff\xfe{}", 400),
        (head(3000) + b"[" * 3000, 400),
        (head(2) + b"[]", 400),
        (head(0), 400),
    ],
)
def test_what_is_no_push_is_refused_with_a_reason_and_leaves_no_job(tmp_path: Path, raw: bytes, status: int) -> None:
    with endpoint(tmp_path) as source:
        answer = exchange(tmp_path / "push.sock", raw)
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert b'{"error": "' in answer
        assert source.look(now()) == ((), ())
        assert push(tmp_path / "push.sock", job="a", tokens_total=1)[0] == 200


def test_messages_may_follow_each_other_on_a_connection_in_pieces_and_in_one(tmp_path: Path) -> None:
    with endpoint(tmp_path), connected(tmp_path / "push.sock") as sock:
        raw = head(len(GOOD)) + GOOD
        for at in range(len(raw)):
            sock.sendall(raw[at : at + 1])
        assert sock.recv(4096).startswith(b"HTTP/1.1 200")
        sock.sendall(raw + raw + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        while part := sock.recv(65_536):
            answer += part
        assert answer.count(b"HTTP/1.1 200") == 2
        assert answer.count(b"HTTP/1.1 404") == 1


def test_a_caller_that_waits_to_be_told_to_go_on_is_told(tmp_path: Path) -> None:
    with endpoint(tmp_path), connected(tmp_path / "push.sock") as sock:
        sock.sendall(head(len(GOOD), b"Expect: 100-continue"))
        assert sock.recv(4096).startswith(b"HTTP/1.1 100")
        sock.sendall(GOOD)
        assert sock.recv(4096).startswith(b"HTTP/1.1 200")


def test_a_slow_caller_is_told_so_and_ended_while_others_are_served(tmp_path: Path) -> None:
    with endpoint(tmp_path, limits=SHORT), connected(tmp_path / "push.sock") as slow:
        slow.sendall(head(100) + b"{")
        started = time.monotonic()
        assert push(tmp_path / "push.sock", job="a", tokens_total=1)[0] == 200
        assert slow.recv(4096).startswith(b"HTTP/1.1 408")
        assert slow.recv(4096) == b""
        assert time.monotonic() - started < 5


def test_a_caller_that_trickles_does_not_prolong_its_time(tmp_path: Path) -> None:
    with endpoint(tmp_path, limits=SHORT) as source, connected(tmp_path / "push.sock") as slow:
        assert source._server is not None
        server = source._server
        until(lambda: server.connections == 1)

        def trickles() -> bool:
            try:
                slow.sendall(b"P")
            except OSError:
                return True
            return server.connections == 0

        until(trickles, seconds=5)


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_many_idle_connections_do_not_keep_others_out(tmp_path: Path, kind: str) -> None:
    with endpoint(tmp_path, limits=PushLimits(connections=4)) as source:
        assert source.port is not None
        place = source.port if kind == "tcp" else tmp_path / "push.sock"
        crowd = [connected(place) for _ in range(20)]
        try:
            assert push(place, job="a", tokens_total=1)[0] == 200
            assert source._server is not None
            assert source._server.connections <= 4
        finally:
            for sock in crowd:
                sock.close()


def test_a_caller_that_leaves_before_its_answer_costs_nothing(tmp_path: Path) -> None:
    with endpoint(tmp_path) as source:
        assert source.port is not None
        for place in (tmp_path / "push.sock", source.port):
            sock = connected(place)
            sock.sendall(head(len(GOOD)) + GOOD)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.close()
            assert push(place, job="b", tokens_total=1)[0] == 200


def test_who_reads_no_answer_is_ended(tmp_path: Path) -> None:
    limits = PushLimits(write_seconds=0.3, linger_seconds=0.3)
    with endpoint(tmp_path, limits=limits) as source, connected(tmp_path / "push.sock") as deaf:
        assert source._server is not None
        server = source._server
        raw = (head(len(GOOD)) + GOOD) * 50
        deaf.setblocking(False)
        until(lambda: _is_full(deaf, raw))
        until(lambda: server.connections == 0)
        assert posted(tmp_path / "push.sock", GOOD)[0] == 200


def _is_full(sock: socket.socket, raw: bytes) -> bool:
    try:
        for _ in range(1000):
            sock.send(raw)
    except BlockingIOError:
        return True
    except OSError:
        return True
    return False


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_closing_ends_all_connections_and_gives_every_descriptor_back(tmp_path: Path) -> None:
    before = _descriptors()
    with endpoint(tmp_path) as source:
        sock = connected(tmp_path / "push.sock")
        assert push(tmp_path / "push.sock", job="a", tokens_total=1)[0] == 200
    assert source._server is not None
    assert not source._server.alive
    assert sock.recv(10) == b""
    sock.close()
    assert _descriptors() == before


STARVED = """
import os, resource, sys
from pathlib import Path
from wattledger.agent.clock import SystemClock
from wattledger.agent.tokens.inputs.push import PushInput
from wattledger.agent.tokens.inputs.settings import PushSettings
source = PushInput(PushSettings(unix_socket=Path({place!r})), now=SystemClock().now)
source.start()
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
taken = []
try:
    while True:
        taken.append(os.open("/", os.O_RDONLY))
except OSError:
    print("starved", flush=True)
sys.stdin.readline()
for descriptor in taken:
    os.close(descriptor)
print("fed", flush=True)
sys.stdin.read()
"""


def test_without_a_free_descriptor_callers_wait_until_there_is_one(tmp_path: Path) -> None:
    place = tmp_path / "push.sock"
    with child(STARVED.format(place=str(place))) as (process, line):
        assert line == "starved"
        with connected(place) as waiting:
            waiting.sendall(head(len(GOOD)) + GOOD)
            waiting.settimeout(0.5)  # longer than the listener rests: it tries again, and still cannot
            with pytest.raises(TimeoutError):
                waiting.recv(1)
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
            waiting.settimeout(10)
            assert waiting.recv(4096).startswith(b"HTTP/1.1 200")


@given(st.binary(max_size=300) | st.builds(lambda body: head(len(body)) + body, st.binary(max_size=300)))
@settings(max_examples=300)
def test_any_bytes_are_a_message_or_a_refusal(raw: bytes) -> None:
    wire = PushWire()
    wire.feed(raw)
    try:
        body = wire.next_body()
    except Refusal as error:
        answer = wire.answer(error.status, {"error": error.message}, close=True)
    else:
        answer = b"HTTP/1.1 4" if body is None or body in raw else b""
    assert answer.startswith(b"HTTP/1.1 4")


@given(st.binary(min_size=1, max_size=200))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_body_is_answered(served: Path, body: bytes) -> None:
    assert posted(served, body)[0] == 400


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Serve for all examples of a test."""
    folder = tmp_path_factory.mktemp("served")
    with endpoint(folder):
        yield folder / "push.sock"
