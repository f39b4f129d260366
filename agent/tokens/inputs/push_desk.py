"""Jobs that push their counters: who may say what, and what each has said; it knows no socket and no HTTP.

A job belongs to the user who first spoke for it, and lives as long as one of its processes. One of them counts; the
others say that they belong to it, so that their devices are the job's.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import msgspec

from wattledger.rules.instant import Instant
from wattledger.rules.tokens.model import Count, SeriesKey, TokenKind

from .base import TOKENS_LIMIT, count, name_problem
from .caller import Caller
from .processes import Processes

_JOBS_LIMIT = 64
_JOBS_OF_USER_LIMIT = 32
_MEMBERS_LIMIT = 256
_SERIES_LIMIT = 32


class Push(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a job says. Without `tokens_total` it is only that the process belongs to the job."""

    job: str
    tokens_total: int | float | None = None
    kind: TokenKind = TokenKind.OUTPUT
    model: str = ""
    pid: int | None = None
    run: str = ""


class Denied(Exception):  # noqa: N818  (an answer on its way, not a failure of ours)
    """What was said is not taken: `status` is HTTP's, the message is for the caller and names the cure."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class PushedJob:
    """A job now: its processes that live, and its counters as of `moved`; without counts none has counted yet."""

    name: str
    pids: frozenset[int]
    counts: dict[SeriesKey, Count]
    process: str
    moved: Instant


@dataclass(slots=True)
class _Job:
    uid: int
    members: dict[int, int]  # with their starts
    moved: Instant
    counting: tuple[int, int, str] | None = None  # number and start of the process that counts, and its run
    counts: dict[SeriesKey, Count] = field(default_factory=dict)


class PushDesk:
    """Takes what jobs say. `take` is for the server's thread, `jobs` for another."""

    def __init__(self, processes: Processes, *, now: Callable[[], Instant]) -> None:
        self._processes = processes
        self._now = now
        self._lock = threading.Lock()
        self._jobs: dict[str, _Job] = {}

    def take(self, body: bytes, caller: Caller) -> dict[str, object]:
        """Take one message; give what was understood. Raises Denied."""
        push = _decoded(body)
        pid, start = self._speaks_for(push, caller)
        with self._lock:
            if len(self._jobs) >= _JOBS_OF_USER_LIMIT:
                self._expire(self._jobs)
            else:
                self._expire((push.job,))
            job = self._job(push, caller)
            if pid not in job.members and len(job.members) >= _MEMBERS_LIMIT:
                raise Denied(429, f"the job has {_MEMBERS_LIMIT} processes already")
            if push.tokens_total is not None:
                self._count(job, push, int(push.tokens_total), pid, start)
            # Last, so that what is denied leaves no trace.
            job.members[pid] = start
            self._jobs[push.job] = job
        return {"job": push.job, "pid": pid, "tokens_total": push.tokens_total}

    def jobs(self) -> tuple[PushedJob, ...]:
        """Give all jobs that live, by name."""
        with self._lock:
            self._expire(self._jobs)
            return tuple(_shown(name, job) for name, job in sorted(self._jobs.items()))

    def _speaks_for(self, push: Push, caller: Caller) -> tuple[int, int]:
        """Give the process that the message is about, by number and start."""
        pid = caller.pid if push.pid is None else push.pid
        if pid is None:
            raise Denied(400, 'your process cannot be found; add "pid": the number of the job\'s process on the host')
        start = self._processes.start(pid)
        owner = self._processes.owner(pid)
        if start is None or owner is None:
            raise Denied(
                400, f'process {pid} is not there; "pid" is the number on the host: leave it out inside a container'
            )
        if owner.uid != caller.uid:
            raise Denied(403, f"process {pid} is of another user than you ({caller.uid}); speak for your own")
        if push.pid is not None and push.pid != caller.pid and caller.pid is not None:
            # In a PID namespace of its own the number means another process, perhaps one of the same user's.
            of_caller = self._processes.owner(caller.pid)
            if of_caller is not None and of_caller.nested:
                raise Denied(400, 'inside a container process numbers are others; leave "pid" out and push yourself')
        return pid, start

    def _job(self, push: Push, caller: Caller) -> _Job:
        job = self._jobs.get(push.job)
        if job is None:
            of_user = sum(one.uid == caller.uid for one in self._jobs.values())
            if len(self._jobs) >= _JOBS_LIMIT or of_user >= _JOBS_OF_USER_LIMIT:
                raise Denied(429, f"there are too many jobs ({_JOBS_LIMIT}, and {_JOBS_OF_USER_LIMIT} of one user)")
            return _Job(caller.uid, {}, self._now())
        if job.uid != caller.uid:
            raise Denied(403, f"the job {push.job!r} is of another user; give yours another name")
        return job

    def _count(self, job: _Job, push: Push, tokens: int, pid: int, start: int) -> None:
        counting = (pid, start, push.run)
        before = job.counting
        if before is not None and before[:2] != (pid, start) and job.members.get(before[0]) == before[1]:
            raise Denied(
                409,
                f"process {before[0]} counts for the job {push.job!r} already; only one process counts for all: "
                "leave tokens_total out in the others, or give each its own job",
            )
        counts = job.counts if counting == before else {}
        one = count(push.kind, push.model, tokens)
        for key in one:
            if key in counts and tokens < counts[key].value:
                raise Denied(
                    409,
                    f"tokens_total fell from {counts[key].value:.0f} to {tokens}; it is the sum since the start. "
                    'Where a process begins to count anew, say so with another "run"',
                )
        counts = counts | one
        if len(counts) > _SERIES_LIMIT:
            raise Denied(429, f"the job has more than {_SERIES_LIMIT} counters; use fewer models")
        if counts != job.counts or counting != before:
            job.moved = self._now()
        job.counting, job.counts = counting, counts

    def _expire(self, names: Iterable[str]) -> None:
        """Forget processes that are gone, and jobs without any."""
        for name in tuple(names):
            job = self._jobs.get(name)
            if job is None:
                continue
            job.members = {pid: start for pid, start in job.members.items() if self._processes.start(pid) == start}
            if not job.members:
                del self._jobs[name]


def _decoded(body: bytes) -> Push:
    try:
        push = msgspec.json.decode(body, type=Push)
    except (msgspec.ValidationError, UnicodeDecodeError) as error:
        raise Denied(400, f'{error}; send {{"job": "NAME", "tokens_total": N}}') from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise Denied(400, f'the body is no JSON ({error}); send {{"job": "NAME", "tokens_total": N}}') from None
    problem = name_problem("job", push.job)
    for what, name in (("model", push.model), ("run", push.run)):
        problem = problem or (name_problem(what, name) if name else "")
    tokens = push.tokens_total
    if tokens is not None and not (0 <= tokens <= TOKENS_LIMIT and tokens == int(tokens)):
        problem = problem or f"tokens_total is {tokens}; send a whole number from 0 to 2^53"
    if push.pid is not None and not 0 < push.pid < 2**31:
        problem = problem or f"pid is {push.pid}, which is no process number"
    if problem:
        raise Denied(400, problem)
    return push


def _shown(name: str, job: _Job) -> PushedJob:
    pid, start, run = job.counting or (0, 0, "")
    process = "" if job.counting is None else f"{pid}:{start}" + (f":{run}" if run else "")
    return PushedJob(name, frozenset(job.members), dict(job.counts), process, job.moved)
