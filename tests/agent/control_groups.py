"""Real processes in control groups of their own, named as container runtimes and systemd name theirs."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_MOUNTS = ("/sys/fs/cgroup/pids", "/sys/fs/cgroup/freezer", "/sys/fs/cgroup/unified", "/sys/fs/cgroup")
# As a process with a context has the device file open, so that a number of another PID namespace shows.
_HOLDS = "import sys; device = open(sys.argv[1]); sys.stdin.read()"


@contextmanager
def process_in(group: str) -> Iterator[subprocess.Popen[bytes]]:
    """Give a process that holds a device file, in the control group *group*; skip where none may be made."""
    folder = _make(group)
    device = Path(tempfile.mkdtemp()) / "nvidia0"
    device.touch()
    process = subprocess.Popen([sys.executable, "-c", _HOLDS, str(device)], stdin=subprocess.PIPE)
    try:
        (folder / "cgroup.procs").write_text(str(process.pid))
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdin is not None:
            process.stdin.close()
        _remove(folder, group)
        shutil.rmtree(device.parent)


def _make(group: str) -> Path:
    reasons = []
    for mount in map(Path, _MOUNTS):
        if not (mount / "cgroup.procs").exists():
            continue
        try:
            (mount / group).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reasons.append(f"{mount}: {error.strerror}")
        else:
            return mount / group
    reason = f"no control group can be made here: {', '.join(reasons) or 'none is mounted'}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def _remove(folder: Path, group: str) -> None:
    for _ in Path(group).parts:
        try:
            folder.rmdir()
        except OSError:
            return  # in use by another test, or not ours
        folder = folder.parent
