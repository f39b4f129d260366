"""What the tests of services share: real servers as processes, network namespaces, a poll with a deadline."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers import need

NOBODY = 65534
_PAGE_SERVER = Path(__file__).with_name("page_server.py")
_PAIR = """\
import subprocess, sys
one = [subprocess.Popen([sys.executable, *sys.argv[1:]], stdin=subprocess.PIPE) for _ in range(2)]
sys.stdin.read()
for each in one:
    each.stdin.close()
    each.wait()
"""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that runs: the process that listens, its child on the device, and how to end it."""

    port: int
    pid: int
    child: int
    process: subprocess.Popen[str]

    def end(self) -> None:
        """End it, and see that its child has ended."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(10)


@contextmanager
def page_server(*options: str, before: tuple[str, ...] = (), python: str = sys.executable) -> Iterator[Running]:
    """Run a server with *options*, through the programs *before*."""
    command = [*before, python, str(_PAGE_SERVER), *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "the server did not start"
        told = json.loads(line)
        running = Running(told["port"], told["pid"], told["child"], process)
        try:
            yield running
        finally:
            running.end()


@contextmanager
def two_servers() -> Iterator[tuple[Running, Running]]:
    """Run two servers that one process has started."""
    command = [sys.executable, "-c", _PAIR, str(_PAGE_SERVER)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [json.loads(process.stdout.readline()) for _ in range(2)]
        first, second = (Running(one["port"], one["pid"], one["child"], process) for one in told)
        try:
            yield first, second
        finally:
            first.end()


class FewProcesses:
    """A /proc in which there are only the processes that a test names: no other of this host is looked at."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "proc"
        self.root.mkdir()
        (self.root / "self").symlink_to("/proc/self")

    def add(self, *pids: int) -> None:
        """Let these be there, with their ancestors up to this program."""
        ahead = list(pids)
        while ahead:
            pid = ahead.pop()
            if pid not in (0, os.getpid()) and not os.path.lexists(self.root / str(pid)):
                self.add_alone(pid)
                ahead.append(_parent(pid))

    def add_alone(self, pid: int) -> None:
        """Let this one be there."""
        (self.root / str(pid)).symlink_to(f"/proc/{pid}")


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def until(happened: Callable[[], bool], *, seconds: float = 20.0) -> None:
    """Poll until *happened*; fail at the deadline."""
    pause = threading.Event()
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        pause.wait(0.01)


def as_nobody(*command: str) -> tuple[str, ...]:
    """Give *command* as one of a user without rights."""
    return (need("setpriv", "util-linux"), f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--", *command)


@dataclass(frozen=True, slots=True)
class Namespace:
    """A network namespace, tied to this host by a pair of interfaces."""

    name: str
    address: str
    device: str  # the end on this host

    @property
    def inside(self) -> tuple[str, ...]:
        """Give the programs that run a command in it."""
        return ("ip", "netns", "exec", self.name)

    def ip(self, *arguments: str) -> None:
        """Run ip(8) in it."""
        subprocess.run(["ip", "-n", self.name, *arguments], check=True, capture_output=True)


@contextmanager
def namespace(index: int = 1, *, loopback: bool = True) -> Iterator[Namespace]:
    """Make a network namespace with the address 10.213.<index>.2, as a container has one."""
    _need_namespaces()
    tag = f"wl{os.getpid() % 100000}x{index}"
    with ExitStack() as undo:
        _ip("netns", "add", tag)
        undo.callback(_ip, "netns", "del", tag)
        _ip("link", "add", f"{tag}h", "type", "veth", "peer", "name", "eth0", "netns", tag)
        undo.callback(subprocess.run, ["ip", "link", "del", f"{tag}h"], check=False, capture_output=True)
        _ip("addr", "add", f"10.213.{index}.1/24", "dev", f"{tag}h")
        _ip("link", "set", f"{tag}h", "up")
        made = Namespace(tag, f"10.213.{index}.2", f"{tag}h")
        made.ip("addr", "add", f"{made.address}/24", "dev", "eth0")
        made.ip("link", "set", "eth0", "up")
        if loopback:
            made.ip("link", "set", "lo", "up")
        yield made


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def _need_namespaces() -> None:
    reason = ""
    if os.geteuid() != 0:
        reason = "only root makes network namespaces"
    elif shutil.which("ip") is None:
        reason = "ip is not installed (package iproute2)"
    else:
        tried = subprocess.run(["unshare", "--net", "true"], check=False, capture_output=True)
        reason = "" if tried.returncode == 0 else "network namespaces are not permitted here"
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
