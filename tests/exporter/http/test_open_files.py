"""What happens when file descriptors run out: a real process with a real limit."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.exporter.http.client import PAGE, Client, fetch, until

ROOT = Path(__file__).parents[3]

CHILD = """
import json, logging, os, resource, sys
files, spare, connections = map(int, sys.argv[1:4])
resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
from wattledger.exporter.http import Limits, PageServer, Response, parse_listen
page = Response(200, "text/plain", b"wattledger_up 1\\n" * 8)
server = PageServer(parse_listen("127.0.0.1:0"), lambda request: page, limits=Limits(connections=connections))
server.start()
# What the rest of a process may hold: all descriptors but a few.
kept = []
try:
    while spare >= 0:
        kept.append(open("/dev/null"))
except OSError:
    del kept[len(kept) - spare:]
memory = open("/proc/self/statm") if spare < 0 else None
def report():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    stats = server.stats()
    pages = os.pread(memory.fileno(), 200, 0).split()[1] if memory else 0
    print(json.dumps({"port": server.port, "cpu": usage.ru_utime + usage.ru_stime, "rss_kib": int(pages) * 4,
        "open": stats.connections_open, "total": stats.connections_total,
        "evicted": stats.evicted_total}), flush=True)
report()
for line in sys.stdin:
    if line.strip() == "free":
        kept.clear()
    report()
server.close()
"""


@dataclass
class Child:
    """The server in its own process; ``ask`` gives its figures of now."""

    process: subprocess.Popen[str]

    def ask(self, word: str = "report") -> dict[str, float]:
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self) -> dict[str, float]:
        assert self.process.stdout is not None
        figures: dict[str, float] = json.loads(self.process.stdout.readline())
        return figures


@contextmanager
def limited(files: int, *, spare: int = -1, connections: int = 128) -> Iterator[tuple[Child, int]]:
    command = [sys.executable, "-c", CHILD, str(files), str(spare), str(connections)]
    environment = {"PYTHONPATH": str(ROOT / ".importroot"), "PATH": "/usr/bin:/bin"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        child = Child(process)
        try:
            yield child, int(child.answer()["port"])
        finally:
            process.communicate(timeout=10)
        assert process.returncode == 0


def test_256_open_files_and_400_half_open_connections_leave_the_page_reachable() -> None:
    with limited(256, connections=1000) as (child, port), ExitStack() as stack:
        assert fetch(port).body == PAGE
        before = child.ask()
        for _ in range(400):
            stack.enter_context(Client.to(port)).send(b"GET /metrics HTTP/1.1\r\nHost: t\r\nX: ")
        until(lambda: child.ask()["total"] >= 401)
        assert fetch(port).body == PAGE
        after = child.ask()
        assert after["open"] <= 128  # half of the limit: the rest of the process keeps the other half
        assert after["rss_kib"] - before["rss_kib"] < 4_096


def test_without_a_free_descriptor_a_half_open_connection_makes_room() -> None:
    with limited(64, spare=4, connections=1000) as (child, port), ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(Client.to(port)).send(b"GET /metrics HTTP/1.1\r\n")
        assert fetch(port).body == PAGE
        assert child.ask()["evicted"] >= 30


def test_without_anything_to_give_up_the_loop_waits_and_recovers() -> None:
    with limited(64, spare=0, connections=1000) as (child, port), Client.to(port) as waiter:
        waiter.send(b"GET /metrics HTTP/1.1\r\nHost: t\r\n\r\n")
        start = child.ask()["cpu"]
        waiter.sock.settimeout(1.0)
        with pytest.raises(TimeoutError):
            waiter.sock.recv(1)
        assert child.ask()["cpu"] - start < 0.2, "the loop spins"
        child.ask("free")
        waiter.sock.settimeout(5.0)
        assert waiter.reply().body == PAGE
