"""A real Prometheus and a real Alertmanager with the shipped files, and the receivers on loopback."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.agent.e2e_daemon import poll
from tests.bench.contenders import free_port
from tests.deploy.mail_server import Mail, MailServer
from tests.deploy.shipped import changed, server, templates_into
from tests.exporter.delivery.fake_receiver import FakeReceiver
from tests.servers import need

START_SECONDS = 30.0
ALERTMANAGER = "deploy/alertmanager/alertmanager.yml"
SECRETS = {"smtp_password": "x", "pagerduty_key": "page-key", "ticket_token": "ticket-token"}


@dataclass(frozen=True)
class Receivers:
    """Everything that the Alertmanager at `url` has sent, by the receiver of its configuration."""

    url: str
    http: FakeReceiver
    smtp: MailServer

    def pages(self) -> list[dict[str, Any]]:
        """Give what PagerDuty would have got."""
        return self._posted("/page")

    def chats(self) -> list[dict[str, Any]]:
        """Give each message of the chat: its one attachment."""
        return [message["attachments"][0] for message in self._posted("/chat")]

    def tickets(self) -> list[dict[str, Any]]:
        """Give what the ticket system would have got."""
        return self._posted("/ticket")

    def mails(self) -> list[Mail]:
        """Give what the owners got."""
        return list(self.smtp.mails)

    def active(self) -> list[dict[str, Any]]:
        """Give the alerts that have not ended, muted ones too."""
        alerts: list[dict[str, Any]] = fetch(f"{self.url}/api/v2/alerts")
        return alerts

    def tell(self, *alerts: Mapping[str, object]) -> None:
        """Tell the Alertmanager of *alerts*, as Prometheus does."""
        request = urllib.request.Request(
            f"{self.url}/api/v2/alerts", json.dumps(alerts).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=5):
            pass

    def _posted(self, path: str) -> list[dict[str, Any]]:
        return [request.json for request in list(self.http.accepted) if request.target == path]


@contextmanager
def shipped_alertmanager(folder: Path, intervals: Mapping[str, str]) -> Iterator[Receivers]:
    """Run an Alertmanager with the shipped configuration whose receivers are on loopback, without TLS."""
    program = need("prometheus-alertmanager", "prometheus-alertmanager")
    folder.mkdir()
    with FakeReceiver() as http, MailServer() as smtp:
        secrets = SECRETS | {"chat_url": f"{http.url}/chat"}
        for name, secret in secrets.items():
            (folder / name).write_text(secret)
        texts = {
            "mail.example.com:587": smtp.address,
            "smtp_require_tls: true": "smtp_require_tls: false",
            "https://events.pagerduty.com/v2/enqueue": f"{http.url}/page",
            "https://tickets.example.com/wattledger": f"{http.url}/ticket",
            "/etc/alertmanager/secrets": str(folder),
        }
        (folder / "alertmanager.yml").write_text(changed(ALERTMANAGER, texts, intervals))
        templates_into(folder)
        url = f"http://127.0.0.1:{free_port()}"
        command = [program, f"--config.file={folder / 'alertmanager.yml'}", f"--storage.path={folder / 'data'}"]
        command += [f"--web.listen-address={url.removeprefix('http://')}", "--cluster.listen-address="]
        with server(command, folder / "log"):
            poll(lambda: answers(f"{url}/-/ready"), "Alertmanager is ready", START_SECONDS)
            yield Receivers(url, http, smtp)


@contextmanager
def shipped_prometheus(
    folder: Path, texts: Mapping[str, str], rules: Mapping[str, str], intervals: Mapping[str, str]
) -> Iterator[str]:
    """Run a Prometheus with the shipped configuration, and *rules* by name for its rule files; give its URL."""
    program = need("prometheus", "prometheus")
    (folder / "rules").mkdir(parents=True)
    for name, text in rules.items():
        (folder / "rules" / name).write_text(text)
    (folder / "prometheus.yml").write_text(changed("deploy/prometheus/prometheus.yml", texts, intervals))
    url = f"http://127.0.0.1:{free_port()}"
    command = [program, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'tsdb'}"]
    command += [f"--web.listen-address={url.removeprefix('http://')}"]
    with server(command, folder / "log"):
        poll(lambda: answers(f"{url}/-/ready"), "Prometheus is ready", START_SECONDS)
        yield url


def answers(url: str) -> bool:
    """Tell whether a server answers there with 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def fetch(url: str) -> Any:
    """Give the JSON that stands there. Raises OSError."""
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)


def query(prometheus: str, expression: str) -> list[dict[str, Any]]:
    """Give the result of an instant query."""
    found = fetch(f"{prometheus}/api/v1/query?{urllib.parse.urlencode({'query': expression})}")
    result: list[dict[str, Any]] = found["data"]["result"]
    return result
