"""Job counters from dropped files: real files, real processes, and whatever else may lie in a folder."""

import logging
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.agent.tokens.inputs.hosts import NOBODY_UID, PARENT, aged, child, drop, now, tokens
from wattledger.agent.tokens.inputs.processes import Processes
from wattledger.agent.tokens.inputs.settings import TextfileSettings
from wattledger.agent.tokens.inputs.textfile import TextfileInput
from wattledger.agent.tokens.inputs.textfile_page import FAMILY, parse_page
from wattledger.rules.tokens.model import Role, TokenKind, Withheld

UUIDS = {"0": "GPU-a", "1": "GPU-b", "GPU-a": "GPU-a"}


def watch(folder: Path) -> TextfileInput:
    return TextfileInput(TextfileSettings(folder), uuid_of=UUIDS.get)


def line(value: object, **labels: object) -> str:
    return FAMILY + "{" + ",".join(f'{name}="{text}"' for name, text in labels.items()) + f"}} {value}\n"


def test_a_job_on_gpus_is_a_service_and_its_counter_is_read_at_the_time_of_the_file(tmp_path: Path) -> None:
    text = '# HELP x y\nnode_other{a="b"} 3\n' + line(1000, job="pretrain", gpu="0, 1", kind="prompt", model="8b")
    path = drop(tmp_path, "pretrain.prom", text)
    aged(path, 20)
    at = now()
    (service,), (read,) = watch(tmp_path).look(at)
    assert (service.name, service.server, service.role) == ("pretrain", "textfile", Role.TRAINING)
    assert service.devices == ("GPU-a", "GPU-b")
    assert not service.pids
    assert tokens(read, TokenKind.PROMPT) == 1000
    assert read.page is not None
    assert {one.model for one in read.page.counts.values()} == {"8b"}
    assert read.at.wall_ns == path.stat().st_mtime_ns
    assert at.ns_since(read.at) == at.wall_ns - read.at.wall_ns


def test_a_counter_is_told_once_for_each_value_and_seldom_while_it_rests(tmp_path: Path) -> None:
    source = watch(tmp_path)
    drop(tmp_path, "a.prom", line(10, job="a", gpu=0))
    assert len(source.look(now())[1]) == 1
    assert source.look(now(later=5))[1] == ()
    (rest,) = source.look(now(later=250))[1]
    assert tokens(rest) == 10
    drop(tmp_path, "a.prom", line(12, job="a", gpu=0))
    (read,) = source.look(now(later=255))[1]
    assert tokens(read) == 12
    assert read.at > rest.at  # although the file is older than the look before


def test_a_job_of_a_process_has_its_descendants_and_ends_with_it(tmp_path: Path) -> None:
    source = watch(tmp_path)
    with child(PARENT) as (process, grandchild):
        drop(tmp_path, "a.prom", line(7, job="a", pid=process.pid))
        (service,), (read,) = source.look(now())
        assert service.pids == {process.pid, int(grandchild)}
        assert read.process == f"{process.pid}:{Processes().start(process.pid)}"
    assert source.look(now(later=1)) == ((), ())
    assert "is not there" in source.problems()[0].text


def test_the_files_of_the_ranks_of_a_job_count_together(tmp_path: Path) -> None:
    source = watch(tmp_path)
    with child() as (one, _), child() as (other, _):
        drop(tmp_path, "rank0.prom", line(7, job="a", pid=one.pid))
        drop(tmp_path, "rank1.prom", line(5, job="a", pid=other.pid))
        (service,), (read,) = source.look(now())
        assert service.pids == {one.pid, other.pid}
        assert tokens(read) == 12
        assert read.page is not None
        assert len(read.page.counts) == 2
    assert read.process.count(":") == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be somebody else")
def test_a_file_of_one_user_does_not_speak_for_a_process_of_another(tmp_path: Path) -> None:
    path = drop(tmp_path, "a.prom", line(7, job="a", pid=os.getpid()))
    os.chown(path, NOBODY_UID, NOBODY_UID)
    source = watch(tmp_path)
    assert source.look(now()) == ((), ())
    assert "not of the user who wrote the file" in source.problems()[0].text
    with child(uid=NOBODY_UID) as (process, _):
        os.chown(drop(tmp_path, "a.prom", line(7, job="a", pid=process.pid)), NOBODY_UID, NOBODY_UID)
        assert len(source.look(now(later=1))[1]) == 1


def test_a_stale_file_gives_no_tokens_and_no_gpus_until_it_is_renewed(tmp_path: Path) -> None:
    source = watch(tmp_path)
    drop(tmp_path, "a.prom", line(7, job="a", gpu=0))
    source.look(now())
    (service,), (read,) = source.look(now(later=301))
    assert service.problem is read.problem is Withheld.UNREACHABLE
    assert "not renewed for 300 s" in read.detail
    assert read.page is None
    assert service.devices == ()
    drop(tmp_path, "a.prom", line(7, job="a", gpu=0))
    (service,), (read,) = source.look(now(later=302 - 300))
    assert service.devices == ("GPU-a",)
    assert source.problems() == ()


def test_a_renewed_file_is_told_at_once_though_its_counter_did_not_move(tmp_path: Path) -> None:
    source = watch(tmp_path)
    path = drop(tmp_path, "a.prom", line(7, job="a", gpu=0))
    source.look(now())
    source.look(now(later=301))
    os.utime(path, ns=(now(later=302).wall_ns,) * 2)
    (read,) = source.look(now(later=303))[1]
    assert tokens(read) == 7


def test_a_file_of_yesterday_is_no_job(tmp_path: Path) -> None:
    aged(drop(tmp_path, "a.prom", line(7, job="a", gpu=0)), 90_000)
    source = watch(tmp_path)
    assert source.look(now()) == ((), ())
    assert "for a day" in source.problems()[0].text


def test_links_out_of_the_folder_pipes_and_large_files_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "drop"
    folder.mkdir()
    secret = drop(tmp_path, "secret.prom", line(7, job="secret", gpu=0))
    (folder / "absolute.prom").symlink_to(secret)
    (folder / "relative.prom").symlink_to("../secret.prom")
    drop(folder, "real", line(7, job="real", gpu=0))
    (folder / "inside.prom").symlink_to("real")
    os.mkfifo(folder / "pipe.prom")
    (folder / "folder.prom").mkdir()
    drop(folder, "large.prom", "#" * (257 << 10))
    drop(folder, "binary.prom", b"\xff\xfe\n")
    source = watch(folder)
    services, _ = source.look(now())
    assert [service.name for service in services] == ["real"]
    problems = {Path(one.place).name: one.text for one in source.problems()}
    assert "link out of the folder" in problems["absolute.prom"]
    assert "link out of the folder" in problems["relative.prom"]
    assert problems["pipe.prom"] == problems["folder.prom"] == "is no regular file"
    assert "the limit is" in problems["large.prom"]
    assert problems["binary.prom"] == "is not UTF-8"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (line(1, gpu=0), "label job"),
        (line(1, job="a"), "needs one of pid"),
        (line(1, job="a", gpu=0, pid=1), "needs one of pid"),
        (line(1, job="a", gpu=0, kind="trained"), "is none of prompt"),
        (line(1, job="a", gpu=0, rank=1), "has the label rank"),
        (line("NaN", job="a", gpu=0), "has the value nan"),
        (line(-1, job="a", gpu=0), "has the value -1"),
        (line("1e300", job="a", gpu=0), "has the value 1e+300"),
        (line("x", job="a", gpu=0), "not in the text format"),
        (line("1 1700000000000", job="a", gpu=0), "has a time stamp"),
        (line(1, job="a", pid="-3"), "is no process number"),
        (line(1, job="a", pid="x"), "is no process number"),
        (line(1, job="j" * 200, gpu=0), "200 characters"),
        (FAMILY + '{job="a\n', "not in the text format"),
        (line(2, job="good", gpu=0), "same labels as a line before"),
        (line(1, job="a", gpu=0)[:-1], "in the middle of a line"),
    ],
)
def test_a_wrong_line_is_told_with_its_place_and_costs_no_other(tmp_path: Path, wrong: str, says: str) -> None:
    path = drop(tmp_path, "a.prom", "\n" + line(1, job="good", gpu=0) + wrong)
    source = watch(tmp_path)
    services, _ = source.look(now())
    assert [service.name for service in services] == ["good"]
    (problem,) = source.problems()
    assert problem.place == f"{path}:3"
    assert says in problem.text


def test_a_gpu_that_is_not_there_and_the_same_counter_in_two_files_are_problems(tmp_path: Path) -> None:
    drop(tmp_path, "a.prom", line(1, job="a", gpu=0))
    drop(tmp_path, "b.prom", line(1, job="a", gpu=0))
    drop(tmp_path, "c.prom", line(1, job="c", gpu=7))
    source = watch(tmp_path)
    services, (read,) = source.look(now())
    assert [service.name for service in services] == ["a"]
    assert tokens(read) == 1
    assert [one.text for one in source.problems()] == [
        "job a has the same counter in another file; write each counter once",
        "this host has no GPU 7",
    ]


def test_a_problem_is_logged_once_and_once_more_when_it_is_gone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    source = watch(tmp_path / "later")
    for seconds in range(3):
        source.look(now(later=seconds))
    assert len(caplog.records) == 1
    assert "make the folder" in caplog.text
    (tmp_path / "later").mkdir()
    source.look(now(later=4))
    assert len(caplog.records) == 2
    assert "problems=none" in caplog.text


def test_jobs_are_limited(tmp_path: Path) -> None:
    drop(tmp_path, "many.prom", "".join(line(1, job=f"job{number}", gpu=0) for number in range(80)))
    source = watch(tmp_path)
    services, reads = source.look(now())
    assert len(services) == len(reads) == 64
    assert len(source.problems()) == 16


@given(st.text(max_size=300) | st.builds(lambda rest: FAMILY + rest + "\n", st.text(max_size=200)))
@settings(max_examples=300)
def test_no_text_breaks_the_parser(text: str) -> None:
    page = parse_page(text + "\n" + line(5, job="good", gpu=0))
    assert page.samples[-1].value == 5
    assert all(sample.value >= 0 for sample in page.samples)


@given(cut=st.integers(0, 80))
def test_half_a_file_never_gives_a_smaller_number(cut: int) -> None:
    whole = line(123456, job="a", gpu=0)
    assert [sample.value for sample in parse_page(whole[:cut]).samples] in ([], [123456])
