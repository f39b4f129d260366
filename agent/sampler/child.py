"""One sampler process as its parent sees it: a pid, a pipe and what came out; it never waits and judges nothing."""

import fcntl
import os
from collections.abc import Iterator

from .frames import FrameReader, Message
from .launch import Launcher
from .settings import SamplerSettings

_READ_BYTES = 65536
_PIPE_BYTES = 1024 * 1024  # 50 samples of 8 GPUs while the daemon is busy; what any user may ask for (pipe(7))


class SamplerChild:
    """A started sampler. Its pipe may be closed long before the process is gone, or the other way round."""

    def __init__(self, pid: int, frames_fd: int) -> None:
        """Take over *frames_fd*, the reading end of its pipe."""
        os.set_blocking(frames_fd, False)
        self.pid = pid
        self._frames_fd: int | None = frames_fd
        self._frames = FrameReader()
        self.last: Message | None = None
        self.status: int | None = None  # as from waitpid, None until it is gone
        self.explained = False  # whether the reason of its end is known before its status

    @property
    def frames_fd(self) -> int | None:
        """Give the pipe's reading end, None once it is closed."""
        return self._frames_fd

    def read(self) -> Iterator[Message]:
        """Give what has arrived, some messages at a time; at the end of the pipe, close it. Raises FrameError."""
        if self._frames_fd is None:
            return
        try:
            data = os.read(self._frames_fd, _READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            self.close_pipe()
        for message in self._frames.feed(data):
            self.last = message
            yield message

    def close_pipe(self) -> None:
        """Take no more frames. A sampler that still runs learns of it and stops."""
        if self._frames_fd is not None:
            os.close(self._frames_fd)
            self._frames_fd = None

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has been reaped: the pid may be another's by then."""
        if self.status is None:
            os.kill(self.pid, number)

    def reap(self) -> bool:
        """Give whether the process is gone, and keep its status. Never waits."""
        if self.status is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:  # the kernel reaps for us where SIGCHLD was ignored when we were started
                self.status = 0
            else:
                self.status = status if pid else None
        return self.status is not None


def start_child(launch: Launcher, settings: SamplerSettings) -> SamplerChild:
    """Start a sampler on a new pipe. Raises OSError, and then leaves no pipe behind."""
    read_fd, write_fd = os.pipe2(os.O_CLOEXEC)
    try:
        _enlarge(write_fd)
        pid = launch(settings, write_fd)
    except OSError:
        os.close(read_fd)
        raise
    finally:
        os.close(write_fd)
    return SamplerChild(pid, read_fd)


def _enlarge(pipe_fd: int) -> None:
    try:
        fcntl.fcntl(pipe_fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    except PermissionError:
        return  # the user's pipes take much already; the usual 64 kB hold 3 samples
