"""The local push endpoint as an input: `POST /v1/tokens` on a Unix socket or loopback.

It puts together the sockets, the conversation, the identity of callers (which the kernel tells) and the jobs.
"""

import logging
import socket
from collections.abc import Callable

from wattledger.rules.instant import Instant
from wattledger.rules.tokens.model import Service, TokenRead

from .base import InputProblem, Pulse, job
from .caller import Caller, caller_of
from .processes import Processes
from .push_desk import Denied, PushDesk
from .push_listen import listen_loopback, listen_unix, remove_unix
from .push_server import PushLimits, PushServer
from .settings import PushSettings

_log = logging.getLogger(__name__)


class PushInput:
    """Listens from `start` to `close`. *now* gives the moment at which a push came."""

    def __init__(
        self,
        settings: PushSettings,
        *,
        now: Callable[[], Instant],
        processes: Processes | None = None,
        limits: PushLimits | None = None,
    ) -> None:
        self._settings = settings
        self._processes = processes or Processes()
        self._limits = limits
        # The other thread looks at families; this one only at single processes.
        self._desk = PushDesk(self._processes, now=now)
        self._pulses: dict[str, Pulse] = {}
        self._server: PushServer | None = None
        self._port: int | None = None
        self._file: tuple[int, int] | None = None

    def start(self) -> None:
        """Listen and serve. Raises ListenError with the place and the cure."""
        if self._server is not None:
            raise RuntimeError("the input was started before; make a new one")
        listeners: list[socket.socket] = []
        try:
            if self._settings.listen is not None:
                listeners.append(listen_loopback(self._settings.listen))
                self._port = listeners[-1].getsockname()[1]
            if (path := self._settings.unix_socket) is not None:
                listeners.append(listen_unix(path, group=self._settings.group))
                status = path.lstat()
                self._file = status.st_dev, status.st_ino
        except BaseException:  # an interrupt too must not leave sockets behind; it is raised again
            for listener in listeners:
                listener.close()
            raise
        self._server = PushServer(listeners, self._answer, identify=self._identify, limits=self._limits)
        self._server.start()
        _log.info("push listening=%s port=%s", self._settings.unix_socket or "-", self._port or "-")

    @property
    def port(self) -> int | None:
        """Give the port of loopback that it listens on, None for none."""
        return self._port

    def look(self, now: Instant) -> tuple[tuple[Service, ...], tuple[TokenRead, ...]]:
        """Give the jobs that live, and counters that were pushed since the last look."""
        services: list[Service] = []
        reads: list[TokenRead] = []
        pulses: dict[str, Pulse] = {}
        for pushed in self._desk.jobs():
            pids = self._processes.family(pushed.pids, now)
            detail = "" if pushed.counts else "no process of the job has pushed tokens_total yet"
            services.append(job(pushed.name, "push", pids=pids, detail=detail))
            pulse = pulses[pushed.name] = self._pulses.get(pushed.name) or Pulse()
            if pushed.counts:
                reads += pulse.read(
                    pushed.name, now, counts=pushed.counts, process=pushed.process, moved=pushed.moved
                )
        self._pulses = pulses
        return tuple(services), tuple(reads)

    def problems(self) -> tuple[InputProblem, ...]:
        """Give what is wrong: whoever pushes nonsense hears of it in the answer."""
        if self._server is None or self._server.alive:
            return ()
        return (InputProblem(str(self._settings.unix_socket or self._settings.listen), "the endpoint has ended"),)

    def close(self) -> None:
        """Stop, and take the socket file away."""
        if self._server is not None:
            self._server.close()
        if self._settings.unix_socket is not None and self._file is not None:
            remove_unix(self._settings.unix_socket, self._file)
            self._file = None

    def _identify(self, sock: socket.socket) -> Caller:
        return caller_of(sock, self._processes)

    def _answer(self, body: bytes, caller: Caller) -> tuple[int, dict[str, object]]:
        try:
            return 200, self._desk.take(body, caller)
        except Denied as denied:
            return denied.status, {"error": str(denied)}
