"""One client's HTTP/1.1 conversation: bytes in, a request out, an answer's bytes back; no socket, clock or policy."""

from __future__ import annotations

import re
from collections.abc import Iterable

import h11

from .model import REASONS, Limits, Request, Response, brief

_AUTHORITY = re.compile(rb"https?://[^/?#]*", re.IGNORECASE)
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BODILESS = frozenset({204, 304})  # RFC 9110 section 6.4.1
_JOIN_BYTES = 65_536  # below this, copying head and body together is cheaper than a second system call


class Refused(Exception):  # noqa: N818  (an answer on its way, not a failure of ours)
    """The conversation cannot go on: send this answer and close."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


class Wire:
    """The grammar of one connection.

    Invariant: h11 never holds more than ``header_bytes + 1`` bytes, because ``room`` is all that is ever read.
    Hence no head, however it arrives, can be longer than the limit, and pipelined requests wait in the
    kernel until their turn.
    """

    __slots__ = ("_h11", "_held", "_limits", "_method")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.header_bytes)
        self._held = 0
        self._method = ""

    @property
    def room(self) -> int:
        """How many bytes to read next."""
        return max(1, self._limits.header_bytes + 1 - self._held)

    @property
    def begun(self) -> bool:
        """Whether bytes of an unanswered request are here."""
        return self._held > 0

    def feed(self, data: bytes) -> None:
        self._held += len(data)
        self._h11.receive_data(data)

    def next_request(self) -> Request | None:
        """Give the next request, or None while its head is incomplete. Raises Refused."""
        try:
            head = self._h11.next_event()
            if head is h11.NEED_DATA:
                return None
            if not isinstance(head, h11.Request):
                raise Refused(brief(400))
            request = self._judge(head)
            self._method = request.method
            # No body was announced, so this is the EndOfMessage; it arms the next cycle.
            self._h11.next_event()
        except h11.RemoteProtocolError as error:
            raise Refused(self._grammar_answer(error)) from error
        self._held = len(self._h11.trailing_data[0])
        return request

    def answer(self, response: Response, extra: Iterable[tuple[str, str]], *, close: bool) -> list[bytes]:
        """Render *response*; *extra* headers stand in for its own of the same name.

        Raises h11.LocalProtocolError when the result is not valid HTTP.
        """
        headers = [("Content-Type", response.content_type), *extra]
        taken = {name.lower() for name, _ in headers}
        headers += [(name, value) for name, value in response.headers if name.lower() not in taken]
        if response.status not in _BODILESS:
            headers.append(("Content-Length", str(len(response.body))))
        if close:
            headers.append(("Connection", "close"))
        head = h11.Response(
            status_code=response.status,
            headers=headers,
            reason=REASONS.get(response.status, "Other"),
        )
        bodiless = response.status in _BODILESS or self._method == "HEAD"
        # The head comes line by line; sent so, it would be as many packets.
        out = [b"".join(self._h11.send_with_data_passthrough(head) or [])]
        if response.body and not bodiless:
            out += self._h11.send_with_data_passthrough(h11.Data(data=response.body)) or []
        out += self._h11.send_with_data_passthrough(h11.EndOfMessage()) or []
        return [b"".join(out)] if sum(map(len, out)) <= _JOIN_BYTES else out

    def start_over(self) -> bool:
        """Make ready for the next request; False when the connection must close instead."""
        if self._h11.our_state is not h11.DONE or self._h11.their_state is not h11.DONE:
            return False
        self._h11.start_next_cycle()
        return True

    def _judge(self, head: h11.Request) -> Request:
        headers: dict[str, str] = {}
        for raw_name, raw_value in head.headers:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        if not head.http_version.startswith(b"1."):
            raise Refused(brief(505, "HTTP/1.1 and HTTP/1.0 are served"))
        if len(head.target) > self._limits.target_bytes:
            raise Refused(brief(414))
        # Two lengths for one message are how requests are smuggled past a proxy (RFC 9112 section 6.1).
        if "transfer-encoding" in headers and "content-length" in headers:
            raise Refused(brief(400, "both Content-Length and Transfer-Encoding"))
        method = head.method.decode("latin-1")
        if method not in ("GET", "HEAD"):
            raise Refused(brief(405, "GET and HEAD are served", ("Allow", "GET, HEAD")))
        if "transfer-encoding" in headers or int(headers.get("content-length", "0")):
            raise Refused(brief(413, "a request with a body is not accepted"))
        path, query = _split_target(head.target)
        return Request(method, path, query, headers)

    def _grammar_answer(self, error: h11.RemoteProtocolError) -> Response:
        # h11 suggests 431 for any head over the limit; without a line end, the request line alone is over.
        if error.error_status_hint == 431 and b"\n" not in self._h11.trailing_data[0]:
            return brief(414)
        return brief(error.error_status_hint)


def _split_target(target: bytes) -> tuple[str, str]:
    """Split a request target (RFC 9112 section 3.2) into the decoded path and the raw query. Raises Refused."""
    if not target.startswith(b"/"):
        authority = _AUTHORITY.match(target)
        if authority is None:
            raise Refused(brief(400, "the request target is no path"))
        target = target[authority.end() :]
    raw_path, _, query = target.partition(b"?")
    try:
        path = _PERCENT.sub(_one_byte, raw_path or b"/").decode()
    except UnicodeDecodeError as error:
        raise Refused(brief(400, "the path is not UTF-8")) from error
    if _CONTROL.search(path):
        raise Refused(brief(400, "the path has control characters"))
    return path, query.decode("latin-1")


def _one_byte(escape: re.Match[bytes]) -> bytes:
    if escape[1] is None:
        raise Refused(brief(400, "a percent sign stands without two hexadecimal digits"))
    return bytes((int(escape[1], 16),))
