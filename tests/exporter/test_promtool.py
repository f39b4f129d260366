"""Prometheus' own linter reads a full page.

promtool comes with the distribution's package `prometheus` (apt-get install --no-install-recommends prometheus).
"""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest

from tests.exporter.price_snapshots import priced
from tests.exporter.snapshots import busy, instances, lost, reading, view
from tests.prometheus3 import Program, prometheus3
from tests.servers import need
from wattledger.exporter.catalog import FAMILIES
from wattledger.exporter.render import Format, Renderer
from wattledger.exporter.snapshot import LedgerHealth, SourceHealth
from wattledger.rules.quantity import Gap, Quantity
from wattledger.rules.reading import SourceKind
from wattledger.rules.state import State

# The linter of Prometheus 2 warns of words that are also names of types; that of 3 has no such check. This name is
# settled: its counter is the board's.
SETTLED = {"wattledger_gpu_counter_divergence_ratio metric name should not include type 'counter'"}


def full_pages() -> tuple[bytes, bytes]:
    """Give the page of a host on which all goes well, and that of one whose source fails: every family has a row."""
    failed = SourceHealth(
        SourceKind.NVML, success=False, reason=Gap.TIMEOUT, last_success_wall_ns=1, duration_ns=1, driver_calls=1
    )
    unknown = view(1, state=State.UNKNOWN, state_detail="process list")
    devices = instances(view(), 2), reading(unknown, gaps={Quantity.PROCESSES: Gap.NO_PERMISSION}), lost(view(2))
    well = priced(busy(*devices))
    ledger = LedgerHealth(writable=True, last_commit_wall_ns=1, size_bytes=1, moved_aside="/x")
    failing = replace(well, source=failed, ledger=ledger)
    return Renderer().render(well, Format.TEXT), Renderer().render(failing, Format.TEXT)


def test_the_pages_that_are_checked_have_every_family() -> None:
    shown = {
        line.split()[2] for page in full_pages() for line in page.decode().splitlines() if line.startswith("# TYPE ")
    }
    assert shown == {family.name for family in FAMILIES}


def test_promtool_accepts_full_pages() -> None:
    promtool = need("promtool", "prometheus")
    for page in full_pages():
        result = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True, check=False)
        assert set((result.stdout + result.stderr).decode().splitlines()) == SETTLED


@pytest.mark.nightly
def test_promtool_3_finds_nothing_on_full_pages(request: pytest.FixtureRequest) -> None:
    promtool = prometheus3(Program.PROMTOOL, request.config)
    for page in full_pages():
        result = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True, check=False)
        assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")
