"""The sockets of the push endpoint and its one thread: who is let in, and for how long; what is said it hands on.

One mechanism for a Unix socket and for loopback. The page server of this program reads no bodies and knows no
callers, so it does not serve here.
"""

import errno
import logging
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from wattledger.rules.instant import NS_PER_SECOND

from .caller import Caller, UnknownCaller
from .push_wire import BODY_BYTES, HEAD_BYTES, PushWire, Refusal

_log = logging.getLogger(__name__)

_ACCEPTS_A_TURN = 32
_JOIN_SECONDS = 2.0
_DRAIN_BYTES = 65_536
_SHORTAGE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_PAUSE_SECONDS = 0.2  # how long the listeners rest when the process has no descriptor left

Answer = Callable[[bytes, Caller], tuple[int, dict[str, object]]]
"""Gives status and content for what a caller says; fast, and on the server's thread."""

Identify = Callable[[socket.socket], Caller]
"""Gives who is at the other end. Raises UnknownCaller."""


@dataclass(frozen=True, slots=True)
class PushLimits:
    """How much callers may take. `request_seconds` is for a whole message, from its first byte, or the connect."""

    connections: int = 64
    request_seconds: float = 5.0
    idle_seconds: float = 60.0
    write_seconds: float = 5.0
    linger_seconds: float = 1.0


class _Connection:
    """One caller. `deadline_ns` is when it must go; `since_ns` ranks it when places are short."""

    __slots__ = ("caller", "closing", "deadline_ns", "drained", "lingers", "out", "since_ns", "sock", "wire")

    def __init__(self, sock: socket.socket, now_ns: int, limits: PushLimits) -> None:
        self.sock = sock
        self.wire = PushWire()
        self.caller: Caller | None = None
        self.out = b""
        self.closing = False  # after what is to be written
        self.lingers = False  # all is written; what still comes is thrown away, or a reset could destroy the answer
        self.drained = 0
        self.since_ns = now_ns
        self.deadline_ns = now_ns + int(limits.request_seconds * NS_PER_SECOND)


class PushServer:
    """Serves listeners, which it owns, from one thread until `close`."""

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        answer: Answer,
        *,
        identify: Identify,
        limits: PushLimits | None = None,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._listeners = list(listeners)
        self._answer = answer
        self._identify = identify
        self._limits = limits or PushLimits()
        self._now_ns = monotonic_ns
        self._open: dict[int, _Connection] = {}
        self._selector = selectors.DefaultSelector()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._stop = threading.Event()
        self._rest_until_ns: int | None = None
        self._short = False  # of descriptors, and told so
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="push", daemon=True)

    @property
    def connections(self) -> int:
        """Give how many are connected."""
        return len(self._open)

    @property
    def alive(self) -> bool:
        """Tell whether the thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to serve."""
        self._selector.register(self._wake, selectors.EVENT_READ)
        for listener in self._listeners:
            self._selector.register(listener, selectors.EVENT_READ, listener)
        self._thread.start()

    def close(self) -> None:
        """Stop, and close every socket."""
        if self._stop.is_set():
            return
        self._stop.set()
        os.eventfd_write(self._wake, 1)
        if self._thread.ident is not None:
            self._thread.join(_JOIN_SECONDS)
        if not self._thread.is_alive():
            os.close(self._wake)

    def _run(self) -> None:
        while not self._stop.is_set():
            ready = self._selector.select(self._patience())
            now_ns = self._now_ns()
            knocked = []
            for key, _ in ready:
                if isinstance(key.data, _Connection):
                    self._guarded(key.data, now_ns)
                elif key.data is not None:
                    knocked.append(key.data)
            # After those already in: a message that has arrived is read before its place can be given away.
            for listener in knocked:
                self._let_in(listener, now_ns)
        for connection in list(self._open.values()):
            self._drop(connection)
        for listener in self._listeners:
            listener.close()
        self._selector.close()

    def _patience(self) -> float | None:
        """End what is overdue and give the seconds to the next deadline."""
        now_ns = self._now_ns()
        if self._rest_until_ns is not None and now_ns >= self._rest_until_ns:
            self._rest_until_ns = None
            for listener in self._listeners:
                self._selector.register(listener, selectors.EVENT_READ, listener)
        for connection in [one for one in self._open.values() if one.deadline_ns <= now_ns]:
            if connection.wire.begun and not connection.closing:
                refusal = Refusal(408, f"no whole message within {self._limits.request_seconds:g} s")
                self._refuse(connection, refusal)
                self._settle(connection)
            else:
                self._drop(connection)
        deadlines = [one.deadline_ns for one in self._open.values()]
        deadlines += [] if self._rest_until_ns is None else [self._rest_until_ns]
        return max(0, min(deadlines) - now_ns) / NS_PER_SECOND if deadlines else None

    def _let_in(self, listener: socket.socket, now_ns: int) -> None:
        if self._rest_until_ns is not None:
            return
        for _ in range(_ACCEPTS_A_TURN):
            try:
                sock, _ = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in _SHORTAGE:
                    continue  # the caller left while it queued: Linux reports its error here
                if self._open:
                    self._drop(min(self._open.values(), key=lambda one: one.since_ns))
                    continue
                # The knock stays; answering it before something is free would only spin.
                if not self._short:
                    _log.warning('push accept=short error="%s" cure="raise the open-file limit (LimitNOFILE)"', error)
                self._short = True
                for one in self._listeners:
                    self._selector.unregister(one)
                self._rest_until_ns = now_ns + int(_PAUSE_SECONDS * NS_PER_SECOND)
                return
            self._short = False
            sock.setblocking(False)
            if len(self._open) >= self._limits.connections:
                # Messages are answered as soon as they are whole, so who is here longest is idle, or slow.
                self._drop(min(self._open.values(), key=lambda one: one.since_ns))
            connection = _Connection(sock, now_ns, self._limits)
            self._open[sock.fileno()] = connection
            self._selector.register(sock, selectors.EVENT_READ, connection)

    def _guarded(self, connection: _Connection, now_ns: int) -> None:
        if self._open.get(connection.sock.fileno()) is not connection:
            return
        try:
            self._advance(connection, now_ns)
        except OSError:
            self._drop(connection)  # the caller has gone, and nobody can be told
            return
        except Exception as error:  # noqa: BLE001  (the loop's guard: a defect met by one ends nothing for others)
            if not self._failing:
                _log.exception("push connection=dropped error=%s", type(error).__name__)
            self._failing = True
            self._drop(connection)
            return
        self._settle(connection)

    def _advance(self, connection: _Connection, now_ns: int) -> None:
        if connection.out:
            self._send(connection)
            return
        try:
            data = connection.sock.recv(_DRAIN_BYTES if connection.lingers else HEAD_BYTES + BODY_BYTES)
        except BlockingIOError:
            return
        if connection.lingers:
            connection.drained += len(data)
            if not data or connection.drained > 16 * _DRAIN_BYTES:
                self._drop(connection)
            return
        if not data and not connection.wire.begun:
            self._drop(connection)
            return
        if not connection.wire.begun:
            self._until(connection, self._limits.request_seconds, now_ns)
        connection.wire.feed(data)
        self._converse(connection, now_ns)

    def _converse(self, connection: _Connection, now_ns: int) -> None:
        """Answer every message that is whole."""
        while not connection.closing:
            try:
                body = connection.wire.next_body()
                if body is None:
                    connection.out += connection.wire.continues()
                    break
            except Refusal as refusal:
                self._refuse(connection, refusal)
                return
            try:
                # Once for each connection: over TCP it costs a search.
                connection.caller = connection.caller or self._identify(connection.sock)
                status, content = self._answer(body, connection.caller)
            except UnknownCaller as error:
                status, content = 403, {"error": str(error)}
            connection.out += connection.wire.answer(status, content, close=False)
            self._until(connection, self._limits.write_seconds, now_ns)
            if not connection.wire.start_over():
                connection.closing = True
        self._send(connection)

    def _refuse(self, connection: _Connection, refusal: Refusal) -> None:
        connection.out += connection.wire.answer(refusal.status, {"error": refusal.message}, close=True)
        connection.closing = True
        self._until(connection, self._limits.write_seconds, self._now_ns())
        with suppress(OSError):  # it has gone: the selector will say so
            self._send(connection)

    def _send(self, connection: _Connection) -> None:
        try:
            while connection.out:
                connection.out = connection.out[connection.sock.send(connection.out) :]
        except BlockingIOError:
            return
        now_ns = self._now_ns()
        if connection.closing and not connection.lingers:
            connection.sock.shutdown(socket.SHUT_WR)
            connection.lingers = True
            self._until(connection, self._limits.linger_seconds, now_ns)
        elif not connection.closing and not connection.wire.begun:
            self._until(connection, self._limits.idle_seconds, now_ns)

    def _until(self, connection: _Connection, seconds: float, now_ns: int) -> None:
        connection.since_ns = now_ns
        connection.deadline_ns = now_ns + int(seconds * NS_PER_SECOND)

    def _settle(self, connection: _Connection) -> None:
        if self._open.get(connection.sock.fileno()) is connection:
            events = selectors.EVENT_WRITE if connection.out else selectors.EVENT_READ
            self._selector.modify(connection.sock, events, connection)

    def _drop(self, connection: _Connection) -> None:
        if self._open.pop(connection.sock.fileno(), None) is not None:
            self._selector.unregister(connection.sock)
            connection.sock.close()
