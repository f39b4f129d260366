"""Tables whose rows add up, in the caller's transaction; what the rows are of is not said here."""

import logging
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import add
from typing import TypeVar

from .base import LedgerDamaged
from .rows import Row, fit, whole

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Table:
    """How the rows of one table are found and written, by the columns of their key."""

    name: str
    select_sql: str
    insert_sql: str


def table(name: str, keys: tuple[str, ...], numbers: tuple[str, ...]) -> Table:
    """Give the table *name*. The names are written in this package; none comes from outside."""
    marks = ", ".join("?" * (len(keys) + len(numbers)))
    where = " AND ".join(f"{key} = ?" for key in keys)
    return Table(
        name=name,
        select_sql=f"SELECT {', '.join(numbers)} FROM {name} WHERE {where}",  # noqa: S608
        insert_sql=f"INSERT OR REPLACE INTO {name} ({', '.join(keys + numbers)}) VALUES ({marks})",  # noqa: S608
    )


def add_numbers(connection: sqlite3.Connection, to: Table, key: Row, numbers: tuple[int, ...]) -> None:
    """Add *numbers* to a row, or make one. Raises LedgerDamaged, sqlite3.Error."""
    # Added up here and not by SQL, whose sums overflow where ours do not.
    found = connection.execute(to.select_sql, key).fetchone()
    if found is not None:
        try:
            numbers = tuple(map(add, numbers, map(whole, found)))
        except (ValueError, TypeError) as error:
            raise not_understood(to.name, error) from error
    connection.execute(to.insert_sql, (*key, *map(fit, numbers)))


def understood(name: str, found: Iterable[Row], decode: Callable[[Row], T | None]) -> list[T]:
    """Give what the rows of a table say; *decode* gives None for one that only a later agent knows: that is logged.

    Raises LedgerDamaged.
    """
    items: list[T] = []
    unknown = 0
    for row in found:
        try:
            item = decode(row)
        except (ValueError, TypeError) as error:
            raise not_understood(name, error) from error
        if item is None:
            unknown += 1
        else:
            items.append(item)
    if unknown:
        log.warning("ledger_history_unknown table=%s rows=%d", name, unknown)
    return items


def not_understood(name: str, error: Exception) -> LedgerDamaged:
    """Give what is raised for a row that says what cannot be."""
    return LedgerDamaged(f"a row of {name} cannot be understood: {error!r}")
