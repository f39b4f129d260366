"""Which container, pod, Slurm job, unit or user the text of /proc/PID/cgroup names; it reads no file.

Paths are those of Kepler `internal/resource/container.go`, CEEMS `pkg/collector/cgroup.go`, and of the container
runtimes themselves. Any text gives an answer.
"""

import re
from dataclasses import dataclass, replace

from wattledger.rules.usage.workload import WorkloadKind

# A UUID that a kubelet of the systemd driver writes with underscores; a static pod has a hash without either.
_POD_UID = r"([0-9a-f]{8}(?:[-_]?[0-9a-f]{4}){3}[-_]?[0-9a-f]{12})"
_POD = re.compile(rf"(?:pod{_POD_UID}|(?:[^:]*-)?pod{_POD_UID}\.slice(?::.*)?)", re.DOTALL)
# NAME-<id>.scope of the systemd driver, NAME-<id> or the bare id of cgroupfs, SLICE:NAME:<id> where runtime and
# kubelet disagree on the driver. A monitor (libpod-conmon-<id>.scope) is none of them.
_CONTAINER = re.compile(r"(?:[^:]+\.slice:)?(?:([a-z][a-z0-9_]*(?:-containerd)?)[-:])?([0-9a-f]{64})(?:\.scope)?")
_RUNTIMES = {
    "docker": "docker",
    "moby": "docker",
    "cri-containerd": "containerd",
    "containerd": "containerd",
    "nerdctl": "containerd",
    "crio": "cri-o",
    "libpod": "podman",
    "lxc": "lxc",
}
_LXC_PAYLOAD = "lxc.payload."
# Slurm v1: slurm or slurm_<host>; v2: slurmstepd.scope or <node>_slurmstepd.scope.
_SLURM = re.compile(r"slurm(?:_[^/]*)?|(?:[^/]*_)?slurmstepd\.scope")
_SLURM_UID = re.compile(r"uid_(\d{1,10})", re.ASCII)
_SLURM_JOB = re.compile(r"job_(\d{1,20})", re.ASCII)
_USER = re.compile(r"user-(\d{1,10})\.slice", re.ASCII)
_UNIT_ENDS = (".service", ".scope")
_ESCAPE = re.compile(r"\\x([0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class Membership:
    """What a process belongs to. `kind` is the innermost of what was found; the rest is told as far as it is known.

    `job` and `pod_uid` are kept for what runs inside a job or a pod. `uid` is that of the user slice or of the job.
    """

    kind: WorkloadKind = WorkloadKind.USER
    container_id: str = ""
    runtime: str = ""
    pod_uid: str = ""
    job: str = ""
    unit: str = ""
    uid: int | None = None


NOTHING = Membership()


def membership(text: str) -> Membership:
    """Give what *text* names: the deepest match over all its lines, whichever layout they are of.

    Of several hierarchies some may know a job and others the container in it: what the deepest does not tell is
    taken from the others.
    """
    best, best_rank = NOTHING, (0, 0)
    job, uid = "", None
    for line in text.split("\n"):
        fields = line.split(":", 2)  # hierarchy, controllers, path
        if len(fields) < 3:
            continue
        found, rank = _read(fields[2].removesuffix(" (deleted)").split("/"))
        if rank > best_rank:
            best, best_rank = found, rank
        job = job or found.job
        uid = found.uid if uid is None else uid
    return replace(best, job=best.job or job, uid=uid if best.uid is None else best.uid)


def _read(components: list[str]) -> tuple[Membership, tuple[int, int]]:
    """Give what one path names, and how telling that is: what was found before how deep."""
    found, rank = NOTHING, (0, 0)
    in_user = in_slurm = False
    before = ""
    for depth, component in enumerate(components):
        if (container := _container(component, before)) is not None and container[1] != found.container_id:
            found = _inside(found, *container, component)
            rank = (2, depth)
        elif (user := _USER.fullmatch(component)) is not None:
            in_user = True
            if rank[0] < 2:
                found, rank = replace(found, kind=WorkloadKind.USER, uid=int(user[1])), (1, depth)
        elif in_user:
            pass  # a user may make groups of any name below the own slice: no pod, job or unit is found there
        elif (pod := _POD.fullmatch(component)) is not None:
            found = replace(found, kind=WorkloadKind.POD, pod_uid=_pod_uid(pod), container_id="", runtime="")
            rank = (2, depth)
        elif _SLURM.fullmatch(component) is not None:
            in_slurm = True
        elif in_slurm and (owner := _SLURM_UID.fullmatch(component)) is not None:
            found = replace(found, uid=int(owner[1]))
        elif in_slurm and (job := _SLURM_JOB.fullmatch(component)) is not None:
            found, rank = replace(found, kind=WorkloadKind.SLURM, job=job[1]), (2, depth)
        if rank[0] < 2 and not in_user and component.endswith(_UNIT_ENDS) and component != "init.scope":
            found, rank = replace(found, kind=WorkloadKind.UNIT, unit=_unescaped(component)), (1, depth)
        before = component
    return (found if found.kind is WorkloadKind.UNIT else replace(found, unit="")), rank


def _inside(outer: Membership, runtime: str, container_id: str, component: str) -> Membership:
    """Give what a container in *outer* is: of the pod when the pod has no other container yet, else its own."""
    pod = _POD.fullmatch(component)
    if pod is not None:  # pod and container in one component
        return replace(
            outer, kind=WorkloadKind.POD, pod_uid=_pod_uid(pod), container_id=container_id, runtime=runtime
        )
    in_pod = outer.kind is WorkloadKind.POD and not outer.container_id
    kind = WorkloadKind.POD if in_pod else WorkloadKind.CONTAINER
    return replace(outer, kind=kind, container_id=container_id, runtime=runtime)


def _container(component: str, before: str) -> tuple[str, str] | None:
    if component.startswith(_LXC_PAYLOAD) and len(component) > len(_LXC_PAYLOAD):
        return "lxc", component.removeprefix(_LXC_PAYLOAD)
    if before == "lxc" and component:
        return "lxc", component
    match = _CONTAINER.fullmatch(component)
    if match is None:
        return None
    name = match[1] or (before if before in _RUNTIMES else "")
    return _RUNTIMES.get(name, name), match[2]


def _pod_uid(match: re.Match[str]) -> str:
    uid: str = match[1] or match[2]
    return uid.replace("_", "-")


def _unescaped(name: str) -> str:
    """Undo what systemd writes for characters that a unit's name may not hold: \\x2d for a dash."""
    if "\\x" not in name:
        return name
    raw = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), name)
    try:
        return raw.encode("latin-1").decode()  # each escape is one byte of UTF-8
    except UnicodeError:
        return name
