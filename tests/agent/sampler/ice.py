"""A file system that can be frozen, whose writers then sit in the kernel and outlive SIGKILL (state D)."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

# The guard undoes everything at the end of its input, so also when the tests are killed.
_GUARD = 'cat >/dev/null; fsfreeze -u "$1"; n=0; until umount "$1" || [ $n -ge 50 ]; do n=$((n+1)); sleep 0.1; done'


@dataclass(frozen=True)
class Ice:
    """A file system whose writers sleep in state D until it is thawed."""

    path: Path

    def thaw(self) -> None:
        """Let the writers go on."""
        subprocess.run(["fsfreeze", "-u", self.path], check=False, capture_output=True, timeout=30)


def run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        pytest.skip(f"no frozen file system here: {command[0]}: {done.stderr.strip()}")


@pytest.fixture
def ice(tmp_path: Path) -> Iterator[Ice]:
    if os.geteuid() != 0:
        pytest.skip("mounting and freezing a file system takes root")
    image, path = tmp_path / "image", tmp_path / "ice"
    path.mkdir()
    image.write_bytes(b"")
    os.truncate(image, 4 * 1024 * 1024)
    try:
        run("mkfs.ext4", "-q", "-F", image)
        run("mount", "-o", "loop", image, path)
    except FileNotFoundError as missing:
        pytest.skip(f"no frozen file system here: {missing}")
    guard = subprocess.Popen(
        ["sh", "-c", _GUARD, "guard", path],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with guard:
        run("fsfreeze", "-f", path)
        yield Ice(path)
    assert not path.is_mount()
