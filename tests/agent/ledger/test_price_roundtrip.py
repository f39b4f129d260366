"""What is committed of prices is what is loaded, whatever it says."""

import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.agent.ledger.helpers import FakeClock, instant_of
from wattledger.agent.ledger import MemoryLedger, PriceCommit, Prices, SqliteLedger
from wattledger.agent.ledger.base import NodeCommit
from wattledger.agent.ledger.priced_row import PRICE_COLUMNS
from wattledger.rules.chain.node_model import NodeAnchor, NodeSource, NodeTotal
from wattledger.rules.feeds.model import Accounting, Basis, Caliber, Factors, Gas, PointKind, Signal
from wattledger.rules.instant import Instant
from wattledger.rules.pricing.model import Boundary, FactorUse, HourPrice, Priced, PriceTotal, SupplyUse, TotalKind
from wattledger.rules.supply.model import Layer

EPOCH_HOUR = 490_000
WHOLE = st.integers(0, 9) | st.integers(0, 2**70)
TEXT = st.sampled_from(["", "DE", "a\0b", "'; DROP TABLE hourly; --", "\udcff", "绿证"])


@st.composite
def _priced(draw: st.DrawFn) -> Priced:
    energy_mj = draw(WHOLE)
    covered = st.just(energy_mj) | st.integers(0, energy_mj)
    return Priced(
        energy_mj,
        draw(WHOLE),
        draw(covered),
        draw(WHOLE),
        draw(covered),
        draw(WHOLE),
        draw(WHOLE),
        draw(covered),
    )


CALIBERS = st.builds(
    Caliber,
    st.sampled_from(Signal),
    st.sampled_from(Factors),
    st.sampled_from(Gas),
    st.sampled_from(Basis),
    st.sampled_from(Accounting),
)
FACTORS = st.builds(
    FactorUse,
    st.sampled_from(Accounting),
    TEXT,
    TEXT,
    CALIBERS,
    st.sampled_from(PointKind),
    st.integers(0, 9),
    WHOLE,
    WHOLE,
    TEXT,
)
SUPPLIES = st.builds(SupplyUse, st.sampled_from(Layer), TEXT, WHOLE, st.booleans(), st.booleans())


@st.composite
def _hours(draw: st.DrawFn) -> HourPrice:
    known = draw(st.sets(st.sampled_from([Boundary.NODE, Boundary.FACILITY])))
    return HourPrice(
        EPOCH_HOUR + draw(st.integers(0, 2)),
        {boundary: draw(_priced()) for boundary in Boundary if boundary in known | {Boundary.GPU}},
        tuple(draw(st.lists(FACTORS, max_size=3))),
        tuple(draw(st.lists(SUPPLIES, max_size=3))),
        draw(st.sampled_from(["", "EUR", "CNY"])),
        final=draw(st.booleans()),
    )


TOTALS = st.builds(PriceTotal, st.sampled_from(TotalKind), st.lists(TEXT, max_size=3).map(tuple), WHOLE, WHOLE)
INSTANTS = st.builds(Instant, WHOLE, WHOLE)
ANCHORS = st.builds(NodeAnchor, INSTANTS, TEXT, st.none() | WHOLE, st.none() | WHOLE, WHOLE)
METERS = st.builds(NodeTotal, TEXT, st.sampled_from(NodeSource), WHOLE, WHOLE, WHOLE, WHOLE, st.none() | ANCHORS)
COMMITS = st.builds(
    PriceCommit,
    node=st.builds(NodeCommit, st.lists(METERS, max_size=3)),
    hours=st.lists(_hours(), max_size=3),
    totals=st.lists(TOTALS, max_size=4),
    certificates=st.dictionaries(TEXT, WHOLE, max_size=3),
)


def in_one_order(prices: Prices) -> Prices:
    return replace(
        prices,
        totals=tuple(sorted(prices.totals, key=lambda total: total.key)),
        nodes=tuple(sorted(prices.nodes, key=lambda total: total.key)),
    )


@settings(max_examples=40)
@given(st.lists(COMMITS, min_size=1, max_size=4))
def test_load_after_commit_gives_counters_and_hours_back(steps: list[PriceCommit]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        ledger, other = SqliteLedger(Path(directory), clock=FakeClock()), MemoryLedger()
        for tick, step in enumerate(steps, start=1):
            ledger.commit({}, [], instant_of(tick), prices=step)
            other.commit({}, [], instant_of(tick), prices=step)
        assert ledger.health().writable, ledger.health().detail
        ledger.close()
        again = SqliteLedger(Path(directory), clock=FakeClock())
        assert in_one_order(again.load_prices()) == in_one_order(other.load_prices())
        hours = again.price_history(0, 2**62)
        assert hours == other.price_history(0, 2**62)
        # An hour without a part that is final is as it was told last.
        told = {row.hour: row for step in steps for row in step.hours}
        final = {row.hour for step in steps for row in step.hours if row.final}
        assert [hour for hour in hours if hour.hour not in final] == [
            told[hour] for hour in sorted(told) if hour not in final
        ]
        again.close()
    assert {total.key: total for total in other.load_prices().totals} == {
        total.key: total for step in steps for total in step.totals
    }
    assert {total.key: total for total in other.load_prices().nodes} == {
        total.key: total for step in steps for total in step.node.totals
    }


def test_the_columns_of_prices_are_those_that_a_price_has() -> None:
    assert ("energy_mj", *PRICE_COLUMNS) == Priced.__match_args__
