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

from ..outgoing import Deadline, Wrap, answer_head, connected, next_event, reason_of, send
from .address import Address

_BODY_BYTES = 4096  # of an error's text; more is not worth waiting for


class PostError(Exception):
    """No answer was got; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: *text* is the beginning of the body of an answer that is no success."""

    status: int
    retry_after: str
    text: str


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
    deadline = Deadline(timeout_ns, monotonic_ns)
    doing = "connect"
    try:
        with connected(address.host, address.port, deadline) as plain:
            doing = "handshake"
            plain.settimeout(deadline.left_seconds())
            with plain if wrap is None else wrap(plain) as sock:
                doing = "answer"
                return _exchange(sock, _request(address, headers, body), body, deadline)
    except TimeoutError:
        raise PostError(f"timeout: no {doing} within {timeout_ns / NS_PER_SECOND:g} s") from None
    except OSError as error:
        raise PostError(reason_of(error)) from None
    except h11.RemoteProtocolError as error:
        raise PostError(f"no HTTP answer ({error})") from None
    except h11.LocalProtocolError as error:
        raise PostError(f"the request cannot be written as HTTP ({error})") from None


def _request(address: Address, headers: tuple[tuple[str, str], ...], body: bytes) -> h11.Request:
    fixed = [
        ("Host", address.host_header),
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("User-Agent", "wattledger"),
        ("Connection", "close"),
    ]
    return h11.Request(method="POST", target=address.target, headers=[*fixed, *headers])


def _exchange(sock: socket.socket, request: h11.Request, body: bytes, deadline: Deadline) -> Answer:
    wire = h11.Connection(h11.CLIENT)
    parts = (wire.send(request), wire.send(h11.Data(body)), wire.send(h11.EndOfMessage()))
    cut: OSError | None = None
    try:
        send(sock, b"".join(part for part in parts if part), deadline)
    except ConnectionError as error:
        cut = error  # a server may answer, for instance that the body is too large, and hang up before it has it all
    try:
        return _answer(sock, wire, deadline)
    except (ConnectionError, h11.RemoteProtocolError):
        if cut is not None:
            raise cut from None
        raise


def _answer(sock: socket.socket, wire: h11.Connection, deadline: Deadline) -> Answer:
    head = answer_head(sock, wire, deadline)
    given = dict(head.headers)
    retry_after = given.get(b"retry-after", b"").decode("latin-1")
    # The head decides; nobody waits for what a success has to say.
    text = "" if 200 <= head.status_code < 300 else _text(sock, wire, deadline)
    return Answer(head.status_code, retry_after, text)


def _text(sock: socket.socket, wire: h11.Connection, deadline: Deadline) -> str:
    """Give the beginning of the body, as much as comes before the connection ends or the time is up."""
    text = b""
    try:
        while len(text) < _BODY_BYTES:
            event = next_event(sock, wire, deadline)
            if not isinstance(event, h11.Data):
                break
            text += event.data
    except (OSError, h11.RemoteProtocolError):  # the status is known, and that is the answer
        pass
    return text[:_BODY_BYTES].decode("utf-8", "replace")
