"""A workload as a row of its table and back; what it used is not said here."""

import sqlite3

from wattledger.rules.usage.workload import Names, Workload, WorkloadKey, WorkloadKind

from .rows import Row, SqlValue, member, text, text_of

WORKLOAD_COLUMNS = "workload.kind, workload.identity, workload.title, workload.names"

_FIRST_VERSION = 4  # of the tables of workloads and services


def has_usage(connection: sqlite3.Connection) -> bool:
    """Give whether the file has the tables of workloads and services at all. Raises sqlite3.Error."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version) >= _FIRST_VERSION


def key_row(key: WorkloadKey) -> Row:
    """Give the columns kind and identity."""
    kind, identity = key
    return kind.value, text(identity)


def names_row(workload: Workload) -> Row:
    """Give the columns title and names: a JSON object in the order of the names, empty where there are none."""
    if not workload.names:
        return text(workload.title), ""
    import json  # noqa: PLC0415  (not needed where no workload has names)

    return text(workload.title), json.dumps(dict(workload.names), separators=(",", ":"))


def workload_of(kind: SqlValue, identity: SqlValue, title: SqlValue, names: SqlValue) -> Workload | None:
    """Give what WORKLOAD_COLUMNS say, None for a kind that only a later agent knows.

    Raises TypeError or ValueError for what is no workload.
    """
    known = member(WorkloadKind, kind)
    return None if known is None else Workload(known, text_of(identity), text_of(title), _names(names))


def _names(value: SqlValue) -> Names:
    if value == "":
        return ()
    import json  # noqa: PLC0415  (as above)

    found = json.loads(value) if isinstance(value, str) else None
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found.values()):
        raise TypeError(f"names {value!r}")
    return tuple(found.items())
