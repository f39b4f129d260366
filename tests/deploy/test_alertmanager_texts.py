"""What each receiver of the shipped configuration gets from a real Alertmanager, and what is silenced."""

import datetime as dt
import smtplib
from collections.abc import Iterator

import pytest

from tests.agent.e2e_daemon import poll
from tests.deploy.mail_server import MailServer
from tests.deploy.real_monitoring import Receivers, shipped_alertmanager

BASE = "https://docs.example.com/wattledger/docs/alerts.md#"
SUMMARY = (
    "GPU {gpu} on {host} has held a model and done nothing for 15m 4s: {watts} W, of which 50 W avoidable{owner}, "
    "0.31 kWh so far"
)
MINUTE = "%Y-%m-%d %H:%M UTC"
Alert = dict[str, object]


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receivers]:
    intervals = {"group_wait": "1s", "group_interval": "2s"}
    with shipped_alertmanager(tmp_path_factory.mktemp("texts") / "am", intervals) as receivers:
        yield receivers


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def alert(
    name: str,
    severity: str,
    host: str,
    *,
    started: dt.datetime | None = None,
    over: bool = False,
    summary: str = "It is so",
    **more: str,
) -> Alert:
    """Give an alert of now: with one that began long ago Alertmanager does not wait for the others of its group."""
    labels = {"alertname": f"Wattledger{name}", "severity": severity, "cluster": "hall-1", "instance": host} | more
    runbook = f"docs/alerts.md#wattledger{name.lower()}"
    times = {"startsAt": (started or now()).isoformat()}
    if over:
        times["endsAt"] = now().isoformat()
    return {
        "labels": labels,
        "annotations": {"summary": summary, "description": "d", "runbook_url": runbook},
        **times,
    }


def held(
    severity: str,
    host: str,
    gpu: int,
    *,
    watts: int = 121,
    started: dt.datetime | None = None,
    over: bool = False,
    **more: str,
) -> Alert:
    owner = f", owner {more['owner']}" if "owner" in more else ""
    summary = SUMMARY.format(gpu=gpu, host=host, watts=watts, owner=owner)
    more |= {"gpu": str(gpu), "uuid": f"GPU-{gpu}"}
    return alert("GpuHeld", severity, host, started=started, over=over, summary=summary, **more)


def muted_by(alertmanager: Receivers, host: str) -> dict[tuple[str, str, str], int]:
    """Give how many alerts silence each alert of *host*."""
    return {
        (one["labels"]["alertname"], one["labels"]["severity"], one["labels"].get("gpu", "")): len(
            one["status"]["inhibitedBy"]
        )
        for one in alertmanager.active()
        if one["labels"]["instance"] == host
    }


def test_an_owner_gets_one_mail_with_all_gpus_their_watts_energy_and_what_to_do(alertmanager: Receivers) -> None:
    started = now()
    alertmanager.tell(
        held("warning", "h1", 0, started=started, owner="alice"),
        held("warning", "h2", 3, watts=80, owner="alice"),
        held("warning", "h1", 1, owner="bob@lab.example"),
    )

    def all_told() -> bool:
        return {mail.to for mail in alertmanager.mails()} >= {("alice@example.com",), ("bob@lab.example",)}

    poll(all_told, "a mail to each owner")
    (mail,) = (mail for mail in alertmanager.mails() if mail.to == ("alice@example.com",))
    assert mail.message["Subject"] == "[2 firing] WattledgerGpuHeld of alice"
    first = SUMMARY.format(gpu=0, host="h1", watts=121, owner=", owner alice")
    assert mail.part("plain").strip().split("\n")[:4] == [
        "WARNING WattledgerGpuHeld, hall-1 h1, GPU 0, owner alice",
        first,
        f"Since {started:{MINUTE}}",
        f"What to do: {BASE}wattledgergpuheld",
    ]
    page = mail.part("html")
    assert page.count("<td>alice</td>\n<td>121 W</td>\n<td>0.31 kWh</td>") == 1
    assert page.count("<td>alice</td>\n<td>80 W</td>\n<td>0.31 kWh</td>") == 1
    assert page.count(f'<a href="{BASE}wattledgergpuheld">What to do</a>') == 2
    assert "Over" not in page

    ended = held("warning", "h1", 0, started=started, owner="alice", over=True)
    alertmanager.tell(ended)
    poll(lambda: len([one for one in alertmanager.mails() if one.to == mail.to]) == 2, "a mail of its end")
    over = alertmanager.mails()[-1]
    assert over.message["Subject"] == "[1 firing, 1 over] WattledgerGpuHeld of alice"
    times = f"{started:{MINUTE}} to {dt.datetime.fromisoformat(str(ended['endsAt'])):{MINUTE}}"
    assert f"Was {times}" in over.part("plain").partition("Over:\n")[2]
    assert f"<td>{times}</td>" in over.part("html").partition("<h3>Over</h3>")[2]


def test_what_a_name_contains_stays_text_in_a_mail(alertmanager: Receivers) -> None:
    alertmanager.tell(
        held("warning", "h3", 0, owner="eve", user="<script>alert(1)</script>")
        | {
            "annotations": {
                "summary": "<script>alert(1)</script>: 9 W",
                "runbook_url": "https://runbooks.example/held",
            },
        }
    )
    poll(lambda: any(mail.to == ("eve@example.com",) for mail in alertmanager.mails()), "the mail")
    (mail,) = (mail for mail in alertmanager.mails() if mail.to == ("eve@example.com",))
    assert "<script>" not in mail.part("html")
    assert "<td>9 W</td>\n<td></td>" in mail.part("html"), "what the summary lacks is left out"
    assert 'href="https://runbooks.example/held"' in mail.part("html"), "a whole address stays as it is"


def test_held_gpus_of_a_host_are_one_message_of_the_chat(alertmanager: Receivers) -> None:
    def told() -> list[dict[str, str]]:
        return [chat for chat in alertmanager.chats() if "h4" in chat["title"]]

    alertmanager.tell(*(held("warning", "h4", gpu) for gpu in range(3)))
    poll(lambda: bool(told()), "the message")
    (chat,) = told()
    assert chat["title"] == "[3 firing] WattledgerGpuHeld on hall-1 h4"
    assert chat["title_link"] == f"{BASE}wattledgergpuheld"
    assert chat["color"] == "warning"
    line = SUMMARY.format(gpu=0, host="h4", watts=121, owner="")
    assert chat["text"].split("\n")[0] == f"*warning* {line} (<{BASE}wattledgergpuheld|what to do>)"
    assert chat["text"].count("kWh so far") == 3
    alertmanager.tell(*(held("warning", "h4", gpu, over=True) for gpu in range(3)))
    poll(lambda: len(told()) == 2, "its end")
    assert (told()[1]["title"], told()[1]["color"]) == ("[3 over] WattledgerGpuHeld on hall-1 h4", "good")
    assert told()[1]["text"].startswith("over: *warning* GPU 0 on h4")


def test_a_bad_rack_is_one_page_and_without_racks_a_bad_host_is(alertmanager: Receivers) -> None:
    boards = (("r7-1", "0"), ("r7-1", "1"), ("r7-2", "0"))
    rack = [alert("GpuPowerBrake", "critical", host, gpu=gpu, uuid=host + gpu, rack="r7") for host, gpu in boards]
    alertmanager.tell(
        *rack,
        alert("GpuLost", "critical", "h5", gpu="0", uuid="GPU-0"),
        alert("GpuXid", "critical", "h5", gpu="0", uuid="GPU-0", xid="79"),
        alert("GpuLost", "critical", "h6", gpu="0", uuid="GPU-9"),
    )
    poll(lambda: len(alertmanager.pages()) >= 3, "the pages")
    pages = {page["payload"]["summary"]: page for page in alertmanager.pages()}
    assert set(pages) >= {
        "[3 firing] WattledgerGpuPowerBrake in hall-1 r7",
        "[2 firing] Wattledger on hall-1 h5",
        "[1 firing] WattledgerGpuLost on hall-1 h6",
    }
    page = pages["[2 firing] Wattledger on hall-1 h5"]
    assert (page["event_action"], page["routing_key"]) == ("trigger", "page-key")
    assert "CRITICAL WattledgerGpuXid, hall-1 h5, GPU 0" in page["payload"]["custom_details"]["firing"]
    assert page["links"][0]["href"].startswith(f"{BASE}wattledgergpu")
    alertmanager.tell(alert("GpuLost", "critical", "h6", gpu="0", uuid="GPU-9", over=True))
    poll(lambda: alertmanager.pages()[-1]["event_action"] == "resolve", "the page ends")
    assert alertmanager.pages()[-1]["dedup_key"] == pages["[1 firing] WattledgerGpuLost on hall-1 h6"]["dedup_key"]


def test_infos_of_a_name_are_one_ticket(alertmanager: Receivers) -> None:
    alertmanager.tell(*(alert("GpuBusyLow", "info", host, gpu="0", uuid=f"GPU-{host}") for host in ("h7", "h8")))
    poll(lambda: bool(alertmanager.tickets()), "the ticket")
    (ticket,) = alertmanager.tickets()
    assert ticket["groupLabels"] == {"alertname": "WattledgerGpuBusyLow", "cluster": "hall-1"}
    assert [one["labels"]["instance"] for one in ticket["alerts"]] == ["h7", "h8"]
    (request,) = (one for one in alertmanager.http.accepted if one.target == "/ticket")
    assert request.headers["authorization"] == "Bearer ticket-token"


def test_of_a_host_that_is_down_nothing_else_is_told_on_that_host_alone(alertmanager: Receivers) -> None:
    # Alertmanager does not promise which of what it is told at once it looks at first.
    alertmanager.tell(alert("HostDown", "info", "h9"))
    poll(lambda: bool(muted_by(alertmanager, "h9")), "the host is known to be down")
    alertmanager.tell(
        held("warning", "h9", 0),
        alert("GpuLost", "critical", "h9", gpu="1", uuid="GPU-1"),
        alert("GpuLost", "critical", "h10", gpu="1", uuid="GPU-1"),
    )
    poll(lambda: any("h10" in page["payload"]["summary"] for page in alertmanager.pages()), "the other host's page")
    assert muted_by(alertmanager, "h9") == {
        ("WattledgerGpuHeld", "warning", "0"): 1,
        ("WattledgerGpuLost", "critical", "1"): 1,
        ("WattledgerHostDown", "info", ""): 0,
    }
    assert muted_by(alertmanager, "h10") == {("WattledgerGpuLost", "critical", "1"): 0}
    said = [*alertmanager.chats(), *alertmanager.pages(), *alertmanager.tickets()]
    assert not any("h9" in str(one) for one in said)


def test_only_the_worst_severity_is_told_and_of_a_lost_gpu_only_that(alertmanager: Receivers) -> None:
    severities = ("info", "warning", "critical")
    alertmanager.tell(
        *(held(severity, "h11", 0) for severity in severities),
        held("warning", "h11", 1),
        alert("MigInstanceHeld", "warning", "h11", gpu="1", uuid="GPU-1", mig_uuid="MIG-1"),
        alert("MigInstanceHeld", "warning", "h11", gpu="2", uuid="GPU-2", mig_uuid="MIG-2"),
        alert("GpuTemperatureHigh", "critical", "h11", gpu="3", uuid="GPU-3", sensor="gpu"),
        alert("GpuTemperatureHigh", "warning", "h11", gpu="3", uuid="GPU-3", sensor="memory"),
        alert("GpuLost", "critical", "h12", gpu="0", uuid="GPU-0"),
        alert("GpuXid", "warning", "h12", gpu="0", uuid="GPU-0", xid="94"),
        alert("GpuPcieReplays", "warning", "h12", gpu="0", uuid="GPU-0"),
        alert("GpuPcieReplays", "warning", "h12", gpu="1", uuid="GPU-1"),
        alert("AgentCpu", "warning", "h12"),
    )
    # The state of muting is written when a group is flushed.
    poll(lambda: muted_by(alertmanager, "h11").get(("WattledgerGpuHeld", "info", "0"), 0) > 0, "muted")
    poll(lambda: muted_by(alertmanager, "h12").get(("WattledgerGpuPcieReplays", "warning", "0"), 0) > 0, "muted")
    assert {key for key, count in muted_by(alertmanager, "h11").items() if count} == {
        ("WattledgerGpuHeld", "info", "0"),
        ("WattledgerGpuHeld", "warning", "0"),
        ("WattledgerMigInstanceHeld", "warning", "1"),
    }
    assert {key for key, count in muted_by(alertmanager, "h12").items() if count} == {
        ("WattledgerGpuPcieReplays", "warning", "0")
    }


def test_the_mail_server_keeps_a_line_that_begins_with_a_dot() -> None:
    with MailServer() as server, smtplib.SMTP(server.address) as client:
        client.sendmail("a@x", ["b@x", "c@x"], "Subject: s\r\n\r\n.dot\r\n..two\r\n")
    (mail,) = server.mails
    assert (mail.to, mail.message["Subject"], mail.part("plain")) == (("b@x", "c@x"), "s", ".dot\n..two\n")
