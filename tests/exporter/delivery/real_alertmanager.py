"""A real Alertmanager as a child process that forwards what it is told to a webhook."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench.contenders import free_port
from tests.exporter.http.client import until
from tests.servers import need

START_SECONDS = 30.0

_CONFIG = """\
route: {{receiver: hook, group_by: [alertname], group_wait: 1s, group_interval: 1s, repeat_interval: {repeat}}}
receivers: [{{name: hook, webhook_configs: [{{url: '{hook}', send_resolved: true}}]}}]
"""


@contextmanager
def alertmanager_for(hook: str, folder: Path, *, port: int | None = None, repeat: str = "4h") -> Iterator[str]:
    """Give the URL of an Alertmanager that has *hook* told of every change within a second."""
    program = need("prometheus-alertmanager", "prometheus-alertmanager")
    folder.mkdir(parents=True)
    (folder / "am.yml").write_text(_CONFIG.format(hook=hook, repeat=repeat))
    url = f"http://127.0.0.1:{port or free_port()}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={folder / 'am.yml'}",
                f"--storage.path={folder / 'data'}",
                f"--web.listen-address={url.removeprefix('http://')}",
                "--cluster.listen-address=",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        until(lambda: _answers(url), seconds=START_SECONDS)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def active_alerts(url: str) -> list[dict[str, Any]]:
    """Give the alerts that the Alertmanager at *url* has as firing."""
    with urllib.request.urlopen(f"{url}/api/v2/alerts", timeout=5) as answer:
        alerts: list[dict[str, Any]] = json.load(answer)
    return alerts


def _answers(url: str) -> bool:
    try:
        active_alerts(url)
    except OSError:
        return False
    return True
