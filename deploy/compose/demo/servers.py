"""Programs of this machine that run until the demo ends."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import settings
from .ask import answers
from .errors import DemoError
from .ports import Port, Ports

START_SECONDS = 60.0
STOP_SECONDS = 20.0
_LOOK_SECONDS = 0.2
_LOG_LINES = 15
# Debian's names first: its Alertmanager is not called as that of the makers.
PROMETHEUS = ("prometheus",)
ALERTMANAGER = ("prometheus-alertmanager", "alertmanager")
INSTALL = "apt-get install --no-install-recommends prometheus prometheus-alertmanager"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to start, and where it says that it is ready."""

    port: Port
    command: Sequence[str]
    ready: str


def find(path: str) -> tuple[str, str]:
    """Give Prometheus and Alertmanager as they lie on *path*. Raises DemoError with the cure."""
    found = [_first(names, path) for names in (PROMETHEUS, ALERTMANAGER)]
    missing = [" or ".join(names) for names, one in zip((PROMETHEUS, ALERTMANAGER), found, strict=True) if not one]
    if missing:
        raise DemoError(
            f"not installed: {', '.join(missing)}; install them (Debian, Ubuntu: {INSTALL}), "
            "or start docker or podman with compose"
        )
    return found[0], found[1]


def _first(names: Sequence[str], path: str) -> str:
    return next((found for name in names if (found := shutil.which(name, path=path))), "")


def plans(folder: Path, ports: Ports, programs: tuple[str, str]) -> list[Plan]:
    """Give the three parts in their order, with their files in *folder*."""
    prometheus, alertmanager = programs
    (folder / "prometheus.yml").write_text(settings.prometheus(ports), encoding="utf-8")
    daemon = [sys.executable, "-m", "wattledger.agent", "run", "--source", "sim"]
    daemon += ["--config", str(settings.WATTLEDGER), "--listen", ports.page.address]
    daemon += ["--state-dir", str(folder / "ledger")]
    told = [alertmanager, f"--config.file={settings.ALERTMANAGER}", f"--storage.path={folder / 'alertmanager'}"]
    told += [f"--web.listen-address={ports.alertmanager.address}", "--cluster.listen-address="]
    asks = [prometheus, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'tsdb'}"]
    asks += [f"--web.listen-address={ports.prometheus.address}"]
    return [
        Plan(ports.page, daemon, f"{ports.page.url}-/ready"),
        Plan(ports.alertmanager, told, f"{ports.alertmanager.url}-/ready"),
        Plan(ports.prometheus, asks, f"{ports.prometheus.url}-/ready"),
    ]


class Server:
    """One of them. In a session of its own: Ctrl-C is for the demo, which stops them one after the other."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.log = folder / f"{plan.port.name.lower()}.log"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("WATTLEDGER_")}
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603  (programs that were looked for, and ourselves)
                plan.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                start_new_session=True,
            )

    def check(self) -> None:
        """Raise DemoError with the end of its log when it has ended."""
        code = self._process.poll()
        if code is not None:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:]
            raise DemoError("\n".join([f"{self.plan.port.name} has ended with exit code {code}:", *lines]))

    def wait_ready(self, stop: threading.Event) -> None:
        """Wait until it is ready or *stop* is set. Raises DemoError when it ends, or is not ready in time."""
        deadline = time.monotonic() + START_SECONDS
        while not stop.is_set() and not answers(self.plan.ready):
            self.check()
            if time.monotonic() > deadline:
                raise DemoError(f"{self.plan.port.name} is not ready after {START_SECONDS:.0f} s: {self.plan.ready}")
            stop.wait(_LOOK_SECONDS)

    def end(self) -> None:
        """Stop it and whatever it started; it is gone when this returns."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()


def run_all(
    wanted: Sequence[Plan], folder: Path, stop: threading.Event, *, running: Callable[[Sequence[Server]], None]
) -> None:
    """Start all, then call *running*; all are stopped at the end, the last one first. Raises DemoError."""
    started: list[Server] = []
    try:
        for plan in wanted:
            started.append(Server(plan, folder))  # noqa: PERF401  (one that fails to start leaves those before it)
        for server in started:
            server.wait_ready(stop)
        if not stop.is_set():
            running(started)
    finally:
        for server in reversed(started):
            server.end()
