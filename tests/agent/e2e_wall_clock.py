"""A wall clock that a test sets while a process runs: a preloaded library that shifts CLOCK_REALTIME and no other."""

import mmap
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

_SOURCE = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile const long *shift_s;

__attribute__((constructor)) static void open_shift(void) {
    int fd = open(getenv("E2E_WALL_CLOCK"), O_RDONLY);
    if (fd < 0) abort();
    shift_s = mmap(0, sizeof *shift_s, PROT_READ, MAP_SHARED, fd, 0);
    if (shift_s == MAP_FAILED) abort();
    close(fd);
}

int clock_gettime(clockid_t id, struct timespec *out) {
    int result = (int)syscall(SYS_clock_gettime, id, out);
    if (result == 0 && id == CLOCK_REALTIME && shift_s) out->tv_sec += *shift_s;
    return result;
}
"""


class WallClock:
    """Start processes with `env`; `step` then sets the clock of all of them."""

    def __init__(self, folder: Path) -> None:
        """Skips the test where there is no C compiler."""
        compiler = shutil.which("gcc")
        if compiler is None:
            pytest.skip("gcc is not installed; it builds the clock that is set")
        folder.mkdir(parents=True, exist_ok=True)
        source, library = folder / "wall_clock.c", folder / "wall_clock.so"
        source.write_text(_SOURCE)
        subprocess.run([compiler, "-O1", "-Wall", "-shared", "-fPIC", "-o", library, source], check=True)
        shift = folder / "shift"
        shift.write_bytes(bytes(8))
        with shift.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), 8)
        self.env = {"LD_PRELOAD": str(library), "E2E_WALL_CLOCK": str(shift)}

    def step(self, seconds: int) -> None:
        """Set the clock forward, or back."""
        (before,) = struct.unpack("l", self._shared[:8])
        self._shared[:8] = struct.pack("l", before + seconds)
