"""A proxy on loopback that leads every request to one server, whatever host it names; it speaks CONNECT and plain."""

import socket
import threading
from contextlib import suppress
from typing import Self

_HEAD_END = b"\r\n\r\n"


class TinyProxy:
    """Listens until closed. `heads` are the heads of what it was asked, `status` what it says to a CONNECT."""

    def __init__(self, port: int, *, status: str = "200 Connected") -> None:
        self.heads: list[str] = []
        self._status = status
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client, socket.create_connection(("127.0.0.1", self._server_port)) as server:
            head = b""
            while _HEAD_END not in head and (part := client.recv(4096)):
                head += part
            self.heads.append(head.decode())
            if head.startswith(b"CONNECT "):
                client.sendall(f"HTTP/1.1 {self._status}\r\n\r\n".encode())
            else:
                server.sendall(head)
            if self._status.startswith("200"):
                threading.Thread(target=_pump, args=(client, server), daemon=True).start()
                _pump(server, client)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while part := source.recv(4096):
            target.sendall(part)
        target.shutdown(socket.SHUT_WR)
