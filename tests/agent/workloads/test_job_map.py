"""The folder in which prologs write down which GPUs jobs were given."""

import logging
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.agent.e2e_daemon import poll
from tests.agent.fake_clock import FakeClock
from wattledger.agent.workloads.job_map import EXPIRY_NS, JobCgroups, JobMapWatch, MappedJob, read_job_map
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND, Instant


def nobody(_: str) -> int | None:
    return None


def jobs(folder: Path) -> list[tuple[int, int | None, str]]:
    found = read_job_map(folder, process_of=nobody)
    return [(mapped.gpu, mapped.gpu_instance, mapped.job) for mapped in found.jobs]


def test_each_file_names_a_gpu_or_an_instance_and_each_line_a_job(tmp_path: Path) -> None:
    (tmp_path / "0").write_text("211\n")
    (tmp_path / "1.3").write_text("212")
    (tmp_path / "10").write_text(" 213 \n\n214\r\n213\n")
    (tmp_path / "2").write_text("\n")
    assert jobs(tmp_path) == [(0, None, "211"), (1, 3, "212"), (10, None, "213"), (10, None, "214")]


@pytest.mark.parametrize("name", ["0.tmp", ".0.swp", "gpu0", "-1", "1.", ".1", "1.2.3", "٣", "0x1", "1234567"])
def test_files_of_other_names_are_none_of_ours(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("211\n")
    assert jobs(tmp_path) == []


def test_what_is_no_file_is_passed_by(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "0")
    (tmp_path / "1").mkdir()
    (tmp_path / "2").symlink_to(tmp_path / "nowhere")
    (tmp_path / "3").write_text("211\n")
    assert jobs(tmp_path) == [(3, None, "211")]


def test_a_file_that_cannot_be_read_is_told_of_and_costs_no_other(tmp_path: Path) -> None:
    (tmp_path / "0").symlink_to("0")
    (tmp_path / "1").write_text("211\n")
    found = read_job_map(tmp_path, process_of=nobody)
    assert [mapped.job for mapped in found.jobs] == ["211"]
    assert found.problem.startswith(f"{tmp_path}/0: ")


def test_a_job_id_may_be_anything_and_no_longer_than_needed(tmp_path: Path) -> None:
    (tmp_path / "0").write_bytes(b'"}\xff\n' + b"9" * 9999)
    assert jobs(tmp_path) == [(0, None, '"}\\xff'), (0, None, "9" * 64)]


def test_without_the_folder_there_is_a_problem_and_no_job(tmp_path: Path) -> None:
    assert read_job_map(tmp_path / "gone", process_of=nobody).problem == f"{tmp_path}/gone: No such file or directory"


def test_the_folder_is_read_again_and_its_state_is_said_when_it_changes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock, folder = FakeClock(), tmp_path / "jobs"
    watch = JobMapWatch(folder, process_of=nobody)

    def current() -> str:
        clock.advance(5)
        found = watch.current(clock.now())
        return found.problem or ",".join(mapped.job for mapped in found.jobs)

    with caplog.at_level(logging.INFO, logger="wattledger"):
        poll(lambda: current().endswith("No such file or directory"), "the problem")
        current()
        folder.mkdir()
        (folder / "0").write_text("211\n")
        poll(lambda: current() == "211", "the job")
        (folder / "0").unlink()
        poll(lambda: not current(), "its end")
    watch.close()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


HOUR = NS_PER_HOUR


@pytest.mark.parametrize(
    ("age_ns", "up_ns", "over"),
    [
        (HOUR, 100 * HOUR, False),
        (EXPIRY_NS, 100 * HOUR, False),
        (EXPIRY_NS + 1, 100 * HOUR, True),
        (2 * HOUR, HOUR, True),
        (HOUR + 30 * NS_PER_SECOND, HOUR, False),
        (-HOUR, HOUR, False),
    ],
)
def test_an_entry_is_too_old_after_a_day_or_a_reboot(age_ns: int, up_ns: int, over: bool) -> None:
    now = Instant(mono_ns=up_ns, wall_ns=10_000 * HOUR)
    assert MappedJob(0, None, "211", now.wall_ns - age_ns).over(now) is over


def group(folder: Path, *pids: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in pids))


def test_a_job_of_the_unified_layout_has_a_process_of_its_user(tmp_path: Path) -> None:
    scope = tmp_path / "system.slice/slurmstepd.scope"
    group(scope / "job_211/step_extern/slurm", 900)
    group(scope / "job_211/step_extern/user/task_special", 901)
    group(scope / "job_211/step_batch/slurm", 902)
    group(scope / "job_211/step_batch/user/task_0", 903, 904)
    group(scope / "job_212/step_batch/slurm", 905)
    group(tmp_path / "system.slice/n1_slurmstepd.scope/job_213/step_0/user/task_0", 906)
    group(scope / "job_214/step_batch/user/task_0")
    found = {job: JobCgroups(tmp_path).process_of(job) for job in ("211", "212", "213", "214", "21", "*", "../x")}
    assert found == {"211": 903, "212": 905, "213": 906, "214": None, "21": None, "*": None, "../x": None}


def test_a_job_of_the_old_layout(tmp_path: Path) -> None:
    group(tmp_path / "freezer/slurm/uid_1000/job_211/step_batch", 900)
    group(tmp_path / "memory/slurm/uid_1000/job_211/step_batch/task_0", 901)
    group(tmp_path / "memory/slurm_node7/uid_1000/job_212/step_0/task_0", 902)
    cgroups = JobCgroups(tmp_path)
    assert [cgroups.process_of(job) for job in ("211", "212", "213")] == [901, 902, None]


@given(name=st.text(st.sampled_from("0123456789.٣x"), min_size=1, max_size=8), text=st.binary(max_size=200))
def test_any_file_is_read(tmp_path_factory: pytest.TempPathFactory, name: str, text: bytes) -> None:
    folder = tmp_path_factory.mktemp("jobs")
    if name.strip("."):
        (folder / name).write_bytes(text)
    found = read_job_map(folder, process_of=nobody)
    assert not found.problem
    assert all(mapped.job and len(mapped.job) <= 64 for mapped in found.jobs)
