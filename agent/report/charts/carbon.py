"""Grams by the hour over the supply of the same hours, on one axis of time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from wattledger.agent.report.words import NOT_KNOWN, mass
from wattledger.exporter.landing_text import kwh, percent, significant
from wattledger.rules.feeds.model import Accounting
from wattledger.rules.pricing.model import NOTHING, Priced, grams
from wattledger.rules.report.model import HourPoint, Report
from wattledger.rules.supply.model import Layer as Source

from .axis import TimeAxis, round_steps, span_text
from .buckets import Buckets
from .figure import Key, figure, missing
from .power import column_text, mean_watts, power_text
from .stacked import Layer, stacked, totals
from .svg import Panel, Values, area, bands, chart, gaps, height_lines, line, places, time_labels, time_lines, tips

_HEADING = "Grams by the hour against supply"
_NO_GRAMS = "No gram is known: no carbon intensity is configured, or none was known in this time."
_UPPER = Panel(top=26, height=170)
_LOWER = Panel(top=_UPPER.top + _UPPER.height + 34, height=170)
_WHOLE = 0.9995  # with less of the energy covered, grams are not those of all of it
_SUPPLY_WORDS = {
    Source.ONSITE: "on site",
    Source.STORAGE: "storage",
    Source.DIRECT_LINE: "direct line",
    Source.CONTRACT_INTRA: "contract, same province",
    Source.CONTRACT_INTER: "contract, other province",
    Source.CERTIFICATES: "certificates, of no hour",
    Source.GRID: "grid",
}


@dataclass(frozen=True, slots=True)
class _Grams:
    """Grams an hour by one method for each column, and of how much of its energy they are."""

    accounting: Accounting
    values: Values
    covered: Values

    @property
    def is_known(self) -> bool:
        """Tell whether there is any value; none at all was emitted where it is 0."""
        return any(value is not None for value in self.values)

    @property
    def partly(self) -> list[bool]:
        """Tell which columns have grams of a part of their energy alone."""
        return [share is not None and 0 < share < _WHOLE for share in self.covered]


def carbon_chart(report: Report, buckets: Buckets, axis: TimeAxis) -> str:
    """Give the section: grams above, where any is known; supply below, where any is configured."""
    methods = [made for made in (_grams(report.hours, buckets, one) for one in Accounting) if made.is_known]
    supply = _supply(report.hours, buckets)
    if not methods and not supply:
        return missing("carbon", _HEADING, _NO_GRAMS)
    panels, last = [], _UPPER
    if methods:
        panels.append(_gram_panel(methods, buckets, axis))
    if supply:
        last = _LOWER if methods else _UPPER
        panels.append(_supply_panel(supply, buckets, axis, last))
    panels.append(last.drawn("", "", time_labels(axis, last)))
    summary = " ".join(_summary(report, methods, buckets, axis))
    keys = [Key(f"line {one.accounting}", f"CO2 {one.accounting}-based", is_line=True) for one in methods]
    keys += [Key("partly", "grams of a part of the energy")] if any(any(one.partly) for one in methods) else []
    keys += [Key(f"from-{source}", _SUPPLY_WORDS[source]) for source in supply]
    picture = chart(f"{_HEADING}. {summary}", last.top + last.height + 26, "".join(panels))
    return figure("carbon", _HEADING, summary, keys, picture)


def _grams(hours: Sequence[HourPoint], buckets: Buckets, accounting: Accounting) -> _Grams:
    products: dict[int, int] = {}
    covered: dict[int, int] = {}
    energies: dict[int, int] = {}
    for point in hours:
        product, covered_mj = _of_method(point.priced, accounting)
        energies[point.hour] = max(point.priced.energy_mj, 0)
        covered[point.hour] = covered_mj
        if covered_mj:
            products[point.hour] = product
    shares = zip(buckets.sums(covered), buckets.sums(energies), strict=True)
    return _Grams(
        accounting,
        buckets.rates(products, grams),
        [None if part is None or not whole else part / whole for part, whole in shares],
    )


def _of_method(priced: Priced, accounting: Accounting) -> tuple[int, int]:
    if accounting is Accounting.LOCATION:
        return priced.location, priced.location_covered_mj
    return priced.market, priced.market_covered_mj


def _supply(hours: Sequence[HourPoint], buckets: Buckets) -> dict[Source, Layer]:
    """Give mean watts by source, those that covered anything, in their order."""
    used = [source for source in Source if any(point.layers.get(source) for point in hours)]
    seen = {point.hour: 0 for point in hours if point.layers}
    found = {}
    for source in used:
        energies = seen | {point.hour: point.layers[source] for point in hours if source in point.layers}
        found[source] = Layer(f"from-{source}", buckets.rates(energies, mean_watts))
    return found


def _gram_panel(methods: Sequence[_Grams], buckets: Buckets, axis: TimeAxis) -> str:
    most = max(value for one in methods for value in one.values if value is not None)
    scale, unit = (1000, "kg/h") if most >= 1000 else (1, "g/h")
    marks = round_steps(most / scale)
    edges, height = places(buckets), _UPPER.height

    def heights(values: Values) -> Values:
        return [None if value is None else height * (1 - value / (marks[-1] * scale)) for value in values]

    known = [
        any(value is not None for value in column) for column in zip(*(one.values for one in methods), strict=True)
    ]
    partly = [any(column) for column in zip(*(one.partly for one in methods), strict=True)]
    base: list[float] = [height] * len(buckets)
    shapes = f'<path class="under" d="{area(edges, heights(methods[0].values), base)}"/>' + "".join(
        f'<path class="line {one.accounting}" d="{line(edges, heights(one.values))}"/>' for one in methods
    )
    return _UPPER.drawn(
        bands(axis.weekends(), height, "weekend") + bands(gaps(buckets, known), height, "gap"),
        shapes + tips(edges, height, _gram_tips(methods, buckets, axis)),
        height_lines(marks, _UPPER, unit)
        + time_lines(axis, height)
        + bands(gaps(buckets, [not one for one in partly]), 5, "partly", height - 5),
    )


def _supply_panel(supply: Mapping[Source, Layer], buckets: Buckets, axis: TimeAxis, panel: Panel) -> str:
    load = totals(list(supply.values()), len(buckets))
    most = max(value for value in load if value is not None)
    scale, unit = (1000, "kW") if most >= 1000 else (1, "W")
    marks = round_steps(most / scale)
    holes = gaps(buckets, [value is not None for value in load])
    texts = []
    for column, total in enumerate(load):
        lines = [f"{_when(buckets, axis, column)}"]
        lines.append("no supply is known" if total is None else f"load {power_text(total)}")
        lines += [
            f"{_SUPPLY_WORDS[source]} {power_text(value)}"
            for source, layer in supply.items()
            if (value := layer.values[column])
        ]
        texts.append("\n".join(lines))
    return panel.drawn(
        bands(axis.weekends(), panel.height, "weekend") + bands(holes, panel.height, "gap"),
        stacked(buckets, list(supply.values()), panel, marks[-1] * scale)
        + tips(places(buckets), panel.height, texts),
        height_lines(marks, panel, unit) + time_lines(axis, panel.height),
    )


def _gram_tips(methods: Sequence[_Grams], buckets: Buckets, axis: TimeAxis) -> list[str]:
    texts = []
    for column in range(len(buckets)):
        lines = [_when(buckets, axis, column)]
        for one in methods:
            value, share = one.values[column], one.covered[column]
            told = NOT_KNOWN if value is None else mass_text(value) + " an hour"
            part = f" (of {100 * share:.1f} % of the energy)" if share is not None and one.partly[column] else ""
            lines.append(f"{one.accounting}-based {told}{part}")
        texts.append("\n".join(lines))
    return texts


def mass_text(value: float) -> str:
    """Give grams or kilograms."""
    return f"{significant(value / 1000)} kg" if value >= 1000 else f"{significant(value)} g"


def _when(buckets: Buckets, axis: TimeAxis, column: int) -> str:
    return span_text(axis, buckets.edges[column], buckets.edges[column + 1])


def _summary(report: Report, methods: Sequence[_Grams], buckets: Buckets, axis: TimeAxis) -> Iterator[str]:
    if not methods:
        yield _NO_GRAMS
    whole = report.boundaries.get(report.boundary, NOTHING)
    for one in methods:
        most, column = max((value, -place) for place, value in enumerate(one.values) if value is not None)
        told = mass(whole, one.accounting, share=report.priced_share)
        yield (
            f"CO2 {one.accounting}-based: {told}; at most {mass_text(most)} an hour on "
            f"{_when(buckets, axis, -column)}."
        )
    supply = report.supply
    if supply is not None and supply.load_mj:
        parts = ", ".join(
            f"{_SUPPLY_WORDS[source]} {percent(supply.layers[source], supply.load_mj)}"
            for source in Source
            if supply.layers.get(source)
        )
        yield f"The load of {kwh(supply.load_mj)} kWh was covered by: {parts}."
    yield column_text(buckets)
