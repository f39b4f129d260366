"""Where the server listens: reads an address, opens the socket and explains a failure; accepts nothing itself."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass

from .model import ListenError

_BACKLOG = 128  # the kernel cuts it to net.core.somaxconn


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """A host and a port; an empty host means every interface, port 0 any free port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def reach(self) -> str:
        """The host part of a URL that reaches this address from the same machine."""
        host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "127.0.0.1"}.get(self.host, self.host)
        return f"[{host}]" if ":" in host else host


def parse_listen(text: str) -> ListenAddress:
    """Read ``host:port``, ``[ipv6]:port`` or ``:port`` (every interface).

    Raises ValueError that names the text and the cure.
    """
    host, colon, port_text = text.strip().rpartition(":")
    if not colon:
        raise ValueError(f"listen address {text!r} has no port; write HOST:PORT, as 127.0.0.1:9889 or :9889")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        if ":" not in host:
            raise ValueError(f"listen address {text!r}: brackets are for IPv6; write {host}:{port_text}")
    elif ":" in host or "[" in host or "]" in host:
        raise ValueError(f"listen address {text!r}: an IPv6 address stands in brackets; write [::1]:9889")
    if not (port_text.isascii() and port_text.isdigit() and len(port_text) <= 5 and int(port_text) <= 65_535):
        raise ValueError(f"listen address {text!r}: port {port_text!r} is not a number from 0 to 65535")
    if any(not char.isprintable() or char in " /@" for char in host):
        raise ValueError(f"listen address {text!r}: host {host!r} is no name or address; write HOST:PORT alone")
    return ListenAddress(host, int(port_text))


def open_listener(address: ListenAddress) -> socket.socket:
    """Bind and listen, non-blocking. Raises ListenError with place and cure."""
    try:
        return _bind(address)
    except OSError as error:
        raise ListenError(f"cannot listen on {address}: {_why(error, address)}") from error


def _bind(address: ListenAddress) -> socket.socket:
    # One socket for every interface: IPv6 takes IPv4 in too, where this host has IPv6 at all.
    if address.host in ("", "::"):
        try:
            return _listening(socket.AF_INET6, ("::", address.port), both=True)
        except OSError as error:
            if address.host or error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                raise
            return _listening(socket.AF_INET, ("0.0.0.0", address.port))
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    # A name such as localhost may stand for both families; IPv4 first is what clients of a name expect.
    family, _, _, _, place = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return _listening(family, place)


def _listening(family: int, place: tuple[object, ...], *, both: bool = False) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not both)
        listener.bind(place)
        listener.listen(_BACKLOG)
        listener.settimeout(0)
    except OSError:
        listener.close()
        raise
    return listener


def _why(error: OSError, address: ListenAddress) -> str:
    if isinstance(error, socket.gaierror):
        return f"the name {address.host!r} cannot be resolved ({error.strerror}); write an IP address"
    reasons = {
        errno.EADDRINUSE: "the address is in use; stop the program that listens there or choose another port",
        errno.EADDRNOTAVAIL: "no interface of this host has that address; choose one that it has, or :PORT for all",
        errno.EACCES: "not permitted; choose a port from 1024 up or grant CAP_NET_BIND_SERVICE",
        errno.EMFILE: "the process has no file descriptor left; raise its limit (ulimit -n, LimitNOFILE)",
    }
    return reasons.get(error.errno or 0, f"{error.strerror or error}; check the listen address")
