"""A small HTTP client on raw sockets for the server's tests: it sends any bytes and believes nothing."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from wattledger.exporter.http import (
    Limits,
    PageServer,
    Request,
    Responder,
    Response,
    parse_listen,
)

PAGE = b"wattledger_up 1\n" * 8
BIG = b"x" * 20_000_000
TEXT = "text/plain; version=0.0.4; charset=utf-8"


def pages(request: Request) -> Response:
    """Serve a page, a big page, a faulty page and an echo of the request."""
    if request.path == "/metrics":
        return Response(200, TEXT, PAGE)
    if request.path == "/big":
        return Response(200, TEXT, BIG)
    if request.path == "/fault":
        raise LookupError("secret detail")
    if request.path == "/invalid":
        return Response(200, TEXT, b"", (("X-Bad", "a\r\nSet-Cookie: b"),))
    if request.path == "/unchanged":
        return Response(304, TEXT, b"", (("ETag", '"1"'),))
    if request.path.startswith("/echo"):
        text = f"{request.method} {request.path} {request.query} {request.headers.get('x-test', '')}"
        return Response(200, TEXT, text.encode())
    return Response(404, TEXT, b"no such page\n")


@contextmanager
def serving(
    respond: Responder = pages,
    *,
    limits: Limits | None = None,
    web_config: Path | None = None,
    listen: str = "127.0.0.1:0",
) -> Iterator[PageServer]:
    server = PageServer(parse_listen(listen), respond, limits=limits, web_config=web_config)
    server.start()
    try:
        yield server
    finally:
        server.close()
        assert not server.alive


def until(happened: Callable[[], bool], *, seconds: float = 30.0) -> None:
    """Poll until *happened*; fail at the deadline."""
    pause = threading.Event()
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        pause.wait(0.01)


@dataclass(frozen=True)
class Reply:
    """One parsed answer."""

    status: int
    headers: dict[str, str]
    body: bytes


class Client:
    """One connection. Reads exactly one answer at a time, so that pipelining is seen as it is."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._held = bytearray()

    @classmethod
    def to(cls, port: int, *, seconds: float = 10.0, receive_bytes: int | None = None) -> Client:
        sock = socket.socket()
        sock.settimeout(seconds)
        if receive_bytes is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        try:
            sock.connect(("127.0.0.1", port))
        except OSError:
            sock.close()
            raise
        return cls(sock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def get(self, path: str = "/metrics", *headers: str, method: str = "GET") -> Reply:
        lines = [f"{method} {path} HTTP/1.1", "Host: test", *headers, "", ""]
        self.send("\r\n".join(lines).encode())
        return self.reply(bodiless=method == "HEAD")

    def reply(self, *, bodiless: bool = False) -> Reply:
        while b"\r\n\r\n" not in self._held:
            self._more()
        head, _, self._held = self._held.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status = int(status_line.split(" ")[1])
        size = 0 if bodiless or status in (204, 304) else int(headers["content-length"])
        while len(self._held) < size:
            self._more()
        body, self._held = bytes(self._held[:size]), self._held[size:]
        return Reply(status, headers, body)

    def rest(self) -> bytes:
        """Read to the end of the connection; what came after the last answer."""
        while data := self.sock.recv(65_536):
            self._held += data
        return bytes(self._held)

    def closed(self) -> bool:
        """Whether the server has ended the connection, by FIN or reset, with nothing more to read."""
        try:
            return self.rest() == b""
        except ConnectionResetError:
            return True

    def _more(self) -> None:
        data = self.sock.recv(65_536)
        if not data:
            raise EOFError(f"the server closed after {bytes(self._held[:80])!r}")
        self._held += data


def fetch(port: int, path: str = "/metrics", *headers: str) -> Reply:
    """Get one page on a new connection."""
    with Client.to(port) as client:
        return client.get(path, *headers)
