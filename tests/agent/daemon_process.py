"""A real `wattledger run` in a process of its own, and what a user sees of it."""

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from wattledger.exporter.site import NO_SNAPSHOT

T = TypeVar("T")

START_SECONDS = 30.0
PATIENCE_SECONDS = 30.0


class Page:
    """One scrape, searchable by name and labels."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.samples: list[Sample] = [
            sample for family in text_string_to_metric_families(text) for sample in family.samples
        ]

    def rows(self, name: str, **labels: str) -> list[Sample]:
        """Give every sample of *name* that carries *labels*."""
        return [
            sample
            for sample in self.samples
            if sample.name == name and all(sample.labels.get(key) == value for key, value in labels.items())
        ]

    def value(self, name: str, **labels: str) -> float:
        """Give the one value there is."""
        rows = self.rows(name, **labels)
        assert len(rows) == 1, f"{name}{labels}: {len(rows)} samples\n{self.text[:400]}"
        return rows[0].value

    def total(self, name: str, **labels: str) -> float:
        """Give the sum over every sample that matches."""
        return sum(sample.value for sample in self.rows(name, **labels))

    def has(self, name: str, **labels: str) -> bool:
        """Tell whether any sample matches."""
        return bool(self.rows(name, **labels))


class DaemonProcess:
    """Starts the daemon on a free port; `with` stops it by SIGTERM and expects exit code 0."""

    def __init__(
        self,
        state_dir: Path,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        source: str = "nvml",
        interval: str = "200ms",
        log: Path | None = None,
    ) -> None:
        self.log = log or state_dir.with_suffix(".log")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("WATTLEDGER_")}
        command = [sys.executable, "-m", "wattledger.agent", "run", "--listen", "127.0.0.1:0"]
        command += ["--state-dir", str(state_dir), "--source", source, "--interval", interval, *arguments]
        with self.log.open("ab") as log_file:
            self.process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=log_file,
                env=environment | {"PYTHONPATH": _import_root()} | dict(env or {}),
                text=True,
            )
        self.url = self._read_url()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        code = self.stop()
        if kind is None:
            assert code == 0, f"exit code {code}\n{self.logged()}"

    def _read_url(self) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("metrics:"):
                return line.split(maxsplit=1)[1].strip().removesuffix("/metrics")
        code = self.process.wait()
        self._close()
        raise AssertionError(f"the daemon did not start: exit code {code}\n{self.logged()}")

    def logged(self) -> str:
        """Give what was logged so far."""
        return self.log.read_text(errors="replace")

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        """Give status and body of a request."""
        request = urllib.request.Request(self.url + path, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def page(self) -> Page:
        """Scrape once; a daemon that has only just started is waited for until it has its first sample."""
        deadline = time.monotonic() + START_SECONDS
        status, body = self.get("/metrics")
        while status == 503 and NO_SNAPSHOT.encode() in body:
            assert time.monotonic() < deadline, f"no first sample\n{self.logged()}"
            threading.Event().wait(0.05)  # between two looks; the deadline decides
            status, body = self.get("/metrics")
        assert status == 200, body
        return Page(body.decode())

    def wait_for(self, seen: Callable[[Page], T | None], what: str, seconds: float = PATIENCE_SECONDS) -> T:
        """Scrape until *seen* gives something true; fails with the log after *seconds*."""
        deadline = time.monotonic() + seconds
        while True:
            status, body = self.get("/metrics")
            page = Page(body.decode() if status == 200 else "")
            found = seen(page)
            if found:
                return found
            assert time.monotonic() < deadline, f"never seen: {what}\n{self.logged()}\n{page.text[-3000:]}"
            threading.Event().wait(0.05)  # between two looks; the deadline decides

    def wait_ready(self) -> None:
        """Wait until the data is fresh."""
        self.wait_for(lambda _: self.get("/-/ready")[0] == 200, "ready")

    def wait_ticks(self, count: int) -> Page:
        """Wait until *count* more samples have been booked."""
        seen: set[float] = set()

        def enough(page: Page) -> Page | None:
            seen.update(row.value for row in page.rows("wattledger_sample_timestamp_seconds"))
            return page if len(seen) > count else None

        return self.wait_for(enough, f"{count} more ticks")

    def sampler_pids(self) -> list[int]:
        """Give the processes that this daemon started."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the daemon alone."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it with no chance to say anything."""
        self.process.kill()
        self.process.wait()
        self._close()

    def stop(self, seconds: float = 20.0) -> int:
        """Ask it to stop; give its exit code."""
        self.process.terminate()
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            code = -9
        self._close()
        return code

    def _close(self) -> None:
        if self.process.stdout is not None:
            self.process.stdout.close()


def _import_root() -> str:
    return str(Path(__file__).resolve().parents[2] / ".importroot")
