"""The two programs that are compared, as processes on the same driver double; not what their numbers mean."""

import http.client
import os
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

START_SECONDS = 60.0


@dataclass(slots=True)
class Contender:
    """A running exporter. `metrics` is its page; CPU and memory are those of its whole process tree."""

    name: str
    process: subprocess.Popen[bytes]
    metrics: str
    scrape_ns: list[int] = field(default_factory=list)
    series: int = 0
    _connection: http.client.HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        self._connection = http.client.HTTPConnection(self.metrics.split("/")[2], timeout=10)

    def tree(self) -> list[psutil.Process]:
        """Give the process and all that it started."""
        top = psutil.Process(self.process.pid)
        return [top, *top.children(recursive=True)]

    def cpu_seconds(self) -> float:
        """Give user and system time of the tree so far."""
        return sum(sum(process.cpu_times()[:2]) for process in self.tree())

    def memory_bytes(self) -> tuple[int, int]:
        """Give the memory of the tree with each page counted once, as a cgroup is charged, and the sum of RSS.

        What the processes share (Python itself, libc) is taken as the largest shared part of any one.
        """
        infos = [process.memory_full_info() for process in self.tree()]
        own = sum(info.uss for info in infos)
        return own + max(info.rss - info.uss for info in infos), sum(info.rss for info in infos)

    def scrape(self) -> None:
        """Fetch the page once and note how long it took, to the last byte, and how many series it had.

        The connection stays open where the exporter keeps it, as Prometheus does.
        """
        started_ns = time.perf_counter_ns()
        self._connection.request("GET", "/metrics")
        answer = self._connection.getresponse()
        body = answer.read()
        self.scrape_ns.append(time.perf_counter_ns() - started_ns)
        if answer.status != 200:  # not ready yet: its words are no series
            body = b""
        self.series = sum(1 for line in body.splitlines() if line and not line.startswith(b"#"))

    def wait_answering(self) -> None:
        """Wait until the page has series."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.scrape()
                if self.series > 50:
                    self.scrape_ns.clear()
                    return
            except (OSError, http.client.HTTPException):
                self._connection.close()
                if time.monotonic() > deadline:
                    raise
            assert time.monotonic() < deadline, f"{self.name} shows {self.series} series"
            threading.Event().wait(0.2)

    def stop(self) -> None:
        """End it."""
        self._connection.close()
        self.process.terminate()
        self.process.wait(20)


def start_ours(python: str, state_dir: Path, env: Mapping[str, str]) -> Contender:
    """Start the daemon at its defaults (1 s), with its books on disk."""
    port = free_port()
    command = [python, "-m", "wattledger.agent", "run", "--source", "nvml", "--state-dir", str(state_dir)]
    process = _start([*command, "--listen", f"127.0.0.1:{port}"], env)
    return Contender("wattledger", process, f"http://127.0.0.1:{port}/metrics")


def start_peer(python: str, env: Mapping[str, str]) -> Contender:
    """Start nvitop-exporter at its defaults (1 s)."""
    port = free_port()
    command = [python, "-m", "nvitop_exporter", "--bind-address", "127.0.0.1", "--port", str(port)]
    return Contender("nvitop-exporter", _start(command, env), f"http://127.0.0.1:{port}/metrics")


def free_port() -> int:
    """Give a port nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _start(command: list[str], env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command, env=dict(os.environ) | dict(env), cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
