"""The examples of docs/training.md run as they stand, against the endpoint and the other inputs."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.agent.tokens.inputs.hosts import child, now, tokens
from tests.agent.tokens.inputs.pushing import endpoint
from wattledger.agent.tokens.inputs.pattern import compile_log_pattern
from wattledger.agent.tokens.inputs.textfile_page import parse_page

DOCUMENT = Path(__file__).parents[4] / "docs" / "training.md"
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
PROGRAMS = {code.split("\n")[0].removeprefix("# "): code for kind, code in BLOCKS if kind == "python"}
STUB = """
class TrainerCallback:
    def on_train_begin(self, args, state, control, **kwargs): ...
    def on_log(self, args, state, control, **kwargs): ...
"""
# What the Trainer does with a callback; the state counts the tokens of all ranks.
TRAINER = """
import sys, types
from wattledger_callback import WattledgerCallback
for _ in range(2):
    callback = WattledgerCallback("finetune")
    state = types.SimpleNamespace(num_input_tokens_seen=0)
    callback.on_train_begin(None, state, None, model=None)
    for state.num_input_tokens_seen in (4096, 8192):
        callback.on_log(None, state, None, logs={})
    print("done", flush=True)
    sys.stdin.readline()
"""
LOOP = """
import sys
class Batch:
    def numel(self): return 1000
def train_step(batch): return 0.0
batches, world_size = [Batch()] * 15, 16
exec(open("train.py").read())
print("done", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Lay the programs of the page out as files; the socket is another than a real host's."""
    for name, code in PROGRAMS.items():
        (tmp_path / name).write_text(code.replace("/run/wattledger/push.sock", str(tmp_path / "push.sock")))
    (tmp_path / "transformers.py").write_text(STUB)
    monkeypatch.chdir(tmp_path)
    for name in ("LOCAL_RANK", "LOCAL_WORLD_SIZE", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_the_page_has_the_programs() -> None:
    assert set(PROGRAMS) == {"wattledger_push.py", "train.py", "wattledger_callback.py"}
    for name in ("train.py", "wattledger_callback.py"):
        lines = [line for line in PROGRAMS[name].split("\n") if line and not line.startswith(("#", "from", "import"))]
        assert len(lines) <= 10


def test_the_loop_of_pytorch_counts_and_each_rank_belongs_to_the_job(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "8")
    monkeypatch.setenv("WORLD_SIZE", "16")
    with endpoint(project) as source, child(LOOP) as (first, _):
        monkeypatch.setenv("LOCAL_RANK", "5")
        with child(LOOP) as (other, _):
            (service,), (read,) = source.look(now())
            assert service.name == "pretrain"
            assert service.pids == {first.pid, other.pid}
            assert tokens(read) == 15 * 1000 * 16 // 2  # of two hosts this one has half of the ranks


def test_the_callback_of_the_trainer_counts_and_may_be_used_twice(project: Path) -> None:
    with endpoint(project) as source, child(TRAINER) as (process, _):
        (service,), (read,) = source.look(now())
        assert (service.name, service.pids, tokens(read)) == ("finetune", frozenset({process.pid}), 8192.0)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "done\n"
        (again,) = source.look(now(later=1))[1]
        assert tokens(again) == 8192
        assert again.process != read.process


def test_training_goes_on_where_nobody_listens(project: Path) -> None:
    with child(LOOP) as (process, line):
        assert line == "done"
        assert process.poll() is None


def test_the_line_for_the_shell_pushes(project: Path) -> None:
    command = re.search(r"`(curl .*?)`", DOCUMENT.read_text(), re.DOTALL)
    assert command is not None
    line = command[1].replace("/run/wattledger", str(project)).replace("\n", " ")
    with endpoint(project) as source:
        done = subprocess.run(
            ["bash", "-c", f"{line} && read"], input="", capture_output=True, text=True, check=False
        )
        assert '"tokens_total": 5' in done.stdout
        assert source.look(now()) == ((), ())


def test_the_textfile_and_the_pattern_are_understood() -> None:
    (example,) = [code for kind, code in BLOCKS if kind == "text" and "wattledger_job" in code]
    page = parse_page(example)
    assert [(sample.job, sample.pids, sample.gpus) for sample in page.samples] == [
        ("pretrain", (4711,), ()),
        ("embed", (), ("2", "3")),
    ]
    assert not page.problems
    pattern = re.search(r"pattern: '(.*?)'", DOCUMENT.read_text())
    assert pattern is not None
    assert compile_log_pattern(pattern[1])[1] == "samples"
