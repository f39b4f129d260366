"""A webhook is told when an alert begins or ends and every repeat interval while one fires, and of nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.exporter.delivery.fake_receiver import FakeReceiver, Reply
from tests.exporter.delivery.manual_clock import ManualClock
from tests.exporter.delivery.stage import MINUTE_MS, NOW_MS, SECOND_NS, delivering, notice, webhook
from tests.exporter.http.client import until
from wattledger.exporter.delivery import Delivery, Notice, ReceiverStats

HOUR_MS = 60 * MINUTE_MS
LATE_MS = NOW_MS + 24 * HOUR_MS


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def firing(gpu: str = "0", name: str = "WattledgerGpuHeld") -> Notice:
    """Give an alert that no test outlives."""
    return notice(name, gpu=gpu, ends_at_ms=LATE_MS)


def over(gpu: str = "0") -> Notice:
    return notice(gpu=gpu, resolved=True)


def stats(delivery: Delivery) -> ReceiverStats:
    (only,) = delivery.stats()
    return only


def settled(delivery: Delivery, clock: ManualClock) -> None:
    """Wait until nothing is to be told and the courier waits for a moment."""
    until(lambda: stats(delivery).queue_length == 0 and len(clock.sleepers()) == 1)


def told(receiver: FakeReceiver) -> list[tuple[str, list[tuple[str, str]]]]:
    """Give what the receiver was told: the status of the group, and each alert's GPU with its status."""
    return [
        (body["status"], [(alert["labels"]["gpu"], alert["status"]) for alert in body["alerts"]])
        for body in (request.json for request in list(receiver.accepted))
    ]


def test_the_body_is_that_of_alertmanager(clock: ManualClock) -> None:
    with FakeReceiver() as receiver, delivering(webhook(receiver.url + "/hook?key=s3cret"), clock=clock) as delivery:
        delivery.hand_over([firing("1"), firing("0")])
        settled(delivery, clock)
        (request,) = receiver.accepted
        assert request.target == "/hook?key=s3cret"
        alert: dict[str, Any] = {
            "status": "firing",
            "labels": {"alertname": "WattledgerGpuHeld", "gpu": "0", "severity": "warning"},
            "annotations": {"summary": "a GPU is held"},
            "startsAt": "2025-10-09T08:48:20.000Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "",
            "fingerprint": "0648b13a1d9f3e27",
        }
        second = alert | {"labels": alert["labels"] | {"gpu": "1"}, "fingerprint": "7cb19d80fa743204"}
        assert request.json == {
            "receiver": f"{receiver.url}/hook",
            "status": "firing",
            "alerts": [alert, second],
            "groupLabels": {"alertname": "WattledgerGpuHeld"},
            "commonLabels": {"alertname": "WattledgerGpuHeld", "severity": "warning"},
            "commonAnnotations": {"summary": "a GPU is held"},
            "externalURL": "",
            "version": "4",
            "groupKey": '{}:{alertname="WattledgerGpuHeld"}',
            "truncatedAlerts": 0,
        }


def test_an_alert_sent_again_is_not_told_again_until_the_repeat_interval(clock: ManualClock) -> None:
    with FakeReceiver() as receiver, delivering(webhook(receiver.url), clock=clock) as delivery:
        delivery.hand_over([firing()])
        settled(delivery, clock)
        for _ in range(5):
            delivery.hand_over([firing()])
            settled(delivery, clock)
        assert clock.sleepers() == [4 * 3600]
        clock.advance(4 * 3600 - 1)
        delivery.hand_over([firing()])
        settled(delivery, clock)
        assert told(receiver) == [("firing", [("0", "firing")])]
        clock.advance(1)
        until(lambda: len(receiver.accepted) == 2)
        settled(delivery, clock)
        assert told(receiver)[1] == told(receiver)[0]
        assert clock.sleepers() == [4 * 3600]
        assert stats(delivery).sent == 2


def test_each_change_of_a_group_is_told_once(clock: ManualClock) -> None:
    with FakeReceiver() as receiver, delivering(webhook(receiver.url), clock=clock) as delivery:
        for notices in ([firing("0")], [firing("0"), firing("1")], [over("0"), firing("1")], [over("0")]):
            delivery.hand_over(notices)
            settled(delivery, clock)
        delivery.hand_over([over("1")])
        until(lambda: len(receiver.accepted) == 4)
        until(lambda: stats(delivery).queue_length == 0)
        delivery.hand_over([over("0"), over("1")])
        assert stats(delivery).queue_length == 0
        assert told(receiver) == [
            ("firing", [("0", "firing")]),
            ("firing", [("0", "firing"), ("1", "firing")]),
            ("firing", [("1", "firing"), ("0", "resolved")]),
            ("resolved", [("1", "resolved")]),
        ]
        assert receiver.alerts()[-1]["endsAt"] == "2025-10-09T08:53:20.000Z"


def test_alerts_of_other_names_are_told_apart(clock: ManualClock) -> None:
    with FakeReceiver() as receiver, delivering(webhook(receiver.url), clock=clock) as delivery:
        delivery.hand_over([firing(), firing(name="WattledgerGpuLost")])
        settled(delivery, clock)
        names = [request.json["groupLabels"]["alertname"] for request in receiver.accepted]
        assert names == ["WattledgerGpuHeld", "WattledgerGpuLost"]


def test_an_alert_that_nothing_more_is_heard_of_is_told_as_over(clock: ManualClock) -> None:
    with FakeReceiver() as receiver, delivering(webhook(receiver.url), clock=clock) as delivery:
        delivery.hand_over([notice()])
        settled(delivery, clock)
        assert clock.sleepers() == [240]
        clock.advance(240)
        until(lambda: len(receiver.accepted) == 2)
        assert told(receiver)[1] == ("resolved", [("0", "resolved")])
        assert receiver.alerts()[1]["endsAt"] == "2025-10-09T08:57:20.000Z"


def test_an_alert_that_ended_before_any_attempt_is_not_told(clock: ManualClock) -> None:
    with FakeReceiver() as receiver, delivering(webhook(receiver.url), clock=clock) as delivery:
        delivery.hand_over([over("0"), firing("1"), firing("2"), over("2")])
        settled(delivery, clock)
        assert told(receiver) == [("firing", [("1", "firing")])]


def test_the_end_is_told_of_an_alert_that_may_have_been_heard_of(clock: ManualClock) -> None:
    with (
        FakeReceiver(reply=Reply(hang=True)) as receiver,
        delivering(webhook(receiver.url, timeout_ns=SECOND_NS // 4), clock=clock) as delivery,
    ):
        delivery.hand_over([firing()])
        until(lambda: len(receiver.seen) == 1)
        delivery.hand_over([over()])
        until(lambda: stats(delivery).failed == 1 and len(clock.sleepers()) == 1)
        receiver.reply = Reply()
        clock.advance(1)
        until(lambda: stats(delivery).sent == 1)
        assert told(receiver) == [("resolved", [("0", "resolved")])]


def test_an_alert_that_ends_while_its_beginning_is_told_is_told_as_over_next(clock: ManualClock) -> None:
    with FakeReceiver(reply=Reply(wait=True)) as receiver, delivering(webhook(receiver.url), clock=clock) as delivery:
        delivery.hand_over([firing()])
        until(lambda: len(receiver.seen) == 1)
        delivery.hand_over([over()])
        receiver.release()
        until(lambda: len(receiver.accepted) == 2)
        assert told(receiver) == [("firing", [("0", "firing")]), ("resolved", [("0", "resolved")])]


def test_a_webhook_that_wants_no_ends_hears_of_a_second_beginning(clock: ManualClock) -> None:
    with (
        FakeReceiver() as receiver,
        delivering(webhook(receiver.url, send_resolved=False), clock=clock) as delivery,
    ):
        for number in range(3):
            delivery.hand_over([firing()])
            until(lambda: stats(delivery).sent == number + 1)  # noqa: B023  (called in this round only)
            delivery.hand_over([over()])
        assert told(receiver) == [("firing", [("0", "firing")])] * 3


def test_a_refused_group_rests_and_its_end_is_not_lost(clock: ManualClock) -> None:
    with FakeReceiver() as receiver, delivering(webhook(receiver.url), clock=clock) as delivery:
        delivery.hand_over([firing()])
        settled(delivery, clock)
        receiver.reply = Reply(403)
        delivery.hand_over([over()])
        until(lambda: stats(delivery).dropped == 1 and len(clock.sleepers()) == 1)
        assert clock.sleepers() == [300]
        receiver.reply = Reply()
        clock.advance(300)
        until(lambda: stats(delivery).sent == 2)
        assert told(receiver)[-1] == ("resolved", [("0", "resolved")])


def test_a_full_memory_takes_no_new_alert_and_forgets_none(clock: ManualClock) -> None:
    with FakeReceiver() as receiver, delivering(webhook(receiver.url), clock=clock, capacity=2) as delivery:
        delivery.hand_over([firing("0"), firing("1"), firing("2")])
        settled(delivery, clock)
        assert stats(delivery).dropped == 1
        delivery.hand_over([over("0"), firing("1")])
        settled(delivery, clock)
        assert told(receiver) == [
            ("firing", [("0", "firing"), ("1", "firing")]),
            ("firing", [("1", "firing"), ("0", "resolved")]),
        ]


def test_the_end_is_told_of_a_second_alert_that_may_have_been_heard_of(clock: ManualClock) -> None:
    with FakeReceiver() as receiver, delivering(webhook(receiver.url), clock=clock) as delivery:
        delivery.hand_over([firing("0")])
        settled(delivery, clock)
        receiver.reply = Reply(502)
        delivery.hand_over([firing("1")])
        until(lambda: stats(delivery).failed == 1 and clock.sleepers() == [1])
        delivery.hand_over([over("1")])
        receiver.reply = Reply()
        clock.advance(1)
        settled(delivery, clock)
        assert told(receiver)[1:] == [("firing", [("0", "firing"), ("1", "resolved")])]


def test_an_alert_that_begins_again_while_its_end_is_told_is_told_anew(clock: ManualClock) -> None:
    with FakeReceiver() as receiver, delivering(webhook(receiver.url), clock=clock) as delivery:
        delivery.hand_over([firing()])
        settled(delivery, clock)
        receiver.reply = Reply(wait=True)
        delivery.hand_over([over()])
        until(lambda: len(receiver.seen) == 2)
        delivery.hand_over([firing()])
        receiver.release()
        until(lambda: len(receiver.accepted) == 3)
        assert [status for status, _ in told(receiver)] == ["firing", "resolved", "firing"]


def test_an_end_that_is_not_wanted_is_remembered_while_the_beginning_is_told(clock: ManualClock) -> None:
    with (
        FakeReceiver(reply=Reply(wait=True)) as receiver,
        delivering(webhook(receiver.url, send_resolved=False), clock=clock) as delivery,
    ):
        delivery.hand_over([firing("0"), firing("1")])
        until(lambda: len(receiver.seen) == 1)
        delivery.hand_over([over("0")])
        receiver.release()
        settled(delivery, clock)
        delivery.hand_over([firing("0")])
        until(lambda: len(receiver.accepted) == 2)
        assert told(receiver) == [("firing", [("0", "firing"), ("1", "firing")])] * 2


def test_a_group_that_the_webhook_fails_at_keeps_no_other_from_it(clock: ManualClock) -> None:
    with FakeReceiver() as receiver, delivering(webhook(receiver.url), clock=clock) as delivery:
        receiver.reply_to = lambda request: Reply(500 if b"WattledgerGpuHeld" in request.body else 200)
        delivery.hand_over([firing(), firing(name="WattledgerGpuLost"), firing(name="WattledgerGpuHot")])
        until(lambda: stats(delivery).failed == 1 and len(clock.sleepers()) == 1)
        clock.advance(1)
        until(lambda: stats(delivery).failed == 2 and len(clock.sleepers()) == 1)
        names = [request.json["groupLabels"]["alertname"] for request in receiver.accepted]
        assert names == ["WattledgerGpuLost", "WattledgerGpuHot"]
        receiver.reply_to = lambda _request: Reply()
        clock.advance(1)
        until(lambda: stats(delivery).queue_length == 0)
        assert receiver.accepted[-1].json["groupLabels"] == {"alertname": "WattledgerGpuHeld"}


def test_the_end_is_told_once_of_an_alert_that_the_process_before_may_have_told_of(clock: ManualClock) -> None:
    with FakeReceiver() as receiver, delivering(webhook(receiver.url), clock=clock) as delivery:
        delivery.hand_over([replace(over("0"), from_before=True), replace(firing("1"), from_before=True)])
        settled(delivery, clock)
        delivery.hand_over([over("0"), firing("1")])
        settled(delivery, clock)
        assert told(receiver) == [("firing", [("1", "firing"), ("0", "resolved")])]


def test_a_webhook_that_wants_no_ends_hears_of_none_from_before(clock: ManualClock) -> None:
    with (
        FakeReceiver() as receiver,
        delivering(webhook(receiver.url, send_resolved=False), clock=clock) as delivery,
    ):
        delivery.hand_over([replace(over("0"), from_before=True), firing("1")])
        settled(delivery, clock)
        assert told(receiver) == [("firing", [("1", "firing")])]
