"""Who is at the other end of a local connection, as the kernel says it; what they may say is judged elsewhere."""

import ipaddress
import socket
import struct
from dataclasses import dataclass

from .processes import Processes

_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid (unix(7))
_TABLE_BYTES = 16 << 20
# States in which a client still waits for its answer: ESTABLISHED, FIN_WAIT1, FIN_WAIT2 (include/net/tcp_states.h).
_WAITING = frozenset({b"01", b"04", b"05"})


@dataclass(frozen=True, slots=True)
class Caller:
    """A process that asks. `pid` is None where the kernel or the lack of rights keeps it from us."""

    uid: int
    pid: int | None


class UnknownCaller(Exception):  # noqa: N818  (it says what the caller is)
    """It cannot be told who calls; the message says why, and the cure."""


def caller_of(sock: socket.socket, processes: Processes) -> Caller:
    """Give who is at the other end of *sock*, a Unix socket or one of loopback. Raises UnknownCaller.

    Of a Unix socket it is who connected. Over TCP it is who owns the peer's socket now; finding its process looks at
    the open files of that user's processes.
    """
    if sock.family == socket.AF_UNIX:
        raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, uid, _ = _CREDENTIALS.unpack(raw)
        return Caller(uid, pid or None)  # 0: of a PID namespace that this one does not see
    try:
        ours, theirs = sock.getsockname(), sock.getpeername()
    except OSError:
        raise UnknownCaller("the connection has ended") from None
    uid, inode = _owner(processes.root, local=theirs, remote=ours)
    for pid in processes.all():
        owner = processes.owner(pid)
        if owner is not None and owner.uid == uid and processes.holds_socket(pid, inode):
            return Caller(uid, pid)
    return Caller(uid, None)


def _owner(root: str, *, local: tuple[str, int], remote: tuple[str, int]) -> tuple[int, int]:
    """Find the socket that is the other side of ours in the tables of our network namespace; give uid and inode."""
    for table in ("tcp", "tcp6"):
        wanted = {(place(local, table), place(remote, table))}
        try:
            with open(f"{root}/self/net/{table}", "rb") as file:  # noqa: PTH123  (a plain kernel file)
                rows = file.read(_TABLE_BYTES).split(b"\n")[1:]
        except OSError:
            continue
        for row in rows:
            fields = row.split()
            if len(fields) < 10 or (fields[1], fields[2]) not in wanted:
                continue
            # A socket that its process has closed belongs to nobody: the kernel shows uid 0 and no inode.
            if fields[3] in _WAITING and int(fields[9]):
                return int(fields[7]), int(fields[9])
    raise UnknownCaller("the kernel's table does not say whose connection this is; keep it open until the answer")


def place(address: tuple[str, int], table: str) -> bytes:
    """Write an address as /proc/net/tcp and tcp6 do: groups of four bytes, each a number of this machine."""
    ip = ipaddress.ip_address(address[0].partition("%")[0])
    if table == "tcp6" and ip.version == 4:
        ip = ipaddress.IPv6Address(b"\0" * 10 + b"\xff\xff" + ip.packed)
    elif ip.version != (6 if table == "tcp6" else 4):
        return b""
    words = struct.unpack(f"={len(ip.packed) // 4}I", ip.packed)
    return b"".join(b"%08X" % word for word in words) + b":%04X" % address[1]
