"""One attempt to bring a body to a receiver, and what it came to; it neither repeats nor counts."""

from __future__ import annotations

import time
from calendar import timegm
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from wattledger.rules.instant import NS_PER_SECOND

from .address import read_address
from .credentials import CredentialsError, read_credentials
from .model import Receiver, ReceiverKind
from .plain import one_line

if TYPE_CHECKING:
    from .post import Answer
    from .tls import TlsClient

# The answers below 500 after which the same request may succeed: Request Timeout, Too Many Requests (RFC 9110, 6585).
_TRY_AGAIN = frozenset({408, 429})


class Verdict(StrEnum):
    """What an attempt came to."""

    DELIVERED = "delivered"
    FAILED = "failed"  # to be tried again
    REFUSED = "refused"  # the same again would be refused again


@dataclass(frozen=True, slots=True)
class Outcome:
    """A verdict with its reason; *wait_ns* is how long the receiver wants to be left alone."""

    verdict: Verdict
    reason: str = ""
    status: int | None = None
    wait_ns: int = 0


class Sender:
    """The way to one receiver. Belongs to its courier's thread."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        address = read_address(receiver.url)
        self._address = address.for_alertmanager() if receiver.kind is ReceiverKind.ALERTMANAGER else address
        self._tls: TlsClient | None = None

    def send(self, body: bytes, *, timeout_ns: int, wall_ns: int) -> Outcome:
        """POST *body*; *wall_ns* is the present, to which a Retry-After date is compared."""
        from .post import PostError, post  # noqa: PLC0415  (an idle delivery needs no HTTP)

        secrets = self._address.secrets
        try:
            credentials = read_credentials(self._receiver, self._address)
            secrets += credentials.secrets
            tls = self._prepared_tls()
            answer = post(
                self._address,
                credentials.headers,
                body,
                timeout_ns=timeout_ns,
                wrap=tls.wrap if tls is not None else None,
            )
        except CredentialsError as error:
            return Outcome(Verdict.FAILED, str(error))
        except PostError as error:
            return Outcome(Verdict.FAILED, one_line(str(error), secrets=secrets))
        return _judge(answer, secrets, wall_ns)

    def _prepared_tls(self) -> TlsClient | None:
        if not self._address.tls:
            return None
        if self._tls is None:
            from .tls import TlsClient  # noqa: PLC0415  (ssl costs memory)

            self._tls = TlsClient(self._receiver, self._address.host)
        self._tls.prepare()
        return self._tls


def _judge(answer: Answer, secrets: tuple[str, ...], wall_ns: int) -> Outcome:
    status = answer.status
    if 200 <= status < 300:
        return Outcome(Verdict.DELIVERED, status=status)
    if 300 <= status < 400:
        reason = f"answered {status}: redirects are not followed; configure the URL that it leads to"
        return Outcome(Verdict.REFUSED, reason, status)
    text = one_line(answer.text, secrets=secrets)
    reason = f"answered {status}" + (f": {text}" if text else "")
    if status >= 500 or status in _TRY_AGAIN:
        return Outcome(Verdict.FAILED, reason, status, read_retry_after(answer.retry_after, wall_ns))
    return Outcome(Verdict.REFUSED, reason, status)


def read_retry_after(value: str, wall_ns: int) -> int:
    """Give the nanoseconds that a Retry-After header asks for, 0 where it says nothing readable (RFC 9110 10.2.3)."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return int(value[:9]) * NS_PER_SECOND
    try:
        moment = time.strptime(value, "%a, %d %b %Y %H:%M:%S GMT")
    except ValueError:
        return 0
    return max(0, timegm(moment) * NS_PER_SECOND - wall_ns)
