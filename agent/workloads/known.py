"""The processes that devices list, each with its workload for as long as it is listed; devices it does not know."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.usage.workload import Workload, WorkloadKind

from .naming import workload_of
from .pods import PodContainer, Pods
from .processes import Member, Processes
from .procfs import Unresolved

# A number may be given to another process; that shows in its start.
_CHECK_NS = 5 * NS_PER_SECOND
# What is looked up in the background comes at once, or not soon.
_EAGER_NS = 10 * NS_PER_SECOND
# Time that a pod's names may take before its ids stand for them: a second identity would stay on the page.
_POD_GRACE_NS = 5 * NS_PER_SECOND
# The driver goes on naming a process that ended for a moment, not for longer.
_ENDED_NS = 5 * NS_PER_SECOND
# A list that cannot be read for a while costs no process what is known of it.
_FORGET_NS = 60 * NS_PER_SECOND

# Container runtimes that only a kubelet uses.
_KUBELET_RUNTIMES = ("containerd", "cri-o")

DevicesOf = Callable[[int], Collection[str]]


@dataclass(slots=True)
class Known:
    """A process: the workload it belongs to, or the reason why none is known."""

    since_ns: int
    looked_ns: int
    check_ns: int
    seen_ns: int
    member: Member | None = None
    pod: PodContainer | None = None
    workload: Workload | None = None
    reason: Unresolved | None = None
    settled: bool = False  # nothing more is to be learnt of it


class KnownProcesses:
    """Looks at a process once, then at its start alone. Called by the tick thread."""

    def __init__(self, processes: Processes, pods: Pods | None, labels: tuple[str, ...]) -> None:
        self._processes = processes
        self._pods = pods
        self._labels = labels
        self._known: dict[int, Known] = {}

    def __len__(self) -> int:
        return len(self._known)

    def peek(self, pid: int) -> Known | None:
        """Give what is known of a process already, None for nothing. May be asked by any thread."""
        return self._known.get(pid)

    def apply(self, labels: tuple[str, ...]) -> None:
        """Go on with other labels."""
        self._labels = labels
        for known in self._known.values():
            if known.member is not None and known.workload is not None:
                known.workload = self._workload(known, known.member)

    def get(self, pid: int, at: Instant, now_ns: int, *, check: bool, devices_of: DevicesOf) -> Known:
        """Give what is known of *pid*, which the driver named at *at*; with *check*, see that it is the same."""
        known = self._known.get(pid)
        if known is None:
            # Checks are spread over seconds, so that no tick does all of them.
            first_ns = now_ns + _CHECK_NS - pid % 5 * NS_PER_SECOND
            known = self._known[pid] = Known(since_ns=now_ns, looked_ns=-1, check_ns=first_ns, seen_ns=now_ns)
            self._look(pid, known, at, now_ns, devices_of)
        elif known.looked_ns != now_ns and self._due(known, now_ns, check=check):
            self._again(pid, known, at, now_ns, devices_of)
        known.seen_ns = now_ns
        return known

    def job(self, job_id: str) -> Workload | None:
        """Give a Slurm job that some process belongs to, as it is called there."""
        key = (WorkloadKind.SLURM, job_id)
        found = (known.workload for known in self._known.values())
        return next((workload for workload in found if workload is not None and workload.key == key), None)

    def seen(self, now_ns: int) -> Mapping[Unresolved | None, int]:
        """Count the processes of this tick by why they are not known, None for those that are; forget old ones."""
        counts: dict[Unresolved | None, int] = {}
        for pid, known in list(self._known.items()):
            if known.seen_ns == now_ns:
                counts[known.reason] = counts.get(known.reason, 0) + 1
            elif now_ns - known.seen_ns > _FORGET_NS:
                del self._known[pid]
        return counts

    @staticmethod
    def _due(known: Known, now_ns: int, *, check: bool) -> bool:
        return check or now_ns >= known.check_ns or (not known.settled and now_ns - known.since_ns < _EAGER_NS)

    def _again(self, pid: int, known: Known, at: Instant, now_ns: int, devices_of: DevicesOf) -> None:
        known.check_ns = now_ns + _CHECK_NS
        if known.member is None:
            self._look(pid, known, at, now_ns, devices_of)
            return
        start = self._processes.start_of(pid, at)
        if isinstance(start, Unresolved) or (start == known.member.start and known.settled):
            # One that ended is what it was until the driver no longer names it.
            known.looked_ns = now_ns
            return
        if start != known.member.start:
            known.since_ns = now_ns
            known.member = known.pod = known.workload = None
        self._look(pid, known, at, now_ns, devices_of)

    def _look(self, pid: int, known: Known, at: Instant, now_ns: int, devices_of: DevicesOf) -> None:
        known.looked_ns = now_ns
        found = self._processes.look(pid, at)
        if isinstance(found, Unresolved):
            if known.member is None:
                mismatch = found is Unresolved.GONE and now_ns - known.since_ns >= _ENDED_NS
                known.reason = Unresolved.PID_NAMESPACE_MISMATCH if mismatch else found
                return
        else:
            known.member = found
        member = known.member
        names_wanted = self._find_pod(known, member, pid, devices_of)
        known.settled = not member.pending and not names_wanted
        waits = names_wanted and member.group.kind is WorkloadKind.POD and now_ns - known.since_ns < _POD_GRACE_NS
        known.workload = None if waits else self._workload(known, member)
        known.reason = Unresolved.PENDING if known.workload is None else None

    def _find_pod(self, known: Known, member: Member, pid: int, devices_of: DevicesOf) -> bool:
        """Look for the pod of a process where it may have one; tell whether that is still wanted."""
        group = member.group
        if self._pods is None or not (group.pod_uid or group.runtime in _KUBELET_RUNTIMES):
            return False
        # A container that was started inside a pod's is in no list; the pod is found by its own id.
        inner = group.kind is WorkloadKind.CONTAINER and group.pod_uid
        container_id = "" if inner else group.container_id
        found = self._pods.find(pod_uid=group.pod_uid, container_id=container_id, devices=devices_of(pid))
        known.pod = found or known.pod
        return known.pod is None

    def _workload(self, known: Known, member: Member) -> Workload | None:
        return workload_of(member.group, labels=self._labels, user=member.user, job=member.job, pod=known.pod)
