"""A log file that somebody writes and somebody rotates: its last lines at each look; what they mean it does not know.

What is looked for is cumulative, so when much was written the beginning of it can be left out.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .files import Unusable, open_descriptor, read_all

LOOK_BYTES = 1 << 20
_HELD_BYTES = 64 << 10  # of a last line without an end; a longer one is given up
_BASE_BYTES = 64 << 10  # that are looked through at the start for what was reached already


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines, the newest last, and when the file was last written. `skipped` were not looked at."""

    data: bytes
    written_wall_ns: int
    skipped: int = 0

    def newest_first(self, most_bytes: int) -> Iterator[bytes]:
        """Give the lines from the last to the first, each cut to a length."""
        end = len(self.data)
        while end > 0:
            start = self.data.rfind(b"\n", 0, end - 1) + 1
            yield self.data[start : min(end, start + most_bytes)]
            end = start


class LogFile:
    """Follows what is at *path*. Of the first file it reads the end; of one that takes its place all."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self._identity: tuple[int, int] | None = None
        self._offset = 0
        self._held = b""
        self._skipping = False  # in the middle of a line whose beginning is not known
        self._began = False

    def read(self) -> list[Chunk]:
        """Give what was written since the last look: of a file that was rotated away, then of the present one.

        Raises Unusable. What is at the path then is looked at anew when it is usable again.
        """
        chunks: list[Chunk] = []
        try:
            status = self._path.stat()
        except (OSError, ValueError) as error:
            # Rotated, and the writer has not made the new one: the old one may still grow.
            rest = self._rest()
            if rest:
                return rest
            raise Unusable(getattr(error, "strerror", None) or str(error)) from None
        if self._identity != (status.st_dev, status.st_ino):
            chunks += self._rest()
            self._open()
        chunks += self._rest()
        return chunks

    @property
    def written_wall_ns(self) -> int | None:
        """Give when the open file was last written; None without one."""
        return None if self._file is None else os.fstat(self._file).st_mtime_ns

    def close(self) -> None:
        """Give the file back."""
        if self._file is not None:
            os.close(self._file)
        self._file = self._identity = None
        self._held = b""

    def _open(self) -> None:
        self.close()
        self._file = open_descriptor(self._path)
        status = os.fstat(self._file)
        self._identity = status.st_dev, status.st_ino
        self._offset = 0 if self._began else max(0, status.st_size - _BASE_BYTES)
        self._skipping = self._offset > 0
        self._began = True

    def _rest(self) -> list[Chunk]:
        if self._file is None:
            return []
        status = os.fstat(self._file)
        if status.st_size < self._offset:  # truncated, as copytruncate does
            self._offset, self._held, self._skipping = 0, b"", False
        skipped = status.st_size - self._offset - LOOK_BYTES
        if skipped > 0:
            self._offset += skipped
            self._held, self._skipping = b"", True
        data = read_all(self._file, LOOK_BYTES, offset=self._offset)
        self._offset += len(data)
        return self._lines(data, status.st_mtime_ns, max(0, skipped))

    def _lines(self, data: bytes, written_wall_ns: int, skipped: int) -> list[Chunk]:
        data = data.replace(b"\r", b"\n")  # progress bars end their lines so
        if self._skipping:
            _, found, data = data.partition(b"\n")
            if not found:
                return []
            self._skipping = False
        whole, end, rest = (self._held + data).rpartition(b"\n")
        self._held = rest
        if len(rest) > _HELD_BYTES:
            self._held, self._skipping = b"", True
        return [Chunk(whole + end, written_wall_ns, skipped)] if whole or skipped else []
