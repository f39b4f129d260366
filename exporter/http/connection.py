"""One client from accept to close: its steps, its deadlines, what it waits for; it decides no answer, no policy."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from enum import StrEnum
from typing import Protocol

import h11

from .model import Limits, Request, Response, brief
from .transport import Transport, Wait
from .wire import Refused, Wire

_STEPS_A_TURN = 16
_DRAIN_BYTES = 65_536
_DRAIN_TOTAL_BYTES = 1_048_576  # what a refused client may still send before the socket is simply closed
_SECOND_NS = 1_000_000_000


class Phase(StrEnum):
    """Where a connection stands."""

    HANDSHAKE = "handshake"
    HEAD = "head"
    CHECK = "check"
    WRITE = "write"
    LINGER = "linger"
    CLOSED = "closed"


class Desk(Protocol):
    """Who answers: the server, as one connection sees it."""

    def ask(self, connection: Connection, request: Request) -> Response | None:
        """Answer now, or give None and call ``resume`` later."""

    def common_headers(self) -> Iterable[tuple[str, str]]: ...

    def keeps(self, connection: Connection) -> bool:
        """Whether the connection may stay open after its answer."""

    def answered(self, status: int) -> None: ...

    def unusable(self, response: Response, error: h11.LocalProtocolError) -> None:
        """Take note that *response* is not valid HTTP."""

    def handshake_failed(self, error: OSError) -> None: ...

    def timed_out(self) -> None: ...


class Connection:
    """One client. The owner calls a method, then looks at ``phase`` and ``wait``; CLOSED is final.

    Closing is the owner's: the socket must leave the selector before its descriptor is free for others.
    """

    __slots__ = (
        "_desk",
        "_drained_bytes",
        "_limits",
        "_now_ns",
        "_out",
        "_wire",
        "deadline_ns",
        "phase",
        "policy",
        "serial",
        "served",
        "since_ns",
        "transport",
        "wait",
    )

    def __init__(self, transport: Transport, desk: Desk, *, policy: object, limits: Limits, now_ns: int) -> None:
        self.transport = transport
        self.policy = policy  # under which it was accepted; the desk closes it when another is in force
        self.phase = Phase.HANDSHAKE
        self.wait = Wait.READ
        self.served = False  # whether a page was ever delivered: strangers give way first
        self.serial = 0  # which request is being checked, so that a late result meets no other request
        self._desk = desk
        self._limits = limits
        self._now_ns = self.since_ns = now_ns
        self.deadline_ns = now_ns + int(limits.request_seconds * _SECOND_NS)
        self._wire: Wire | None = None
        self._out: deque[memoryview] = deque()
        self._drained_bytes = 0

    @property
    def busy(self) -> bool:
        """Whether a request is in flight."""
        return self.phase in (Phase.CHECK, Phase.WRITE)

    def worth(self, now_ns: int) -> tuple[int, int] | None:
        """Rank for eviction, lowest first; None when the place may not be taken.

        Those that never got a page and hold a place without a request go first, then idle known clients, then
        answers that have long been under way; within each, who has been there longest. Progress does not
        count: a client that reads one byte a second makes some, and forty of them would lock out the rest.
        """
        if self.phase in (Phase.CHECK, Phase.CLOSED):
            return None
        if self.phase is Phase.WRITE:
            slow = now_ns - self.since_ns >= self._limits.unhurried_seconds * _SECOND_NS
            return (2, self.since_ns) if slow else None
        return (1 if self.served and self.phase is Phase.HEAD else 0, self.since_ns)

    def advance(self, now_ns: int) -> None:
        """Go as far as possible without waiting."""
        self._now_ns = now_ns
        try:
            for _ in range(_STEPS_A_TURN):
                wait = self._step()
                if wait is not None:
                    self.wait = wait
                    return
        except OSError:
            # A reset or a broken TLS record: the client is gone and nobody can be told.
            self.drop()
            return
        self.wait = Wait.TURN

    def resume(self, response: Response, now_ns: int) -> None:
        """Give the answer that ``ask`` left open."""
        self._now_ns = now_ns
        self._start_answer(response, close=False)
        self.advance(now_ns)

    def refuse(self, response: Response, now_ns: int) -> None:
        """Answer before anything was asked, then close."""
        self._now_ns = now_ns
        self._start_answer(response, close=True)
        self.advance(now_ns)

    def expire(self, now_ns: int) -> None:
        """The deadline has passed: say so where somebody listens, and end."""
        idle = self.phase is Phase.HEAD and not self._begun
        if not idle and self.phase is not Phase.LINGER:
            self._desk.timed_out()
        if self.phase is Phase.HEAD and not idle:
            self.refuse(brief(408), now_ns)
        elif self.phase is Phase.CHECK:
            self.refuse(brief(503, "the password check took too long", ("Retry-After", "1")), now_ns)
        else:
            self.drop()

    def drop(self) -> None:
        """End without another word."""
        self.phase = Phase.CLOSED
        self.wait = Wait.NOTHING
        self._out.clear()

    @property
    def _begun(self) -> bool:
        return self._wire is not None and self._wire.begun

    def _step(self) -> Wait | None:
        match self.phase:
            case Phase.HANDSHAKE:
                return self._shake_hands()
            case Phase.HEAD:
                return self._read_head()
            case Phase.WRITE:
                return self._write()
            case Phase.LINGER:
                return self._drain()
            case _:
                return Wait.NOTHING

    def _shake_hands(self) -> Wait | None:
        try:
            wait = self.transport.handshake()
        except OSError as error:
            self._desk.handshake_failed(error)
            self._linger()
            return None
        if wait is None:
            self.phase = Phase.HEAD
        return wait

    def _read_head(self) -> Wait | None:
        wire = self._wire
        if wire is not None and wire.begun:
            try:
                request = wire.next_request()
            except Refused as refused:
                self._start_answer(refused.response, close=True)
                return None
            if request is not None:
                return self._ask(request)
        # h11's state is made with the first byte: a half-open connection costs its socket and little else.
        data = self.transport.recv(wire.room if wire is not None else self._limits.header_bytes + 1)
        if isinstance(data, Wait):
            return data
        if not data:
            self.drop()
            return Wait.NOTHING
        if wire is None:
            wire = self._wire = Wire(self._limits)
        elif not wire.begun:
            self._until(self._limits.request_seconds)
        wire.feed(data)
        return None

    def _ask(self, request: Request) -> Wait | None:
        self.phase = Phase.CHECK
        self.serial += 1
        self._until(self._limits.write_seconds)
        response = self._desk.ask(self, request)
        if response is None:
            return Wait.NOTHING
        self._start_answer(response, close=False)
        return None

    def _start_answer(self, response: Response, *, close: bool) -> None:
        if self._wire is None:
            self._wire = Wire(self._limits)
        close = close or not self._desk.keeps(self)
        extra = list(self._desk.common_headers())
        try:
            chunks = self._wire.answer(response, extra, close=close)
        except h11.LocalProtocolError as error:
            self._desk.unusable(response, error)
            response = brief(500)
            chunks = self._wire.answer(response, extra, close=True)
        self._desk.answered(response.status)
        self.served = self.served or response.status < 400
        self._out.extend(map(memoryview, chunks))
        self.phase = Phase.WRITE
        self._until(self._limits.write_seconds)

    def _write(self) -> Wait | None:
        while self._out:
            sent = self.transport.send(self._out[0])
            if isinstance(sent, Wait):
                return sent
            if sent < len(self._out[0]):
                self._out[0] = self._out[0][sent:]
                return None
            self._out.popleft()
        if self._wire is not None and self._wire.start_over():
            self.phase = Phase.HEAD
            self._until(self._limits.request_seconds if self._begun else self._limits.idle_seconds)
        else:
            self._linger()
        return None

    def _linger(self) -> None:
        # Closing over unread bytes would send a reset, which can destroy the answer on its way (RFC 9112 9.6).
        self.transport.finish()
        self.phase = Phase.LINGER
        self._until(self._limits.linger_seconds)

    def _drain(self) -> Wait | None:
        data = self.transport.recv(_DRAIN_BYTES)
        if isinstance(data, Wait):
            return data
        self._drained_bytes += len(data)
        if not data or self._drained_bytes > _DRAIN_TOTAL_BYTES:
            self.drop()
        return None

    def _until(self, seconds: float) -> None:
        self.since_ns = self._now_ns
        self.deadline_ns = self._now_ns + int(seconds * _SECOND_NS)
