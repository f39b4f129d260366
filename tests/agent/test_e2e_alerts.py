"""A held GPU from the driver double to the webhook of a real Alertmanager: told, told again, carried over a kill."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agent.daemon_process import DaemonProcess, Page
from tests.agent.e2e_daemon import machine, poll
from tests.exporter.delivery.fake_receiver import FakeReceiver
from tests.exporter.delivery.real_alertmanager import active_alerts, alertmanager_for
from tests.nvml.double import NvmlDouble

ALERTS = "ALERTS"
HELD = "WattledgerGpuHeld"
RELOADED = "wattledger_config_last_reload_successful"

# Thresholds shortened so that a whole life fits into a minute; alerts stay valid for four times the resend delay.
CONFIG = """\
states: {{dwell: 1s}}
owners: [{{gpus: [0], owner: alice}}]
rules:
  packs: [idle]
  vars: {{held_notice: 2s, held_warning: 5s}}
  interval: 1s
  external_labels: {{cluster: hall-2}}
alerts:
  alertmanagers: [{{url: "{alertmanager}"}}]
  webhooks: [{{url: "{webhook}"}}]
  resend: 5s
"""


@pytest.fixture
def double(tmp_path: Path) -> Iterator[NvmlDouble]:
    with machine(tmp_path / "double") as double:
        yield double


def told(receiver: FakeReceiver, severity: str = "info") -> list[str]:
    """Give the states in which *receiver* heard of GPU 0 being held, in order."""
    return [alert["status"] for alert in alerts(receiver) if alert["labels"]["severity"] == severity]


def alerts(receiver: FakeReceiver) -> list[dict[str, Any]]:
    """Give what *receiver* heard of GPU 0 being held."""
    heard = [alert for alert in receiver.alerts() if alert["labels"]["alertname"] == HELD]
    return [alert for alert in heard if alert["labels"]["gpu"] == "0"]


def updated(alertmanager: str) -> str:
    """Give when *alertmanager* last heard of GPU 0 being held, empty text when it does not know of it."""
    known = [alert for alert in active_alerts(alertmanager) if alert["labels"].get("gpu") == "0"]
    return max((str(alert["updatedAt"]) for alert in known if alert["labels"]["severity"] == "info"), default="")


def wait_evaluated(daemon: DaemonProcess, times: int) -> None:
    """Wait until *daemon* has evaluated its rules so often, on samples of its own."""
    daemon.wait_ticks(1)
    seen: set[float] = set()

    def enough(page: Page) -> bool:
        seen.update(row.value for row in page.rows("wattledger_rule_group_last_evaluation_timestamp_seconds"))
        return len(seen) > times

    daemon.wait_for(enough, f"{times} more evaluations")


def test_a_held_gpu_is_told_again_and_again_over_a_kill_until_it_works(double: NvmlDouble, tmp_path: Path) -> None:
    board = double.gpu(0)
    board.process(4242, memory_bytes=20 << 30)
    board.draw(121)
    config, state = tmp_path / "wattledger.yml", tmp_path / "state"
    with (
        FakeReceiver() as hook,
        FakeReceiver() as direct,
        alertmanager_for(hook.url, tmp_path / "alertmanager", repeat="2s") as alertmanager,
    ):
        config.write_text(CONFIG.format(alertmanager=alertmanager, webhook=direct.url))
        first = DaemonProcess(state, "--config", str(config), env=double.env)
        poll(lambda: "firing" in told(hook), "the alert fires at Alertmanager's webhook", 90)
        poll(lambda: "firing" in told(direct), "and at ours")
        (alert, *_) = alerts(hook)
        assert alert["labels"] | {"instance": "?"} == {
            "alertname": HELD,
            "cluster": "hall-2",
            "gpu": "0",
            "instance": "?",
            "owner": "alice",
            "severity": alert["labels"]["severity"],
            "uuid": board.uuid,
        }
        assert alert["annotations"]["summary"].startswith("GPU 0 has held a model and done nothing for ")
        assert "owner alice" in alert["annotations"]["summary"]
        page = first.page()
        assert page.value(ALERTS, alertname=HELD, severity="info", gpu="0", alertstate="firing") == 1
        assert page.value("wattledger_alerts", alertstate="firing") >= 1
        poll(lambda: told(hook).count("firing") >= 2, "Alertmanager repeats it")
        heard = updated(alertmanager)
        poll(lambda: updated(alertmanager) > heard, "Alertmanager hears of it again")

        before_kill = updated(alertmanager)
        first.kill()
        with DaemonProcess(state, "--config", str(config), env=double.env) as second:
            poll(lambda: updated(alertmanager) > before_kill, "the next process tells it")
            page = second.wait_for(
                lambda page: page if page.has(ALERTS, alertname=HELD, severity="info", gpu="0") else None, "ALERTS"
            )
            assert page.value(ALERTS, alertname=HELD, severity="info", gpu="0", alertstate="firing") == 1
            known = len(told(hook))
            poll(lambda: len(told(hook)) > known, "Alertmanager repeats it after the kill")
            assert set(told(hook)) == set(told(direct)) == {"firing"}, "nobody was told that it was over"

            # An alert that is resumed and not found again would be held for a minute.
            wait_evaluated(second, 3)
            board.utilisation(gpu=90)
            board.draw(500)
            poll(lambda: told(hook)[-1] == "resolved", "the alert resolves", 90)
            poll(lambda: told(direct)[-1] == "resolved", "at our webhook too")
            page = second.page()
            assert not page.has(ALERTS, alertname=HELD, gpu="0")
            for kind in ("alertmanager", "webhook"):
                assert page.value("wattledger_notifications_sent_total", kind=kind) > 0
                assert page.value("wattledger_notifications_dropped_total", kind=kind) == 0
        assert told(hook).count("resolved") == told(direct).count("resolved") == 1


def test_a_bad_rule_file_is_refused_at_start_and_left_out_of_a_reload(double: NvmlDouble, tmp_path: Path) -> None:
    rules, config = tmp_path / "site.rules.yml", tmp_path / "wattledger.yml"
    bad = "groups:\n- name: site\n  rules:\n  - {alert: Hot, expr: 'rate(wattledger_gpu_up)'}\n"
    rules.write_text(bad)
    config.write_text("rules: {packs: [], files: [site.rules.yml], interval: 1s}\n")
    arguments = ("--config", str(config))
    with pytest.raises(AssertionError, match="exit code 1") as refused:
        DaemonProcess(tmp_path / "refused", *arguments, env=double.env)
    assert f"{rules}:4:" in str(refused.value)
    assert "Traceback" not in str(refused.value)

    rules.write_text("groups:\n- name: site\n  rules:\n  - {alert: Here, expr: 'wattledger_gpu_up == 1'}\n")
    with DaemonProcess(tmp_path / "state", *arguments, env=double.env) as daemon:
        daemon.wait_for(lambda page: page.has(ALERTS, alertname="Here", gpu="0", alertstate="firing"), "the alert")
        rules.write_text(bad)
        daemon.signal(signal.SIGHUP)
        page = daemon.wait_for(lambda page: page if page.value(RELOADED) == 0 else None, "the refusal")
        assert page.has(ALERTS, alertname="Here", alertstate="firing"), "the old rules stay"
        assert f"{rules}:4:" in daemon.logged()
        rules.write_text("groups:\n- name: site\n  rules:\n  - {alert: There, expr: 'wattledger_gpu_up == 1'}\n")
        daemon.signal(signal.SIGHUP)
        page = daemon.wait_for(lambda page: page if page.has(ALERTS, alertname="There") else None, "the new rules")
        assert not page.has(ALERTS, alertname="Here")
        assert page.value(RELOADED) == 1
