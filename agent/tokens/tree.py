"""Which processes belong together, and to which server those that hold devices do; it opens no sockets' files.

The process that holds a device is hardly ever the one that listens. Ties are tried from the surest to the weakest:
a server among its ancestors; one server below a common ancestor that starts one thing; one server in its container,
its session, or its Slurm job. A server that has holders by a sure tie gets no more by a weak one, so what merely runs
beside it stays apart.
"""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..workloads.cgroup import membership

_SMALL_BYTES = 64 << 10
_MOST_RELATED = 4096
_MOST_ANCESTORS = 64

# They start whatever is asked of them. What they started has nothing to do with each other.
_BOUNDARIES = frozenset(
    {"systemd", "init", "tini", "dumb-init", "docker-init", "catatonit", "pause", "s6-svscan", "runsvdir", "runsv"}
    | {"sshd", "sshd-session", "login", "su", "sudo", "cron", "crond", "atd", "at-spi-bus-laun", "gdm", "sddm"}
    | {"dockerd", "containerd", "conmon", "crio", "lxc-start", "slurmd", "pbs_mom", "kubelet"}
)
_BOUNDARY_STARTS = ("containerd-shim", "tmux", "screen", "(sd-", "systemd")
# A server may be started through one of these, so the way up goes on; but their other children are others' matter.
_SHELLS = frozenset(
    {"sh", "bash", "dash", "zsh", "fish", "ash", "ksh", "mksh", "csh", "tcsh", "busybox", "xargs", "make", "parallel"}
)
# What these started is one thing, each rank of it: all ranks belong to the one that listens.
_RANK_STARTERS = frozenset(
    {"mpirun", "mpiexec", "mpiexec.hydra", "orterun", "prterun", "orted", "prted", "hydra_pmi_proxy", "slurmstepd"}
)
# vLLM's ranks under Ray, which are children of Ray's daemon; the kernel keeps 15 characters of a title.
_RAY_RANK = "ray::RayWorkerW"


@dataclass(frozen=True, slots=True)
class Process:
    """One process. `start`, in clock ticks since boot, tells it from another one of the same number.

    `container` and `job` are empty where it is in none, or where nobody asked.
    """

    pid: int
    parent: int
    session: int
    start: int
    name: str
    has_terminal: bool
    container: str = ""
    job: str = ""

    @property
    def is_boundary(self) -> bool:
        """Tell whether what it started has nothing to do with each other."""
        return self.pid == 1 or self.name in _BOUNDARIES or self.name.startswith(_BOUNDARY_STARTS)


class ProcessFiles:
    """Reads the processes below *root*, all in one pass. What it reads takes no lock of a process's memory."""

    def __init__(self, root: Path) -> None:
        self._root = os.fspath(root)
        self._groups: dict[tuple[int, int], tuple[str, str]] = {}

    def table(self, holders: Collection[int]) -> "ProcessTable":
        """Give all processes; containers and jobs are looked up only where a holder is in one."""
        found = {process.pid: process for process in self._all()}
        held = [self._with_groups(found[pid]) for pid in holders if pid in found]
        if any(process.container or process.job for process in held):
            found = {pid: self._with_groups(process) for pid, process in found.items()}
        alive = {(process.pid, process.start) for process in found.values()}
        self._groups = {key: groups for key, groups in self._groups.items() if key in alive}
        return ProcessTable(found, self.program)

    def program(self, pid: int) -> str:
        """Give the name of the program that a process runs: a script's is that of its shell. Empty if not told."""
        try:
            link = Path(self._root, str(pid), "exe").readlink()
        except OSError:
            return ""
        return link.name.removesuffix(" (deleted)")

    def start_of(self, pid: int) -> int | None:
        """Give the start of the process that has the number *pid* now; None where it has ended."""
        process = self._process(pid)
        return None if process is None else process.start

    def command(self, pid: int) -> tuple[str, ...]:
        """Give a command line, empty where it cannot be read. May hang as the process does."""
        words = self._read(pid, "cmdline").split(b"\0")
        return tuple(word.decode("utf-8", "backslashreplace") for word in words if word)

    def _all(self) -> Iterator[Process]:
        try:
            names = os.listdir(self._root)  # noqa: PTH208  (a Path would be made for each of many)
        except OSError:
            return
        for name in names:
            if name.isascii() and name.isdigit() and (process := self._process(int(name))) is not None:
                yield process

    def _process(self, pid: int) -> Process | None:
        # The command name may hold any bytes, spaces and parentheses too; fields are counted after it (proc(5)).
        head, _, tail = self._read(pid, "stat").rpartition(b")")
        fields = tail.split()
        if len(fields) < 20 or fields[0] in (b"Z", b"X"):
            return None
        return Process(
            pid=pid,
            parent=int(fields[1]),
            session=int(fields[3]),
            start=int(fields[19]),
            name=head.partition(b"(")[2].decode("utf-8", "backslashreplace"),
            has_terminal=fields[4] != b"0",
        )

    def _with_groups(self, process: Process) -> Process:
        key = (process.pid, process.start)
        groups = self._groups.get(key)
        if groups is None:
            found = membership(self._read(process.pid, "cgroup").decode("utf-8", "backslashreplace"))
            groups = self._groups[key] = (found.container_id, found.job)
        container, job = groups
        return Process(
            pid=process.pid,
            parent=process.parent,
            session=process.session,
            start=process.start,
            name=process.name,
            has_terminal=process.has_terminal,
            container=container,
            job=job,
        )

    def _read(self, pid: int, name: str) -> bytes:
        try:
            file = os.open(f"{self._root}/{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC)
            try:
                return os.read(file, _SMALL_BYTES)
            finally:
                os.close(file)
        except OSError:
            return b""


class ProcessTable:
    """All processes of one moment, and what ties them. *program* gives the name of the program that one runs."""

    def __init__(self, processes: Mapping[int, Process], program: Callable[[int], str] = lambda _: "") -> None:
        self._processes = processes
        self._program = program
        self._shells: dict[int, bool] = {}
        self._children: dict[int, list[int]] = {}
        for process in processes.values():
            self._children.setdefault(process.parent, []).append(process.pid)

    def get(self, pid: int) -> Process | None:
        """Give a process."""
        return self._processes.get(pid)

    def eldest(self, pids: Collection[int]) -> int:
        """Give of *pids* the one that was started as what they are together: the ancestor, else the oldest."""
        known = [self._processes[pid] for pid in pids if pid in self._processes]
        if not known:
            return min(pids)
        return min(known, key=lambda process: (process.start, len(self.line(process.pid)), process.pid)).pid

    def line(self, pid: int) -> Sequence[Process]:
        """Give a process and its ancestors, up to what starts anything, the first of all, or another container."""
        found: list[Process] = []
        process = self._processes.get(pid)
        while process is not None and len(found) < _MOST_ANCESTORS:
            if found and (process.is_boundary or process.container != found[0].container):
                break
            found.append(process)
            process = self._processes.get(process.parent)
        return found

    def top(self, pid: int) -> int:
        """Give the ancestor that stands for the whole of what *pid* is part of."""
        return next((process.pid for process in reversed(self._branch(pid))), pid)

    def related(self, holders: Collection[int]) -> frozenset[int]:
        """Give every process that might be the server of one of *holders*."""
        found: set[int] = set()
        for pid in holders:
            line = self.line(pid)
            found.update(process.pid for process in line)
            branch = self._branch(pid)
            if branch:
                found.update(self._below(branch[-1].pid))
        held = [self._processes[pid] for pid in holders if pid in self._processes]
        ties = {tie for process in held for tie in _ties(process) if tie}
        found.update(process.pid for process in self._processes.values() if ties.intersection(_ties(process)))
        listening = (pid for pid in found if not self._is_deaf(pid))
        return frozenset(sorted(listening)[:_MOST_RELATED])

    def claims(self, holders: Collection[int], servers: Mapping[str, Collection[int]]) -> dict[int, str]:
        """Give for each of *holders* the server that it works for, where that can be told.

        *servers* holds for each server the processes that listen for it.
        """
        server_of = {pid: name for name, owners in servers.items() for pid in owners}
        below = self._servers_below(servers)
        found: dict[int, str] = {}
        beside: dict[int, str] = {}  # by the weaker tie of a common ancestor
        for pid in holders:
            own = next((server_of[process.pid] for process in self.line(pid) if process.pid in server_of), None)
            if own is not None:
                found[pid] = own
                continue
            for process in self._branch(pid):
                if names := below.get(process.pid):
                    if len(names) == 1 and process.name in _RANK_STARTERS:
                        found[pid] = next(iter(names))
                    elif len(names) == 1:
                        beside[pid] = next(iter(names))
                    break
        _take(found, beside)
        for index in range(3):
            self._tie(index, holders, servers, found)
        return found

    def _tie(
        self, index: int, holders: Collection[int], servers: Mapping[str, Collection[int]], found: dict[int, str]
    ) -> None:
        """Add claims by one of the weak ties: who has it with one server alone."""
        tied: dict[str, set[str]] = {}
        for name, owners in servers.items():
            process = self._processes.get(self.eldest(owners))
            if process is not None and (tie := _ties(process)[index]):
                tied.setdefault(tie, set()).add(name)
        weak: dict[int, str] = {}
        for pid in holders:
            process = self._processes.get(pid)
            names = tied.get(_ties(process)[index], set()) if process is not None and pid not in found else set()
            if process is not None and len(names) == 1:
                name = next(iter(names))
                if process.name.startswith(_RAY_RANK):
                    found[pid] = name
                else:
                    weak[pid] = name
        _take(found, weak)

    def _branch(self, pid: int) -> Sequence[Process]:
        """Give the beginning of a line, up to where others begin."""
        found: list[Process] = []
        for process in self.line(pid):
            if self._is_shell(process):
                break
            found.append(process)
        return found

    def _is_shell(self, process: Process) -> bool:
        known = self._shells.get(process.pid)
        if known is None:
            # A script has a name of its own, and its program is the shell.
            known = process.name in _SHELLS or self._program(process.pid) in _SHELLS
            self._shells[process.pid] = known
        return known

    def _below(self, pid: int) -> Iterator[int]:
        seen: set[int] = set()
        ahead = [pid]
        while ahead and len(seen) < _MOST_RELATED:
            pid = ahead.pop()
            if pid not in seen:
                seen.add(pid)
                yield pid
                ahead += self._children.get(pid, ())

    def _servers_below(self, servers: Mapping[str, Collection[int]]) -> dict[int, set[str]]:
        below: dict[int, set[str]] = {}
        for name, owners in servers.items():
            for pid in owners:
                for process in self.line(pid):
                    below.setdefault(process.pid, set()).add(name)
        return below

    def _is_deaf(self, pid: int) -> bool:
        """Tell whether a process is nobody's server."""
        process = self._processes.get(pid)
        return process is None or process.is_boundary or process.name in _SHELLS or process.name in _RANK_STARTERS


def _ties(process: Process) -> tuple[str, str, str]:
    """Give container, session and job, each empty where it ties nothing, in the order of their strength.

    A session at a terminal is that of a person, who starts this and that in it.
    """
    session = "" if process.has_terminal or process.session <= 0 else f"session:{process.session}:{process.container}"
    container = f"container:{process.container}" if process.container else ""
    return container, session, f"job:{process.job}" if process.job else ""


def _take(found: dict[int, str], weak: Mapping[int, str]) -> None:
    """Add those claims of one weak tie whose server had none before."""
    served = set(found.values())
    found.update((pid, name) for pid, name in weak.items() if name not in served)
