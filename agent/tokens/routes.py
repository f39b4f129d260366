"""Addresses and routes of network namespaces as /proc tells them, and which interfaces stay within this host."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from pathlib import Path

from .sockets import IpAddress

_MOST_BYTES = 4 << 20
_UP, _REJECT = 0x1, 0x200  # linux/route.h
_GLOBAL_SCOPE = 0x00
_TENTATIVE = 0x40  # linux/if_addr.h
_ETHERNET = "1"  # linux/if_arp.h
# Of virtual interfaces only a pair's end and a bridge stay within the host for sure: the others named in DEVTYPE
# (vlan, bond, macvlan, vxlan, wireguard, ...) are ways out of it.
_INNER_KINDS = frozenset({"", "bridge", "veth"})
_MOST_LOWER = 8


@dataclass(frozen=True, slots=True)
class Route:
    """One line of the main table: what is reached over which interface; `gateway` is None where it is on the link."""

    network: IPv4Network | IPv6Network
    gateway: IpAddress | None
    device: str
    metric: int
    is_reject: bool = False


def local_addresses(proc: Path, pid: str) -> frozenset[IpAddress]:
    """Give the addresses of the network namespace of process *pid*, without those that only it can reach.

    Loopback and link-local ones are left out.
    """
    found: set[IpAddress] = set(_fib_addresses(_text(proc / pid / "net/fib_trie")))
    found.update(_interface_addresses(_text(proc / pid / "net/if_inet6")))
    return frozenset(address for address in found if is_ordinary(address))


def is_ordinary(address: IpAddress) -> bool:
    """Tell whether an address can be a container's: not loopback, link-local (cloud metadata), or that of a group."""
    return not (
        address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address == IPv4Address("255.255.255.255")
    )


def _fib_addresses(text: str) -> Iterator[IpAddress]:
    """Read the leaves of the trie that are addresses of the host itself."""
    leaf = ""
    for line in text.splitlines():
        words = line.split()
        if len(words) == 2 and words[0] == "|--":
            leaf = words[1]
        elif words[:3] == ["/32", "host", "LOCAL"]:
            try:
                yield IPv4Address(leaf)
            except ValueError:
                continue


def _interface_addresses(text: str) -> Iterator[IpAddress]:
    for line in text.splitlines():
        words = line.split()
        try:
            scope, flags = int(words[3], 16), int(words[4], 16)
            if scope == _GLOBAL_SCOPE and not flags & _TENTATIVE:
                yield IPv6Address(bytes.fromhex(words[0]))
        except (IndexError, ValueError):
            continue


class Routes:
    """Our own routes, and the interfaces that they lead over."""

    def __init__(self, proc: Path, sys_root: Path) -> None:
        self._sys_root = sys_root
        self._routes = sorted(
            (*_routes4(_text(proc / "self/net/route")), *_routes6(_text(proc / "self/net/ipv6_route"))),
            key=lambda route: (-route.network.prefixlen, route.metric),
        )
        self.own = local_addresses(proc, "self")

    def inner_device(self, address: IpAddress) -> str | None:
        """Give the interface to *address* if it is on the link of one that stays within this host, else None."""
        route = next((route for route in self._routes if address in route.network), None)
        if route is None or route.is_reject:
            return None
        if route.gateway is not None and route.gateway not in self.own:
            return None
        return route.device if self._stays_inside(route.device, 0) else None

    def _stays_inside(self, device: str, depth: int) -> bool:
        """Tell whether nothing that is sent over *device* leaves this host by it."""
        folder = self._sys_root / "class/net" / device
        try:
            place = folder.resolve(strict=True)
            if place.parts[-4:-1] != ("devices", "virtual", "net") or depth > _MOST_LOWER:
                return False
            names = [entry.name for entry in place.iterdir()]
        except OSError:
            return False
        if "tun_flags" in names or _text(place / "type").strip() != _ETHERNET:
            return False
        facts = dict(line.partition("=")[::2] for line in _text(place / "uevent").splitlines())
        if facts.get("DEVTYPE", "") not in _INNER_KINDS:
            return False
        # A bridge is as open as its ports.
        lower = [name.removeprefix("lower_") for name in names if name.startswith("lower_")]
        return all(self._stays_inside(name, depth + 1) for name in lower)


def _routes4(text: str) -> Iterator[Route]:
    for line in text.splitlines()[1:]:
        words = line.split()
        try:
            flags = int(words[3], 16)
            network = IPv4Network((_word(words[1]), str(_word(words[7]))))
            gateway = _word(words[2])
            metric = int(words[6])
        except (IndexError, ValueError):
            continue
        if flags & _UP:
            on_link = gateway.is_unspecified
            yield Route(network, None if on_link else gateway, words[0], metric, is_reject=bool(flags & _REJECT))


def _routes6(text: str) -> Iterator[Route]:
    for line in text.splitlines():
        words = line.split()
        try:
            network = IPv6Network((bytes.fromhex(words[0]), int(words[1], 16)))
            gateway = ip_address(bytes.fromhex(words[4]))
            metric, flags = int(words[5], 16), int(words[8], 16)
            device = words[9]
        except (IndexError, ValueError):
            continue
        if flags & _UP:
            on_link = gateway.is_unspecified
            yield Route(network, None if on_link else gateway, device, metric, is_reject=bool(flags & _REJECT))


def _word(text: str) -> IPv4Address:
    """Read an address as /proc/net/route has it: one word in the order of this machine. Raises ValueError."""
    return IPv4Address(int(text, 16).to_bytes(4, sys.byteorder))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode("ascii", "replace")
    except OSError:
        return ""
