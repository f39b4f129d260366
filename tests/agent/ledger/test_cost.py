"""What a tick costs: processor time, and the wait for the disk that makes a published number durable."""

import statistics
import time
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
from wattledger.agent.ledger import LEDGER_NAME, SqliteLedger, UsageCommit
from wattledger.rules.state import State
from wattledger.rules.usage.totals import UsageTotal
from wattledger.rules.usage.workload import Part, ShareMethod, Workload

DEVICES = range(8)
TICKS = 300


def test_a_tick_of_eight_devices_costs_well_under_two_milliseconds(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    busy_ms, waited_ms = [], []
    for tick in range(1, TICKS + 1):
        accounts = {uuid_of(slot): account_of(slot, tick) for slot in DEVICES}
        entries = [entry_of(slot, tick) for slot in DEVICES]
        begun, busy = time.monotonic(), time.thread_time()
        ledger.commit(accounts, entries, instant_of(tick))
        busy_ms.append((time.thread_time() - busy) * 1e3)
        waited_ms.append((time.monotonic() - begun) * 1e3)
    health = ledger.health()
    assert health.writable
    ledger.close()
    size = (tmp_path / LEDGER_NAME).stat().st_size
    print(
        f"processor {statistics.median(busy_ms):.2f} ms (p99 {statistics.quantiles(busy_ms, n=100)[98]:.2f}), "
        f"in all {statistics.median(waited_ms):.2f} ms (p99 {statistics.quantiles(waited_ms, n=100)[98]:.2f}), "
        f"{size} bytes on disk"
    )
    # Processor time, which other programs on the machine do not add to.
    assert statistics.median(busy_ms) < 2


def test_a_tick_that_changes_64_totals_of_workloads_costs_a_few_milliseconds(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    cast = [workload_of(f"pod-{number}") for number in range(8)]
    rested = [_total(0, workload_of(f"gone-{number}"), 1) for number in range(4096)]
    ledger.commit({}, [], instant_of(0), usage=UsageCommit(rested))
    busy_ms = []
    for tick in range(1, TICKS + 1):
        accounts = {uuid_of(slot): account_of(slot, tick) for slot in DEVICES}
        entries = [entry_of(slot, tick) for slot in DEVICES]
        changed = [_total(slot, workload, tick) for slot in DEVICES for workload in cast]
        parts = [
            Part(one.uuid, workload, one.state, ShareMethod.SM_SHARE, one.start, one.end, one.energy_mj // len(cast))
            for one in entries
            for workload in cast
        ]
        usage = UsageCommit(
            changed, parts=parts, services=usage_at((), tick).services, windows=[("m", window_of(tick))]
        )
        busy = time.thread_time()
        ledger.commit(accounts, entries, instant_of(tick), usage=usage)
        busy_ms.append((time.thread_time() - busy) * 1e3)
    assert ledger.health().writable
    ledger.close()
    print(
        f"processor {statistics.median(busy_ms):.2f} ms (p99 {statistics.quantiles(busy_ms, n=100)[98]:.2f}) "
        f"for {len(changed)} totals and as many parts"
    )
    assert statistics.median(busy_ms) < 6


def _total(slot: int, workload: Workload, tick: int) -> UsageTotal:
    return UsageTotal(uuid_of(slot), workload, State.ACTIVE, ShareMethod.SM_SHARE, tick * 37_500, tick * 10**9)


def test_a_commit_is_synced_before_it_returns(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    assert ledger._place.store is not None
    connection = ledger._place.store._connection
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    ledger.close()
