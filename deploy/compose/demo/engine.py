"""The demo in containers: whether an engine answers, and its compose command."""

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import DemoError
from .ports import Ports, check_free
from .say import say

FILE = Path(__file__).resolve().parents[1] / "compose.yml"
_SECONDS = 20.0
# The command, what tells that its engine runs, and what tells that it has compose.
ENGINES = (
    ("docker", ("version", "--format", "{{.Server.Version}}"), ("compose", "version")),
    ("podman", ("info", "--format", "{{.Version.Version}}"), ("compose", "version")),
)


@dataclass(frozen=True, slots=True)
class Found:
    """The compose command that works, or nothing and why."""

    command: tuple[str, ...] = ()
    why: str = ""


def find(path: str) -> Found:
    """Give the compose command of the first engine that runs."""
    reasons = []
    for name, engine, compose in ENGINES:
        program = shutil.which(name, path=path)
        if program is None:
            reasons.append(f"{name} is not installed")
        elif wrong := _fails([program, *engine]):
            reasons.append(f"{name}: {wrong}")
        elif wrong := _fails([program, *compose]):
            reasons.append(f"{name} compose: {wrong}")
        else:
            return Found((program, "compose"), f"{name} runs")
    return Found(why="; ".join(reasons))


def _fails(command: Sequence[str]) -> str:
    """Give the last line that was said by a command that failed; empty if it did not."""
    try:
        done = subprocess.run(  # noqa: S603  (looked for on PATH)
            command, capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    said = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()
    return said[0]


def run(found: Found, ports: Ports, stop: threading.Event) -> None:
    """Build and run the containers until *stop* is set; then nothing of them but their images is left.

    Raises DemoError.
    """
    used = (ports.page, ports.prometheus, ports.alertmanager, ports.grafana)
    check_free(used)
    environment = dict(os.environ) | {port.variable: str(port.number) for port in used}
    compose = [*found.command, "--file", str(FILE)]
    say()
    say(f"  page          {ports.page.url}")
    say(f"  Prometheus    {ports.prometheus.url}targets   alerts: {ports.prometheus.url}alerts")
    say(f"  Alertmanager  {ports.alertmanager.url}#/alerts")
    say(f"  Grafana       {ports.grafana.url}dashboards")
    say()
    say(
        "The images are built and pulled first. Ctrl-C stops everything and removes the containers and their volumes."
    )
    try:
        code = _until(stop, [*compose, "up", "--build"], environment)
    finally:
        down = [*compose, "down", "--volumes"]
        subprocess.run(down, env=environment, check=False)  # noqa: S603
    if code and not stop.is_set():
        raise DemoError(f"{' '.join(compose)} up: exit code {code}; what it said stands above")


def _until(stop: threading.Event, command: Sequence[str], environment: dict[str, str]) -> int:
    """Run *command* to its end, with SIGINT once *stop* is set; give its exit code."""
    process = subprocess.Popen(command, env=environment, start_new_session=True)  # noqa: S603
    while process.poll() is None:
        if stop.wait(0.2):
            process.send_signal(signal.SIGINT)
            return process.wait()
    return process.returncode
