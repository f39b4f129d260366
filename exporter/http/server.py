"""The page server as its owner sees it: start, where it is, what it counted, close; the work is done in ``loop``."""

from __future__ import annotations

import dataclasses
import logging
import resource
import threading
import time
from collections.abc import Callable
from pathlib import Path

from .listen import ListenAddress, open_listener
from .loop import Loop
from .mailbox import Mailbox
from .model import Limits, Responder, ServerStats
from .policy import PolicyFile

LOG = logging.getLogger(__name__)

_JOIN_SECONDS = 0.5  # beyond Limits.close_seconds


class PageServer:
    """Serves ready-made pages over HTTP/1.1 from one thread; TLS and passwords as the web config says."""

    def __init__(
        self,
        listen: ListenAddress,
        respond: Responder,
        *,
        limits: Limits | None = None,
        web_config: Path | None = None,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._listen = listen
        self._respond = respond
        self._limits = limits or Limits()
        self._web_config = web_config
        self._monotonic_ns = monotonic_ns
        self._wall_ns = wall_ns
        self._port = listen.port
        self._policies: PolicyFile | None = None
        self._loop: Loop | None = None
        self._mailbox: Mailbox | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Read the web config, bind, and serve. Raises WebConfigError and ListenError."""
        if self._thread is not None:
            raise RuntimeError("the server was started before; make a new one")
        limits = _within_open_files(self._limits)
        mailbox = Mailbox()
        try:
            if self._web_config is not None:
                self._policies = PolicyFile(
                    self._web_config, deliver=mailbox.put, limits=limits, wall_ns=self._wall_ns
                )
            listener = open_listener(self._listen)
        except BaseException:  # an interrupt too must not leave descriptors behind; it is raised again
            mailbox.close()
            raise
        self._port = listener.getsockname()[1]
        self._mailbox = mailbox
        self._loop = Loop(
            listener,
            self._respond,
            limits=limits,
            web_config=self._policies,
            mailbox=mailbox,
            monotonic_ns=self._monotonic_ns,
            wall_ns=self._wall_ns,
        )
        self._thread = threading.Thread(target=self._loop.run, name="http", daemon=True)
        self._thread.start()
        LOG.info("http listening=%s url=%s", self._listen, self.url)

    @property
    def port(self) -> int:
        """The port it listens on; the chosen one after ``start`` where 0 was asked for."""
        return self._port

    @property
    def url(self) -> str:
        """The address as a client on this machine writes it; the scheme follows the web config."""
        return f"{self.scheme}://{self._listen.reach}:{self._port}"

    @property
    def scheme(self) -> str:
        """Whether clients write http or https; it changes with the web config."""
        return "https" if self._policies is not None and self._policies.policy.tls is not None else "http"

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def stats(self) -> ServerStats:
        """Give the counts; callable from any thread."""
        if self._loop is None:
            return ServerStats()
        tally = self._loop.desk.tally
        return ServerStats(
            connections_open=self._loop.connections,
            connections_total=tally.connections,
            refused_total=tally.refused,
            evicted_total=tally.evicted,
            timed_out_total=tally.timed_out,
            handshake_failures_total=tally.handshake_failures,
            responder_failures_total=tally.responder_failures,
            web_config_ok=None if self._policies is None else self._policies.ok,
            requests_total=dict(tally.by_status),  # one bytecode, so no other thread changes it meanwhile
        )

    def close(self) -> None:
        """Stop within a second: nobody new, answers under way get a moment. May be called twice."""
        if self._loop is None or self._mailbox is None or self._thread is None:
            return
        self._mailbox.put(self._loop.stop)
        self._thread.join(self._limits.close_seconds + _JOIN_SECONDS)


def _within_open_files(limits: Limits) -> Limits:
    """Leave half of the open-file limit to the rest of the process."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = max(1, soft // 2) if soft != resource.RLIM_INFINITY else limits.connections
    if limits.connections <= most:
        return limits
    LOG.info("http connections=%d wanted=%d open_files=%d", most, limits.connections, soft)
    return dataclasses.replace(limits, connections=most)
