"""What the ledger's tests of prices share: values by the quarter hour, closings of what was drawn, rows of hours."""

from collections import Counter
from collections.abc import Iterable, Sequence

from wattledger.agent.ledger import HourClosing, Ledger, PriceCommit
from wattledger.agent.ledger.hours import Cell, split_slots
from wattledger.rules.account import Entry
from wattledger.rules.feeds.model import Accounting, Caliber, PointKind
from wattledger.rules.pricing.model import (
    NOTHING,
    SLOTS_PER_HOUR,
    Boundary,
    FactorUse,
    HourPrice,
    Priced,
    PriceTotal,
    SupplyUse,
    TotalKind,
    slots_of_hour,
)
from wattledger.rules.supply.grid import GridScore
from wattledger.rules.supply.model import Layer

NUMBERS = (
    "energy_mj",
    "location",
    "location_covered_mj",
    "market",
    "market_covered_mj",
    "cost",
    "credit",
    "priced_mj",
)


def priced_at(slot: int, energy_mj: int) -> Priced:
    """Give what energy comes to in a quarter hour: values that differ, of which some are not known, or negative."""
    covered_mj = energy_mj - energy_mj // 3 if slot % 3 == 0 else energy_mj
    money = energy_mj * (40_000 + 7 * (slot % 11))
    return Priced(
        energy_mj,
        covered_mj * (400_000_001 + slot % 97),
        covered_mj,
        energy_mj * (100_000_007 + slot % 89),
        energy_mj,
        0 if slot % 4 == 1 else money,
        money if slot % 4 == 1 else 0,
        energy_mj,
    )


def energies_of(entries: Iterable[Entry]) -> Counter[int]:
    """Give the energy by quarter hour."""
    energies = Counter[int]()
    for entry in entries:
        for slot, cell in split_slots(Cell(entry.energy_mj, entry.duration_ns), entry.end.wall_ns, first_hour=0):
            energies[slot] += cell.energy_mj
    return energies


def closing_of(hour: int, energies: Counter[int]) -> HourClosing:
    """Give the closing of an hour in which so much was drawn by quarter."""
    first, second, third, fourth = (priced_at(slot, energies[slot]) for slot in slots_of_hour(hour))
    return HourClosing(hour, (first, second, third, fourth))


def closings_of(entries: Sequence[Entry]) -> list[HourClosing]:
    """Give the closings of all hours that *entries* touch."""
    energies = energies_of(entries)
    return [closing_of(hour, energies) for hour in sorted({slot // SLOTS_PER_HOUR for slot in energies})]


def row_of(closing: HourClosing, *, final: bool = False) -> HourPrice:
    """Give the row of an hour, with a facility that takes a quarter more, factors and supply.

    Of every third hour the carbon-free share of the grid is not known.
    """
    gpu = sum(closing.slots, NOTHING)
    facility = Priced(*(getattr(gpu, name) * 5 // 4 for name in NUMBERS))
    return HourPrice(
        closing.hour,
        {Boundary.GPU: gpu, Boundary.FACILITY: facility},
        factors=(
            FactorUse(
                Accounting.LOCATION,
                "DE",
                "csv",
                Caliber(),
                PointKind.ACTUAL,
                0,
                facility.location_covered_mj,
                facility.location,
                "intensity.csv",
            ),
        ),
        supply=(
            SupplyUse(Layer.CONTRACT_INTRA, "wind", gpu.energy_mj // 2, is_green=True, is_matched=True),
            SupplyUse(Layer.GRID, "", facility.energy_mj - gpu.energy_mj // 2),
        ),
        currency="EUR",
        final=final,
        with_grid=GridScore(gpu.energy_mj, facility.energy_mj, "csv DE, actual") if closing.hour % 3 else GridScore(),
    )


def close_all(entries: Sequence[Entry]) -> PriceCommit:
    """Give what closes all hours of *entries*, with their rows."""
    closings = closings_of(entries)
    return PriceCommit(closings=closings, hours=[row_of(closing, final=True) for closing in closings])


def total_of(closings: Iterable[HourClosing]) -> Priced:
    """Give what closings come to."""
    return sum((priced for closing in closings for priced in closing.slots), NOTHING)


def priced_sum(rows: Iterable[Priced]) -> Priced:
    """Give the sum of prices."""
    return sum(rows, NOTHING)


def devices_sum(ledger: Ledger) -> Priced:
    """Give what all of the history of devices came to."""
    return priced_sum(row.priced for row in ledger.history(0, 2**62))


def workloads_sum(ledger: Ledger) -> Priced:
    """Give what all of the history of workloads came to."""
    return priced_sum(row.priced for row in ledger.workload_history(0, 2**62))


def counters_at(step: int) -> tuple[tuple[PriceTotal, ...], dict[str, int]]:
    """Give counters of a host, and what is used of two lots, after *step* steps."""
    totals = (
        PriceTotal(TotalKind.EMISSIONS, ("location", "DE", "gpu"), step * 10**15, step * 10**15 + 5),
        PriceTotal(TotalKind.COST, ("EUR", "gpu"), step // 3 * 10**12, step * 10**12),
        PriceTotal(TotalKind.MATCHED, (), step, step),
    )
    return totals, {"lot:2025-01": min(step, 40) * 1_000, "lot:2025-02": max(0, step - 40) * 1_000}
