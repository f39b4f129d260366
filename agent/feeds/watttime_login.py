"""The session with WattTime: a token for user name and password, renewed before it ends."""

from __future__ import annotations

from collections.abc import Sequence

from wattledger.rules.instant import NS_PER_SECOND

from .base import FeedError, Secret, Trouble, Web
from .json_body import json_object, lacking

# A token lives 30 minutes (docs.watttime.org); it is renewed early enough for the requests of one fetch.
_TOKEN_NS = 25 * 60 * NS_PER_SECOND


class Login:
    """Asks with a token that it gets itself. The password is read at each login and not kept."""

    def __init__(self, url: str, username: str, password: Secret) -> None:
        self._url = url
        self._username = username
        self._password = password
        self._token = ""
        self._at_wall_ns = 0

    @property
    def is_open(self) -> bool:
        """Tell whether there is a token: where the last login failed there is none."""
        return bool(self._token)

    def get(self, web: Web, path: str, query: Sequence[tuple[str, str]], now_wall_ns: int) -> bytes:
        """Give the body of an answer. A token that is refused is renewed once. Raises FeedError."""
        # The wall clock alone is known here; one that was set back ends the token too.
        if not self._token or not 0 <= now_wall_ns - self._at_wall_ns < _TOKEN_NS:
            self._renew(web, now_wall_ns)
        try:
            return self._ask(web, path, query)
        except FeedError as error:
            if error.trouble is not Trouble.UNAUTHORIZED or self._at_wall_ns == now_wall_ns:
                raise
        self._renew(web, now_wall_ns)
        return self._ask(web, path, query)

    def _ask(self, web: Web, path: str, query: Sequence[tuple[str, str]]) -> bytes:
        return web.get(self._url + path, query=query, headers={"Authorization": f"Bearer {self._token}"}).body

    def _renew(self, web: Web, now_wall_ns: int) -> None:
        self._token = ""
        try:
            body = web.get(f"{self._url}/login", basic=(self._username, self._password())).body
        except FeedError as error:
            cure = "; check username and password_file" if error.trouble is Trouble.UNAUTHORIZED else ""
            raise FeedError(
                error.trouble, f"login: {error.detail}{cure}", retry_after_ns=error.retry_after_ns
            ) from None
        answer = json_object(body)
        token = answer.get("token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
            raise lacking(answer, "token")
        self._token, self._at_wall_ns = token, now_wall_ns
