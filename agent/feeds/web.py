"""HTTP as providers may use it: one deadline, a size limit, no redirect, no retry, and errors that tell no secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND

from ..clock import Clock
from ..version import __version__
from .base import FeedError, Response, Trouble

if TYPE_CHECKING:
    from .web_cache import WebCache
    from .web_place import Place
    from .web_transport import Reply

BODY_BYTES = 16 << 20
_LONGEST_PAUSE_NS = 24 * NS_PER_HOUR
_BY_STATUS = {
    401: (Trouble.UNAUTHORIZED, "check the token or password, and whether it has expired"),
    403: (Trouble.UNAUTHORIZED, "check the token or password, and what its plan covers"),
    404: (Trouble.NOT_FOUND, "check zone and url"),
    429: (Trouble.THROTTLED, "too many requests; set a longer `poll`"),
}


class WebSession:
    """Asks over HTTP for one feed, on one thread; nothing of urllib3 is loaded before the first request.

    *timeout_ns* is for all of a request but the look-up of a name, which cannot be cut short. TLS is verified by the
    system's CAs, or those of *ca_file*. *environment* names the proxies. *body_bytes* limits an unpacked body.
    With *asks_anew* it never asks whether a body changed: for servers whose ETag is not of all that they measure.
    """

    def __init__(
        self,
        clock: Clock,
        environment: Mapping[str, str],
        *,
        timeout_ns: int = 10 * NS_PER_SECOND,
        ca_file: Path | None = None,
        body_bytes: int = BODY_BYTES,
        asks_anew: bool = False,
    ) -> None:
        self._clock = clock
        self._environment = environment
        self._timeout_ns = timeout_ns
        self._ca_file = ca_file
        self._body_bytes = body_bytes
        self._asks_anew = asks_anew
        self._cache: WebCache | None = None

    def get(
        self,
        url: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        basic: tuple[str, str] | None = None,
    ) -> Response:
        """Give the body of a success, or that of before where the server says it is unchanged. Raises FeedError."""
        from .web_cache import WebCache, cache_key  # noqa: PLC0415  (only where a feed asks the web)
        from .web_place import read_place  # noqa: PLC0415

        place = read_place(url, query)
        own = dict(headers or {})
        secrets = list(own.values())
        if basic is not None:
            from .web_transport import basic_header  # noqa: PLC0415

            own["Authorization"] = basic_header(*basic)
            secrets += [basic[1], own["Authorization"]]
        if self._cache is None:
            self._cache = WebCache()
        key = cache_key(place.url, own)
        reply = self._ask("GET", place, {**own, **self._cache.conditions(key)}, None, secrets)
        if reply.status == 304:
            kept = self._cache.get(key)
            if kept is None:
                raise FeedError(Trouble.INVALID, f"{place.shown}: it says 304, unchanged, and was not asked that")
            return Response(*kept, unchanged=True)
        if not self._asks_anew:
            self._cache.put(key, reply.body, reply.headers)
        return Response(reply.body, reply.headers)

    def post(self, url: str, body: bytes, *, content_type: str, headers: Mapping[str, str] | None = None) -> Response:
        """Send *body*, which holds no secret, and give the body of a success. Raises FeedError."""
        from .web_place import read_place  # noqa: PLC0415

        place, own = read_place(url), dict(headers or {})
        reply = self._ask("POST", place, {**own, "Content-Type": content_type}, body, list(own.values()))
        if reply.status == 304:
            raise FeedError(Trouble.INVALID, f"{place.shown}: it says 304, unchanged, to a POST")
        return Response(reply.body, reply.headers)

    def _ask(
        self, method: str, place: Place, headers: Mapping[str, str], body: bytes | None, secrets: list[str]
    ) -> Reply:
        from .web_proxy import proxy_for  # noqa: PLC0415
        from .web_transport import Call, exchange  # noqa: PLC0415
        from .web_unpack import UnpackError  # noqa: PLC0415

        fixed = {
            "User-Agent": f"wattledger/{__version__}",
            "Accept-Encoding": "gzip, deflate",
            "Connection": "close",
        }
        call = Call(
            method,
            place,
            {**fixed, **headers},
            body,
            timeout_ns=self._timeout_ns,
            most_bytes=self._body_bytes,
            proxy=proxy_for(place, self._environment),
            ca_file=self._ca_file,
        )
        try:
            reply = exchange(call)
        except UnpackError as error:
            raise FeedError(Trouble.INVALID, f"{place.shown}: the body is not taken: {error}") from None
        if reply.status == 304 or (200 <= reply.status < 300 and reply.status != 206):
            return reply
        raise self._refusal(place, reply, secrets)

    def _refusal(self, place: Place, reply: Reply, secrets: list[str]) -> FeedError:
        from .web_place import plain, shown_location  # noqa: PLC0415

        status = reply.status
        # A scheme goes before a token ("Bearer ..."), and a server may repeat the token alone.
        parts = [part for one in secrets for part in (one, one.rpartition(" ")[2])]
        said = plain(reply.body.decode("utf-8", "replace"), (*parts, *place.secrets))
        said = f": {said}" if said else ""
        if 300 <= status < 400:
            led = plain(shown_location(reply.headers.get("location", "")), (*parts, *place.secrets))
            detail = (
                f"{place.shown}: status {status}: redirects are not followed (to {led}); set `url` to where it leads"
            )
            return FeedError(Trouble.INVALID, detail)
        pause_ns = retry_after_ns(reply.headers.get("retry-after", ""), self._clock.now().wall_ns)
        if status in _BY_STATUS:
            trouble, cure = _BY_STATUS[status]
            return FeedError(trouble, f"{place.shown}: status {status}{said}; {cure}", retry_after_ns=pause_ns)
        trouble = Trouble.SERVER if status >= 500 else Trouble.INVALID
        return FeedError(trouble, f"{place.shown}: status {status}{said}", retry_after_ns=pause_ns)


def retry_after_ns(text: str, wall_ns: int) -> int | None:
    """Give how long a Retry-After header (RFC 9110, 10.2.3) asks to wait from *wall_ns* on, at most a day.

    None where it says nothing that can be read.
    """
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:9]) * NS_PER_SECOND, _LONGEST_PAUSE_NS)
    from email.utils import mktime_tz, parsedate_tz  # noqa: PLC0415  (http.client has loaded it)

    moment = parsedate_tz(text)
    if moment is None:
        return None
    try:
        left_ns = int(mktime_tz((*moment[:9], moment[9] or 0))) * NS_PER_SECOND - wall_ns
    except (ValueError, OverflowError):
        return None
    return min(max(0, left_ns), _LONGEST_PAUSE_NS)
