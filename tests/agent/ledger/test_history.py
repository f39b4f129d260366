"""Hourly history: asked by hour, kept for its days, given back to the disk in steps, small."""

import sqlite3
import tempfile
import threading
from collections import Counter
from itertools import pairwise
from pathlib import Path

from tests.agent.ledger.helpers import (
    EPOCH_WALL_NS,
    FakeClock,
    account_of,
    entry,
    entry_of,
    instant_of,
    uuid_of,
)
from tests.agent.ledger.ledger_prices import closings_of
from wattledger.agent.ledger import LEDGER_NAME, PriceCommit, SqliteLedger
from wattledger.agent.ledger.prune import FREE_PAGES_KEPT, HOURS_PER_STEP
from wattledger.rules.account import Entry
from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.state import State

HOUR_S = 3600
DAY_S = 86_400


def test_history_gives_the_hours_that_overlap_the_range_by_device(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    entries = [
        entry(State.HELD, start_s=0, seconds=3 * HOUR_S, energy_mj=9, avoidable_mj=3),
        entry(State.ACTIVE, start_s=HOUR_S, seconds=60, energy_mj=5, slot=1),
    ]
    ledger.commit({}, entries, instant_of(3 * HOUR_S))

    def asked(start_s: int, end_s: int, uuid: str | None = None) -> list[tuple[str, int, State, int, int]]:
        found = ledger.history(EPOCH_WALL_NS + start_s * 10**9, EPOCH_WALL_NS + end_s * 10**9, uuid=uuid)
        return [
            (row.uuid, (row.hour_wall_ns - EPOCH_WALL_NS) // NS_PER_HOUR, row.state, row.energy_mj, row.avoidable_mj)
            for row in found
        ]

    first, second = uuid_of(0), uuid_of(1)
    held, active = State.HELD, State.ACTIVE
    assert asked(0, 3 * HOUR_S, first) == [(first, hour, held, 3, 1) for hour in (0, 1, 2)]
    assert asked(HOUR_S, 2 * HOUR_S) == [(first, 1, held, 3, 1), (second, 1, active, 5, 0)]
    assert asked(HOUR_S - 1, HOUR_S) == [(first, 0, held, 3, 1)]
    assert asked(HOUR_S, HOUR_S) == []
    assert asked(0, DAY_S, "GPU-nobody") == []
    ledger.close()


def test_days_unobserved_are_split_over_their_hours_in_one_commit(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    away = entry(State.UNOBSERVED, start_s=1800, seconds=10 * DAY_S, energy_mj=72_000_000_001)
    ledger.commit({}, [away], away.end)
    found = ledger.history(0, 2**62)
    assert len(found) == 241
    assert sum(row.energy_mj for row in found) == away.energy_mj
    assert {row.energy_mj for row in found[1:-1]} <= {300_000_000, 300_000_001}
    ledger.close()
    connection = sqlite3.connect(tmp_path / LEDGER_NAME)
    assert connection.execute("SELECT commits FROM book").fetchone() == (2,)  # this one and that of close
    connection.close()


def _hours(ledger: SqliteLedger) -> list[int]:
    return sorted({(row.hour_wall_ns - EPOCH_WALL_NS) // NS_PER_HOUR for row in ledger.history(0, 2**62)})


def test_old_history_goes_in_steps_once_an_hour(tmp_path: Path) -> None:
    clock = FakeClock()
    ledger = SqliteLedger(tmp_path, clock=clock, history_days=2)
    ledger.commit({}, [entry(start_s=0, seconds=4 * DAY_S, energy_mj=10**9)], clock.advance(2 * DAY_S))
    assert len(_hours(ledger)) == 96
    # Five days on, all is too old, but the hour is not over: nothing goes.
    clock.wall_ns += 5 * DAY_S * 10**9
    ledger.commit({}, [], clock.advance(HOUR_S - 1))
    assert len(_hours(ledger)) == 96
    # The wall clock has leapt by days since the last look: it must hold for an hour first.
    ledger.commit({}, [], clock.advance(1))
    assert len(_hours(ledger)) == 96
    ledger.commit({}, [], clock.advance(HOUR_S))
    assert len(_hours(ledger)) == 96 - HOURS_PER_STEP
    ledger.commit({}, [], clock.advance(1))
    assert len(_hours(ledger)) == 0
    ledger.close()


def test_a_leap_of_the_wall_clock_costs_no_history(tmp_path: Path) -> None:
    clock = FakeClock()
    ledger = SqliteLedger(tmp_path, clock=clock, history_days=2)
    ledger.commit({}, [entry(start_s=0, seconds=DAY_S, energy_mj=1)], clock.advance(DAY_S))
    for _ in range(3):
        clock.advance(HOUR_S)
        right, clock.wall_ns = clock.wall_ns, clock.wall_ns + 10**18
        ledger.commit({}, [], clock.now())
        clock.wall_ns = right
        ledger.commit({}, [], clock.now())
    assert len(_hours(ledger)) == 24
    ledger.close()


def _pages(path: Path) -> tuple[int, int]:
    connection = sqlite3.connect(path)
    try:
        count = connection.execute("PRAGMA page_count").fetchone()[0]
        return count, connection.execute("PRAGMA freelist_count").fetchone()[0]
    finally:
        connection.close()


def test_room_that_old_history_took_is_given_back_without_holding_a_tick_up(tmp_path: Path) -> None:
    clock = FakeClock()
    ledger = SqliteLedger(tmp_path, clock=clock, history_days=300)
    slots = range(8)
    ledger.commit(
        {},
        [entry(start_s=0, seconds=300 * DAY_S, energy_mj=10**12, slot=slot) for slot in slots],
        clock.advance(300 * DAY_S),
    )
    full, _ = _pages(tmp_path / LEDGER_NAME)
    ledger.close()
    ledger = SqliteLedger(tmp_path, clock=clock, history_days=1)
    ledger.commit({}, [], clock.advance(1))
    clock.advance(HOUR_S)
    shrunk: list[int] = []
    for _ in range(300):
        ledger.commit({}, [], clock.advance(1))
        shrunk.append(_pages(tmp_path / LEDGER_NAME)[0])
    count, free = _pages(tmp_path / LEDGER_NAME)
    assert count < full // 2
    assert free <= FREE_PAGES_KEPT
    assert max(before - after for before, after in pairwise(shrunk)) <= 70
    assert 23 <= len({row.hour_wall_ns for row in ledger.history(0, 2**62)}) <= 24
    ledger.close()


WEEKS = 13


def _quarter_of_a_year(slots: range, ledger: SqliteLedger) -> None:
    """Book hours that have all six states each, with numbers as large as a 700 W board makes them, and price them."""
    span_s = HOUR_S // len(State)
    for day in range(WEEKS * 7):
        entries = []
        for hour in range(24):
            for place, state in enumerate(State):
                start_s = (day * 24 + hour) * HOUR_S + place * span_s
                begin, end = instant_of(start_s), instant_of(start_s + span_s)
                entries += [
                    Entry(uuid_of(slot), state, begin, end, span_s * 700_000 + slot, span_s * 600_000)
                    for slot in slots
                ]
        accounts = {uuid_of(slot): account_of(slot, day + 1) for slot in slots}
        closings = PriceCommit(closings=closings_of(entries))
        ledger.commit(accounts, entries, instant_of((day + 1) * DAY_S), prices=closings)


def test_the_ledger_grows_by_under_5_mb_a_gpu_year() -> None:
    # A quarter of a year of commits without a disk below them: it is the size that is asked for.
    shm = Path("/dev/shm")  # noqa: S108  (each directory below is this test's own)
    with tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None) as directory:
        ledger = SqliteLedger(Path(directory), clock=FakeClock())
        slots = range(2)
        _quarter_of_a_year(slots, ledger)
        ledger.close()
        size = (Path(directory) / LEDGER_NAME).stat().st_size
        connection = sqlite3.connect(Path(directory) / LEDGER_NAME)
        (count,) = connection.execute("SELECT count(*) FROM hourly WHERE location > 0").fetchone()
        connection.close()
    assert count == WEEKS * 7 * 24 * len(State) * len(slots)
    a_year = size / len(slots) * 52 / WEEKS
    print(f"{a_year / 1e6:.2f} MB a GPU-year, {size / count:.1f} bytes a row")
    assert a_year < 5_000_000


def test_a_reader_in_another_thread_sees_each_commit_once_and_whole(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    seen: list[int] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            by_uuid: Counter[str] = Counter()
            for row in ledger.history(0, 2**62):
                by_uuid[row.uuid] += row.energy_mj
            assert by_uuid[uuid_of(0)] == by_uuid[uuid_of(1)]
            seen.append(by_uuid[uuid_of(0)])

    failed: list[BaseException] = []

    def guarded() -> None:
        try:
            read()
        except AssertionError as error:
            failed.append(error)

    reader = threading.Thread(target=guarded)
    reader.start()
    for tick in range(1, 301):
        ledger.commit({}, [entry_of(slot, tick) for slot in range(2)], instant_of(tick))
    stop.set()
    reader.join()
    ledger.close()
    assert failed == []
    assert seen == sorted(seen)
    assert all(energy_mj % 300_000 == 0 for energy_mj in seen)
