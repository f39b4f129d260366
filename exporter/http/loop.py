"""The server's one thread: who is let in, who is served next, who must go; it knows no HTTP and reads no files."""

from __future__ import annotations

import errno
import logging
import selectors
import socket
from collections.abc import Callable
from functools import partial

from .connection import Connection, Phase
from .desk import FrontDesk
from .mailbox import Mailbox
from .model import Limits, Responder, Response, brief
from .policy import PolicyFile
from .transport import PlainTransport, Wait

LOG = logging.getLogger(__name__)

_SECOND_NS = 1_000_000_000
_ACCEPTS_A_TURN = 64
_REPEAT_NS = 60 * _SECOND_NS
_SEND_BUFFER_BYTES = 262_144  # of the kernel, for one page at once: it starts at 16 kB, a system call for each
_PAUSE_NS = 200_000_000  # how long the listener rests when there is neither a descriptor nor a place to take back
_SHORTAGE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_EVENTS = {Wait.READ: selectors.EVENT_READ, Wait.WRITE: selectors.EVENT_WRITE}


class Loop:
    """Turns until told to stop. Invariant: an open connection is in ``_open``, and in the selector iff it waits."""

    def __init__(
        self,
        listener: socket.socket,
        respond: Responder,
        *,
        limits: Limits,
        web_config: PolicyFile | None,
        mailbox: Mailbox,
        monotonic_ns: Callable[[], int],
        wall_ns: Callable[[], int],
    ) -> None:
        self._listener = listener
        self._limits = limits
        self._mailbox = mailbox
        self._now_ns = monotonic_ns
        self._open: dict[int, Connection] = {}
        self._next_turn: list[Connection] = []
        self._events: dict[int, int] = {}
        self._selector = selectors.DefaultSelector()
        self._accepting = False
        self._accept_again_ns: int | None = None
        self._shortage_note_ns = 0
        self._stop_ns: int | None = None
        self.desk = FrontDesk(
            respond,
            limits=limits,
            web_config=web_config,
            make_room=self._evict_busy,
            in_flight=self._in_flight,
            resume=self._resume,
            drop_idle=self._drop_unasked,
            monotonic_ns=monotonic_ns,
            wall_ns=wall_ns,
        )

    @property
    def connections(self) -> int:
        return len(self._open)

    def run(self) -> None:
        """Serve until ``stop`` has been called through the mailbox; then close everything."""
        self._selector.register(self._mailbox.fileno(), selectors.EVENT_READ, self._mailbox)
        self._listen(on=True)
        try:
            while self._stop_ns is None or (self._open and self._now_ns() < self._stop_ns):
                self._turn()
        finally:
            self._shut()

    def stop(self) -> None:
        """Let nobody in, let those go who ask nothing, give answers under way a moment."""
        self._stop_ns = self._now_ns() + int(self._limits.close_seconds * _SECOND_NS)
        self._listen(on=False)
        self._listener.close()
        self.desk.closing = True
        self._drop_unasked()

    def _turn(self) -> None:
        ready = self._selector.select(self._patience())
        now_ns = self._now_ns()
        somebody_knocks = False
        for key, _ in ready:
            if isinstance(key.data, Connection):
                self._advance(key.data, now_ns)
            elif key.data is self._mailbox:
                self._mailbox.run()
            else:
                somebody_knocks = True
        waiting, self._next_turn = self._next_turn, []
        for connection in waiting:
            self._advance(connection, now_ns)
        # After those already in: a request that has arrived is read before its place can be given away.
        if somebody_knocks and self._stop_ns is None:
            self._let_in(now_ns)

    def _patience(self) -> float | None:
        """End what is overdue and give the seconds to the next deadline; None when there is none."""
        now_ns = self._now_ns()
        if self._accept_again_ns is not None and now_ns >= self._accept_again_ns:
            self._listen(on=True)
        for connection in [one for one in self._open.values() if one.deadline_ns <= now_ns]:
            self._guarded(connection, partial(connection.expire, now_ns))
        deadlines = [connection.deadline_ns for connection in self._open.values()]
        deadlines += [at_ns for at_ns in (self._accept_again_ns, self._stop_ns) if at_ns is not None]
        if self._next_turn:
            return 0
        return max(0, min(deadlines) - now_ns) / _SECOND_NS if deadlines else None

    def _advance(self, connection: Connection, now_ns: int) -> None:
        if connection.phase is not Phase.CLOSED:  # it may have been evicted earlier in this turn
            self._guarded(connection, partial(connection.advance, now_ns))

    def _resume(self, connection: Connection, response: Response) -> None:
        self._guarded(connection, partial(connection.resume, response, self._now_ns()))

    def _guarded(self, connection: Connection, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # the loop's guard: a defect met by one client must not end the service for others
            LOG.exception("http connection=dropped error=%s", type(error).__name__)
            connection.drop()
        self._settle(connection)

    def _settle(self, connection: Connection) -> None:
        """Make selector and table agree with what the connection waits for."""
        fd = connection.transport.fileno()
        closed = connection.phase is Phase.CLOSED
        self._watch(fd, 0 if closed else _EVENTS.get(connection.wait, 0), connection)
        if closed:
            if self._open.pop(fd, None) is not None:
                connection.transport.close()
        elif connection.wait is Wait.TURN and connection not in self._next_turn:
            self._next_turn.append(connection)

    def _watch(self, fd: int, events: int, connection: Connection) -> None:
        watched = self._events.get(fd, 0)
        if events == watched:
            return
        if not events:
            self._selector.unregister(fd)
            del self._events[fd]
            return
        if watched:
            self._selector.modify(fd, events, connection)
        else:
            self._selector.register(fd, events, connection)
        self._events[fd] = events

    def _let_in(self, now_ns: int) -> None:
        self.desk.follow_web_config()
        for _ in range(_ACCEPTS_A_TURN):
            try:
                sock, _ = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in _SHORTAGE:
                    continue  # the client left while it queued: Linux reports its error here
                self._note_shortage(error, now_ns)
                if self._evict():
                    continue
                # The knock stays; answering it before something is free would only spin.
                self._listen(on=False)
                self._accept_again_ns = now_ns + _PAUSE_NS
                return
            self._welcome(sock, now_ns)

    def _welcome(self, sock: socket.socket, now_ns: int) -> None:
        self.desk.tally.connections += 1
        crowded = len(self._open) >= self._limits.connections and not self._evict()
        tls = self.desk.policy.tls
        if crowded:
            self.desk.tally.refused += 1
            if tls is not None:
                sock.close()  # a handshake only to say no would cost more than serving
                return
        try:
            sock.settimeout(0)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
            transport = PlainTransport(sock) if tls is None else tls.wrap(sock)
        except OSError:
            sock.close()  # reset before we could look at it
            return
        connection = Connection(transport, self.desk, policy=self.desk.policy, limits=self._limits, now_ns=now_ns)
        self._open[transport.fileno()] = connection
        if crowded:
            response = brief(503, "too many connections", ("Retry-After", "1"))
            self._guarded(connection, partial(connection.refuse, response, now_ns))
        else:
            self._advance(connection, now_ns)  # the request often comes with the handshake

    def _evict(self) -> bool:
        """Take back the place that will be missed least; False when every client is being served."""
        return self._give_up(list(self._open.values()))

    def _evict_busy(self) -> bool:
        """Take back the place of an answer that has long been under way; False when there is none."""
        return self._give_up([one for one in self._open.values() if one.busy])

    def _give_up(self, candidates: list[Connection]) -> bool:
        now_ns = self._now_ns()
        ranked = [(worth, index) for index, one in enumerate(candidates) if (worth := one.worth(now_ns)) is not None]
        if not ranked:
            return False
        self.desk.tally.evicted += 1
        self._drop(candidates[min(ranked)[1]])
        return True

    def _drop_unasked(self) -> None:
        for connection in [one for one in self._open.values() if not one.busy]:
            self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        connection.drop()
        self._settle(connection)

    def _in_flight(self) -> int:
        return sum(connection.busy for connection in self._open.values())

    def _listen(self, *, on: bool) -> None:
        if on and not self._accepting:
            self._selector.register(self._listener, selectors.EVENT_READ, self._listener)
        elif self._accepting and not on:
            self._selector.unregister(self._listener)
        self._accepting = on
        self._accept_again_ns = None

    def _note_shortage(self, error: OSError, now_ns: int) -> None:
        if now_ns >= self._shortage_note_ns:
            self._shortage_note_ns = now_ns + _REPEAT_NS
            LOG.warning(
                'http accept=short error="%s" cure="raise the open-file limit (ulimit -n, LimitNOFILE)"', error
            )

    def _shut(self) -> None:
        for connection in list(self._open.values()):
            self._drop(connection)
        self._listen(on=False)
        self._listener.close()
        self._selector.close()
        self.desk.policy.close()
        self._mailbox.close()
