"""One thread that keeps services and their counters up to date for the tick thread, which never waits for it."""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.tokens.model import Service, TokenRead
from wattledger.rules.tokens.server import ServerSpec

from ..clock import Clock
from .addresses import Addresses
from .advice import TitleOf
from .configured import ConfiguredServices
from .discovery import Discovery, View
from .listing import Listing, found_service, listing
from .reader import PageReader
from .scraper import Scraper, Source, Status
from .settings import TokenSettings
from .sockets import Sockets
from .tree import ProcessFiles

_log = logging.getLogger(__name__)

# A change is looked at soon, what is sought every now and then, and what is found seldom.
_SOON_NS = 5 * NS_PER_SECOND
_SEEK_NS = 15 * NS_PER_SECOND
_SETTLED_NS = 60 * NS_PER_SECOND
_EAGER_NS = 600 * NS_PER_SECOND  # a server that was not found by then after its start is hardly one
_HOST_NAMES_NS = 10 * NS_PER_SECOND  # for which discovery waits until configured endpoints are known by number
_MOST_WAITING = 8192


class TokenInput(Protocol):
    """A source of tokens that jobs have consumed."""

    def look(self, now: Instant) -> tuple[tuple[Service, ...], tuple[TokenRead, ...]]:
        """Give the jobs that are there now, and what is new of their counters."""
        ...


@dataclass(frozen=True, slots=True)
class TokenHealth:
    """How finding and reading goes.

    `forbidden` counts the processes on devices of which it cannot be told whether they are servers, for want of
    permission. `problems` says what stands in the way elsewhere. `failures` counts turns that went wrong.
    """

    services: int = 0
    read: int = 0  # of them, whose last read succeeded
    folded: int = 0  # services beyond the limit, which are not read
    forbidden: int = 0
    problems: tuple[str, ...] = ()
    last_round: Instant | None = None
    round_ns: int = 0
    failures: int = 0


class TokenWatch:
    """Services of this host. `observe`, `drain` and the look-ups are for the tick thread and never block.

    *title_of* is called on the watch's own thread, and so is *devices_of*, which gives the uuids that the
    configuration gives to a service. *load_catalogue* is called when there is something to read.
    """

    def __init__(
        self,
        clock: Clock,
        load_catalogue: Callable[[], tuple[ServerSpec, ...]],
        *,
        settings: TokenSettings,
        proc: Path = Path("/proc"),
        sys_root: Path = Path("/sys"),
        inputs: Sequence[TokenInput] = (),
        title_of: TitleOf = lambda _: "",
        devices_of: Callable[[str], tuple[str, ...]] = lambda _: (),
    ) -> None:
        self._clock = clock
        self._load_catalogue = load_catalogue
        self._settings = settings
        self._proc = proc
        self._sys_root = sys_root
        self._inputs = tuple(inputs)
        self._title_of = title_of
        self._files = ProcessFiles(proc)
        self._reader: PageReader | None = None
        self._scraper: Scraper | None = None
        self._discovery: Discovery | None = None
        self._configured = ConfiguredServices(devices_of)
        self._jobs: tuple[tuple[Service, ...], ...] = ((),) * len(self._inputs)
        self._reads: deque[TokenRead] = deque(maxlen=_MOST_WAITING)
        self._holders: frozenset[int] = frozenset()
        self._looked_at: frozenset[int] = frozenset()
        self._changed_ns = 0
        self._last_round: Instant | None = None
        self._round_ns = 0
        self._has_ended = False
        self._applied = settings
        self._reapplied_ns: int | None = None  # since when other settings wait for a round
        self._inputs_due_ns = 0
        self._began_ns = 0
        self._failures = 0
        self._is_failing = False
        self._listing = Listing()
        self._health = TokenHealth()
        self._wake = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, on a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="tokens", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop. What waits for an answer ends by itself, or with the program."""
        self._closing = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=1.0)
        for part in (self._scraper, self._discovery):
            if part is not None:
                part.close()

    def apply(self, settings: TokenSettings) -> None:
        """Go on by other settings, from the next turn on."""
        self._settings = settings
        self._wake.set()

    def observe(self, holders: Mapping[str, Collection[int]]) -> None:
        """Take which processes hold each device, by its uuid."""
        pids = frozenset[int]().union(*holders.values())
        if pids != self._holders:
            self._holders = pids
            if self._settings.discovery:
                self._wake.set()

    def services(self) -> tuple[Service, ...]:
        """Give the services that are known now."""
        return self._listing.services

    def service_of(self, pid: int) -> str:
        """Give the service that a process works for; empty where it works for none."""
        return self._listing.of_pid.get(pid, "")

    def device_service(self, uuid: str) -> str:
        """Give the service that the configuration gives a device to; empty where it gives it to none."""
        return self._listing.of_device.get(uuid, "")

    def drain(self) -> list[TokenRead]:
        """Take what was read since the last call, that of one service in order."""
        reads: list[TokenRead] = [] if self._scraper is None else self._scraper.drain()
        while self._reads:
            reads.append(self._reads.popleft())
        return reads

    def health(self) -> TokenHealth:
        """Give how finding and reading goes."""
        return self._health

    def turn(self, now: Instant) -> int:
        """Do what is due; give when there will be something to do again. For the watch's own thread."""
        settings = self._settings
        if settings != self._applied:
            self._applied, self._reapplied_ns = settings, now.mono_ns
        self._look_at_inputs(now, settings)
        self._configured.apply(settings.configured)
        scraper = self._reading() if self._configured or (settings.discovery and self._holders) else self._scraper
        if scraper is not None:
            scraper.apply(settings.interval_ns)
            self._discover(now, settings, scraper)
        self._publish(settings)
        next_ns = [now.mono_ns + settings.interval_ns]
        if scraper is not None:
            scraper.turn(now)
            next_ns += [] if (due_ns := scraper.next_ns()) is None else [due_ns]
        if settings.discovery and self._holders != self._looked_at and self._last_round is not None:
            next_ns.append(self._last_round.mono_ns + _SOON_NS)
        return min(next_ns)

    def _run(self) -> None:
        while not self._closing:
            now = self._clock.now()
            due_ns = now.mono_ns + self._settings.interval_ns
            try:
                due_ns = self.turn(now)
                self._is_failing = False
            except Exception:  # noqa: BLE001  (the loop's guard: services go on where they can)
                self._failures += 1
                self._health = replace(self._health, failures=self._failures)
                if not self._is_failing:
                    _log.exception("tokens problem=a turn failed")
                self._is_failing = True
            self._clock.wait_until(due_ns, self._wake)
            self._wake.clear()

    def _reading(self) -> Scraper:
        if self._scraper is None:
            self._reader = PageReader(self._load_catalogue())
            self._began_ns = self._clock.now().mono_ns
            self._scraper = Scraper(
                self._clock,
                self._reader,
                files=self._files,
                interval_ns=self._settings.interval_ns,
                notify=self._wake.set,
            )
        return self._scraper

    def _look_at_inputs(self, now: Instant, settings: TokenSettings) -> None:
        if not self._inputs or now.mono_ns < self._inputs_due_ns:
            return
        self._inputs_due_ns = now.mono_ns + settings.interval_ns
        looked = [source.look(now) for source in self._inputs]
        self._jobs = tuple(services for services, _ in looked)
        for _, reads in looked:
            self._reads.extend(reads)

    def _discover(self, now: Instant, settings: TokenSettings, scraper: Scraper) -> None:
        if not settings.discovery:
            if self._discovery is not None:
                self._discovery.close()
                self._discovery = self._last_round = None
            return
        if self._discovery is None and self._holders:
            self._discovery = self._new_discovery()
        discovery = self._discovery
        if discovery is None:
            return
        discovery.collect(now)
        if scraper.ended():
            self._has_ended = True
        if self._is_round_due(now, discovery, scraper):
            if self._looked_at != self._holders or self._has_ended:
                self._changed_ns = now.mono_ns
            self._looked_at, self._has_ended = self._holders, False
            discovery.round(now, self._looked_at, self._configured.numbers(scraper.status))
            self._last_round = now
            self._round_ns = self._clock.now().ns_since(now)

    def _new_discovery(self) -> Discovery:
        if self._reader is None:
            raise RuntimeError("the catalogue is loaded first")
        return Discovery(
            self._reader,
            files=self._files,
            sockets=Sockets(self._proc),
            addresses=Addresses(self._proc, self._sys_root),
            title_of=self._title_of,
            own_pid=os.getpid(),
            notify=self._wake.set,
        )

    def _is_round_due(self, now: Instant, discovery: Discovery, scraper: Scraper) -> bool:
        """Tell whether to look now: only while there is something to find, or to lose."""
        if not self._holders and not discovery.view.found:
            return False
        if self._last_round is None:
            return self._configured.were_tried(scraper.status) or now.mono_ns - self._began_ns >= _HOST_NAMES_NS
        if self._reapplied_ns is not None:
            # Until configured endpoints are known by number, what was found might be read beside them.
            if self._configured.were_tried(scraper.status) or now.mono_ns - self._reapplied_ns >= _HOST_NAMES_NS:
                self._reapplied_ns = None
            return True
        is_eager = not discovery.is_complete and now.mono_ns - self._changed_ns < _EAGER_NS
        pause_ns = _SEEK_NS if is_eager else _SETTLED_NS
        if self._holders != self._looked_at or self._has_ended:
            pause_ns = _SOON_NS
        return now.ns_since(self._last_round) >= pause_ns

    def _publish(self, settings: TokenSettings) -> None:
        view = View() if self._discovery is None else self._discovery.view
        found = [one for one in view.found if one.name not in self._configured]
        services = [
            *self._configured.services(view, self._status),
            *(service for jobs in self._jobs for service in jobs),
            *(found_service(one, self._status(one.name)) for one in found),
            *view.advice,
        ]
        self._listing = listing(services, settings.limit)
        names = {service.name for service in self._listing.services}
        if self._scraper is not None and self._reader is not None:
            sources = list(self._configured.sources(view, self._reader.paths_of))
            # One that ended is tried once more, so that its end is told as any failure is.
            live = (one for one in found if not one.is_gone or self._status(one.name).is_up)
            sources += [Source(one.name, one.access, (one.path,), one.spec.key, one.owner) for one in live]
            self._scraper.set_sources(source for source in sources if source.name in names)
        self._health = TokenHealth(
            services=len(names),
            read=sum(self._status(name).is_up for name in names),
            folded=self._listing.folded,
            forbidden=view.forbidden,
            problems=view.problems,
            last_round=self._last_round,
            round_ns=self._round_ns,
            failures=self._failures,
        )

    def _status(self, name: str) -> Status:
        return Status() if self._scraper is None else self._scraper.status(name)
