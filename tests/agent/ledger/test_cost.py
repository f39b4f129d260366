"""What a tick costs: processor time, and the wait for the disk that makes a published number durable."""

import statistics
import time
from pathlib import Path

from tests.agent.ledger.helpers import FakeClock, account_of, entry_of, instant_of, uuid_of
from wattledger.agent.ledger import LEDGER_NAME, SqliteLedger

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


def test_a_commit_is_synced_before_it_returns(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    assert ledger._place.store is not None
    connection = ledger._place.store._connection
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    ledger.close()
