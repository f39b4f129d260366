"""Names of users from a passwd file; it asks no directory service, because that can block."""

import logging
from pathlib import Path

from .procfs import plain

_log = logging.getLogger(__name__)

_MOST_BYTES = 8 << 20


class Users:
    """Names by uid. The file is read anew when it has changed and an unknown uid is asked for."""

    def __init__(self, passwd: Path) -> None:
        self._passwd = passwd
        self._names: dict[int, str] = {}
        self._read_at: tuple[int, int, int] | None = None
        self._readable = True

    def name_of(self, uid: int) -> str:
        """Give the name; `uid:1000` for a user that the file does not know."""
        name = self._names.get(uid)
        if name is None:
            self._refresh()
            name = self._names.get(uid) or f"uid:{uid}"
        return name

    def _refresh(self) -> None:
        try:
            stat = self._passwd.stat()
            version = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
            if version == self._read_at:
                return
            with self._passwd.open("rb") as file:
                self._names = passwd_names(file.read(_MOST_BYTES))
        except OSError as error:
            if self._readable:
                _log.warning("no names of users: %s: %s", self._passwd, error.strerror)
            self._readable = False
            return
        self._read_at, self._readable = version, True


def passwd_names(text: bytes) -> dict[int, str]:
    """Give the names in a passwd file by uid; the first name of a uid counts, as it does for the C library."""
    names: dict[int, str] = {}
    for line in text.split(b"\n"):
        fields = line.split(b":")
        if len(fields) >= 3 and fields[0] and len(fields[2]) <= 10 and fields[2].isdigit():
            names.setdefault(int(fields[2]), plain(fields[0]))
    return names
