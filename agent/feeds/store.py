"""Points that outlive the process: one SQLite file, so that an agent that starts in an outage goes on with them."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from wattledger.rules.feeds.model import Point, PointKind, Series

from ..sqlite_text import connect

_log = logging.getLogger(__name__)

T = TypeVar("T")

STORE_NAME = "feeds.sqlite3"
MOST_POINTS = 100_000  # of one series
_VERSION = 1
_LATEST_NS = 2**63 - 1  # SQLite's largest number
_BUSY_SECONDS = 1.0
_SETTINGS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",  # a power cut may cost the last answer, never the file
    "PRAGMA wal_autocheckpoint = 256",  # pages; the log stays near 1 MB
    "PRAGMA journal_size_limit = 1048576",
    "PRAGMA cache_size = -512",  # kB
    "PRAGMA mmap_size = 0",  # an I/O error is an answer, not a SIGBUS
)
# `number` keeps the order of putting: of equal issues the later put wins.
_TABLES = f"""
BEGIN IMMEDIATE;
CREATE TABLE series (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE point (
    number INTEGER PRIMARY KEY,
    series INTEGER NOT NULL,
    start_wall_ns INTEGER NOT NULL,
    end_wall_ns INTEGER NOT NULL,
    kind TEXT NOT NULL,
    value INTEGER NOT NULL,
    issued_wall_ns INTEGER NOT NULL,
    UNIQUE (series, start_wall_ns, end_wall_ns, kind)
);
PRAGMA user_version = {_VERSION};
COMMIT;
"""
_REMOVE_OLDER = """
DELETE FROM point
WHERE series = ? AND start_wall_ns = ? AND end_wall_ns = ? AND kind = ? AND issued_wall_ns <= ?
"""
_DOUBT = "UPDATE point SET issued_wall_ns = :now WHERE series = :series AND issued_wall_ns > :now"
_ADD = """
INSERT OR IGNORE INTO point (series, start_wall_ns, end_wall_ns, kind, issued_wall_ns, value)
VALUES (?, ?, ?, ?, ?, ?)
"""
_TRIM = """
DELETE FROM point WHERE series = :series AND start_wall_ns < (
    SELECT start_wall_ns FROM point WHERE series = :series ORDER BY start_wall_ns DESC LIMIT 1 OFFSET :most
)
"""


class _DamagedError(Exception):
    """The file is none of ours, or not as it was written."""


class FeedStore:
    """Points by series in `<state_dir>/feeds.sqlite3`. Belongs to one thread at a time; nothing it does raises.

    A damaged file is moved aside, once in the life of the agent. Where nothing can be written that is logged once,
    tried again with each `put`, and until then there is only what others have in memory.
    """

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / STORE_NAME
        self._connection: sqlite3.Connection | None = None
        self._is_failing = False
        self._was_moved = False

    def points(self, series: Series, *, origin: str = "", number: int = 0, since_wall_ns: int = 0) -> list[Point]:
        """Give what is known of *series* and ends after *since_wall_ns*, in the order in which it was put.

        *origin* and *number* tell apart what has the same series and is not the same: two URLs, or what was read in
        another unit before the configuration was changed; and two feeds that are alike in all of it.
        """
        name = _name(series, origin, number)
        return self._do(lambda connection: list(_read(connection, name, since_wall_ns))) or []

    def put(
        self,
        series: Series,
        points: Iterable[Point],
        *,
        origin: str = "",
        number: int = 0,
        now_wall_ns: int = _LATEST_NS,
    ) -> None:
        """Keep *points*, all of them or none; those of the same stretch and kind that were issued before go.

        What was put and claims to be issued after *now_wall_ns* counts as issued then, as in a Track.
        """
        new = [point for point in points if point.end_wall_ns <= _LATEST_NS and abs(point.value) <= _LATEST_NS]
        if new:
            name = _name(series, origin, number)
            self._do(lambda connection: _write(connection, name, new, now_wall_ns))

    def prune(self, before_wall_ns: int) -> None:
        """Forget points that ended before, the oldest of a series that has too many, and series without any."""
        self._do(lambda connection: _prune(connection, before_wall_ns))

    def close(self) -> None:
        """Let go of the file."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _do(self, task: Callable[[sqlite3.Connection], T]) -> T | None:
        try:
            try:
                found = task(self._opened())
            except (sqlite3.DatabaseError, _DamagedError) as error:
                if self._was_moved or not _is_damage(error):
                    raise
                self._move_aside(error)
                found = task(self._opened())
        except (sqlite3.Error, OSError, _DamagedError) as error:
            self.close()
            if not self._is_failing:
                _log.warning("feed_cache_unusable path=%s detail=%s cache=in_memory", self._path, error)
            self._is_failing = True
            return None
        if self._is_failing:
            _log.info("feed_cache_usable_again path=%s", self._path)
        self._is_failing = False
        return found

    def _opened(self) -> sqlite3.Connection:
        if self._connection is not None and not self._path.exists():
            self.close()  # somebody removed it: what is written to it now is lost
        if self._connection is None:
            self._path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            connection = connect(self._path, mode="rwc", busy_seconds=_BUSY_SECONDS, damaged=_DamagedError)
            try:
                _prepare(connection)
            except BaseException:  # an interrupt too: the file must not stay open
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _move_aside(self, error: Exception) -> None:
        """Begin anew. One damaged file is kept for whoever wants to look at it. Raises OSError."""
        self.close()
        self._was_moved = True
        target = self._path.with_name("feeds.damaged.sqlite3")
        self._path.replace(target)
        for side in ("-wal", "-shm"):
            self._path.with_name(self._path.name + side).unlink(missing_ok=True)
        _log.error("feed_cache_damaged path=%s moved_to=%s detail=%s", self._path, target, error)


def _prepare(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if version != _VERSION and (version or tables):
        raise _DamagedError(f"it has version {version}, this agent knows {_VERSION}")
    for setting in _SETTINGS:
        connection.execute(setting).fetchall()
    if not tables:
        try:
            connection.executescript(_TABLES)
        except BaseException:
            if connection.in_transaction:
                connection.rollback()
            raise
    finding = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if finding != "ok":
        raise _DamagedError(" ".join(str(finding).split()))


def _read(connection: sqlite3.Connection, name: str, since_wall_ns: int) -> Iterator[Point]:
    rows = connection.execute(
        "SELECT start_wall_ns, end_wall_ns, value, kind, issued_wall_ns FROM point "
        "WHERE series = (SELECT id FROM series WHERE name = ?) AND end_wall_ns > ? ORDER BY number",
        (name, since_wall_ns),
    )
    for start, end, value, kind, issued in rows:
        if kind not in _KINDS or not all(isinstance(one, int) for one in (start, end, value, issued)) or start >= end:
            raise _DamagedError("a row is not as it was written")
        yield Point(start, end, value, _KINDS[kind], issued)


def _write(connection: sqlite3.Connection, name: str, points: list[Point], now_wall_ns: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("INSERT OR IGNORE INTO series (name) VALUES (?)", (name,))
        (key,) = connection.execute("SELECT id FROM series WHERE name = ?", (name,)).fetchone()
        connection.execute(_DOUBT, {"series": key, "now": now_wall_ns})
        rows = [
            (key, point.start_wall_ns, point.end_wall_ns, point.kind.value, point.issued_wall_ns, point.value)
            for point in points
        ]
        for row in rows:
            connection.execute(_REMOVE_OLDER, row[:-1])
            connection.execute(_ADD, row)
        connection.execute("COMMIT")
    except BaseException:  # an interrupt too: no transaction may stay open
        if connection.in_transaction:
            connection.rollback()
        raise


def _prune(connection: sqlite3.Connection, before_wall_ns: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("DELETE FROM point WHERE end_wall_ns <= ?", (before_wall_ns,))
        for (key,) in connection.execute("SELECT id FROM series").fetchall():
            connection.execute(_TRIM, {"series": key, "most": MOST_POINTS - 1})
        connection.execute("DELETE FROM series WHERE id NOT IN (SELECT series FROM point)")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.rollback()
        raise


_KINDS = {kind.value: kind for kind in PointKind}
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _is_damage(error: Exception) -> bool:
    """Tell damage of the file from trouble with the disk, the rights or another program."""
    if isinstance(error, _DamagedError):
        return True
    code = int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
    # Our statements are fixed: what they name and does not exist is missing from the file.
    return code in _DAMAGE or (code == sqlite3.SQLITE_ERROR and str(error).startswith(("no such", "malformed")))


def _name(series: Series, origin: str, number: int) -> str:
    caliber = series.caliber
    calibers = (
        () if caliber is None else (caliber.signal, caliber.factors, caliber.gas, caliber.basis, caliber.accounting)
    )
    parts = (series.measure, series.provider, series.zone, series.currency, series.source, *calibers, str(number))
    # Without an origin the name is that of before there were any: what is known by it is still good.
    return "\x1f".join((*parts, origin) if origin else parts)
