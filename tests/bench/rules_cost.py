"""What all packs cost on a very large host: 16 boards of 7 MIG instances with 64 workloads each, every 15 s."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tests.exporter.snapshots import instances, reading, snapshot, view
from wattledger.agent.config.schema import Rules
from wattledger.agent.ledger import MemoryLedger
from wattledger.agent.rulefiles import load_rule_file, pack_names
from wattledger.agent.ruler.evaluation import Evaluation
from wattledger.agent.ruler.rulebook import load_rulebook
from wattledger.agent.ruler.settings import RuleSettings
from wattledger.exporter.catalog import FAMILIES
from wattledger.exporter.catalog.family import Row
from wattledger.exporter.catalog.rows import host
from wattledger.exporter.series import SeriesReader
from wattledger.exporter.snapshot import DeviceView, Snapshot
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.quantity import Quantity
from wattledger.rules.state import State

GPUS, INSTANCES, WORKLOADS = 16, 7, 64
INTERVAL_SECONDS = 15
EVALUATIONS = 40
WARM_UP = 24  # past the five minutes that most rules look back

_LABELS = ("gpu", "uuid", "workload")
# No pack reads workloads yet: these rules stand for those that will, one joule counter each, and an alert a board.
_RULES = """
groups:
- name: workloads
  rules:
  - record: wattledger:workload_watts
    expr: rate(bench_workload_energy_joules_total[2m])
  - record: wattledger:workloads_of_board_watts
    expr: sum by (instance, gpu, uuid) (wattledger:workload_watts)
  - alert: BenchWorkload
    expr: wattledger:workload_watts > 1e9
"""


@dataclass(frozen=True, slots=True)
class RulesCost:
    """CPU seconds of one evaluation of everything: `packs` alone, and with a rule over every workload."""

    packs_seconds: float
    workloads_seconds: float
    alerts: int
    rules: int
    history_bytes: int


def measure_rules(folder: Path) -> RulesCost:
    """Give the mean cost of an evaluation, the look at the page included."""
    packs = load_rulebook(Rules(packs=tuple(name for name in pack_names() if name != "fleet")))
    file = folder / "bench.rules.yml"
    file.write_text(_RULES)
    workloads = load_rule_file(file)
    assert not workloads.problems
    plain = _run(RuleSettings(packs.groups, INTERVAL_SECONDS * 1000, 60_000), SeriesReader())
    family = host("bench_workload_energy_joules_total", "Joules of a workload.", _workloads, labels=_LABELS)
    groups = (*packs.groups, *workloads.groups)
    loaded = _run(RuleSettings(groups, INTERVAL_SECONDS * 1000, 60_000), SeriesReader((*FAMILIES, family)))
    return replace(plain, workloads_seconds=loaded.packs_seconds, history_bytes=loaded.history_bytes)


def _run(settings: RuleSettings, reader: SeriesReader) -> RulesCost:
    at = Instant(mono_ns=10**12, wall_ns=1_790_000_000 * NS_PER_SECOND)
    evaluation = Evaluation(settings, ledger=MemoryLedger(), memory={}, now_ms=at.wall_ns // 10**6, reader=reader)
    spent_ns = 0
    pages = _pages()
    for number in range(WARM_UP + EVALUATIONS):
        step_ns = INTERVAL_SECONDS * NS_PER_SECOND
        at = Instant(at.mono_ns + step_ns, at.wall_ns + step_ns)
        page = replace(next(pages), at=at, sample_at=at)
        started_ns = time.process_time_ns()
        evaluation.run(page, at.wall_ns // 10**6, time.monotonic_ns)
        evaluation.memories()
        evaluation.take_due(at.wall_ns // 10**6)
        health = evaluation.health()
        if number >= WARM_UP:
            spent_ns += time.process_time_ns() - started_ns
    assert health.history is not None
    return RulesCost(
        packs_seconds=spent_ns / EVALUATIONS / 1e9,
        workloads_seconds=0,
        alerts=len(health.alerts),
        rules=sum(group.rules for group in health.groups),
        history_bytes=health.history.memory_bytes,
    )


def _pages() -> Iterator[Snapshot]:
    """Give pages on which every second board is held and the others are hardly used, with power that moves."""
    number = 0
    while True:
        number += 1
        yield snapshot(*(_board(slot, number) for slot in range(GPUS)))


def _board(slot: int, number: int) -> DeviceView:
    made = view(slot, state=State.HELD if slot % 2 else State.ACTIVE)
    values = dict(made.reading.values) | {
        Quantity.POWER_AVERAGE_MW: 121_000 + 37 * number,
        Quantity.UTILIZATION_GPU_RATIO: 0.05,
    }
    return instances(reading(made, values=values), INSTANCES)


def _workloads(page: Snapshot) -> Iterator[Row]:
    joules = page.at.wall_ns / 1e9 % 1e6
    for view_ in page.devices:
        identity = view_.reading.identity
        for number in range(INSTANCES * WORKLOADS):
            yield (str(identity.index), identity.uuid, f"w{number}"), joules * (1 + number % 3)
