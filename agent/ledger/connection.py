"""A connection to a ledger's file, as every part of the ledger opens it."""

import sqlite3
from pathlib import Path

from ..sqlite_text import connect as connect_to
from .base import LedgerDamaged

# A tick waits this long for a program that holds the file, and no longer.
BUSY_SECONDS = 0.1


def connect(path: Path, *, mode: str) -> sqlite3.Connection:
    """Give a connection in autocommit; *mode* is SQLite's: ro, rw, rwc. Raises sqlite3.Error.

    Statements and fetches raise LedgerDamaged where the file has text that is none.
    """
    return connect_to(path, mode=mode, busy_seconds=BUSY_SECONDS, damaged=LedgerDamaged)
