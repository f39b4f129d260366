"""The few files of /proc/PID that are read of a process that holds a device; it never looks for processes.

What stands here takes no lock of the process's memory, so it is fit for the tick thread, but `environment` and
`command`: those can hang with the process, and belong to a thread of their own.
"""

import errno
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from wattledger.rules.instant import NS_PER_SECOND, Instant

_SMALL_BYTES = 64 << 10
_LARGE_BYTES = 1 << 20
_MOST_FILES = 4096  # open files of one process that are looked at
# Below WSL a device is reached through /dev/dxg.
_DEVICE_NAMES = ("nvidia", "dxg")


class Unresolved(StrEnum):
    """Why it is not known what a process belongs to."""

    GONE = "gone"  # it ended, and was not looked at before
    PID_NAMESPACE_MISMATCH = "pid_namespace_mismatch"  # the driver's number means another process here, or none
    NO_PERMISSION = "no_permission"
    PENDING = "pending"  # a name is being looked up
    FOREIGN = "foreign"  # of another host, as in a replay
    FAILED = "failed"


class UnreadableProcess(Exception):  # noqa: N818  (it says what a process is, as FileNotFoundError does not)
    """A process cannot be looked at; `reason` says why."""

    def __init__(self, reason: Unresolved) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Stat:
    """Of /proc/PID/stat: the command's name, the parent, and the start in clock ticks since boot (its identity)."""

    name: str
    parent: int
    start: int


def plain(raw: bytes) -> str:
    """Give bytes as text. What is no UTF-8 is written as escapes, so that different bytes stay different."""
    return raw.decode("utf-8", "backslashreplace")


class ProcFs:
    """Files of processes below *root*. Every call raises UnreadableProcess."""

    def __init__(self, root: Path, *, ticks_per_second: int | None = None) -> None:
        self._root = os.fspath(root)
        self._tick_ns = NS_PER_SECOND // (ticks_per_second or os.sysconf("SC_CLK_TCK"))

    def stat(self, pid: int) -> Stat:
        """Give name, parent and start."""
        raw = self._read(pid, "stat", _SMALL_BYTES)
        # The command name may hold any bytes, spaces and parentheses too; fields are counted after it (proc(5)).
        head, _, tail = raw.rpartition(b")")
        fields = tail.split()
        try:
            return Stat(name=plain(head.partition(b"(")[2]), parent=int(fields[1]), start=int(fields[19]))
        except (IndexError, ValueError):
            raise UnreadableProcess(Unresolved.FAILED if raw else Unresolved.GONE) from None

    def started_after(self, stat: Stat, at: Instant) -> bool:
        """Tell whether a process started after *at*; both are counted from the boot (CLOCK_BOOTTIME)."""
        return stat.start * self._tick_ns > at.mono_ns + self._tick_ns

    def uid(self, pid: int) -> int:
        """Give the user who started it (the real uid)."""
        for line in self._read(pid, "status", _SMALL_BYTES).split(b"\n"):
            if line.startswith(b"Uid:"):
                try:
                    return int(line.split()[1])
                except (IndexError, ValueError):
                    break
        raise UnreadableProcess(Unresolved.FAILED)

    def cgroup(self, pid: int) -> str:
        """Give the text that names its control groups."""
        return plain(self._read(pid, "cgroup", _SMALL_BYTES))

    def holds_device(self, pid: int) -> bool | None:
        """Tell whether it has a GPU's device file open; None where that may not be seen. Opens none of them."""
        try:
            with os.scandir(f"{self._root}/{pid}/fd") as files:
                for number, file in enumerate(files):
                    if number >= _MOST_FILES:
                        return None
                    if self._is_device(file.path):
                        return True
        except OSError:
            return None
        return False

    @staticmethod
    def _is_device(link: str) -> bool:
        try:
            # Only the link is read: to look at what it points to can hang on a dead file system.
            target = os.readlink(link)  # noqa: PTH115  (a Path would be made for each of many)
        except FileNotFoundError:
            return False  # closed meanwhile
        return target.rpartition("/")[2].startswith(_DEVICE_NAMES)

    def environment(self, pid: int) -> bytes:
        """Give the environment it was started with. May hang: not for the tick thread."""
        return self._read(pid, "environ", _LARGE_BYTES)

    def command(self, pid: int) -> bytes:
        """Give its command line, or the title it gave itself. May hang: not for the tick thread."""
        return self._read(pid, "cmdline", _SMALL_BYTES)

    def _read(self, pid: int, name: str, most: int) -> bytes:
        try:
            file = os.open(f"{self._root}/{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                parts = []
                while most > 0 and (part := os.read(file, most)):
                    parts.append(part)
                    most -= len(part)
            finally:
                os.close(file)
        except OSError as error:
            raise self._unreadable(error) from error
        return b"".join(parts)

    def _unreadable(self, error: OSError) -> UnreadableProcess:
        if error.errno in (errno.ENOENT, errno.ESRCH):
            # Every namespace has a first process; where it is not there, others are hidden from us (hidepid).
            hidden = not os.path.lexists(f"{self._root}/1")
            return UnreadableProcess(Unresolved.NO_PERMISSION if hidden else Unresolved.GONE)
        if error.errno in (errno.EACCES, errno.EPERM):
            return UnreadableProcess(Unresolved.NO_PERMISSION)
        return UnreadableProcess(Unresolved.FAILED)
