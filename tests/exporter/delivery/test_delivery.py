"""The life of a delivery: reloads that lose nothing, an end that waits no longer than allowed, and what is logged."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace

import pytest

from tests.exporter.delivery.fake_receiver import FakeReceiver, Reply
from tests.exporter.delivery.manual_clock import ManualClock
from tests.exporter.delivery.stage import (
    MINUTE_MS,
    NOW_MS,
    SECOND_NS,
    alertmanager,
    delivering,
    gpus,
    notice,
    webhook,
)
from tests.exporter.http.client import until
from wattledger.agent.clock import SystemClock
from wattledger.exporter.delivery import AlertLog, Delivery, Notice


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def current(clock: ManualClock | SystemClock, gpu: str = "0") -> Notice:
    """Give an alert that fires by *clock*."""
    now_ms = clock.now().wall_ns // 1_000_000
    return notice(gpu=gpu, starts_at_ms=now_ms, ends_at_ms=now_ms + 4 * MINUTE_MS)


def couriers() -> set[threading.Thread]:
    """Give the threads that bring receivers their alerts."""
    return {thread for thread in threading.enumerate() if thread.name.startswith("alerts-")}


def test_a_reload_keeps_what_waits_and_what_was_counted(clock: ManualClock) -> None:
    with FakeReceiver(reply=Reply(500)) as first, FakeReceiver() as second:
        kept = alertmanager(first.url)
        with delivering(kept, alertmanager("http://127.0.0.1:9/gone"), clock=clock) as delivery:
            delivery.hand_over([notice()])
            until(lambda: delivery.stats()[0].failed == 1)
            delivery.apply([alertmanager(second.url), kept])
            added, same = delivery.stats()
            assert (added.receiver, added.queue_length) == (second.url, 0)
            assert (same.receiver, same.queue_length, same.failed) == (first.url, 1, 1)
            first.reply = Reply()
            clock.advance(1)
            until(lambda: delivery.stats()[1].sent == 1)
            delivery.hand_over([notice(gpu="1")])
            until(lambda: delivery.stats()[0].sent == 1 and delivery.stats()[1].sent == 2)
            assert gpus(second.alerts()) == ["1"]


def test_other_settings_of_a_receiver_are_tried_at_once_with_the_same_queue(clock: ManualClock) -> None:
    with FakeReceiver(reply=Reply(500)) as receiver:
        settings = alertmanager(receiver.url + "?key=old")
        with delivering(settings, clock=clock) as delivery:
            delivery.hand_over([notice()])
            until(lambda: delivery.stats()[0].failed == 1)
            receiver.reply = Reply()
            delivery.apply([replace(settings, url=receiver.url + "?key=new")])
            until(lambda: delivery.stats()[0].sent == 1)
            assert receiver.accepted[0].target == "/api/v2/alerts?key=new"
            assert delivery.stats()[0].failed == 1


def test_a_webhook_is_not_told_anew_after_a_reload(clock: ManualClock) -> None:
    with FakeReceiver() as receiver:
        settings = webhook(receiver.url)
        with delivering(settings, clock=clock) as delivery:
            delivery.hand_over([current(clock)])
            until(lambda: delivery.stats()[0].sent == 1)
            delivery.apply([replace(settings, timeout_ns=SECOND_NS)])
            delivery.hand_over([current(clock)])
            assert delivery.stats()[0].queue_length == 0
            assert len(receiver.accepted) == 1


def test_a_webhook_hears_of_the_page_s_new_address_after_a_reload(clock: ManualClock) -> None:
    with FakeReceiver() as receiver:
        settings = webhook(receiver.url)
        with delivering(settings, clock=clock) as delivery:
            delivery.apply([settings], external_url="http://gpu7:9889")
            delivery.hand_over([current(clock)])
            until(lambda: delivery.stats()[0].sent == 1)
            assert receiver.accepted[0].json["externalURL"] == "http://gpu7:9889"


def test_a_receiver_that_is_gone_gets_no_more_and_its_thread_ends(clock: ManualClock) -> None:
    before = couriers()
    with delivering(alertmanager("http://127.0.0.1:9/"), clock=clock) as delivery:
        delivery.hand_over([notice()])
        until(lambda: delivery.stats()[0].failed == 1)
        delivery.apply([])
        until(lambda: couriers() <= before)
        delivery.hand_over([notice()])
        assert delivery.stats() == ()


def test_closing_sends_what_waits_despite_a_back_off() -> None:
    with FakeReceiver(reply=Reply(503, headers=(("Retry-After", "100"),))) as receiver:
        clock = SystemClock()
        delivery = Delivery([alertmanager(receiver.url)], clock=clock)
        delivery.hand_over([current(clock, str(number)) for number in range(100)])
        until(lambda: delivery.stats()[0].failed == 1)
        receiver.reply = Reply()
        delivery.close(drain_ns=10 * SECOND_NS)
        assert len(receiver.alerts()) == 100
        assert delivery.stats()[0].queue_length == 0


def test_closing_waits_no_longer_than_it_may(caplog: pytest.LogCaptureFixture) -> None:
    before = couriers()
    with FakeReceiver(reply=Reply(hang=True)) as deaf:
        clock = SystemClock()
        gone = alertmanager(deaf.url, timeout_ns=SECOND_NS)
        delivery = Delivery([gone, alertmanager("http://127.0.0.1:9/refused")], clock=clock)
        delivery.hand_over([current(clock)])
        until(lambda: len(deaf.seen) == 1 and delivery.stats()[1].failed == 1)
        begun = time.monotonic()
        delivery.close(drain_ns=SECOND_NS // 5)
        delivery.close(drain_ns=SECOND_NS)
        delivery.hand_over([current(clock)])
        assert time.monotonic() - begun < 0.9
        assert [stats.queue_length for stats in delivery.stats()] == [1, 1]
        assert [message for message in caplog.messages if "unsent" in message] == [
            f"alerts kind=alertmanager receiver={deaf.url} unsent=1",
            "alerts kind=alertmanager receiver=http://127.0.0.1:9/refused unsent=1",
        ]
        until(lambda: couriers() <= before)


def test_an_attempt_begun_while_closing_lasts_no_longer_than_closing() -> None:
    with FakeReceiver(reply=Reply(500)) as receiver:
        before = couriers()
        clock = SystemClock()
        delivery = Delivery([alertmanager(receiver.url, timeout_ns=60 * SECOND_NS)], clock=clock)
        delivery.hand_over([current(clock)])
        until(lambda: delivery.stats()[0].failed == 1)
        receiver.reply = Reply(hang=True)
        delivery.close(drain_ns=SECOND_NS // 4)
        until(lambda: couriers() <= before, seconds=5)
        assert delivery.stats()[0].failed == 2


def test_threads_belong_to_receivers_that_have_something_to_hear(clock: ManualClock) -> None:
    before = couriers()
    with delivering(webhook("http://127.0.0.1:9/"), clock=clock) as delivery:
        delivery.hand_over([notice(resolved=True)])
        assert couriers() <= before
        delivery.hand_over([notice()])
        assert len(couriers() - before) == 1


def test_the_log_says_once_that_an_alert_begins_and_once_that_it_is_over(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    log = AlertLog(clock=clock)
    log.note([notice(resolved=True), notice(gpu="1\n2", summary='held for "ever"\nand ever')])
    log.note([notice(gpu="1\n2")])
    log.note([notice(), notice(gpu="1\n2", resolved=True)])
    log.note([notice(gpu="1\n2", resolved=True)])
    log.note([notice(starts_at_ms=NOW_MS)])
    clock.advance(240)
    log.note([])
    log.note([])
    since = "since=2025-10-09T08:48:20.000Z"
    second = 'labels="gpu=1?2, severity=warning"'
    first = 'labels="gpu=0, severity=warning" summary="a GPU is held"'
    name = "alert=WattledgerGpuHeld"
    assert caplog.messages == [
        f"{name} state=firing {since} {second} summary=\"held for 'ever'\"",
        f"{name} state=firing {since} {first}",
        f'{name} state=resolved {since} {second} summary="a GPU is held"',
        f"{name} state=firing since=2025-10-09T08:53:20.000Z {first}",
        f"{name} state=gone since=2025-10-09T08:53:20.000Z {first}",
    ]
