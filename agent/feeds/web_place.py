"""How a URL, and what a server says, are shown to people: without what may be a secret."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from .base import FeedError, Trouble

_PORTS = {"http": 80, "https": 443}
_SHOWN_CHARACTERS = 200
# Shorter values of a query are zones, dates and switches, which an error must not lose.
_SECRET_CHARACTERS = 8


@dataclass(frozen=True, slots=True)
class Place:
    """Where to ask. `shown` is scheme, host and path alone; `url` may hold a key and is not in the repr."""

    scheme: str
    host: str
    port: int
    shown: str
    url: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False, default=())


def read_place(url: str, query: Sequence[tuple[str, str]] = ()) -> Place:
    """Read *url*, with *query* percent-encoded at its end. Raises FeedError(INVALID), which does not show it."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if not host or parts.scheme not in _PORTS or not url.isascii() or not url.isprintable() or " " in url:
        raise FeedError(Trouble.INVALID, "url: it is none; write one such as https://api.example.org/v3")
    if parts.username is not None:
        raise FeedError(Trouble.INVALID, "url: it holds a user name; give `username` and `password_file` instead")
    added = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query)
    whole = "&".join(part for part in (parts.query, added) if part)
    port = port or _PORTS[parts.scheme]
    shown = f"[{host}]" if ":" in host else host
    if port != _PORTS[parts.scheme]:
        shown += f":{port}"
    base = f"{parts.scheme}://{shown}{parts.path or '/'}"
    values = [value for _, value in parse_qsl(whole) if len(value) >= _SECRET_CHARACTERS]
    return Place(parts.scheme, host, port, base, f"{base}?{whole}" if whole else base, tuple(values))


def shown_location(location: str) -> str:
    """Give where a redirect leads, without its query."""
    return plain(location.partition("?")[0])


def plain(text: str, secrets: Sequence[str] = ()) -> str:
    """Give *text* on one line, short, printable, free of double quotes, and without *secrets*."""
    for secret in sorted({form for one in secrets for form in _forms(one)}, key=len, reverse=True):
        text = text.replace(secret, "***")
    line = " ".join(text.split())
    line = "".join(character if character.isprintable() else "?" for character in line).replace('"', "'")
    return line if len(line) <= _SHOWN_CHARACTERS else line[:_SHOWN_CHARACTERS] + "..."


def _forms(secret: str) -> tuple[str, ...]:
    """Give the ways in which a server may write a secret that it repeats."""
    escaped = secret.replace("\\", "\\\\").replace('"', '\\"').replace("/", "\\/")
    found = (secret, quote(secret, safe=""), quote(secret), unquote(secret), escaped)
    return tuple(form for form in found if form)
