"""Which kind of ledger a program gets."""

from pathlib import Path

from wattledger.agent.clock import Clock

from .base import Ledger
from .memory import MemoryLedger
from .sqlite import SqliteLedger


def open_ledger(state_dir: Path | None, *, clock: Clock, history_days: int = 400) -> Ledger:
    """Give the ledger in *state_dir*, or one in memory where no directory is named.

    A directory that can neither be made nor written gives a ledger too: it reads the totals that are there, keeps
    the books in memory, says so in `health`, and writes once it can. Raises LedgerLocked, LedgerTooNew.
    """
    if state_dir is None:
        return MemoryLedger(history_days=history_days)
    return SqliteLedger(state_dir, clock=clock, history_days=history_days)
