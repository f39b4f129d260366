"""How bytes move on one accepted socket without ever waiting; it knows neither HTTP nor deadlines."""

from __future__ import annotations

import socket
from contextlib import suppress
from enum import Enum
from typing import Protocol

_SEND_BYTES = 131_072  # one client's share of a turn, so that a big body blocks nobody


class Wait(Enum):
    """What a connection waits for before it can go on."""

    NOTHING = 0  # somebody else will resume it
    READ = 1
    WRITE = 2
    TURN = 3  # nothing to wait for: the others first


class Transport(Protocol):
    """An accepted connection. Every method returns at once; all but ``finish`` and ``close`` raise OSError."""

    def fileno(self) -> int: ...

    def handshake(self) -> Wait | None:
        """Go on with what precedes the first byte of HTTP; None when that is done."""

    def recv(self, size: int) -> bytes | Wait:
        """Give up to *size* bytes, b"" at the end."""

    def send(self, data: memoryview) -> int | Wait:
        """Send a part of *data*; after a Wait the same data is to be offered again."""

    def finish(self) -> None:
        """Tell the client that nothing more will be sent; what it still sends can be read and thrown away."""

    def close(self) -> None: ...


class PlainTransport:
    """A TCP socket as it is."""

    __slots__ = ("_sock",)

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def fileno(self) -> int:
        return self._sock.fileno()

    def handshake(self) -> Wait | None:
        return None

    def recv(self, size: int) -> bytes | Wait:
        try:
            return self._sock.recv(size)
        except BlockingIOError:
            return Wait.READ

    def send(self, data: memoryview) -> int | Wait:
        try:
            return self._sock.send(data[:_SEND_BYTES])
        except BlockingIOError:
            return Wait.WRITE

    def finish(self) -> None:
        with suppress(OSError):  # the client has gone: there is nobody left to tell
            self._sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._sock.close()
