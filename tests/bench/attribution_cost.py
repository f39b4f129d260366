"""What it costs to know whose joules they are: 64 real processes on 16 boards, and nothing of it at a scrape."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.agent.control_groups import process_in
from tests.agent.daemon_process import DaemonProcess
from tests.agent.e2e_daemon import ROOT, poll
from tests.nvml.double import NvmlDouble
from wattledger.agent.clock import SystemClock
from wattledger.agent.tokens.catalogue import load_catalogue
from wattledger.agent.tokens.settings import TokenSettings
from wattledger.agent.tokens.watch import TokenWatch
from wattledger.agent.workloads.attribution import Attribution, WorkloadSettings
from wattledger.agent.workloads.processes import ProcProcesses
from wattledger.agent.workloads.procfs import ProcFs
from wattledger.rules.account import Entry
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.reading import DeviceIdentity, GpuProcess, HostFacts, ProcessKind, Reading, Sample, SourceKind
from wattledger.rules.state import State
from wattledger.rules.usage.book import UsagePolicy, WorkloadBook
from wattledger.rules.usage.shares import ShareSignals

GPUS, WORKLOADS = 16, 64
SCRAPES = 50
LABELS = ("namespace", "pod", "job", "user")
WARM_UP_SECONDS = 30.0  # for the first round of discovery

# Threads that look at processes at times of their own; whatever any other does counts as done for a page.
_OWN_CADENCE = ("MainThread", "token", "slurm")
_SIGNALS = ShareSignals(idle_mw=70_000)
# Writes a line for each file of /proc that is opened or folder of it that is listed: process, thread, path.
_HOOK = """
import os, sys, threading
told = os.open({file!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
def hook(event, arguments):
    if event not in ("open", "os.listdir", "os.scandir"):
        return
    path = arguments[0]
    path = os.fsdecode(path) if isinstance(path, (str, bytes)) else ""
    if path == "/proc" or path.startswith("/proc/"):
        os.write(told, f"{{os.getpid()}}\\t{{threading.current_thread().name}}\\t{{path}}\\n".encode())
sys.addaudithook(hook)
"""


@dataclass(frozen=True, slots=True)
class AttributionCost:
    """CPU seconds of each second of the default cadence, by part and together.

    `rounds` is how often discovery looked at all of /proc, which had `processes`; `first_seconds` is the tick that
    saw all workloads for the first time. Of the scrapes of a daemon on the same processes: `scrape_files` that they
    opened or listed below /proc, and `other_files` that the daemon's other threads did meanwhile.
    """

    tick: float
    discovery: float
    first_seconds: float
    rounds: int
    processes: int
    scrape_files: int
    other_files: int

    @property
    def core(self) -> float:
        """Give the part of a core that all takes."""
        return self.tick + self.discovery


def measure_attribution(folder: Path, seconds: float) -> AttributionCost:
    """Give the cost over *seconds* of real time, once everybody was found."""
    place = folder / "attribution"
    place.mkdir()
    with _processes() as pids:
        cost = _Host(pids).measure(seconds)
        scrape_files, other_files = _files_of_scrapes(place, pids)
    return AttributionCost(*cost, scrape_files=scrape_files, other_files=other_files)


@contextmanager
def _processes() -> Iterator[list[int]]:
    """Give processes that hold a device's file, each in the control group of a container of its own."""
    with ExitStack() as stack:
        pids = [stack.enter_context(process_in(f"docker/{number + 1:064x}")).pid for number in range(WORKLOADS)]
        files = ProcFs(Path("/proc"))
        poll(lambda: all(files.holds_device(pid) for pid in pids), "every process has its device's file open")
        yield pids


class _Host:
    """Attribution, the books of workloads and discovery, as the daemon has them, on samples that are made up."""

    def __init__(self, pids: list[int]) -> None:
        self._pids = pids
        self._clock = SystemClock()
        self._watch = TokenWatch(
            self._clock,
            load_catalogue,
            settings=TokenSettings(),
            title_of=lambda pid: self._attribution.title_of(pid),  # noqa: PLW0108  (each needs the other)
        )
        self._attribution = Attribution(
            self._clock,
            ProcProcesses(ProcFs(Path("/proc"))),
            settings=WorkloadSettings(labels=LABELS, job_map_dir=None, owners=lambda _: ""),
            service_of=self._watch.service_of,
            device_service=self._watch.device_service,
        )
        self._book = WorkloadBook((), UsagePolicy())
        self._before = self._clock.now()

    def measure(self, seconds: float) -> tuple[float, float, float, int, int]:
        """Give CPU by second of ticks and of discovery, of the first tick, and counts of what was looked at."""
        first_ns = self._tick()
        self._watch.start()
        deadline = time.monotonic() + WARM_UP_SECONDS
        while self._watch.health().last_round is None:
            assert time.monotonic() < deadline, "discovery never looked"
            threading.Event().wait(0.05)
        rounds, last, ticks_ns, making_ns = 0, self._watch.health().last_round, 0, 0
        started, cpu_ns = time.monotonic(), time.process_time_ns()
        while (elapsed := time.monotonic() - started) < seconds:
            thread_ns = time.thread_time_ns()
            tick_ns = self._tick()
            ticks_ns += tick_ns
            making_ns += time.thread_time_ns() - thread_ns - tick_ns
            if (latest := self._watch.health().last_round) is not last:
                rounds, last = rounds + 1, latest
            threading.Event().wait(max(0.0, int(elapsed) + 1 - (time.monotonic() - started)))
        elapsed = time.monotonic() - started
        spent_ns = time.process_time_ns() - cpu_ns - making_ns
        self._watch.close()
        self._attribution.close()
        health = self._attribution.health()
        assert health.processes == WORKLOADS, "every process was attributed"
        assert not any(health.unresolved.values()), health.unresolved
        assert self._book.workloads == WORKLOADS
        processes = sum(entry.name.isdecimal() for entry in Path("/proc").iterdir())
        wall_ns = elapsed * NS_PER_SECOND
        return (
            ticks_ns / wall_ns,
            (spent_ns - ticks_ns) / wall_ns,
            first_ns / NS_PER_SECOND,
            rounds,
            processes,
        )

    def _tick(self) -> int:
        """Do what the tick thread does of workloads; give its CPU time."""
        now = self._clock.now()
        sample = self._sample(now)
        entries = [
            Entry(reading.identity.uuid, State.ACTIVE, self._before, now, energy_mj=350_000)
            for reading in sample.devices
        ]
        self._before = now
        began_ns = time.thread_time_ns()
        holdings = self._attribution.holdings(sample)
        self._watch.observe(
            {one.identity.uuid: frozenset(process.pid for process in one.processes or ()) for one in sample.devices}
        )
        self._book.add(entries, holdings, lambda _: _SIGNALS, now)
        self._book.take_changes()
        return time.thread_time_ns() - began_ns

    def _sample(self, at: Instant) -> Sample:
        each = WORKLOADS // GPUS
        return Sample(
            at,
            SourceKind.NVML,
            HostFacts(),
            tuple(
                Reading(
                    DeviceIdentity(f"GPU-{board:08d}-0000-4000-8000-000000000000", board, "GPU"),
                    at,
                    processes=tuple(
                        GpuProcess(
                            pid=pid, kind=ProcessKind.COMPUTE, gpu_instance=None, compute_instance=None, sm_ratio=0.2
                        )
                        for pid in self._pids[board * each : (board + 1) * each]
                    ),
                )
                for board in range(GPUS)
            ),
        )


def _files_of_scrapes(place: Path, pids: list[int]) -> tuple[int, int]:
    """Give the files of /proc that a daemon touched for SCRAPES scrapes, and those of its own cadence meanwhile."""
    told, hooks = place / "files", place / "hooks"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(_HOOK.format(file=str(told)))
    with NvmlDouble(place / "driver", gpus=["h100"] * GPUS, clock="real") as double:
        for number, pid in enumerate(pids):
            double.gpu(number % GPUS).process(pid, gpu=20)
        env = double.env | {"PYTHONPATH": f"{hooks}:{ROOT / '.importroot'}"}
        with DaemonProcess(place / "state", env=env, interval="1s") as daemon:
            daemon.wait_ready()
            daemon.wait_for(
                lambda page: page.value("wattledger_gpu_holding_processes") == WORKLOADS, "all who hold a device"
            )
            begun = told.stat().st_size
            for _ in range(SCRAPES):
                status, _body = daemon.get("/metrics")
                assert status == 200
                threading.Event().wait(0.2)  # a page that was rendered already would prove little
            lines = told.read_bytes()[begun:].decode(errors="replace").splitlines()
            threads = [fields[1] for line in lines if (fields := line.split("\t"))[0] == str(daemon.process.pid)]
    of_page = sum(not thread.startswith(_OWN_CADENCE) for thread in threads)
    assert len(threads) > of_page, "what the tick thread reads is seen"
    return of_page, len(threads) - of_page
