"""The laws of closing: devices and workloads came to what their hours came to, in whatever order these are closed."""

import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.agent.ledger.helpers import FakeClock, entry, instant_of, window_of, workload_of
from tests.agent.ledger.ledger_prices import (
    NUMBERS,
    closing_of,
    devices_sum,
    energies_of,
    priced_at,
    total_of,
    workloads_sum,
)
from wattledger.agent.ledger import HourClosing, Ledger, MemoryLedger, PriceCommit, SqliteLedger, UsageCommit
from wattledger.agent.ledger.closing import OpenCells, close, shared
from wattledger.agent.ledger.hours import Cell
from wattledger.rules.account import Entry
from wattledger.rules.apportion import apportion
from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.pricing.model import NOTHING, SLOTS_PER_HOUR, Priced, slots_of_hour
from wattledger.rules.state import State
from wattledger.rules.tokens.totals import Phase, ServiceWindow
from wattledger.rules.usage.workload import UNATTRIBUTED, Part, ShareMethod, Workload, WorkloadKind

HOUR_S = 3600
CAST = [workload_of("b"), workload_of("a"), Workload(WorkloadKind.USER, "7", "seven"), UNATTRIBUTED]
ENERGIES = st.integers(0, 9) | st.integers(0, 10**12) | st.integers(0, 2**70)
AFTER = instant_of(20 * HOUR_S)


@dataclass(frozen=True)
class Told:
    """What one commit tells, without prices."""

    entries: list[Entry]
    parts: list[Part]
    windows: list[tuple[str, ServiceWindow]]


@st.composite
def _told(draw: st.DrawFn) -> Told:
    seen: dict[tuple[object, ...], Entry] = {}
    parts: list[Part] = []
    for _ in range(draw(st.integers(0, 3))):
        one = entry(
            draw(st.sampled_from([State.ACTIVE, State.HELD])),
            start_s=draw(st.integers(0, 3 * HOUR_S)),
            seconds=draw(st.integers(0, 2 * HOUR_S)),
            energy_mj=draw(ENERGIES),
            slot=draw(st.integers(0, 1)),
        )
        # A device is booked once a time: the parts of an interval are told by it.
        if (one.uuid, one.state, one.start, one.end) in seen:
            continue
        seen[one.uuid, one.state, one.start, one.end] = one
        holders = draw(st.lists(st.sampled_from(CAST), min_size=1, max_size=3, unique=True))
        weights = [draw(st.integers(0, 5)) for _ in holders]
        parts += [
            Part(one.uuid, workload, one.state, ShareMethod.SM_SHARE, one.start, one.end, energy_mj)
            for workload, energy_mj in zip(holders, apportion(one.energy_mj, weights), strict=True)
        ]
    windows = [
        (
            "m",
            replace(
                window_of(1),
                start=one.start,
                end=one.end,
                phase=draw(st.sampled_from(Phase)),
                total_mj=one.energy_mj // 2,
                active_mj=one.energy_mj // 3,
                tokens={},
            ),
        )
        for one in seen.values()
    ]
    return Told(list(seen.values()), parts, windows)


def _tell(ledgers: tuple[Ledger, ...], told: Told, closings: list[HourClosing]) -> None:
    usage = UsageCommit(parts=told.parts, windows=told.windows)
    for ledger in ledgers:
        ledger.commit({}, told.entries, AFTER, usage=usage, prices=PriceCommit(closings=closings))


def _closings(waiting: Counter[int], hours: list[int]) -> list[HourClosing]:
    """Close *hours*, and take what is open of them from what is *waiting*."""
    closings = [closing_of(hour, waiting) for hour in hours]
    for hour in hours:
        for slot in slots_of_hour(hour):
            del waiting[slot]
    return closings


def _hours(waiting: Counter[int]) -> list[int]:
    return sorted({slot // SLOTS_PER_HOUR for slot in waiting})


@settings(max_examples=40)
@given(st.lists(_told(), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_conservation_devices_and_workloads_came_to_what_their_hours_came_to(
    steps: list[Told], random: Random
) -> None:
    closings: list[HourClosing] = []
    waiting = Counter[int]()
    with tempfile.TemporaryDirectory() as directory:
        stored, kept = SqliteLedger(Path(directory), clock=FakeClock()), MemoryLedger()
        for told in _once(steps):
            waiting.update(energies_of(told.entries))
            # Some of the hours close now, in any order; what comes for them later opens them again.
            hours = [hour for hour in _hours(waiting) if random.random() < 0.5]
            random.shuffle(hours)
            closed = _closings(waiting, hours)
            _tell((stored, kept), told, closed)
            closings += closed
        still_open = stored.load_prices().open_slots
        assert still_open == kept.load_prices().open_slots
        assert +Counter({slot: of.gpu_mj for slot, of in still_open.items()}) == +waiting
        # Of some hours only windows came late.
        closed = _closings(waiting, sorted({slot // SLOTS_PER_HOUR for slot in still_open}))
        _tell((stored, kept), Told([], [], []), closed)
        closings += closed
        assert stored.health().writable, stored.health().detail
        _assert_conserved(stored, closings)
        assert stored.history(0, 2**62) == kept.history(0, 2**62)
        assert stored.workload_history(0, 2**62) == kept.workload_history(0, 2**62)
        assert stored.service_history(0, 2**62) == kept.service_history(0, 2**62)
        assert stored.load_prices().open_slots == kept.load_prices().open_slots == {}
        stored.close()


def _once(steps: list[Told]) -> Iterator[Told]:
    """Give the steps without intervals that came before."""
    seen: set[tuple[object, ...]] = set()
    for told in steps:
        fresh = {(one.uuid, one.state, one.start, one.end): one for one in told.entries}
        fresh = {key: one for key, one in fresh.items() if key not in seen}
        seen |= fresh.keys()
        yield Told(
            list(fresh.values()),
            [part for part in told.parts if (part.uuid, part.state, part.start, part.end) in fresh],
            told.windows,
        )


def _assert_conserved(ledger: Ledger, closings: list[HourClosing]) -> None:
    total = total_of(closings)
    assert devices_sum(ledger) == total
    assert workloads_sum(ledger) == total
    by_hour: defaultdict[int, Priced] = defaultdict(Priced)
    by_device: dict[tuple[int, str, State], Priced] = {}
    for row in ledger.history(0, 2**62):
        assert row.open_mj == 0
        assert row.priced.energy_mj == row.energy_mj
        _assert_covered(row.priced)
        by_hour[row.hour_wall_ns] += row.priced
        by_device[row.hour_wall_ns, row.uuid, row.state] = row.priced
    for closing in closings:
        by_hour[closing.hour * NS_PER_HOUR] += NOTHING
    assert by_hour == {
        hour * NS_PER_HOUR: total_of(closing for closing in closings if closing.hour == hour)
        for hour in {closing.hour for closing in closings}
    }
    used: defaultdict[tuple[int, str, State], Priced] = defaultdict(Priced)
    for of in ledger.workload_history(0, 2**62):
        _assert_covered(of.priced)
        used[of.hour_wall_ns, of.uuid, of.state] += of.priced
    assert used == by_device
    for served in ledger.service_history(0, 2**62):
        assert served.priced.energy_mj == served.total_mj
        _assert_covered(served.priced)


def _assert_covered(priced: Priced) -> None:
    for covered_mj in (priced.location_covered_mj, priced.market_covered_mj, priced.priced_mj):
        assert 0 <= covered_mj <= priced.energy_mj


_CELLS = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 10**12) | st.integers(0, 3), max_size=6)


@given(_CELLS, st.integers(0, 2**20), st.sampled_from([-1, 0, 1]))
def test_conservation_a_price_is_shared_out_whole_or_by_the_energy_that_is_here(
    energies: dict[str, int], slot: int, other: int
) -> None:
    here_mj = sum(energies.values())
    priced = priced_at(slot, max(0, here_mj + other * (here_mj // 2)))
    parts = shared(priced, {name: Cell(energy_mj, 1) for name, energy_mj in energies.items()})
    total = sum(parts.values(), NOTHING)
    assert total.energy_mj == here_mj
    for name in NUMBERS[1:]:
        value = getattr(priced, name)
        if here_mj >= priced.energy_mj:
            assert getattr(total, name) == value
        else:
            assert getattr(total, name) == value * here_mj // priced.energy_mj
    for name, part in parts.items():
        assert part.energy_mj == energies[name]
        _assert_covered(part)


SlotCells = OpenCells[str, str, str]


def _slot(energy_mj: int, *, device: str = "a") -> SlotCells:
    return OpenCells(
        {device: Cell(energy_mj, 1)}, {(device, "w"): Cell(energy_mj, 1)}, {"s": Cell(energy_mj // 2, 1)}
    )


def _four(*energies: int) -> list[Priced]:
    return [priced_at(slot, energy_mj) for slot, energy_mj in enumerate(energies)]


def test_a_service_gets_the_part_of_a_slot_that_its_energy_is_of_it() -> None:
    slots = [_slot(10), _slot(0), _slot(7), _slot(1)]
    prices = _four(10, 0, 7, 1)
    service = close(slots, prices).phases["s"]
    assert service.cell.energy_mj == 5 + 3
    for name in NUMBERS[1:]:
        first, _, third, _ = (getattr(priced, name) for priced in prices)
        assert getattr(service.closed, name) == first * 5 // 10 + third * 3 // 7


def test_quarters_that_were_folded_into_one_get_the_prices_of_their_hour() -> None:
    prices = _four(10, 20, 30, 40)
    folded = [_slot(100), OpenCells(), OpenCells(), OpenCells()]
    closed = close(folded, prices)
    assert closed.devices["a"].closed == sum(prices, NOTHING)
    assert closed.workloads["a", "w"].closed == sum(prices, NOTHING)


def test_energy_that_was_lost_takes_its_prices_with_it() -> None:
    prices = _four(10, 20, 30, 40)
    closed = close([_slot(10), OpenCells(), _slot(30), _slot(40)], prices).devices["a"].closed
    whole = sum(prices, NOTHING)
    assert (closed.energy_mj, closed.location) == (80, whole.location * 80 // 100)
    assert closed.market_covered_mj == 80


def test_energy_that_the_prices_do_not_know_of_is_priced_with_the_rest_and_not_covered_twice() -> None:
    prices = _four(10, 0, 0, 0)
    slots = [_slot(10), OpenCells(), _slot(5, device="b"), OpenCells()]
    closed = close(slots, prices)
    assert sum((booked.closed for booked in closed.devices.values()), NOTHING) == replace(prices[0], energy_mj=15)
    assert closed.devices["b"].closed.market_covered_mj == 3  # a third of 10, rounded
    # A service had 5 and 2 of the 15.
    assert closed.phases["s"].closed.location == prices[0].location * 7 // 15


def test_workloads_that_used_a_part_of_a_device_get_that_part_of_its_price() -> None:
    cells: SlotCells = OpenCells({"a": Cell(100, 1)}, {("a", "w"): Cell(25, 1), ("b", "w"): Cell(7, 1)})
    empty: SlotCells = OpenCells()
    priced = priced_at(0, 100)
    closed = close([cells, empty, empty, empty], [priced, NOTHING, NOTHING, NOTHING])
    assert closed.workloads["a", "w"].closed.location == priced.location // 4
    # Of a device that is not there nothing is known.
    assert closed.workloads["b", "w"].closed == Priced(7)
    assert closed.devices["a"].closed == priced
