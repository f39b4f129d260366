"""Where a listener is reached, and that no claim of a container leads anywhere else: real namespaces, fake hosts."""

import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import pytest

from tests.agent.tokens.running import namespace, page_server
from wattledger.agent.tokens.addresses import Addresses, NoWay, Place
from wattledger.agent.tokens.fetch import FetchError, Target, fetch
from wattledger.agent.tokens.sockets import Listener, Sockets
from wattledger.rules.instant import NS_PER_SECOND

_PROC, _SYS = Path("/proc"), Path("/sys")
_OWN, _OTHER = 1, 2  # numbers of network namespaces on the fake host
_IP_FREEBIND = 15  # linux/in.h


@dataclass
class Host:
    """A fake host: its routes and interfaces, and one container with addresses of its own."""

    root: Path
    routes: str = ""
    routes6: str = ""

    def __post_init__(self) -> None:
        for pid, number in (("self", _OWN), ("50", _OTHER)):
            (self.root / f"proc/{pid}/ns").mkdir(parents=True)
            (self.root / f"proc/{pid}/ns/net").symlink_to(f"net:[{number}]")
            (self.root / f"proc/{pid}/net").mkdir()
        self.address("self", "192.168.1.5")
        self.address("self", "172.17.0.1")
        self.device("eth0", physical=True)
        self.device("docker0", uevent="DEVTYPE=bridge")

    def address(self, pid: str, *addresses: str) -> None:
        """Give a namespace one more address."""
        for text in addresses:
            folder = self.root / f"proc/{pid}/net"
            if ":" in text:
                raw = IPv6Address(text).packed.hex()
                scope = "20" if ip_address(text).is_link_local else "00"
                with (folder / "if_inet6").open("a") as file:
                    file.write(f"{raw} 02 40 {scope} 80     eth0\n")
            else:
                with (folder / "fib_trie").open("a") as file:
                    file.write(f"Local:\n  +-- 0.0.0.0/0 2 0 2\n     |-- {text}\n        /32 host LOCAL\n")

    def device(
        self, name: str, *, physical: bool = False, uevent: str = "", kind: str = "1", extra: str = ""
    ) -> None:
        """Add an interface to sysfs."""
        below = "pci0000:00/0000:00:03.0/net" if physical else "virtual/net"
        folder = self.root / "sys/devices" / below / name
        folder.mkdir(parents=True)
        (folder / "type").write_text(f"{kind}\n")
        (folder / "uevent").write_text(f"{uevent}\nINTERFACE={name}\nIFINDEX=7\n")
        if extra:
            (folder / extra).touch()
        links = self.root / "sys/class/net"
        links.mkdir(parents=True, exist_ok=True)
        (links / name).symlink_to(folder)

    def route(self, device: str, network: str, *, gateway: str = "0.0.0.0", flags: int = 1, metric: int = 0) -> None:
        """Add a route of our own."""
        address, _, length = network.partition("/")
        mask = IPv4Address((0xFFFFFFFF << (32 - int(length))) & 0xFFFFFFFF)
        words = [
            f"{int.from_bytes(IPv4Address(one).packed, sys.byteorder):08X}" for one in (address, gateway, str(mask))
        ]
        self.routes += f"{device}\t{words[0]}\t{words[1]}\t{flags:04X}\t0\t0\t{metric}\t{words[2]}\t0\t0\t0\n"

    def route6(self, device: str, network: str, *, gateway: str = "::", flags: int = 1) -> None:
        """Add a route of our own."""
        address, _, length = network.partition("/")
        raw, via = IPv6Address(address).packed.hex(), IPv6Address(gateway).packed.hex()
        self.routes6 += (
            f"{raw} {int(length):02x} {'0' * 32} 00 {via} 00000100 00000001 00000000 {flags:08x} {device}\n"
        )

    def addresses(self) -> Addresses:
        """Look at it."""
        (self.root / "proc/self/net/route").write_text("Iface\tDestination ...\n" + self.routes)
        (self.root / "proc/self/net/ipv6_route").write_text(self.routes6)
        found = Addresses(self.root / "proc", self.root / "sys")
        found.refresh()
        return found


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """Give a host as Docker leaves it: containers on a bridge, the rest of the world over a physical interface."""
    made = Host(tmp_path)
    made.route("eth0", "0.0.0.0/0", gateway="192.168.1.1", flags=3)
    made.route("eth0", "192.168.1.0/24")
    made.route("docker0", "172.17.0.0/16")
    return made


def _listener(bound: str, *, namespace: int = _OTHER, port: int = 8000) -> Listener:
    return Listener(frozenset({50}), namespace, 50, ip_address(bound), port)


def test_a_container_is_reached_at_its_own_address(host: Host) -> None:
    host.address("50", "127.0.0.1", "172.17.0.2", "fe80::1")
    expected = Place("172.17.0.2", 8000, "docker0")
    for bound in ("0.0.0.0", "::", "172.17.0.2"):
        assert host.addresses().place(_listener(bound)) == expected


def test_a_container_that_listens_to_itself_alone_is_said_to(host: Host) -> None:
    host.address("50", "127.0.0.1", "172.17.0.2")
    for bound in ("127.0.0.1", "::1"):
        with pytest.raises(NoWay, match=r"have it listen on 0\.0\.0\.0"):
            host.addresses().place(_listener(bound))


@pytest.mark.parametrize(
    "claimed",
    [
        "8.8.8.8",  # somewhere behind the gateway
        "192.168.1.77",  # a neighbour on the physical network
        "169.254.169.254",  # the cloud's metadata
        "172.17.0.1",  # ourselves, over the bridge
        "192.168.1.5",  # ourselves
        "224.0.0.1",
        "255.255.255.255",
        "127.0.0.53",
        "10.9.9.9",
    ],
)
def test_an_address_that_a_container_claims_leads_nowhere_else(host: Host, claimed: str) -> None:
    host.route("docker0", "169.254.0.0/16")
    host.address("50", claimed)
    for bound in ("0.0.0.0", "::", claimed):
        with pytest.raises(NoWay):
            host.addresses().place(_listener(bound))


def test_an_address_that_is_not_the_containers_is_not_called(host: Host) -> None:
    host.address("50", "172.17.0.2")
    with pytest.raises(NoWay):  # it is bound with IP_FREEBIND
        host.addresses().place(_listener("172.17.0.9"))


def test_the_narrowest_route_decides_and_then_the_lower_metric(host: Host) -> None:
    host.address("50", "172.17.5.5")
    assert host.addresses().place(_listener("0.0.0.0")).device == "docker0"
    host.route("eth0", "172.17.5.5/32", metric=10)
    with pytest.raises(NoWay):
        host.addresses().place(_listener("0.0.0.0"))
    host.device("cali1")
    host.route("cali1", "172.17.5.5/32", metric=5)
    assert host.addresses().place(_listener("0.0.0.0")).device == "cali1"


def test_a_route_through_a_gateway_is_taken_only_if_that_is_ourselves(host: Host) -> None:
    host.device("cilium_host")
    host.address("self", "10.0.0.5")
    host.address("50", "10.0.0.77")
    host.route("cilium_host", "10.0.0.0/24", gateway="10.0.0.6", flags=3)
    with pytest.raises(NoWay):
        host.addresses().place(_listener("0.0.0.0"))
    host.route("cilium_host", "10.0.0.0/25", gateway="10.0.0.5", flags=3)
    assert host.addresses().place(_listener("0.0.0.0")) == Place("10.0.0.77", 8000, "cilium_host")


def test_a_route_that_rejects_or_is_down_is_none(host: Host) -> None:
    host.address("50", "172.17.0.2")
    host.route("docker0", "172.17.0.2/32", flags=0)
    assert host.addresses().place(_listener("0.0.0.0")).device == "docker0"
    host.route("docker0", "172.17.0.2/32", flags=0x201)
    with pytest.raises(NoWay):
        host.addresses().place(_listener("0.0.0.0"))


@pytest.mark.parametrize(
    ("uevent", "kind", "extra"),
    [
        ("DEVTYPE=vlan", "1", ""),
        ("DEVTYPE=bond", "1", ""),
        ("DEVTYPE=macvlan", "1", ""),
        ("DEVTYPE=vxlan", "1", ""),
        ("DEVTYPE=wireguard", "65534", ""),
        ("", "1", "tun_flags"),
        ("", "768", ""),  # IP in IP
        ("", "778", ""),  # GRE
    ],
)
def test_a_virtual_interface_that_leads_out_of_the_host_is_none(
    host: Host, uevent: str, kind: str, extra: str
) -> None:
    host.device("way0", uevent=uevent, kind=kind, extra=extra)
    host.route("way0", "10.7.0.0/24")
    host.address("50", "10.7.0.2")
    with pytest.raises(NoWay):
        host.addresses().place(_listener("0.0.0.0"))


def test_a_bridge_with_a_physical_port_is_as_open_as_that(host: Host) -> None:
    host.address("50", "172.17.0.2")
    bridge = host.root / "sys/class/net/docker0"
    host.device("veth1")
    (bridge / "lower_veth1").symlink_to(host.root / "sys/class/net/veth1")
    assert host.addresses().place(_listener("0.0.0.0")).device == "docker0"
    (bridge / "lower_eth0").symlink_to(host.root / "sys/class/net/eth0")
    with pytest.raises(NoWay):
        host.addresses().place(_listener("0.0.0.0"))


def test_an_interface_that_is_its_own_port_is_not_followed_for_ever(host: Host) -> None:
    host.address("50", "172.17.0.2")
    (host.root / "sys/class/net/docker0/lower_docker0").touch()
    with pytest.raises(NoWay):
        host.addresses().place(_listener("0.0.0.0"))


def test_a_container_of_ipv6_alone_is_reached_by_it(host: Host) -> None:
    host.address("50", "fd00::2", "fe80::2")
    host.route6("docker0", "fd00::/64")
    host.route6("eth0", "::/0", gateway="fe80::99", flags=3)
    assert host.addresses().place(_listener("::")) == Place("fd00::2", 8000, "docker0")
    assert host.addresses().place(_listener("::")).shown == "[fd00::2]:8000"
    with pytest.raises(NoWay):
        host.addresses().place(_listener("0.0.0.0"))
    host.route6("eth0", "fd00::/96")
    with pytest.raises(NoWay):
        host.addresses().place(_listener("::"))


def test_in_our_own_namespace_a_listener_is_reached_where_it_is_bound(host: Host) -> None:
    addresses = host.addresses()
    for bound, expected in (
        ("0.0.0.0", "127.0.0.1"),
        ("::", "127.0.0.1"),
        ("127.0.0.2", "127.0.0.2"),
        ("::1", "::1"),
        ("192.168.1.5", "192.168.1.5"),
    ):
        assert addresses.place(_listener(bound, namespace=_OWN)) == Place(expected, 8000)


def test_an_ipv6_listener_beside_one_of_ipv4_is_reached_by_ipv6(host: Host) -> None:
    both = _listener("::", namespace=_OWN)
    for sibling in ("0.0.0.0", "127.0.0.1"):
        others = [both, _listener(sibling, namespace=_OWN)]
        assert host.addresses().place(both, others) == Place("::1", 8000)


def test_a_socket_that_is_bound_to_an_address_of_another_host_is_not_followed() -> None:
    addresses = Addresses(_PROC, _SYS)
    addresses.refresh()
    with socket.socket() as listener:
        listener.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        listener.bind(("169.254.169.254", 0))
        listener.listen()
        port = listener.getsockname()[1]
        found = [one for one in Sockets(_PROC).look([os.getpid()]).listeners if one.port == port]
    assert len(found) == 1
    with pytest.raises(NoWay, match="no address of this host"):
        addresses.place(found[0])


def _found(pid: int, port: int) -> Listener:
    return next(one for one in Sockets(_PROC).look([pid]).listeners if one.port == port)


@pytest.mark.parametrize("bound", ["0.0.0.0", "::", "10.213.1.2"])
def test_a_server_in_a_namespace_is_called_over_its_pair_of_interfaces(bound: str) -> None:
    with namespace() as inside, page_server("--host", bound, before=inside.inside) as server:
        addresses = Addresses(_PROC, _SYS)
        addresses.refresh()
        place = addresses.place(_found(server.pid, server.port))
        assert place == Place(inside.address, server.port, inside.device)
        body = fetch(Target(place.host, place.port, place.device), "/metrics")
        assert b"vllm:generation_tokens_total" in body.content


def test_a_foreign_address_that_is_added_inside_a_namespace_is_not_called() -> None:
    with namespace() as inside:
        inside.ip("addr", "del", f"{inside.address}/24", "dev", "eth0")
        for claimed in ("169.254.169.254/32", "192.0.2.99/32", "198.51.100.7/32"):
            inside.ip("addr", "add", claimed, "dev", "lo")
        with page_server("--host", "0.0.0.0", before=inside.inside) as server:
            addresses = Addresses(_PROC, _SYS)
            addresses.refresh()
            with pytest.raises(NoWay):
                addresses.place(_found(server.pid, server.port))


def test_an_address_whose_container_is_gone_is_not_sought_in_the_world() -> None:
    with namespace() as inside, page_server("--host", "0.0.0.0", before=inside.inside) as server:
        place = Target(inside.address, server.port, inside.device)
        subprocess.run(["ip", "addr", "flush", "dev", inside.device], check=True)
        with pytest.raises(FetchError):
            fetch(place, "/metrics", timeout_ns=NS_PER_SECOND // 2)
