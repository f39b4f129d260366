"""Alerts reach an Alertmanager once it can be reached, in their newest state, whatever it answers meanwhile."""

from __future__ import annotations

import logging
import time

import pytest

from tests.exporter.delivery.fake_receiver import FakeReceiver, Reply
from tests.exporter.delivery.manual_clock import ManualClock
from tests.exporter.delivery.stage import MINUTE_MS, NOW_MS, SECOND_NS, alertmanager, delivering, gpus, notice
from tests.exporter.http.client import until
from wattledger.exporter.delivery import Delivery, ReceiverStats


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def stats(delivery: Delivery) -> ReceiverStats:
    (only,) = delivery.stats()
    return only


def backing_off(delivery: Delivery, clock: ManualClock, *, failed: int) -> None:
    """Wait until so many attempts have failed and the courier waits for its next."""
    until(lambda: stats(delivery).failed == failed and len(clock.sleepers()) == 1)


def test_an_alert_is_posted_as_the_api_wants_it(clock: ManualClock) -> None:
    with FakeReceiver() as receiver, delivering(alertmanager(receiver.url), clock=clock) as delivery:
        delivery.hand_over([notice(summary='held by "ünï"')])
        until(lambda: stats(delivery).sent == 1)
        (request,) = receiver.accepted
        assert request.target == "/api/v2/alerts"
        assert request.headers["content-type"] == "application/json"
        assert request.headers["host"] == f"127.0.0.1:{receiver.port}"
        assert request.json == [
            {
                "labels": {"alertname": "WattledgerGpuHeld", "gpu": "0", "severity": "warning"},
                "annotations": {"summary": 'held by "ünï"'},
                "startsAt": "2025-10-09T08:48:20.000Z",
                "endsAt": "2025-10-09T08:57:20.000Z",
            }
        ]
        now = stats(delivery)
        assert (now.failed, now.dropped, now.queue_length, now.queue_capacity) == (0, 0, 0, 10_000)
        assert (now.last_success_wall_ns, now.last_error) == (clock.wall_ns, "")


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("", "/api/v2/alerts"),
        ("/", "/api/v2/alerts"),
        ("/team/am/", "/team/am/api/v2/alerts"),
        ("/am/api/v2/alerts", "/am/api/v2/alerts"),
        ("/am?tenant=a", "/am/api/v2/alerts?tenant=a"),
    ],
)
def test_the_api_is_found_below_the_configured_path(clock: ManualClock, path: str, target: str) -> None:
    with FakeReceiver() as receiver, delivering(alertmanager(receiver.url + path), clock=clock) as delivery:
        delivery.hand_over([notice()])
        until(lambda: len(receiver.accepted) == 1)
        assert receiver.accepted[0].target == target


def test_many_alerts_go_in_batches_of_64_in_order(clock: ManualClock) -> None:
    with FakeReceiver() as receiver, delivering(alertmanager(receiver.url), clock=clock) as delivery:
        delivery.hand_over([notice(gpu=str(number)) for number in range(150)])
        until(lambda: stats(delivery).sent == 150)
        assert [len(request.json) for request in receiver.accepted] == [64, 64, 22]
        assert gpus(receiver.alerts()) == [str(number) for number in range(150)]


def test_a_failing_receiver_is_tried_again_later_and_later_and_logged_once(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    answer = Reply(500, body=b"disk full\nat line 3")
    with FakeReceiver(reply=answer) as receiver, delivering(alertmanager(receiver.url), clock=clock) as delivery:
        delivery.hand_over([notice(ends_at_ms=NOW_MS + 10 * MINUTE_MS)])
        waits = []
        for attempt in range(1, 9):
            backing_off(delivery, clock, failed=attempt)
            (wait,) = clock.sleepers()
            waits.append(wait)
            clock.advance(wait)
        assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
        backing_off(delivery, clock, failed=9)
        assert stats(delivery).last_error == "answered 500: disk full"
        assert stats(delivery).queue_length == 1
        receiver.reply = Reply()
        clock.advance(60)
        until(lambda: len(caplog.messages) == 2)
        name = f"alerts kind=alertmanager receiver={receiver.url}"
        assert caplog.messages == [
            f'{name} attempt=failed reason="answered 500: disk full"',
            f"{name} attempt=delivered failing_before_s=243",
        ]
        assert stats(delivery).last_error == ""
        receiver.reply = Reply(500)
        delivery.hand_over([notice(ends_at_ms=NOW_MS + 10 * MINUTE_MS)])
        backing_off(delivery, clock, failed=10)
        assert clock.sleepers() == [1], "a success ends the patience"


def test_the_delay_is_shortened_by_chance(clock: ManualClock) -> None:
    with (
        FakeReceiver(reply=Reply(503)) as receiver,
        delivering(alertmanager(receiver.url), clock=clock, chance=0.5) as delivery,
    ):
        delivery.hand_over([notice()])
        backing_off(delivery, clock, failed=1)
        assert clock.sleepers() == [0.875]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30),
        ("Thu, 09 Oct 2025 08:54:20 GMT", 60),
        ("Thu, 09 Oct 2025 08:50:00 GMT", 1),
        ("99999", 180),
        ("soon", 1),
        ("-5", 1),
    ],
)
def test_a_receiver_that_asks_for_time_gets_it(clock: ManualClock, value: str, seconds: float) -> None:
    reply = Reply(429, headers=(("Retry-After", value),))
    with FakeReceiver(reply=reply) as receiver, delivering(alertmanager(receiver.url), clock=clock) as delivery:
        delivery.hand_over([notice()])
        backing_off(delivery, clock, failed=1)
        assert clock.sleepers() == [seconds]
        delivery.hand_over([notice(gpu="1")])
        backing_off(delivery, clock, failed=1)
        receiver.reply = Reply()
        clock.advance(seconds)
        until(lambda: stats(delivery).sent == 2)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(400, body=b'bad label "x y"\nmore'), "answered 400: bad label 'x y'"),
        (Reply(404), "answered 404"),
        (
            Reply(302, headers=(("Location", "http://elsewhere.test/?token=abc"),)),
            "answered 302: redirects are not followed; configure the URL that it leads to",
        ),
    ],
)
def test_what_is_refused_is_given_up_counted_and_logged_once(
    clock: ManualClock, caplog: pytest.LogCaptureFixture, reply: Reply, reason: str
) -> None:
    with FakeReceiver(reply=reply) as receiver, delivering(alertmanager(receiver.url), clock=clock) as delivery:
        delivery.hand_over([notice(), notice(gpu="1")])
        until(lambda: stats(delivery).dropped == 2)
        delivery.hand_over([notice()])
        until(lambda: stats(delivery).dropped == 3)
        assert (stats(delivery).failed, stats(delivery).sent, stats(delivery).queue_length) == (2, 0, 0)
        assert stats(delivery).last_error == reason
        assert caplog.messages == [
            f'alerts kind=alertmanager receiver={receiver.url} attempt=refused reason="{reason}"'
        ]
        receiver.reply = Reply()
        delivery.hand_over([notice()])
        until(lambda: stats(delivery).sent == 1)


def test_an_answer_cut_off_in_its_head_is_a_failure(clock: ManualClock) -> None:
    with (
        FakeReceiver(reply=Reply(cut_after=12)) as receiver,
        delivering(alertmanager(receiver.url), clock=clock) as delivery,
    ):
        delivery.hand_over([notice()])
        backing_off(delivery, clock, failed=1)
        assert stats(delivery).sent == 0


def test_a_success_cut_off_in_its_body_is_a_success(clock: ManualClock) -> None:
    reply = Reply(body=b"x" * 100)
    reply = Reply(body=b"x" * 100, cut_after=len(reply.wire()) - 50)
    with FakeReceiver(reply=reply) as receiver, delivering(alertmanager(receiver.url), clock=clock) as delivery:
        delivery.hand_over([notice()])
        until(lambda: stats(delivery).sent == 1)


def test_an_error_cut_off_in_its_text_keeps_its_status(clock: ManualClock) -> None:
    reply = Reply(400, body=b"bad start" + b"x" * 100)
    reply = Reply(400, body=reply.body, cut_after=len(reply.wire()) - 100)
    with FakeReceiver(reply=reply) as receiver, delivering(alertmanager(receiver.url), clock=clock) as delivery:
        delivery.hand_over([notice()])
        until(lambda: stats(delivery).dropped == 1)
        assert stats(delivery).last_error == "answered 400: bad start"


def test_a_receiver_that_never_answers_holds_up_nobody(clock: ManualClock) -> None:
    with FakeReceiver(reply=Reply(hang=True)) as deaf, FakeReceiver() as well:
        slow = alertmanager(deaf.url, timeout_ns=SECOND_NS // 2)
        with delivering(slow, alertmanager(well.url), clock=clock) as delivery:
            begun = time.monotonic()
            delivery.hand_over([notice()])
            until(lambda: len(deaf.seen) == 1 and delivery.stats()[1].sent == 1)
            delivery.hand_over([notice(resolved=True)])
            assert time.monotonic() - begun < 0.4, "handing over waits for no receiver"
            until(lambda: delivery.stats()[1].sent == 2)
            until(lambda: delivery.stats()[0].failed == 1)
            assert delivery.stats()[0].last_error == "timeout: no answer within 0.5 s"


def test_an_answer_that_comes_byte_by_byte_is_waited_for_no_longer_than_the_timeout(clock: ManualClock) -> None:
    with (
        FakeReceiver(reply=Reply(drip=True, headers=(("X-Long", "x" * 1000),))) as receiver,
        delivering(alertmanager(receiver.url, timeout_ns=SECOND_NS // 4), clock=clock) as delivery,
    ):
        begun = time.monotonic()
        delivery.hand_over([notice()])
        backing_off(delivery, clock, failed=1)
        assert time.monotonic() - begun < 5
        assert stats(delivery).last_error == "timeout: no answer within 0.25 s"


def test_a_name_that_nobody_knows_is_a_failure_with_a_reason(clock: ManualClock) -> None:
    with delivering(alertmanager("http://am.invalid:9093"), clock=clock) as delivery:
        delivery.hand_over([notice()])
        until(lambda: stats(delivery).failed == 1, seconds=30)
        assert stats(delivery).last_error


def test_alerts_wait_for_an_alertmanager_that_is_not_there_yet(clock: ManualClock) -> None:
    with FakeReceiver() as first:
        port = first.port
    with delivering(alertmanager(f"http://127.0.0.1:{port}"), clock=clock) as delivery:
        delivery.hand_over([notice()])
        backing_off(delivery, clock, failed=1)
        assert stats(delivery).last_error == "Connection refused"
        with FakeReceiver(port=port) as receiver:
            clock.advance(1)
            until(lambda: stats(delivery).sent == 1)
            assert gpus(receiver.alerts()) == ["0"]


def test_only_the_newest_state_of_an_alert_is_sent(clock: ManualClock) -> None:
    with FakeReceiver(reply=Reply(500)) as receiver, delivering(alertmanager(receiver.url), clock=clock) as delivery:
        delivery.hand_over([notice(), notice(gpu="1")])
        backing_off(delivery, clock, failed=1)
        delivery.hand_over([notice(resolved=True)])
        receiver.reply = Reply()
        clock.advance(1)
        until(lambda: stats(delivery).sent == 2)
        assert [(alert["labels"]["gpu"], alert["endsAt"]) for alert in receiver.alerts()] == [
            ("0", "2025-10-09T08:53:20.000Z"),
            ("1", "2025-10-09T08:57:20.000Z"),
        ]


def test_a_state_that_failed_on_its_way_never_replaces_a_newer_one(clock: ManualClock) -> None:
    with (
        FakeReceiver(reply=Reply(hang=True)) as receiver,
        delivering(alertmanager(receiver.url, timeout_ns=SECOND_NS // 4), clock=clock) as delivery,
    ):
        delivery.hand_over([notice()])
        until(lambda: len(receiver.seen) == 1)
        delivery.hand_over([notice(resolved=True)])  # while the firing state is on its way
        backing_off(delivery, clock, failed=1)
        assert stats(delivery).queue_length == 1
        receiver.reply = Reply()
        clock.advance(1)
        until(lambda: stats(delivery).sent == 1)
        assert [alert["endsAt"] for alert in receiver.alerts()] == ["2025-10-09T08:53:20.000Z"]


def test_a_full_queue_loses_the_oldest_and_counts_them(clock: ManualClock) -> None:
    with (
        FakeReceiver(reply=Reply(500)) as receiver,
        delivering(alertmanager(receiver.url), clock=clock, capacity=3) as delivery,
    ):
        delivery.hand_over([notice(gpu="first")])
        backing_off(delivery, clock, failed=1)
        delivery.hand_over([notice(gpu=str(number)) for number in range(4)])
        delivery.hand_over([notice(gpu="2", resolved=True)])  # known: takes no room
        assert (stats(delivery).dropped, stats(delivery).queue_length) == (2, 3)
        receiver.reply = Reply()
        clock.advance(1)
        until(lambda: stats(delivery).sent == 3)
        assert gpus(receiver.alerts()) == ["1", "2", "3"]


def test_what_is_out_of_date_is_not_sent(clock: ManualClock) -> None:
    with FakeReceiver(reply=Reply(500)) as receiver, delivering(alertmanager(receiver.url), clock=clock) as delivery:
        delivery.hand_over(
            [
                notice(gpu="expires", ends_at_ms=NOW_MS + 500),
                notice(gpu="lasts"),
                notice(gpu="just over", resolved=True),
                notice(gpu="long over", resolved=True, ends_at_ms=NOW_MS - 15 * MINUTE_MS + 500),
            ]
        )
        backing_off(delivery, clock, failed=1)
        receiver.reply = Reply()
        clock.advance(1)
        until(lambda: stats(delivery).sent == 2)
        assert gpus(receiver.alerts()) == ["lasts", "just over"]
        assert (stats(delivery).dropped, stats(delivery).queue_length) == (2, 0)


def test_ends_are_kept_from_a_receiver_that_does_not_want_them(clock: ManualClock) -> None:
    with (
        FakeReceiver() as receiver,
        delivering(alertmanager(receiver.url, send_resolved=False), clock=clock) as delivery,
    ):
        delivery.hand_over([notice(resolved=True), notice(gpu="1")])
        until(lambda: stats(delivery).sent == 1)
        assert gpus(receiver.alerts()) == ["1"]
