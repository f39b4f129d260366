"""The hand-made page against prometheus_client: same families, same samples, in both formats."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from tests.exporter.pages import parsed, samples_of
from tests.exporter.snapshots import instances, lost, snapshot, view
from tests.exporter.strategies import snapshots
from wattledger.exporter.collector import SnapshotCollector
from wattledger.exporter.render import Format, Renderer
from wattledger.exporter.snapshot import Snapshot

ROOT = Path(__file__).parents[2]


def registry_of(made: Snapshot | None) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(SnapshotCollector(lambda: made))
    return registry


@settings(max_examples=60)
@given(snapshots())
def test_both_pages_read_back_as_exactly_what_prometheus_client_writes(made: Snapshot) -> None:
    registry = registry_of(made)
    renderer = Renderer()
    collected = samples_of(registry.collect())
    oracles: dict[Format, bytes] = {
        Format.TEXT: generate_latest(registry),
        Format.OPENMETRICS: generate_openmetrics(registry),  # type: ignore[no-untyped-call]  # theirs has no types
    }
    for page_format, theirs in oracles.items():
        ours = parsed(renderer.render(made, page_format), page_format)
        oracle = parsed(theirs, page_format)
        assert samples_of(ours) == samples_of(oracle) == collected
        assert [(f.name, f.type, f.documentation, f.unit) for f in ours] == [
            (f.name, f.type, f.documentation, f.unit) for f in oracle
        ]


@pytest.mark.parametrize("page_format", Format)
def test_a_counter_is_named_with_total_in_its_samples_and_without_in_its_openmetrics_family(
    page_format: Format,
) -> None:
    page = Renderer().render(snapshot(view()), page_format).decode()
    family = "wattledger_gpu_energy_joules" + ("_total" if page_format is Format.TEXT else "")
    assert f"# TYPE {family} counter\n" in page
    assert '\nwattledger_gpu_energy_joules_total{gpu="0",uuid="GPU-00000000-' in page
    assert ("# UNIT wattledger_gpu_energy_joules joules\n" in page) == (page_format is Format.OPENMETRICS)


def test_a_registry_of_an_embedding_program_answers_for_single_samples() -> None:
    registry = registry_of(snapshot(instances(view(), 2), lost(view(1))))
    labels = {"gpu": "1", "uuid": "GPU-00000001-aaaa-bbbb-cccc-0123456789ab"}
    assert registry.get_sample_value("wattledger_gpu_up", labels) == 0
    assert registry.get_sample_value("wattledger_gpu_energy_joules_total", labels) == 7_200_000
    assert registry.get_sample_value("wattledger_gpu_power_watts", {**labels, "reading": "average"}) is None


def test_before_the_first_snapshot_the_collector_has_no_families() -> None:
    assert list(registry_of(None).collect()) == []


def test_the_daemons_page_is_made_without_loading_prometheus_client_or_compression() -> None:
    program = (
        "import sys; import wattledger.exporter.site, wattledger.exporter.render, wattledger.exporter.page; "
        "print([name for name in ('prometheus_client', 'zlib', 'gzip', 'html', 'hashlib', 'ssl', 'http.server') "
        "if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT / ".importroot")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == "[]"
