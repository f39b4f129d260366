"""The annual factors that are shipped, by source, region and year; what a feed makes of one is elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import msgspec

from ..config.document import Node, Scalar, Sequence, parse_document
from ..config.problem import Origin, guess
from .times import wall_ns_of

_Shape = TypeVar("_Shape")
_FOLDER = Path(__file__).parent / "tables"
_COUNTRY = "CN"
# Parts of the country whose factor the ministry does not publish.
_UNPUBLISHED = ("CN-XZ", "CN-HK", "CN-MO", "CN-TW")


class TableSource(StrEnum):
    """The tables, by the word that configurations use."""

    MEE = "mee"  # China, average of all generation
    MEE_RESIDUAL = "mee_residual"  # China, without the non-fossil power that was traded
    MEE_FOSSIL = "mee_fossil"  # China, fossil plants alone
    WORLD = "world"  # countries, life cycle


class Status(StrEnum):
    """How sure a number is to be what was published."""

    VERIFIED = "V"
    QUOTED = "V2"  # by others, who agree
    UNVERIFIED = "M"


@dataclass(frozen=True, slots=True)
class Factor:
    """One number of a table as it was written, for the region that it is of, and where it stands.

    `published_wall_ns` is None where the table does not say it. `newest_year` is that of the region.
    """

    value: str
    unit: str
    region: str
    year: int
    newest_year: int
    citation: str
    status: Status
    published_wall_ns: int | None = None


class NoFactorError(ValueError):
    """There is no such number; `key` is the configuration key to blame, the text says what there is."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


class Table:
    """The factors of one source, read from its file."""

    def __init__(self, source: TableSource) -> None:
        self.source = source
        self._data = _read("world.yml", _World) if source is TableSource.WORLD else _read("mee.yml", _Mee)

    def find(self, region: str, year: int | None = None) -> Factor:
        """Give the factor of *region* for *year*, or the newest. Raises NoFactorError.

        Of a part of China for which none is published, that of the country; the `region` of the factor shows it.
        """
        if isinstance(self._data, _World):
            return _world(self._data, region, year)
        return _mee(self._data, self.source, region, year)


class _Announcement(msgspec.Struct, frozen=True):
    announcement: str
    published: str
    national: Status
    regional: Status
    provincial: Status


class _Mee(msgspec.Struct, frozen=True):
    unit: str
    years: dict[str, _Announcement]
    national: dict[str, dict[str, str]]
    regional: dict[str, dict[str, str]]
    provincial: dict[str, dict[str, str]]


class _Value(msgspec.Struct, frozen=True):
    region: str
    year: str
    value: str
    via: str
    status: Status


class _World(msgspec.Struct, frozen=True):
    unit: str
    source: str
    licence: str
    values: list[_Value]


def _mee(table: _Mee, source: TableSource, region: str, year: int | None) -> Factor:
    caliber = {TableSource.MEE_RESIDUAL: "residual", TableSource.MEE_FOSSIL: "fossil"}.get(source, "average")
    if caliber != "average" and region != _COUNTRY:
        raise NoFactorError("region", f"{region!r} has no {caliber} factor; only the country has: write {_COUNTRY}")
    if region in _UNPUBLISHED:
        region = _COUNTRY
    if region == _COUNTRY:
        values, group = table.national[caliber], "national"
    elif region in table.provincial:
        values, group = table.provincial[region], "provincial"
    elif region in table.regional:
        values, group = table.regional[region], "regional"
    else:
        raise _unknown_region(region, [_COUNTRY, *table.regional, *table.provincial, *_UNPUBLISHED])
    found = _year(year, table.years, source)
    row = table.years[found]
    what = {"average": "average", "residual": "without traded non-fossil power", "fossil": "fossil plants"}[caliber]
    return Factor(
        value=values[found],
        unit=table.unit,
        region=region,
        year=int(found),
        newest_year=max(map(int, table.years)),
        citation=f"MEE and NBS of China, {row.announcement} ({row.published}), factor of {found}, {what}",
        status={"national": row.national, "regional": row.regional, "provincial": row.provincial}[group],
        published_wall_ns=wall_ns_of(f"{row.published}T00:00+08:00"),
    )


def _world(table: _World, region: str, year: int | None) -> Factor:
    rows = {row.year: row for row in table.values if row.region == region}
    if not rows:
        raise _unknown_region(region, list(dict.fromkeys(row.region for row in table.values)))
    row = rows[_year(year, rows, TableSource.WORLD, f" of {region}")]
    return Factor(
        value=row.value,
        unit=table.unit,
        region=region,
        year=int(row.year),
        newest_year=max(map(int, rows)),
        citation=f"{table.source}, {row.year}, by way of {row.via}, {table.licence}",
        status=row.status,
    )


def _unknown_region(region: str, known: list[str]) -> NoFactorError:
    cure = guess(region.upper(), known) or f"the regions are {', '.join(known)}"
    return NoFactorError("region", f"{region!r} is not in the table; {cure}" if region else f"is missing; {cure}")


def _year(year: int | None, known: Mapping[str, object], source: TableSource, of: str = "") -> str:
    if year is None:
        return max(known)
    if str(year) not in known:
        years = ", ".join(sorted(known))
        raise NoFactorError("year", f"{year} is not in the table {source}; the years{of} are {years}")
    return str(year)


def _read(file: str, shape: type[_Shape]) -> _Shape:
    document = parse_document((_FOLDER / file).read_text("utf-8"), Origin(file, _FOLDER))
    if document.problems:
        raise ValueError("\n".join(map(str, document.problems)))
    return msgspec.convert(_plain(document.root), shape)


def _plain(node: Node) -> object:
    """Give lists, mappings and text: numbers stay as they were written."""
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Sequence):
        return [_plain(item) for item in node.items]
    return {entry.key.text: _plain(entry.value) for entry in node.entries}
