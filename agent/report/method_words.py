"""The sentences on what a report rests on: how energy was got, at which boundary, which factors, what is missing."""

from collections.abc import Iterator
from datetime import UTC, datetime

from wattledger.agent.config.duration import format_duration
from wattledger.exporter.landing_text import kwh, percent, significant
from wattledger.rules.feeds.model import Accounting
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND
from wattledger.rules.pricing.model import NOTHING, Boundary
from wattledger.rules.report.choices import Origin
from wattledger.rules.report.model import DemandMonth, FactorSum, Report, SupplySum
from wattledger.rules.state import State
from wattledger.rules.supply.model import Layer

_BOUNDARY_WORDS = {
    Boundary.GPU: "of the GPUs alone",
    Boundary.NODE: "of the whole hosts",
    Boundary.FACILITY: "at the meter of the house",
}
_MICRO = 1_000_000
_SEEN = 0.0005  # of the energy; less does not show in the percent of a table


def method_sentences(report: Report) -> list[str]:
    """Give a sentence each, in the order: energy, boundary, grams, supply, money, what is not final."""
    return [
        *_energy_words(report),
        *_boundary_words(report),
        *_factor_words(report),
        *_supply_words(report),
        *_demand_words(report),
        *_open_words(report),
    ]


def _energy_words(report: Report) -> Iterator[str]:
    if report.origin is Origin.LEDGER:
        yield (
            "Energy is that of the boards as the ledger has it: by their own counters where they have one, else by "
            "their power over time. Idle is held, allocated and parked."
        )
    else:
        yield (
            "Energy is what the counters of the hosts grew by in each hour, by Prometheus, extrapolated to the ends "
            "of the hour. Idle is held, allocated and parked."
        )
        yield from _owner_words(report)
    unseen_mj = sum(report.states[state].energy_mj for state in _UNSEEN if state in report.states)
    if unseen_mj:
        yield (
            f"{percent(unseen_mj, report.total.energy_mj)} of the energy of the GPUs was drawn while no agent "
            "watched, or signals were missing: it counts neither as work nor as idle."
        )


_UNSEEN = (State.UNOBSERVED, State.UNKNOWN)


def _owner_words(report: Report) -> Iterator[str]:
    """Say where the rows of owners, whose series begin and end with them, do not sum to those of devices."""
    total_mj = report.total.energy_mj
    missing_mj = total_mj - sum(group.sum.energy_mj for group in report.owners)
    if report.owners and abs(missing_mj) >= _SEEN * total_mj:
        yield (
            f"Owners come to {percent(abs(missing_mj), total_mj)} {'less' if missing_mj > 0 else 'more'} than the "
            "GPUs: Prometheus does not know what a series had before its first sample."
        )


def _boundary_words(report: Report) -> Iterator[str]:
    if not report.host_hours:
        return
    if report.boundary is not Boundary.GPU:
        yield (
            f"Grams and money are those {_BOUNDARY_WORDS[report.boundary]}, shared out by the energy of the GPUs; "
            "kWh and joules of tables are of the GPUs."
        )
    elif report.widest is Boundary.GPU:
        yield "Grams and money are of the GPUs alone: what else hosts draw, and losses up to the meter, is in none."
    if Boundary.FACILITY in report.boundaries and Boundary.NODE not in report.boundaries:
        yield "No meter of whole hosts was read: at the meter of the house is the GPUs' energy with losses on it."
    for boundary, hours in report.boundary_hours.items():
        if boundary not in report.boundaries:
            yield (
                f"Energy {_BOUNDARY_WORDS[boundary]} is known for {hours:,} of {report.host_hours:,} "
                f"{_hours(report.host_hours)} of hosts, so no number is told of it."
            )


def _factor_words(report: Report) -> Iterator[str]:
    if report.origin is Origin.PROMETHEUS:
        yield "Which factors grams come from is not known to Prometheus: the reports of the hosts say it."
        return
    if not report.factors:
        yield "No carbon intensity is configured, or none was known: no gram is told."
        return
    for accounting in Accounting:
        used = [one for one in report.factors if one.accounting is accounting]
        if used:
            whole_mj = sum(one.energy_mj for one in used)
            parts = "; ".join(f"{percent(one.energy_mj, whole_mj)} {_factor(one)}" for one in used)
            yield f"{accounting.capitalize()}-based, energy over the grid: {parts}."
        if len({(one.caliber.factors, one.caliber.gas) for one in used}) > 1:
            yield (
                f"{accounting.capitalize()}-based grams are a sum of unlike calibers: they are not comparable with "
                "those of one."
            )
    market = [one for one in report.factors if one.accounting is Accounting.MARKET]
    if market and all(one.caliber.accounting is Accounting.LOCATION for one in market):
        yield "No residual mix is configured: what no contract covers has the factor of the location in both methods."
    yield from _uncovered_words(report)


def _factor(one: FactorSum) -> str:
    place = "first feed" if one.level == 0 else f"feed {one.level + 1}"
    source = f"; {one.source}" if one.source else ""
    whose = f"{one.provider} {one.zone}" if one.zone else one.provider
    return f"{whose} ({one.caliber}; {one.kind}; {place}{source})"


def _uncovered_words(report: Report) -> Iterator[str]:
    whole = report.boundaries.get(report.boundary, NOTHING)
    for accounting, covered_mj in (
        (Accounting.LOCATION, whole.location_covered_mj),
        (Accounting.MARKET, whole.market_covered_mj),
    ):
        if covered_mj < whole.energy_mj:
            yield (
                f"{kwh(whole.energy_mj - covered_mj)} of {kwh(whole.energy_mj)} kWh have no {accounting}-based "
                "factor and are in no gram."
            )


def _supply_words(report: Report) -> Iterator[str]:
    supply = report.supply
    if supply is None:
        return
    parts = ", ".join(
        f"{layer.replace('_', ' ')} {percent(supply.layers[layer], supply.load_mj)}"
        for layer in Layer
        if supply.layers.get(layer)
    )
    yield f"Supply, matched hour by hour: {parts}."
    if supply.green_mj is None:
        yield "Which of it is green is not known to Prometheus: the reports of the hosts say it."
    if supply.green_certificates_mj:
        yield (
            f"{percent(supply.green_certificates_mj, supply.load_mj)} of the load is green by certificates alone, "
            "which are of no hour."
        )
    of_hosts = " of hosts" if report.hosts > 1 else ""
    yield (
        f"{supply.unmatched_hours:,} of {supply.hours:,} {_hours(supply.hours)}{of_hosts} had less carbon-free "
        "supply than load."
    )
    yield from _grid_words(supply)


def _grid_words(supply: SupplySum) -> Iterator[str]:
    score = supply.with_grid
    if score is None:
        return
    yield (
        "Hourly matched with the grid's carbon-free share: what supply matched in each hour, and that share of what "
        "came from the grid."
    )
    if supply.grid_sources:
        parts = "; ".join(f"{source} ({kwh(energy_mj)} kWh)" for source, energy_mj in supply.grid_sources.items())
        yield f"That share, and the load of its hours: {parts}."
    missing_mj = supply.load_mj - score.covered_mj
    if missing_mj > 0:
        yield (
            f"{kwh(missing_mj)} of {kwh(supply.load_mj)} kWh are of hours without such a share: they are in no part "
            "of that score."
        )


def _demand_words(report: Report) -> Iterator[str]:
    if report.demand is None:
        return
    demand = report.demand.demand
    per_kw = f"{significant(demand.value_per_kw / _MICRO)} {report.currency} per kW and month"
    if not report.demand.months:
        yield f"The demand charge ({per_kw}) is not computed: no whole month is in this time."
    for month in report.demand.months:
        yield _demand_month(month, report, per_kw=per_kw)


def _demand_month(month: DemandMonth, report: Report, *, per_kw: str) -> str:
    assert report.demand is not None  # noqa: S101  (asked for only where there is one)
    window_ns = report.demand.demand.window_ns
    reasons = []
    if window_ns < NS_PER_HOUR:
        reasons.append(f"hours are known and not windows of {format_duration(window_ns)}")
    if month.hours < month.all_hours:
        missing = month.all_hours - month.hours
        reasons.append(f"{missing} of {month.all_hours} hours {'is' if missing == 1 else 'are'} missing")
    charge = month.charge
    at_least = "at least " if reasons else ""
    because = f", as {' and '.join(reasons)}" if reasons else ""
    peak = significant(charge.peak_mw / _MICRO)
    return (
        f"Demand charge of {charge.year}-{charge.month:02}, on top of the cost: {at_least}"
        f"{significant(charge.charge / _MICRO)} {report.currency} ({per_kw}; {peak} kW from the grid at "
        f"{_utc(charge.peak.start_wall_ns)}){because}."
    )


def _hours(number: int) -> str:
    return "hour" if number == 1 else "hours"


def _utc(wall_ns: int) -> str:
    return datetime.fromtimestamp(wall_ns // NS_PER_SECOND, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _open_words(report: Report) -> Iterator[str]:
    if report.open_mj and report.origin is Origin.LEDGER:
        yield (
            f"{kwh(report.open_mj)} kWh of GPUs are of hours that are still open: their grams and money may change."
        )
    if report.unpriced_mj:
        yield (
            f"{kwh(report.unpriced_mj)} kWh of GPUs have no grams and no money: they are of the last minute, or from "
            "before the ledger kept prices."
        )
