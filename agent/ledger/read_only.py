"""The histories of a ledger that another process may be writing; it changes nothing there and takes no lock."""

import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

from .base import History, LedgerDamaged, LedgerError, LedgerTooNew
from .histories import StoredHistories
from .migrate import APPLICATION_ID, NEWEST_VERSION
from .peek import reading
from .place import LEDGER_NAME
from .rows import text_of
from .table import understood
from .trouble import describe
from .waiting import Waiting

T = TypeVar("T")


def open_read_only(state_dir: Path) -> History:
    """Give the histories of the ledger in *state_dir* as they are at this moment, whatever is committed meanwhile.

    Raises LedgerError, which names place, fault and cure, where there is no ledger or none that can be read. So do
    the histories.
    """
    return _Beside(state_dir)


class _Beside(StoredHistories):
    """One view of the file for all calls: a transaction that only reads."""

    def __init__(self, state_dir: Path) -> None:
        self._dir = state_dir
        self._mutex = threading.Lock()
        self._stack = ExitStack()
        path = state_dir / LEDGER_NAME
        try:
            path.stat()
            self._connection = self._stack.enter_context(reading(path, may_copy=True))
            self._connection.execute("BEGIN")
            _check(self._connection, path)
        except FileNotFoundError as error:
            self._stack.close()
            raise LedgerError(
                f"{path}: there is no ledger here; give the --state-dir of an agent that keeps one"
            ) from error
        except (sqlite3.Error, OSError) as error:
            self._stack.close()
            if not os.access(path, os.R_OK, effective_ids=True):
                # Not in the words for the agent, which writes: whoever reads needs no more than to read.
                raise LedgerError(
                    f"{path}: not permitted: ask as the user of the agent, or let user {os.geteuid()} read it"
                ) from error
            raise LedgerError(describe(error, state_dir)) from error
        except BaseException:  # an interrupt too: the file must not stay open
            self._stack.close()
            raise

    def _view(self, select: Callable[[sqlite3.Connection], T]) -> tuple[T, Waiting]:
        with self._mutex:
            try:
                return select(self._connection), Waiting()
            except sqlite3.Error as error:
                raise LedgerError(describe(error, self._dir)) from error

    def device_names(self) -> dict[str, str]:
        """Give the name of every device that the books know, by uuid; empty where it never told one."""
        found, _ = self._view(lambda connection: connection.execute("SELECT uuid, name FROM device").fetchall())
        return dict(understood("device", found, lambda row: (text_of(row[0]), text_of(row[1]))))

    def close(self) -> None:
        """Let go of the file. Safe to call twice."""
        self._stack.close()


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse what is no ledger, or of a later agent."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID or version < 1:
        raise LedgerDamaged(f"{path} is not a wattledger ledger; give the --state-dir of an agent that keeps one")
    if version > NEWEST_VERSION:
        raise LedgerTooNew(path, version, NEWEST_VERSION)
