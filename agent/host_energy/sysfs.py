"""Single values of the kernel's folder of devices; what they mean is known by who asks."""

import os
from pathlib import Path

_LONGEST = 128


def text_of(path: Path) -> str:
    """Give the text of a file in one line, or empty text where there is none to read."""
    try:
        return " ".join(path.read_bytes()[:_LONGEST].decode("utf-8", "replace").split())
    except OSError:
        return ""


def number_of(path: Path) -> int | None:
    """Give the whole number in a file, None where there is none."""
    text = text_of(path)
    return int(text) if text.isascii() and text.removeprefix("-").isdigit() else None


class Attribute:
    """A file that is kept open: each read gives its value anew, without looking for it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def read(self) -> int:
        """Give its whole number, which is 0 or more. Raises OSError, and ValueError where it is none."""
        if self._descriptor is None:
            self._descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            content = os.pread(self._descriptor, _LONGEST, 0)
        except OSError:
            self.close()  # the device has gone; another may be there under the name
            raise
        if not content.strip().isdigit():
            raise ValueError(f"{self.path}: {content[:40]!r} is no number")
        return int(content)

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
