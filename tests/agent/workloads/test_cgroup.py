"""What /proc/PID/cgroup of every runtime means, in both layouts, and that no text is too odd to be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattledger.agent.workloads.cgroup import Membership, membership
from wattledger.rules.usage.workload import WorkloadKind

A, B = "a" * 64, "0123456789abcdef" * 4
UID = "2f1a7c3e-9b0d-4c58-8e6f-0123456789ab"
UID_ = UID.replace("-", "_")
STATIC = "4d1c0e0d9e4a47c1b2f3a4b5c6d7e8f9"
KUBEPODS = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod"
USER_UNIT = "/user.slice/user-1000.slice/user@1000.service/user.slice"


def container(runtime: str, identity: str = A, *, job: str = "", uid: int | None = None) -> Membership:
    return Membership(WorkloadKind.CONTAINER, container_id=identity, runtime=runtime, job=job, uid=uid)


def pod(runtime: str, identity: str = A, uid: str = UID) -> Membership:
    return Membership(WorkloadKind.POD, container_id=identity, runtime=runtime, pod_uid=uid)


def job(number: str, uid: int | None = None) -> Membership:
    return Membership(WorkloadKind.SLURM, job=number, uid=uid)


def unit(name: str) -> Membership:
    return Membership(WorkloadKind.UNIT, unit=name)


def user(uid: int | None) -> Membership:
    return Membership(WorkloadKind.USER, uid=uid)


PATHS = {
    "docker, systemd driver": (f"/system.slice/docker-{A}.scope", container("docker")),
    "docker, cgroupfs": (f"/docker/{A}", container("docker")),
    "docker with a parent of its own": (f"/gpu.slice/docker-{A}.scope", container("docker")),
    "rootless docker": (f"{USER_UNIT}/docker-{A}.scope", container("docker", uid=1000)),
    "docker in docker": (f"/docker/{B}/docker/{A}", container("docker")),
    "a service inside a container": (f"/docker/{A}/system.slice/sshd.service", container("docker")),
    "nerdctl": (f"/system.slice/nerdctl-{A}.scope", container("containerd")),
    "containerd without a pod": (f"/system.slice/cri-containerd-{A}.scope", container("containerd")),
    "podman": (f"/machine.slice/libpod-{A}.scope", container("podman")),
    "podman with a group inside": (f"/machine.slice/libpod-{A}.scope/container", container("podman")),
    "rootless podman": (f"{USER_UNIT}/libpod-{A}.scope/container", container("podman", uid=1000)),
    "podman, cgroupfs": (f"/libpod_parent/libpod-{A}", container("podman")),
    "podman's own pod": (f"/machine.slice/machine-libpod_pod_{B}.slice/libpod-{A}.scope", container("podman")),
    "podman's monitor": (f"/machine.slice/libpod-conmon-{A}.scope", unit(f"libpod-conmon-{A}.scope")),
    "cri-o without a pod": (f"/system.slice/crio-{A}.scope", container("cri-o")),
    "lxc": ("/lxc/101/ns/system.slice/ollama.service", container("lxc", "101")),
    "lxc 4": ("/lxc.payload.web/init.scope", container("lxc", "web")),
    "docker in lxc": (f"/lxc/101/ns/docker/{A}", container("docker")),
    "an unknown runtime": (f"/system.slice/newkid-{A}.scope", container("newkid")),
    "pod, systemd driver, containerd": (f"{KUBEPODS}{UID_}.slice/cri-containerd-{A}.scope", pod("containerd")),
    "pod, systemd driver, cri-o": (f"{KUBEPODS}{UID_}.slice/crio-{A}.scope", pod("cri-o")),
    "pod, systemd driver, docker": (f"{KUBEPODS}{UID_}.slice/docker-{A}.scope", pod("docker")),
    "guaranteed pod, systemd driver": (
        f"/kubepods.slice/kubepods-pod{UID_}.slice/cri-containerd-{A}.scope",
        pod("containerd"),
    ),
    "pod, cgroupfs": (f"/kubepods/burstable/pod{UID}/{A}", pod("")),
    "best-effort pod, cgroupfs": (f"/kubepods/besteffort/pod{UID}/{A}", pod("")),
    "guaranteed pod, cgroupfs": (f"/kubepods/pod{UID}/{A}", pod("")),
    "static pod": (f"/kubepods/burstable/pod{STATIC}/{A}", pod("", uid=STATIC)),
    "pod alone": (f"/kubepods/burstable/pod{UID}", pod("", "")),
    "pod with groups inside its container": (f"/kubepods/pod{UID}/{A}/init/workers", pod("")),
    "pod whose kubelet and runtime disagree": (
        f"/system.slice/containerd.service/kubepods-burstable-pod{UID_}.slice:cri-containerd:{A}",
        pod("containerd"),
    ),
    "pod of cri-o whose drivers disagree": (f"/kubepods-pod{UID_}.slice:crio:{A}", pod("cri-o")),
    "pod below another root": (
        (
            f"/site.slice/site-kubepods.slice/site-kubepods-burstable.slice/site-kubepods-burstable-pod{UID_}.slice/"
            f"cri-containerd-{A}.scope"
        ),
        pod("containerd"),
    ),
    "pod of kind": (
        (
            f"/docker/{B}/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/"
            f"kubelet-kubepods-besteffort-pod{UID_}.slice/cri-containerd-{A}.scope"
        ),
        pod("containerd"),
    ),
    "pod of kind, cgroupfs": (f"/docker/{B}/kubelet/kubepods/besteffort/pod{UID}/{A}", pod("")),
    "pod of k3s": (f"/system.slice/k3s.service/kubepods/burstable/pod{UID}/{A}", pod("")),
    "pod seen from a group namespace": (
        f"/../../kubepods-burstable-pod{UID_}.slice/cri-containerd-{A}.scope",
        pod("containerd"),
    ),
    "docker started in a pod": (
        f"/kubepods/burstable/pod{UID}/{B}/docker/{A}",
        Membership(WorkloadKind.CONTAINER, container_id=A, runtime="docker", pod_uid=UID),
    ),
    "slurm v1": ("/slurm/uid_1000/job_211/step_0/task_3", job("211", 1000)),
    "slurm v1, several nodes on a host": ("/slurm_node7/uid_1000/job_211/step_batch", job("211", 1000)),
    "slurm v2": ("/system.slice/slurmstepd.scope/job_211/step_interactive/user/task_0", job("211")),
    "slurm v2, extern step": ("/system.slice/slurmstepd.scope/job_7/step_extern/user/task_special", job("7")),
    "slurm v2, several nodes on a host": ("/system.slice/n1_slurmstepd.scope/job_8/step_0/user/task_0", job("8")),
    "slurm's own": ("/system.slice/slurmstepd.scope/system", unit("slurmstepd.scope")),
    "docker in a job": (f"/slurm/uid_1000/job_211/docker/{A}", container("docker", job="211", uid=1000)),
    "podman in a job": (
        f"/system.slice/slurmstepd.scope/job_9/step_0/user/task_0/libpod-{A}",
        container("podman", job="9"),
    ),
    "a job in a pod": (
        f"{KUBEPODS}{UID_}.slice/cri-containerd-{A}.scope/system.slice/slurmstepd.scope/job_5/step_0",
        Membership(WorkloadKind.SLURM, container_id=A, runtime="containerd", pod_uid=UID, job="5"),
    ),
    "no job without slurm": ("/system.slice/backup.service/job_211", unit("backup.service")),
    "unit": ("/system.slice/ollama.service", unit("ollama.service")),
    "unit of a template": (r"/system.slice/system-vllm.slice/vllm@chat.service", unit("vllm@chat.service")),
    "the deepest unit": ("/system.slice/outer.service/inner.service/worker", unit("inner.service")),
    "escaped unit": (r"/system.slice/triton\x2dserver.service", unit("triton-server.service")),
    "escaped unit of two bytes": (r"/system.slice/caf\xc3\xa9.service", unit("café.service")),
    "escapes that are no text": (r"/system.slice/caf\xff.service", unit(r"caf\xff.service")),
    "virtual machine": (
        r"/machine.slice/machine-qemu\x2d3\x2dinstance\x2d0000002a.scope/libvirt/emulator",
        unit("machine-qemu-3-instance-0000002a.scope"),
    ),
    "a unit that went away": ("/system.slice/ollama.service (deleted)", unit("ollama.service")),
    "session": ("/user.slice/user-1000.slice/session-4.scope", user(1000)),
    "unit of a user": ("/user.slice/user-1000.slice/user@1000.service/app.slice/jupyter.service", user(1000)),
    "a user plays pod": (f"{USER_UNIT}/kubepods/burstable/pod{UID}", user(1000)),
    "a user plays job": (f"{USER_UNIT}/slurmstepd.scope/job_211", user(1000)),
    "the first process": ("/init.scope", user(None)),
    "nothing": ("/", user(None)),
    "a slice": ("/system.slice", user(None)),
    "one digit too few": (f"/docker/{A[1:]}", user(None)),
    "one digit too many": (f"/docker/{A}0", user(None)),
    "capitals are no id": (f"/docker/{A.upper()}", user(None)),
}
CONTROLLERS = ("memory", "freezer", "cpu,cpuacct", "cpuset", "devices", "blkio", "pids", "name=systemd")


@pytest.mark.parametrize(("path", "expected"), PATHS.values(), ids=PATHS.keys())
def test_one_line_of_the_unified_layout(path: str, expected: Membership) -> None:
    assert membership(f"0::{path}\n") == expected


@pytest.mark.parametrize(("path", "expected"), PATHS.values(), ids=PATHS.keys())
def test_the_same_in_every_hierarchy_of_the_old_layout(path: str, expected: Membership) -> None:
    lines = [f"{number}:{name}:{path}" for number, name in enumerate(CONTROLLERS, start=1)]
    assert membership("\n".join([*lines, "0::/", ""])) == expected


@pytest.mark.parametrize("place", range(len(CONTROLLERS)))
def test_the_deepest_of_hierarchies_that_differ_counts_wherever_it_stands(place: int) -> None:
    paths = ["/"] * len(CONTROLLERS)
    paths[place] = f"/docker/{A}"
    paths[(place + 1) % len(paths)] = "/system.slice/docker.service"
    text = "\n".join(f"{n}:{name}:{paths[n]}" for n, name in enumerate(CONTROLLERS))
    assert membership(text) == container("docker")


def test_a_job_that_only_some_hierarchies_know() -> None:
    text = (
        "11:memory:/slurm/uid_1000/job_211/step_0/task_0\n"
        "4:cpu,cpuacct:/\n"
        "1:name=systemd:/system.slice/slurmd.service\n"
    )
    assert membership(text) == job("211", 1000)


def test_a_container_in_one_hierarchy_keeps_the_job_of_another() -> None:
    text = f"4:devices:/slurm/uid_1000/job_211\n1:name=systemd:/system.slice/x/y/z/docker-{A}.scope\n"
    assert membership(text) == container("docker", job="211", uid=1000)


def test_a_path_may_hold_colons() -> None:
    assert membership("0::/system.slice/odd:name.service\n") == unit("odd:name.service")


parts = st.sampled_from(
    [
        *["/", ":", "::", "0::/", "\n", " (deleted)", "\\x2d", "\\xff", ".scope", ".slice", ".service", "..", "\x00"],
        *[
            "docker-",
            "docker",
            "lxc",
            "lxc.payload.",
            "kubepods",
            "pod",
            "-pod",
            "slurm",
            "slurmstepd.scope",
            "job_1",
        ],
        *["uid_99999999999", "user-1000.slice", "user-.slice", "job_" + "9" * 30, "\u2028", "\ud800", "é", '"', A, B],
        *[UID, UID_, f"pod{UID}", f"kubepods-pod{UID_}.slice", f":crio:{A}"],
    ]
)


@given(st.one_of(st.text(), st.lists(parts, max_size=30).map("".join)))
def test_any_text_has_a_meaning(text: str) -> None:
    found = membership(text)
    assert (found.kind is WorkloadKind.SLURM) <= bool(found.job)
    assert (found.kind is WorkloadKind.CONTAINER) <= bool(found.container_id)
    assert (found.kind is WorkloadKind.POD) <= bool(found.pod_uid)
    assert (found.kind is WorkloadKind.UNIT) == bool(found.unit)


@given(st.sampled_from(sorted(PATHS)), st.lists(st.sampled_from(["/", "/init.scope", "/system.slice"]), max_size=5))
def test_lines_that_tell_nothing_change_nothing(name: str, others: list[str]) -> None:
    path, expected = PATHS[name]
    lines = [f"0::{path}", *(f"{number}:cpu:{other}" for number, other in enumerate(others, start=1))]
    assert membership("\n".join(lines)) == membership("\n".join(reversed(lines))) == expected
