"""A process that commits a known sequence for ever and says after each commit which step it was; it is killed."""

import os
import sys
from pathlib import Path

from tests.agent.ledger.helpers import FakeClock, account_of, entry_of, instant_of, memory_of, usage_of, uuid_of
from tests.agent.ledger.ledger_prices import closings_of, counters_at, row_of
from wattledger.agent.ledger import PriceCommit, SqliteLedger, UsageCommit
from wattledger.agent.ledger.base import NodeCommit
from wattledger.rules.account import DeviceAccount, Entry
from wattledger.rules.alerting import GroupMemory
from wattledger.rules.chain.node_energy import DomainEnergy
from wattledger.rules.chain.node_model import NODE, NodeSource, NodeTotal
from wattledger.rules.pricing.model import slot_of

SLOTS = range(3)
TICKS_PER_STEP = 25
STEPS_PER_LIFE = 29  # then the ledger is closed and opened again
STEPS_PER_CLOSING = 3  # of the hour that is now: what comes next opens it again
METER = (NODE, NodeSource.IPMI)


def accounts_at(step: int) -> dict[str, DeviceAccount]:
    return {uuid_of(slot): account_of(slot, step * TICKS_PER_STEP) for slot in SLOTS}


def entries_of(step: int) -> list[Entry]:
    first = (step - 1) * TICKS_PER_STEP + 1
    return [entry_of(slot, tick) for tick in range(first, first + TICKS_PER_STEP) for slot in SLOTS]


def alerts_at(step: int) -> dict[str, GroupMemory]:
    """Give two groups whose alerts come and go, some of them with each step."""
    count = step % 4
    return {name: memory_of(step, *(f"{name}{slot}" for slot in range(count))) for name in "ab" if count}


def usage_in(step: int) -> UsageCommit:
    """Give what the step adds of workloads and of a service."""
    return usage_of(SLOTS, (step - 1) * TICKS_PER_STEP + 1, step * TICKS_PER_STEP)


def prices_in(step: int) -> PriceCommit:
    """Give what the step says of prices: each third closes all that is open, the others tell its row."""
    begun = (step - 1) // STEPS_PER_CLOSING * STEPS_PER_CLOSING
    entries = [one for earlier in range(begun + 1, step + 1) for one in entries_of(earlier)]
    closes = step % STEPS_PER_CLOSING == 0
    closings = closings_of(entries)
    totals, certificates = counters_at(step)
    return PriceCommit(
        closings=closings if closes else (),
        hours=[row_of(closing, final=closes) for closing in closings],
        totals=totals,
        certificates=certificates,
        node=NodeCommit(
            [NodeTotal(*METER, energy_mj=step)],
            {(slot_of(instant_of(step * TICKS_PER_STEP).wall_ns), METER): DomainEnergy(1, step)},
        ),
    )


def step_of(accounts: dict[str, DeviceAccount]) -> int:
    """Give the step that the accounts are of, by the anchor of the first device."""
    if not accounts:
        return 0
    anchor = accounts[uuid_of(0)].anchor
    assert anchor is not None
    assert anchor.uptime_seconds is not None
    return anchor.uptime_seconds // TICKS_PER_STEP


def main(directory: Path) -> None:
    while True:
        ledger = SqliteLedger(directory, clock=FakeClock())
        begun = step_of(ledger.load())
        for step in range(begun + 1, begun + 1 + STEPS_PER_LIFE):
            at = instant_of(step * TICKS_PER_STEP)
            ledger.commit(accounts_at(step), entries_of(step), at, alerts_at(step), usage_in(step), prices_in(step))
            assert ledger.health().writable, ledger.health().detail
            os.write(1, f"{step}\n".encode())
        ledger.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
