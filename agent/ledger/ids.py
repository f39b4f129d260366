"""Which row stands for a device, workload or service; what is booked to the row is not its matter."""

import sqlite3
from dataclasses import dataclass

from wattledger.rules.usage.workload import Workload, WorkloadKey

from .rows import Row, text
from .workload_row import key_row, names_row

# Many short jobs must not fill the memory; the file knows them.
_WORKLOADS_REMEMBERED = 8_192


@dataclass(slots=True)
class _WorkloadRow:
    """A row of the table workload: what stands in it, and the workload that was last held against it."""

    id: int
    names: Row
    last_hour: int
    seen: Workload | None = None


class Ids:
    """Finds or makes rows, inside the caller's transaction. After a rollback call `forget`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._devices: dict[str, int] = {}
        self._services: dict[tuple[str, str], int] = {}
        self._workloads: dict[WorkloadKey, _WorkloadRow] = {}

    def forget(self) -> None:
        """Look everything up anew."""
        self._devices.clear()
        self._services.clear()
        self._workloads.clear()

    def forget_old_workloads(self, horizon: int, *, limit: int) -> bool:
        """Delete workloads whose history is over before the hour *horizon* and that have no totals.

        Gives whether there were some. Raises sqlite3.Error.
        """
        deleted = self._connection.execute(
            "DELETE FROM workload WHERE id IN (SELECT id FROM workload WHERE last_hour < ? AND NOT EXISTS "
            "(SELECT 1 FROM workload_total WHERE workload_total.workload = workload.id) LIMIT ?)",
            (horizon, limit),
        ).rowcount
        if deleted:
            self._workloads.clear()
        return deleted > 0

    def device(self, uuid: str) -> int:
        """Give the row of a device. Raises sqlite3.Error."""
        known = self._devices.get(uuid)
        if known is None:
            self._connection.execute("INSERT INTO device (uuid) VALUES (?) ON CONFLICT (uuid) DO NOTHING", (uuid,))
            (found,) = self._connection.execute("SELECT id FROM device WHERE uuid = ?", (uuid,)).fetchone()
            known = self._devices[uuid] = int(found)
        return known

    def service(self, name: str, model: str) -> int:
        """Give the row of a service and model. Raises sqlite3.Error."""
        known = self._services.get((name, model))
        if known is None:
            values = (text(name), text(model))
            self._connection.execute(
                "INSERT INTO service (name, model) VALUES (?, ?) ON CONFLICT (name, model) DO NOTHING", values
            )
            (found,) = self._connection.execute(
                "SELECT id FROM service WHERE name = ? AND model = ?", values
            ).fetchone()
            known = self._services[name, model] = int(found)
        return known

    def find_service(self, name: str, model: str) -> int | None:
        """Give the row of a service, None where there is none, and remember it no more. Raises sqlite3.Error."""
        self._services.pop((name, model), None)
        found = self._connection.execute(
            "SELECT id FROM service WHERE name = ? AND model = ?", (text(name), text(model))
        ).fetchone()
        return None if found is None else int(found[0])

    def workload(self, workload: Workload, *, hour: int = -1) -> int:
        """Give the row of a workload, with the names it has now; *hour* is one that its history has.

        Raises sqlite3.Error.
        """
        row = self._workloads.get(workload.key)
        if row is None:
            row = self._found(workload)
        if row.seen is not workload and row.seen != workload:
            names = names_row(workload)
            if names != row.names:
                self._connection.execute("UPDATE workload SET title = ?, names = ? WHERE id = ?", (*names, row.id))
                row.names = names
        row.seen = workload
        if hour > row.last_hour:
            self._connection.execute("UPDATE workload SET last_hour = ? WHERE id = ?", (hour, row.id))
            row.last_hour = hour
        return row.id

    def find_workload(self, key: WorkloadKey) -> int | None:
        """Give the row of a workload, None where there is none. Raises sqlite3.Error."""
        known = self._workloads.get(key)
        if known is not None:
            return known.id
        found = self._connection.execute(
            "SELECT id FROM workload WHERE kind = ? AND identity = ?", key_row(key)
        ).fetchone()
        return None if found is None else int(found[0])

    def drop_workload(self, key: WorkloadKey) -> None:
        """Delete the row of a workload if nothing refers to it. Raises sqlite3.Error."""
        self._connection.execute(
            "DELETE FROM workload WHERE kind = ? AND identity = ? AND last_hour < 0 "
            "AND NOT EXISTS (SELECT 1 FROM workload_total WHERE workload_total.workload = workload.id)",
            key_row(key),
        )
        self._workloads.pop(key, None)

    def _found(self, workload: Workload) -> _WorkloadRow:
        if len(self._workloads) >= _WORKLOADS_REMEMBERED:
            self._workloads.clear()
        key = key_row(workload.key)
        select = "SELECT id, last_hour, title, names FROM workload WHERE kind = ? AND identity = ?"
        found = self._connection.execute(select, key).fetchone()
        if found is None:
            self._connection.execute(
                "INSERT INTO workload (kind, identity, title, names) VALUES (?, ?, ?, ?)",
                (*key, *names_row(workload)),
            )
            found = self._connection.execute(select, key).fetchone()
        number, last_hour, *names = found
        row = self._workloads[workload.key] = _WorkloadRow(int(number), tuple(names), int(last_hour))
        return row
