"""Files of other people: opened without ever waiting for them, and read up to a limit."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Unusable(Exception):  # noqa: N818  (it says what a file is)
    """A file that cannot be read; the message says why, without its name."""


def open_descriptor(name: str | Path, *, folder: int | None = None, follow: bool = True) -> int:
    """Open a regular file; a pipe or a device is refused, as nobody knows what reading one does. Raises Unusable."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)
    try:
        file = os.open(name, flags, dir_fd=folder)
    except (OSError, ValueError) as error:  # ValueError: a name that holds a zero byte
        raise Unusable(getattr(error, "strerror", None) or str(error)) from None
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise Unusable("is no regular file")
    return file


@contextmanager
def open_file(name: str | Path, *, folder: int | None = None, follow: bool = True) -> Iterator[int]:
    """Open a regular file for a while. Raises Unusable."""
    file = open_descriptor(name, folder=folder, follow=follow)
    try:
        yield file
    finally:
        os.close(file)


def read_all(file: int, most_bytes: int, *, offset: int = 0) -> bytes:
    """Read from *offset* to the end, or as much as is allowed. Raises Unusable."""
    parts = []
    try:
        while most_bytes > 0 and (part := os.pread(file, most_bytes, offset)):
            parts.append(part)
            most_bytes -= len(part)
            offset += len(part)
    except OSError as error:
        raise Unusable(error.strerror or str(error)) from None
    return b"".join(parts)
