"""Prices, and hours that have them, as columns of a row and back; which tables have them is not said here."""

import sqlite3

from wattledger.rules.pricing.model import Priced

from .booked import Booked
from .hours import Cell
from .rows import Row, SqlValue, fit, whole

PRICE_COLUMNS = (
    "location",
    "location_covered_mj",
    "market",
    "market_covered_mj",
    "cost",
    "credit",
    "priced_mj",
)
NO_PRICES = ", ".join("0" * len(PRICE_COLUMNS))  # of a file that is older than the columns

_FIRST_VERSION = 5  # of the columns, and of the tables of prices and of open hours


def has_prices(connection: sqlite3.Connection) -> bool:
    """Give whether the file has prices and open hours at all. Raises sqlite3.Error."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version) >= _FIRST_VERSION


def price_row(priced: Priced) -> Row:
    """Give PRICE_COLUMNS. Energy that a value was known for is NULL where it is all of it."""
    energy_mj = priced.energy_mj

    def covered(part_mj: int) -> SqlValue:
        return None if part_mj == energy_mj else fit(part_mj)

    return (
        fit(priced.location),
        covered(priced.location_covered_mj),
        fit(priced.market),
        covered(priced.market_covered_mj),
        fit(priced.cost),
        fit(priced.credit),
        covered(priced.priced_mj),
    )


def priced_of(energy_mj: int, columns: Row) -> Priced:
    """Give what PRICE_COLUMNS say of *energy_mj*. Raises TypeError or ValueError for what is no price."""
    location, location_covered, market, market_covered, cost, credit, priced = columns

    def covered(value: SqlValue) -> int:
        return energy_mj if value is None else whole(value)

    return Priced(
        energy_mj,
        whole(location),
        covered(location_covered),
        whole(market),
        covered(market_covered),
        whole(cost),
        whole(credit),
        covered(priced),
    )


def booked_row(booked: Booked) -> Row:
    """Give energy, time, the part that is told apart, and PRICE_COLUMNS, of an hour that is closed."""
    cell = booked.cell
    return (*map(fit, (cell.energy_mj, cell.duration_ns, cell.marked_mj)), *price_row(booked.closed))


def booked_of(columns: Row) -> Booked:
    """Give what `booked_row` made; without prices it is open. Raises TypeError or ValueError for anything else."""
    energy_mj, duration_ns, marked_mj = map(whole, columns[:3])
    cell = Cell(energy_mj, duration_ns, marked_mj)
    return Booked(cell, priced_of(energy_mj, columns[3:])) if len(columns) > 3 else Booked(cell)
