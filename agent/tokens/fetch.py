"""One GET over HTTP/1.1 within a deadline; it follows no redirect, unpacks nothing, and keeps no connection.

What answers may be anything: all that it can cost is the time and the bytes that are allowed here. Imported only when
something is read.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import h11

from wattledger.exporter.outgoing import Deadline, Wrap, answer_head, connected, next_event, reason_of, send
from wattledger.rules.instant import NS_PER_SECOND

TIMEOUT_NS = 2 * NS_PER_SECOND
BODY_BYTES = 8 << 20
_HEAD_BYTES = 16 << 10


class Failure(StrEnum):
    """What kind of answer, or none, there was instead of a body."""

    NO_CONNECTION = "no_connection"
    SILENT = "silent"  # connected, and not done in time
    NOT_HTTP = "not_http"
    REFUSED = "refused"  # a status that is no success, or a body that is not taken


class FetchError(Exception):
    """No body was got; the message is the reason. `not_serving`: nobody listens there, or it says it is not ready."""

    def __init__(self, failure: Failure, reason: str, *, not_serving: bool = False) -> None:
        super().__init__(reason)
        self.failure = failure
        self.not_serving = not_serving


@dataclass(frozen=True, slots=True)
class Target:
    """Where to ask. With *device* the connection leaves over that interface or not at all."""

    host: str
    port: int
    device: str = ""
    host_header: str = ""


@dataclass(frozen=True, slots=True)
class Body:
    """What came back. `is_framed`: its end was told, so that none of it is missing. `peer` is who answered."""

    content: bytes
    is_framed: bool
    peer: tuple[str, int]


def fetch(
    target: Target,
    path: str,
    *,
    accept: str = "text/plain",
    headers: tuple[tuple[str, str], ...] = (),
    timeout_ns: int = TIMEOUT_NS,
    most_bytes: int = BODY_BYTES,
    wrap: Wrap | None = None,
    monotonic_ns: Callable[[], int] = time.monotonic_ns,
) -> Body:
    """Give the body of a success. Raises FetchError.

    The timeout covers everything to the last byte; the look-up of a name itself cannot be cut short.
    """
    deadline = Deadline(timeout_ns, monotonic_ns)
    doing, late = "connection", Failure.NO_CONNECTION
    try:
        with connected(target.host, target.port, deadline, device=target.device) as plain:
            doing, late = "TLS handshake", Failure.SILENT
            plain.settimeout(deadline.left_seconds())
            with plain if wrap is None else wrap(plain) as sock:
                doing = "whole answer"
                peer = plain.getpeername() if wrap is None else sock.getpeername()
                return _exchange(
                    sock, _request(target, path, accept, headers), deadline, most_bytes, (peer[0], peer[1])
                )
    except TimeoutError:
        raise FetchError(late, f"timeout: no {doing} within {timeout_ns / NS_PER_SECOND:g} s") from None
    except OSError as error:
        is_closed = isinstance(error, ConnectionRefusedError)
        raise FetchError(Failure.NO_CONNECTION, reason_of(error), not_serving=is_closed) from None
    except h11.RemoteProtocolError as error:
        raise FetchError(Failure.NOT_HTTP, f"no HTTP answer ({error})") from None
    except h11.LocalProtocolError as error:
        raise FetchError(Failure.REFUSED, f"the request cannot be written as HTTP ({error})") from None
    except UnicodeError:
        raise FetchError(Failure.NO_CONNECTION, "the name of the host is none") from None


def _request(target: Target, path: str, accept: str, headers: tuple[tuple[str, str], ...]) -> h11.Request:
    host = f"[{target.host}]" if ":" in target.host else target.host
    fixed = [
        ("Host", target.host_header or f"{host}:{target.port}"),
        ("User-Agent", "wattledger"),
        ("Accept", accept),
        ("Accept-Encoding", "identity"),
        ("Connection", "close"),
    ]
    return h11.Request(method="GET", target=path, headers=[*fixed, *headers])


def _exchange(
    sock: socket.socket, request: h11.Request, deadline: Deadline, most_bytes: int, peer: tuple[str, int]
) -> Body:
    wire = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_BYTES)
    send(sock, (wire.send(request) or b"") + (wire.send(h11.EndOfMessage()) or b""), deadline)
    is_framed = _check_head(answer_head(sock, wire, deadline), most_bytes)
    parts: list[bytes] = []
    left = most_bytes
    while isinstance(event := next_event(sock, wire, deadline), h11.Data):
        left -= len(event.data)
        if left < 0:
            raise _too_large(most_bytes)
        parts.append(bytes(event.data))
    return Body(b"".join(parts), is_framed, peer)


def _check_head(head: h11.Response, most_bytes: int) -> bool:
    """Tell whether the end of the body will be told. Raises FetchError where the body is not wanted."""
    given = dict(head.headers)
    if 300 <= head.status_code < 400:
        place = given.get(b"location", b"").decode("latin-1")[:200]
        raise FetchError(Failure.REFUSED, f"status {head.status_code}: redirects are not followed (to {place!r})")
    if head.status_code != 200:
        is_loading = head.status_code == 503  # llama.cpp answers so while it loads a model
        raise FetchError(Failure.REFUSED, f"status {head.status_code}", not_serving=is_loading)
    encoding = given.get(b"content-encoding", b"identity").decode("latin-1")[:50]
    if encoding.lower() != "identity":
        raise FetchError(Failure.REFUSED, f"the body is packed ({encoding!r}), which was not asked for")
    length = given.get(b"content-length")  # h11 has seen to it that it has digits alone
    if length is not None and (len(length) > 15 or int(length) > most_bytes):
        raise _too_large(most_bytes)
    return length is not None or b"transfer-encoding" in given


def _too_large(most_bytes: int) -> FetchError:
    return FetchError(Failure.REFUSED, f"the body has more than {most_bytes} bytes")
