"""Where the push endpoint listens: a socket file with its rights, and loopback; it accepts nothing itself."""

import errno
import grp
import ipaddress
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

from wattledger.exporter.http import ListenAddress, ListenError

SOCKET_MODE = 0o660
_BACKLOG = 64


def listen_unix(path: Path, *, group: str = "") -> socket.socket:
    """Listen at *path*, for the owner and *group* alone. Raises ListenError with place and cure.

    A socket file that nobody listens at is one that was left over, and is replaced.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        number = _group_number(group)
        _clear(path)
        # The file gets no more rights than the unbound socket has, so at no moment may others connect.
        os.fchmod(sock.fileno(), SOCKET_MODE)
        sock.bind(os.fspath(path))
        if number is not None:
            os.chown(path, -1, number)
        path.chmod(SOCKET_MODE)
        sock.listen(_BACKLOG)
    except (OSError, ValueError) as error:
        sock.close()
        raise ListenError(f"cannot listen at {path}: {_why(error, path)}") from None
    except ListenError:
        sock.close()
        raise
    return sock


def listen_loopback(address: ListenAddress) -> socket.socket:
    """Listen on an address of loopback: callers of other hosts cannot be told apart. Raises ListenError."""
    host = "127.0.0.1" if address.host == "localhost" else address.host
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        ip = None
    if ip is None or not ip.is_loopback:
        raise ListenError(f"cannot listen for pushes on {address}: it is not loopback; write 127.0.0.1 or [::1]")
    sock = socket.socket(
        socket.AF_INET6 if ip.version == 6 else socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK
    )
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, address.port))
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        cure = "; choose another port" if error.errno in (errno.EADDRINUSE, errno.EACCES) else ""
        raise ListenError(f"cannot listen for pushes on {address}: {error.strerror}{cure}") from None
    return sock


def remove_unix(path: Path, identity: tuple[int, int]) -> None:
    """Take the socket file away, if it is still ours by device and inode."""
    with suppress(OSError):
        status = path.lstat()
        if (status.st_dev, status.st_ino) == identity:
            path.unlink()


def _clear(path: Path) -> None:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(status.st_mode):
        raise ListenError(
            f"cannot listen at {path}: there is something else of that name; remove it or choose another"
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:
            pass  # its queue is full, so somebody listens
    raise ListenError(f"cannot listen at {path}: another program listens there; stop it or choose another path")


def _group_number(group: str) -> int | None:
    if not group:
        return None
    if group.isascii() and group.isdecimal():
        return int(group)
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise ValueError(f"this host has no group {group}; make it (groupadd {group}) or name another") from None


def _why(error: Exception, path: Path) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        cures = {
            errno.ENOENT: f"; make the folder {path.parent}",
            errno.EACCES: f"; let the agent write to {path.parent}",
            errno.EPERM: "; the agent must be a member of the group, or root",
        }
        return f"{error.strerror}{cures.get(error.errno, '')}"
    return str(error)  # such as a path that is too long for a socket
