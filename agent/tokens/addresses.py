"""Where to connect to reach a listener, and where never to: what a container claims to be must not send us elsewhere.

Whoever may add an address to a namespace, or bind to one that is not the host's (IP_FREEBIND), could otherwise have
us call the cloud's metadata service or a machine of the network outside.
"""

from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from .routes import Routes, is_ordinary, local_addresses
from .sockets import IpAddress, Listener, Sockets

_LOOPBACK4, _LOOPBACK6 = IPv4Address("127.0.0.1"), IPv6Address("::1")


@dataclass(frozen=True, slots=True)
class Place:
    """An address and port to connect to; with `device` over that interface alone."""

    host: str
    port: int
    device: str = ""

    @property
    def shown(self) -> str:
        """Give host and port as they stand in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class NoWay(Exception):  # noqa: N818  (it says what there is, as FileNotFoundError does not)
    """A listener cannot be reached, or must not be; the message says why, with the cure."""


class Addresses:
    """Ways from our network namespace to listeners, as of the last `refresh`."""

    def __init__(self, proc: Path, sys_root: Path) -> None:
        self._proc = proc
        self._sys_root = sys_root
        self._own_namespace: int | None = None
        self._routes = Routes(proc, sys_root)
        self._local: dict[int, frozenset[IpAddress]] = {}

    def refresh(self) -> None:
        """Look at our own addresses and routes anew."""
        self._own_namespace = Sockets(self._proc).own_namespace()
        self._routes = Routes(self._proc, self._sys_root)
        self._local = {}

    @property
    def own(self) -> frozenset[IpAddress]:
        """Give our own addresses, without loopback and link-local ones."""
        return self._routes.own

    def is_here(self, listener: Listener) -> bool:
        """Tell whether it is in our network namespace."""
        return listener.namespace == self._own_namespace

    def of(self, listener: Listener) -> frozenset[IpAddress]:
        """Give the addresses of the network namespace of *listener*, without loopback and link-local ones."""
        found = self._local.get(listener.namespace)
        if found is None:
            found = self._local[listener.namespace] = local_addresses(self._proc, str(listener.witness))
        return found

    def place(self, listener: Listener, others: Collection[Listener] = ()) -> Place:
        """Give where to connect. Raises NoWay. *others* are the other listeners of the same port."""
        if self.is_here(listener):
            return Place(str(self._here(listener, others)), listener.port)
        return self._elsewhere(listener)

    def _here(self, listener: Listener, others: Collection[Listener]) -> IpAddress:
        address = listener.address
        if address.is_unspecified:
            if isinstance(address, IPv4Address):
                return _LOOPBACK4
            # It accepts IPv4 too, unless it must leave that to another one.
            has_sibling = any(
                other.namespace == listener.namespace
                and (other.address.is_unspecified or other.address == _LOOPBACK4)
                and other.address.version == 4
                for other in others
            )
            return _LOOPBACK6 if has_sibling else _LOOPBACK4
        if address.is_loopback or address in self._routes.own:
            return address
        raise NoWay(f"it listens on {address}, which is no address of this host")

    def _elsewhere(self, listener: Listener) -> Place:
        bound = listener.address
        if bound.is_loopback:
            raise NoWay(
                f"it listens on {bound}:{listener.port} inside its container alone; have it listen on 0.0.0.0"
                " or on the container's address, or name an endpoint in services.list"
            )
        local = self.of(listener)
        if bound.is_unspecified:
            usable = [one for one in local if bound.version == 6 or one.version == 4]
        else:
            usable = [bound] if bound in local else []
        for address in sorted(usable, key=lambda one: (one.version, one.packed)):
            if not is_ordinary(address) or address in self._routes.own:
                continue
            if (device := self._routes.inner_device(address)) is not None:
                return Place(str(address), listener.port, device)
        raise NoWay(
            "no address of its container is reached over a virtual network of this host;"
            " name an endpoint in services.list"
        )
