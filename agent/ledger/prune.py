"""When history is too old, and how it goes in steps that hold no tick up; totals are never touched."""

import sqlite3

from wattledger.rules.instant import NS_PER_HOUR, Instant
from wattledger.rules.pricing.model import SLOTS_PER_HOUR

from .hours import hour_of
from .ids import Ids

HOURS_PER_STEP = 48
ROWS_PER_STEP = 4_000  # and the rest of the hour that these end in
PAGES_PER_STEP = 64
# Free pages that new hours will fill again are left; giving them back each hour would only make work.
FREE_PAGES_KEPT = 64
# Each with the first column of its key, and how many of that an hour has.
_TABLES = (
    ("hourly", "hour", 1),
    ("workload_hourly", "hour", 1),
    ("service_hourly", "hour", 1),
    ("service_hourly_tokens", "hour", 1),
    ("open_device", "slot", SLOTS_PER_HOUR),
    ("open_workload", "slot", SLOTS_PER_HOUR),
    ("open_service", "slot", SLOTS_PER_HOUR),
    ("open_meter", "slot", SLOTS_PER_HOUR),
    ("hour_price", "hour", 1),
    ("hour_factor", "hour", 1),
    ("hour_supply", "hour", 1),
    ("hour_grid_score", "hour", 1),
)


class Pruning:
    """Starts once an hour, then takes one step a commit until nothing is left to do."""

    def __init__(self, history_days: int) -> None:
        if history_days < 1:
            raise ValueError(f"history_days is {history_days}; it must be at least 1")
        self._hours_kept = history_days * 24
        self._previous: Instant | None = None
        self._since: Instant | None = None  # of the last run, or of the last leap of the wall clock
        self._horizon: int | None = None  # set while a run goes on

    def first_hour(self, at: Instant) -> int:
        """Give the oldest hour that is kept at *at*."""
        return hour_of(at.wall_ns) - self._hours_kept

    def step(self, connection: sqlite3.Connection, at: Instant, ids: Ids) -> None:
        """Delete or give back a bounded amount, inside the caller's transaction. Raises sqlite3.Error."""
        if self._is_due(at) and self._horizon is None:
            self._horizon = self.first_hour(at)
        if self._horizon is not None and not _step(connection, self._horizon, ids):
            self._horizon = None

    def _is_due(self, at: Instant) -> bool:
        previous, self._previous = self._previous, at
        # A wall clock that leaps ahead must not cost a year of history: it has to hold for an hour first.
        leapt = previous is None or abs(at.wall_ns - previous.wall_ns - at.ns_since(previous)) > NS_PER_HOUR
        if self._since is None or leapt:
            self._since = at
            return False
        if at.ns_since(self._since) < NS_PER_HOUR:
            return False
        self._since = at
        return True


def _step(connection: sqlite3.Connection, horizon: int, ids: Ids) -> bool:
    return (
        any(_delete_hours(connection, table, time, per_hour, horizon) for table, time, per_hour in _TABLES)
        or ids.forget_old_workloads(horizon, limit=ROWS_PER_STEP)
        or _give_back(connection)
    )


def _delete_hours(connection: sqlite3.Connection, table: str, time: str, per_hour: int, horizon: int) -> bool:
    # The names are those written above; none comes from outside.
    (first,) = connection.execute(f"SELECT min({time}) FROM {table}").fetchone()  # noqa: S608
    if first is None or first >= horizon * per_hour:
        return False
    oldest = first // per_hour
    end = min(horizon, oldest + HOURS_PER_STEP)
    enough = connection.execute(
        f"SELECT {time} FROM {table} WHERE {time} < ? ORDER BY {time} LIMIT 1 OFFSET ?",  # noqa: S608
        (end * per_hour, ROWS_PER_STEP),
    ).fetchone()
    if enough is not None:
        end = max(oldest + 1, int(enough[0]) // per_hour)
    connection.execute(f"DELETE FROM {table} WHERE {time} < ?", (end * per_hour,))  # noqa: S608
    return True


def _give_back(connection: sqlite3.Connection) -> bool:
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    if free <= FREE_PAGES_KEPT:
        return False
    for _ in range(min(PAGES_PER_STEP, free - FREE_PAGES_KEPT)):
        # One page a call: the module sqlite3 steps a statement without columns once and leaves it.
        connection.execute("PRAGMA incremental_vacuum(1)")
    return True
