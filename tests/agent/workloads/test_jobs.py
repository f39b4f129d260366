"""Slurm jobs and owners: from groups, from step daemons, from the files of prologs, from the configuration."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.agent.e2e_daemon import poll
from tests.agent.workloads.samples import KnownPods, process, sample, uuid
from tests.agent.workloads.test_attribution import SETTINGS, Host
from wattledger.agent.workloads.pods import PodContainer
from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.usage.workload import Allocation, Holding, Workload, WorkloadKind

LABELS = ("job", "user", "account")
ENVIRONMENT = {"SLURM_JOB_ID": "211", "SLURM_JOB_USER": "mallory", "SLURM_JOB_ACCOUNT": "physics"}
STEP = "0::/system.slice/slurmstepd.scope/job_211/step_0/user/task_0\n"
CHAT = PodContainer("chat", "llm-0", "server")


def job(number: str, *names: tuple[str, str]) -> Workload:
    return Workload(WorkloadKind.SLURM, number, number, (("job", number), *names))


ALICES = job("211", ("user", "alice"), ("account", "physics"))


class SlurmHost(Host):
    """A host whose prologs write into `jobs`."""

    def __init__(self, folder: Path) -> None:
        self.pods = KnownPods()
        super().__init__(folder, self.pods)
        self.jobs = folder / "jobs"
        self.jobs.mkdir()
        self.group = folder / "cgroup/system.slice/slurmstepd.scope"
        self.settings = replace(SETTINGS, labels=LABELS, job_map_dir=self.jobs)
        self.attribution.apply(self.settings)

    def holding(self, *pids: int) -> Holding:
        """Let the time pass in which job files are read; give who has to do with the first device."""
        self.clock.advance(5)
        return self.attribution.holdings(sample(self.clock, tuple(process(pid) for pid in pids)))[uuid(0)]

    def given(self, *pids: int) -> list[Workload]:
        return [allocation.workload for allocation in self.holding(*pids).allocations]

    def held(self, *pids: int) -> list[Workload]:
        return [holder.workload for holder in self.holding(*pids).holders]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[SlurmHost]:
    found = SlurmHost(tmp_path)
    yield found
    found.attribution.close()


def test_a_job_is_known_at_once_and_named_a_moment_later(host: SlurmHost) -> None:
    host.proc.put(40, cgroup=STEP, uid=1000, environment=ENVIRONMENT)
    assert host.held(40) == [job("211", ("user", "alice"))]
    poll(lambda: host.held(40) == [ALICES], "the account")
    host.proc.end(40)
    assert host.held(40) == [ALICES]


def test_a_user_that_the_passwd_file_does_not_know_is_named_by_the_job(host: SlurmHost) -> None:
    host.proc.put(40, cgroup=STEP, uid=77777, environment=ENVIRONMENT)
    assert host.held(40) == [job("211", ("user", "uid:77777"))]
    poll(lambda: host.held(40) == [job("211", ("user", "mallory"), ("account", "physics"))], "the name")


@pytest.mark.parametrize("cgroup", ["0::/\n", "0::/system.slice/slurmd.service\n"])
def test_a_step_without_groups_is_known_by_its_daemon(host: SlurmHost, cgroup: str) -> None:
    host.proc.put(30, name=b"slurmstepd", command=b"slurmstepd: [211.batch]\0")
    host.proc.put(31, parent=30, uid=1000, name=b"sh")
    host.proc.put(40, parent=31, uid=1000, cgroup=cgroup, environment=ENVIRONMENT)
    first = host.held(40)
    assert [workload.kind for workload in first] in ([WorkloadKind.UNATTRIBUTED], [WorkloadKind.SLURM])
    poll(lambda: host.held(40) == [ALICES], "the job")


def test_who_calls_a_program_a_step_daemon_is_still_a_user(host: SlurmHost) -> None:
    host.proc.put(30, name=b"slurmstepd", uid=1000, command=b"slurmstepd: [666.batch]\0")
    host.proc.put(40, parent=30, uid=1000, environment=ENVIRONMENT)
    assert [workload.title for workload in host.held(40)] == ["alice"]


def test_parents_in_a_circle_are_no_step(host: SlurmHost) -> None:
    host.proc.put(40, parent=41, uid=1000)
    host.proc.put(41, parent=40, uid=1000)
    assert [workload.title for workload in host.held(40)] == ["alice"]


def test_a_device_is_given_to_the_job_that_its_prolog_wrote_down(host: SlurmHost) -> None:
    (host.jobs / "0").write_text("211\n")
    poll(lambda: host.given() == [job("211")], "the job")
    assert host.attribution.owner_of(uuid(0)) == "211"
    (host.jobs / "0").unlink()
    poll(lambda: host.given() == [], "its end")
    assert host.attribution.owner_of(uuid(0)) == ""


def test_an_instance_is_given_to_a_job(host: SlurmHost) -> None:
    (host.jobs / "0.3").write_text("211\n212\n")
    expected = (Allocation(job("211"), 3), Allocation(job("212"), 3))
    poll(lambda: host.holding().allocations == expected, "both jobs")


def test_a_job_is_called_the_same_whether_it_uses_its_device_or_not(host: SlurmHost) -> None:
    host.proc.put(40, cgroup=STEP, uid=1000, environment=ENVIRONMENT)
    (host.jobs / "0").write_text("211\n")
    poll(lambda: host.held(40) == host.given(40) == [ALICES], "one name for both")


def test_a_job_that_does_nothing_yet_is_named_by_what_runs_in_its_groups(host: SlurmHost) -> None:
    group = host.group / "job_211/step_batch/user/task_0"
    group.mkdir(parents=True)
    (group / "cgroup.procs").write_text("50\n")
    host.proc.put(50, uid=1000, environment=ENVIRONMENT)
    (host.jobs / "0").write_text("211\n")
    poll(lambda: host.given() == [ALICES], "its names")


def old(file: Path, now_wall_ns: int, hours: int) -> None:
    written_ns = now_wall_ns - hours * NS_PER_HOUR
    os.utime(file, ns=(written_ns, written_ns))


def test_an_entry_that_no_epilog_removed_expires_unless_the_job_lives(host: SlurmHost) -> None:
    host.clock.advance(1_000 * 3600)
    for name, number in (("0", "211"), ("1", "212"), ("2", "213"), ("3", "214")):
        (host.jobs / name).write_text(number)
        old(host.jobs / name, host.clock.wall_ns, 30 if name != "3" else 1)
    group = host.group / "job_212/step_0/user/task_0"
    group.mkdir(parents=True)
    (group / "cgroup.procs").write_text("50\n")
    host.proc.put(40, cgroup=STEP.replace("211", "213"))

    def given() -> list[str]:
        host.tick((process(40),), (), (), ())
        return [host.attribution.owner_of(uuid(index)) for index in range(4)]

    poll(lambda: given()[3] == "214", "the youngest")
    assert given() == ["", "212", "213", "214"]


def test_a_scheduler_is_believed_before_the_configuration_and_pods_before_jobs(host: SlurmHost) -> None:
    host.attribution.apply(replace(host.settings, owners=lambda identity: "bob" if identity.index == 0 else ""))
    assert [workload.key for workload in host.given()] == [(WorkloadKind.OWNER, "bob")]
    (host.jobs / "0").write_text("211\n")
    poll(lambda: host.given() == [job("211")], "the job")
    host.pods.given = {uuid(0): (CHAT,)}
    assert [workload.title for workload in host.given()] == ["chat/llm-0/server"]


def test_without_its_folder_job_files_are_a_problem_and_the_rest_goes_on(host: SlurmHost) -> None:
    host.proc.put(40, cgroup=STEP, uid=1000)
    host.jobs.rmdir()

    def problem() -> str:
        assert [workload.id for workload in host.held(40)] == ["211"]
        return host.attribution.health().slurm_problem

    poll(lambda: problem().endswith("No such file or directory"), "the problem")
    host.attribution.apply(replace(host.settings, job_map_dir=None))
    assert problem() == ""


def test_other_labels_name_jobs_anew(host: SlurmHost) -> None:
    (host.jobs / "0").write_text("211\n")
    poll(lambda: host.given() == [job("211")], "the job")
    host.attribution.apply(replace(host.settings, labels=()))
    assert host.given() == [Workload(WorkloadKind.SLURM, "211", "211")]
