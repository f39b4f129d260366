"""How a sampler process is started: its program, environment and file descriptors; knows nothing of its life after.

`posix_spawn` and not the subprocess module: 2 MB less in the daemon, and no wait() that could block.
"""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from .orders import HANDLED_SIGNALS
from .settings import SamplerSettings, encode_settings

FRAMES_FD = 3  # the pipe's writing end in the child; 0 is /dev/null, 1 and 2 are the daemon's stderr

# Dropped from the child's environment: with it NVML numbers devices the way the MPS server does.
_NOT_INHERITED = frozenset({"NVML_MPS_DEVICE_ENUMERATION"})


class Launcher(Protocol):
    """Start a sampler that writes its frames to *frames_fd*; give its pid. Raises OSError."""

    def __call__(self, settings: SamplerSettings, frames_fd: int) -> int: ...


def sampler_command(settings: SamplerSettings) -> Sequence[str]:
    """Give the arguments that start the real sampler.

    -P: without it `-m` would import from the working directory before anything else.
    """
    return (sys.executable, "-P", "-m", "wattledger.agent.sampler", str(FRAMES_FD), encode_settings(settings))


def child_environment() -> dict[str, str]:
    """Give the child's environment: ours, and a PYTHONPATH that lets it import from where we import."""
    environment = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    environment["PYTHONPATH"] = os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path)
    return environment


class SpawnLauncher:
    """Start samplers by `posix_spawn`.

    The child leads a process group of its own, so that Ctrl-C reaches it through the daemon and in order. The
    signals it handles are blocked from its first instruction: one sent during its start waits for its handler.
    """

    def __init__(self, command: Callable[[SamplerSettings], Sequence[str]] = sampler_command) -> None:
        self._command = command

    def __call__(self, settings: SamplerSettings, frames_fd: int) -> int:
        """Start a sampler that writes its frames to *frames_fd*; give its pid. Raises OSError."""
        command = list(self._command(settings))
        return os.posix_spawn(
            command[0],
            command,
            child_environment(),
            file_actions=[
                (os.POSIX_SPAWN_DUP2, frames_fd, FRAMES_FD),  # first: 3 may be any of ours, 0 to 2 never are
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, 2, 1),  # a library that prints must not write into the daemon's output
                *((os.POSIX_SPAWN_CLOSE, fd) for fd in _inheritable_fds() if fd > FRAMES_FD),
            ],
            setpgroup=0,
            setsigmask=HANDLED_SIGNALS,
            setsigdef=(*HANDLED_SIGNALS, signal.SIGCHLD),
        )


def _inheritable_fds() -> list[int]:
    """Give what whoever started the daemon left open in it; an abandoned sampler would keep it open for days."""
    inheritable = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            if os.get_inheritable(int(entry.name)):
                inheritable.append(int(entry.name))
        except OSError:
            continue  # the descriptor of the listing itself, closed by now
    return inheritable
