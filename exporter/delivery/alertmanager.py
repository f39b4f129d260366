"""What waits for one Alertmanager: the newest state of each alert, in batches of its API v2; it sends nothing."""

from __future__ import annotations

from functools import partial

from wattledger.rules.alerting.alert import RESOLVED_RETENTION_MS
from wattledger.rules.instant import Instant
from wattledger.rules.promql.model import Labels

from .model import NS_PER_MS, Notice, Receiver
from .outbox import Parcel
from .plain import encodable, rfc3339

# Prometheus 2: maxBatchSize of notifier/notifier.go.
_BATCH = 64


class AlertmanagerOutbox:
    """Alerts keyed by their labels, oldest first; a later state takes the place of the one that waits."""

    def __init__(self, receiver: Receiver, *, capacity: int) -> None:
        self._receiver = receiver
        self._capacity = capacity
        self._waiting: dict[Labels, Notice] = {}
        self._out: tuple[Notice, ...] = ()
        self.dropped = 0

    @property
    def waiting(self) -> int:
        return len(self._waiting.keys() | {notice.labels for notice in self._out})

    def adjust(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def put(self, notice: Notice) -> None:
        if notice.resolved and not self._receiver.send_resolved:
            # What waits of this alert says that it fires, which is no longer so.
            self._waiting.pop(notice.labels, None)
            return
        self._waiting[notice.labels] = notice
        self._trim()

    def due_ns(self, now: Instant) -> int | None:
        return now.mono_ns if self._waiting else None

    def take(self, now: Instant) -> Parcel | None:
        for labels, notice in list(self._waiting.items()):
            if _out_of_date(notice, now.wall_ns):
                del self._waiting[labels]
                self.dropped += 1
        batch = tuple(self._waiting.values())[:_BATCH]
        for notice in batch:
            del self._waiting[notice.labels]
        self._out = batch
        return Parcel(len(batch), partial(encode_batch, batch)) if batch else None

    def delivered(self, now: Instant) -> None:  # noqa: ARG002  (a webhook needs the moment)
        self._out = ()

    def returned(self) -> None:
        # What came meanwhile is newer: it stays, and the returned alerts go back before it.
        self._waiting = {notice.labels: notice for notice in self._out} | self._waiting
        self._out = ()
        self._trim()

    def refused(self, now: Instant) -> None:  # noqa: ARG002
        self._out = ()

    def _trim(self) -> None:
        while len(self._waiting) > self._capacity:
            del self._waiting[next(iter(self._waiting))]
            self.dropped += 1


def encode_batch(notices: tuple[Notice, ...]) -> bytes:
    """Write *notices* as the body of Alertmanager's postAlerts."""
    from msgspec import json  # noqa: PLC0415  (only where alerts are sent)

    return json.encode([_encode(notice) for notice in notices])


def _encode(notice: Notice) -> dict[str, object]:
    written: dict[str, object] = {
        "labels": texts(notice.labels),
        "annotations": texts(notice.annotations),
        "startsAt": rfc3339(notice.starts_at_ms),
        "endsAt": rfc3339(notice.ends_at_ms),
    }
    if notice.generator_url:  # an empty one is no URI, which the API asks for
        written["generatorURL"] = notice.generator_url
    return written


def texts(labels: Labels) -> dict[str, str]:
    """Give *labels* as an object of JSON."""
    return {encodable(name): encodable(value) for name, value in labels}


def _out_of_date(notice: Notice, wall_ns: int) -> bool:
    """Tell whether the receiver gains nothing by *notice*: it ended what it knew by itself long ago."""
    kept_ms = RESOLVED_RETENTION_MS if notice.resolved else 0
    return wall_ns >= (notice.ends_at_ms + kept_ms) * NS_PER_MS
