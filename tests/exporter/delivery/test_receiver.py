"""What a configured receiver may be; each refusal says the field, the problem and the cure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.exporter.delivery.manual_clock import ManualClock
from tests.exporter.delivery.stage import alertmanager, webhook
from wattledger.exporter.delivery import Delivery, ReceiverError, check_receivers, told_apart

SOME = Path("/etc/wattledger/some")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://127.0.0.1:9093", "http://127.0.0.1:9093"),
        ("https://AM.example:443/x/", "https://am.example/x/"),
        ("http://user:pass@am/x?key=1#top", "http://am/x"),
        ("http://[::1]:9093/", "http://[::1]:9093/"),
        ("https://pager/v1/prometheus/0123456789abcdef0123", "https://pager/v1/prometheus/***42c2"),
        ("https://pager/hooks/ZpQrStUvWxYzAbCdEf/", "https://pager/hooks/***1a6b/"),
        ("http://tickets/alertmanager-webhook/team-gpu-7", "http://tickets/alertmanager-webhook/team-gpu-7"),
    ],
)
def test_the_name_is_the_url_without_what_may_be_secret(url: str, name: str) -> None:
    assert webhook(url).name == name
    assert webhook(url, name="pager").name == "pager"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("127.0.0.1:9093", "url: the URL has no scheme; begin it with http:// or https://"),
        ("ftp://host/", "url: scheme 'ftp' is not spoken; begin it with http:// or https://"),
        ("http://", "url: the URL names no valid host; write one such as http://127.0.0.1:9093"),
        ("http://ho st/", "url: the URL names no valid host; write one such as http://127.0.0.1:9093"),
        ("http://host:99999/", "url: this is no URL; write one such as http://127.0.0.1:9093"),
        ("http://[::1/", "url: this is no URL; write one such as http://127.0.0.1:9093"),
        (
            "http://host/a b?key=s3cret",
            "url: path or query of the URL has a character that no request may have; percent-encode it",
        ),
    ],
)
def test_a_url_that_cannot_be_used_is_refused(url: str, problem: str) -> None:
    with pytest.raises(ReceiverError) as refused:
        webhook(url)
    assert str(refused.value) == problem


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"timeout_ns": 0}, "timeout"),
        ({"repeat_ns": -1}, "repeat"),
        ({"username": "a"}, "username"),
        ({"password_file": SOME}, "username"),
        ({"username": "a:b", "password_file": SOME}, "username"),
        ({"username": "a", "password_file": SOME, "bearer_token_file": SOME}, "bearer_token_file"),
        ({"url": "https://a:b@host/", "bearer_token_file": SOME}, "bearer_token_file"),
        ({"key_file": SOME}, "key_file"),
        ({"url": "http://host/", "ca_file": SOME}, "url"),
        ({"url": "http://host/", "insecure_skip_verify": True}, "url"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(ReceiverError) as refused:
        webhook(**({"url": "https://host/"} | settings))
    assert refused.value.field_name == field


def test_receivers_that_cannot_be_told_apart_are_refused() -> None:
    same = [webhook("http://a/x?key=1"), webhook("http://a/x?key=2")]
    with pytest.raises(ReceiverError, match="two receivers of kind webhook are named http://a/x; give one another"):
        check_receivers(same)
    with pytest.raises(ReceiverError):
        Delivery(same, clock=ManualClock())
    check_receivers([same[0], webhook("http://a/x?key=2", name="second"), alertmanager("http://a/x")])


def test_receivers_that_differ_in_what_is_not_shown_are_numbered() -> None:
    one, two, other = webhook("http://a/x?key=1"), webhook("http://a/x?key=2"), webhook("http://a/y?key=1")
    apart = told_apart([one, two, other, alertmanager("http://a/x")])
    assert [each.name for each in apart] == ["http://a/x", "http://a/x#2", "http://a/y", "http://a/x"]
    assert [each.url for each in apart[:2]] == [one.url, two.url]
    check_receivers(apart)
    with pytest.raises(ReceiverError):
        check_receivers(told_apart([one, one]))


def test_an_idle_delivery_starts_no_thread_and_loads_no_network_code() -> None:
    program = """
import sys, threading
from wattledger.agent.clock import SystemClock
from wattledger.exporter.delivery import AlertLog, Delivery, Receiver, ReceiverKind
clock = SystemClock()
delivery = Delivery([Receiver(ReceiverKind.ALERTMANAGER, "https://am:9093/")], clock=clock)
delivery.hand_over([])
AlertLog(clock=clock).note([])
assert len(delivery.stats()) == 1
delivery.close(drain_ns=10**9)
heavy = {"ssl", "http.client", "http", "asyncio", "email", "json", "msgspec", "socket", "h11", "random", "base64"}
print(sorted(heavy & set(sys.modules)), threading.active_count())
"""
    root = Path(__file__).parents[3] / ".importroot"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "[] 1\n"
