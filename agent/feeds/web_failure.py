"""What the errors of urllib3, and of what it stands on, mean to an operator; their texts show URLs and stay here."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator

import urllib3

from wattledger.rules.instant import NS_PER_SECOND

from .base import FeedError, Trouble


def failure_of(error: Exception, place: str, *, timeout_ns: int, is_late: bool) -> FeedError:
    """Give the failure. *is_late*: the time was over, so that whatever broke broke off by us."""
    found = list(_wrapped(error))
    if is_late:
        seconds = timeout_ns / NS_PER_SECOND
        return FeedError(Trouble.TIMEOUT, f"{place}: no whole answer within {seconds:g} s (`timeout`)")
    for one in found:
        if (failure := _of(one, place)) is not None:
            return failure
    if isinstance(error, ValueError):
        detail = "the request cannot be written as HTTP; check url and token for characters that do not belong there"
        return FeedError(Trouble.INVALID, f"{place}: {detail}")
    return FeedError(Trouble.UNREACHABLE, f"{place}: no answer ({type(error).__name__})")


def _of(one: BaseException, place: str) -> FeedError | None:
    """Judge one of the errors; None where it says nothing by itself."""
    match one:
        case ssl.SSLCertVerificationError():
            cure = "set `ca_file` to the CA of its certificate, or install the system's CA certificates"
            return FeedError(Trouble.UNREACHABLE, f"{place}: TLS: {one.verify_message}; {cure}")
        case ssl.SSLError():
            return FeedError(Trouble.UNREACHABLE, f"{place}: TLS: {one.reason or 'the handshake failed'}")
        case socket.gaierror():
            return FeedError(Trouble.UNREACHABLE, f"{place}: no address is known for this host; check name and DNS")
        case TimeoutError():
            return FeedError(Trouble.TIMEOUT, f"{place}: no connection in time; check firewall and proxy")
        case urllib3.exceptions.IncompleteRead() | http.client.IncompleteRead():
            return FeedError(Trouble.INVALID, f"{place}: the answer was cut off")
        case http.client.RemoteDisconnected():
            return FeedError(Trouble.UNREACHABLE, f"{place}: the connection ended without an answer")
        case http.client.HTTPException():
            return FeedError(Trouble.INVALID, f"{place}: what answers speaks no HTTP")
        case OSError() if str(one).startswith("Tunnel connection failed"):
            status = str(one).removeprefix("Tunnel connection failed:").split()[:1]
            return FeedError(Trouble.UNREACHABLE, f"{place}: the proxy refuses ({' '.join(status)})")
        case OSError() if one.strerror:
            return FeedError(Trouble.UNREACHABLE, f"{place}: {one.strerror}")
    return None


def _wrapped(error: BaseException) -> Iterator[BaseException]:
    """Give what *error* wraps, the innermost first: urllib3 keeps it among the arguments."""
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting and len(seen) < 20:
        one = waiting.pop()
        if isinstance(one, BaseException) and one not in seen:
            seen.append(one)
            waiting += [one.__context__, one.__cause__, getattr(one, "reason", None), *one.args]
    return reversed(seen)
