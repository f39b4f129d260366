"""The engines that fleets are written into, as processes that can be ended, started again and weighed."""

import http.client
import json
import os
import signal
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.agent.e2e_daemon import poll
from tests.bench.contenders import free_port
from tests.servers import need

START_SECONDS = 60.0
STOP_SECONDS = 120.0


@dataclass
class Engine:
    """A program that serves HTTP at `url`. It keeps its port and its data when it is started again."""

    command: Sequence[str]
    url: str
    folder: Path
    ready: str = "/health"
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    @property
    def name(self) -> str:
        """Give the name of the program."""
        return os.path.basename(self.command[0])  # noqa: PTH119  (it may be a bare name)

    def start(self) -> None:
        """Start it and wait until it answers."""
        assert self._process is None
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(self.command, stdout=output, stderr=output)
        poll(self._answers, f"{self.command[0]} answers", START_SECONDS)

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it by this signal, and wait for its end."""
        process, self._process = self._process, None
        assert process is not None
        process.send_signal(number)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    @contextmanager
    def running(self) -> Iterator["Engine"]:
        """Run it until the end of the block."""
        try:
            self.start()
            yield self
        finally:
            if self._process is not None:
                self.end()

    @property
    def resident_bytes(self) -> int:
        """Give its resident memory."""
        return int(self._meter().memory_info().rss)

    @property
    def cpu_seconds(self) -> float:
        """Give the user and system time that it has taken so far."""
        times = self._meter().cpu_times()
        return float(times.user + times.system)

    def ask(self, path: str, timeout: float = 120.0, **parameters: str) -> Any:
        """Give the JSON that stands there. Raises OSError, urllib.error.HTTPError among them."""
        with urllib.request.urlopen(
            f"{self.url}{path}?{urllib.parse.urlencode(parameters)}", timeout=timeout
        ) as answer:
            return json.load(answer)

    def own_metrics(self) -> Mapping[str, float]:
        """Give what the program tells of itself, series by series."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=60) as answer:
            lines = answer.read().decode().splitlines()
        pairs = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}

    def _meter(self) -> psutil.Process:
        assert self._process is not None
        return psutil.Process(self._process.pid)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text(errors="replace")[-3000:]
        try:
            with urllib.request.urlopen(self.url + self.ready, timeout=5) as answer:
                return bool(answer.status == 200)
        except (OSError, http.client.HTTPException):
            return False

    @property
    def _log(self) -> Path:
        return self.folder / f"{self.name}.log"


def victoria_metrics(folder: Path, *arguments: str) -> Engine:
    """Give a VictoriaMetrics with its data in *folder*."""
    program, address = need("victoria-metrics", "victoria-metrics"), _address()
    command = [
        program,
        f"-httpListenAddr={address}",
        f"-storageDataPath={folder / 'victoria'}",
        "-retentionPeriod=1y",
    ]
    return Engine([*command, "-search.latencyOffset=0s", *arguments], f"http://{address}", folder)


def vmagent(folder: Path, config: str, store: Engine, *arguments: str) -> Engine:
    """Give a vmagent that scrapes by *config*, writes to *store*, and keeps what that does not take in *folder*."""
    program, address = need("vmagent", "victoria-metrics"), _address()
    (folder / "vmagent.yml").write_text(config, encoding="utf-8")
    command = [program, f"-httpListenAddr={address}", f"-promscrape.config={folder / 'vmagent.yml'}"]
    command += [f"-remoteWrite.url={store.url}/api/v1/write", f"-remoteWrite.tmpDataPath={folder / 'queue'}"]
    return Engine([*command, *arguments], f"http://{address}", folder)


def prometheus(folder: Path, config: str, *arguments: str) -> Engine:
    """Give a Prometheus with its data in *folder*."""
    program, address = need("prometheus", "prometheus"), _address()
    (folder / "prometheus.yml").write_text(config, encoding="utf-8")
    command = [program, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'tsdb'}"]
    command += [f"--web.listen-address={address}", *arguments]
    return Engine(command, f"http://{address}", folder, ready="/-/ready")


def folder_bytes(folder: Path) -> int:
    """Give what the files in *folder* and below take."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _address() -> str:
    return f"127.0.0.1:{free_port()}"
