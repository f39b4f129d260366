"""Prices in damaged files, and what only a later agent knows of them: no energy is lost, and no counter falls."""

import sqlite3
from pathlib import Path

import pytest

from tests.agent.ledger.helpers import FakeClock, entry, instant_of
from tests.agent.ledger.ledger_prices import closings_of, counters_at, row_of
from wattledger.agent.ledger import LEDGER_NAME, PriceCommit, SqliteLedger, peek
from wattledger.agent.ledger.base import NodeCommit
from wattledger.rules.chain.node_energy import DomainEnergy
from wattledger.rules.chain.node_model import NODE, NodeSource, NodeTotal
from wattledger.rules.pricing.model import PriceTotal, TotalKind, slots_of_hour

HOUR_S = 3600
EPOCH_HOUR = 490_000
ONE = entry(start_s=0, seconds=HOUR_S, energy_mj=3_600)


def _sql(directory: Path, text: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(directory / LEDGER_NAME)
    try:
        with connection:
            return connection.execute(text).fetchall()
    finally:
        connection.close()


def _dump(directory: Path) -> list[str]:
    connection = sqlite3.connect(directory / LEDGER_NAME)
    try:
        return [line for line in connection.iterdump() if "book" not in line]
    finally:
        connection.close()


def test_counters_of_prices_of_a_damaged_file_are_carried_on(tmp_path: Path) -> None:
    totals, certificates = counters_at(7)
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    wrong = PriceTotal(TotalKind.LOAD, ("gpu",), -1, 5)
    nodes = [NodeTotal(NODE, NodeSource.IPMI, 5), NodeTotal(NODE, NodeSource.RAPL, -1)]
    prices = PriceCommit(totals=[*totals, wrong], certificates={**certificates, "stolen": -1}, node=NodeCommit(nodes))
    ledger.commit({}, [entry(start_s=0, seconds=60, energy_mj=5)], instant_of(60), prices=prices)
    ledger.close()
    _sql(tmp_path, "UPDATE state_total SET energy_mj = 'much'")
    _sql(tmp_path, "INSERT INTO state_total VALUES (1, 'active', 'much', 0)")
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    assert ledger.health().moved_aside
    found = ledger.load_prices()
    assert (set(found.totals), found.certificates, found.nodes) == (set(totals), certificates, tuple(nodes[:1]))
    # They are in the new file already: a kill before the first tick must not lose them.
    assert set(peek(tmp_path / LEDGER_NAME).prices.totals) == set(totals)
    ledger.close()


DAMAGES = {
    "a counter that is no number": "UPDATE price_total SET shown = 'much'",
    "labels that are no list": "UPDATE price_total SET labels = '{}' WHERE kind = 'cost'",
    "labels that are no texts": "UPDATE price_total SET labels = '[1]' WHERE kind = 'cost'",
    "a use that is not whole": "UPDATE certificate SET used_mj = 1.5",
    "a meter without energy": "UPDATE node_total SET energy_mj = x'00'",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_counters_that_cannot_be_are_damage_and_cost_no_energy(tmp_path: Path, damage: str) -> None:
    totals, certificates = counters_at(7)
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    node = NodeCommit([NodeTotal(NODE, NodeSource.IPMI, 5)])
    ledger.commit({}, [], instant_of(1), prices=PriceCommit(totals=totals, certificates=certificates, node=node))
    ledger.close()
    _sql(tmp_path, damage)
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    assert ledger.health().moved_aside
    assert ledger.health().writable
    assert ledger.load_prices().totals == ()
    ledger.close()


HOUR_DAMAGES = {
    "a price that is none": "UPDATE hour_price SET location = 'much'",
    "a caliber of four words": "UPDATE factor SET caliber = 'average,direct,co2,production'",
    "a supply that is not whole": "UPDATE hour_supply SET energy_mj = 0.5",
    "a score with the grid that is not whole": "UPDATE hour_grid_score SET covered_mj = 0.5",
    "an open energy that is none": "UPDATE open_device SET energy_mj = 'much'",
}


@pytest.mark.parametrize("damage", HOUR_DAMAGES.values(), ids=HOUR_DAMAGES)
def test_hours_that_cannot_be_are_damage_that_a_reader_or_a_closing_meets(tmp_path: Path, damage: str) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    (closing,) = closings_of([ONE])
    told = PriceCommit(hours=[row_of(closing)], totals=counters_at(7)[0])
    ledger.commit({}, [ONE], ONE.end, prices=told)
    _sql(tmp_path, damage)
    prices = ledger.load_prices()
    assert (set(prices.totals), prices.open_slots, prices.hours) == (set(counters_at(7)[0]), {}, ())
    ledger.commit({}, [], instant_of(2 * HOUR_S), prices=PriceCommit(closings=[closing]))
    assert ledger.health().writable, ledger.health().detail
    assert ledger.health().moved_aside
    ledger.close()


UNKNOWN = {
    "ledger_price_unknown kind=water": "UPDATE price_total SET kind = 'water' WHERE kind = 'cost'",
    "ledger_boundary_unknown hour=490000 boundary=street": (
        "UPDATE hour_price SET boundary = 'street' WHERE boundary = 'facility'"
    ),
    "ledger_factor_unknown hour=490000": "UPDATE factor SET caliber = 'average,direct,ch4,production,location'",
    "ledger_layer_unknown hour=490000 layer=fusion": "UPDATE hour_supply SET layer = 'fusion' WHERE layer = 'grid'",
    "ledger_meter_unknown domain=node source=oracle": "UPDATE node_total SET source = 'oracle'",
}


@pytest.mark.parametrize("line", UNKNOWN)
def test_what_only_a_later_agent_knows_of_prices_is_left_out_and_left_alone(
    line: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    (closing,) = closings_of([ONE])
    node = NodeCommit(
        [NodeTotal(NODE, NodeSource.IPMI, 5)],
        {(slots_of_hour(EPOCH_HOUR)[0], (NODE, NodeSource.IPMI)): DomainEnergy(5, 5)},
    )
    told = PriceCommit(hours=[row_of(closing)], totals=counters_at(7)[0], node=node)
    ledger.commit({}, [ONE], ONE.end, prices=told)
    ledger.close()
    _sql(tmp_path, UNKNOWN[line])
    before = _dump(tmp_path)
    ledger = SqliteLedger(tmp_path, clock=FakeClock())
    prices = ledger.load_prices()
    (hour,) = ledger.price_history(0, 2**62)
    assert line in caplog.text
    parts = (len(prices.totals), len(prices.nodes), len(hour.boundaries), len(hour.factors), len(hour.supply))
    assert sum(parts) == 3 + 1 + 2 + 1 + 2 - 1
    assert ledger.health().moved_aside == ""
    ledger.close()
    assert _dump(tmp_path) == before
