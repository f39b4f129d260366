"""The law of splitting over UTC hours: whole millijoules, none lost, none made up."""

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from tests.agent.ledger.helpers import EPOCH_WALL_NS, entry, instant_of, uuid_of
from wattledger.agent.ledger import MemoryLedger
from wattledger.agent.ledger.backlog import Backlog
from wattledger.agent.ledger.hours import Cell, apportion, hour_of, split
from wattledger.rules.account import Entry
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND, Instant
from wattledger.rules.state import State

EPOCH_HOUR = hour_of(EPOCH_WALL_NS)


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
    parts = split(whole, first_hour=0)
    assert sum(cell.energy_mj for _, cell in parts) == whole.energy_mj
    assert sum(cell.avoidable_mj for _, cell in parts) == whole.avoidable_mj
    assert sum(cell.duration_ns for _, cell in parts) == whole.duration_ns
    hours = [hour for hour, _ in parts]
    assert hours == list(range(hours[0], hours[0] + len(hours)))
    for hour, cell in parts:
        assert 0 <= cell.avoidable_mj <= cell.energy_mj
        overlap_ns = min(whole.end.wall_ns, (hour + 1) * NS_PER_HOUR) - max(whole.start.wall_ns, hour * NS_PER_HOUR)
        assert cell.duration_ns == overlap_ns
        if whole.duration_ns:
            exact = whole.energy_mj * cell.duration_ns // whole.duration_ns
            assert exact <= cell.energy_mj <= exact + 1


@given(_entries(), st.integers(0, 80))
def test_what_is_older_than_kept_comes_as_one_part_and_the_rest_is_as_before(whole: Entry, clipped: int) -> None:
    first = EPOCH_HOUR + clipped
    parts = split(whole, first_hour=first)
    assert sum(cell.energy_mj for _, cell in parts) == whole.energy_mj
    assert sum(cell.duration_ns for _, cell in parts) == whole.duration_ns
    assert len([hour for hour, _ in parts if hour < first]) <= 1
    durations = {hour: cell.duration_ns for hour, cell in split(whole, first_hour=0) if hour >= first}
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
    parts = split(entry(start_s=1800, seconds=6600, energy_mj=10), first_hour=0)
    assert [(hour - EPOCH_HOUR, cell.energy_mj) for hour, cell in parts] == [(0, 3), (1, 5), (2, 2)]


def test_the_avoidable_part_of_an_hour_never_exceeds_its_energy() -> None:
    # 3, 60 and 9 min: by time alone, 10 mJ would come to 1, 8, 1 beside an energy of 0, 11, 2.
    parts = split(entry(start_s=3420, seconds=72 * 60, energy_mj=13, avoidable_mj=10), first_hour=0)
    assert [cell.energy_mj for _, cell in parts] == [0, 11, 2]
    assert [cell.avoidable_mj for _, cell in parts] == [0, 8, 2]


def test_an_entry_that_ends_on_the_hour_stays_in_its_hour() -> None:
    (part,) = split(entry(start_s=3540, seconds=60, energy_mj=7), first_hour=0)
    assert part == (EPOCH_HOUR, Cell(7, 60 * NS_PER_SECOND, 0))


def test_a_step_of_the_wall_clock_smears_nothing() -> None:
    one = entry(start_s=0, seconds=1, energy_mj=300_000)
    leapt = dataclasses.replace(one, start=Instant(one.start.mono_ns, 0))
    ((hour, cell),) = split(leapt, first_hour=0)
    assert (hour, cell.energy_mj, cell.duration_ns) == (EPOCH_HOUR, 300_000, NS_PER_SECOND)


def test_energy_without_time_is_booked_in_the_hour_of_its_end() -> None:
    assert split(entry(start_s=3600, seconds=0, energy_mj=5), first_hour=0) == [(EPOCH_HOUR + 1, Cell(5, 0, 0))]


def test_the_backlog_is_bounded_and_loses_its_oldest_hours_first() -> None:
    backlog = Backlog()
    for hour in range(30):
        backlog.add([entry(start_s=hour * 3600, seconds=60, energy_mj=hour)], first_hour=0)
    assert backlog.trim(first_hour=EPOCH_HOUR + 5, limit=10) == 15
    assert sorted(hour - EPOCH_HOUR for hour, _, _ in backlog.cells) == list(range(20, 30))


def test_what_turned_out_to_be_stored_is_taken_from_the_backlog_once() -> None:
    backlog = Backlog()
    backlog.add([entry(start_s=0, seconds=60, energy_mj=100)], first_hour=0)
    landed = dict(backlog.cells)
    backlog.add(
        [entry(start_s=60, seconds=60, energy_mj=7), entry(start_s=7200, seconds=1, energy_mj=1)], first_hour=0
    )
    backlog.remove(landed)
    assert [cell.energy_mj for cell in backlog.cells.values()] == [1, 7]
    backlog.cells.clear()
    backlog.remove(landed)
    assert backlog.cells == {}


def test_memory_keeps_no_history_older_than_asked_for() -> None:
    ledger = MemoryLedger(history_days=1)
    ledger.commit({}, [entry(start_s=0, seconds=60, energy_mj=1)], instant_of(60))
    ledger.commit({}, [entry(start_s=25 * 3600, seconds=60, energy_mj=2)], instant_of(26 * 3600))
    assert [row.energy_mj for row in ledger.history(0, 2**62)] == [2]
