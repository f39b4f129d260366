"""What a tick costs the ledger: processor time, and the wait for the disk that makes a published number durable."""

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.agent.ledger.helpers import (
    FakeClock,
    account_of,
    entry_of,
    instant_of,
    usage_at,
    uuid_of,
    window_of,
    workload_of,
)
from wattledger.agent.ledger import SqliteLedger, UsageCommit
from wattledger.rules.account import Entry
from wattledger.rules.state import State
from wattledger.rules.usage.totals import UsageTotal
from wattledger.rules.usage.workload import Part, ShareMethod, Workload

DEVICES = range(8)
WORKLOADS_PER_DEVICE = 8
RESTED = 4096
"""Totals of workloads that have gone, which a commit is not to touch."""

TICKS = 300


@dataclass(frozen=True, slots=True)
class CommitCost:
    """Of one tick, median over all: processor time of the thread, and all of the time."""

    busy_seconds: float
    whole_seconds: float


def measure_commit(folder: Path) -> CommitCost:
    """Give the cost of a tick of 8 devices without workloads."""
    return _measure(folder, [], lambda _tick, _entries: None)


def measure_usage_commit(folder: Path) -> CommitCost:
    """Give the cost of a tick that changes 64 totals of workloads among 4096 that rest."""
    cast = [workload_of(f"pod-{number}") for number in range(WORKLOADS_PER_DEVICE)]
    rested = [_total(0, workload_of(f"gone-{number}"), 1) for number in range(RESTED)]

    def usage(tick: int, entries: list[Entry]) -> UsageCommit:
        parts = [
            Part(one.uuid, workload, one.state, ShareMethod.SM_SHARE, one.start, one.end, one.energy_mj // len(cast))
            for one in entries
            for workload in cast
        ]
        changed = [_total(slot, workload, tick) for slot in DEVICES for workload in cast]
        windows = [("m", window_of(tick))]
        return UsageCommit(changed, parts=parts, services=usage_at((), tick).services, windows=windows)

    return _measure(folder, rested, usage)


def _measure(
    folder: Path, rested: list[UsageTotal], usage_of: Callable[[int, list[Entry]], UsageCommit | None]
) -> CommitCost:
    ledger = SqliteLedger(Path(tempfile.mkdtemp(dir=folder)), clock=FakeClock())
    ledger.commit({}, [], instant_of(0), usage=UsageCommit(rested))
    busy_seconds, whole_seconds = [], []
    for tick in range(1, TICKS + 1):
        accounts = {uuid_of(slot): account_of(slot, tick) for slot in DEVICES}
        entries = [entry_of(slot, tick) for slot in DEVICES]
        usage = usage_of(tick, entries)
        began, busy = time.monotonic(), time.thread_time()
        ledger.commit(accounts, entries, instant_of(tick), usage=usage)
        busy_seconds.append(time.thread_time() - busy)
        whole_seconds.append(time.monotonic() - began)
    health = ledger.health()
    ledger.close()
    if not health.writable:
        raise RuntimeError("the ledger could not be written, so nothing was measured")
    return CommitCost(statistics.median(busy_seconds), statistics.median(whole_seconds))


def _total(slot: int, workload: Workload, tick: int) -> UsageTotal:
    return UsageTotal(uuid_of(slot), workload, State.ACTIVE, ShareMethod.SM_SHARE, tick * 37_500, tick * 10**9)
