"""A connection of our own to another program: within one deadline, address after address, one HTTP event at a time.

Imported only when something is asked or sent.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

import h11

from wattledger.rules.instant import NS_PER_SECOND

_RECEIVE_BYTES = 1 << 18

Wrap = Callable[[socket.socket], socket.socket]
"""Puts TLS on a connected socket; raises OSError."""


class Deadline:
    """How much time is left of *timeout_ns*."""

    def __init__(self, timeout_ns: int, monotonic_ns: Callable[[], int]) -> None:
        self._monotonic_ns = monotonic_ns
        self._end_ns = monotonic_ns() + timeout_ns

    def left_seconds(self) -> float:
        """Give it. Raises TimeoutError where none is."""
        left_ns = self._end_ns - self._monotonic_ns()
        if left_ns <= 0:
            raise TimeoutError
        return left_ns / NS_PER_SECOND


def connected(host: str, port: int, deadline: Deadline, *, device: str = "") -> socket.socket:
    """Give a socket that is connected to *host*; with *device* over that interface or not at all.

    Raises OSError, and UnicodeError for a name that is none. A look-up of the name cannot be cut short.
    """
    # As bytes the host spares the process the tables of IDNA.
    found = socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)
    failure: OSError | None = None
    for index, (family, kind, protocol, _, place) in enumerate(found):
        sock = socket.socket(family, kind, protocol)
        try:
            if device:
                # Routes may change after they were looked at: an address that its container gave up must not lead
                # to a host of the network outside.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
            # One address that swallows packets must not use up the time of the others.
            sock.settimeout(deadline.left_seconds() / (len(found) - index))
            sock.connect(place)
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise failure or OSError(f"no address for {host}")


def send(sock: socket.socket, content: bytes, deadline: Deadline) -> None:
    """Send all of *content*. Raises OSError."""
    unsent = memoryview(content)
    while unsent:
        sock.settimeout(deadline.left_seconds())
        unsent = unsent[sock.send(unsent) :]


def answer_head(sock: socket.socket, wire: h11.Connection, deadline: Deadline) -> h11.Response:
    """Give the head of the answer, what comes before it left out. Raises OSError, h11.RemoteProtocolError."""
    while True:
        event = next_event(sock, wire, deadline)
        if isinstance(event, h11.Response):
            return event
        if not isinstance(event, h11.InformationalResponse):
            raise h11.RemoteProtocolError("the connection ended before an answer")


def next_event(sock: socket.socket, wire: h11.Connection, deadline: Deadline) -> object:
    """Give what comes next of an answer. Raises OSError, h11.RemoteProtocolError."""
    while (event := wire.next_event()) is h11.NEED_DATA:
        sock.settimeout(deadline.left_seconds())
        wire.receive_data(sock.recv(_RECEIVE_BYTES))
    return event


def reason_of(error: OSError) -> str:
    """Give why there is no connection; of a certificate OpenSSL says what is wrong in an attribute of its own."""
    return getattr(error, "verify_message", None) or error.strerror or str(error)
