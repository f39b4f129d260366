"""Who may write a state directory: one process at a time; what lies in the directory is not its matter."""

import contextlib
import fcntl
import os
from pathlib import Path

from .base import LedgerLocked

LOCK_NAME = "lock"


class DirectoryLock:
    """An exclusive flock on `<state_dir>/lock`, which holds the pid for people. It dies with the process.

    A child that is forked without exec would hold it too; the descriptor is not inherited over exec.
    """

    def __init__(self, state_dir: Path) -> None:
        """Take the lock. Raises LedgerLocked when another holds it, OSError when there can be no lock file."""
        self._path = state_dir / LOCK_NAME
        self._fd = _open(self._path)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            pid = _pid(self._fd)
            os.close(self._fd)
            if isinstance(error, BlockingIOError):
                raise LedgerLocked(state_dir, pid) from None
            raise
        # The lock holds without its text too: a full or read-only disk costs the pid alone.
        with contextlib.suppress(OSError):
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def is_in_place(self) -> bool:
        """Give whether the file at the path is still the one that is locked."""
        try:
            at_path = self._path.stat()
        except OSError:
            return False
        return os.path.samestat(at_path, os.fstat(self._fd))

    def release(self) -> None:
        """Let go. Safe to call twice."""
        if self._fd >= 0:
            # Unlocking, not closing alone: a child between fork and exec still has the descriptor.
            fcntl.flock(self._fd, fcntl.LOCK_UN)
            os.close(self._fd)
            self._fd = -1


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError:
        # A lock file of before can be locked where nothing can be written.
        try:
            return os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            pass
        raise


def _pid(fd: int) -> int | None:
    text = os.pread(fd, 32, 0).decode(errors="replace").strip()
    return int(text) if text.isdecimal() else None
