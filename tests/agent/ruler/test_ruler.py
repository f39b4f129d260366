"""The rule thread between clock, ledger and receivers: what it waits for, what it does not wait for."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.agent.e2e_daemon import poll
from tests.agent.fake_clock import FakeClock
from tests.exporter.delivery.fake_receiver import FakeReceiver, Reply
from tests.exporter.delivery.manual_clock import ManualClock
from tests.exporter.snapshots import NOW, snapshot, view
from wattledger.agent.config import Config, load_config
from wattledger.agent.host_rules import HostRules
from wattledger.agent.ledger import MemoryLedger
from wattledger.agent.ruler.plan import plan_of
from wattledger.agent.ruler.ruler import Ruler
from wattledger.agent.ruler.settings import RulePlan
from wattledger.exporter.snapshot import Snapshot
from wattledger.rules.alerting import AlertState

RULES = """
groups:
- name: waste
  rules:
  - {alert: Up, expr: 'wattledger_gpu_up == 1', annotations: {summary: 'GPU {{ $labels.gpu }} is up'}}
"""


def configured(folder: Path, alerts: str = "{}", rules: str = RULES) -> Config:
    (folder / "site.rules.yml").write_text(rules)
    file = folder / "wattledger.yml"
    file.write_text(f"rules: {{packs: [], files: [site.rules.yml]}}\nalerts: {alerts}\n")
    return load_config(file, environment={}, is_root=True).config


def plan(config: Config) -> RulePlan:
    return plan_of(config, host_name="gpu7", page_url="http://gpu7:9889")


@contextmanager
def ruling(config: Config, clock: FakeClock) -> Iterator[Ruler]:
    """Give a ruler whose thread is the test."""
    ruler = Ruler(plan(config), clock=clock, ledger=MemoryLedger(), snapshot=lambda: snapshot(view(), at=NOW))
    try:
        yield ruler
    finally:
        ruler.close()


@contextmanager
def evaluating(ruler: Ruler, clock: FakeClock) -> Iterator[threading.Thread]:
    """Have *ruler* evaluate once more on a thread of its own."""
    clock.advance(15)
    thread = threading.Thread(target=ruler.evaluate)
    thread.start()
    try:
        yield thread
    finally:
        thread.join(10)
        assert not thread.is_alive()


def test_receivers_hear_of_an_alert_only_after_it_is_stored(tmp_path: Path) -> None:
    clock = FakeClock()
    with (
        FakeReceiver() as receiver,
        ruling(configured(tmp_path, f'{{alertmanagers: [{{url: "{receiver.url}"}}]}}'), clock) as ruler,
        evaluating(ruler, clock),
    ):
        poll(lambda: ruler.unsaved() is not None, "something to store")
        assert receiver.seen == []
        memories = ruler.unsaved()
        assert memories is not None
        assert [kept.alert.state for memory in memories.values() for kept in memory.alerts] == [AlertState.FIRING]
        ruler.saved(memories)
        poll(lambda: len(receiver.accepted) == 1, "the alert")
        (alert,) = receiver.alerts()
    assert alert["labels"] == {"alertname": "Up", "gpu": "0", "instance": "gpu7", "uuid": alert["labels"]["uuid"]}
    assert alert["annotations"] == {"summary": "GPU 0 is up"}
    assert alert["generatorURL"] == "http://gpu7:9889"


def test_a_ledger_that_does_not_answer_holds_alerts_up_for_a_moment_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wattledger.agent.ruler.ruler.STORE_SECONDS", 0.05)
    clock = FakeClock()
    with (
        FakeReceiver() as receiver,
        ruling(configured(tmp_path, f'{{alertmanagers: [{{url: "{receiver.url}"}}]}}'), clock) as ruler,
        evaluating(ruler, clock),
    ):
        poll(lambda: len(receiver.accepted) == 1, "the alert")
    assert "told before they are stored" in caplog.text


def test_a_webhook_hears_after_a_restart_of_an_end_that_it_may_not_have_heard_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wattledger.agent.ruler.ruler.STORE_SECONDS", 0.01)
    clock, ledger, up = ManualClock(), MemoryLedger(), [view()]
    with FakeReceiver(reply=Reply(503)) as receiver:
        settings = plan(configured(tmp_path, f'{{webhooks: [{{url: "{receiver.url}"}}]}}'))
        before = Ruler(settings, clock=clock, ledger=ledger, snapshot=lambda: snapshot(*up, at=NOW))
        for views in ([view()], []):
            up[:] = views
            clock.advance(15)
            before.evaluate()
            poll(lambda: receiver.seen != [], "an attempt that fails")
        ledger.commit({}, (), clock.now(), alerts=before.unsaved() or {})
        monkeypatch.setattr("wattledger.agent.ruler.ruler.DRAIN_NS", 1)
        before.close()
        receiver.reply = Reply()
        after = Ruler(settings, clock=clock, ledger=ledger, snapshot=lambda: snapshot(at=NOW))
        after.start()
        poll(lambda: len(receiver.accepted) == 1, "the end")
        after.close()
        (alert,) = receiver.alerts()
        assert (alert["status"], alert["labels"]["gpu"]) == ("resolved", "0")


def test_an_evaluation_that_fails_for_a_defect_is_logged_once_and_the_next_ones_come(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[int] = []

    def defective() -> Snapshot:
        asked.append(1)
        if len(asked) < 4:
            raise KeyError("nobody thought of it")
        return snapshot(view(), at=NOW)

    ruler = Ruler(plan(configured(tmp_path)), clock=FakeClock(), ledger=MemoryLedger(), snapshot=defective)
    ruler.start()
    poll(lambda: bool(ruler.health().groups) and ruler.health().groups[0].evaluations > 0, "an evaluation")
    ruler.close()
    (told,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert "alerts do not come" in told.getMessage()
    assert told.exc_info is not None


def test_two_webhooks_whose_urls_differ_in_their_keys_are_both_told(tmp_path: Path) -> None:
    urls = '[{url: "http://pager/hook?key=1"}, {url: "http://pager/hook?key=2"}]'
    receivers = plan(configured(tmp_path, f"{{webhooks: {urls}}}")).receivers
    assert [receiver.name for receiver in receivers] == ["http://pager/hook", "http://pager/hook#2"]


def test_without_alerts_nothing_is_stored(tmp_path: Path) -> None:
    clock = FakeClock()
    with ruling(configured(tmp_path, rules=RULES.replace("== 1", "== 7")), clock) as ruler:
        clock.advance(15)
        ruler.evaluate()
        assert ruler.unsaved() is None
        assert ruler.health().groups[0].evaluations == 1


def test_a_clock_that_is_set_back_ends_neither_rules_nor_alerts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wattledger.agent.ruler.ruler.STORE_SECONDS", 0.01)
    clock = FakeClock()
    with ruling(configured(tmp_path), clock) as ruler:
        clock.advance(15)
        ruler.evaluate()
        clock.step_wall(-86_400)
        for _ in range(3):
            clock.advance(15)
            ruler.evaluate()
        health = ruler.health()
        assert health.groups[0].last_at_ms is not None
        assert health.groups[0].last_at_ms < clock.wall_ns // 1_000_000 + 1
        assert [alert.state for alert in health.alerts] == [AlertState.FIRING]
    assert "set back by" in caplog.text


def test_a_rule_that_fails_is_logged_once_and_once_more_when_it_works_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    rules = "groups: [{name: a, rules: [{alert: Odd, expr: 'wattledger_gpu_up * on () wattledger_gpu_up > 1'}]}]"
    pages = [snapshot(view(), view(1), at=NOW)]
    clock = FakeClock()
    config = configured(tmp_path, rules=rules)
    ruler = Ruler(plan(config), clock=clock, ledger=MemoryLedger(), snapshot=lambda: pages[-1])
    try:
        for _ in range(3):
            clock.advance(15)
            ruler.evaluate()
        pages.append(snapshot(view(), at=NOW))
        clock.advance(15)
        ruler.evaluate()
    finally:
        ruler.close()
    told = [record.getMessage() for record in caplog.records if "Odd" in record.getMessage()]
    assert [line.split()[0] for line in told] == ["rule_failing", "rule_works_again"]


def test_a_host_without_rules_loads_none_and_one_that_gets_them_starts_the_thread(tmp_path: Path) -> None:
    clock = FakeClock()
    ledger = MemoryLedger()
    rules = HostRules(
        clock=clock, ledger=ledger, snapshot=lambda: None, host_name="gpu7", page_url=lambda: "http://gpu7:9889"
    )
    file = tmp_path / "none.yml"
    file.write_text("rules: {packs: []}\n")
    rules.apply(rules.prepare(load_config(file, environment={}, is_root=True).config))
    assert rules.health().groups == ()
    rules.close()
