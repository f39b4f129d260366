"""Reads the page of each service every few seconds, none later for another that is slow; it finds no services."""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.tokens.model import TokenRead, Withheld
from wattledger.rules.tokens.server import ServerFacts, ServerSpec

from ..clock import Clock
from .access import Access
from .crew import Crew
from .reader import PageReader, ReadError, Told
from .tree import ProcessFiles

_log = logging.getLogger(__name__)
_Item = TypeVar("_Item")

_WORKERS = 4
_MOST_BACKOFF_NS = 60 * NS_PER_SECOND
_MOST_WAITING = 8192  # reads that nobody has taken: hours of one service
_MODEL_TRIES = 3
# A page that is dear to read is read more seldom: no server may cost more than a twentieth of a core.
_REST_FACTOR = 20


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that was started as a server. `start`, in clock ticks since boot, tells it from a later one."""

    pid: int
    start: int

    @property
    def key(self) -> str:
        """Give its identity."""
        return f"{self.pid}:{self.start}"


@dataclass(frozen=True, slots=True)
class Source:
    """What is to be read. `paths` are tried until one is known; `kind` is the key in the catalogue, where that is."""

    name: str
    access: Access
    paths: tuple[str, ...]
    kind: str = ""
    owner: Owner | None = None

    @property
    def is_settled(self) -> bool:
        """Tell whether it is known what is read, and where."""
        return bool(self.kind) and len(self.paths) == 1


@dataclass(frozen=True, slots=True)
class Status:
    """How reading a service goes. `facts` and `spec` are what it told last; `problem` is None while all goes well.

    `peer` is who answered, by number.
    """

    spec: ServerSpec | None = None
    facts: ServerFacts | None = None
    problem: Withheld | None = None
    detail: str = ""
    peer: tuple[str, int] | None = None
    was_tried: bool = False

    @property
    def is_up(self) -> bool:
        """Tell whether the last read succeeded."""
        return self.was_tried and self.problem is None


class _Desk:
    """What is kept of one service. Worked on by one task at a time."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.status = Status()
        self.due_ns = 0
        self.in_flight = False
        self.failures = 0
        self.spec: ServerSpec | None = None  # with the path, once both are known
        self.path = ""
        self.process = ""  # whose command and model these are
        self.command: tuple[str, ...] = ()
        self.model = ""
        self.model_tries = 0


class Scraper:
    """Reads services by a few threads of its own. All methods but `drain` are for one thread; none of them waits."""

    def __init__(
        self,
        clock: Clock,
        reader: PageReader,
        *,
        files: ProcessFiles,
        interval_ns: int,
        notify: Callable[[], None] = lambda: None,
    ) -> None:
        self._clock = clock
        self._reader = reader
        self._files = files
        self._interval_ns = interval_ns
        self._notify = notify
        self._tick_ns = NS_PER_SECOND // os.sysconf("SC_CLK_TCK")
        self._crew = Crew("token-pages", _WORKERS)
        self._desks: dict[str, _Desk] = {}
        self._reads: deque[TokenRead] = deque(maxlen=_MOST_WAITING)
        self._ended: deque[Owner] = deque(maxlen=_MOST_WAITING)

    def apply(self, interval_ns: int) -> None:
        """Go on with another interval."""
        self._interval_ns = interval_ns

    def set_sources(self, sources: Iterable[Source]) -> None:
        """Read these from now on, and no others."""
        desks: dict[str, _Desk] = {}
        for source in sources:
            desk = self._desks.get(source.name)
            if desk is None or desk.source.access is not source.access or desk.source.kind != source.kind:
                desk = _Desk(source)
            elif desk.source.owner != source.owner:
                desk.due_ns = 0
            desk.source = source
            desks[source.name] = desk
        self._desks = desks

    def turn(self, now: Instant) -> None:
        """Have everything read that is due."""
        for desk in self._desks.values():
            if desk.in_flight or now.mono_ns < desk.due_ns:
                continue
            desk.in_flight = True
            due_ns = desk.due_ns + self._interval_ns
            desk.due_ns = due_ns if due_ns > now.mono_ns else now.mono_ns + self._interval_ns
            if not self._crew.ask(partial(self._work, desk)):
                desk.in_flight = False

    def next_ns(self) -> int | None:
        """Give when the next read is due; None where nothing waits for its time."""
        return min((desk.due_ns for desk in self._desks.values() if not desk.in_flight), default=None)

    def status(self, name: str) -> Status:
        """Give how reading a service goes."""
        desk = self._desks.get(name)
        return Status() if desk is None else desk.status

    def drain(self) -> list[TokenRead]:
        """Take what was read since the last call, in order. For any one thread."""
        return _all_of(self._reads)

    def ended(self) -> list[Owner]:
        """Take the processes that were found to have ended since the last call."""
        return _all_of(self._ended)

    def close(self) -> None:
        """Read nothing more."""
        self._crew.close()
        self._desks = {}

    def _work(self, desk: _Desk) -> None:
        source, before = desk.source, desk.status
        try:
            read, status = self._attempt(desk, source, before)
            if self._desks.get(source.name) is desk:  # else it was given up, or begun anew, meanwhile
                desk.status = status
                self._reads.append(read)
                _tell(source, before, status)
        finally:
            desk.in_flight = False
        if status != before:
            self._notify()

    def _attempt(self, desk: _Desk, source: Source, before: Status) -> tuple[TokenRead, Status]:
        try:
            done = self._read(desk, source)
        except ReadError as error:
            now = self._clock.now()
            desk.failures += 1
            desk.due_ns = max(desk.due_ns, now.mono_ns + self._backoff_ns(desk.failures))
            if not source.is_settled:
                desk.spec = None  # another server may answer there next
            read = TokenRead(
                source.name, now, None, problem=error.problem, detail=str(error), not_serving=error.not_serving
            )
            return read, Status(before.spec, before.facts, error.problem, str(error), before.peer, was_tried=True)
        desk.failures = 0
        return done

    def _read(self, desk: _Desk, source: Source) -> tuple[TokenRead, Status]:
        """Read a page once. Raises ReadError."""
        owner = source.owner
        self._check_alive(owner)
        self._begin_process(desk, owner)
        spec = self._spec(desk, source)
        began = self._clock.now()
        body = self._reader.get(source.access, desk.path)
        ended = self._clock.now()
        # Its counters are those of this process only if it was there all the time.
        self._check_alive(owner)
        cpu_ns = time.thread_time_ns()
        told = self._reader.understand(spec, body, desk.command, desk.model)
        if told.lacks_model and not desk.model and self._find_model(desk, source, spec):
            told = self._reader.understand(spec, body, desk.command, desk.model)
        cpu_ns = time.thread_time_ns() - cpu_ns
        desk.due_ns = max(desk.due_ns, ended.mono_ns + _REST_FACTOR * cpu_ns)
        at = Instant((began.mono_ns + ended.mono_ns) // 2, (began.wall_ns + ended.wall_ns) // 2)
        return self._token_read(source, told, at), Status(spec, told.facts, peer=body.peer, was_tried=True)

    def _token_read(self, source: Source, told: Told, at: Instant) -> TokenRead:
        bad = told.facts.known_bad
        return TokenRead(
            service=source.name,
            at=at,
            page=told.page,
            process="" if source.owner is None else source.owner.key,
            started=None if source.owner is None else self._started(source.owner, at),
            problem=Withheld.KNOWN_BAD if bad else None,
            detail=bad,
        )

    def _started(self, owner: Owner, at: Instant) -> Instant:
        mono_ns = owner.start * self._tick_ns
        return Instant(mono_ns, at.wall_ns - (at.mono_ns - mono_ns))

    def _check_alive(self, owner: Owner | None) -> None:
        if owner is not None and self._files.start_of(owner.pid) != owner.start:
            self._ended.append(owner)
            raise ReadError(Withheld.UNREACHABLE, "its process has ended")

    def _begin_process(self, desk: _Desk, owner: Owner | None) -> None:
        process = "" if owner is None else owner.key
        if process != desk.process:
            desk.command = () if owner is None else self._files.command(owner.pid)
            desk.process, desk.model, desk.model_tries = process, "", 0

    def _spec(self, desk: _Desk, source: Source) -> ServerSpec:
        """Give the server whose page it is; look for path and server where they are not known yet."""
        if desk.spec is None and source.is_settled:
            desk.spec, desk.path = self._reader.spec(source.kind), source.paths[0]
        if desk.spec is None:
            desk.spec, desk.path = self._reader.identify(source.access, source.paths, source.kind)
        return desk.spec

    def _find_model(self, desk: _Desk, source: Source, spec: ServerSpec) -> bool:
        """Look the model up that no label names. Raises ReadError while that may yet succeed.

        A model that were learnt late would be a second one to whoever reads the counters.
        """
        if not spec.models_path or desk.model_tries >= _MODEL_TRIES:
            return False
        desk.model_tries += 1
        try:
            desk.model = self._reader.model(source.access, spec.models_path)
        except ReadError:
            if desk.model_tries < _MODEL_TRIES:
                raise
            return False
        return True

    def _backoff_ns(self, failures: int) -> int:
        return min(self._interval_ns << min(failures - 1, 10), max(_MOST_BACKOFF_NS, self._interval_ns))


def _all_of(waiting: deque[_Item]) -> list[_Item]:
    taken: list[_Item] = []
    while waiting:
        taken.append(waiting.popleft())
    return taken


def _tell(source: Source, before: Status, now: Status) -> None:
    """Log what has changed."""
    if now.problem is not None and before.problem is not now.problem:
        shown = (source.name, source.access.shown, now.problem.value, now.detail)
        _log.warning("tokens service=%r endpoint=%s problem=%s detail=%r", *shown)
    elif now.problem is None and not before.is_up:
        server = "" if now.spec is None else now.spec.key
        _log.info("tokens service=%r endpoint=%s server=%s is read", source.name, source.access.shown, server)
