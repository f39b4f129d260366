"""Hours of the host, with the factors and the supply they come from, as table rows and back."""

import logging
import sqlite3

from wattledger.rules.feeds.model import Accounting, Basis, Caliber, Factors, Gas, PointKind, Signal
from wattledger.rules.pricing.model import Boundary, FactorUse, HourPrice, Priced, SupplyUse
from wattledger.rules.supply.grid import GridScore
from wattledger.rules.supply.model import Layer

from .backlog import hours_within
from .base import LedgerDamaged
from .host_hours import HostHours, take
from .priced_row import PRICE_COLUMNS, has_prices, price_row, priced_of
from .rows import Row, SqlValue, fit, member, text, text_of, whole
from .waiting import Step

log = logging.getLogger(__name__)

_TABLES = ("hour_price", "hour_factor", "hour_supply", "hour_grid_score")
_HOUR_COLUMNS = f"energy_mj, {', '.join(PRICE_COLUMNS)}, currency"
_INSERT_HOUR = (
    f"INSERT INTO hour_price (hour, final, boundary, {_HOUR_COLUMNS}) "  # noqa: S608  (names of our own)
    f"VALUES ({', '.join('?' * (len(PRICE_COLUMNS) + 5))})"
)
_INSERT_USE = (
    "INSERT INTO hour_factor (hour, final, place, factor, level, energy_mj, product) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_SUPPLY = (
    "INSERT INTO hour_supply (hour, final, place, layer, name, energy_mj, is_green, is_matched) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_SCORE = "INSERT INTO hour_grid_score (hour, final, factor, energy_mj, covered_mj) VALUES (?, ?, ?, ?, ?)"
_FACTOR_COLUMNS = ("accounting", "zone", "provider", "caliber", "kind", "source")
_FIND_FACTOR = f"SELECT id FROM factor WHERE {' AND '.join(f'{column} = ?' for column in _FACTOR_COLUMNS)}"  # noqa: S608
_INSERT_FACTOR = f"INSERT INTO factor ({', '.join(_FACTOR_COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?)"  # noqa: S608

_SHARE = "carbon_free"  # stands for the accounting of what is no intensity
_FIRST_SCORES = 6  # the version of the file

_Key = tuple[int, bool]


def write(connection: sqlite3.Connection, step: Step) -> None:
    """Go on by a step. Raises LedgerDamaged, sqlite3.Error."""
    hours: HostHours = {}
    for hour in step.closings:
        hours |= _hours(connection, "hour = ?", (hour,))
    take(hours, step)
    for hour in step.closings:
        for name in _TABLES:
            connection.execute(f"DELETE FROM {name} WHERE hour = ?", (hour,))  # noqa: S608  (names of our own)
    for key, row in hours.items():
        _replace(connection, key, row)


def _replace(connection: sqlite3.Connection, key: _Key, row: HourPrice) -> None:
    for name in _TABLES:
        connection.execute(f"DELETE FROM {name} WHERE hour = ? AND final = ?", key)  # noqa: S608  (names of our own)
    connection.executemany(
        _INSERT_HOUR,
        [
            (*key, boundary.value, fit(priced.energy_mj), *price_row(priced), text(row.currency))
            for boundary, priced in row.boundaries.items()
        ],
    )
    connection.executemany(
        _INSERT_USE,
        [
            (*key, place, _factor(connection, use), use.level, fit(use.energy_mj), fit(use.product))
            for place, use in enumerate(row.factors)
        ],
    )
    connection.executemany(
        _INSERT_SUPPLY,
        [
            (*key, place, use.layer.value, text(use.name), fit(use.energy_mj), use.is_green, use.is_matched)
            for place, use in enumerate(row.supply)
        ],
    )
    score = row.with_grid
    if score is not None:
        factor = _row_of_factor(connection, (_SHARE, "", "", "", "", text(score.source)))
        connection.execute(_INSERT_SCORE, (*key, factor, fit(score.energy_mj), fit(score.covered_mj)))


def _factor(connection: sqlite3.Connection, use: FactorUse) -> int:
    """Give the row of a factor."""
    caliber = use.caliber
    words = (caliber.signal, caliber.factors, caliber.gas, caliber.basis, caliber.accounting)
    values = (
        use.accounting.value,
        text(use.zone),
        text(use.provider),
        ",".join(words),
        use.kind.value,
        text(use.source),
    )
    return _row_of_factor(connection, values)


def _row_of_factor(connection: sqlite3.Connection, values: Row) -> int:
    found = connection.execute(_FIND_FACTOR, values).fetchone()
    if found is None:
        connection.execute(_INSERT_FACTOR, values)
        found = connection.execute(_FIND_FACTOR, values).fetchone()
    return int(found[0])


def hours_overlapping(connection: sqlite3.Connection, start_wall_ns: int, end_wall_ns: int) -> HostHours:
    """Give the stored hours that overlap ``[start, end)``. Raises sqlite3.Error, LedgerDamaged."""
    return _hours(connection, "hour BETWEEN ? AND ?", hours_within(start_wall_ns, end_wall_ns))


def hours_open(connection: sqlite3.Connection) -> HostHours:
    """Give the stored hours of which something is open. Raises sqlite3.Error, LedgerDamaged."""
    opened = " UNION ".join(
        f"SELECT slot >> 2 FROM {name}"  # noqa: S608  (names of our own)
        for name in ("open_device", "open_workload", "open_service", "open_meter")
    )
    where = f"hour IN (SELECT hour FROM hour_price WHERE NOT final UNION {opened})"  # noqa: S608
    return _hours(connection, where, ())


def _hours(connection: sqlite3.Connection, where: str, values: Row) -> HostHours:
    """Give the hours that *where* selects. What only a later agent knows is left out, and logged."""
    if not has_prices(connection):
        return {}
    try:
        boundaries, currencies = _boundaries(connection, where, values)
        factors = _factors(connection, where, values)
        supply = _supply(connection, where, values)
        scores = _scores(connection, where, values)
    except (ValueError, TypeError) as error:
        raise LedgerDamaged(f"an hour of the host cannot be understood: {error!r}") from error
    return {
        key: HourPrice(
            key[0],
            of,
            tuple(factors.get(key, ())),
            tuple(supply.get(key, ())),
            currency=currencies[key],
            final=key[1],
            with_grid=scores.get(key),
        )
        for key, of in boundaries.items()
    }


def _boundaries(
    connection: sqlite3.Connection, where: str, values: Row
) -> tuple[dict[_Key, dict[Boundary, Priced]], dict[_Key, str]]:
    hours: dict[_Key, dict[Boundary, Priced]] = {}
    currencies: dict[_Key, str] = {}
    for hour, final, boundary, energy_mj, *columns, currency in connection.execute(
        f"SELECT hour, final, boundary, {_HOUR_COLUMNS} FROM hour_price WHERE {where}",  # noqa: S608
        values,
    ):
        key = _key(hour, final)
        currencies[key] = text_of(currency)
        of = hours.setdefault(key, {})
        known = member(Boundary, boundary)
        if known is None:
            log.warning("ledger_boundary_unknown hour=%s boundary=%s", hour, boundary)
        else:
            of[known] = priced_of(whole(energy_mj), tuple(columns))
    # From the boards to the meter of the house, as they were told.
    return {key: {each: of[each] for each in Boundary if each in of} for key, of in hours.items()}, currencies


def _factors(connection: sqlite3.Connection, where: str, values: Row) -> dict[_Key, list[FactorUse]]:
    factors: dict[_Key, list[FactorUse]] = {}
    for hour, final, accounting, zone, provider, caliber, kind, source, *numbers in connection.execute(
        "SELECT hour, final, factor.accounting, factor.zone, factor.provider, factor.caliber, "  # noqa: S608
        "factor.kind, factor.source, level, energy_mj, product "
        f"FROM hour_factor INNER JOIN factor ON factor.id = hour_factor.factor WHERE {where} ORDER BY hour, place",
        values,
    ):
        method, words, point = member(Accounting, accounting), _caliber(caliber), member(PointKind, kind)
        if method is None or words is None or point is None:
            log.warning(
                "ledger_factor_unknown hour=%s accounting=%s caliber=%s kind=%s", hour, accounting, caliber, kind
            )
            continue
        level, energy_mj, product = map(whole, numbers)
        use = FactorUse(
            method, text_of(zone), text_of(provider), words, point, level, energy_mj, product, text_of(source)
        )
        factors.setdefault(_key(hour, final), []).append(use)
    return factors


def _caliber(value: SqlValue) -> Caliber | None:
    """Give what the words say, None for what only a later agent knows. Raises TypeError, ValueError for no words."""
    signal, factors, gas, basis, accounting = text_of(value).split(",")
    try:
        return Caliber(Signal(signal), Factors(factors), Gas(gas), Basis(basis), Accounting(accounting))
    except ValueError:
        return None


def _supply(connection: sqlite3.Connection, where: str, values: Row) -> dict[_Key, list[SupplyUse]]:
    supply: dict[_Key, list[SupplyUse]] = {}
    for hour, final, layer, name, energy_mj, is_green, is_matched in connection.execute(
        "SELECT hour, final, layer, name, energy_mj, is_green, is_matched FROM hour_supply "  # noqa: S608
        f"WHERE {where} ORDER BY hour, place",
        values,
    ):
        known = member(Layer, layer)
        if known is None:
            log.warning("ledger_layer_unknown hour=%s layer=%s", hour, layer)
            continue
        use = SupplyUse(known, text_of(name), whole(energy_mj), bool(whole(is_green)), bool(whole(is_matched)))
        supply.setdefault(_key(hour, final), []).append(use)
    return supply


def _scores(connection: sqlite3.Connection, where: str, values: Row) -> dict[_Key, GridScore]:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version < _FIRST_SCORES:
        return {}
    return {
        _key(hour, final): GridScore(whole(energy_mj), whole(covered_mj), text_of(source))
        for hour, final, source, energy_mj, covered_mj in connection.execute(
            "SELECT hour, final, factor.source, energy_mj, covered_mj "  # noqa: S608  (as above)
            f"FROM hour_grid_score INNER JOIN factor ON factor.id = hour_grid_score.factor WHERE {where}",
            values,
        )
    }


def _key(hour: SqlValue, final: SqlValue) -> _Key:
    return whole(hour), bool(whole(final))
