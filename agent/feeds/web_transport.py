"""One request over urllib3, all of it before one deadline; what the answer means is not known here.

Imported only when a feed asks the web: urllib3 and TLS cost memory.
"""

from __future__ import annotations

import logging
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from wattledger.exporter.outgoing import Deadline
from wattledger.rules.instant import NS_PER_SECOND

from .base import FeedError, Trouble
from .web_place import Place
from .web_proxy import Proxy
from .web_unpack import Unpacker, UnpackError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer
    from urllib3.response import BaseHTTPResponse

_CONNECT_SECONDS = 5.0
_PIECE_BYTES = 1 << 16
_EXCERPT_BYTES = 4096  # of a body that comes with an error


@dataclass(frozen=True, slots=True)
class Call:
    """What to ask, and within which limits."""

    method: str
    place: Place
    headers: Mapping[str, str]
    body: bytes | None
    timeout_ns: int
    most_bytes: int
    proxy: Proxy | None = None
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of any status. Header names are in small letters. Of a body that is no success there is the start."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def _deadline(seconds: float) -> Deadline:
    return Deadline(int(seconds * NS_PER_SECOND), time.monotonic_ns)


class _Socket(socket.socket):
    """A socket each of whose calls gets what is left of the time: a byte now and then does not extend it."""

    deadline: Deadline | None = None

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        self._limit()
        return super().recv(bufsize, flags)

    def recv_into(self, buffer: WriteableBuffer, nbytes: int = 0, flags: int = 0) -> int:
        self._limit()
        return super().recv_into(buffer, nbytes, flags)

    def sendall(self, data: ReadableBuffer, flags: int = 0) -> None:
        self._limit()
        super().sendall(data, flags)

    def _limit(self) -> None:
        if self.deadline is not None:
            self.settimeout(self.deadline.left_seconds())


class _TlsSocket(ssl.SSLSocket):
    """The same under TLS. `deadline` is set once the handshake is done, which has its own."""

    deadline: Deadline | None = None

    def recv_into(self, buffer: WriteableBuffer, nbytes: int | None = None, flags: int = 0) -> int:
        self._limit()
        return super().recv_into(buffer, nbytes, flags)

    def sendall(self, data: ReadableBuffer, flags: int = 0) -> None:
        self._limit()
        super().sendall(data, flags)

    def _limit(self) -> None:
        if self.deadline is not None:
            self.settimeout(self.deadline.left_seconds())


class _Connection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _connected(self.host, self.port, _deadline(self.timeout or 0))


class _TlsConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        self._deadline = _deadline(self.timeout or 0)
        return _connected(self.host, self.port, self._deadline)

    def connect(self) -> None:
        super().connect()
        if isinstance(self.sock, _TlsSocket):
            self.sock.deadline = self._deadline


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def exchange(call: Call) -> Reply:
    """Ask and give the answer. Raises FeedError where there is none, UnpackError for a body that is not taken."""
    # Its lines have whole URLs, and with them keys.
    logging.getLogger("urllib3").setLevel(logging.CRITICAL + 1)
    seconds = call.timeout_ns / NS_PER_SECOND
    deadline = _deadline(seconds)
    try:
        with _manager(call) as manager:
            response = manager.urlopen(
                call.method,
                call.place.url,
                body=call.body,
                headers=call.headers,
                timeout=urllib3.Timeout(connect=seconds, read=seconds),
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
            )
            try:
                return _read(call, response)
            finally:
                response.close()
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        # Not chained: what urllib3 says may show the whole URL.
        raise _told(call, error, is_late=_is_over(deadline)) from None


def _manager(call: Call) -> urllib3.PoolManager:
    context = _context(call.ca_file) if call.place.scheme == "https" else None
    proxy = call.proxy
    if proxy is None:
        manager = urllib3.PoolManager(num_pools=1, ssl_context=context)
    else:
        headers = {}
        if proxy.basic is not None:
            headers["Proxy-Authorization"] = basic_header(*proxy.basic)
        manager = urllib3.ProxyManager(
            proxy.url,
            num_pools=1,
            proxy_headers=headers,
            ssl_context=context,
            proxy_ssl_context=_proxy_context(proxy),
        )
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    return manager


def _proxy_context(proxy: Proxy) -> ssl.SSLContext | None:
    return _context(None) if proxy.url.startswith("https:") else None


def _context(ca_file: Path | None) -> ssl.SSLContext:
    """Make it anew each time: certificates of the system, and those of the file, are renewed while we run."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError:
        raise FeedError(
            Trouble.UNREACHABLE, f"ca_file {ca_file}: it holds no CA certificate; give the certificates in PEM"
        ) from None
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise FeedError(Trouble.UNREACHABLE, f"ca_file {ca_file}: {reason}; let this user read it") from None
    context.sslsocket_class = _TlsSocket
    return context


def basic_header(user: str, password: str) -> str:
    """Give the value of a header for user and password (RFC 7617, UTF-8)."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode("ascii")


def _connected(host: str, port: int, deadline: Deadline) -> socket.socket:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failure: OSError | None = None
    for index, (family, kind, protocol, _, place) in enumerate(found):
        sock = _Socket(family, kind, protocol)
        try:
            # One address that swallows packets must not use up the time of the others.
            sock.settimeout(min(_CONNECT_SECONDS, deadline.left_seconds()) / (len(found) - index))
            sock.connect(place)
            sock.settimeout(deadline.left_seconds())
        except OSError as error:
            sock.close()
            failure = error
        else:
            sock.deadline = deadline
            return sock
    raise failure or OSError(f"no address for {host}")


def _read(call: Call, response: BaseHTTPResponse) -> Reply:
    headers = {name.lower(): value for name, value in response.headers.items()}
    if not 200 <= response.status < 300:
        return Reply(response.status, headers, _excerpt(response, headers))
    length = headers.get("content-length", "")
    unpacker = Unpacker(headers.get("content-encoding", ""), call.most_bytes)
    if length.isdigit() and (len(length) > 15 or int(length) > call.most_bytes):
        raise UnpackError(f"it has more than {call.most_bytes} bytes")
    parts: list[bytes] = []
    while piece := response.read(_PIECE_BYTES, decode_content=False):
        parts.append(unpacker.feed(piece))
    unpacker.finish()
    return Reply(response.status, headers, b"".join(parts))


def _excerpt(response: BaseHTTPResponse, headers: Mapping[str, str]) -> bytes:
    """Give the beginning of a body that explains a failure; that it cannot be read is no failure of its own."""
    try:
        piece = response.read(_EXCERPT_BYTES, decode_content=False)
        return Unpacker(headers.get("content-encoding", ""), 16 * _EXCERPT_BYTES).feed(piece)
    except (urllib3.exceptions.HTTPError, OSError, UnpackError):
        return b""


def _is_over(deadline: Deadline) -> bool:
    try:
        deadline.left_seconds()
    except TimeoutError:
        return True
    return False


def _told(call: Call, error: Exception, *, is_late: bool) -> FeedError:
    """Give what *error* means, from the innermost of those that it wraps."""
    from .web_failure import failure_of  # noqa: PLC0415  (only where something failed)

    place = call.place.shown if call.proxy is None else f"{call.place.shown} by way of {call.proxy.url}"
    return failure_of(error, place, timeout_ns=call.timeout_ns, is_late=is_late)
