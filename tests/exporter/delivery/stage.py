"""What the tests of delivery share: alerts, receivers and a delivery that is closed at the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.exporter.delivery.manual_clock import ManualClock
from wattledger.exporter.delivery import Delivery, Notice, Receiver, ReceiverKind
from wattledger.exporter.delivery.courier import Patience

NOW_MS = 1_760_000_000_000
SECOND_NS = 1_000_000_000
MINUTE_MS = 60_000


def notice(
    name: str = "WattledgerGpuHeld",
    *,
    gpu: str = "0",
    resolved: bool = False,
    starts_at_ms: int = NOW_MS - 5 * MINUTE_MS,
    ends_at_ms: int | None = None,
    summary: str = "a GPU is held",
) -> Notice:
    """Give an alert that fires until four minutes from now, or ended now."""
    default_ms = NOW_MS if resolved else NOW_MS + 4 * MINUTE_MS
    return Notice(
        labels=(("alertname", name), ("gpu", gpu), ("severity", "warning")),
        annotations=(("summary", summary),),
        starts_at_ms=starts_at_ms,
        ends_at_ms=default_ms if ends_at_ms is None else ends_at_ms,
        resolved=resolved,
    )


def alertmanager(url: str, **settings: Any) -> Receiver:
    return Receiver(ReceiverKind.ALERTMANAGER, url, **settings)


def webhook(url: str, **settings: Any) -> Receiver:
    return Receiver(ReceiverKind.WEBHOOK, url, **settings)


@contextmanager
def delivering(
    *receivers: Receiver, clock: ManualClock, capacity: int = 10_000, chance: float = 0.0
) -> Iterator[Delivery]:
    delivery = Delivery(receivers, clock=clock, queue_capacity=capacity, patience=Patience(chance=lambda: chance))
    try:
        yield delivery
    finally:
        delivery.close(drain_ns=0)


def gpus(alerts: Sequence[dict[str, Any]]) -> list[str]:
    return [alert["labels"]["gpu"] for alert in alerts]
