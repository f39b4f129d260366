"""The plainest `Web`: urllib, no cache, no retry. What the real session adds is tested with the real session."""

import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from urllib.parse import urlencode, urlsplit

from wattledger.agent.feeds.base import FeedError, Response, Trouble
from wattledger.rules.instant import NS_PER_SECOND

_TIMEOUT_SECONDS = 5.0
_SHOWN = 200


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Follow none: the status becomes an error."""


class PlainWeb:
    """Asks for real, and tells statuses as the protocol `Web` says."""

    def __init__(self) -> None:
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())

    def get(
        self,
        url: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        basic: tuple[str, str] | None = None,
    ) -> Response:
        """Give the body of a success. Raises FeedError."""
        if query:
            url += ("&" if urlsplit(url).query else "?") + urlencode(query)
        request = urllib.request.Request(url, headers=dict(headers or {}))
        if basic is not None:
            request.add_header("Authorization", _basic(*basic))
        return self._answer(request)

    def post(self, url: str, body: bytes, *, content_type: str, headers: Mapping[str, str] | None = None) -> Response:
        """Send *body*. Raises FeedError."""
        sent = {**(headers or {}), "Content-Type": content_type}
        return self._answer(urllib.request.Request(url, data=body, headers=sent, method="POST"))

    def _answer(self, request: urllib.request.Request) -> Response:
        try:
            with self._opener.open(request, timeout=_TIMEOUT_SECONDS) as answer:
                return Response(answer.read(), {name.lower(): value for name, value in answer.headers.items()})
        except urllib.error.HTTPError as error:
            with error:
                raise _told(error) from None
        except TimeoutError:
            raise FeedError(Trouble.TIMEOUT, "no whole answer in time") from None
        except OSError as error:
            raise FeedError(Trouble.UNREACHABLE, str(error)) from None


def _basic(username: str, password: str) -> str:
    from base64 import b64encode  # noqa: PLC0415  (one provider alone has a password)

    return "Basic " + b64encode(f"{username}:{password}".encode()).decode("ascii")


def _told(error: urllib.error.HTTPError) -> FeedError:
    kinds = {401: Trouble.UNAUTHORIZED, 403: Trouble.UNAUTHORIZED, 404: Trouble.NOT_FOUND, 429: Trouble.THROTTLED}
    kind = kinds.get(error.code, Trouble.SERVER if error.code >= 500 else Trouble.INVALID)
    shown = error.read(_SHOWN).decode("utf-8", "replace")
    return FeedError(kind, f"status {error.code}: {shown}", retry_after_ns=_retry_after_ns(error))


def _retry_after_ns(error: urllib.error.HTTPError) -> int | None:
    """Give the seconds that are told; of a date, those from the date of the answer itself."""
    text = error.headers.get("Retry-After")
    if text is None:
        return None
    if text.isdigit():
        return int(text) * NS_PER_SECOND
    told, sent = parsedate_to_datetime(text), parsedate_to_datetime(error.headers["Date"])
    return int((told - sent).total_seconds()) * NS_PER_SECOND
