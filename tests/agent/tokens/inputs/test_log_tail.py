"""Counters from logs that are written, rotated, truncated and full of other things."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.agent.tokens.inputs.hosts import PARENT, aged, child, now, tokens
from wattledger.agent.tokens.inputs.log_tail import LogInput
from wattledger.agent.tokens.inputs.pattern import LINE_CHARACTERS, PatternError, compile_log_pattern
from wattledger.agent.tokens.inputs.settings import LogSettings
from wattledger.rules.tokens.model import Withheld

MEGATRON = r"consumed samples:\s+(?P<samples>[0-9]+)"
LINE = (
    " iteration {0:8d}/  500000 | consumed samples: {1:12d} | elapsed time per iteration (ms): 4521.3 | loss: 2.1\n"
)


def follow(path: Path, pattern: str = r"tokens=(?P<tokens>[0-9.,e+]+)", **more: object) -> LogInput:
    return LogInput(
        LogSettings("pretrain", path, pattern, gpus=("0",), **more),  # type: ignore[arg-type]
        uuid_of={"0": "GPU-a"}.get,
    )


def append(path: Path, text: str | bytes) -> None:
    with path.open("ab") as file:
        file.write(text.encode() if isinstance(text, str) else text)


def seen(source: LogInput, *, later: float = 0) -> list[float]:
    return [tokens(read) for read in source.look(now(later=later))[1]]


def test_consumed_samples_are_multiplied_and_read_when_the_log_was_written(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    append(path, LINE.format(1, 256))
    source = follow(path, MEGATRON, tokens_per_sample=4096)
    (service,), (base,) = source.look(now())
    assert (service.name, service.server, service.devices) == ("pretrain", "log", ("GPU-a",))
    assert service.problem is None
    assert tokens(base) == 256 * 4096
    assert base.at.wall_ns == path.stat().st_mtime_ns
    append(path, LINE.format(2, 512) + "saving checkpoint\n" + LINE.format(3, 768) + " iteration")
    (read,) = source.look(now(later=0.1))[1]
    assert tokens(read) == 768 * 4096
    assert read.process == ""  # nothing tells whose counter it is but its value
    assert seen(source, later=0.2) == []
    source.close()


def test_a_line_counts_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    source = follow(path)
    append(path, "tokens=12")
    assert seen(source) == []
    append(path, "34")
    assert seen(source, later=1) == []
    append(path, "\n")
    assert seen(source, later=2) == [1234]
    append(path, "tokens=2000 |###   |\rtokens=2001 |####  |\r")
    assert seen(source, later=3) == [2001]
    source.close()


def test_a_log_that_is_rotated_away_is_read_to_its_end_and_the_next_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    append(path, "tokens=1\n")
    source = follow(path)
    assert seen(source) == [1]
    append(path, "tokens=2\n")
    path.rename(tmp_path / "train.log.1")
    assert seen(source, later=1) == [2]  # the new one is not there yet
    append(tmp_path / "train.log.1", "tokens=3\n")
    append(path, "x\n" * 100_000 + "no news\n")
    assert seen(source, later=2) == [3]
    append(path, "tokens=4\n")
    assert seen(source, later=3) == [4]
    source.close()


def test_a_log_that_is_truncated_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    append(path, "tokens=1\n" * 50)
    source = follow(path)
    assert seen(source) == [1]
    os.truncate(path, 0)
    append(path, "tokens=5\n")
    assert seen(source, later=1) == [5]
    source.close()


def test_only_the_end_of_an_old_log_and_of_a_flood_is_read(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    append(path, "tokens=1\n" + "." * 99 + "\n")
    append(path, b"noise of many lines\n" * 10_000)
    source = follow(path)
    assert seen(source) == []
    append(path, "tokens=2\n" + "noise\n" * 1_000_000 + "tokens=3\n")
    assert seen(source, later=1) == [3]
    append(path, b"x" * 3_000_000 + b"tokens=9\nlate tokens=4\n")
    assert seen(source, later=2) == [4]
    source.close()


def test_a_log_that_is_missing_or_silent_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    source = follow(path)
    (service,), (read,) = source.look(now())
    assert service.problem is read.problem is Withheld.UNREACHABLE
    assert "No such file" in service.detail
    append(path, "tokens=1\n")
    assert seen(source, later=1) == [1]
    aged(path, 3600)
    (service,), (read,) = source.look(now(later=2))
    assert service.devices == ("GPU-a",)
    assert read.page is None
    assert "was not written for 1800 s" in source.problems()[0].text
    os.utime(path)
    assert seen(source, later=3) == [1]
    path.unlink()
    os.mkfifo(path)
    assert source.look(now(later=4))[1][0].detail.endswith("is no regular file")
    source.close()


def test_the_process_of_a_pid_file_gives_devices_and_identity(tmp_path: Path) -> None:
    path, pid_file = tmp_path / "train.log", tmp_path / "train.pid"
    append(path, "tokens=1\n")
    source = LogInput(LogSettings("a", path, "tokens=(?P<tokens>[0-9]+)", pid_file=pid_file))
    (service,), (read,) = source.look(now())
    assert "names no process that lives" in service.detail
    assert service.problem is None
    with child(PARENT) as (process, grandchild):
        pid_file.write_text(f"{process.pid}\n")
        append(path, "tokens=2\n")
        (service,), (read,) = source.look(now(later=10))
        assert service.pids == {process.pid, int(grandchild)}
        assert read.process.startswith(f"{process.pid}:")
    source.close()


@pytest.mark.parametrize(
    ("text", "value"),
    [("1,234,567", 1234567), ("1.5e6", 1_500_000), ("2e3", 2000), ("7.0", 7), ("9" * 30, None), ("1e99", None)],
)
def test_numbers_are_read_as_people_write_them(tmp_path: Path, text: str, value: int | None) -> None:
    path = tmp_path / "train.log"
    append(path, f"tokens={text}\n")
    source = follow(path)
    assert seen(source) == ([] if value is None else [value])
    assert ("no count" in "".join(one.text for one in source.problems())) is (value is None)
    source.close()


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?P<tokens>(?:[0-9]+)+)x",
        r"(a+)+(?P<tokens>b)",
        r"(a|aa)*(?P<tokens>b)",
        r"((a?b){2}c?){5}(?P<tokens>b)",
        r".*.*(?P<tokens>[0-9]+)",
        r"(a{0,500}){0,500}(?P<tokens>b)",
        r"a{0,500}a{0,500}a{0,500}(?P<tokens>b)",
        r"(a|b|c|d)(a|b|c|d)[)]{3,}.*.+(?P<tokens>b)",
    ],
)
def test_a_pattern_that_may_take_long_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError, match=r"may take long|repeats a group"):
        compile_log_pattern(pattern)


@pytest.mark.parametrize("pattern", [r"tokens=(\d+)", r"(?P<tokens>\d+) (?P<samples>\d+)", r"(?P<tokens>", r"(?=x)"])
def test_a_pattern_that_says_nothing_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError, match=r"needs one group|is not usable"):
        compile_log_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        MEGATRON,
        r"(?i)consumed tokens[:=]\s*(?P<tokens>[0-9]+)",
        r"'num_input_tokens_seen': (?P<tokens>\d+(?:\.\d{1,3})?)",
        r"(?P<tokens>[0-9]{1,3}(?:,[0-9]{3})*) tokens",
        r"[]x(+*|]{2}\(+(?P<tokens>\d+)",
        r"\Q(a+)+*\E(?P<tokens>\d+)",
    ],
)
def test_patterns_of_real_logs_are_taken(pattern: str) -> None:
    assert compile_log_pattern(pattern)[1] in ("tokens", "samples")


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (r"a.*a.*(?P<tokens>b)", "a" * LINE_CHARACTERS),
        (r"a?a+a+(?P<tokens>b)", "a" * LINE_CHARACTERS),
        (r"a{0,500}a{0,500}(?P<tokens>b)", "a" * LINE_CHARACTERS),
    ],
)
def test_the_worst_line_for_a_pattern_that_is_taken_ends_soon(tmp_path: Path, pattern: str, line: str) -> None:
    path = tmp_path / "train.log"
    append(path, f"{line}\n" * 100)
    spent = [0]

    def thread_ns() -> int:
        spent[0] += 100_000_000
        return spent[0]

    source = LogInput(LogSettings("a", path, pattern, gpus=("0",)), uuid_of={"0": "GPU-a"}.get, thread_ns=thread_ns)
    source.look(now())
    assert "took too long" in source.problems()[0].text
    assert spent[0] == 400_000_000  # of a hundred lines three were tried
    source.close()


@given(
    parts=st.lists(st.binary(max_size=200) | st.integers(0, 10**9), max_size=20),
    looks=st.sets(st.integers(0, 20)),
)
@settings(max_examples=100)
def test_whatever_is_in_a_log_the_last_whole_match_is_told(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes | int], looks: set[int]
) -> None:
    path = tmp_path_factory.mktemp("log") / "train.log"
    path.touch()
    source = follow(path, r"^\s*TOKENS=(?P<tokens>[0-9]+)$")
    told: list[float] = []
    for number, part in enumerate(parts):
        append(path, part if isinstance(part, bytes) else f"\nTOKENS={part}\n")
        if number in looks:
            told += seen(source, later=number)
    told += seen(source, later=30)
    numbers = [part for part in parts if isinstance(part, int)]
    assert told[-1:] == numbers[-1:]
    source.close()
