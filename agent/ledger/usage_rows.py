"""Totals of workloads and services as table rows and back; it knows no file and no transaction."""

import logging
import sqlite3
from collections.abc import Iterable

from wattledger.rules.state import State
from wattledger.rules.tokens.model import TokenKind
from wattledger.rules.tokens.totals import Phase, ServiceTotal
from wattledger.rules.usage.totals import UsageTotal
from wattledger.rules.usage.workload import ShareMethod

from .base import LedgerDamaged, Usage
from .books import UsageBooks
from .ids import Ids
from .rows import Row, SqlValue, fit, member, text_of, whole
from .workload_row import WORKLOAD_COLUMNS, has_usage, workload_of

log = logging.getLogger(__name__)

_SERVICE_TABLES = ("service_phase", "service_tokens", "service_total")
_TABLES = ("workload_total", *_SERVICE_TABLES)
_INSERT_TOTAL = (
    "INSERT OR REPLACE INTO workload_total (workload, device, state, method, energy_mj, duration_ns, avoidable_mj, "
    "last_wall_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_DELETE_TOTAL = "DELETE FROM workload_total WHERE workload = ? AND device = ? AND state = ? AND method = ?"
_INSERT_SERVICE = (
    "INSERT OR REPLACE INTO service_total (service, active_mj, total_mj, preemptions, drafts_wasted, last_wall_ns) "
    "VALUES (?, ?, ?, ?, ?, ?)"
)


def write(connection: sqlite3.Connection, ids: Ids, books: UsageBooks, *, everything: bool) -> None:
    """Write the totals that changed and delete those that were dropped; *everything*: replace whatever is there.

    Raises sqlite3.Error.
    """
    if everything:
        for table in _TABLES:
            connection.execute(f"DELETE FROM {table}")  # noqa: S608  (names of our own)
    _drop(connection, ids, books)
    totals = books.totals.values() if everything else [books.totals[key] for key in books.changed]
    connection.executemany(_INSERT_TOTAL, [_total_row(ids, books, total) for total in totals])
    services = books.services.values() if everything else [books.services[key] for key in books.changed_services]
    for service in services:
        _write_service(connection, ids.service(service.service, service.model), service)


def _drop(connection: sqlite3.Connection, ids: Ids, books: UsageBooks) -> None:
    for uuid, key, state, method in books.dropped:
        number = ids.find_workload(key)
        if number is not None:
            connection.execute(_DELETE_TOTAL, (number, ids.device(uuid), state.value, method.value))
    for key in {key for _, key, _, _ in books.dropped} - books.workloads.keys():
        ids.drop_workload(key)
    for service in books.dropped_services:
        number = ids.find_service(*service)
        if number is not None:
            for table in _SERVICE_TABLES:  # its name stays for its history
                connection.execute(f"DELETE FROM {table} WHERE service = ?", (number,))  # noqa: S608  (our own names)


def _total_row(ids: Ids, books: UsageBooks, total: UsageTotal) -> Row:
    return (
        ids.workload(books.workloads[total.workload.key]),
        ids.device(total.uuid),
        total.state.value,
        total.method.value,
        *map(fit, (total.energy_mj, total.duration_ns, total.avoidable_mj, total.last_wall_ns)),
    )


def _write_service(connection: sqlite3.Connection, number: int, total: ServiceTotal) -> None:
    numbers = (total.active_mj, total.total_mj, total.preemptions, total.drafts_wasted, total.last_wall_ns)
    connection.execute(_INSERT_SERVICE, (number, *map(fit, numbers)))
    connection.execute("DELETE FROM service_phase WHERE service = ?", (number,))
    connection.executemany(
        "INSERT INTO service_phase (service, phase, energy_mj) VALUES (?, ?, ?)",
        [(number, phase.value, fit(energy_mj)) for phase, energy_mj in total.phases.items()],
    )
    connection.execute("DELETE FROM service_tokens WHERE service = ?", (number,))
    connection.executemany(
        "INSERT INTO service_tokens (service, kind, tokens) VALUES (?, ?, ?)",
        [(number, kind.value, fit(tokens)) for kind, tokens in total.tokens.items()],
    )


def read(connection: sqlite3.Connection) -> Usage:
    """Give all totals; a file of an older version has none. What only a later agent knows is left out, and logged.

    Raises LedgerDamaged for rows that say what cannot be, sqlite3.Error from below.
    """
    if not has_usage(connection):
        return Usage()
    try:
        return Usage(tuple(_totals(connection)), tuple(_services(connection)))
    except (ValueError, TypeError, KeyError) as error:
        raise LedgerDamaged(f"a row cannot be understood: {error!r}") from error


def _totals(connection: sqlite3.Connection) -> list[UsageTotal]:
    totals, unknown = [], set()
    for uuid, state, method, *rest in connection.execute(
        "SELECT device.uuid, workload_total.state, workload_total.method, workload_total.energy_mj, "  # noqa: S608
        "workload_total.duration_ns, workload_total.avoidable_mj, workload_total.last_wall_ns, "
        f"{WORKLOAD_COLUMNS} FROM workload_total "
        "INNER JOIN device ON device.id = workload_total.device "
        "INNER JOIN workload ON workload.id = workload_total.workload"
    ):
        workload = workload_of(*rest[4:])
        known_state, known_method = member(State, state), member(ShareMethod, method)
        if workload is None or known_state is None or known_method is None:
            unknown.add((rest[4], state, method))
        else:
            totals.append(UsageTotal(text_of(uuid), workload, known_state, known_method, *map(whole, rest[:4])))
    for kind, state, method in sorted(unknown):
        log.warning("ledger_workload_unknown kind=%s state=%s method=%s", kind, state, method)
    return totals


def _services(connection: sqlite3.Connection) -> Iterable[ServiceTotal]:
    services: dict[SqlValue, ServiceTotal] = {}
    for number, name, model, *numbers in connection.execute(
        "SELECT service.id, service.name, service.model, service_total.active_mj, service_total.total_mj, "
        "service_total.preemptions, service_total.drafts_wasted, service_total.last_wall_ns "
        "FROM service_total INNER JOIN service ON service.id = service_total.service ORDER BY service.id"
    ):
        active_mj, total_mj, preemptions, drafts_wasted, last_wall_ns = map(whole, numbers)
        services[number] = ServiceTotal(
            service=text_of(name),
            model=text_of(model),
            active_mj=active_mj,
            total_mj=total_mj,
            preemptions=preemptions,
            drafts_wasted=drafts_wasted,
            last_wall_ns=last_wall_ns,
        )
    for number, phase, energy_mj in connection.execute("SELECT service, phase, energy_mj FROM service_phase"):
        known = member(Phase, phase)
        if known is None:
            log.warning("ledger_phase_unknown service=%s phase=%s", services[number].service, phase)
        else:
            services[number].phases[known] = whole(energy_mj)
    for number, kind, tokens in connection.execute("SELECT service, kind, tokens FROM service_tokens"):
        token = member(TokenKind, kind)
        if token is None:
            log.warning("ledger_tokens_unknown service=%s kind=%s", services[number].service, kind)
        else:
            services[number].tokens[token] = whole(tokens)
    return services.values()
