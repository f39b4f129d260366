"""The last bodies of URLs whose server can say that nothing changed; what they mean is not known here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

# A feed has few URLs, and most of them name a time and do not come again.
_MOST_ENTRIES = 4
_MOST_BYTES = 1 << 20  # of one body


@dataclass(frozen=True, slots=True)
class _Kept:
    body: bytes
    headers: Mapping[str, str]
    conditions: Mapping[str, str]


class WebCache:
    """Keeps a few bodies with their ETag and Last-Modified (RFC 9110, section 8.8)."""

    def __init__(self) -> None:
        self._kept: dict[bytes, _Kept] = {}  # the one used last is the last

    def conditions(self, key: bytes) -> Mapping[str, str]:
        """Give the headers that ask whether it changed; empty where nothing is kept."""
        kept = self._kept.get(key)
        return {} if kept is None else kept.conditions

    def get(self, key: bytes) -> tuple[bytes, Mapping[str, str]] | None:
        """Give body and headers of before."""
        kept = self._kept.pop(key, None)
        if kept is None:
            return None
        self._kept[key] = kept
        return kept.body, kept.headers

    def put(self, key: bytes, body: bytes, headers: Mapping[str, str]) -> None:
        """Keep a body, if its server can be asked whether it changed. It takes the place of the one before."""
        self._kept.pop(key, None)
        names = {"If-None-Match": "etag", "If-Modified-Since": "last-modified"}
        conditions = {ask: headers[told] for ask, told in names.items() if headers.get(told)}
        if conditions and len(body) <= _MOST_BYTES:
            self._kept[key] = _Kept(body, headers, conditions)
            if len(self._kept) > _MOST_ENTRIES:
                del self._kept[next(iter(self._kept))]


def cache_key(url: str, headers: Mapping[str, str]) -> bytes:
    """Give what is one for requests that get the same answer; neither URL nor secret can be read from it."""
    lines = [url, *(f"{name}: {value}" for name, value in sorted(headers.items()))]
    return sha256("\n".join(lines).encode()).digest()
