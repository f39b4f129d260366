"""How a feed shows who it is: a token in a header, or a user name with its password."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..config.feed_schema import Feed
from .base import Response, Secret, Web
from .registration import Wants

ACCESS_KEYS = ("token_file", "token_variable", "token_header", "username", "password_file")
"""Keys of providers that may ask for either, or for nothing."""

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")


@dataclass(frozen=True, slots=True)
class Access:
    """What is sent along. Without `header` the token goes as `Authorization: Bearer`."""

    secret: Secret | None = None
    header: str = ""
    username: str = ""

    @staticmethod
    def of(feed: Feed, wants: Wants) -> Access:
        """Take it from the configuration."""
        return Access(wants.secret, feed.token_header, feed.username)

    def get(self, web: Web, url: str, query: tuple[tuple[str, str], ...] = ()) -> Response:
        """Ask, with the secret where there is one. Raises FeedError."""
        if self.secret is None:
            return web.get(url, query=query)
        secret = self.secret()
        if self.username:
            return web.get(url, query=query, basic=(self.username, secret))
        return web.get(url, query=query, headers=self._headers(secret))

    def _headers(self, secret: str) -> Mapping[str, str]:
        return {self.header: secret} if self.header else {"Authorization": f"Bearer {secret}"}


def access_mistakes(feed: Feed) -> Iterator[tuple[str, str]]:
    """Give the key and what is wrong with it."""
    has_token = feed.token_file is not None or bool(feed.token_variable)
    if feed.token_file is not None and feed.token_variable:
        yield "token_variable", "stands beside token_file; keep one of them"
    if has_token and feed.username:
        yield "username", "stands beside a token; keep one of them"
    if feed.token_header and not has_token:
        yield "token_header", "has no token to carry; set token_file or token_variable"
    if feed.token_header and not _HEADER_NAME.fullmatch(feed.token_header):
        yield "token_header", f"{feed.token_header!r} is no name of a header; write one such as X-Api-Key"
    if feed.username and feed.password_file is None:
        yield "username", "has no password; set password_file"
    if feed.password_file is not None and not feed.username:
        yield "password_file", "has no user; set username"
