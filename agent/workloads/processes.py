"""What a process that the driver names belongs to, from /proc; it sums up nothing and remembers no process."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from wattledger.rules.instant import Instant
from wattledger.rules.usage.workload import WorkloadKind

from .cgroup import Membership, membership
from .procfs import ProcFs, Stat, UnreadableProcess, Unresolved
from .slurm import UNNAMED, JobNames, SlurmNames
from .users import Users

_STEP_DAEMON = "slurmstepd"
_MOST_ANCESTORS = 64


@dataclass(frozen=True, slots=True)
class Member:
    """What is known of a process by now. `start` tells it from another one of the same number.

    `user` is who started it, where that says something. `pending`: more will be known at the next looks.
    """

    start: int
    group: Membership
    user: str = ""
    job: JobNames | None = None
    pending: bool = False


class Processes(Protocol):
    """Where attribution learns of processes. No call blocks or raises."""

    def start_of(self, pid: int, at: Instant) -> int | Unresolved:
        """Give the start of the process that has the number *pid* now. *at* is when the driver named it."""
        ...

    def look(self, pid: int, at: Instant) -> Member | Unresolved:
        """Give what the process belongs to."""
        ...

    def job_names(self, job_id: str, pid: int) -> JobNames:
        """Give what is known by now of a job that *pid* is a process of."""
        ...

    def close(self) -> None:
        """Look nothing up any more."""
        ...


class ProcProcesses:
    """Processes of this host. Only what is named is looked at; /proc is never walked."""

    def __init__(self, proc: ProcFs, *, passwd: Path = Path("/etc/passwd")) -> None:
        self._proc = proc
        self._users = Users(passwd)
        self._slurm = SlurmNames(proc)

    def start_of(self, pid: int, at: Instant) -> int | Unresolved:
        """Give the start of the process that has the number *pid* now."""
        try:
            return self._stat(pid, at).start
        except UnreadableProcess as error:
            return error.reason

    def look(self, pid: int, at: Instant) -> Member | Unresolved:
        """Give what the process belongs to, by its control groups; a Slurm step without any by its daemon."""
        try:
            start = self._stat(pid, at).start
            if self._proc.holds_device(pid) is False:
                return Unresolved.PID_NAMESPACE_MISMATCH
            member = self._member(pid, start, membership(self._proc.cgroup(pid)))
            same = self._proc.stat(pid).start == start
        except UnreadableProcess as error:
            return error.reason
        return member if same else Unresolved.GONE

    def job_names(self, job_id: str, pid: int) -> JobNames:
        """Give what is known by now of a job that *pid* is a process of. Its user is that of the process."""
        try:
            start = self._proc.stat(pid).start
            uid = self._proc.uid(pid)
        except UnreadableProcess:
            return UNNAMED
        names = self._slurm.find(job_id, pid, start) or UNNAMED
        user = self._user(uid, names) if uid else names.user
        return JobNames(user=user, account=names.account, partition=names.partition)

    def close(self) -> None:
        """Look nothing up any more."""
        self._slurm.close()

    def _stat(self, pid: int, at: Instant) -> Stat:
        stat = self._proc.stat(pid)
        if self._proc.started_after(stat, at):
            raise UnreadableProcess(Unresolved.PID_NAMESPACE_MISMATCH)
        return stat

    def _member(self, pid: int, start: int, group: Membership) -> Member:
        if group.kind is WorkloadKind.USER or (group.kind is WorkloadKind.UNIT and "slurm" in group.unit):
            daemon = self._step_daemon(pid)
            if daemon is not None:
                job = self._slurm.job_of(*daemon)
                if job is None:
                    return Member(start, Membership(WorkloadKind.SLURM), pending=True)
                if job:
                    group = Membership(WorkloadKind.SLURM, job=job, uid=group.uid)
        if group.kind is WorkloadKind.SLURM:
            names = self._slurm.find(group.job, pid, start)
            user = self._user(self._proc.uid(pid) if group.uid is None else group.uid, names or UNNAMED)
            return Member(start, group, user, names, pending=names is None)
        if group.kind is WorkloadKind.USER:
            return Member(start, group, self._users.name_of(self._proc.uid(pid) if group.uid is None else group.uid))
        return Member(start, group, "" if group.uid is None else self._users.name_of(group.uid))

    def _user(self, uid: int, names: JobNames) -> str:
        """Prefer what the kernel says over what the job says of itself, where the passwd file knows the user."""
        name = self._users.name_of(uid)
        return names.user if names.user and name == f"uid:{uid}" else name

    def _step_daemon(self, pid: int) -> tuple[int, int] | None:
        """Give the daemon of the Slurm step that *pid* descends from: only root starts one."""
        for _ in range(_MOST_ANCESTORS):
            try:
                stat = self._proc.stat(pid)
                if stat.name == _STEP_DAEMON and self._proc.uid(pid) == 0:
                    return pid, stat.start
            except UnreadableProcess:
                return None
            if stat.parent <= 1:
                return None
            pid = stat.parent
        return None


class ForeignProcesses:
    """Processes of another host, as a replay names them: whatever has their numbers here is not meant."""

    def start_of(self, pid: int, at: Instant) -> int | Unresolved:  # noqa: ARG002  (the protocol's)
        """Give that it is not known."""
        return Unresolved.FOREIGN

    def look(self, pid: int, at: Instant) -> Member | Unresolved:  # noqa: ARG002  (the protocol's)
        """Give that it is not known."""
        return Unresolved.FOREIGN

    def job_names(self, job_id: str, pid: int) -> JobNames:  # noqa: ARG002  (the protocol's)
        """Give no names."""
        return UNNAMED

    def close(self) -> None:
        """Do nothing: nothing is looked up."""
