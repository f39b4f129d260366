"""How much the ledger grows: a year of hourly history of one GPU in every state, written by the real ledger."""

import tempfile
from pathlib import Path

from tests.agent.fake_clock import FakeClock
from wattledger.agent.ledger import open_ledger
from wattledger.rules.account import DeviceAccount, Entry
from wattledger.rules.instant import NS_PER_HOUR, Instant
from wattledger.rules.state import Method, State

HOURS = 365 * 24
UUID = "GPU-00000000-0000-0000-0000-000000000001"


def ledger_bytes_per_gpu_year(folder: Path) -> float:
    """Give the size of the ledger's files after a year in which every hour saw all six states."""
    state_dir = Path(tempfile.mkdtemp(dir=folder))
    ledger = open_ledger(state_dir, clock=FakeClock(), history_days=400)
    accounts = {UUID: DeviceAccount(uuid=UUID, name="NVIDIA H100 80GB HBM3")}
    entries: list[Entry] = []
    share_ns = NS_PER_HOUR // len(State)
    for hour in range(HOURS):
        for number, state in enumerate(State):
            start = hour * NS_PER_HOUR + number * share_ns
            entries.append(
                Entry(
                    uuid=UUID,
                    state=state,
                    start=Instant(start, start),
                    end=Instant(start + share_ns, start + share_ns),
                    energy_mj=123_456_789,
                    avoidable_mj=23_456_789 if state is State.HELD else 0,
                    method=Method.COUNTER,
                )
            )
        if len(entries) > 1000:
            ledger.commit(accounts, entries, entries[-1].end)
            entries.clear()
    ledger.commit(accounts, entries, Instant(HOURS * NS_PER_HOUR, HOURS * NS_PER_HOUR))
    ledger.close()
    return sum(path.stat().st_size for path in state_dir.iterdir())
