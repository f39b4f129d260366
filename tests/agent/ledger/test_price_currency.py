"""An hour that late energy opens again after the tariff's currency was changed: its money stays what it is of."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.agent.ledger.helpers import FakeClock, instant_of
from tests.agent.ledger.ledger_prices import closing_of, row_of
from wattledger.agent.ledger import HourClosing, Ledger, MemoryLedger, PriceCommit, SqliteLedger
from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.pricing.model import SLOTS_PER_HOUR, Boundary, HourPrice

HOUR = 490_000
SLOT = HOUR * SLOTS_PER_HOUR


def _closing(energy_mj: int) -> HourClosing:
    return closing_of(HOUR, Counter({SLOT: energy_mj}))


def _row(energy_mj: int, currency: str) -> HourPrice:
    row = row_of(_closing(energy_mj), final=True)
    if currency:
        return replace(row, currency=currency)
    unpriced = {
        boundary: replace(priced, cost=0, credit=0, priced_mj=0) for boundary, priced in row.boundaries.items()
    }
    return replace(row, currency="", boundaries=unpriced)


def _close(ledger: Ledger, energy_mj: int, currency: str) -> None:
    commit = PriceCommit(closings=[_closing(energy_mj)], hours=[_row(energy_mj, currency)])
    ledger.commit({}, [], instant_of(1), prices=commit)


@pytest.mark.parametrize("memory_only", [True, False])
@pytest.mark.parametrize(
    ("first", "second", "currency", "money_of_mj"),
    [
        ((4000, "CNY"), (0, "EUR"), "CNY", 4000),  # a window that came late, without energy
        ((4000, "CNY"), (400, "EUR"), "CNY", 4000),
        ((4000, "CNY"), (400, "CNY"), "CNY", 4400),
        ((4000, "CNY"), (400, ""), "CNY", 4000),
        ((0, "CNY"), (400, "EUR"), "EUR", 400),
        ((4000, ""), (400, "EUR"), "EUR", 400),
    ],
)
def test_money_of_an_hour_is_of_the_currency_that_it_is_called(
    tmp_path: Path,
    first: tuple[int, str],
    second: tuple[int, str],
    currency: str,
    money_of_mj: int,
    *,
    memory_only: bool,
) -> None:
    ledger = MemoryLedger() if memory_only else SqliteLedger(tmp_path, clock=FakeClock())
    _close(ledger, *first)
    _close(ledger, *second)
    (row,) = ledger.price_history(HOUR * NS_PER_HOUR, (HOUR + 1) * NS_PER_HOUR)
    ledger.close()
    gpu, whole = row.boundaries[Boundary.GPU], _row(money_of_mj, "CNY").boundaries[Boundary.GPU]
    assert row.currency == currency
    assert (gpu.cost, gpu.credit, gpu.priced_mj) == (whole.cost, whole.credit, whole.priced_mj)
    assert gpu.energy_mj == first[0] + second[0]
