"""One POST over HTTP/1.1 within a deadline; it follows no redirect, keeps no connection, and judges no status.

Imported only when something is sent.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

import h11

from wattledger.rules.instant import NS_PER_SECOND

from .address import Address

_RECEIVE_BYTES = 4096
_BODY_BYTES = 4096  # of an error's text; more is not worth waiting for

# Puts TLS on a connected socket; raises OSError.
Wrap = Callable[[socket.socket], socket.socket]


class PostError(Exception):
    """No answer was got; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: *text* is the beginning of the body of an answer that is no success."""

    status: int
    retry_after: str
    text: str


class _Deadline:
    """How much time is left. Raises TimeoutError where none is."""

    def __init__(self, timeout_ns: int, monotonic_ns: Callable[[], int]) -> None:
        self._monotonic_ns = monotonic_ns
        self._end_ns = monotonic_ns() + timeout_ns

    def left_seconds(self) -> float:
        left_ns = self._end_ns - self._monotonic_ns()
        if left_ns <= 0:
            raise TimeoutError
        return left_ns / NS_PER_SECOND


def post(
    address: Address,
    headers: tuple[tuple[str, str], ...],
    body: bytes,
    *,
    timeout_ns: int,
    wrap: Wrap | None = None,
    monotonic_ns: Callable[[], int] = time.monotonic_ns,
) -> Answer:
    """Send *body* and give the answer. Raises PostError.

    The timeout covers everything from the look-up of the name; a look-up itself cannot be cut short.
    """
    deadline = _Deadline(timeout_ns, monotonic_ns)
    doing = "connect"
    try:
        with _connected(address, deadline) as plain:
            doing = "handshake"
            plain.settimeout(deadline.left_seconds())
            with plain if wrap is None else wrap(plain) as sock:
                doing = "answer"
                return _exchange(sock, _request(address, headers, body), body, deadline)
    except TimeoutError:
        raise PostError(f"timeout: no {doing} within {timeout_ns / NS_PER_SECOND:g} s") from None
    except OSError as error:
        # Of a certificate OpenSSL says what is wrong with it in an attribute of its own.
        raise PostError(getattr(error, "verify_message", None) or error.strerror or str(error)) from None
    except h11.RemoteProtocolError as error:
        raise PostError(f"no HTTP answer ({error})") from None
    except h11.LocalProtocolError as error:
        raise PostError(f"the request cannot be written as HTTP ({error})") from None


def _connected(address: Address, deadline: _Deadline) -> socket.socket:
    # As bytes the host spares the process the tables of IDNA.
    found = socket.getaddrinfo(address.host.encode("ascii"), address.port, type=socket.SOCK_STREAM)
    failure: OSError | None = None
    for index, (family, kind, protocol, _, place) in enumerate(found):
        sock = socket.socket(family, kind, protocol)
        try:
            # One address that swallows packets must not use up the time of the others.
            sock.settimeout(deadline.left_seconds() / (len(found) - index))
            sock.connect(place)
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise failure or OSError(f"no address for {address.host}")


def _request(address: Address, headers: tuple[tuple[str, str], ...], body: bytes) -> h11.Request:
    fixed = [
        ("Host", address.host_header),
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("User-Agent", "wattledger"),
        ("Connection", "close"),
    ]
    return h11.Request(method="POST", target=address.target, headers=[*fixed, *headers])


def _exchange(sock: socket.socket, request: h11.Request, body: bytes, deadline: _Deadline) -> Answer:
    wire = h11.Connection(h11.CLIENT)
    parts = (wire.send(request), wire.send(h11.Data(body)), wire.send(h11.EndOfMessage()))
    unsent = memoryview(b"".join(part for part in parts if part))
    cut: OSError | None = None
    try:
        while unsent:
            sock.settimeout(deadline.left_seconds())
            unsent = unsent[sock.send(unsent) :]
    except ConnectionError as error:
        cut = error  # a server may answer, for instance that the body is too large, and hang up before it has it all
    try:
        return _answer(sock, wire, deadline)
    except (ConnectionError, h11.RemoteProtocolError):
        if cut is not None:
            raise cut from None
        raise


def _answer(sock: socket.socket, wire: h11.Connection, deadline: _Deadline) -> Answer:
    while True:
        event = _next_event(sock, wire, deadline)
        if isinstance(event, h11.Response):
            break
        if not isinstance(event, h11.InformationalResponse):
            raise h11.RemoteProtocolError("the connection ended before an answer")
    given = dict(event.headers)
    retry_after = given.get(b"retry-after", b"").decode("latin-1")
    # The head decides; nobody waits for what a success has to say.
    text = "" if 200 <= event.status_code < 300 else _text(sock, wire, deadline)
    return Answer(event.status_code, retry_after, text)


def _text(sock: socket.socket, wire: h11.Connection, deadline: _Deadline) -> str:
    """Give the beginning of the body, as much as comes before the connection ends or the time is up."""
    text = b""
    try:
        while len(text) < _BODY_BYTES:
            event = _next_event(sock, wire, deadline)
            if not isinstance(event, h11.Data):
                break
            text += event.data
    except (OSError, h11.RemoteProtocolError):  # the status is known, and that is the answer
        pass
    return text[:_BODY_BYTES].decode("utf-8", "replace")


def _next_event(sock: socket.socket, wire: h11.Connection, deadline: _Deadline) -> object:
    while (event := wire.next_event()) is h11.NEED_DATA:
        sock.settimeout(deadline.left_seconds())
        wire.receive_data(sock.recv(_RECEIVE_BYTES))
    return event
