"""What a failure of the disk is called and how it is cured; what the ledger does about it is not said here."""

import errno
import os
import sqlite3
from pathlib import Path

from .base import LedgerError
from .damage import primary_code

# SQLite's index of the log takes 32 kB at once.
_LEAST_ROOM = 64 * 1024
_BY_CODE = {
    sqlite3.SQLITE_FULL: "no space left: free some, or move state_dir to another disk",
    sqlite3.SQLITE_READONLY: "read-only: remount it writable, or give the agent the right to write",
    sqlite3.SQLITE_CANTOPEN: "give the agent the right to write there, or free some space",
    sqlite3.SQLITE_PERM: "not permitted: give the agent the right to write there",
    sqlite3.SQLITE_BUSY: "held by another program: close the one that reads or writes the file",
    sqlite3.SQLITE_LOCKED: "held by another program: close the one that reads or writes the file",
    sqlite3.SQLITE_IOERR: "the disk fails: check the kernel log",
}
_BY_ERRNO = {
    errno.ENOSPC: "free some, or move state_dir to another disk",
    errno.EDQUOT: "free some space, or move state_dir to another disk",
    errno.EROFS: "remount it writable, or give another --state-dir",
    errno.ENOTDIR: "give another --state-dir",
    errno.EEXIST: "a file is where the directory should be: give another --state-dir",
    errno.EIO: "check the kernel log",
}


def describe(error: Exception, state_dir: Path) -> str:
    """Give place, fault and cure in one line."""
    if isinstance(error, LedgerError):
        return str(error)
    if isinstance(error, OSError):
        place = error.filename or state_dir
        if error.errno in (errno.EACCES, errno.EPERM):
            return f"{place}: not permitted: make it writable for user {os.geteuid()}, or give another --state-dir"
        cure = _BY_ERRNO.get(error.errno or 0, "check the directory, or give another --state-dir")
        return f"{place}: {error.strerror or error}: {cure}"
    code = primary_code(error)
    if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN):
        code = _hidden(state_dir) or code  # SQLite hides why it could not make a file
    cure = _BY_CODE.get(code, "check the directory and its disk")
    return f"{state_dir}: {error}: {cure}"


def _hidden(state_dir: Path) -> int:
    """Give what the file system itself says is wrong with it, as SQLite's code; 0 for nothing."""
    try:
        disk = os.statvfs(state_dir)
    except OSError:
        return 0
    if disk.f_flag & os.ST_RDONLY:
        return sqlite3.SQLITE_READONLY
    return sqlite3.SQLITE_FULL if disk.f_bavail * disk.f_frsize < _LEAST_ROOM else 0


def is_busy(error: Exception) -> bool:
    """Tell a lock of another program, which goes by itself, from trouble that the connection may not outlive."""
    return primary_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_full(error: Exception) -> bool:
    """Tell a disk without room."""
    return primary_code(error) == sqlite3.SQLITE_FULL
