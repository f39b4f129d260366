"""A look into the books of a daemon that has stopped."""

from pathlib import Path

from wattledger.agent.clock import SystemClock
from wattledger.agent.ledger import open_ledger


def books(state_dir: Path) -> dict[str, tuple[int, int]]:
    """Give the booked energy and the counter it was booked up to, in mJ, by board."""
    ledger = open_ledger(state_dir, clock=SystemClock(), history_days=400)
    try:
        return {
            uuid: (account.energy_mj, account.anchor.counter_mj)
            for uuid, account in ledger.load().items()
            if account.anchor is not None and account.anchor.counter_mj is not None
        }
    finally:
        ledger.close()
