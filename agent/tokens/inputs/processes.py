"""Processes as inputs need them: whether they live, whose they are, what descends from them. Not for the tick thread.

It looks at every process of the host, at most every few seconds, and only while a job names one.
"""

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from wattledger.rules.instant import NS_PER_SECOND, Instant

_READ_BYTES = 65_536
_REFRESH_NS = 5 * NS_PER_SECOND
_DEAD = frozenset({b"Z", b"X", b"x"})


@dataclass(frozen=True, slots=True)
class Owner:
    """The real uid of a process, and whether it has other numbers in a PID namespace of its own."""

    uid: int
    nested: bool


class Processes:
    """Files of processes below *root*. A process that cannot be seen is not there."""

    def __init__(self, root: Path = Path("/proc")) -> None:
        self._root = os.fspath(root)
        self._children: dict[int, list[int]] = {}
        self._looked_ns: int | None = None

    @property
    def root(self) -> str:
        """Give where /proc is."""
        return self._root

    def start(self, pid: int) -> int | None:
        """Give the start of a process in clock ticks since boot, which with its number is its identity.

        None where it is gone, or dead and not yet waited for.
        """
        found = self._stat(str(pid))
        return None if found is None else found[1]

    def owner(self, pid: int) -> Owner | None:
        """Give whose process it is; None where there is none."""
        uid, nested = None, False
        for line in self._read(str(pid), "status").split(b"\n"):
            fields = line.split()
            if line.startswith(b"Uid:") and len(fields) > 1:
                uid = int(fields[1])
            elif line.startswith(b"NSpid:"):
                nested = len(fields) > 2
        return None if uid is None else Owner(uid, nested)

    def family(self, pids: Collection[int], now: Instant) -> frozenset[int]:
        """Give *pids* and all that descends from them, as of a few seconds ago."""
        if not pids:
            return frozenset()
        if self._looked_ns is None or not 0 <= now.mono_ns - self._looked_ns < _REFRESH_NS:
            self._children = self._all_children()
            self._looked_ns = now.mono_ns
        found: set[int] = set()
        ahead = list(pids)
        while ahead:
            pid = ahead.pop()
            if pid not in found:
                found.add(pid)
                ahead += self._children.get(pid, ())
        return frozenset(found)

    def all(self) -> list[int]:
        """Give the numbers of all processes that can be seen."""
        try:
            with os.scandir(self._root) as entries:
                return [int(entry.name) for entry in entries if entry.name.isascii() and entry.name.isdecimal()]
        except OSError:
            return []

    def holds_socket(self, pid: int, inode: int) -> bool:
        """Tell whether a process has a socket open; False too where that may not be seen."""
        wanted = f"socket:[{inode}]"
        try:
            with os.scandir(f"{self._root}/{pid}/fd") as entries:
                return any(_target(entry) == wanted for entry in entries)
        except OSError:
            return False

    def _all_children(self) -> dict[int, list[int]]:
        children: dict[int, list[int]] = {}
        for pid in self.all():
            if (found := self._stat(str(pid))) is not None:
                children.setdefault(found[0], []).append(pid)
        return children

    def _stat(self, pid: str) -> tuple[int, int] | None:
        """Give parent and start."""
        # The command name may hold any bytes, spaces and parentheses too; fields are counted after it (proc(5)).
        fields = self._read(pid, "stat").rpartition(b")")[2].split()
        if len(fields) < 20 or fields[0] in _DEAD:
            return None
        return int(fields[1]), int(fields[19])

    def _read(self, pid: str, name: str) -> bytes:
        try:
            file = os.open(f"{self._root}/{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC)
            try:
                return os.read(file, _READ_BYTES)
            finally:
                os.close(file)
        except OSError:
            return b""


def _target(entry: os.DirEntry[str]) -> str:
    try:
        return str(Path(entry.path).readlink())
    except OSError:  # closed meanwhile
        return ""
