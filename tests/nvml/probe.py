"""A child process that loads the real pynvml and does what it is told in JSON lines, for tests of NVML behaviour.

The parent never loads NVML: a process can load only one library of that name.
"""

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

DEADLINE_S = 20.0


class ProbeError(Exception):
    """An NVML call failed in the child: its return code, or the name of another exception."""

    def __init__(self, code: int | None, name: str) -> None:
        super().__init__(f"{name} ({code})")
        self.code = code
        self.name = name


@dataclass(frozen=True, slots=True)
class Remote:
    """An object (a handle, a sample, an event set) that stays in the child."""

    number: int


class Probe:
    """The parent's side. A context manager; the child is killed on the way out."""

    def __init__(self, env: Mapping[str, str], *, init: bool = True) -> None:
        command = [sys.executable, "-P", os.path.abspath(__file__)]  # noqa: PTH100 - this file runs alone too
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **env}
        )
        self._pending = b""
        if init:
            self.call("nvmlInit")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def kill(self) -> None:
        """End the child whatever it does. One in uninterruptible sleep is left to its waker."""
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return

    def send(self, name: str, *args: Any) -> None:
        """Begin a call; its answer comes with receive()."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([name, *args], default=_encode).encode() + b"\n")
        self.process.stdin.flush()

    def receive(self, timeout_s: float = DEADLINE_S) -> Any:
        """Give the answer of the oldest call; raises ProbeError, TimeoutError, or EOFError when the child died."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self._pending:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError(f"no answer within {timeout_s} s")
            block = os.read(self.process.stdout.fileno(), 1 << 16)
            if not block:
                raise EOFError(f"the child ended: {self.process.wait()}")
            self._pending += block
        line, self._pending = self._pending.split(b"\n", 1)
        answer = json.loads(line)
        if "error" in answer:
            raise ProbeError(answer["code"], answer["error"])
        return _decode(answer["value"])

    def call(self, name: str, *args: Any) -> Any:
        """Call a pynvml function (or an extra of this file) in the child."""
        self.send(name, *args)
        return self.receive()

    def handle(self, index: int = 0) -> Remote:
        """Open a board by NVML index."""
        remote: Remote = self.call("nvmlDeviceGetHandleByIndex", index)
        return remote

    def code(self, name: str, *args: Any) -> int:
        """Give the return code of a call: 0, or the code it failed with."""
        try:
            self.call(name, *args)
        except ProbeError as error:
            return -1 if error.code is None else error.code
        return 0

    def fields(self, handle: Remote, ids: Sequence[int | tuple[int, int]]) -> list[int | float | None]:
        """Read fields; None where one failed."""
        rows = self.call("nvmlDeviceGetFieldValues", handle, ids)
        return [row["value"] if row["nvmlReturn"] == 0 else None for row in rows]

    def field_codes(self, handle: Remote, ids: Sequence[int | tuple[int, int]]) -> list[int]:
        """Read fields; the return code of each."""
        return [row["nvmlReturn"] for row in self.call("nvmlDeviceGetFieldValues", handle, ids)]


def _encode(value: Any) -> Any:
    if isinstance(value, Remote):
        return {"remote": value.number}
    raise TypeError(f"{value!r} does not go through JSON")


def _decode(value: Any) -> Any:
    if isinstance(value, dict):
        return Remote(value["remote"]) if "remote" in value else {k: _decode(v) for k, v in value.items()}
    return [_decode(item) for item in value] if isinstance(value, list) else value


class _Child:
    """The child's side: objects it keeps, and the extra calls."""

    def __init__(self) -> None:
        import pynvml  # noqa: PLC0415 - only the child loads it

        self.nvml = pynvml
        self.kept: list[Any] = []

    def take(self, value: Any) -> Any:
        """Turn JSON into arguments: remote objects, and lists of (id, scope)."""
        if isinstance(value, dict):
            return self.kept[value["remote"]]
        if isinstance(value, list):
            return [tuple(item) if isinstance(item, list) else item for item in value]
        return value

    def show(self, value: Any) -> Any:
        """Turn a result into JSON."""
        if isinstance(value, bytes):
            return value.decode()
        if isinstance(value, ctypes.Structure) and value._fields_:
            row = {name: self.show(getattr(value, name)) for name, *_ in value._fields_}
            if "valueType" in row:
                union = value.value
                kinds = ("dVal", "uiVal", "ulVal", "ullVal", "sllVal", "siVal", "usVal")
                row["value"] = getattr(union, kinds[row["valueType"]])
            return row
        if isinstance(value, ctypes.Union):
            return value.ullVal
        if isinstance(value, ctypes.Array | list | tuple):
            return [self.show(item) for item in value]
        if isinstance(value, ctypes._Pointer | ctypes.c_void_p | ctypes.Structure):
            self.kept.append(value)
            return {"remote": len(self.kept) - 1}
        if isinstance(value, ctypes._SimpleCData):
            return value.value
        if value is None or isinstance(value, int | float | str):
            return value
        return {name: self.show(item) for name, item in vars(value).items()}

    # -- extras --------------------------------------------------------------------------------------

    def uptime_s(self, handle: Any) -> int:
        """Call nvmlDeviceGetGpuUptime_v1, which pynvml does not bind."""
        value = ctypes.c_uint()
        function = self.nvml._nvmlGetFunctionPointer("nvmlDeviceGetGpuUptime_v1")
        self.nvml._nvmlCheckReturn(function(handle, ctypes.byref(value)))
        return value.value

    def gpm_sample(self, handle: Any, gpu_instance: int | None = None) -> Any:
        """Take a GPM sample."""
        sample = self.nvml.nvmlGpmSampleAlloc()
        if gpu_instance is None:
            self.nvml.nvmlGpmSampleGet(handle, sample)
        else:
            self.nvml.nvmlGpmMigSampleGet(handle, gpu_instance, sample)
        return sample

    def gpm_metrics(self, first: Any, second: Any, ids: list[int]) -> list[Any]:
        """Give [return code, value] of each metric between two samples."""
        get = self.nvml.c_nvmlGpmMetricsGet_t()
        get.version, get.numMetrics = self.nvml.NVML_GPM_METRICS_GET_VERSION, len(ids)
        get.sample1, get.sample2 = first, second
        for place, metric in enumerate(ids):
            get.metrics[place].metricId = metric
        self.nvml.nvmlGpmMetricsGet(get)
        return [[get.metrics[place].nvmlReturn, get.metrics[place].value] for place in range(len(ids))]

    def in_threads(self, count: int, times: int, name: str, *args: Any) -> None:
        """Make the same call *times* in each of *count* threads at once, without a lock."""

        def work() -> None:
            for _ in range(times):
                getattr(self.nvml, name)(*args)

        threads = [threading.Thread(target=work) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def raced_value(self, name: str, handle: Any, ids: list[int]) -> list[int]:
        """Read fields in two threads at once; the first value each of them saw."""
        seen: list[int] = []
        both = threading.Barrier(2)

        def work() -> None:
            both.wait()
            seen.append(getattr(self.nvml, name)(handle, ids)[0].value.ullVal)

        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return seen

    def after_fork(self, name: str, *args: Any) -> int:
        """Make a call in a forked child; its return code."""
        pid = os.fork()
        if pid == 0:
            try:
                getattr(self.nvml, name)(*args)
            except self.nvml.NVMLError as error:
                os._exit(min(error.value, 255))
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def raw_version(self, name: str, structure: str, version: int, handle: Any) -> None:
        """Call with a struct of a wrong version."""
        value = getattr(self.nvml, structure)()
        value.version = version
        self.nvml._nvmlCheckReturn(self.nvml._nvmlGetFunctionPointer(name)(handle, ctypes.byref(value)))

    def serve(self) -> None:
        """Answer lines until the input ends."""
        for line in sys.stdin:
            name, *args = json.loads(line)
            function = getattr(self.nvml, name) if name.startswith("nvml") else getattr(self, name)
            try:
                answer: dict[str, Any] = {"value": self.show(function(*map(self.take, args)))}
            except self.nvml.NVMLError as error:
                answer = {"error": type(error).__name__, "code": error.value}
            except self.nvml.NVMLLibraryMismatchError as error:
                answer = {"error": type(error).__name__, "code": None}
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _Child().serve()
