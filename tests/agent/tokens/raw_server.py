"""A server on loopback that answers with the bytes, and at the pace, that a test wants."""

import socket
import ssl
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from wattledger.agent.tokens.fetch import Target

Answer = Callable[[socket.socket, threading.Event], object]
"""Answers one connection, whose request was read. The event is set when the test is over."""


class RawServer:
    """Accepts connections one after the other, each on its thread. `requests` are the heads that came."""

    def __init__(self, answer: Answer, tls: ssl.SSLContext | None = None) -> None:
        self._answer = answer
        self._tls = tls
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.requests: list[bytes] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def target(self) -> Target:
        """Give where it is."""
        return Target("127.0.0.1", self.port)

    def close(self) -> None:
        """Answer nothing more."""
        self._over.set()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        try:
            with plain, self._wrapped(plain) as sock:
                head = b""
                while b"\r\n\r\n" not in head and (part := sock.recv(4096)):
                    head += part
                self.requests.append(head)
                self._answer(sock, self._over)
        except OSError:
            return  # the other side has had enough

    def _wrapped(self, plain: socket.socket) -> socket.socket:
        return plain if self._tls is None else self._tls.wrap_socket(plain, server_side=True)


@contextmanager
def serving(answer: Answer | bytes, tls: ssl.SSLContext | None = None) -> Iterator[RawServer]:
    """Run a server for as long as the block lasts. Bytes are sent as they are, and the connection ends."""
    server = RawServer(answer if callable(answer) else lambda sock, _: sock.sendall(answer), tls)
    try:
        yield server
    finally:
        server.close()


def ok(body: bytes, *headers: str) -> bytes:
    """Give a whole answer."""
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def passing_on(port: int) -> Answer:
    """Answer with whatever the server at *port* has at /metrics, as a web server in front of it does."""

    def answer(sock: socket.socket, _: threading.Event) -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
            sock.sendall(ok(page.read()))

    return answer
