"""What was measured as the tables of docs/fleet.md, each between two markers that the page has."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.fleet.history import Disk
from tests.fleet.live import Live
from tests.fleet.queries import QueryTimes, Timing

PAGE = Path(__file__).parents[2] / "docs/fleet.md"
MIB, GIB = 2**20, 2**30
FAR = 100_000


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of a fleet of so many GPUs."""

    gpus: int
    hosts: int
    prometheus: Live
    victoria: Live
    queries: QueryTimes


def replaced(text: str, tables: Mapping[str, str]) -> str:
    """Give *text* with each table between its markers. Raises ValueError where a pair of markers is missing."""
    for name, table in tables.items():
        marks = re.compile(rf"(<!-- {name}: .*? -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        text, times = marks.subn(partial(_filled, table), text)
        if times != 1:
            raise ValueError(f"docs/fleet.md has {times} places for {name}: give it one")
    return text


def _filled(table: str, found: re.Match[str]) -> str:
    return f"{found[1]}\n{table}\n\n{found[2]}"


def between(text: str, name: str) -> str:
    """Give what stands between the markers of *name*. Raises ValueError."""
    found = re.search(rf"<!-- {name}: .*? -->\n\n(.*?)\n\n<!-- end of {name} -->", text, re.DOTALL)
    if found is None:
        raise ValueError(f"docs/fleet.md has no place for {name}")
    return found[1]


def fleet_table(fleets: Sequence[Measured]) -> str:
    """Give a row for each figure and a column for each size; the last column is drawn from the last two sizes."""
    rows: list[tuple[str, Callable[[Measured], float], Callable[[float], str]]] = [
        ("hosts of 8", lambda one: one.hosts, _whole),
        ("series that are scraped", lambda one: one.prometheus.series, _whole),
        ("samples/s at 15 s", lambda one: one.prometheus.samples_per_s, _whole),
        ("Prometheus: CPU, cores", lambda one: one.prometheus.loads["prometheus"].cpu, _cores),
        ("Prometheus: memory", lambda one: one.prometheus.loads["prometheus"].resident_bytes, _bytes),
        ("vmagent: CPU, cores", lambda one: one.victoria.loads["vmagent"].cpu, _cores),
        ("vmagent: memory", lambda one: one.victoria.loads["vmagent"].resident_bytes, _bytes),
        ("VictoriaMetrics: CPU, cores", lambda one: one.victoria.loads["victoria-metrics"].cpu, _cores),
        ("VictoriaMetrics: memory", lambda one: one.victoria.loads["victoria-metrics"].resident_bytes, _bytes),
        ("one evaluation of `wattledger.rules.yml`", lambda one: one.queries.ours.total_s, _seconds),
        ("one evaluation of `wattledger-fleet.rules.yml`", lambda one: one.queries.fleet.total_s, _seconds),
        ("panels on recorded series, all", lambda one: one.queries.recorded.total_s, _seconds),
        ("the same without recording rules", lambda one: one.queries.inlined.total_s, _seconds),
        ("slowest of them, recorded", lambda one: one.queries.recorded.worst_s, _seconds),
        ("slowest of them without", lambda one: one.queries.inlined.worst_s, _seconds),
        ("other panels, median", lambda one: one.queries.panels.median_s, _seconds),
        ("other panels, slowest", lambda one: one.queries.panels.worst_s, _seconds),
    ]
    far = [f"*{FAR:,}*"] if len(fleets) > 1 else []
    lines = [
        _row(["GPUs", *(f"{one.gpus:,}" for one in fleets), *far]),
        _row(["---", *["---:"] * (len(fleets) + len(far))]),
    ]
    for what, value, shown in rows:
        values = [value(one) for one in fleets]
        cells = [shown(one) for one in values]
        if far:
            cells.append(f"*{shown(_far(fleets, values))}*")
        lines.append(_row([what, *cells]))
    return "\n".join(lines)


def disk_table(disk: Disk) -> str:
    """Give bytes on the disk."""
    rows = [
        ["two hours at 15 s, whole pages", "bytes"],
        ["---", "---:"],
        ["Prometheus, for each sample", f"{disk.samples_bytes:.2f}"],
        ["Prometheus, index for each series and block", f"{disk.index_bytes_a_series:.0f}"],
        ["VictoriaMetrics, for each sample, index included", f"{disk.victoria_bytes:.2f}"],
    ]
    return "\n".join(_row(row) for row in rows)


def trouble(fleets: Sequence[Measured]) -> list[str]:
    """Give what went wrong while measuring: hosts that were not up, queries that were refused."""
    found = []
    for one in fleets:
        for live, name in ((one.prometheus, "Prometheus"), (one.victoria, "vmagent")):
            if live.up != one.hosts:
                found.append(f"{one.gpus} GPUs: {live.up} of {one.hosts} hosts answered {name}")
        for timing in _timings(one.queries):
            found += [f"{one.gpus} GPUs: {refused}" for refused in timing.refused]
    return found


def _timings(times: QueryTimes) -> tuple[Timing, ...]:
    return times.ours, times.fleet, times.panels, times.recorded, times.inlined


def _far(fleets: Sequence[Measured], values: Sequence[float]) -> float:
    """Give the value on the line through the last two sizes."""
    first, last = fleets[-2].gpus, fleets[-1].gpus
    return values[-1] + (values[-1] - values[-2]) * (FAR - last) / (last - first)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _whole(value: float) -> str:
    return f"{value:,.0f}" if value < 10_000 else f"{float(f'{value:.3g}'):,.0f}"


def _cores(value: float) -> str:
    return f"{value:.2g}"


def _bytes(value: float) -> str:
    return f"{value / MIB:.0f} MiB" if value < GIB else f"{value / GIB:.1f} GiB"


def _seconds(value: float) -> str:
    if value < 0.1:
        return f"{value * 1000:.2g} ms"
    return f"{value:.2g} s" if value < 10 else f"{float(f'{value:.2g}'):,.0f} s"
