"""A real inference server (llama.cpp's own, out of a wheel) with a tiny random model, in a process of its own."""

import http.client
import json
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.agent.tiny_model import write_tiny_model

# The device file makes it a process with a context; the server lives in threads of its own.
_SERVER = """
import sys
import xllamacpp
device = open(sys.argv[3])
params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.n_ctx = 4096
params.n_parallel = 2
params.endpoint_metrics = True
params.hostnames = ["127.0.0.1"]
params.port = int(sys.argv[2])
params.cpuparams.n_threads = 1
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True)
class Usage:
    """What the server says it has counted for one request, which is the truth."""

    prompt: int
    output: int


class InferenceServer:
    """Started on *port* (0: a free one); `with` ends it."""

    def __init__(self, folder: Path, *, port: int = 0) -> None:
        model = folder / "tiny.gguf"
        if not model.exists():
            write_tiny_model(model)
        self._folder = Path(tempfile.mkdtemp(dir=folder))
        device = self._folder / "nvidia0"
        device.touch()
        with (self._folder / "server.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _SERVER, str(model), str(port or _free_port()), str(device)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("http://"):
                self.port = int(line.strip().rpartition(":")[2])
                return
        raise AssertionError((self._folder / "server.log").read_text())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """Give the process that holds device and port."""
        return self.process.pid

    def complete(self, prompt: str, tokens: int) -> Usage:
        """Let it answer one request; give what it counted."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            body = json.dumps({"prompt": prompt, "max_tokens": tokens, "ignore_eos": True})
            connection.request("POST", "/v1/completions", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        assert answer.status == 200, text
        usage = json.loads(text)["usage"]
        return Usage(usage["prompt_tokens"], usage["completion_tokens"])

    def kill(self) -> None:
        """End it with no chance to say anything."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
