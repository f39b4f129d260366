"""What the tests of inputs share: real processes that are jobs, a poll with a deadline, moments."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from wattledger.agent.clock import SystemClock
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.tokens.model import TokenKind, TokenRead

NOBODY_UID = 65534
SLEEPER = "import sys; print('up', flush=True); sys.stdin.read()"
PARENT = (
    "import subprocess, sys\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import sys; sys.stdin.read()'], stdin=subprocess.PIPE)\n"
    "print(child.pid, flush=True)\n"
    "sys.stdin.read()\n"
    "child.stdin.close(); child.wait()\n"
)


def now(*, later: float = 0) -> Instant:
    """Give the moment of this host, or one after it."""
    at = SystemClock().now()
    later_ns = int(later * NS_PER_SECOND)
    return Instant(at.mono_ns + later_ns, at.wall_ns + later_ns)


def until(happened: Callable[[], bool], *, seconds: float = 10.0) -> None:
    """Poll until *happened*; fail at the deadline."""
    pause = threading.Event()
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        pause.wait(0.01)


@contextmanager
def child(code: str = SLEEPER, *, uid: int | None = None) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a Python program that says one line and lives until its input ends; give it and the line."""
    command = [sys.executable, "-c", code]
    if uid is not None:
        command = [
            "setpriv",
            f"--reuid={uid}",
            f"--regid={uid}",
            "--clear-groups",
            "/usr/bin/env",
            "python3",
            *command[1:],
        ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        assert line
        try:
            yield process, line
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(10)


def drop(folder: Path, name: str, text: str | bytes) -> Path:
    """Write a file as the convention wants it: under another name, then renamed."""
    half = folder / f".{name}.half"
    half.write_bytes(text.encode() if isinstance(text, str) else text)
    return half.rename(folder / name)


def aged(path: Path, seconds: float) -> None:
    """Make a file older."""
    wall_ns = path.stat().st_mtime_ns - int(seconds * NS_PER_SECOND)
    os.utime(path, ns=(wall_ns, wall_ns))


def tokens(read: TokenRead, kind: TokenKind = TokenKind.OUTPUT) -> float:
    """Give the sum of a read's counters of one kind."""
    assert read.page is not None
    return sum(one.value for one in read.page.counts.values() if one.kind is kind)
