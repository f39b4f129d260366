"""Where a receiver is, read from its URL; it opens no connection and looks no name up."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit
from zlib import crc32

_PORTS = {"http": 80, "https": 443}
_ALERTS_PATH = "/api/v2/alerts"  # Alertmanager's OpenAPI, operation postAlerts
_SENDABLE = re.compile(r"[!-~]*")
# Long, with a digit or both cases: services that take Alertmanager's webhook have their key in the path.
_KEY = re.compile(r"(?=.*[0-9]|.*[a-z].*[A-Z]|.*[A-Z].*[a-z]).{16,}")
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?")


@dataclass(frozen=True, slots=True)
class Address:
    """One place to POST to. *name* is what may be shown; the fields that may hold a secret are not in the repr."""

    tls: bool
    host: str
    port: int
    host_header: str
    name: str
    target: str = field(repr=False)
    login: tuple[str, str] | None = field(repr=False, default=None)
    secrets: tuple[str, ...] = field(repr=False, default=())

    def for_alertmanager(self) -> Address:
        """Give the address of Alertmanager's API below the path that was configured."""
        path, mark, query = self.target.partition("?")
        path = path.rstrip("/")
        if not path.endswith(_ALERTS_PATH):
            path += _ALERTS_PATH
        return Address(
            tls=self.tls,
            host=self.host,
            port=self.port,
            host_header=self.host_header,
            name=self.name,
            target=path + mark + query,
            login=self.login,
            secrets=self.secrets,
        )


def read_address(url: str) -> Address:
    """Read *url*. Raises ValueError with problem and cure, without what may be secret in the URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("this is no URL; write one such as http://127.0.0.1:9093") from None
    host = parts.hostname or ""
    if parts.scheme not in _PORTS:
        problem = f"scheme {parts.scheme!r} is not spoken" if "://" in url else "the URL has no scheme"
        raise ValueError(f"{problem}; begin it with http:// or https://")
    if not _HOST.fullmatch(host):
        raise ValueError("the URL names no valid host; write one such as http://127.0.0.1:9093")
    shown = f"[{host}]" if ":" in host else host
    default = _PORTS[parts.scheme]
    if port is not None and port != default:
        shown += f":{port}"
    keys = tuple(segment for segment in parts.path.split("/") if _KEY.fullmatch(segment))
    path = "/".join(_masked(segment) if segment in keys else segment for segment in parts.path.split("/"))
    name = f"{parts.scheme}://{shown}{path}"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not _SENDABLE.fullmatch(target):
        raise ValueError("path or query of the URL has a character that no request may have; percent-encode it")
    login = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    secrets = (parts.query, *keys, parts.username or "", parts.password or "", *(login or ()))
    return Address(
        tls=parts.scheme == "https",
        host=host,
        port=port or default,
        host_header=shown,
        name=name,
        target=target,
        login=login,
        secrets=tuple(secret for secret in secrets if secret),
    )


def _masked(secret: str) -> str:
    """Give what tells *secret* from another, too little of it to find it by."""
    return f"***{crc32(secret.encode()) & 0xFFFF:04x}"
