"""What the page server is asked, what it answers and what it allows; it knows no socket, wire format or thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

TEXT = "text/plain; charset=utf-8"

# Only the statuses the server itself or a page may send; anything else goes out with a neutral phrase.
REASONS: Mapping[int, str] = {
    200: "OK",
    204: "No Content",
    301: "Moved Permanently",
    302: "Found",
    304: "Not Modified",
    307: "Temporary Redirect",
    308: "Permanent Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    408: "Request Timeout",
    413: "Content Too Large",
    414: "URI Too Long",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}


@dataclass(frozen=True, slots=True)
class Request:
    """One request without a body; *path* is percent-decoded, *query* is not, header names are lower-case.

    A header that came more than once is joined with ", " (RFC 9110 section 5.3).
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Response:
    """One answer; the same for GET and HEAD, the server leaves the body out where HTTP says so."""

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class Responder(Protocol):
    """Gives the page for a request: fast, from bytes that are ready, called on the server's only thread."""

    def __call__(self, request: Request) -> Response: ...


def brief(status: int, why: str = "", *headers: tuple[str, str]) -> Response:
    """Make the short plain-text answer that names *status* and, where given, the reason."""
    text = f"{status} {REASONS.get(status, 'Error')}" + (f": {why}" if why else "")
    return Response(status, TEXT, text.encode() + b"\n", headers)


class Verdict(StrEnum):
    """What is known about a credential now."""

    GRANTED = "granted"
    DENIED = "denied"
    PENDING = "pending"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one client, and all of them together, may take.

    *connections* is lowered to half of the process's open-file limit, so that clients cannot starve the
    rest of the process of file descriptors. A request is in flight while its password is being checked
    or its answer is being written. *request_seconds* runs from the connection (TLS handshake included) or the
    first byte of a later request to the end of the head; *write_seconds* covers one whole answer. After
    *unhurried_seconds* an answer under way is given up when another client needs the place.
    """

    connections: int = 128
    requests_in_flight: int = 40
    header_bytes: int = 16_384
    target_bytes: int = 8_192
    request_seconds: float = 10.0
    idle_seconds: float = 30.0
    write_seconds: float = 30.0
    unhurried_seconds: float = 2.0
    linger_seconds: float = 1.0
    close_seconds: float = 0.5
    password_checks: int = 16
    remembered_passwords: int = 64


@dataclass(frozen=True, slots=True)
class ServerStats:
    """What the server counted since its start; *refused* never got a request answered for want of room.

    *evicted* gave their place to a newer connection, *timed_out* ran into a deadline in the middle of a
    handshake, a head, an answer or a password check; an idle connection that ends is neither. *web_config_ok* says
    whether the web config as it stands on disk is in force, None where there is none.
    """

    connections_open: int = 0
    connections_total: int = 0
    refused_total: int = 0
    evicted_total: int = 0
    timed_out_total: int = 0
    handshake_failures_total: int = 0
    responder_failures_total: int = 0
    web_config_ok: bool | None = None
    requests_total: Mapping[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class Tally:
    """The running counts; written by the server's thread alone."""

    connections: int = 0
    refused: int = 0
    evicted: int = 0
    timed_out: int = 0
    handshake_failures: int = 0
    responder_failures: int = 0
    by_status: dict[int, int] = field(default_factory=dict)

    def answered(self, status: int) -> None:
        self.by_status[status] = self.by_status.get(status, 0) + 1


class ListenError(Exception):
    """The server cannot listen where it was told to; the message names the place, the reason and the cure."""


class WebConfigError(Exception):
    """A web config file cannot be used; the message names the file, the line, the problem and the cure."""

    def __init__(self, path: Path, problem: str, *, cure: str, line: int | None = None) -> None:
        place = str(path) if line is None else f"{path}:{line}"
        super().__init__(f"{place}: {problem}; {cure}")
        self.path = path
        self.line = line
        self.problem = problem
        self.cure = cure
