"""Power over time by state: what worked at the bottom, what idled above it, what nobody knows on top."""

from collections.abc import Mapping

from wattledger.exporter.catalog.units import watts
from wattledger.exporter.landing_text import kwh, percent, significant
from wattledger.rules.report.model import Report
from wattledger.rules.state import IDLE_STATES, State

from .axis import TimeAxis, round_steps, span_text
from .buckets import Buckets
from .figure import Key, figure, missing
from .stacked import Layer, stacked, totals
from .svg import Panel, Values, bands, chart, gaps, height_lines, places, time_labels, time_lines, tips

_PANEL = Panel(top=26, height=250)
_HEADING = "Power by state"
_SECONDS = 3600
WORDS = {
    State.ACTIVE: "active",
    State.HELD: "held: a process holds it and does no work",
    State.ALLOCATED: "allocated: given to somebody, and unused",
    State.PARKED: "parked: nobody has it",
    State.UNOBSERVED: "unobserved: the agent did not run",
    State.UNKNOWN: "unknown: signals were missing",
}


def power_chart(report: Report, buckets: Buckets, axis: TimeAxis) -> str:
    """Give the section: mean power of all devices in each column."""
    states = [state for state in State if any(point.states.get(state) for point in report.hours)]
    if not states:
        return missing("power", _HEADING, "No energy of any device is in this time.")
    seen = {point.hour: 0 for point in report.hours if point.states}
    layers = []
    for state in states:
        energies = seen | {point.hour: point.states[state] for point in report.hours if state in point.states}
        layers.append(Layer(state, buckets.rates(energies, mean_watts)))
    power = totals(layers, len(buckets))
    most = max((value for value in power if value is not None), default=None)
    if most is None:
        return missing("power", _HEADING, "The first hour has only begun.")
    scale, unit = (1000, "kW") if most >= 1000 else (1, "W")
    marks = round_steps(most / scale)
    holes = gaps(buckets, [value is not None for value in power])
    height = _PANEL.height
    picture = _PANEL.drawn(
        bands(axis.weekends(), height, "weekend") + bands(holes, height, "gap"),
        stacked(buckets, layers, _PANEL, marks[-1] * scale)
        + tips(places(buckets), height, _tips(buckets, axis, dict(zip(states, layers, strict=True)), power)),
        height_lines(marks, _PANEL, unit) + time_lines(axis, height) + time_labels(axis, _PANEL),
    )
    summary = _summary(report, buckets, axis, power)
    keys = [Key(state, WORDS[state]) for state in states]
    keys += [Key("weekend", "Saturday and Sunday")] if axis.weekends() else []
    keys += [Key("gap", "no record")] if holes else []
    return figure(
        "power", _HEADING, summary, keys, chart(f"{_HEADING}. {summary}", _PANEL.top + height + 26, picture)
    )


def mean_watts(energy_mj: int) -> float:
    """Give the mean power of an hour's energy."""
    return watts(energy_mj / _SECONDS)


def power_text(power_watts: float) -> str:
    """Give a power with its unit."""
    kilowatts = power_watts / 1000
    return f"{significant(kilowatts)} kW" if power_watts >= 1000 else f"{significant(power_watts)} W"


def column_text(buckets: Buckets) -> str:
    """Give what one column is, in words."""
    if buckets.size == 168:
        return "Each column is a week."
    if buckets.size == 24:
        return "Each column is a day."
    return "Each column is an hour." if buckets.size == 1 else f"Each column is {buckets.size} hours."


def _summary(report: Report, buckets: Buckets, axis: TimeAxis, power: Values) -> str:
    known = [(value, column) for column, value in enumerate(power) if value is not None]
    most, column = max(known)
    hours = sum(buckets.length(point.hour) for point in report.hours if point.states)
    energy_mj = sum(sum(point.states.values()) for point in report.hours)
    idle_mj = sum(point.states.get(state, 0) for point in report.hours for state in IDLE_STATES)
    mean, idle = mean_watts(energy_mj) / hours, mean_watts(idle_mj) / hours
    when = span_text(axis, buckets.edges[column], buckets.edges[column + 1])
    return (
        f"All GPUs together drew {power_text(mean)} on average, {power_text(idle)} of it "
        f"({percent(idle_mj, energy_mj)}, {kwh(idle_mj)} kWh) while idle; the most was {power_text(most)} on {when}. "
        f"{column_text(buckets)}"
    )


def _tips(buckets: Buckets, axis: TimeAxis, layers: Mapping[State, Layer], power: Values) -> list[str]:
    texts = []
    for column, total in enumerate(power):
        when = span_text(axis, buckets.edges[column], buckets.edges[column + 1])
        if total is None:
            texts.append(f"{when}\nno record")
            continue
        parts = [f"{state} {power_text(value)}" for state, layer in layers.items() if (value := layer.values[column])]
        texts.append("\n".join((when, f"all {power_text(total)}", *parts)))
    return texts
