"""Checks of what ties energy to its owners: processes, their sockets, Kubernetes, Slurm; no check of a board."""

import os
from collections.abc import Iterator
from pathlib import Path

from wattledger.agent.config.values import KubernetesMode

from .finding import Finding, limited, missing, present
from .surroundings import Surroundings, field_of, first_line, is_there

_HOST_PID_NAMESPACE = "pid:[4026531836]"  # PROC_PID_INIT_INO of the kernel
_FIRST_OF_A_HOST = ("systemd", "init")

# Bits of CapEff (linux/capability.h). The folder of open files is its owner's alone, so that two rights are needed.
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH, _CAP_SYS_PTRACE = 1 << 1, 1 << 2, 1 << 19
_NO_CAPABILITIES = 0
_ALL_USERS = "0 0 4294967295"  # /proc/self/uid_map of who is in no user namespace of its own

# Values of the mount option, and what proc(5) calls them; the last takes no heed of the group.
_SHOWS_ALL = ("0", "off")
_HEEDS_NO_GROUP = ("4", "ptraceable")


def check_namespace(at: Surroundings) -> Iterator[Finding]:
    """Say whether process ids of the driver can be looked up: not in a container with processes of its own."""
    in_container = limited(
        "process ids",
        "of a container: processes outside it have no owner here",
        "hostPID: true in the pod, --pid=host with docker",
    )
    try:
        seen = str((at.roots.proc / "self/ns/pid").readlink())
    except OSError:
        # One number for each namespace that the process is in, seen from that of /proc.
        numbers = field_of(at.roots.proc / "self/status", "NSpid").split()
        first = first_line(at.roots.proc / "1/comm")
        if len(numbers) > 1:
            yield in_container
        elif first in _FIRST_OF_A_HOST:
            yield present("process ids", f"of the host, as its first process ({first}) tells")
        else:
            yield limited("process ids", "the namespace of process ids cannot be read")
        return
    yield present("process ids", "of the host: owners are found") if seen == _HOST_PID_NAMESPACE else in_container


def check_processes(at: Surroundings) -> Iterator[Finding]:
    """Say whether processes of other users can be looked at: not below a /proc that hides them."""
    cure = "run as root or with CAP_SYS_PTRACE, or in the group that the mount option gid= of /proc names"
    option = _hiding(at)
    if option:
        yield limited("processes of others", f"/proc is mounted with hidepid={option}: they have no owner", cure)
    elif not (os.path.lexists(at.roots.proc / "1") and at.may(at.roots.proc / "1/stat", os.R_OK)):
        why = "the first process cannot be looked at: /proc hides those of other users (hidepid, a security policy)"
        yield limited("processes of others", why, cure)
    else:
        yield present("processes of others", "can be looked at")


def check_sockets(at: Surroundings) -> Iterator[Finding]:
    """Say whether it can be found out where processes of other users listen."""
    capability = "sockets of others"
    if not at.config.services.discovery:
        yield present(capability, "not looked at: services.discovery is off")
        return
    held = _capabilities(at)
    lacking = [] if held & _CAP_SYS_PTRACE else ["CAP_SYS_PTRACE"]
    lacking += [] if held & (_CAP_DAC_READ_SEARCH | _CAP_DAC_OVERRIDE) else ["CAP_DAC_READ_SEARCH"]
    users = " ".join(first_line(at.roots.proc / "self/uid_map").split())
    if lacking:
        yield limited(
            capability,
            f"without {' and '.join(lacking)}: their servers are not found, and of Slurm jobs less is known",
            "AmbientCapabilities=CAP_SYS_PTRACE CAP_DAC_READ_SEARCH in the unit, or run as root; or services.list",
        )
    elif users and users != _ALL_USERS:
        yield limited(
            capability,
            "in a user namespace: its rights count for processes inside it alone",
            "run the agent outside of rootless containers; or name the servers in services.list",
        )
    else:
        yield present(capability, "can be looked at: inference servers are found")


def check_cgroups(at: Surroundings) -> Iterator[Finding]:
    """Say which cgroups there are to find owners by."""
    top = at.roots.sys / "fs/cgroup"
    if (top / "cgroup.controllers").exists():
        yield present("cgroups", "version 2")
    elif any((top / name).is_dir() for name in ("systemd", "memory", "cpu", "unified")):
        yield present("cgroups", "version 1")
    else:
        yield missing("cgroups", f"{top} is empty: owners are users only", "mount /sys/fs/cgroup into the container")


def check_kubelet(at: Surroundings) -> Iterator[Finding]:
    """Say whether the kubelet tells which pod has which GPU, and whether the agent can ask it."""
    kubelet = at.roots.var / "lib/kubelet"
    folder = kubelet / "pod-resources"
    if at.config.workloads.kubernetes is KubernetesMode.OFF:
        yield present("Kubernetes", "not asked: workloads.kubernetes is off")
    elif is_there(kubelet) is False:
        wanted = at.config.workloads.kubernetes is KubernetesMode.ON
        cure = f"mount {folder} read-only into the pod" if wanted else ""
        yield missing("Kubernetes", "no kubelet on this host, or not visible from here", cure)
    else:
        yield _pod_resources(at, folder / "kubelet.sock")
        if is_there(folder):
            yield _grpc(at)


def _pod_resources(at: Surroundings, node: Path) -> Finding:
    there = is_there(node)
    if there is None or (there and not at.may(node, os.R_OK | os.W_OK)):
        return limited("Kubernetes", "the pod-resources socket refuses this user: pods have no names", "run as root")
    if there:
        return present("Kubernetes", str(node))
    if is_there(node.parent):
        why = f"no socket in {node.parent}: pods have no names"
        return limited("Kubernetes", why, "see whether the kubelet runs; into a pod mount the folder, not the socket")
    cure = f"mount {node.parent} read-only into the pod"
    return limited("Kubernetes", "a kubelet without pod-resources socket: pods have no names", cure)


def _grpc(at: Surroundings) -> Finding:
    if at.has_module("grpc"):
        return present("Kubernetes client", "the Python package grpc")
    why = "the Python package grpc is not installed: the kubelet is not asked, and pods have no names"
    return missing("Kubernetes client", why, "pip install 'wattledger[kubernetes]'")


def check_slurm(at: Surroundings) -> Iterator[Finding]:
    """Say whether jobs of Slurm can be told apart, and whether it is known which GPUs they were given."""
    sign = _sign_of_slurm(at)
    if sign:
        yield present("Slurm", sign)
    else:
        yield missing("Slurm", "no sign of it on this host")
    folder = at.config.workloads.slurm.job_map_dir
    if folder is not None:
        yield _job_files(at, folder)
    elif sign:
        yield missing(
            "Slurm job files",
            "workloads.slurm.job_map_dir names no folder: a GPU that a job has and does not use is nobody's",
            "let the prolog write a file of job ids for each GPU, and name their folder",
        )


def _sign_of_slurm(at: Surroundings) -> str:
    signs = (
        at.roots.etc / "slurm/slurm.conf",
        at.roots.run / "slurm",
        at.roots.sys / "fs/cgroup/system.slice/slurmstepd.scope",
        at.roots.sys / "fs/cgroup/slurm",
    )
    for sign in signs:
        if is_there(sign):
            return str(sign)
    runs = any(first_line(comm) == "slurmd" for comm in at.roots.proc.glob("[0-9]*/comm"))
    return "slurmd runs" if runs else ""


def _job_files(at: Surroundings, folder: Path) -> Finding:
    there = is_there(folder)
    if there is False:
        why = f"{folder} is not there: a GPU that a job has and does not use is nobody's"
        return limited("Slurm job files", why, "let the prolog make it, or mend workloads.slurm.job_map_dir")
    if there and not folder.is_dir():
        return limited("Slurm job files", f"{folder} is no folder", "mend workloads.slurm.job_map_dir")
    if there is None or not at.may(folder, os.R_OK | os.X_OK):
        return limited("Slurm job files", f"{folder} cannot be read by this user", "let the agent's user read it")
    return present("Slurm job files", str(folder))


def _hiding(at: Surroundings) -> str:
    """Give the mount option by which /proc hides processes from this user; "" where it does not."""
    options: dict[str, str] = {}
    for line in _lines(at.roots.proc / "mounts"):
        fields = line.split()
        if len(fields) > 3 and fields[1:3] == ["/proc", "proc"]:  # the last one lies on top
            options = dict(option.partition("=")[::2] for option in fields[3].split(","))
    value = options.get("hidepid", "0")
    if value in _SHOWS_ALL or _capabilities(at) & _CAP_SYS_PTRACE:
        return ""
    status = at.roots.proc / "self/status"
    groups = {*field_of(status, "Gid").split(), *field_of(status, "Groups").split()}
    exempt = value not in _HEEDS_NO_GROUP and options.get("gid", "0") in groups
    return "" if exempt else value


def _capabilities(at: Surroundings) -> int:
    """Give what rights are in effect, as bits."""
    try:
        return int(field_of(at.roots.proc / "self/status", "CapEff"), 16)
    except ValueError:
        return _NO_CAPABILITIES


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
