"""A child process that runs the NVML source on the test double, and the parent's side of it.

A process can load only one NVML, and the double is chosen by LD_LIBRARY_PATH, so the source never runs in pytest.
Samples cross as JSON, as they cross the sampler's pipe.
"""

import json
import logging
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import msgspec

from tests.agent.sources.nvml_contract import check_sample
from tests.nvml.double import NvmlDouble
from tests.nvml.profiles import GpuSpec
from wattledger.agent.sources.base import SourceError
from wattledger.rules.instant import Instant
from wattledger.rules.quantity import Gap
from wattledger.rules.reading import Reading, Sample

DEADLINE_S = 30.0
REPOSITORY = Path(__file__).resolve().parents[3]


class SourceChild:
    """The source in a child. Its clock stands where the parent last put it, or moves by `step_ns` a look."""

    def __init__(
        self,
        double: NvmlDouble | None,
        *,
        exclude: Sequence[int | str] = (),
        sys_root: Path = Path("/nowhere"),
        proc_root: Path = Path("/proc"),
        env: Mapping[str, str] | None = None,
        python_path: Sequence[Path] = (),
        step_ns: int = 0,
    ) -> None:
        self.double = double
        options = json.dumps(
            {"exclude": list(exclude), "sys": str(sys_root), "proc": str(proc_root), "step_ns": step_ns}
        )
        paths = [*map(str, python_path), str(REPOSITORY / ".importroot"), str(REPOSITORY)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.agent.sources.nvml_child", options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=REPOSITORY,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(paths),
                **(double.env if double else {}),
                **(env or {}),
            },
        )
        self.log: list[str] = []
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()
        self._pending = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def _drain(self) -> None:
        assert self.process.stderr is not None
        self.log.extend(line.decode().rstrip() for line in self.process.stderr)

    def ask(self, command: str, **arguments: object) -> Any:
        """Send a command and give its answer; an error of the source is raised here as there."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([command, arguments]).encode() + b"\n")
        self.process.stdin.flush()
        answer = json.loads(self._line())
        if "gap" in answer:
            raise SourceError(Gap(answer["gap"]), answer["detail"], code=answer["code"])
        return answer["value"]

    def _line(self) -> bytes:
        assert self.process.stdout is not None
        deadline = time.monotonic() + DEADLINE_S
        while b"\n" not in self._pending:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            block = os.read(self.process.stdout.fileno(), 1 << 20) if ready else b""
            if not block:
                raise EOFError(f"no answer from the child: {self.log}")
            self._pending += block
        line, self._pending = self._pending.split(b"\n", 1)
        return line

    def open(self) -> Self:
        """Open the source at the double's time."""
        self.ask("open", **self._time())
        return self

    def read(self) -> Sample:
        """Read a tick at the double's time. Whatever a test asks, each sample keeps the contract."""
        sample = msgspec.convert(self.ask("read", **self._time()), type=Sample)
        check_sample(sample)
        return sample

    def tick(self, seconds: float = 1.0, *, times: int = 1) -> Sample:
        """Let time pass and read, *times* times; give the last sample."""
        assert self.double is not None
        for _ in range(times):
            self.double.advance(seconds)
            sample = self.read()
        return sample

    def close(self) -> None:
        """Close the source."""
        self.ask("close")

    def _time(self) -> dict[str, int]:
        if self.double is None:
            return {"mono_ns": 0, "wall_ns": 0}
        return {"mono_ns": self.double.now_ns, "wall_ns": self.double.wall_ns}


@dataclass(frozen=True, slots=True)
class Machine:
    """A double and the source that reads it, open."""

    double: NvmlDouble
    child: SourceChild

    def one(self) -> Reading:
        """Read a tick of a machine with one device."""
        (reading,) = self.child.read().devices
        return reading

    def tick(self, seconds: float = 1.0, *, times: int = 1) -> Reading:
        """Let time pass and give the first device's last reading."""
        return self.child.tick(seconds, times=times).devices[0]


@contextmanager
def machine(tmp_path: Path, *gpus: str | GpuSpec, **options: Any) -> Iterator[Machine]:
    """Give an open source on a double with these boards; options are those of SourceChild."""
    with NvmlDouble(tmp_path / "double", gpus or ("h100",)) as double, SourceChild(double, **options) as child:
        child.open()
        yield Machine(double, child)


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for another process or thread to get somewhere; fail after the deadline."""
    deadline = time.monotonic() + DEADLINE_S
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"not within {DEADLINE_S} s: {what}"
        pause.wait(0.005)


class _HeldClock:
    """Time as the parent told it."""

    def __init__(self, step_ns: int) -> None:
        self.at = Instant(0, 0)
        self.step_ns = step_ns

    def now(self) -> Instant:
        at = self.at
        self.at = Instant(at.mono_ns + self.step_ns, at.wall_ns + self.step_ns)
        return at

    def wait_until(self, mono_ns: int, stop: threading.Event) -> bool:
        return stop.is_set() or self.at.mono_ns >= mono_ns


def _serve(options: dict[str, Any]) -> None:
    from wattledger.agent.sources.nvml_source import NvmlSource  # noqa: PLC0415 - only the child

    clock = _HeldClock(options["step_ns"])
    source = NvmlSource(
        clock, exclude=options["exclude"], sys_root=Path(options["sys"]), proc_root=Path(options["proc"])
    )
    for line in sys.stdin:
        command, arguments = json.loads(line)
        if "mono_ns" in arguments:
            clock.at = Instant(arguments["mono_ns"], arguments["wall_ns"])
        value: Any = None
        try:
            if command == "open":
                source.open()
            elif command == "read":
                value = msgspec.to_builtins(source.read(clock.at))
            elif command == "close":
                source.close()
            elif command == "environ":
                value = os.environ.get(arguments["name"])
            elif command == "time":
                value = _time_reads(source, clock, arguments["ticks"])
            elif command == "race":
                value = _batches_in_threads(source, **arguments)
            elif command == "fork":
                value = _read_after_fork(source, clock)
        except SourceError as failed:
            answer: dict[str, Any] = {"gap": failed.gap, "detail": failed.detail, "code": failed.code}
        else:
            answer = {"value": value}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _time_reads(source: Any, clock: _HeldClock, ticks: int) -> list[float]:
    """Give the CPU seconds of each of *ticks* ticks, one second apart on the clock."""
    spent = []
    for _ in range(ticks):
        clock.at = Instant(clock.at.mono_ns + 10**9, clock.at.wall_ns + 10**9)
        before = time.thread_time()
        source.read(clock.at)
        spent.append(time.thread_time() - before)
    return spent


def _batches_in_threads(source: Any, threads: int, times: int) -> int:
    """Read batches of the first device in several threads at once; give how many succeeded."""
    from wattledger.agent.sources.nvml_fields import FieldArray  # noqa: PLC0415 - only the child

    handle = source._nvml.handle_by_index(0)
    codes: list[int] = []

    def work() -> None:
        array = FieldArray(source._nvml, handle, [(191, 0), (186, 0)])
        codes.extend(array.ask() for _ in range(times))

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return codes.count(0)


def _read_after_fork(source: Any, clock: _HeldClock) -> str:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            source.read(clock.at)
            text = "read"
        except SourceError as refused:
            text = refused.detail
        os.write(writer, text.encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(pid, 0)
    with os.fdopen(reader, "rb") as pipe:
        return pipe.read().decode()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(message)s")
    _serve(json.loads(sys.argv[1]))
