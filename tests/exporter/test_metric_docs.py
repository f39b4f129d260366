"""docs/metrics.md is what the catalogue says."""

from __future__ import annotations

from pathlib import Path

from wattledger.exporter.catalog import FAMILIES
from wattledger.exporter.metric_docs import document

COMMITTED = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_the_committed_document_is_the_generated_one() -> None:
    assert COMMITTED.read_text() == document(), "run: python -m wattledger.exporter.metric_docs > docs/metrics.md"


def test_every_family_has_its_row() -> None:
    rows = [line.split("`")[1] for line in document().splitlines() if line.startswith("| `")]
    assert rows == [family.name for family in FAMILIES]


def test_what_prometheus_makes_of_the_label_job_is_told_where_the_label_is() -> None:
    introduction = document().partition("\n## ")[0]
    assert "exported_job" in introduction
    assert "honor_labels" in introduction
    row = next(line for line in document().splitlines() if line.startswith("| `wattledger_workload_energy_joules"))
    assert "where known and allowed: `namespace`, `pod`, `container`, `job`, `user`" in row
    assert "exported_job" in row
