"""Who uses the boards of the simulated host: made-up pods, jobs, units and users that follow from a process's number.

Nothing here names a process, pod or user of the real host.
"""

import re
from collections.abc import Collection, Mapping
from types import MappingProxyType

from wattledger.rules.instant import Instant
from wattledger.rules.usage.workload import WorkloadKind

from ..sources.sim_board import FIRST_PID
from ..sources.sim_story import CHAT, EMBEDDING, HOARDED, OFFICE, RESERVED, ROLES, TRAINING
from .cgroup import Membership
from .pods import PodContainer
from .processes import Member
from .procfs import Unresolved
from .slurm import UNNAMED, JobNames

# How a number is made, sim_board.py: ((board * 8 + slice) * 64 + number) * 16 + generation.
_GENERATIONS, _NUMBERS, _SLICES, _BOARDS = 16, 64, 8, 256
_POD_UID = re.compile(r"51300000-([0-9a-f]{4})-8([0-9a-f]{3})-8([0-9a-f]{3})-51300000[0-9a-f]{4}")
_USERS = ("alice", "bruno", "chen", "dalia")
_FIRST_UID, _FIRST_JOB = 1000, 4200


class SimulatedProcesses:
    """Tells of simulated processes what /proc tells of real ones; every other number is of no process."""

    def start_of(self, pid: int, at: Instant) -> int | Unresolved:  # noqa: ARG002  (the protocol's)
        """Give the start: a number is never given twice in its time."""
        return 1 if _place(pid) is not None else Unresolved.GONE

    def look(self, pid: int, at: Instant) -> Member | Unresolved:  # noqa: ARG002  (the protocol's)
        """Give what the process belongs to, by the role of its board."""
        place = _place(pid)
        if place is None:
            return Unresolved.GONE
        board, part, number = place
        role = ROLES[board % len(ROLES)]
        if part == 0 and role is TRAINING:
            # One job over all boards of the role; more processes on a board are more jobs.
            user = _user(number + 2)
            names = JobNames(user=user, account="vision", partition="gpu")
            return Member(1, Membership(WorkloadKind.SLURM, job=str(_FIRST_JOB + number)), user, names)
        if part == 0 and role is HOARDED:
            who = board // len(ROLES) + number
            return Member(1, Membership(WorkloadKind.USER, uid=_FIRST_UID + who), _user(who))
        if part == 0 and role is OFFICE:
            unit = f"assistant@{number}.service" if number else "assistant.service"
            return Member(1, Membership(WorkloadKind.UNIT, unit=unit))
        digits = f"{board:04x}{part:04x}{number:04x}"
        container_id = f"{digits}{'51300000' * 7}"[:64]
        uid = f"51300000-{board:04x}-8{part:03x}-8{number:03x}-51300000{board:04x}"
        return Member(1, Membership(WorkloadKind.POD, container_id, "containerd", uid))

    def job_names(self, job_id: str, pid: int) -> JobNames:  # noqa: ARG002  (the protocol's)
        """Give no names: simulated jobs are named at once."""
        return UNNAMED

    def close(self) -> None:
        """Do nothing: nothing is looked up."""


class SimulatedPods:
    """The pods of the simulated host. A reserved board is given to one that does not use it."""

    def __init__(self) -> None:
        reserved = ROLES.index(RESERVED)
        self._allocations: Mapping[str, tuple[PodContainer, ...]] = MappingProxyType(
            {
                f"nvidia{board}": (PodContainer("research", f"sweep-{board // len(ROLES)}", "trainer"),)
                for board in range(reserved, _BOARDS, len(ROLES))
            }
        )

    def find(self, *, pod_uid: str, container_id: str, devices: Collection[str]) -> PodContainer | None:  # noqa: ARG002
        """Give the pod, whose uid tells its board, its slice and its number there."""
        match = _POD_UID.fullmatch(pod_uid)
        if match is None:
            return None
        board, part, number = (int(group, 16) for group in match.groups())
        role = ROLES[board % len(ROLES)]
        round_, suffix = board // len(ROLES), f"-{number}" if number else ""
        if part == 0 and role is CHAT:
            return PodContainer("chat", f"llm-{round_}{suffix}", "server", pod_uid, container_id)
        if part == 0 and role is EMBEDDING:
            return PodContainer("search", f"embedder-{round_}{suffix}", "embedder", pod_uid, container_id)
        return PodContainer("lab", f"notebook-{board}-{part}{suffix}", "jupyter", pod_uid, container_id)

    def allocations(self) -> Mapping[str, tuple[PodContainer, ...]]:
        """Give the reserved boards, by the names that GKE has for devices: a uuid depends on the seed."""
        return self._allocations


def _place(pid: int) -> tuple[int, int, int] | None:
    """Give board, slice and number of a simulated process."""
    serial = (pid - FIRST_PID) // _GENERATIONS
    if not 0 <= serial < _BOARDS * _SLICES * _NUMBERS:
        return None
    return serial // (_NUMBERS * _SLICES), serial // _NUMBERS % _SLICES, serial % _NUMBERS


def _user(number: int) -> str:
    turn, name = divmod(number, len(_USERS))
    return f"{_USERS[name]}{turn}" if turn else _USERS[name]
