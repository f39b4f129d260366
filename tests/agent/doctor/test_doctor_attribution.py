"""What the doctor says of the ways from a process to its owner: /proc, sockets, Kubernetes, Slurm."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.doctor.hosts import NO_NVML, Diagnosis, diagnose, environment, server, write
from wattledger.agent.doctor import Roots
from wattledger.agent.doctor.attribution import check_kubelet, check_slurm
from wattledger.agent.doctor.report import NvmlReport
from wattledger.agent.doctor.surroundings import Surroundings, has_module, is_there

NOBODY = 65534
SYS_PTRACE, READ_SEARCH, OVERRIDE = 1 << 19, 1 << 2, 1 << 1


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    return server(tmp_path / "host")


def status(roots: Roots, *, rights: int, groups: str = "0", numbers: str = "812") -> None:
    """Write what the kernel says of the doctor's own process."""
    lines = f"NSpid:\t{numbers}\nGid:\t1000\t1000\t1000\t1000\nGroups:\t{groups}\nCapEff:\t{rights:016x}\n"
    write(roots.proc / "self/status", lines)


def seen_by(roots: Roots, tmp_path: Path, configuration: str = "", **options: object) -> Diagnosis:
    if configuration:
        write(roots.etc / "wattledger/wattledger.yaml", configuration)
    return diagnose(roots, environment(tmp_path, NO_NVML), **options)


def test_a_container_without_the_hosts_process_ids_is_limited_and_told_the_cure(roots: Roots, tmp_path: Path) -> None:
    (roots.proc / "self/ns/pid").unlink()
    (roots.proc / "self/ns/pid").symlink_to("pid:[4026532841]")
    found = seen_by(roots, tmp_path).of("process ids")
    assert found["status"] == "limited"
    assert "hostPID: true" in found["cure"]


@pytest.mark.parametrize(
    ("numbers", "first", "expected", "words"),
    [
        ("812 7", "systemd", "limited", "of a container"),
        ("812", "systemd", "present", "its first process (systemd)"),
        ("812", "init", "present", "its first process (init)"),
        ("812", "vllm", "limited", "cannot be read"),
        ("", "", "limited", "cannot be read"),
    ],
)
def test_where_the_namespace_is_not_told_numbers_and_the_first_process_are_asked(
    roots: Roots, tmp_path: Path, *, numbers: str, first: str, expected: str, words: str
) -> None:
    (roots.proc / "self/ns/pid").unlink()
    status(roots, rights=SYS_PTRACE, numbers=numbers)
    write(roots.proc / "1/comm", f"{first}\n")
    found = seen_by(roots, tmp_path).of("process ids")
    assert found["status"] == expected
    assert words in found["why"]


@pytest.mark.parametrize(
    ("option", "rights", "groups", "expected"),
    [
        ("hidepid=off", 0, "", "present"),
        ("hidepid=2", 0, "", "limited"),
        ("hidepid=noaccess", READ_SEARCH, "", "limited"),
        ("hidepid=invisible", SYS_PTRACE, "", "present"),
        ("hidepid=invisible,gid=44", 0, "44", "present"),
        ("gid=1000,hidepid=invisible", 0, "", "present"),  # the group that the process runs as
        ("hidepid=invisible,gid=44", 0, "440", "limited"),
        ("hidepid=1", 0, "0 44", "present"),  # without gid= it is that of root
        ("hidepid=ptraceable,gid=44", 0, "44", "limited"),
        ("hidepid=4", SYS_PTRACE, "", "present"),
    ],
)
def test_a_proc_that_hides_processes_is_told_to_whom_it_hides_them(
    roots: Roots, tmp_path: Path, *, option: str, rights: int, groups: str, expected: str
) -> None:
    write(roots.proc / "mounts", f"proc /proc proc rw 0 0\nproc /proc proc rw,{option} 0 0\nx /sys sysfs rw 0 0\n")
    status(roots, rights=rights, groups=groups)
    found = seen_by(roots, tmp_path).of("processes of others")
    assert found["status"] == expected
    if expected == "limited":
        assert option.partition("hidepid=")[2].partition(",")[0] in found["why"]
        assert "CAP_SYS_PTRACE" in found["cure"]


def test_processes_that_cannot_be_seen_are_limited_whatever_the_mount_says(roots: Roots, tmp_path: Path) -> None:
    first = roots.proc / "1/stat"
    closed = seen_by(roots, tmp_path, access=lambda path, mode: path != first and os.access(path, mode))
    assert closed.status("processes of others") == "limited"
    for file in (first, roots.proc / "1/comm"):
        file.unlink()
    first.parent.rmdir()
    assert "hidepid" in seen_by(roots, tmp_path).of("processes of others")["why"]


@pytest.mark.parametrize(
    ("rights", "lacking"),
    [
        (0, "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH"),
        (SYS_PTRACE, "CAP_DAC_READ_SEARCH"),
        (READ_SEARCH, "CAP_SYS_PTRACE"),
        (SYS_PTRACE | READ_SEARCH, ""),
        (SYS_PTRACE | OVERRIDE, ""),
    ],
)
def test_both_rights_are_needed_to_see_where_others_listen(
    roots: Roots, tmp_path: Path, rights: int, lacking: str
) -> None:
    status(roots, rights=rights)
    found = seen_by(roots, tmp_path).of("sockets of others")
    assert found["status"] == ("limited" if lacking else "present")
    if lacking:
        assert found["why"].startswith(f"without {lacking}: ")
        assert "AmbientCapabilities=CAP_SYS_PTRACE CAP_DAC_READ_SEARCH" in found["cure"]


def test_rights_inside_a_user_namespace_do_not_count_for_the_host(roots: Roots, tmp_path: Path) -> None:
    write(roots.proc / "self/uid_map", "         0       1000          1\n")
    found = seen_by(roots, tmp_path).of("sockets of others")
    assert found["status"] == "limited"
    assert "user namespace" in found["why"]


def test_sockets_need_no_rights_where_nobody_looks_for_servers(roots: Roots, tmp_path: Path) -> None:
    status(roots, rights=0)
    found = seen_by(roots, tmp_path, "services: {discovery: false}\n").of("sockets of others")
    assert (found["status"], found["why"]) == ("present", "not looked at: services.discovery is off")


def test_cgroups_of_the_first_version_are_told(roots: Roots, tmp_path: Path) -> None:
    (roots.sys / "fs/cgroup/cgroup.controllers").unlink()
    (roots.sys / "fs/cgroup/memory").mkdir()
    assert seen_by(roots, tmp_path).of("cgroups")["why"] == "version 1"


def kubelet_of(roots: Roots) -> Path:
    return roots.var / "lib/kubelet/pod-resources/kubelet.sock"


def test_a_socket_that_refuses_this_user_is_limited(roots: Roots, tmp_path: Path) -> None:
    node = kubelet_of(roots)
    seen = seen_by(roots, tmp_path, access=lambda path, mode: path != node and os.access(path, mode))
    assert "refuses this user" in seen.of("Kubernetes")["why"]
    assert seen.of("Kubernetes")["cure"] == "run as root"


def test_a_kubelet_whose_socket_is_away_is_told_apart_from_one_that_never_had_its_folder(
    roots: Roots, tmp_path: Path
) -> None:
    node = kubelet_of(roots)
    node.unlink()
    seen = seen_by(roots, tmp_path)
    assert "no socket in" in seen.of("Kubernetes")["why"]
    assert "mount the folder" in seen.of("Kubernetes")["cure"]
    assert [one for one in seen.findings if one["capability"] == "Kubernetes client"]
    node.parent.rmdir()
    without = seen_by(roots, tmp_path)
    assert f"mount {node.parent} read-only" in without.of("Kubernetes")["cure"]
    assert not [one for one in without.findings if one["capability"] == "Kubernetes client"]


@pytest.mark.parametrize("installed", [True, False])
def test_the_package_that_asks_the_kubelet_is_looked_for_where_there_is_one(
    roots: Roots, tmp_path: Path, *, installed: bool
) -> None:
    found = seen_by(roots, tmp_path, has_module=lambda name: installed and name == "grpc").of("Kubernetes client")
    assert found["status"] == ("present" if installed else "missing")
    assert found["cure"] == ("" if installed else "pip install 'wattledger[kubernetes]'")


def test_a_module_is_looked_for_and_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "grpc_of_this_test.py", "raise AssertionError('loaded')\n")
    assert not has_module("grpc_of_this_test")
    monkeypatch.syspath_prepend(tmp_path)
    assert has_module("grpc_of_this_test")


def test_kubernetes_that_is_switched_off_is_not_looked_for_and_one_that_is_wanted_is_missed(
    roots: Roots, tmp_path: Path
) -> None:
    off = seen_by(roots, tmp_path, "workloads: {kubernetes: 'off'}\n")
    assert "workloads.kubernetes is off" in off.of("Kubernetes")["why"]
    assert not [one for one in off.findings if one["capability"] == "Kubernetes client"]
    node = kubelet_of(roots)
    node.unlink()
    node.parent.rmdir()
    node.parent.parent.rmdir()
    wanted = seen_by(roots, tmp_path, "workloads: {kubernetes: 'on'}\n").of("Kubernetes")
    assert wanted["status"] == "missing"
    assert f"mount {node.parent}" in wanted["cure"]


@contextlib.contextmanager
def without_rights() -> Iterator[None]:
    """Go on as a user who may enter no closed folder; only root must become another one for that."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_folders_that_may_not_be_entered_are_told_and_stop_nothing() -> None:
    with tempfile.TemporaryDirectory(prefix="wattledger-doctor-") as name:
        Path(name).chmod(0o755)  # those of pytest are their owner's alone
        roots = server(Path(name))
        jobs = Path(name, "jobs/map")
        jobs.mkdir(parents=True)
        at = Surroundings(roots, {}, None, "", 0, NvmlReport())
        closed = (roots.var / "lib/kubelet", roots.etc / "slurm", jobs.parent)
        for folder in closed:
            folder.chmod(0)
        try:
            with without_rights():
                kubernetes, *more = check_kubelet(at)
                slurm = list(check_slurm(at))
                assert is_there(jobs) is None
        finally:
            for folder in closed:
                folder.chmod(0o755)
        assert (kubernetes.status, more) == ("limited", [])
        assert "refuses this user" in kubernetes.why
        assert slurm[0].status == "missing"


def test_a_daemon_that_runs_is_a_sign_of_slurm_too(roots: Roots, tmp_path: Path) -> None:
    (roots.etc / "slurm/slurm.conf").unlink()
    none = seen_by(roots, tmp_path)
    assert none.status("Slurm") == "missing"
    assert not [one for one in none.findings if one["capability"] == "Slurm job files"]
    write(roots.proc / "4711/comm", "slurmd\n")
    assert seen_by(roots, tmp_path).of("Slurm")["why"] == "slurmd runs"


def test_a_slurm_host_without_job_files_is_told_what_they_are_for(roots: Roots, tmp_path: Path) -> None:
    found = seen_by(roots, tmp_path).of("Slurm job files")
    assert found["status"] == "missing"
    assert "workloads.slurm.job_map_dir" in found["why"]
    assert "prolog" in found["cure"]


def test_the_folder_of_job_files_must_be_there_a_folder_and_readable(roots: Roots, tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    configuration = f"workloads: {{slurm: {{job_map_dir: {folder}}}}}\n"
    assert "is not there" in seen_by(roots, tmp_path, configuration).of("Slurm job files")["why"]
    write(folder)
    assert "is no folder" in seen_by(roots, tmp_path).of("Slurm job files")["why"]
    folder.unlink()
    folder.mkdir()
    found = seen_by(roots, tmp_path).of("Slurm job files")
    assert (found["status"], found["why"]) == ("present", str(folder))
    closed = seen_by(roots, tmp_path, access=lambda path, mode: path != folder and os.access(path, mode))
    assert closed.status("Slurm job files") == "limited"
