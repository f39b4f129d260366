"""What was published is durable: a commit waits for the disk."""

from pathlib import Path

from tests.agent.ledger.helpers import FakeClock
from wattledger.agent.ledger import SqliteLedger


def test_a_commit_is_synced_before_it_returns(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    assert ledger._place.store is not None
    connection = ledger._place.store._connection
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    ledger.close()
