"""Which proxy a request goes through, by the variables that curl and others read; it opens no connection.

HTTPS_PROXY and HTTP_PROXY name it by the scheme of what is asked, NO_PROXY what is asked directly: host names (with
all below them), addresses, networks, each with a port or without, or `*`. This host itself is asked directly.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from .base import FeedError, Trouble
from .web_place import Place

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy. `url` is without the user, who stands with the password in `basic`."""

    url: str
    basic: tuple[str, str] | None = field(repr=False, default=None)


def proxy_for(place: Place, environment: Mapping[str, str]) -> Proxy | None:
    """Give the proxy for *place*, None where there is none. Raises FeedError(INVALID) for one that cannot be read."""
    variable = f"{place.scheme}_proxy"
    url = _get(environment, variable)
    if not url or _is_own(place.host) or _is_excepted(place, _get(environment, "no_proxy")):
        return None
    if "://" not in url:
        url = f"http://{url}"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if not host or parts.scheme not in _PORTS:
        raise FeedError(
            Trouble.INVALID, f"{variable.upper()}: it is no proxy; write one such as http://proxy.example:3128"
        )
    shown = f"[{host}]" if ":" in host else host
    basic = None if parts.username is None else (unquote(parts.username), unquote(parts.password or ""))
    return Proxy(f"{parts.scheme}://{shown}:{port or _PORTS[parts.scheme]}", basic)


def _get(environment: Mapping[str, str], name: str) -> str:
    # Small letters go first, as in curl; Go and Python take both too.
    return environment.get(name, "") or environment.get(name.upper(), "")


def _is_own(host: str) -> bool:
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def _is_excepted(place: Place, no_proxy: str) -> bool:
    return any(_matches(place, entry) for entry in no_proxy.replace(",", " ").lower().split())


def _matches(place: Place, entry: str) -> bool:
    if entry == "*":
        return True
    address = _address(place.host)
    if address is not None:
        try:
            return address in ipaddress.ip_network(entry.strip("[]"), strict=False)
        except ValueError:
            pass  # it has a port, or is a name
    name, _, port = entry.rpartition(":")
    if not name or not port.isdigit():
        name, port = entry, ""
    name = name.strip("[]").removeprefix("*").removeprefix(".").rstrip(".")
    if not name or (port and int(port) != place.port):
        return False
    host = place.host.rstrip(".")
    return host == name or (address is None and host.endswith(f".{name}"))


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
