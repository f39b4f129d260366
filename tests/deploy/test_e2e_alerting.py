"""From held GPUs of a daemon through a real Prometheus and Alertmanager to mail, chat and pager, all as shipped."""

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.agent.daemon_process import DaemonProcess
from tests.agent.e2e_daemon import let_pass, poll
from tests.deploy.real_monitoring import Receivers, query, shipped_alertmanager, shipped_prometheus
from tests.deploy.shipped import wattledger
from tests.nvml.double import NvmlDouble

pytestmark = pytest.mark.nightly

# Longer than it takes from the kill to the first WattledgerHostDown: a scrape and an evaluation.
GROUP_INTERVAL_SECONDS = 6.0
SCRAPING = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
SENDING = {"group_wait": "2s", "group_interval": f"{GROUP_INTERVAL_SECONDS:.0f}s"}
HELD = {"held_notice": "1s", "held_warning": "3s"}
DOWN = {"host_down_warning": "2s", "host_down_critical": "4s"}
SUMMARY = (
    r"GPU {gpu} on 127\.0\.0\.1 has held a model and done nothing for [\d.]+s: 1\d\d W, of which \d+ W avoidable"
    r"{owner}, \d\.\d\d kWh so far"
)
RUNBOOK = "https://docs.example.com/wattledger/docs/alerts.md#wattledgergpuheld"
OURS, FLEET = "wattledger.rules.yml", "wattledger-fleet.rules.yml"


def rendered(*arguments: str, **settings: str) -> str:
    variables = [word for name, value in settings.items() for word in ("--var", f"{name}={value}")]
    return wattledger("rules", "render", "--config", "/dev/null", *arguments, *variables)


@contextmanager
def holding(folder: Path, config: str) -> Iterator[tuple[NvmlDouble, DaemonProcess]]:
    """Run the daemon on three boards on which a process does nothing; the first one is alice's."""
    path = folder / "wattledger.yml"
    path.write_text("states: {dwell: 1s}\nowners: [{gpus: [0], owner: alice}]\n" + config)
    with NvmlDouble(folder, gpus=["h100", "h100", "h100"], clock="real") as double:
        for board in double.gpus:
            board.process(4242, memory_bytes=20 << 30)
            board.draw(121)
        daemon = DaemonProcess(folder / "state", "--config", str(path), env=double.env)
        try:
            yield double, daemon
        finally:
            if daemon.process.poll() is None:
                daemon.stop()


@contextmanager
def scraping(folder: Path, daemon: DaemonProcess, receivers: Receivers, rules: dict[str, str]) -> Iterator[str]:
    texts = {
        '"node1.example.com:9889", "node2.example.com:9889"': f'"{daemon.url.removeprefix("http://")}"',
        "alertmanager.example.com:9093": receivers.url.removeprefix("http://"),
    }
    with shipped_prometheus(folder, texts, rules, SCRAPING) as prometheus:
        yield prometheus


def gpus(texts: Sequence[str]) -> list[str]:
    return [number for text in texts for number in re.findall(r"\bGPU (\d) on", text)]


def down(receivers: Receivers) -> list[dict[str, str]]:
    return [page["payload"] for page in receivers.pages() if "WattledgerHostDown" in page["payload"]["summary"]]


def test_who_holds_gpus_is_told_and_of_a_host_that_dies_only_that(tmp_path: Path) -> None:
    rules = {OURS: rendered("--no-fleet", **HELD), FLEET: rendered("--no-fleet", "--pack", "fleet", **DOWN)}
    with (
        shipped_alertmanager(tmp_path / "alertmanager", SENDING) as receivers,
        holding(tmp_path, "rules: {packs: []}\n") as (double, daemon),
        scraping(tmp_path / "prometheus", daemon, receivers, rules) as prometheus,
    ):

        def waste() -> list[dict[str, str]]:
            return [chat for chat in receivers.chats() if "WattledgerGpuHeld" in chat["title"]]

        poll(lambda: bool(receivers.mails() and waste()), "the owner has a mail, the operators a message", 40)
        (mail,), (chat,) = receivers.mails(), waste()
        assert mail.to == ("alice@example.com",)
        assert mail.message["Subject"] == "[1 firing] WattledgerGpuHeld of alice"
        lines = mail.part("plain").strip().split("\n")
        assert lines[0] == "WARNING WattledgerGpuHeld, hall-1 r1 127.0.0.1, GPU 0, owner alice"
        assert re.fullmatch(SUMMARY.format(gpu=0, owner=", owner alice"), lines[1]), lines[1]
        assert lines[3] == f"What to do: {RUNBOOK}"
        assert re.search(r"<td>alice</td>\n<td>1\d\d W</td>\n<td>\d\.\d\d kWh</td>", mail.part("html"))
        assert chat["title"] == "[2 firing] WattledgerGpuHeld on hall-1 r1 127.0.0.1", "one message for the host"
        first = chat["text"].split("\n")[0]
        assert re.fullmatch(rf"\*warning\* {SUMMARY.format(gpu=1, owner='')} \(<{RUNBOOK}\|what to do>\)", first), (
            first
        )
        assert gpus([chat["text"]]) == ["1", "2"]
        assert not receivers.pages(), "nobody is got up for waste"

        double.gpu(2).utilisation(gpu=90)
        double.gpu(2).draw(500)
        poll(lambda: len(waste()) == 2, "what is over is told", GROUP_INTERVAL_SECONDS + 20)
        assert waste()[1]["title"] == "[1 firing, 1 over] WattledgerGpuHeld on hall-1 r1 127.0.0.1"

        told_at, told = time.monotonic(), (len(receivers.mails()), len(receivers.chats()))
        daemon.kill()
        poll(lambda: bool(down(receivers)), "the page that the host does not answer", 30)
        (page,) = down(receivers)
        assert page["summary"] == "[1 firing] WattledgerHostDown on hall-1 r1 127.0.0.1"
        assert "127.0.0.1 does not answer: 3 GPUs are not seen" in str(page["custom_details"])
        assert not query(prometheus, 'ALERTS{alertname="WattledgerGpuHeld"}'), "Prometheus takes them for over"
        let_pass(max(0.0, told_at + 1.5 * GROUP_INTERVAL_SECONDS - time.monotonic()))
        after = [chat for chat in receivers.chats()[told[1] :] if "WattledgerHostDown" not in chat["title"]]
        assert (receivers.mails()[told[0] :], after) == ([], []), "and nobody is told so"
        assert len(receivers.pages()) == 1


def test_what_a_host_told_itself_is_silent_when_it_dies(tmp_path: Path) -> None:
    with shipped_alertmanager(tmp_path / "alertmanager", SENDING) as receivers:
        config = (
            "rules:\n"
            "  packs: [idle]\n"
            "  interval: 1s\n"
            f"  vars: {{held_notice: {HELD['held_notice']}, held_warning: {HELD['held_warning']}}}\n"
            "  external_labels: {instance: 127.0.0.1, cluster: hall-1, rack: r1}\n"
            f"alerts: {{alertmanagers: [{{url: '{receivers.url}'}}]}}\n"
        )
        rules = {FLEET: rendered("--no-fleet", "--pack", "fleet", **DOWN)}

        def held() -> list[bool]:
            """Tell of each of its warnings whether it is silenced."""
            return [
                bool(alert["status"]["inhibitedBy"])
                for alert in receivers.active()
                if (alert["labels"]["alertname"], alert["labels"]["severity"]) == ("WattledgerGpuHeld", "warning")
            ]

        with (
            holding(tmp_path, config) as (_double, daemon),
            scraping(tmp_path / "prometheus", daemon, receivers, rules),
        ):
            poll(lambda: len(held()) == 3 and bool(receivers.mails()), "three boards are told", 40)
            assert not any(held())
            daemon.kill()
            poll(lambda: bool(down(receivers)), "the page that the host does not answer", 30)
            poll(lambda: held() == [True] * 3, "its own alerts are there and silent")
            assert len(receivers.pages()) == 1
