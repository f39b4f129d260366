"""Which columns of a CSV file mean what: our own header, and the exports of Electricity Maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wattledger.rules.feeds.model import Factors, Measure

VALUE_COLUMNS = {
    Measure.INTENSITY: ("grams_per_kwh", "g/kWh"),
    Measure.PRICE: ("price_per_kwh", ""),
    Measure.ENERGY: ("kwh", "kWh"),
    Measure.PUE: ("pue", ""),
    Measure.CARBON_FREE: ("carbon_free_ratio", "ratio"),
}
"""The column of each measure, and its unit."""

# Both generations of the headers that electricitymaps.com has exported, in small letters.
_EXPORT_TIME = "datetime (utc)"
_EXPORT_ZONE = "zone id"
_EXPORT_ESTIMATED = "data estimated"
_EXPORT_VALUE = "carbon intensity gco₂eq/kwh "
_EXPORT_CARBON_FREE = ("carbon-free energy percentage (cfe%)", "low carbon percentage")
_EXPORT_FACTORS = {
    Factors.DIRECT: ("(direct)",),
    Factors.LIFECYCLE: ("(lca)", "(life cycle)"),
}


@dataclass(frozen=True, slots=True)
class Layout:
    """Indices of columns, None where there is none. `unit` is that of the values.

    `is_utc`: times without an offset are of UTC by the header.
    """

    start: int
    value: int
    value_name: str
    unit: str
    end: int | None = None
    zone: int | None = None
    estimated: int | None = None
    is_utc: bool = False

    @property
    def widest(self) -> int:
        """Give how many cells a row needs at least."""
        return 1 + max(self.start, self.value, self.end or 0, self.zone or 0, self.estimated or 0)


def layout_of(header: Sequence[str], measure: Measure, factors: Factors) -> Layout:
    """Give what the columns of *header* mean. Raises ValueError with what is wrong and the cure."""
    names = [" ".join(name.split()).casefold() for name in header]
    if _EXPORT_TIME in names:
        return _export(names, measure, factors)
    name, unit = VALUE_COLUMNS[measure]
    if "from" not in names or name not in names:
        found = ", ".join(header)[:200]
        cure = f"write the header from,to,{name}"
        if len(names) == 1 and ";" in names[0]:
            cure = "divide columns by commas, not by semicolons"
        raise ValueError(f"the header is {found!r}; {cure}")
    wanted = [column for column in ("from", "to", name) if names.count(column) > 1]
    if wanted:
        raise ValueError(f"the column {wanted[0]!r} stands twice; keep one of them")
    return Layout(
        start=names.index("from"),
        value=names.index(name),
        value_name=name,
        unit=unit,
        end=names.index("to") if "to" in names else None,
    )


def _export(names: list[str], measure: Measure, factors: Factors) -> Layout:
    match measure:
        case Measure.INTENSITY:
            wanted = [_EXPORT_VALUE + ending for ending in _EXPORT_FACTORS[factors]]
            lacks, cure = f"{factors} intensity", "export it again, or set `factors`"
        case Measure.CARBON_FREE:
            wanted, lacks, cure = list(_EXPORT_CARBON_FREE), "carbon-free energy", "export it again"
        case _:
            raise ValueError(f"this export of Electricity Maps holds carbon intensities, and no {measure}")
    found = [index for index, name in enumerate(names) if name in wanted]
    if not found:
        raise ValueError(f"this export of Electricity Maps has no column of {lacks}, such as {wanted[0]!r}; {cure}")
    return Layout(
        start=names.index(_EXPORT_TIME),
        value=found[0],
        value_name=names[found[0]],
        unit=VALUE_COLUMNS[measure][1] if measure is Measure.INTENSITY else "%",
        zone=names.index(_EXPORT_ZONE) if _EXPORT_ZONE in names else None,
        estimated=names.index(_EXPORT_ESTIMATED) if _EXPORT_ESTIMATED in names else None,
        is_utc=True,
    )
