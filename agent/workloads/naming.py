"""How a workload is called: its identity, its title, and the names that its labels may show; pure.

Names come from users, jobs and containers and may hold anything: they are plain data, and cut to a length.
"""

import zlib
from collections.abc import Mapping

from wattledger.rules.usage.workload import Names, Workload, WorkloadKind

from .cgroup import Membership
from .pods import PodContainer
from .slurm import JobNames

MOST_CHARACTERS = 200
_SHORT_ID = 12  # digits of a container's id, as its runtime shows it


def capped(text: str) -> str:
    """Give *text* in at most MOST_CHARACTERS; one that is cut ends in a checksum, so that different ones differ."""
    if not text.isascii():
        # A lone surrogate cannot be written as UTF-8.
        text = text.encode("utf-8", "backslashreplace").decode()
    if len(text) <= MOST_CHARACTERS:
        return text
    mark = f"~{zlib.crc32(text.encode()):08x}"
    return text[: MOST_CHARACTERS - len(mark)] + mark


def workload_of(
    member: Membership,
    *,
    labels: tuple[str, ...],
    user: str = "",
    job: JobNames | None = None,
    pod: PodContainer | None = None,
) -> Workload | None:
    """Give the workload of a process in *member*; None where it cannot be called anything yet.

    A container that *pod* names is that pod's.
    """
    names = {"job": member.job, "user": user, "runtime": member.runtime, "container_id": member.container_id}
    if job is not None:
        names |= {"user": user or job.user, "account": job.account, "partition": job.partition}
    if pod is not None:
        names |= {"namespace": pod.namespace, "pod": pod.pod, "container": pod.container}
    if member.kind is WorkloadKind.SLURM:
        return _workload(WorkloadKind.SLURM, member.job, member.job, names, labels)
    if member.kind is WorkloadKind.UNIT:
        return _workload(WorkloadKind.UNIT, member.unit, member.unit, names | {"unit": member.unit}, labels)
    if member.kind is WorkloadKind.USER:
        return _workload(WorkloadKind.USER, user, user, names, labels)
    inner = member.kind is WorkloadKind.CONTAINER and bool(member.pod_uid)  # started by a pod, and not of its list
    if pod is not None and not inner:
        title = _pod_title(pod)
        return _workload(WorkloadKind.POD, title, title, names, labels)
    short = member.container_id[:_SHORT_ID]
    if member.kind is WorkloadKind.CONTAINER:
        return _workload(WorkloadKind.CONTAINER, member.container_id, short, names, labels)
    parts, short_parts = (member.pod_uid, member.container_id), (member.pod_uid, short)
    return _workload(WorkloadKind.POD, _joined(parts), _joined(short_parts), names, labels)


def pod_workload(pod: PodContainer, *, labels: tuple[str, ...]) -> Workload | None:
    """Give the workload of a container that a device was given to; the same as that of its processes."""
    names = {"namespace": pod.namespace, "pod": pod.pod, "container": pod.container}
    title = _pod_title(pod)
    return _workload(WorkloadKind.POD, title, title, names, labels)


def job_workload(job: str, *, labels: tuple[str, ...], names: JobNames) -> Workload | None:
    """Give the workload of a job that a device was given to; the same as that of its processes."""
    shown = {"job": job, "user": names.user, "account": names.account, "partition": names.partition}
    return _workload(WorkloadKind.SLURM, job, job, shown, labels)


def owner_workload(owner: str, *, labels: tuple[str, ...]) -> Workload | None:
    """Give the workload of whom the configuration gives a device to."""
    return _workload(WorkloadKind.OWNER, owner, owner, {}, labels)


def _workload(
    kind: WorkloadKind, identity: str, title: str, names: Mapping[str, str], labels: tuple[str, ...]
) -> Workload | None:
    if not identity:
        return None
    shown: Names = tuple((label, capped(names[label])) for label in labels if names.get(label))
    return Workload(kind, capped(identity), capped(title), shown)


def _pod_title(pod: PodContainer) -> str:
    return _joined((pod.namespace, pod.pod, pod.container))


def _joined(parts: tuple[str, ...]) -> str:
    return "/".join(part for part in parts if part)
