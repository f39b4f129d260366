"""A real Prometheus that takes series and answers instant queries, and the same questions put to ours."""

import http.client
import json
import math
import re
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from tests.rules.promql.remote_write import body_of
from wattledger.rules.promql.expression import compile_expression
from wattledger.rules.promql.matcher import Matcher, accept_all
from wattledger.rules.promql.model import Labels, PromqlError, Scalar, Series, String, Vector

_START_DEADLINE_S = 30


@dataclass(frozen=True, slots=True)
class Answer:
    """A result in one form for both: rows of labels and values in order, or the error's text."""

    rows: tuple[tuple[Labels, float], ...] = ()
    text: str | None = None
    error: str | None = None

    def agrees(self, other: "Answer", *, in_order: bool = False) -> bool:
        """Tell whether both are the same result; values may differ by 1e-9 of the greater, errors in their words."""
        if (self.error is None) is not (other.error is None):
            return False
        if self.error is not None:
            return True
        if in_order and not all(map(same, (v for _, v in self.rows), (v for _, v in other.rows))):
            return False
        mine, theirs = dict(self.rows), dict(other.rows)
        return (
            self.text == other.text
            and len(self.rows) == len(other.rows)
            and mine.keys() == theirs.keys()
            and all(same(value, theirs[labels]) for labels, value in mine.items())
        )


def same(one: float, other: float) -> bool:
    """Tell whether two values differ by no more than the rounding of a few operations; NaN is NaN."""
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return one == other or math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)


@dataclass(frozen=True, slots=True)
class Kept:
    """Series in memory, selected as a history would."""

    series: Sequence[Series]

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Iterable[Series]:
        for one in self.series:
            if accept_all(matchers, dict(one.labels)):
                inside = [sample for sample in one.samples() if start_ms <= sample.timestamp_ms <= end_ms]
                yield Series.of(one.labels, inside)


def ours(series: Sequence[Series], query: str, at_ms: int) -> Answer:
    """Answer *query* over *series* with the evaluator under test."""
    try:
        result = compile_expression(query).evaluate(Kept(series), at_ms)
    except PromqlError as error:
        return Answer(error=str(error))
    if isinstance(result, Vector):
        return Answer(tuple((element.labels, element.value) for element in result.elements))
    if isinstance(result, Scalar):
        return Answer((((), result.value),))
    assert isinstance(result, String)
    return Answer(text=result.value)


class Prometheus:
    """A server on loopback, spoken to over one connection."""

    def __init__(self, port: int) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def write(self, series: Iterable[Series]) -> None:
        """Store *series*, whose samples are later than any before."""
        headers = {
            "Content-Encoding": "snappy",
            "Content-Type": "application/x-protobuf",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
        }
        status, answer = self._ask("POST", "/api/v1/write", body_of(series), headers)
        assert status in (200, 204), answer

    def answer(self, query: str, at_ms: int) -> Answer:
        """Answer *query* at *at_ms*."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        form = urlencode({"query": query, "time": f"{at_ms / 1000:.3f}"}).encode()
        status, text = self._ask("POST", "/api/v1/query", form, headers)
        reply = json.loads(text)
        if reply["status"] != "success":
            assert status in (400, 422), reply
            return Answer(error=f"{reply['errorType']}: {reply['error']}")
        data = reply["data"]
        if data["resultType"] == "scalar":
            return Answer((((), float(data["result"][1])),))
        if data["resultType"] == "string":
            return Answer(text=data["result"][1])
        if data["resultType"] == "matrix":
            return Answer(error="ours refuses a range vector as a result")
        return Answer(tuple((tuple(sorted(e["metric"].items())), float(e["value"][1])) for e in data["result"]))

    def version(self) -> str:
        """Give the version, as `2.42.0`."""
        _, text = self._ask("GET", "/api/v1/status/buildinfo", b"", {})
        return str(json.loads(text)["data"]["version"])

    def _ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
        try:
            self._http.request(method, path, body, headers)
            reply = self._http.getresponse()
        except ConnectionError:
            # It hangs up after five minutes in which other tests ran; the next request opens a connection anew.
            self._http.close()
            self._http.request(method, path, body, headers)
            reply = self._http.getresponse()
        return reply.status, reply.read().decode()

    def close(self) -> None:
        self._http.close()


@contextmanager
def running(binary: str) -> Iterator[Prometheus]:
    """Start *binary* on a free port with an empty store; stop it and drop the store afterwards."""
    with tempfile.TemporaryDirectory(prefix="prometheus-") as folder:
        config = Path(folder, "prometheus.yml")
        config.write_text("global: {evaluation_interval: 1m}\n")
        log = Path(folder, "log")
        with log.open("wb") as stderr:
            process = subprocess.Popen(
                [
                    binary,
                    f"--config.file={config}",
                    f"--storage.tsdb.path={folder}/data",
                    "--storage.tsdb.retention.time=100y",
                    "--web.listen-address=127.0.0.1:0",
                    "--web.enable-remote-write-receiver",
                    "--log.level=info",
                ],
                stdout=stderr,
                stderr=stderr,
            )
        try:
            server = Prometheus(_port_of(process, log))
            yield server
            server.close()
        finally:
            process.terminate()
            process.wait(timeout=30)


def _port_of(process: subprocess.Popen[bytes], log: Path) -> int:
    """Wait until the server says where it listens and that it is ready."""
    pause = threading.Event()
    for _ in range(_START_DEADLINE_S * 20):
        text = log.read_text()
        address = re.search(r'msg="Listening on".* address=\S+:(\d+)', text)
        if address is not None and "Server is ready to receive web requests" in text:
            return int(address[1])
        assert process.poll() is None, text
        pause.wait(0.05)
    raise AssertionError(log.read_text())
