"""Finds the servers that the processes on the devices work for; what their counters say it does not read.

A round looks at all processes once, at the sockets of those that may be servers, and asks what is new there for the
known pages. What is no server is asked again ever more seldom, for it may still be loading its model.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.tokens.model import Service
from wattledger.rules.tokens.server import ServerSpec

from .access import Access, access_to
from .addresses import Addresses, Place
from .advice import Adviser, Scene, TitleOf
from .crew import Crew
from .endpoints import Configured, Endpoints, Entry, owner_of, owners_of
from .mirrors import SIBLINGS_LIMIT, Likeness, Page, likeness
from .names import service_name
from .reader import PageReader, ReadError
from .scraper import Owner
from .sockets import Sockets
from .tree import ProcessFiles, ProcessTable

_WORKERS = 8
_FIRST_BACKOFF_NS = 15 * NS_PER_SECOND
_MOST_BACKOFF_NS = 600 * NS_PER_SECOND
_MOST_PROBES = 256  # endpoints that are asked in one round
_TITLE_WAIT_NS = 30 * NS_PER_SECOND


@dataclass(frozen=True, slots=True)
class Found:
    """A server that was found. `pids` hold devices for it. `is_gone`: its process ended a moment ago."""

    name: str
    access: Access
    path: str
    spec: ServerSpec
    owner: Owner
    pids: frozenset[int]
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class Here:
    """Whose endpoint a configured one is, where it is of this host. `pids` hold devices for it."""

    owner: Owner
    pids: frozenset[int]


@dataclass(frozen=True, slots=True)
class View:
    """What is known after a round.

    `here` has the configured services that are of this host. `advice` are servers that cannot be read. `forbidden`
    counts the processes on devices of which it cannot be told whether they are servers, and `problems` says what
    stands in the way elsewhere.
    """

    found: tuple[Found, ...] = ()
    here: Mapping[str, Here] = field(default_factory=dict)
    advice: tuple[Service, ...] = ()
    forbidden: int = 0
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How one probe went; without a server `refusal` says why."""

    entry: Entry
    command: tuple[str, ...]
    spec: ServerSpec | None = None
    path: str = ""
    refusal: str = ""
    is_final: bool = False


class Discovery:
    """Belongs to one thread, which calls `round` now and then and `collect` whenever `notify` was called."""

    def __init__(
        self,
        reader: PageReader,
        *,
        files: ProcessFiles,
        sockets: Sockets,
        addresses: Addresses,
        title_of: TitleOf,
        own_pid: int,
        notify: Callable[[], None] = lambda: None,
    ) -> None:
        self._reader = reader
        self._files = files
        self._sockets = sockets
        self._title_of = title_of
        self._own_pid = own_pid
        self._notify = notify
        self._crew = Crew("token-probes", _WORKERS)
        self._adviser = Adviser(reader, files=files, crew=self._crew, title_of=title_of)
        self._endpoints = Endpoints(addresses)
        self._outcomes: deque[_Outcome] = deque()
        self._verdicts: deque[tuple[Entry, Likeness, frozenset[str]]] = deque()
        self._configured: Configured = {}
        self._here: Mapping[str, Here] = {}
        self._forbidden: frozenset[int] = frozenset()
        self._table = ProcessTable({})
        self._holders: frozenset[int] = frozenset()
        self.view = View()

    def round(self, now: Instant, holders: Collection[int], configured: Configured) -> None:
        """Look at everything once. *holders* are the processes on devices."""
        self._holders = frozenset(holders)
        self._configured = configured
        self._table = self._files.table(self._holders)
        listening = self._sockets.look(self._table.related(self._holders) - {self._own_pid})
        self._forbidden = listening.forbidden
        self._endpoints.take(now, listening.listeners, self._table, configured)
        self._probe(now)
        self._settle(now)
        self._compare()

    def collect(self, now: Instant) -> None:
        """Take how probes went that have ended, and titles that have come."""
        has_outcomes = bool(self._outcomes)
        has_news = has_outcomes or bool(self._verdicts) or any(not entry.name for entry in self._live().values())
        while self._outcomes:
            _learn(self._outcomes.popleft(), now)
        while self._verdicts:
            _judge(*self._verdicts.popleft())
        if has_news:
            self._settle(now)
        if has_outcomes:
            self._compare()

    @property
    def is_complete(self) -> bool:
        """Tell whether every process on a device is known to work for a server, so that nothing is sought."""
        claimed = {pid for found in self.view.found for pid in found.pids}
        claimed.update(pid for here in self.view.here.values() for pid in here.pids)
        return self._holders <= claimed

    def close(self) -> None:
        """Probe nothing more."""
        self._crew.close()

    def _probe(self, now: Instant) -> None:
        """Have those asked that are due, those that were never asked before first."""
        due = [
            entry
            for entry in self._endpoints.all()
            if entry.spec is None and not entry.in_flight and not entry.is_final and entry.due_ns <= now.mono_ns
        ]
        due.sort(key=lambda entry: (entry.tries, entry.due_ns, entry.place.port))
        for entry in due[:_MOST_PROBES]:
            entry.in_flight = self._crew.ask(partial(self._ask, entry))

    def _ask(self, entry: Entry) -> None:
        """Ask one endpoint, on a thread of the crew."""
        command: tuple[str, ...] = ()
        try:
            command = self._files.command(entry.owner.pid)
            spec, path = self._reader.identify(entry.access, self._reader.paths)
            outcome = _Outcome(entry, command, spec, path)
        except ReadError as error:
            outcome = _Outcome(entry, command, refusal=str(error), is_final=error.is_final)
        self._outcomes.append(outcome)
        self._notify()

    def _siblings(self, entry: Entry) -> list[Page]:
        """Give the servers whose page *entry* may pass on: those of its kind on devices, where it is on none."""
        if entry.spec is None or entry.pids:
            return []
        beside = [(one.access, one.path) for one in self._live().values() if one.pids and one.spec is entry.spec]
        for name, here in self._here.items():
            if here.pids and name in self._configured:
                beside.append((access_to(Place(*self._configured[name])), entry.path))
        return beside[:SIBLINGS_LIMIT]

    def _compare(self) -> None:
        """Have those looked at that may pass on another one's page: once beside the same servers."""
        for entry in self._live().values():
            siblings = self._siblings(entry)
            if not entry.in_flight and not _names_of(siblings) <= entry.own_beside:
                entry.in_flight = self._crew.ask(partial(self._liken, entry, siblings))

    def _liken(self, entry: Entry, siblings: list[Page]) -> None:
        """Hold one page against others, on a thread of the crew."""
        verdict = Likeness.UNTOLD
        try:
            verdict = likeness(self._reader, (entry.access, entry.path), siblings)
        finally:
            self._verdicts.append((entry, verdict, _names_of(siblings)))
            self._notify()

    def _settle(self, now: Instant) -> None:
        """Tell which processes work for which server, and what each is called."""
        live = self._live()
        servers: dict[str, Collection[int]] = {owner.key: entry.owners for owner, entry in live.items()}
        configured = {name: owners_of(listeners) for name, listeners in self._endpoints.configured.items()}
        servers.update((f"configured:{name}", owners) for name, owners in configured.items())
        claims = self._table.claims(self._holders, servers)
        pids: dict[str, set[int]] = {}
        for pid, server in claims.items():
            pids.setdefault(server, set()).add(pid)
        for owner, entry in live.items():
            entry.pids = frozenset(pids.get(owner.key, ()))
        here: dict[str, Here] = {}
        for name, owners in configured.items():
            eldest = owner_of(self._table, self._table.eldest(owners))
            if eldest is not None:
                here[name] = Here(eldest, frozenset(pids.get(f"configured:{name}", ())))
        self._here = here
        for entry in live.values():
            self._name(entry, now)
        self.view = self._new_view(here, self._holders - claims.keys())

    def _new_view(self, here: Mapping[str, Here], unclaimed: frozenset[int]) -> View:
        entries = self._endpoints.all()
        entries.sort(key=lambda entry: (entry.first_ns, entry.owner.start, entry.name))
        blocked = self._endpoints.blocked
        scene = Scene(self._table, unclaimed, self._forbidden, blocked, entries)
        reasons = (f"{one.listener.address} port {one.listener.port}: {one.reason}" for one in blocked.values())
        return View(
            found=tuple(_found(entry, entry.spec) for entry in entries if entry.name and entry.spec is not None),
            here=here,
            advice=self._adviser.advice(scene),
            forbidden=len(scene.unseen()),
            problems=tuple(dict.fromkeys(reasons)),
        )

    def _live(self) -> dict[Owner, Entry]:
        """Give the servers that are there, one of each process: a second page of it counts the same tokens."""
        known = [entry for entry in self._endpoints.all() if entry.spec is not None and entry.gone_ns is None]
        keys = self._reader.keys()
        known.sort(key=lambda one: (not one.name, keys.index(one.spec.key) if one.spec else 0, one.place.port))
        live: dict[Owner, Entry] = {}
        for entry in known:
            live.setdefault(entry.owner, entry)
        return live

    def _name(self, entry: Entry, now: Instant) -> None:
        """Give a server its name, once the title of its workload is known or was waited for long enough."""
        if entry.spec is None or entry.name:
            return
        if not _names_of(self._siblings(entry)) <= entry.own_beside:
            return  # its tokens may be another one's
        titles = [self._title_of(pid) for pid in sorted(entry.pids)]
        title = next((title for title in titles if title), "")
        if not title and None in titles and now.mono_ns - entry.first_ns < _TITLE_WAIT_NS:
            return
        taken = {one.name for one in self._endpoints.all() if one.gone_ns is None and one.name}
        place = entry.place
        entry.name = service_name(title, entry.spec.key, place=place.shown, port=place.port, taken=taken)
        self._endpoints.drop_namesakes(entry)


def _learn(outcome: _Outcome, now: Instant) -> None:
    entry = outcome.entry
    entry.in_flight = False
    entry.command = outcome.command
    entry.refusal, entry.is_final = outcome.refusal, outcome.is_final
    if outcome.spec is not None and not outcome.spec.proxy:
        entry.spec, entry.path = outcome.spec, outcome.path
        return
    if outcome.spec is not None:
        entry.is_final = True  # its tokens are those of the servers behind it
    entry.due_ns = now.mono_ns + min(_FIRST_BACKOFF_NS << min(entry.tries, 10), _MOST_BACKOFF_NS)
    entry.tries += 1


def _names_of(pages: Iterable[Page]) -> frozenset[str]:
    return frozenset(f"{access.shown}{path}" for access, path in pages)


def _judge(entry: Entry, verdict: Likeness, beside: frozenset[str]) -> None:
    entry.in_flight = False
    if verdict is Likeness.PASSED_ON:
        entry.spec, entry.is_final = None, True  # its tokens are those of the server behind it
    elif verdict is Likeness.OWN:
        entry.own_beside |= beside


def _found(entry: Entry, spec: ServerSpec) -> Found:
    is_gone = entry.gone_ns is not None
    pids = frozenset[int]() if is_gone else entry.pids
    return Found(entry.name, entry.access, entry.path, spec, entry.owner, pids, is_gone=is_gone)
