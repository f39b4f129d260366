"""What is delivered, to whom, and what is known of it afterwards; nothing here sends anything."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND, Instant
from wattledger.rules.promql.model import Labels

from .address import read_address

NS_PER_MS = 1_000_000

# Prometheus: timeout of alertmanager_config.
DEFAULT_TIMEOUT_NS = 10 * NS_PER_SECOND
# Alertmanager's route.repeat_interval.
DEFAULT_REPEAT_NS = 4 * NS_PER_HOUR


class Clock(Protocol):
    """The time as this package needs it."""

    def now(self) -> Instant:
        """Give the present moment."""
        ...

    def wait_until(self, mono_ns: int, stop: threading.Event) -> bool:
        """Wait until *mono_ns* or until *stop* is set; give whether it was set."""
        ...


@dataclass(frozen=True, slots=True)
class Notice:
    """One alert as receivers are told of it; external labels are among *labels* already. Times in Unix ms.

    *ends_at_ms* is when a resolved alert ended; of a firing one, until when a receiver that hears nothing more may
    take it as firing. *from_before* is so of what the process before has left: what it had told of it is not known.
    """

    labels: Labels
    annotations: Labels
    starts_at_ms: int
    ends_at_ms: int
    resolved: bool
    generator_url: str = ""
    from_before: bool = False

    def over(self, wall_ns: int) -> bool:
        """Tell whether *ends_at_ms* has come."""
        return self.ends_at_ms * NS_PER_MS <= wall_ns


class ReceiverKind(StrEnum):
    """What a receiver speaks; the words are the values of the label `kind`."""

    ALERTMANAGER = "alertmanager"
    WEBHOOK = "webhook"


class ReceiverError(ValueError):
    """A receiver that cannot be used as configured; the message names the field, the problem and the cure."""

    def __init__(self, field_name: str, problem: str) -> None:
        super().__init__(f"{field_name}: {problem}")
        self.field_name = field_name
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Receiver:
    """One configured receiver. Raises ReceiverError where the fields contradict each other.

    *name* is the value of the label `receiver`; left empty it is the URL without user info, query and fragment, and
    with masks for parts of its path that look like a key. Kind and name together are the identity: after a reload the
    same receiver keeps its queue and its counters. The files are read at each use, so that a secret or certificate
    that was replaced is used without a reload. *repeat_ns*, *send_resolved*: as Alertmanager's `repeat_interval` and
    `send_resolved`; *repeat_ns* counts for webhooks only.
    """

    kind: ReceiverKind
    url: str = field(repr=False)
    name: str = ""
    timeout_ns: int = DEFAULT_TIMEOUT_NS
    username: str = ""
    password_file: Path | None = None
    bearer_token_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    insecure_skip_verify: bool = False
    send_resolved: bool = True
    repeat_ns: int = DEFAULT_REPEAT_NS

    def __post_init__(self) -> None:
        try:
            address = read_address(self.url)
        except ValueError as error:
            raise ReceiverError("url", str(error)) from None
        object.__setattr__(self, "name", self.name or address.name)
        for name, duration_ns in (("timeout", self.timeout_ns), ("repeat", self.repeat_ns)):
            if duration_ns <= 0:
                raise ReceiverError(name, "the duration is not above zero; write one such as 10s")
        self._check_credentials(has_login=address.login is not None)
        if not address.tls and (self.ca_file or self.cert_file or self.key_file or self.insecure_skip_verify):
            raise ReceiverError("url", "TLS settings have no effect on http://; write https:// or leave them out")

    def _check_credentials(self, *, has_login: bool) -> None:
        if bool(self.username) != (self.password_file is not None):
            raise ReceiverError("username", "username and password_file need each other; give both or neither")
        if ":" in self.username:
            raise ReceiverError("username", "a colon cannot be sent in Basic authentication; choose another name")
        if sum((bool(self.username), self.bearer_token_file is not None, has_login)) > 1:
            problem = "more than one way to log in is given; keep one of user info in the URL, username, bearer token"
            raise ReceiverError("bearer_token_file" if self.bearer_token_file else "username", problem)
        if self.key_file is not None and self.cert_file is None:
            raise ReceiverError("key_file", "a key without its certificate; add cert_file")


@dataclass(frozen=True, slots=True)
class ReceiverStats:
    """What happened with one receiver since the start.

    *sent* counts alerts in requests that were accepted, *dropped* alerts given up (refused, too many, out of date),
    *failed* attempts. *queue_length* counts alerts that the receiver has yet to hear of,
    those under way among them. *last_error* says why the
    last attempt failed and is empty when it did not.
    """

    kind: ReceiverKind
    receiver: str
    sent: int
    failed: int
    dropped: int
    queue_length: int
    queue_capacity: int
    last_success_wall_ns: int | None
    last_error: str
