"""`make demo` without make: a real process, what it says, and what it has started."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from tests.agent.e2e_daemon import environment, poll
from tests.bench.contenders import free_port
from tests.deploy.shipped import ROOT

FLAGS = ("--port", "--prometheus-port", "--alertmanager-port", "--grafana-port")


class Demo:
    """Starts it on free ports; `with` kills what a failed test left."""

    def __init__(self, state: Path, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        self.state = state
        self.page, self.prometheus, self.alertmanager, self.grafana = (free_port() for _ in FLAGS)
        self._lines: list[str] = []
        self._seen: dict[int, psutil.Process] = {}
        ports = zip(FLAGS, (self.page, self.prometheus, self.alertmanager, self.grafana), strict=True)
        flags = [word for flag, port in ports for word in (flag, str(port))]
        command = [sys.executable, "-m", "deploy.compose.demo", "--state", str(state), *flags, *arguments]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(env or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        for process in (*self.children(), psutil.Process(self.process.pid)) if self.process.poll() is None else ():
            process.kill()
        self.process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout:
            for line in self.process.stdout:
                self._lines.append(line)

    def said(self) -> str:
        """Give everything that it has said so far."""
        return "".join(self._lines)

    def wait_for(self, text: str, seconds: float = 60.0) -> None:
        """Wait until it has said *text*."""
        poll(lambda: text in self.said() or self.process.poll() is not None, f"{text}\n{self.said()}", seconds)
        assert text in self.said(), self.said()

    def children(self) -> Sequence[psutil.Process]:
        """Give every process that it has started, also those that were seen before."""
        try:
            for one in psutil.Process(self.process.pid).children(recursive=True):
                self._seen[one.pid] = one
        except psutil.NoSuchProcess:
            pass
        return list(self._seen.values())

    def alive(self) -> list[str]:
        """Give the names of those that still run."""
        return [one.name() for one in self.children() if one.is_running()]

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send a signal to it alone; give its exit code."""
        os.kill(self.process.pid, number)
        return self.end()

    def end(self) -> int:
        """Wait for its end; give its exit code."""
        code = self.process.wait(60)
        self._reader.join()
        return code
