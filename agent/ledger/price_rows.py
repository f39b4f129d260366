"""Counters of prices as table rows and back; it knows no file and no transaction."""

import logging
import sqlite3
from collections.abc import Iterator

from wattledger.rules.chain.node_model import NodeAnchor, NodeSource, NodeTotal
from wattledger.rules.instant import Instant
from wattledger.rules.pricing.model import PriceTotal, TotalKind

from .base import LedgerDamaged, Prices
from .price_books import PriceBooks
from .priced_row import has_prices
from .rows import Row, SqlValue, fit, member, text, text_of, whole

log = logging.getLogger(__name__)

_INSERT_TOTAL = "INSERT OR REPLACE INTO price_total (kind, labels, closed, shown) VALUES (?, ?, ?, ?)"
_INSERT_NODE = (
    "INSERT OR REPLACE INTO node_total (domain, source, energy_mj, rest_half_pj, unmetered_ns, resets, mono_ns, "
    "wall_ns, boot_id, energy_uj, power_mw, period_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_CERTIFICATE = "INSERT OR REPLACE INTO certificate (lot, used_mj) VALUES (?, ?)"


def write(connection: sqlite3.Connection, books: PriceBooks, *, everything: bool) -> None:
    """Write the counters that changed; *everything*: replace whatever is there. Raises sqlite3.Error."""
    if everything:
        connection.execute("DELETE FROM price_total")
        connection.execute("DELETE FROM certificate")
        connection.execute("DELETE FROM node_total")
    keys = books.totals if everything else books.changed
    lots = books.certificates if everything else books.changed_certificates
    connection.executemany(_INSERT_TOTAL, [_total_row(books.totals[key]) for key in keys])
    connection.executemany(_INSERT_CERTIFICATE, [(text(lot), fit(books.certificates[lot])) for lot in lots])
    meters = books.nodes if everything else books.changed_nodes
    connection.executemany(_INSERT_NODE, [_node_row(books.nodes[key]) for key in meters])


def _total_row(total: PriceTotal) -> Row:
    import json  # noqa: PLC0415  (not needed where nothing is priced)

    return total.kind.value, json.dumps(total.labels), fit(total.closed), fit(total.shown)


def read(connection: sqlite3.Connection) -> Prices:
    """Give the counters; a file of an older version has none. What only a later agent knows is left out, and logged.

    Raises LedgerDamaged for rows that say what cannot be, sqlite3.Error from below.
    """
    if not has_prices(connection):
        return Prices()
    totals = []
    try:
        for kind, labels, closed, shown in connection.execute("SELECT kind, labels, closed, shown FROM price_total"):
            known = member(TotalKind, kind)
            if known is None:
                log.warning("ledger_price_unknown kind=%s labels=%s", kind, labels)
            else:
                totals.append(PriceTotal(known, _labels(labels), whole(closed), whole(shown)))
        found = connection.execute("SELECT lot, used_mj FROM certificate")
        certificates = {text_of(lot): whole(used_mj) for lot, used_mj in found}
        nodes = tuple(_nodes(connection))
    except (ValueError, TypeError) as error:
        raise LedgerDamaged(f"a counter of prices cannot be understood: {error!r}") from error
    return Prices(tuple(totals), certificates, nodes=nodes)


def _node_row(total: NodeTotal) -> Row:
    numbers = (total.energy_mj, total.rest_half_pj, total.unmetered_ns, total.resets)
    row = (text(total.domain), total.source.value, *map(fit, numbers))
    anchor = total.anchor
    if anchor is None:
        return (*row, None, None, None, None, None, None)
    known = (anchor.energy_uj, anchor.power_mw)
    return (
        *row,
        fit(anchor.at.mono_ns),
        fit(anchor.at.wall_ns),
        text(anchor.boot_id),
        *(None if number is None else fit(number) for number in known),
        fit(anchor.period_ns),
    )


def _nodes(connection: sqlite3.Connection) -> Iterator[NodeTotal]:
    for domain, source, *numbers in connection.execute(
        "SELECT domain, source, energy_mj, rest_half_pj, unmetered_ns, resets, mono_ns, wall_ns, boot_id, energy_uj, "
        "power_mw, period_ns FROM node_total"
    ):
        known = member(NodeSource, source)
        if known is None:
            log.warning("ledger_meter_unknown domain=%s source=%s", domain, source)
            continue
        energy_mj, rest_half_pj, unmetered_ns, resets = map(whole, numbers[:4])
        yield NodeTotal(text_of(domain), known, energy_mj, rest_half_pj, unmetered_ns, resets, _anchor(*numbers[4:]))


def _anchor(
    mono_ns: SqlValue, wall_ns: SqlValue, boot_id: SqlValue, energy_uj: SqlValue, *rest: SqlValue
) -> NodeAnchor | None:
    if mono_ns is None:
        return None
    power_mw, period_ns = rest
    return NodeAnchor(
        Instant(whole(mono_ns), whole(wall_ns)),
        text_of(boot_id),
        None if energy_uj is None else whole(energy_uj),
        None if power_mw is None else whole(power_mw),
        whole(period_ns),
    )


def _labels(value: SqlValue) -> tuple[str, ...]:
    import json  # noqa: PLC0415  (as above)

    found = json.loads(value) if isinstance(value, str) else None
    if not isinstance(found, list) or not all(isinstance(label, str) for label in found):
        raise TypeError(f"labels {value!r}")
    return tuple(found)
