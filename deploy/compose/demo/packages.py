"""The demo without containers: the daemon of this checkout, and Prometheus and Alertmanager of the distribution."""

import os
import shutil
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from .ask import alerts, answers
from .ports import Ports, check_free
from .say import say
from .servers import Server, find, plans, run_all

DASHBOARDS = Path(__file__).resolve().parents[2] / "grafana/dashboards"
_LOOK_SECONDS = 2.0
# Labels that say what an alert is about.
_ABOUT = ("instance", "gpu", "mig_gi", "owner", "namespace", "service")


def run(ports: Ports, parent: Path, stop: threading.Event) -> None:
    """Run until *stop* is set; then nothing of it is left. Raises DemoError."""
    programs = find(os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    check_free((ports.page, ports.prometheus, ports.alertmanager))
    made = not parent.exists()
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="demo-", dir=parent))
    try:
        say(f"Starting three programs with their files in {folder} ...")
        run_all(plans(folder, ports, programs), folder, stop, running=lambda servers: _watch(servers, ports, stop))
    finally:
        shutil.rmtree(folder)
        if made:
            parent.rmdir()
    say("All stopped, and nothing left behind.")


def _watch(servers: Sequence[Server], ports: Ports, stop: threading.Event) -> None:
    """Say where everything is, and what fires from then on."""
    say()
    say(f"  page          {ports.page.url}")
    say(f"  metrics       {ports.page.url}metrics")
    pages = _prometheus_pages(ports.prometheus.url)
    say(f"  Prometheus    {pages}targets   alerts: {pages}alerts")
    say(f"  Alertmanager  {_alertmanager_pages(ports.alertmanager.url)}")
    say(f"  Grafana       not here: import {DASHBOARDS}/*.json into yours")
    say()
    say("Ctrl-C stops everything and removes its files. Alerts as they fire, the first after about a minute:")
    told: set[str] = set()
    while not stop.wait(_LOOK_SECONDS):
        for server in servers:
            server.check()
        for alert in alerts(ports.alertmanager.url):
            line = _line(alert["labels"])
            if line not in told:
                told.add(line)
                say(line)


def _prometheus_pages(url: str) -> str:
    """Give below which address Prometheus has its pages: Debian's has only the classic ones."""
    return url if answers(f"{url}targets") else f"{url}classic/"


def _alertmanager_pages(url: str) -> str:
    """Give where its alerts are seen: Debian's Alertmanager comes without pages, only with the API and amtool."""
    if answers(f"{url}script.js"):
        return f"{url}#/alerts"
    return f"{url}api/v2/alerts   as text: amtool --alertmanager.url={url} alert query"


def _line(labels: Mapping[str, str]) -> str:
    about = (f"{name} {labels[name]}" for name in _ABOUT if labels.get(name))
    return f"  {labels.get('severity', ''):<8} {labels['alertname']}: {', '.join(about)}"
