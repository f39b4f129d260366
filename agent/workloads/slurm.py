"""Names of Slurm jobs from their processes; which GPUs jobs were given stands in `job_map`."""

import re
from dataclasses import dataclass
from typing import TypeVar

from .background import Background
from .procfs import ProcFs, UnreadableProcess, plain

_K = TypeVar("_K")
_V = TypeVar("_V")

_MOST_JOBS = 1024
_MOST_ASKED = 4096
# The title of a step's daemon: "slurmstepd: [211.batch]".
_STEP_TITLE = re.compile(r"slurmstepd: \[(?:StepId=)?(\d{1,20})", re.ASCII)


@dataclass(frozen=True, slots=True)
class JobNames:
    """What is told of a job beyond its number; empty text where nothing is. It is the job's own word."""

    user: str = ""
    account: str = ""
    partition: str = ""


UNNAMED = JobNames()


class SlurmNames:
    """Looks names up in environments, on a thread of its own; whoever asks gets what is known by now."""

    def __init__(self, proc: ProcFs) -> None:
        self._proc = proc
        self._background = Background("slurm-names")
        self._jobs: dict[str, JobNames] = {}
        self._steps: dict[tuple[int, int], str] = {}  # step daemons with their job
        self._asked: set[tuple[str, int, int]] = set()
        self._silent: set[tuple[str, int, int]] = set()  # processes that told nothing

    def find(self, job_id: str, pid: int, start: int) -> JobNames | None:
        """Give the names of a job that the process *pid* belongs to; None while they are being looked up.

        A process that may not be read, or does not name this job, gives no names; the next one may.
        """
        names = self._jobs.get(job_id)
        if names is not None:
            return names
        key = (job_id, pid, start)
        if key in self._silent:
            return UNNAMED
        self._ask(key)
        return None

    def job_of(self, pid: int, start: int) -> str | None:
        """Give the job of the step daemon *pid*, "" when it names none, None while that is being looked up."""
        job = self._steps.get((pid, start))
        if job is None:
            self._ask(("", pid, start))
        return job

    def close(self) -> None:
        """Look nothing up any more."""
        self._background.close()

    def _ask(self, key: tuple[str, int, int]) -> None:
        if key in self._asked:
            return
        if len(self._asked) >= _MOST_ASKED:
            self._asked.clear()
            self._silent.clear()
        if self._background.ask(lambda: self._look(*key)):
            self._asked.add(key)

    def _look(self, job_id: str, pid: int, start: int) -> None:
        key = (job_id, pid, start)
        try:
            if not job_id:
                title = _STEP_TITLE.match(plain(self._proc.command(pid)))
                _keep(self._steps, (pid, start), title[1] if title else "")
            else:
                names = job_names(self._proc.environment(pid), job_id)
                if names is None or self._proc.stat(pid).start != start:
                    self._silent.add(key)
                else:
                    _keep(self._jobs, job_id, names)
        except UnreadableProcess:
            if job_id:
                self._silent.add(key)
            else:
                _keep(self._steps, (pid, start), "")


def _keep(known: dict[_K, _V], key: _K, value: _V) -> None:
    while len(known) >= _MOST_JOBS:  # the oldest go
        del known[next(iter(known))]
    known[key] = value


def job_names(environment: bytes, job_id: str) -> JobNames | None:
    """Give the names in a process's environment, None when it is not that of job *job_id*."""
    found: dict[bytes, bytes] = {}
    for entry in environment.split(b"\0"):
        name, equals, value = entry.partition(b"=")
        if equals and name.startswith(b"SLURM_JOB"):
            found.setdefault(name, value)
    if plain(found.get(b"SLURM_JOB_ID") or found.get(b"SLURM_JOBID", b"")) != job_id:
        return None
    return JobNames(
        user=plain(found.get(b"SLURM_JOB_USER", b"")),
        account=plain(found.get(b"SLURM_JOB_ACCOUNT", b"")),
        partition=plain(found.get(b"SLURM_JOB_PARTITION", b"")),
    )
