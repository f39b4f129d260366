"""Where processes listen, in whatever network namespace they are; it connects to nothing."""

import os
import re
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

IpAddress = IPv4Address | IPv6Address

_READ_BYTES = 64 << 10
_MOST_FILES = 65_536  # of one process: more than any server has
_MOST_OF_ONE = 64  # listeners of one set of processes; a server has a handful
_LISTEN, _SYN_RECEIVED = "0A", "03"  # linux/include/net/tcp_states.h
_SOCKET = re.compile(r"socket:\[(\d+)\]", re.ASCII)
_NAMESPACE = re.compile(r"net:\[(\d+)\]", re.ASCII)
# What must be granted to look at the sockets of other users' processes (ptrace(2), PTRACE_MODE_READ_FSCREDS).
NEEDED = "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH"


@dataclass(frozen=True, slots=True)
class Listener:
    """One TCP socket that accepts connections, or several for one port. `owners` are the processes that have it open.

    `namespace` is the number of the network namespace, in which `witness` is.
    """

    owners: frozenset[int]
    namespace: int
    witness: int
    address: IpAddress
    port: int


@dataclass(frozen=True, slots=True)
class Listening:
    """What was found. `forbidden` are the processes whose sockets may not be looked at."""

    listeners: tuple[Listener, ...]
    forbidden: frozenset[int]


class Sockets:
    """Looks below *root*, which is /proc."""

    def __init__(self, root: Path) -> None:
        self._root = os.fspath(root)

    def own_namespace(self) -> int | None:
        """Give the number of our own network namespace."""
        return self._namespace("self")

    def look(self, pids: Collection[int]) -> Listening:
        """Give where *pids* listen. A process that ended meanwhile listens nowhere."""
        owners: dict[int, set[int]] = {}  # by the number of the socket, which is one for the whole kernel
        witnesses: dict[int, int] = {}
        forbidden: set[int] = set()
        for pid in sorted(pids):
            try:
                for inode in self._sockets(pid):
                    owners.setdefault(inode, set()).add(pid)
                namespace = self._namespace(str(pid))
            except PermissionError:
                forbidden.add(pid)
                continue
            if namespace is not None:
                witnesses.setdefault(namespace, pid)
        merged: dict[tuple[int, IpAddress, int], set[int]] = {}
        for namespace, witness in witnesses.items():
            for address, port, inode in self._listening(witness):
                if inode in owners:
                    merged.setdefault((namespace, address, port), set()).update(owners[inode])
        found = (
            Listener(frozenset(pids_of), namespace, witnesses[namespace], address, port)
            for (namespace, address, port), pids_of in merged.items()
        )
        return Listening(_few(found), frozenset(forbidden))

    def _sockets(self, pid: int) -> Iterator[int]:
        """Give the numbers of its sockets. Raises PermissionError."""
        folder = f"{self._root}/{pid}/fd"
        try:
            names = os.listdir(folder)  # noqa: PTH208  (a Path would be made for each of many)
        except PermissionError:
            raise
        except OSError:
            return  # it ended
        for name in names[:_MOST_FILES]:
            try:
                link = os.readlink(f"{folder}/{name}")  # noqa: PTH115  (a Path would be made for each of many)
            except PermissionError:
                raise
            except OSError:
                continue  # closed meanwhile
            if (match := _SOCKET.fullmatch(link)) is not None:
                yield int(match[1])

    def _namespace(self, pid: str) -> int | None:
        try:
            link = os.readlink(f"{self._root}/{pid}/ns/net")  # noqa: PTH115  (a Path would be made for each of many)
        except PermissionError:
            raise
        except OSError:
            return None
        match = _NAMESPACE.fullmatch(link)
        return None if match is None else int(match[1])

    def _listening(self, pid: int) -> Iterator[tuple[IpAddress, int, int]]:
        """Give address, port and socket of all that is listened to in the namespace of *pid*."""
        for name in ("tcp", "tcp6"):
            for fields in self._listening_lines(f"{self._root}/{pid}/net/{name}"):
                local, _, port = fields[1].partition(":")
                try:
                    yield _address(local), int(port, 16), int(fields[9])
                except ValueError:
                    continue

    def _listening_lines(self, path: str) -> Iterator[list[str]]:
        """Give the lines of listening sockets. They come first, so of a million connections none is read."""
        rest = ""
        try:
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return  # it ended, or there is no IPv6
        try:
            while chunk := os.read(file, _READ_BYTES):
                *lines, rest = (rest + chunk.decode("ascii", "replace")).split("\n")
                for line in lines:
                    fields = line.split()
                    if len(fields) < 10 or fields[0] == "sl":
                        continue
                    if fields[3] == _LISTEN:
                        yield fields
                    elif fields[3] != _SYN_RECEIVED:
                        return
        except OSError:
            return
        finally:
            os.close(file)


def _few(listeners: Iterator[Listener]) -> tuple[Listener, ...]:
    """Give all, but of one set of processes no more than any server has, the lowest ports first."""
    counts: dict[frozenset[int], int] = {}
    kept: list[Listener] = []
    for listener in sorted(
        listeners, key=lambda one: (one.namespace, one.port, one.address.version, one.address.packed)
    ):
        counts[listener.owners] = counts.get(listener.owners, 0) + 1
        if counts[listener.owners] <= _MOST_OF_ONE:
            kept.append(listener)
    return tuple(kept)


def _address(text: str) -> IpAddress:
    """Read an address as /proc/net/tcp has it: words of 32 bits in the order of this machine. Raises ValueError."""
    raw = bytes.fromhex(text)
    if sys.byteorder == "little":
        raw = b"".join(raw[index : index + 4][::-1] for index in range(0, len(raw), 4))
    address = ip_address(raw)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
