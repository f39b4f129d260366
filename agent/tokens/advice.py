"""What looks like a server and cannot be read, with what would help; nothing that is said here is counted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from wattledger.rules.tokens.model import CounterClass, Role, Service, Withheld

from .crew import Crew
from .endpoints import Blocked, Entry, owner_of
from .hints import server_of
from .reader import PageReader
from .scraper import Owner
from .sockets import NEEDED
from .tree import ProcessFiles, ProcessTable

_COMMAND_WORDS = 8  # of a command line, among which the program's name is

TitleOf = Callable[[int], str | None]
"""Gives what the workload of a process is called; empty where it says nothing, None while that is not known yet."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a round has found. `unclaimed` hold devices and work for no known server."""

    table: ProcessTable
    unclaimed: Collection[int]
    forbidden: frozenset[int]
    blocked: dict[int, Blocked]
    entries: list[Entry]

    def unseen(self) -> frozenset[int]:
        """Give those of `unclaimed` that have kin whose sockets may not be looked at."""
        return frozenset(
            pid for pid in self.unclaimed if any(process.pid in self.forbidden for process in self.table.line(pid))
        )


class Adviser:
    """Tells servers by their names alone. Command lines are read by the crew, for reading one may hang."""

    def __init__(self, reader: PageReader, *, files: ProcessFiles, crew: Crew, title_of: TitleOf) -> None:
        self._reader = reader
        self._files = files
        self._crew = crew
        self._title_of = title_of
        self._commands: dict[Owner, tuple[str, ...]] = {}

    def advice(self, scene: Scene) -> tuple[Service, ...]:
        """Give one service of each server that cannot be read."""
        found: dict[Owner, Service] = {}
        for pid in sorted(scene.unseen()):
            self._forbidden(pid, scene, found)
        read = {entry.owner for entry in scene.entries if entry.spec is not None}
        for pid, blocked in scene.blocked.items():
            owner = owner_of(scene.table, pid)
            key = "" if owner is None or owner in read else self._hint(owner, blocked.listener.owners, scene.table)
            if owner is not None and key:
                name = f"{key}:{blocked.listener.port}"
                found[owner] = _unread(name, key, Withheld.UNREACHABLE, blocked.reason)
        for entry in sorted(scene.entries, key=lambda one: one.place.port):
            if entry.owner not in read and entry.owner not in found and entry.tries and not entry.is_final:
                self._pageless(entry, found)
        taken = {entry.name for entry in scene.entries}
        return tuple(service for service in found.values() if service.name not in taken)

    def _forbidden(self, pid: int, scene: Scene, found: dict[Owner, Service]) -> None:
        owner = owner_of(scene.table, scene.table.top(pid))
        if owner is None or owner in found:
            return
        if key := self._hint(owner, [process.pid for process in scene.table.line(pid)], scene.table):
            detail = (
                f"its sockets may not be looked at: grant the agent {NEEDED}, or name an endpoint in services.list"
            )
            found[owner] = _unread(self._title_of(pid) or key, key, Withheld.NO_PERMISSION, detail)

    def _pageless(self, entry: Entry, found: dict[Owner, Service]) -> None:
        key = server_of(entry.command[:_COMMAND_WORDS])
        spec = self._reader.spec(key)
        if spec is not None:
            detail = f"it serves no token counters (switched on by: {spec.enable}); {entry.refusal}"
            name, place = f"{key}:{entry.place.port}", entry.access.shown
            found[entry.owner] = _unread(name, key, Withheld.NOT_UNDERSTOOD, detail, endpoint=place)

    def _hint(self, owner: Owner, pids: Iterable[int], table: ProcessTable) -> str:
        """Give the server that names of processes speak of, or the command line of *owner*, once that is read."""
        processes = [process for pid in pids if (process := table.get(pid)) is not None]
        if key := server_of([process.name for process in processes]):
            return key
        command = self._commands.get(owner)
        if command is None:
            self._commands = {one: words for one, words in self._commands.items() if owner_of(table, one.pid) == one}
            self._commands[owner] = command = ()
            self._crew.ask(lambda: self._read_command(owner))
        return server_of(command[:_COMMAND_WORDS])

    def _read_command(self, owner: Owner) -> None:
        self._commands[owner] = self._files.command(owner.pid)


def _unread(name: str, server: str, problem: Withheld, detail: str, *, endpoint: str = "") -> Service:
    """Give a service of which nothing can be read. Its role and class are not known, and those of most."""
    return Service(
        name=name,
        server=server,
        role=Role.UNIFIED,
        counter_class=CounterClass.ITERATION,
        endpoint=endpoint,
        problem=problem,
        detail=detail,
    )
