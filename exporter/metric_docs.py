"""Writes docs/metrics.md from the catalogue: `python -m wattledger.exporter.metric_docs > docs/metrics.md`."""

from __future__ import annotations

import sys

from .catalog import SECTIONS, Family
from .catalog.family import DeviceFamily

_INTRODUCTION = """\
# Metrics

<!-- Generated from the catalogue by `python -m wattledger.exporter.metric_docs > docs/metrics.md`; do not edit. -->

One page, `/metrics`, in the Prometheus text format or in OpenMetrics 1.0, by the request's `Accept` header.
It shows the last sample and is made from memory: a scrape reads no GPU and changes nothing.

- Units are base units and stand in the name; ratios go from 0 to 1.
- `gpu` is the index, which may change with the next boot; `uuid` is the identity. Names and other facts are joined by
  `uuid` from `wattledger_gpu_info`.
- Counters carry on over restarts of the agent, of the driver and of the host; the ledger keeps them. Those of the
  agent itself (`wattledger_source_*`, `wattledger_http_*`, `wattledger_agent_*`, `wattledger_ledger_*`,
  `wattledger_rule_*`, `wattledger_notifications_*`, `wattledger_feed_*`) begin with the process.
- A value that could not be read is absent, and `wattledger_gpu_absent_info` tells why. It is never 0 and never an
  older value. A device that does not answer keeps `wattledger_gpu_info` and the families marked **lasting**, and
  loses the others.
- No series is the sum of others in its family.
- Series of workloads have the names that `workloads.labels` allows, where they are known. One of them, `job`, is the
  number of a Slurm job. Prometheus gives each target a label `job` too, and then calls this one `exported_job`.
  Queries must use that name, unless the scrape configuration says `honor_labels: true`; then the Slurm job stays
  `job`, and series without one keep the target's.

"""


def document() -> str:
    """Give the whole text of docs/metrics.md."""
    parts = [_INTRODUCTION]
    for title, families in SECTIONS:
        parts.append(f"## {title}\n\n| family | type | labels | meaning |\n|---|---|---|---|\n")
        parts += [_row(family) for family in families]
        parts.append("\n")
    return "".join(parts).rstrip("\n") + "\n"


def _row(family: Family) -> str:
    labels = ", ".join(f"`{label}`" for label in family.all_labels)
    if family.optional_labels:
        labels += "; where known and allowed: " + ", ".join(f"`{label}`" for label in family.optional_labels)
    lasting = " **Lasting.**" if isinstance(family, DeviceFamily) and family.lasting else ""
    meaning = family.help.replace("|", "\\|")
    return f"| `{family.name}` | {family.kind} | {labels} | {meaning}{lasting} |\n"


if __name__ == "__main__":
    sys.stdout.write(document())
