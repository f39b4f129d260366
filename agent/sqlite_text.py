"""A connection to an SQLite file that tells damaged text from other trouble, which the module sqlite3 does not."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

Damaged = Callable[[str], Exception]
"""Makes the error of whoever asked, from what is damaged."""


def connect(path: Path, *, mode: str, busy_seconds: float, damaged: Damaged) -> sqlite3.Connection:
    """Give a connection in autocommit, for any one thread at a time; *mode* is SQLite's: ro, rw, rwc.

    Statements and fetches raise what *damaged* makes where the file has text that is no UTF-8. Raises sqlite3.Error.
    """
    connection = _Connection(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=busy_seconds,
        isolation_level=None,
        check_same_thread=False,
        damaged=damaged,
    )
    connection.text_factory = lambda raw: _text(raw, damaged)
    return connection


class _Connection(sqlite3.Connection):
    """SQLite's complaint about a damaged schema quotes it: the module then fails to decode the complaint itself."""

    def __init__(self, *arguments: Any, damaged: Damaged, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._damaged = damaged

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        try:
            return super().execute(*arguments)
        except UnicodeDecodeError as error:
            raise self._damaged(_what(error)) from error

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:
        try:
            return super().executemany(*arguments)
        except UnicodeDecodeError as error:
            raise self._damaged(_what(error)) from error

    def executescript(self, *arguments: Any) -> sqlite3.Cursor:
        try:
            return super().executescript(*arguments)
        except UnicodeDecodeError as error:
            raise self._damaged(_what(error)) from error


def _text(raw: bytes, damaged: Damaged) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise damaged(_what(error)) from error


def _what(error: UnicodeDecodeError) -> str:
    return f"text that is no UTF-8: {error.object[:80]!r}"
