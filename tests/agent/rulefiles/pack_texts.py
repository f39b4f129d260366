"""Two small packs that differ in layout as much as they may, for what is done to the text of packs."""

from pathlib import Path

from wattledger.agent.rulefiles.packs import Pack, make_pack

ONE = """\
# Pack one: what it is for.
groups:
- name: shared
  rules:
  - record: wattledger:power:rate5m
    expr: rate(wattledger_gpu_energy_joules_total[5m])  # var: power_window
  - alert: WattledgerHeld
    expr: |
      # Twice on purpose.
      wattledger_gpu_utilization_ratio
        < 0.2  # var: low_ratio
      and
      wattledger_gpu_up == 1
    for: 15m  # var: held_for
    labels: {severity: warning}
    annotations:
      summary: 'GPU {{ $labels.gpu }} {{ printf "%.0f" $value }} # not a comment'
      runbook_url: docs/alerts.md#wattledgerheld
"""

TWO = """\

# Pack two.

groups:  # with a word beside

    - name: "shared"
      interval: 1m

      rules:
# A comment at the margin.
      - alert: WattledgerLow
        expr: wattledger_gpu_utilization_ratio < 0.2  # var: low_ratio
        for: 1h30m  # var: low_for
        annotations:
          summary: >-
            Two lines
            of one text

            and a second.
          runbook_url: "docs/alerts.md#wattledgerlow"

    - name: other
      rules: [{record: 'wattledger:up', expr: wattledger_gpu_up}]
"""


def two_packs() -> list[Pack]:
    """Give both as packs."""
    return [make_pack("one", ONE, Path()), make_pack("two", TWO, Path())]
