"""The endpoints that listeners stand for, each of one process, and what was learnt of them; it asks none of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.tokens.server import ServerSpec

from .access import Access, access_to
from .addresses import Addresses, NoWay, Place
from .scraper import Owner
from .sockets import Listener
from .tree import ProcessTable

_LINGER_NS = 60 * NS_PER_SECOND  # a server that is started again comes back by then, or is another one

Configured = Mapping[str, tuple[str, int]]
"""Host and port of each configured endpoint, by the name of its service, as far as they are known."""


@dataclass(slots=True)
class Entry:
    """One endpoint of one process, and how asking it went.

    `gone_ns` is since when it is not there any more. `own_beside`: the servers
    beside which its page was seen to be its own.
    """

    owner: Owner
    place: Place
    access: Access
    owners: frozenset[int]
    first_ns: int
    due_ns: int = 0
    tries: int = 0
    in_flight: bool = False
    is_final: bool = False
    refusal: str = ""
    command: tuple[str, ...] = ()
    spec: ServerSpec | None = None
    path: str = ""
    name: str = ""
    pids: frozenset[int] = frozenset()
    gone_ns: int | None = None
    own_beside: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Blocked:
    """A listener that cannot be asked, and why."""

    listener: Listener
    reason: str


class Endpoints:
    """All endpoints as of the last `take`.

    `configured` holds the listeners of configured endpoints: those are not entered. `blocked` is by the process that
    listens in vain.
    """

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses
        self._entries: dict[tuple[Owner, Place], Entry] = {}
        self.configured: dict[str, list[Listener]] = {}
        self.blocked: dict[int, Blocked] = {}

    def all(self) -> list[Entry]:
        """Give every entry, those too that are gone since a moment."""
        return list(self._entries.values())

    def take(
        self, now: Instant, listeners: tuple[Listener, ...], table: ProcessTable, configured: Configured
    ) -> None:
        """See which endpoints are there, new or as before."""
        self._addresses.refresh()
        self.configured = {}
        self.blocked = {}
        by_port: dict[int, list[Listener]] = {}
        for listener in listeners:
            by_port.setdefault(listener.port, []).append(listener)
        claimed: dict[Place, list[Listener]] = {}
        for listener in listeners:
            name = self._configured_name(listener, configured)
            if name:
                self.configured.setdefault(name, []).append(listener)
                continue
            try:
                place = self._addresses.place(listener, by_port[listener.port])
            except NoWay as error:
                self._block(listener, str(error), table)
            else:
                claimed.setdefault(place, []).append(listener)
        self._leave_configured()
        seen: set[tuple[Owner, Place]] = set()
        for place, claimants in claimed.items():
            if len({listener.namespace for listener in claimants}) > 1:
                for listener in claimants:  # which of them would answer cannot be told
                    self._block(listener, f"several containers claim the address {place.shown}", table)
            else:
                seen.update(self._enter(now, place, owners_of(claimants), table))
        self._age(now, seen)

    def drop_namesakes(self, entry: Entry) -> None:
        """Let *entry* take the place of those that had its name before."""
        self._entries = {
            key: one for key, one in self._entries.items() if one is entry or not one.name or one.name != entry.name
        }

    def _enter(
        self, now: Instant, place: Place, owners: frozenset[int], table: ProcessTable
    ) -> Iterable[tuple[Owner, Place]]:
        owner = owner_of(table, table.eldest(owners))
        if owner is None:
            return ()
        key = (owner, place)
        entry = self._entries.get(key)
        if entry is None:
            entry = Entry(owner, place, access_to(place), owners, first_ns=now.mono_ns)
            self._entries[key] = entry
        entry.owners = owners
        return (key,)

    def _leave_configured(self) -> None:
        """Forget what was found at an endpoint that is configured now: its tokens are that service's."""
        taken = {
            (pid, listener.port)
            for listeners in self.configured.values()
            for listener in listeners
            for pid in listener.owners
        }
        self._entries = {
            key: entry
            for key, entry in self._entries.items()
            if taken.isdisjoint((pid, entry.place.port) for pid in entry.owners)
        }

    def _age(self, now: Instant, seen: set[tuple[Owner, Place]]) -> None:
        """Forget what is not there any more; a server that was named only after a while."""
        for key, entry in list(self._entries.items()):
            if key in seen:
                entry.gone_ns = None
            elif entry.name and entry.gone_ns is None:
                entry.gone_ns = now.mono_ns
            elif entry.gone_ns is None or now.mono_ns - entry.gone_ns > _LINGER_NS:
                del self._entries[key]

    def _block(self, listener: Listener, reason: str, table: ProcessTable) -> None:
        self.blocked.setdefault(table.eldest(listener.owners), Blocked(listener, reason))

    def _configured_name(self, listener: Listener, configured: Configured) -> str:
        """Give the configured service whose endpoint this is; empty if it is none's."""
        for name, (host, port) in configured.items():
            if port == listener.port and self._answers_at(listener, host):
                return name
        return ""

    def _answers_at(self, listener: Listener, host: str) -> bool:
        try:
            address = ip_address("127.0.0.1" if host == "localhost" else host.partition("%")[0])
        except ValueError:
            return False  # a name that was not looked up yet
        bound = listener.address
        if not self._addresses.is_here(listener):
            return address == bound or (bound.is_unspecified and address in self._addresses.of(listener))
        if bound.is_unspecified:
            return address.is_loopback or address.is_unspecified or address in self._addresses.own
        return bound == address or (bound.is_loopback and (address.is_loopback or address.is_unspecified))


def owners_of(listeners: Iterable[Listener]) -> frozenset[int]:
    """Give the processes that have one of *listeners* open."""
    return frozenset(pid for listener in listeners for pid in listener.owners)


def owner_of(table: ProcessTable, pid: int) -> Owner | None:
    """Give a process with its start; None where it is not there."""
    process = table.get(pid)
    return None if process is None else Owner(process.pid, process.start)
