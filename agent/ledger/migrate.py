"""Which version of the tables this agent knows and how an older file gets there; the tables stand in migrations/."""

import sqlite3
from pathlib import Path

from .base import LedgerDamaged, LedgerTooNew

# The number of the newest file in migrations/. A constant, so that a ledger of this version is opened without
# loading what reads package files.
NEWEST_VERSION = 6
APPLICATION_ID = 0x57617474  # "Watt"


def migrate(connection: sqlite3.Connection, path: Path, *, fresh: bool = False) -> None:
    """Bring an open ledger to the newest version, one transaction a step.

    Raises LedgerTooNew for a file of a later agent, LedgerDamaged for one that is no ledger, sqlite3.Error.
    """
    version = _pragma(connection, "user_version")
    if not fresh and (version < 1 or _pragma(connection, "application_id") != APPLICATION_ID):
        raise LedgerDamaged(f"{path} is not a wattledger ledger")
    if version > NEWEST_VERSION:
        raise LedgerTooNew(path, version, NEWEST_VERSION)
    if version < NEWEST_VERSION:
        for number, script in _scripts(after=version):
            try:
                connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")
            except sqlite3.Error:
                if connection.in_transaction:
                    connection.rollback()
                raise


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _scripts(*, after: int) -> list[tuple[int, str]]:
    from importlib import resources  # noqa: PLC0415  (1 MB that a ledger of this version does not need)

    if not __package__:
        raise RuntimeError("migrations are found only inside the package")
    files = (resources.files(__package__) / "migrations").iterdir()
    numbered = sorted((int(file.name[:4]), file) for file in files if file.name.endswith(".sql"))
    return [(number, file.read_text(encoding="utf-8")) for number, file in numbered if number > after]
