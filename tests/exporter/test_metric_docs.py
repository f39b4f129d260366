"""docs/metrics.md is what the catalogue says."""

from __future__ import annotations

import re
from pathlib import Path

from wattledger.exporter.catalog import FAMILIES, SECTIONS
from wattledger.exporter.metric_docs import document

COMMITTED = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_the_committed_document_is_the_generated_one() -> None:
    assert COMMITTED.read_text() == document(), "run: python -m wattledger.exporter.metric_docs > docs/metrics.md"


def test_every_family_has_its_row() -> None:
    rows = [line.split("`")[1] for line in document().splitlines() if line.startswith("| `")]
    assert rows == [family.name for family in FAMILIES]


def test_counters_that_begin_with_the_process_are_told() -> None:
    introduction = document().partition("\n## ")[0]
    told = re.findall(r"`(wattledger_\w+)_\*`", introduction.partition("Those of the")[2].partition("process.")[0])
    of_the_process = ("Rules and alerts", "Source of samples", "The agent itself")
    names = [family.name for title, families in SECTIONS if title in of_the_process for family in families]
    names += [family.name for family in FAMILIES if family.name.startswith("wattledger_feed_")]
    counters = [name for name in names if name.endswith("_total")]
    assert len(counters) > 10
    assert [name for name in counters if not name.startswith(tuple(told))] == []


def test_what_prometheus_makes_of_the_label_job_is_told_where_the_label_is() -> None:
    introduction = document().partition("\n## ")[0]
    assert "exported_job" in introduction
    assert "honor_labels" in introduction
    row = next(line for line in document().splitlines() if line.startswith("| `wattledger_workload_energy_joules"))
    assert "where known and allowed: `namespace`, `pod`, `container`, `job`, `user`" in row
    assert "exported_job" in row
