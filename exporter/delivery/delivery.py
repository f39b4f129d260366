"""Alerts to all receivers: one courier each, none of which can hold up another; it knows no rule and no wire."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

from wattledger.rules.instant import NS_PER_SECOND

from .alertmanager import AlertmanagerOutbox
from .courier import Courier, Patience
from .model import Clock, Notice, Receiver, ReceiverError, ReceiverKind, ReceiverStats
from .outbox import Outbox
from .webhook import WebhookOutbox

LOG = logging.getLogger(__name__)

_JOIN_SECONDS = 0.1  # for a thread that has nothing left to do but to end


def check_receivers(receivers: Sequence[Receiver]) -> None:
    """Raise ReceiverError where two receivers could not be told apart."""
    seen: set[tuple[ReceiverKind, str]] = set()
    for receiver in receivers:
        if _identity(receiver) in seen:
            problem = f"two receivers of kind {receiver.kind} are named {receiver.name}; give one another name"
            raise ReceiverError("name", problem)
        seen.add(_identity(receiver))


def told_apart(receivers: Sequence[Receiver]) -> tuple[Receiver, ...]:
    """Give *receivers*, those whose URLs differ in what is not shown numbered behind their name: `http://host/#2`."""
    urls: dict[tuple[ReceiverKind, str], list[str]] = {}
    made = []
    for receiver in receivers:
        same = urls.setdefault(_identity(receiver), [])
        numbered = bool(same) and receiver.url not in same
        same.append(receiver.url)
        made.append(replace(receiver, name=f"{receiver.name}#{len(same)}") if numbered else receiver)
    return tuple(made)


class Delivery:
    """What becomes of notices. `hand_over` and `stats` are for any thread and wait for no receiver.

    *external_url* is where this program can be seen, for the texts of webhooks.
    """

    def __init__(
        self,
        receivers: Sequence[Receiver],
        *,
        clock: Clock,
        queue_capacity: int = 10_000,  # Prometheus: --alertmanager.notification-queue-capacity
        external_url: str = "",
        patience: Patience | None = None,
    ) -> None:
        self._clock = clock
        self._capacity = queue_capacity
        self._patience = patience or Patience()
        self._lock = threading.Lock()
        self._closed = False
        self._couriers: tuple[Courier, ...] = ()
        self.apply(receivers, external_url=external_url)

    def hand_over(self, notices: Sequence[Notice]) -> None:
        """Take in the newest states of alerts for all receivers."""
        if notices:
            fixed = tuple(notices)
            for courier in self._couriers:
                courier.hand_over(fixed)

    def apply(self, receivers: Sequence[Receiver], *, external_url: str = "") -> None:
        """Go on with *receivers*: those of the same kind and name keep queue and counters. Raises ReceiverError.

        What waits for a receiver that is gone is not sent.
        """
        check_receivers(receivers)
        with self._lock:
            if self._closed:
                return
            self._external_url = external_url
            former = {_identity(courier.receiver): courier for courier in self._couriers}
            couriers = []
            for receiver in receivers:
                courier = former.pop(_identity(receiver), None)
                if courier is None:
                    courier = self._courier(receiver)
                elif courier.receiver != receiver:
                    courier.adjust(receiver)
                couriers.append(courier)
            self._couriers = tuple(couriers)
            for courier in former.values():
                courier.finish(self._clock.now().mono_ns)

    def stats(self) -> tuple[ReceiverStats, ...]:
        """Give what happened with each receiver, in the order of the configuration."""
        return tuple(courier.stats() for courier in self._couriers)

    def close(self, *, drain_ns: int) -> None:
        """Try for at most *drain_ns* to send what waits, then end. May be called twice.

        An attempt whose receiver does not answer is left behind in its own thread.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
        end_ns = self._clock.now().mono_ns + drain_ns
        end = time.monotonic() + drain_ns / NS_PER_SECOND  # joining waits in real time, whatever the clock says
        for courier in self._couriers:
            courier.finish(end_ns)
        for courier in self._couriers:
            courier.join(max(_JOIN_SECONDS, end - time.monotonic()))
        for courier in self._couriers:
            stats = courier.stats()
            if stats.queue_length:
                LOG.warning("alerts kind=%s receiver=%s unsent=%d", stats.kind, stats.receiver, stats.queue_length)

    def _courier(self, receiver: Receiver) -> Courier:
        outbox: Outbox
        match receiver.kind:
            case ReceiverKind.ALERTMANAGER:
                outbox = AlertmanagerOutbox(receiver, capacity=self._capacity)
            case ReceiverKind.WEBHOOK:
                outbox = WebhookOutbox(receiver, capacity=self._capacity, external_url=lambda: self._external_url)
        return Courier(receiver, outbox, clock=self._clock, capacity=self._capacity, patience=self._patience)


def _identity(receiver: Receiver) -> tuple[ReceiverKind, str]:
    return (receiver.kind, receiver.name)
