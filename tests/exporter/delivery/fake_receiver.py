"""A receiver of alerts on a real loopback socket: it keeps what it accepted and fails as it is told."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

import h11


@dataclass(frozen=True)
class Received:
    """One whole request."""

    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """How the receiver answers: *cut_after* bytes it hangs up, with *hang* it says nothing until the end,
    with *wait* not before `release`; with *drip* it sends a byte every 20 ms.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    cut_after: int | None = None
    hang: bool = False
    wait: bool = False
    drip: bool = False

    def wire(self) -> bytes:
        headers = [*self.headers, ("Content-Length", str(len(self.body))), ("Connection", "close")]
        lines = [f"HTTP/1.1 {self.status} Said", *(f"{name}: {value}" for name, value in headers), "", ""]
        return ("\r\n".join(lines).encode() + self.body)[: self.cut_after]


class FakeReceiver:
    """Accepts connections until closed. `seen` has every whole request, `accepted` those answered with 2xx."""

    def __init__(self, *, port: int = 0, reply: Reply | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.reply = reply or Reply()
        self.reply_to: Callable[[Received], Reply] = lambda _request: self.reply
        self.seen: list[Received] = []
        self.accepted: list[Received] = []
        self._tls = tls
        self._over = threading.Event()
        self._released = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._threads = [threading.Thread(target=self._accept, name="fake-receiver")]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(10)
        self._listener.close()

    def release(self) -> None:
        """Let the answers go that wait."""
        self._released.set()

    def alerts(self) -> list[dict[str, Any]]:
        """Give the alerts of the accepted requests in order."""
        requests = [request.json for request in list(self.accepted)]
        return [alert for body in requests for alert in (body if isinstance(body, list) else body["alerts"])]

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(sock,), name="fake-receiver-connection")
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        sock.settimeout(10)
        try:
            with sock if self._tls is None else self._tls.wrap_socket(sock, server_side=True) as channel:
                request = _read(channel)
                if request is None:
                    return
                reply = self.reply_to(request)
                self.seen.append(request)
                if reply.hang:
                    self._over.wait(30)
                    return
                if reply.wait:
                    self._released.wait(10)
                if 200 <= reply.status < 300 and reply.cut_after is None:
                    self.accepted.append(request)
                for part in _parts(reply):
                    channel.sendall(part)
                    self._over.wait(0.02 if reply.drip else 0)
        except (OSError, h11.RemoteProtocolError):  # the client left, speaks otherwise, or is not let in
            sock.close()


def _parts(reply: Reply) -> list[bytes]:
    wire = reply.wire()
    return [wire[at : at + 1] for at in range(len(wire))] if reply.drip else [wire]


def _read(channel: socket.socket) -> Received | None:
    wire = h11.Connection(h11.SERVER)
    head: h11.Request | None = None
    body = b""
    while True:
        event = wire.next_event()
        if event is h11.NEED_DATA:
            wire.receive_data(channel.recv(65_536))
        elif isinstance(event, h11.Request):
            if event.method != b"POST":
                return None  # a scraper of another test, whose target had this port before
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            headers = {name.decode().lower(): value.decode("latin-1") for name, value in head.headers}
            return Received(head.target.decode(), headers, body)
        else:
            return None
