"""Prices that are committed are what is loaded: counters, hours with where they come from, and what is open."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from tests.agent.ledger.helpers import FakeClock, entry, instant_of, parts_of, python, window_of
from tests.agent.ledger.ledger_prices import (
    close_all,
    closing_of,
    closings_of,
    counters_at,
    energies_of,
    priced_at,
    priced_sum,
    row_of,
    total_of,
)
from wattledger.agent.ledger import (
    LEDGER_NAME,
    HourClosing,
    Ledger,
    MemoryLedger,
    OpenSlot,
    PriceCommit,
    Prices,
    SqliteLedger,
    UsageCommit,
    peek,
)
from wattledger.agent.ledger.base import NodeCommit
from wattledger.rules.chain.node_energy import DomainEnergy
from wattledger.rules.chain.node_model import NODE, NodeSource
from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.pricing.model import (
    NOTHING,
    SLOTS_PER_HOUR,
    Boundary,
    HourPrice,
    Priced,
)
from wattledger.rules.state import State

HOUR_S = 3600
EPOCH_HOUR = 490_000
FIRST_SLOT = EPOCH_HOUR * SLOTS_PER_HOUR
METER, OTHER = (NODE, NodeSource.IPMI), ("a\0b\udcff", NodeSource.HWMON)


def _sql(directory: Path, text: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(directory / LEDGER_NAME)
    try:
        with connection:
            return connection.execute(text).fetchall()
    finally:
        connection.close()


def _commit(ledger: Ledger, tick: int, prices: PriceCommit | None) -> None:
    ledger.commit({}, [], instant_of(tick), prices=prices)


@pytest.mark.parametrize("memory_only", [True, False])
def test_an_open_hour_is_told_by_its_quarters_and_a_closed_one_is_not(tmp_path: Path, *, memory_only: bool) -> None:
    ledger = MemoryLedger() if memory_only else SqliteLedger(tmp_path, clock=FakeClock())
    one = entry(start_s=600, seconds=HOUR_S, energy_mj=3600)
    late = replace(window_of(1), start=instant_of(2 * HOUR_S), end=instant_of(2 * HOUR_S + 1))
    told = PriceCommit(
        hours=[row_of(closing) for closing in closings_of([one])],
        node=NodeCommit(
            slots={(FIRST_SLOT, METER): DomainEnergy(400, 9), (FIRST_SLOT + 1, METER): DomainEnergy(5, 1)}
        ),
    )
    ledger.commit({}, [one], one.end, usage=UsageCommit(windows=[("m", late)]), prices=told)
    more = NodeCommit(slots={(FIRST_SLOT, METER): DomainEnergy(4, 1), (FIRST_SLOT, OTHER): DomainEnergy(7, 2)})
    _commit(ledger, HOUR_S + 601, PriceCommit(node=more))
    if not memory_only:
        ledger.close()
        ledger = SqliteLedger(tmp_path, clock=FakeClock())
    found = ledger.load_prices()
    assert found.open_slots == {
        FIRST_SLOT: OpenSlot(300, {METER: DomainEnergy(404, 10), OTHER: DomainEnergy(7, 2)}),
        FIRST_SLOT + 1: OpenSlot(900, {METER: DomainEnergy(5, 1)}),
        FIRST_SLOT + 2: OpenSlot(900),
        FIRST_SLOT + 3: OpenSlot(900),
        FIRST_SLOT + 4: OpenSlot(600),
        FIRST_SLOT + 8: OpenSlot(0),  # a window that came late, and no device
    }
    assert [(row.hour - EPOCH_HOUR, row.final) for row in found.hours] == [(0, False), (1, False)]
    first, second = closings_of([one])
    _commit(ledger, 3 * HOUR_S, PriceCommit(closings=[first], hours=[row_of(first, final=True)]))
    found = ledger.load_prices()
    assert set(found.open_slots) == {FIRST_SLOT + 4, FIRST_SLOT + 8}
    assert found.hours == (row_of(second),)
    assert ledger.price_history(0, 2**62) == [row_of(first, final=True), row_of(second)]
    ledger.close()


@pytest.mark.parametrize("memory_only", [True, False])
def test_rows_of_history_have_their_prices_when_their_hour_closes(tmp_path: Path, *, memory_only: bool) -> None:
    ledger = MemoryLedger() if memory_only else SqliteLedger(tmp_path, clock=FakeClock())
    one = entry(State.HELD, start_s=0, seconds=HOUR_S + 60, energy_mj=61 * 60_000)
    window = replace(window_of(1), start=one.start, end=one.end, total_mj=one.energy_mj // 2, active_mj=7)
    usage = UsageCommit(parts=parts_of(one), windows=[("m", window)])
    ledger.commit({}, [one], one.end, usage=usage)
    closings = closings_of([one])
    before = [(row.energy_mj, row.priced, row.open_mj) for row in ledger.history(0, 2**62)]
    assert before == [(3_600_000, Priced(3_600_000), 3_600_000), (60_000, Priced(60_000), 60_000)]
    _commit(ledger, 2 * HOUR_S, PriceCommit(closings=closings[:1]))
    closed, still_open = ledger.history(0, 2**62)
    assert (closed.priced, closed.open_mj) == (priced_sum(closings[0].slots), 0)
    assert (still_open.priced, still_open.open_mj) == (Priced(60_000), 60_000)
    a, b, *_ = ledger.workload_history(0, 2**62)
    assert a.priced + b.priced == closed.priced
    assert b.priced.location == closed.priced.location * 2 // 3
    served, _ = ledger.service_history(0, 2**62)
    assert (served.priced.energy_mj, served.open_mj) == (1_800_000, 0)
    half = sum(slot.location // 2 for slot in closings[0].slots)
    assert served.priced.location == half
    ledger.close()


@pytest.mark.parametrize("memory_only", [True, False])
def test_energy_that_comes_late_opens_its_hour_again_and_the_next_closing_adds(
    tmp_path: Path, *, memory_only: bool
) -> None:
    ledger = MemoryLedger() if memory_only else SqliteLedger(tmp_path, clock=FakeClock())
    one = entry(start_s=0, seconds=HOUR_S, energy_mj=3_600)
    late = entry(start_s=900, seconds=900, energy_mj=77)
    ledger.commit({}, [one], one.end, usage=UsageCommit(parts=parts_of(one)), prices=close_all([one]))
    ledger.commit({}, [late], instant_of(9 * HOUR_S), usage=UsageCommit(parts=parts_of(replace(late, energy_mj=75))))
    (row,) = ledger.history(0, 2**62)
    (closing,) = closings_of([one])
    assert (row.energy_mj, row.open_mj) == (3_677, 77)
    assert row.priced == replace(priced_sum(closing.slots), energy_mj=3_677)
    assert ledger.load_prices().open_slots == {FIRST_SLOT + 1: OpenSlot(77)}
    # It is told again for there is something open of it.
    assert ledger.load_prices().hours == (row_of(closing, final=True),)

    (again,) = closings_of([late])
    _commit(ledger, 9 * HOUR_S + 1, PriceCommit(hours=[row_of(again)]))
    (whole,) = ledger.price_history(0, 2**62)
    assert (whole.final, whole.boundaries[Boundary.GPU]) == (False, total_of([closing, again]))
    _commit(ledger, 10 * HOUR_S, close_all([late]))
    (row,) = ledger.history(0, 2**62)
    assert (row.priced, row.open_mj) == (total_of([closing, again]), 0)
    (whole,) = ledger.price_history(0, 2**62)
    assert whole.final
    assert whole.boundaries[Boundary.GPU] == row.priced
    (factor,) = whole.factors
    facility = whole.boundaries[Boundary.FACILITY]
    assert (factor.energy_mj, factor.product) == (facility.location_covered_mj, facility.location)
    assert [use.energy_mj for use in whole.supply] == [1800 + 38, 4500 + 96 - 1800 - 38]
    # What was priced of the workloads is the part of the late energy that they had.
    used = priced_sum(row.priced for row in ledger.workload_history(0, 2**62))
    assert used.energy_mj == 3_675
    assert used.market == priced_sum(closing.slots).market + again.slots[1].market * 75 // 77
    ledger.close()


def test_an_hour_that_closes_without_a_row_keeps_the_one_it_was_told_last(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    one = entry(start_s=0, seconds=HOUR_S, energy_mj=3_600)
    (closing,) = closings_of([one])
    ledger.commit({}, [one], one.end, prices=PriceCommit(hours=[row_of(closing)]))
    _commit(ledger, 2 * HOUR_S, PriceCommit(closings=[closing]))
    assert ledger.price_history(0, 2**62) == [row_of(closing, final=True)]
    assert ledger.load_prices().hours == ()
    ledger.close()


def test_hours_close_without_any_prices_and_stay_unpriced(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    one = entry(start_s=0, seconds=HOUR_S, energy_mj=3_600)
    quarter = Priced(900)
    closing = HourClosing(EPOCH_HOUR, (quarter, quarter, quarter, quarter))
    ledger.commit({}, [one], one.end, prices=PriceCommit(closings=[closing]))
    (row,) = ledger.history(0, 2**62)
    assert (row.priced, row.open_mj) == (Priced(3_600), 0)
    assert ledger.load_prices() == Prices()
    ledger.close()
    assert _sql(tmp_path, "SELECT energy_mj, location, location_covered_mj, priced_mj FROM hourly") == [
        (3600, 0, 0, 0)
    ]
    assert _sql(tmp_path, "SELECT energy_joules, location_grams, market_grams, cost FROM history") == [
        (3.6, None, None, None)
    ]


def test_energy_whose_values_are_all_known_is_kept_without_saying_so(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    one = entry(start_s=0, seconds=900, energy_mj=3_600_000)
    whole = Priced(3_600_000, 3_600_000 * 400_000_000, 3_600_000, 0, 0, 3_600_000 * 250_000, 0, 3_600_000)
    closing = HourClosing(EPOCH_HOUR, (whole, NOTHING, NOTHING, NOTHING))
    row = HourPrice(EPOCH_HOUR, {Boundary.GPU: whole}, currency="EUR", final=True)
    ledger.commit({}, [one], one.end, prices=PriceCommit(closings=[closing], hours=[row]))
    assert ledger.history(0, 2**62)[0].priced == whole
    ledger.close()
    found = _sql(tmp_path, "SELECT location_covered_mj, market_covered_mj, priced_mj FROM hourly")
    assert found == [(None, 0, None)]
    for view in ("history", "price_history"):
        found = _sql(tmp_path, f"SELECT utc_hour, location_grams, market_grams, cost FROM {view}")  # noqa: S608
        assert found == [("2025-11-24T16:00:00Z", 0.4, None, 0.00025)]


def test_only_changed_counters_are_written(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    totals, certificates = counters_at(3)
    _commit(ledger, 1, PriceCommit(totals=totals, certificates=certificates))
    _sql(tmp_path, "UPDATE price_total SET shown = 1")
    _sql(tmp_path, "UPDATE certificate SET used_mj = 1")
    _commit(
        ledger, 2, PriceCommit(totals=[replace(totals[0], shown=2 * 10**16), *totals[1:]], certificates=certificates)
    )
    assert sorted(total.shown for total in peek(tmp_path / LEDGER_NAME).prices.totals) == [1, 1, 2 * 10**16]
    assert set(peek(tmp_path / LEDGER_NAME).prices.certificates.values()) == {1}
    ledger.close()
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    _sql(tmp_path, "UPDATE price_total SET shown = 2")
    _commit(ledger, 3, PriceCommit())
    assert {total.shown for total in peek(tmp_path / LEDGER_NAME).prices.totals} == {2}
    ledger.close()


def test_old_prices_go_with_the_history_of_the_devices(tmp_path: Path) -> None:
    clock = FakeClock()
    ledger = SqliteLedger(tmp_path, clock=clock, history_days=2)
    clock.advance(3 * HOUR_S)
    one = entry(start_s=0, seconds=3 * HOUR_S, energy_mj=9_999)
    first, second, third = closings_of([one])
    told = PriceCommit(
        closings=[first, second],
        hours=[row_of(first, final=True), row_of(second, final=True), row_of(third)],
        node=NodeCommit(slots={(FIRST_SLOT + 8, METER): DomainEnergy(5, 1)}),
    )
    ledger.commit({}, [one], clock.now(), usage=UsageCommit(parts=parts_of(one)), prices=told)
    clock.advance(46 * HOUR_S)
    _step(ledger, clock, 12)
    assert [row.hour - EPOCH_HOUR for row in ledger.price_history(0, 2**62)] == [1, 2]
    clock.advance(3 * HOUR_S)
    _step(ledger, clock, 12)
    ledger.close()
    for table in (
        "hourly",
        "workload_hourly",
        "open_device",
        "open_workload",
        "open_meter",
        "hour_price",
        "hour_factor",
        "hour_supply",
        "hour_grid_score",
        "workload",
    ):
        assert _sql(tmp_path, f"SELECT count(*) FROM {table}") == [(0,)]  # noqa: S608


def _step(ledger: Ledger, clock: FakeClock, times: int) -> None:
    """Let the ledger prune: it looks once an hour, and takes a step a commit."""
    ledger.commit({}, [], clock.now())
    clock.advance(HOUR_S)
    for _ in range(times):
        ledger.commit({}, [], clock.advance(1))


def test_only_the_hours_that_are_asked_for_are_given(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    one = entry(start_s=0, seconds=3 * HOUR_S, energy_mj=9_999)
    ledger.commit({}, [one], one.end, prices=close_all([one]))
    begin = EPOCH_HOUR * NS_PER_HOUR
    for start, end, hours in [(0, 3, [0, 1, 2]), (1, 2, [1]), (2, 1, [])]:
        asked = (begin + start * NS_PER_HOUR, begin + end * NS_PER_HOUR)
        assert [row.hour - EPOCH_HOUR for row in ledger.price_history(*asked)] == hours
        assert [(row.hour_wall_ns - begin) // NS_PER_HOUR for row in ledger.history(*asked)] == hours
    ledger.close()


def test_a_state_that_only_a_later_agent_knows_is_closed_with_the_others(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    entries = [entry(start_s=0, seconds=60, energy_mj=50), entry(State.HELD, start_s=60, seconds=60, energy_mj=50)]
    ledger.commit({}, entries, entries[-1].end)
    _sql(tmp_path, "UPDATE open_device SET state = 'asleep' WHERE state = 'held'")
    closing = closing_of(EPOCH_HOUR, energies_of(entries))
    _commit(ledger, 2 * HOUR_S, PriceCommit(closings=[closing]))
    assert ledger.health().writable, ledger.health().detail
    ledger.close()
    found = _sql(tmp_path, "SELECT state, energy_mj, market FROM hourly ORDER BY state")
    half = priced_at(FIRST_SLOT, 100).market // 2
    assert found == [("active", 50, half), ("asleep", 50, half)]


_WITHOUT_PRICES = """
import sys
from pathlib import Path
from wattledger.agent.ledger import HourClosing, PriceCommit, open_ledger
from wattledger.rules.instant import Instant
from wattledger.rules.pricing.model import NOTHING
ledger = open_ledger(Path(sys.argv[1]), clock=type("Clock", (), {"now": lambda self: Instant(1, 10**18)})())
closing = HourClosing(10**18 // (3600 * 10**9), (NOTHING, NOTHING, NOTHING, NOTHING))
ledger.commit({}, [], Instant(2, 10**18 + 1), prices=PriceCommit([closing]))
assert ledger.health().writable
assert ledger.load_prices().totals == ()
ledger.close()
print("json" in sys.modules)
"""


def test_where_nothing_is_priced_nothing_of_it_is_loaded(tmp_path: Path) -> None:
    SqliteLedger(tmp_path, clock=FakeClock()).close()
    with python("-c", _WITHOUT_PRICES, str(tmp_path)) as child:
        said, errors = child.communicate()
    assert (errors, said.split()) == (b"", [b"False"])
