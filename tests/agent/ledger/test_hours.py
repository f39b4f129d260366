"""The law of splitting over UTC hours and their quarters: whole millijoules, none lost, none made up."""

import dataclasses
from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from tests.agent.ledger.helpers import EPOCH_WALL_NS, entry, instant_of, uuid_of
from wattledger.agent.ledger import MemoryLedger
from wattledger.agent.ledger.backlog import Backlog
from wattledger.agent.ledger.cells import DeviceKey
from wattledger.agent.ledger.hours import Cell, hour_of, split, split_share_slots, split_shares, split_slots
from wattledger.agent.ledger.waiting import Waiting
from wattledger.rules.account import Entry
from wattledger.rules.apportion import apportion
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND, Instant
from wattledger.rules.pricing.model import SLOT_NS, SLOTS_PER_HOUR
from wattledger.rules.state import State

EPOCH_HOUR = hour_of(EPOCH_WALL_NS)


def split_entry(whole: Entry, *, first_hour: int) -> list[tuple[int, Cell]]:
    cell = Cell(whole.energy_mj, whole.duration_ns, whole.avoidable_mj)
    return split(cell, whole.end.wall_ns, first=first_hour, unit_ns=NS_PER_HOUR)


@st.composite
def _entries(draw: st.DrawFn) -> Entry:
    begin_ns = draw(st.integers(0, 10 * NS_PER_HOUR))
    length_ns = draw(st.integers(0, 60 * NS_PER_HOUR) | st.sampled_from([1, NS_PER_HOUR, 3 * NS_PER_HOUR]))
    energy_mj = draw(st.integers(0, 10**12) | st.integers(0, 5) | st.integers(0, 2**70))
    return Entry(
        uuid_of(0),
        draw(st.sampled_from(State)),
        Instant(begin_ns, EPOCH_WALL_NS + begin_ns),
        Instant(begin_ns + length_ns, EPOCH_WALL_NS + begin_ns + length_ns),
        energy_mj,
        draw(st.integers(0, energy_mj)),
    )


@given(_entries())
def test_conservation_the_hours_of_an_entry_sum_to_it_exactly(whole: Entry) -> None:
    parts = split_entry(whole, first_hour=0)
    assert sum(cell.energy_mj for _, cell in parts) == whole.energy_mj
    assert sum(cell.marked_mj for _, cell in parts) == whole.avoidable_mj
    assert sum(cell.duration_ns for _, cell in parts) == whole.duration_ns
    hours = [hour for hour, _ in parts]
    assert hours == list(range(hours[0], hours[0] + len(hours)))
    for hour, cell in parts:
        assert 0 <= cell.marked_mj <= cell.energy_mj
        overlap_ns = min(whole.end.wall_ns, (hour + 1) * NS_PER_HOUR) - max(whole.start.wall_ns, hour * NS_PER_HOUR)
        assert cell.duration_ns == overlap_ns
        if whole.duration_ns:
            exact = whole.energy_mj * cell.duration_ns // whole.duration_ns
            assert exact <= cell.energy_mj <= exact + 1


@given(_entries(), st.integers(0, 80))
def test_what_is_older_than_kept_comes_as_one_part_and_the_rest_is_as_before(whole: Entry, clipped: int) -> None:
    first = EPOCH_HOUR + clipped
    parts = split_entry(whole, first_hour=first)
    assert sum(cell.energy_mj for _, cell in parts) == whole.energy_mj
    assert sum(cell.duration_ns for _, cell in parts) == whole.duration_ns
    assert len([hour for hour, _ in parts if hour < first]) <= 1
    durations = {hour: cell.duration_ns for hour, cell in split_entry(whole, first_hour=0) if hour >= first}
    assert {hour: cell.duration_ns for hour, cell in parts if hour >= first} == durations


@given(st.integers(0, 2**70), st.lists(st.integers(0, 10**6), min_size=1, max_size=12))
def test_apportion_gives_each_its_share_within_one(total: int, weights: list[int]) -> None:
    parts = apportion(total, weights)
    assert sum(parts) == total
    if sum(weights):
        assert all(
            0 <= part - total * weight // sum(weights) <= 1 for part, weight in zip(parts, weights, strict=True)
        )


def test_ten_millijoules_over_three_hours_by_largest_remainder() -> None:
    # 30 min, 60 min, 20 min of 110: 2.73, 5.45, 1.82
    parts = split_entry(entry(start_s=1800, seconds=6600, energy_mj=10), first_hour=0)
    assert [(hour - EPOCH_HOUR, cell.energy_mj) for hour, cell in parts] == [(0, 3), (1, 5), (2, 2)]


def test_the_avoidable_part_of_an_hour_never_exceeds_its_energy() -> None:
    # 3, 60 and 9 min: by time alone, 10 mJ would come to 1, 8, 1 beside an energy of 0, 11, 2.
    parts = split_entry(entry(start_s=3420, seconds=72 * 60, energy_mj=13, avoidable_mj=10), first_hour=0)
    assert [cell.energy_mj for _, cell in parts] == [0, 11, 2]
    assert [cell.marked_mj for _, cell in parts] == [0, 8, 2]


def test_an_entry_that_ends_on_the_hour_stays_in_its_hour() -> None:
    (part,) = split_entry(entry(start_s=3540, seconds=60, energy_mj=7), first_hour=0)
    assert part == (EPOCH_HOUR, Cell(7, 60 * NS_PER_SECOND, 0))


def test_a_step_of_the_wall_clock_smears_nothing() -> None:
    one = entry(start_s=0, seconds=1, energy_mj=300_000)
    leapt = dataclasses.replace(one, start=Instant(one.start.mono_ns, 0))
    ((hour, cell),) = split_entry(leapt, first_hour=0)
    assert (hour, cell.energy_mj, cell.duration_ns) == (EPOCH_HOUR, 300_000, NS_PER_SECOND)


def test_energy_without_time_is_booked_in_the_hour_of_its_end() -> None:
    assert split_entry(entry(start_s=3600, seconds=0, energy_mj=5), first_hour=0) == [(EPOCH_HOUR + 1, Cell(5, 0, 0))]


@st.composite
def _shares(draw: st.DrawFn) -> list[Cell]:
    duration_ns = draw(st.integers(0, 50 * NS_PER_HOUR) | st.sampled_from([1, NS_PER_HOUR]))
    energies = draw(
        st.lists(st.integers(0, 10**12) | st.integers(0, 5) | st.integers(0, 2**70), min_size=1, max_size=6)
    )
    return [Cell(energy_mj, duration_ns, draw(st.integers(0, energy_mj))) for energy_mj in energies]


@given(_shares(), st.integers(0, 3 * NS_PER_HOUR), st.integers(0, 60))
def test_conservation_shares_sum_to_themselves_and_to_each_hour(
    shares: list[Cell], end_ns: int, clipped: int
) -> None:
    end_wall_ns, first_hour = EPOCH_WALL_NS + 40 * NS_PER_HOUR + end_ns, EPOCH_HOUR + clipped - 10
    whole = Cell(
        sum(share.energy_mj for share in shares), shares[0].duration_ns, sum(share.marked_mj for share in shares)
    )
    hours = split_shares(shares, end_wall_ns, first=first_hour, unit_ns=NS_PER_HOUR)
    sums = [
        (
            hour,
            Cell(sum(cell.energy_mj for cell in cells), cells[0].duration_ns, sum(cell.marked_mj for cell in cells)),
        )
        for hour, cells in hours
    ]
    assert sums == split(whole, end_wall_ns, first=first_hour, unit_ns=NS_PER_HOUR)
    for place, share in enumerate(shares):
        mine = [cells[place] for _, cells in hours]
        assert sum(mine, Cell()) == share
        for cell in mine:
            assert 0 <= cell.marked_mj <= cell.energy_mj
            if share.duration_ns:
                exact = share.energy_mj * cell.duration_ns // share.duration_ns
                assert abs(cell.energy_mj - exact) <= 2 * (len(shares) + 2)


def test_three_shares_of_a_millijoule_each_are_spread_as_the_whole_is() -> None:
    # By themselves, all three would fall into the first half hour.
    ends_ns = EPOCH_WALL_NS + NS_PER_HOUR + NS_PER_HOUR // 2
    hours = split_shares([Cell(1, NS_PER_HOUR)] * 3, ends_ns, first=0, unit_ns=NS_PER_HOUR)
    assert [sum(cell.energy_mj for cell in cells) for _, cells in hours] == [2, 1]


@given(_entries(), st.integers(0, 80))
def test_conservation_the_quarters_of_an_hour_sum_to_the_hour(whole: Entry, clipped: int) -> None:
    first = EPOCH_HOUR + clipped - 10
    cell = Cell(whole.energy_mj, whole.duration_ns, whole.avoidable_mj)
    slots = split_slots(cell, whole.end.wall_ns, first_hour=first)
    numbers = [slot for slot, _ in slots]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    by_hour = groupby(slots, key=lambda item: item[0] // SLOTS_PER_HOUR)
    folded = [(hour, sum((part for _, part in parts), Cell())) for hour, parts in by_hour]
    assert folded == split_entry(whole, first_hour=first)
    for slot, part in slots:
        assert 0 <= part.marked_mj <= part.energy_mj
        if slot >= first * SLOTS_PER_HOUR:
            overlap_ns = min(whole.end.wall_ns, (slot + 1) * SLOT_NS) - max(whole.start.wall_ns, slot * SLOT_NS)
            assert part.duration_ns == overlap_ns


@given(_shares(), st.integers(0, 3 * NS_PER_HOUR), st.integers(0, 60))
def test_conservation_shares_sum_to_themselves_and_to_each_quarter(
    shares: list[Cell], end_ns: int, clipped: int
) -> None:
    end_wall_ns, first_hour = EPOCH_WALL_NS + 40 * NS_PER_HOUR + end_ns, EPOCH_HOUR + clipped - 10
    whole = Cell(
        sum(share.energy_mj for share in shares), shares[0].duration_ns, sum(share.marked_mj for share in shares)
    )
    slots = split_share_slots(shares, end_wall_ns, first_hour=first_hour)
    sums = [
        (
            slot,
            Cell(sum(cell.energy_mj for cell in cells), cells[0].duration_ns, sum(cell.marked_mj for cell in cells)),
        )
        for slot, cells in slots
    ]
    assert sums == split_slots(whole, end_wall_ns, first_hour=first_hour)
    for place, share in enumerate(shares):
        mine = [cells[place] for _, cells in slots]
        assert sum(mine, Cell()) == share
        assert all(0 <= cell.marked_mj <= cell.energy_mj for cell in mine)


def _backlog(cells: dict[int, int]) -> Backlog[DeviceKey, Cell]:
    backlog: Backlog[DeviceKey, Cell] = Backlog()
    backlog.add((((slot, "GPU", State.HELD), Cell(mj, 60)) for slot, mj in cells.items()), first_hour=0)
    return backlog


def _energies(backlog: Backlog[DeviceKey, Cell]) -> dict[int, int]:
    return {slot: cell.energy_mj for (slot, _, _), cell in backlog.cells.items()}


def test_the_backlog_is_bounded_and_loses_its_oldest_hours_first() -> None:
    backlog = _backlog({hour * SLOTS_PER_HOUR + 1: hour for hour in range(30)})
    assert backlog.trim(first_hour=5, limit=10) == 15
    assert _energies(backlog) == {hour * SLOTS_PER_HOUR: hour for hour in range(20, 30)}


def test_a_backlog_without_room_forgets_the_quarters_before_it_loses_an_hour() -> None:
    backlog = _backlog(dict.fromkeys(range(40), 1))
    assert backlog.trim(first_hour=0, limit=40) == 0
    assert _energies(backlog) == dict.fromkeys(range(40), 1)
    assert backlog.trim(first_hour=0, limit=10) == 0
    assert _energies(backlog) == {hour * SLOTS_PER_HOUR: 4 for hour in range(10)}


def test_quarters_that_turned_out_to_be_stored_are_taken_from_the_hour_they_were_folded_into() -> None:
    backlog = _backlog({0: 1, 1: 2, 6: 4})
    landed = backlog.copy()
    backlog.add([((1, "GPU", State.HELD), Cell(10, 60)), ((7, "GPU", State.HELD), Cell(20, 60))], first_hour=0)
    assert backlog.trim(first_hour=0, limit=2) == 0
    backlog.remove(landed)
    assert _energies(backlog) == {0: 10, 4: 20}


def test_what_turned_out_to_be_stored_is_taken_from_what_waits_once() -> None:
    waiting = Waiting()
    waiting.add([entry(start_s=0, seconds=60, energy_mj=100)], first_hour=0)
    landed = waiting.copy()
    waiting.add(
        [entry(start_s=60, seconds=60, energy_mj=7), entry(start_s=7200, seconds=1, energy_mj=1)], first_hour=0
    )
    waiting.remove(landed)
    assert [cell.energy_mj for cell in waiting.steps[0].devices.cells.values()] == [1, 7]
    waiting.clear()
    waiting.remove(landed)
    assert waiting.count == 0


def test_memory_keeps_no_history_older_than_asked_for() -> None:
    ledger = MemoryLedger(history_days=1)
    ledger.commit({}, [entry(start_s=0, seconds=60, energy_mj=1)], instant_of(60))
    ledger.commit({}, [entry(start_s=25 * 3600, seconds=60, energy_mj=2)], instant_of(26 * 3600))
    assert [row.energy_mj for row in ledger.history(0, 2**62)] == [2]
