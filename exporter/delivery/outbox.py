"""What waits for one receiver, as its courier sees it: parcels and when they are due; no thread, no socket."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from wattledger.rules.instant import Instant

from .model import Notice, Receiver


@dataclass(frozen=True, slots=True)
class Parcel:
    """What one request carries: so many alerts, written by *body* when it is about to go."""

    alerts: int
    body: Callable[[], bytes]


class Outbox(Protocol):
    """The alerts of one receiver. One parcel at a time is out: each `take` is followed by what became of it."""

    @property
    def waiting(self) -> int:
        """How many alerts the receiver has yet to hear of."""
        ...

    @property
    def dropped(self) -> int:
        """How many alerts were given up so far without an attempt to send them."""
        ...

    def adjust(self, receiver: Receiver) -> None:
        """Take over the settings of *receiver*."""
        ...

    def put(self, notice: Notice) -> None:
        """Take in the newest state of an alert."""
        ...

    def due_ns(self, now: Instant) -> int | None:
        """Give the monotonic moment at which `take` has something to do; None where only new alerts change that."""
        ...

    def take(self, now: Instant) -> Parcel | None:
        """Give what is due, if anything; what is out of date leaves here."""
        ...

    def delivered(self, now: Instant) -> None:
        """Note that the receiver accepted the parcel."""
        ...

    def returned(self) -> None:
        """Take the parcel back: the receiver was not reached, it is tried again."""
        ...

    def refused(self, now: Instant) -> None:
        """Give the parcel up: the receiver will not have it."""
        ...
