"""`make fleet`: what fleets of 100, 1,000 and 10,000 GPUs cost real engines; writes the tables of docs/fleet.md."""

import argparse
import os
import platform
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil

from tests.fleet.cardinality import budget_table, shapes_table
from tests.fleet.document import GIB, PAGE, Measured, disk_table, fleet_table, replaced, trouble
from tests.fleet.herd import STEP_S, Herd, hosts_of
from tests.fleet.history import DISK_PAGES, MINUTES, disk_use, fleet_history
from tests.fleet.live import live_prometheus, live_victoria, served
from tests.fleet.queries import query_times
from tests.fleet.reads import drop_config, keep_config, savings_table
from wattledger.exporter.render import Format

SIZES = (100, 1_000, 10_000)
# The beginning of a block of two hours: whatever is measured lies in one.
START_S = 1_790_006_400


def main() -> int:
    """Measure, print, and with --write put the tables into the page."""
    parser = argparse.ArgumentParser(prog="make fleet", description=__doc__)
    parser.add_argument("--gpus", type=int, action="append", help=f"a size, may be repeated (default {SIZES})")
    parser.add_argument("--seconds", type=float, default=2.0 * STEP_S, help="length of each scrape run (default 30)")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/fleet.md")
    parser.add_argument("--series", action="store_true", help="only the tables of series: no engine is started")
    options = parser.parse_args()
    tables = {
        "budget": budget_table,
        "hosts": shapes_table,
        "savings": savings_table,
        "drop": drop_config,
        "keep": keep_config,
    }
    found = {name: table() for name, table in tables.items()} if options.series or options.write else {}
    fleets: list[Measured] = []
    if not options.series:
        with tempfile.TemporaryDirectory(prefix="wattledger-fleet-") as name:
            folder = Path(name)
            fleets = [_measure(folder / str(gpus), gpus, options.seconds) for gpus in options.gpus or SIZES]
            found["fleet"] = f"{_circumstances(options.seconds)}\n\n{fleet_table(fleets)}"
            if options.write:
                found["disk"] = _disk(folder)
    for name, table in found.items():
        print(f"\n### {name}\n\n{table}")
    if options.write:
        PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")
    wrong = trouble(fleets)
    print(*wrong, sep="\n")
    return 1 if wrong else 0


def _measure(folder: Path, gpus: int, seconds: float) -> Measured:
    folder.mkdir()
    hosts, began_s = hosts_of(gpus), time.monotonic()
    herd = Herd.made(START_S, MINUTES * 60 // STEP_S + 1)
    herd.save(folder / "pages")
    with served(folder / "pages", hosts) as pages:
        prometheus = live_prometheus(folder / "prometheus", pages, hosts, seconds)
        _say(f"{gpus} GPUs: scraped by Prometheus, {time.monotonic() - began_s:.0f} s")
        victoria = live_victoria(folder / "victoria", pages, hosts, seconds)
        _say(f"{gpus} GPUs: scraped by vmagent, {time.monotonic() - began_s:.0f} s")
    with fleet_history(folder / "history", herd, hosts, START_S) as (url, end_s):
        _say(f"{gpus} GPUs: history written, {time.monotonic() - began_s:.0f} s")
        queries = query_times(url, end_s)
        _say(f"{gpus} GPUs: asked, {time.monotonic() - began_s:.0f} s")
    return Measured(gpus, hosts, prometheus, victoria, queries)


def _disk(folder: Path) -> str:
    began_s = time.monotonic()
    herd = Herd.made(START_S, DISK_PAGES, Format.OPENMETRICS)
    disk = disk_use(folder / "disk", herd, START_S)
    _say(f"disk: {time.monotonic() - began_s:.0f} s")
    return disk_table(disk)


def _circumstances(seconds: float) -> str:
    """Say when and on what it was measured; other work on the machine shows in the load."""
    day = f"{datetime.now(tz=UTC):%Y-%m-%d}"
    machine = f"{os.cpu_count()} cores of {platform.machine()}, {psutil.virtual_memory().total / GIB:.0f} GiB"
    return f"Measured on {day} with {machine}, load {os.getloadavg()[2]:.1f}, {seconds:.0f} s of scrapes."


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
