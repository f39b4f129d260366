"""`make bench`: the budgets of the product as one table; exit code 1 when one is missed."""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.bench.attribution_cost import GPUS, SCRAPES, WORKLOADS, measure_attribution
from tests.bench.commit_cost import CommitCost, measure_commit, measure_usage_commit
from tests.bench.cost import Cost, measure_costs
from tests.bench.energy_error import METHODS, energy_errors
from tests.bench.growth import ledger_bytes_per_gpu_year
from tests.bench.restarts import joules_lost_over_restarts
from tests.bench.rules_cost import INTERVAL_SECONDS, measure_rules
from tests.bench.scale import measure_scale
from tests.bench.table import Row, render

MIB = 1024 * 1024
RESTARTS = 10


def main() -> int:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the cost measurement (default 60)")
    parser.add_argument("--python", default=sys.executable, help="where both are installed as users install them")
    options = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parts: dict[str, Callable[[], list[Row]]] = {
            "Cost on 8 GPUs at a 1 s tick, against nvitop-exporter at its defaults": lambda: _cost(
                folder, options.python, options.seconds
            ),
            "Energy against the closed-form truth over 60 s, host of 8 GPUs": lambda: _energy(folder),
            "Nothing lost": lambda: _lost(folder),
            "Scale": lambda: _scale(folder),
            "Ledger": lambda: _ledger(folder),
            "Rules": lambda: _rules(folder),
            "Attribution": lambda: _attribution(folder, options.seconds),
        }
        for title, measure in parts.items():
            found = measure()
            print(render(title, found), flush=True)
            rows += found
    missed = [row.what for row in rows if row.holds is False]
    print(f"\n{len(missed)} of {sum(row.holds is not None for row in rows)} budgets missed", *missed, sep="\n- ")
    return 1 if missed else 0


def _ratio(what: str, ours: float, peer: float, *, unit: str, budget: float) -> Row:
    ratio = ours / peer
    return Row(what, f"{ours:.3g} against {peer:.3g} {unit}: {ratio:.2f}", f"at most {budget:.2f}", ratio <= budget)


def _cost(folder: Path, python: str, seconds: float) -> list[Row]:
    costs = measure_costs(folder, python, seconds)
    ours, plain, peer = costs.ours, costs.without_rules, costs.peer

    def memory(what: str, cost: Cost) -> Row:
        return _ratio(what, cost.memory_bytes / MIB, peer.memory_bytes / MIB, unit="MiB", budget=1.2)

    def resident(what: str, cost: Cost) -> Row:
        ratio = cost.resident_bytes / peer.resident_bytes
        return Row(what, f"{cost.resident_bytes / MIB:.1f} against {peer.resident_bytes / MIB:.1f} MiB: {ratio:.2f}")

    return [
        _ratio("CPU, all processes", ours.cpu_percent, peer.cpu_percent, unit="% of a core", budget=1.0),
        _ratio(
            "CPU without rules, which the peer has none of",
            plain.cpu_percent,
            peer.cpu_percent,
            unit="% of a core",
            budget=1.0,
        ),
        memory("memory, each page once", ours),
        memory("memory without rules, each page once", plain),
        resident("memory, sum of RSS", ours),
        resident("memory without rules, sum of RSS", plain),
        _ratio(
            "driver calls per GPU and second",
            ours.calls_per_gpu_second,
            peer.calls_per_gpu_second,
            unit="calls",
            budget=1 / 3,
        ),
        _ratio("scrape time per series", ours.scrape_us_per_series, peer.scrape_us_per_series, unit="us", budget=0.1),
        Row("series on the page", f"{ours.series} against {peer.series}"),
    ]


def _energy(folder: Path) -> list[Row]:
    rows = []
    for error in energy_errors(folder):
        is_counter = error.method == METHODS[0].name
        rows.append(
            Row(
                f"{error.method}, {error.pattern}",
                f"{error.whole.worst:+.3%}, host {error.whole.host:+.3%}; "
                f"cut amid the load {error.cut.worst:+.3%}, host {error.cut.host:+.3%}",
                "every board within 0.1 %" if is_counter else "",
                abs(error.whole.worst) <= 0.001 if is_counter else None,
            )
        )
    return rows


def _lost(folder: Path) -> list[Row]:
    lost_j = joules_lost_over_restarts(folder, RESTARTS)
    return [Row(f"joules lost over {RESTARTS} kill -9 restarts under load", f"{lost_j:g} J", "0 J", lost_j == 0)]


def _scale(folder: Path) -> list[Row]:
    scale = measure_scale(folder)
    return [
        Row(
            "16 GPUs x 7 MIG x 64 processes: sample and tick",
            f"{scale.sample_seconds * 1000:.1f} + {scale.tick_seconds * 1000:.1f} ms, {scale.series} series, "
            f"{scale.missed_ticks} ticks missed",
            "within the 1 s tick",
            scale.sample_seconds + scale.tick_seconds < 1 and scale.missed_ticks == 0,
        ),
    ]


def _ledger(folder: Path) -> list[Row]:
    def commit(what: str, cost: CommitCost) -> Row:
        measured = f"{cost.busy_seconds:.2%} of a core, {cost.whole_seconds * 1000:.1f} ms with the wait for the disk"
        return Row(what, measured, "under 1 % of a core", cost.busy_seconds < 0.01)

    per_year = ledger_bytes_per_gpu_year(folder)
    return [
        commit("commit each second, 8 GPUs", measure_commit(folder)),
        commit("commit each second, 8 GPUs x 8 workloads among 4,096 that rest", measure_usage_commit(folder)),
        Row("growth per GPU-year", f"{per_year / 1e6:.2f} MB", "under 5 MB", per_year < 5e6),
    ]


def _rules(folder: Path) -> list[Row]:
    cost = measure_rules(folder)
    title = f"16 GPUs x 7 MIG x 64 workloads every {INTERVAL_SECONDS} s"
    return [
        _share(f"{title}: {cost.rules} rules of all packs, {cost.alerts} alerts", cost.packs_seconds),
        _share(f"{title}: the same, and a rate and an alert for each of 7,168 workloads", cost.workloads_seconds),
        Row("history of the latter", f"{cost.history_bytes / MIB:.1f} MiB"),
    ]


def _attribution(folder: Path, seconds: float) -> list[Row]:
    cost = measure_attribution(folder, seconds)
    title = f"{WORKLOADS} workloads on {GPUS} GPUs at the default cadence"
    return [
        Row(
            f"{title}: discovery and attribution",
            f"{cost.core:.2%} of a core: ticks {cost.tick:.2%}, discovery {cost.discovery:.2%}",
            "under 2 % of a core",
            cost.core < 0.02,
        ),
        Row(
            "rounds of discovery meanwhile, each over all processes of the host",
            f"{cost.rounds} in {seconds:.0f} s over {cost.processes} processes",
        ),
        Row("the tick that sees all workloads for the first time", f"{cost.first_seconds * 1000:.1f} ms"),
        Row(
            f"files and folders of /proc that {SCRAPES} scrapes touch",
            f"{cost.scrape_files}, and {cost.other_files} by other threads meanwhile",
            "0",
            cost.scrape_files == 0,
        ),
    ]


def _share(what: str, seconds: float) -> Row:
    share = seconds / INTERVAL_SECONDS
    return Row(what, f"{seconds * 1000:.0f} ms: {share:.4f} of a core", "under 0.1 of a core", share < 0.1)


if __name__ == "__main__":
    sys.exit(main())
