"""How much the ledger grows: hours of a host of 8 GPUs in every state, with their prices, in the real ledger."""

import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

from tests.agent.fake_clock import FakeClock
from wattledger.agent.ledger import HourClosing, PriceCommit, open_ledger
from wattledger.agent.ledger.hours import Cell, split_slots
from wattledger.rules.account import DeviceAccount, Entry
from wattledger.rules.feeds.model import Accounting, Caliber, PointKind
from wattledger.rules.instant import NS_PER_HOUR, Instant
from wattledger.rules.pricing.model import Boundary, FactorUse, HourPrice, Priced, SupplyUse, slots_of_hour
from wattledger.rules.state import Method, State
from wattledger.rules.supply.model import Layer

WEEKS = 13
HOURS_PER_WEEK = 7 * 24
UUIDS = tuple(f"GPU-00000000-0000-0000-0000-{number:012d}" for number in range(8))
# Grams by both methods and money, of values with all their digits.
LOCATION, MARKET, PRICE = 431_234_567, 389_765_432, 123_456
SHARE_NS = NS_PER_HOUR // len(State)
ENERGY_MJ = 123_456_789


def ledger_bytes_per_gpu_year(folder: Path) -> float:
    """Give what a GPU adds to the ledger's files in a year in which every hour sees all six states and is priced.

    Of a quarter of that year, with the rows of the hours themselves, which the GPUs of a host share.
    """
    state_dir = Path(tempfile.mkdtemp(dir=folder))
    ledger = open_ledger(state_dir, clock=FakeClock(), history_days=400)
    accounts = {uuid: DeviceAccount(uuid=uuid, name="NVIDIA H100 80GB HBM3") for uuid in UUIDS}
    for week in range(WEEKS):
        hours = range(week * HOURS_PER_WEEK, (week + 1) * HOURS_PER_WEEK)
        entries = [entry for hour in hours for entry in entries_of(hour)]
        prices = [prices_of(hour) for hour in hours]
        whole = PriceCommit(
            closings=[closing for each in prices for closing in each.closings],
            hours=[row for each in prices for row in each.hours],
        )
        ledger.commit(accounts, entries, entries[-1].end, prices=whole)
    ledger.close()
    return sum(path.stat().st_size for path in state_dir.iterdir()) / len(UUIDS) * 52 / WEEKS


def entries_of(hour: int) -> list[Entry]:
    """Give an hour of which each state has its part."""
    return [
        Entry(
            uuid=uuid,
            state=state,
            start=Instant(start, start),
            end=Instant(start + SHARE_NS, start + SHARE_NS),
            energy_mj=ENERGY_MJ,
            avoidable_mj=23_456_789 if state is State.HELD else 0,
            method=Method.COUNTER,
        )
        for uuid in UUIDS
        for number, state in enumerate(State)
        for start in [hour * NS_PER_HOUR + number * SHARE_NS]
    ]


def priced(energy_mj: int) -> Priced:
    """Give what energy comes to, all of it covered."""
    return Priced(
        energy_mj, energy_mj * LOCATION, energy_mj, energy_mj * MARKET, energy_mj, energy_mj * PRICE, 0, energy_mj
    )


def prices_of(hour: int) -> PriceCommit:
    """Give the closing of an hour with its row: a facility, two factors, a contract and the grid."""
    energies = Counter[int]()
    for entry in entries_of(hour):
        for slot, cell in split_slots(Cell(entry.energy_mj, entry.duration_ns), entry.end.wall_ns, first_hour=0):
            energies[slot] += cell.energy_mj
    first, second, third, fourth = (priced(energies[slot]) for slot in slots_of_hour(hour))
    whole_mj = energies.total()
    factor = FactorUse(
        Accounting.LOCATION, "DE", "electricity_maps", Caliber(), PointKind.ACTUAL, 0, whole_mj, whole_mj * LOCATION
    )
    row = HourPrice(
        hour,
        {Boundary.GPU: priced(whole_mj), Boundary.FACILITY: priced(whole_mj * 5 // 4)},
        factors=(factor, replace(factor, accounting=Accounting.MARKET, product=whole_mj * MARKET)),
        supply=(
            SupplyUse(Layer.CONTRACT_INTRA, "wind park", whole_mj // 3, is_green=True, is_matched=True),
            SupplyUse(Layer.GRID, "", whole_mj - whole_mj // 3),
        ),
        currency="EUR",
        final=True,
    )
    return PriceCommit(closings=[HourClosing(hour, (first, second, third, fourth))], hours=[row])
