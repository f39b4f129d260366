"""A real Alertmanager takes what is handed over, and its webhook and ours say the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.bench.contenders import free_port
from tests.exporter.delivery.fake_receiver import FakeReceiver
from tests.exporter.delivery.real_alertmanager import active_alerts, alertmanager_for
from tests.exporter.delivery.stage import MINUTE_MS, alertmanager, webhook
from tests.exporter.http.client import until
from wattledger.agent.clock import SystemClock
from wattledger.exporter.delivery import Delivery, Notice, Receiver
from wattledger.exporter.delivery.fingerprint import fingerprint
from wattledger.rules.promql.model import Labels

SECONDS = 60.0
DRAIN_NS = 2_000_000_000


def now_ms() -> int:
    return SystemClock().now().wall_ns // 1_000_000


def labels_of(alert: dict[str, Any]) -> Labels:
    return tuple(sorted(alert["labels"].items()))


@pytest.fixture
def hook() -> Iterator[FakeReceiver]:
    """Where the real Alertmanager sends its notifications."""
    with FakeReceiver() as receiver:
        yield receiver


@pytest.fixture
def real(hook: FakeReceiver, tmp_path: Path) -> Iterator[str]:
    with alertmanager_for(hook.url, tmp_path / "alertmanager") as url:
        yield url


@pytest.fixture
def held() -> Notice:
    started_ms = now_ms() // 1000 * 1000 - 5 * MINUTE_MS + 123
    return Notice(
        labels=(("alertname", "WattledgerGpuHeld"), ("gpu", "0"), ("owner", 'älice "a"'), ("severity", "warning")),
        annotations=(("description", "512 W\nfor nothing"), ("summary", "GPU 0 is held")),
        starts_at_ms=started_ms,
        ends_at_ms=now_ms() + 4 * MINUTE_MS,
        resolved=False,
        generator_url="http://127.0.0.1:9889/rules?held=1",
    )


def comparable(body: dict[str, Any]) -> dict[str, Any]:
    """Give what does not name the sender, in one order: Alertmanager's own is no promise."""
    own = {"receiver", "externalURL"}
    alerts = sorted(body["alerts"], key=lambda alert: str(alert["fingerprint"]))
    return {key: value for key, value in body.items() if key not in own} | {"alerts": alerts}


def delivery_to(*receivers: Receiver) -> Delivery:
    return Delivery(receivers, clock=SystemClock())


def states(receiver: FakeReceiver) -> list[tuple[str, str]]:
    """Give of each notification the name of its group and its status."""
    bodies = [request.json for request in list(receiver.accepted)]
    return [(body["groupLabels"]["alertname"], body["status"]) for body in bodies]


def test_an_alert_fires_is_not_repeated_and_resolves(real: str, hook: FakeReceiver, held: Notice) -> None:
    delivery = delivery_to(alertmanager(real))
    delivery.hand_over([held])
    until(lambda: states(hook) == [("WattledgerGpuHeld", "firing")], seconds=SECONDS)
    again = replace(held, ends_at_ms=held.ends_at_ms + MINUTE_MS)
    first_end = active_alerts(real)[0]["endsAt"]
    delivery.hand_over([again])
    until(lambda: active_alerts(real)[0]["endsAt"] > first_end, seconds=SECONDS)
    marker = replace(again, labels=(("alertname", "WattledgerMarker"), ("severity", "info")))
    delivery.hand_over([marker])
    until(lambda: len(states(hook)) == 2, seconds=SECONDS)
    delivery.hand_over([replace(held, resolved=True, ends_at_ms=now_ms())])
    until(lambda: len(states(hook)) == 3, seconds=SECONDS)
    assert states(hook) == [
        ("WattledgerGpuHeld", "firing"),
        ("WattledgerMarker", "firing"),
        ("WattledgerGpuHeld", "resolved"),
    ]
    delivery.close(drain_ns=DRAIN_NS)


def test_our_webhook_says_what_the_webhook_of_alertmanager_says(real: str, hook: FakeReceiver, held: Notice) -> None:
    other = replace(held, labels=(("alertname", "WattledgerGpuHeld"), ("gpu", "1"), ("severity", "warning")))
    with FakeReceiver() as direct:
        delivery = delivery_to(alertmanager(real), webhook(direct.url))
        delivery.hand_over([held, other])
        until(lambda: len(hook.alerts()) == 2 and len(direct.alerts()) == 2, seconds=SECONDS)
        ended = [replace(each, resolved=True, ends_at_ms=now_ms() // 1000 * 1000 + 1) for each in (held, other)]
        delivery.hand_over(ended)
        until(lambda: len(hook.alerts()) == 4 and len(direct.alerts()) == 4, seconds=SECONDS)
        delivery.close(drain_ns=DRAIN_NS)
        for theirs, ours in zip(hook.accepted, direct.accepted, strict=True):
            assert ours.headers["content-type"] == theirs.headers["content-type"]
            assert ours.json.keys() == theirs.json.keys()
            assert comparable(ours.json) == comparable(theirs.json)


def test_fingerprints_are_those_of_alertmanager(real: str, held: Notice) -> None:
    tricky = ["", "ü", "a,b", '"\\\n', "x" * 300, "\U0001f50c"]
    notices = [
        replace(held, labels=tuple(sorted([("alertname", f"Alert{n}"), ("Z_z", value or "v"), ("_a", str(n))])))
        for n, value in enumerate(tricky)
    ]
    delivery = delivery_to(alertmanager(real))
    delivery.hand_over(notices)
    until(lambda: len(active_alerts(real)) == len(tricky), seconds=SECONDS)
    for alert in active_alerts(real):
        assert fingerprint(labels_of(alert)) == alert["fingerprint"]
    delivery.close(drain_ns=DRAIN_NS)


def test_an_alertmanager_that_is_down_does_not_disturb_the_other(real: str, hook: FakeReceiver, held: Notice) -> None:
    delivery = delivery_to(alertmanager(f"http://127.0.0.1:{free_port()}"), alertmanager(real))
    delivery.hand_over([held])
    until(lambda: states(hook) == [("WattledgerGpuHeld", "firing")], seconds=SECONDS)
    down, up = delivery.stats()
    assert (down.sent, down.queue_length, down.last_error) == (0, 1, "Connection refused")
    assert (up.sent, up.queue_length, up.last_error) == (1, 0, "")
    delivery.close(drain_ns=0)


def test_an_alertmanager_that_comes_late_hears_the_newest_state(
    hook: FakeReceiver, held: Notice, tmp_path: Path
) -> None:
    port = free_port()
    delivery = delivery_to(alertmanager(f"http://127.0.0.1:{port}"))
    delivery.hand_over([held])
    until(lambda: delivery.stats()[0].failed > 0)
    other = replace(held, labels=(("alertname", "WattledgerGpuLost"),))
    delivery.hand_over([replace(held, resolved=True, ends_at_ms=now_ms()), other])
    with alertmanager_for(hook.url, tmp_path / "late", port=port):
        until(lambda: delivery.stats()[0].sent == 2, seconds=SECONDS)
        until(lambda: len(states(hook)) == 1, seconds=SECONDS)
        assert states(hook) == [("WattledgerGpuLost", "firing")]
    delivery.close(drain_ns=0)
