"""One caller's HTTP/1.1 conversation with the push endpoint: bytes in, a message out, an answer back; no socket."""

import json
from dataclasses import dataclass

import h11

HEAD_BYTES = 8192
BODY_BYTES = 4096
PATH = b"/v1/tokens"
_REASONS = {200: b"OK", 400: b"Bad Request", 403: b"Forbidden", 404: b"Not Found", 405: b"Method Not Allowed"}
_REASONS |= {408: b"Request Timeout", 409: b"Conflict", 413: b"Content Too Large", 429: b"Too Many Requests"}
_REASONS |= {431: b"Request Header Fields Too Large", 500: b"Internal Server Error", 501: b"Not Implemented"}


@dataclass(frozen=True, slots=True)
class Refusal(Exception):  # noqa: N818  (an answer on its way, not a failure of ours)
    """The conversation cannot go on: send this answer and close."""

    status: int
    message: str


class PushWire:
    """The grammar of one connection. It never holds more than a head and a body of the largest sizes."""

    __slots__ = ("_body", "_h11", "_held", "_request")

    def __init__(self) -> None:
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)
        self._request: h11.Request | None = None
        self._body = b""
        self._held = False

    @property
    def begun(self) -> bool:
        """Tell whether a message has begun and is not answered."""
        return self._held

    def feed(self, data: bytes) -> None:
        """Take what came; b"" is the end."""
        self._held = self._held or bool(data)
        self._h11.receive_data(data)

    def next_body(self) -> bytes | None:
        """Give the body of the next message to the right path, None while it is incomplete. Raises Refusal."""
        try:
            while True:
                event = self._h11.next_event()
                if isinstance(event, h11.Request):
                    self._request = event
                    _judge(event)
                elif isinstance(event, h11.Data):
                    self._body += event.data
                    if len(self._body) > BODY_BYTES:
                        raise Refusal(413, f"the body has more than {BODY_BYTES} bytes; a message has under 1000")
                elif isinstance(event, h11.EndOfMessage):
                    return self._body
                else:
                    return None
        except h11.RemoteProtocolError as error:
            raise Refusal(error.error_status_hint, f"this is not HTTP/1.1 as we know it: {error}") from None

    def continues(self) -> bytes:
        """Give what a caller must hear before it sends its body, b"" where it waits for nothing."""
        if not self._h11.they_are_waiting_for_100_continue:
            return b""
        return self._h11.send(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")) or b""

    def answer(self, status: int, content: dict[str, object], *, close: bool) -> bytes:
        """Render an answer in JSON."""
        body = json.dumps(content).encode() + b"\n"
        headers = [
            (b"Content-Type", b"application/json"),
            (b"Content-Length", b"%d" % len(body)),
            (b"Server", b"wattledger"),
        ]
        if status == 405:
            headers.append((b"Allow", b"POST"))
        if close:
            headers.append((b"Connection", b"close"))
        head = h11.Response(status_code=status, headers=headers, reason=_REASONS.get(status, b"Other"))
        parts = (self._h11.send(head), self._h11.send(h11.Data(data=body)), self._h11.send(h11.EndOfMessage()))
        return b"".join(part for part in parts if part)

    def start_over(self) -> bool:
        """Make ready for the next message; False when the connection must close instead."""
        if self._h11.our_state is not h11.DONE or self._h11.their_state is not h11.DONE:
            return False
        self._held = bool(self._h11.trailing_data[0])
        self._h11.start_next_cycle()
        self._request, self._body = None, b""
        return True


def _judge(request: h11.Request) -> None:
    """Refuse what is no push."""
    headers = dict(request.headers)
    # A page in somebody's browser can reach loopback too, and speaks in that user's name.
    if b"origin" in headers or b"sec-fetch-site" in headers:
        raise Refusal(403, "pages of a browser may not push")
    if request.target.partition(b"?")[0] != PATH:
        raise Refusal(404, f"there is nothing here; POST to {PATH.decode()}")
    if request.method != b"POST":
        raise Refusal(405, f"POST to {PATH.decode()}")
    if b"transfer-encoding" in headers and b"content-length" in headers:
        raise Refusal(400, "both Content-Length and Transfer-Encoding")
    if int(headers.get(b"content-length", b"0")) > BODY_BYTES:
        raise Refusal(413, f"the body has more than {BODY_BYTES} bytes; a message has under 1000")
