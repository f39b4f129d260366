"""What end-to-end fault tests share: a daemon started through another program, a witness, and books held to truth."""

import http.client
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.agent.daemon_process import DaemonProcess, Page
from tests.nvml.double import NvmlDouble

ROOT = Path(__file__).resolve().parents[2]
POWER = "wattledger_gpu_power_watts"
ENERGY = "wattledger_gpu_energy_joules_total"
STATE_ENERGY = "wattledger_gpu_state_energy_joules_total"
RESTARTS = "wattledger_source_restarts_total"
ABANDONED = "wattledger_source_abandoned_samplers"
MISSED = "wattledger_source_missed_ticks_total"
SAMPLE_TIME = "wattledger_sample_timestamp_seconds"
RELOADED_AT = "wattledger_config_last_reload_success_timestamp_seconds"
WRITABLE = "wattledger_ledger_writable"

# The counter of a board steps at most this long after its power changed.
SETTLED_NS = 400_000_000


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Give the environment that a command of the product is started with."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("WATTLEDGER_")}
    return ours | {"PYTHONPATH": str(ROOT / ".importroot")} | dict(extra)


class DaemonThrough(DaemonProcess):
    """A daemon that another program becomes (`setpriv ... --`, `unshare ... --`), perhaps in another folder."""

    def __init__(
        self,
        state_dir: Path,
        *arguments: str,
        before: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        source: str = "nvml",
        log: Path | None = None,
        wait: bool = True,
    ) -> None:
        """*before* must exec the rest, so that the pid stays. Without *wait* the page may not answer yet."""
        self.log = log or state_dir.with_suffix(".log")
        command = [*before, sys.executable, "-m", "wattledger.agent", "run", "--listen", "127.0.0.1:0"]
        command += ["--state-dir", str(state_dir), "--source", source, "--interval", "200ms", *arguments]
        with self.log.open("ab") as log_file:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log_file, env=environment(env or {}), cwd=cwd, text=True
            )
        self.url = self._read_url() if wait else ""


class Witness:
    """Asks for `/-/healthy` and `/metrics` all the time; `with` fails when one was not 200 or took a second."""

    def __init__(self, daemon: DaemonProcess, *, slowest_s: float = 1.0) -> None:
        self._address = daemon.url.removeprefix("http://")
        self._slowest_s = slowest_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.answers = 0
        self.worst_s = 0.0
        self.wrong: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: object, _trace: object) -> None:
        self._stop.set()
        self._thread.join()
        if kind is None:
            assert self.answers >= 2
            assert not self.wrong, self.wrong[:5]
            assert self.worst_s < self._slowest_s

    def _look(self) -> None:
        while not self._stop.wait(0.1):
            for path in ("/-/healthy", "/metrics"):
                began = time.monotonic()
                try:
                    status = answer(self._address, path)[0]
                except OSError as error:
                    self.wrong.append(f"{path}: {error!r}")
                    continue
                self.answers += 1
                self.worst_s = max(self.worst_s, time.monotonic() - began)
                if status != 200:
                    self.wrong.append(f"{path}: {status}")


def answer(address: str, path: str) -> tuple[int, bytes]:
    """Give status and body of one request on a connection of its own. Raises OSError."""
    connection = http.client.HTTPConnection(address, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@dataclass
class Counters:
    """Every counter of the devices on every page shown to it: none falls, and the states sum to the energy."""

    last: dict[tuple[str, tuple[tuple[str, str], ...]], float] = field(default_factory=dict)

    def see(self, page: Page) -> Page:
        """Hold *page* against the pages before it."""
        for sample in page.samples:
            if sample.name.startswith("wattledger_gpu_") and sample.name.endswith("_total"):
                key = (sample.name, tuple(sorted(sample.labels.items())))
                assert sample.value >= self.last.get(key, 0.0), f"{key} fell from {self.last[key]} to {sample.value}"
                self.last[key] = sample.value
        for row in page.rows(ENERGY):
            states = round(page.total(STATE_ENERGY, uuid=row.labels["uuid"]) * 1000)
            assert states == round(row.value * 1000), "the states sum to the energy"
        return page

    def see_whole(self, page: Page) -> Page:
        """Hold *page* against the pages before it; no counter that was ever seen may be missing."""
        self.see(page)
        here = {(sample.name, tuple(sorted(sample.labels.items()))) for sample in page.samples}
        assert not self.last.keys() - here
        return page


@contextmanager
def scraping(daemon: DaemonProcess, counters: Counters) -> Iterator[None]:
    """Scrape up to the last moment: what was once on a page must be there after the crash."""
    stop = threading.Event()
    bodies: list[bytes] = []

    def scrape() -> None:
        while not stop.is_set():
            try:
                status, body = answer(daemon.url.removeprefix("http://"), "/metrics")
            except (OSError, http.client.HTTPException):
                return  # it was killed
            if status == 200 and body not in bodies[-1:]:
                bodies.append(body)
            stop.wait(0.01)

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    for body in bodies:
        counters.see(Page(body.decode()))


class Truth:
    """The boards' own counters against the books, to the millijoule: both ends are read while nothing is drawn."""

    def __init__(self, double: NvmlDouble) -> None:
        """Let all boards rest. Start the daemon after this, and let it tick before `load`."""
        self._double = double
        self.begun_mj = self._at_rest()

    def load(self, daemon: DaemonProcess | None) -> None:
        """Draw in bursts from now on, with traffic; wait until *daemon* shows power: 0 W it does not believe."""
        for number, gpu in enumerate(self._double.gpus):
            gpu.burst(high_w=280, low_w=90, period_s=0.37 + 0.11 * number, duty=0.4)
            gpu.traffic(pcie_tx=3_000_000, pcie_rx=2_000_000)
        if daemon is not None:
            boards = {gpu.uuid for gpu in self._double.gpus}
            daemon.wait_for(lambda page: {row.labels["uuid"] for row in page.rows(POWER)} == boards, "power")

    def check(self, daemon: DaemonProcess) -> Page:
        """Fail unless the page shows exactly what the boards' counters have counted; give that page."""
        ended_mj = self._at_rest()
        page = daemon.wait_ticks(3)
        assert {row.labels["uuid"]: round(row.value * 1000) for row in page.rows(ENERGY)} == {
            uuid: ended_mj[uuid] - self.begun_mj[uuid] for uuid in ended_mj
        }
        return page

    def _at_rest(self) -> dict[str, int]:
        for gpu in self._double.gpus:
            gpu.draw(0)
        settled_ns = self._double.now_ns + SETTLED_NS
        poll(lambda: self._double.now_ns >= settled_ns, "rest")
        return {gpu.uuid: gpu.counter_mj(self._double.now_ns) for gpu in self._double.gpus}


@contextmanager
def machine(folder: Path, *gpus: str) -> Iterator[NvmlDouble]:
    """Give a double with these boards on the real clock."""
    with NvmlDouble(folder, gpus=gpus or ("h100", "a100"), clock="real") as double:
        yield double


def poll(condition: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Wait until *condition* holds; fail with *what* after *seconds*."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"never came true: {what}"
        threading.Event().wait(0.02)


def let_pass(seconds: float) -> None:
    """Let a fault last for so long: its length is what is tested."""
    threading.Event().wait(seconds)


def process_state(pid: int) -> str:
    """Give the letter of proc(5), "" for a process that has ended, reaped or not."""
    try:
        letter = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if letter in "ZX" else letter
