"""Which GPUs Slurm gave to which jobs, as prologs write it down; whom a job belongs to it does not know.

The folder is that of dcgm-exporter's `--hpc-job-mapping-dir`: a file for each GPU, named by its index, or by
`<gpu>.<gpu instance>`, with a job id on each line.
"""

import logging
import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wattledger.rules.instant import NS_PER_SECOND, Instant

from .background import Background
from .procfs import plain

_log = logging.getLogger(__name__)

_NAME = re.compile(r"(\d{1,6})(?:\.(\d{1,6}))?", re.ASCII)
_MOST_FILES = 4096
_MOST_BYTES = 4096
_MOST_ID = 64
_REFRESH_NS = 5 * NS_PER_SECOND
# An epilog may be skipped when a node fails. A job without a process here for a day is taken to be over; a shorter
# time would take GPUs from allocations that wait for their user.
EXPIRY_NS = 24 * 3600 * NS_PER_SECOND
_BOOT_MARGIN_NS = 60 * NS_PER_SECOND


@dataclass(frozen=True, slots=True)
class MappedJob:
    """A GPU, or one MIG GPU instance, given to a job. `pid` is one of the job's processes; None: none was found."""

    gpu: int
    gpu_instance: int | None
    job: str
    written_wall_ns: int
    pid: int | None = None

    def over(self, now: Instant) -> bool:
        """Tell whether the entry of a job of which no process lives is too old to be believed."""
        booted_wall_ns = now.wall_ns - now.mono_ns
        before_boot = self.written_wall_ns < booted_wall_ns - _BOOT_MARGIN_NS
        return before_boot or now.wall_ns - self.written_wall_ns > EXPIRY_NS


@dataclass(frozen=True, slots=True)
class JobMap:
    """The whole folder at one moment; `problem` is empty when it could be read."""

    jobs: tuple[MappedJob, ...] = ()
    problem: str = ""


class JobCgroups:
    """Finds a process of a job in the job's own control groups below *root*, of both layouts."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def process_of(self, job: str) -> int | None:
        """Give a process of *job*, one of its user's where there is one. None: none was found."""
        if not job.isdecimal():
            return None
        found: list[tuple[bool, bool, int]] = []
        for folder in self._folders(job):
            for place, _, files in os.walk(folder):
                pid = _first_number(Path(place, "cgroup.procs")) if "cgroup.procs" in files else None
                if pid is not None:
                    # A task is the user's own; the extern step only keeps the job's place.
                    found.append((f"{os.sep}task_" not in place, f"{os.sep}step_extern" in place, pid))
        return min(found)[2] if found else None

    def _folders(self, job: str) -> list[Path]:
        patterns = (
            f"system.slice/*slurmstepd.scope/job_{job}",  # v2
            f"*/slurm*/uid_*/job_{job}",  # v1, once for each controller
            f"slurm*/uid_*/job_{job}",  # v1, where the root is that of one controller
        )
        return [folder for pattern in patterns for folder in sorted(self._root.glob(pattern))]


class JobMapWatch:
    """Reads the folder every few seconds, on a thread of its own: it may lie on a file system that hangs."""

    def __init__(self, folder: Path, *, process_of: Callable[[str], int | None]) -> None:
        self._folder = folder
        self._process_of = process_of
        self._background = Background("slurm-jobs", capacity=1)
        self._current = JobMap()
        self._next_ns: int | None = None

    def current(self, now: Instant) -> JobMap:
        """Give the folder as it was last read; reads it again soon when that is a while ago."""
        if self._next_ns is None or now.mono_ns >= self._next_ns:
            self._next_ns = now.mono_ns + _REFRESH_NS
            self._background.ask(self._read)
        return self._current

    def close(self) -> None:
        """Read no more."""
        self._background.close()

    def _read(self) -> None:
        fresh = read_job_map(self._folder, process_of=self._process_of)
        if fresh.problem != self._current.problem:
            if fresh.problem:
                _log.warning("Slurm jobs: %s", fresh.problem)
            else:
                _log.info("Slurm jobs: %s is readable again", self._folder)
        self._current = fresh


def read_job_map(folder: Path, *, process_of: Callable[[str], int | None]) -> JobMap:
    """Read *folder*; a file that cannot be read is told of and costs no other."""
    jobs: list[MappedJob] = []
    problem = ""
    known: dict[str, int | None] = {}
    try:
        names = sorted(file.name for file in folder.iterdir())[:_MOST_FILES]
    except OSError as error:
        return JobMap(problem=f"{folder}: {error.strerror}")
    for name in names:
        if (match := _NAME.fullmatch(name)) is None:
            continue
        try:
            lines, written_wall_ns = _lines(folder / name)
        except FileNotFoundError:
            continue  # its epilog ran meanwhile
        except OSError as error:
            problem = f"{folder / name}: {error.strerror}"
            continue
        for job in lines:
            if job not in known:
                known[job] = process_of(job)
            gpu_instance = int(match[2]) if match[2] else None
            jobs.append(MappedJob(int(match[1]), gpu_instance, job, written_wall_ns, known[job]))
    return JobMap(tuple(jobs), problem)


def _lines(file: Path) -> tuple[list[str], int]:
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return [], status.st_mtime_ns
        text = plain(os.read(descriptor, _MOST_BYTES))
    finally:
        os.close(descriptor)
    found = [line.strip()[:_MOST_ID] for line in text.split("\n")]
    return list(dict.fromkeys(job for job in found if job)), status.st_mtime_ns


def _first_number(file: Path) -> int | None:
    try:
        return next((int(line) for line in file.read_text("ascii").split() if int(line) > 0), None)
    except (OSError, ValueError):  # the group went away, or is a threaded one
        return None
