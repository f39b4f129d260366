"""The 24/7 score of an hour with the carbon-free share of the grid, by the quarter: all of the hour or nothing."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rules.pricing.hours import ENERGIES, HOUR, MINUTE_NS, Steps, exact, facts, spans, steps_of_an_hour
from wattledger.rules.feeds.model import Measure, Series
from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.pricing.hour import Cover, PricedHour, price_hour
from wattledger.rules.pricing.model import SupplyUse, TotalKind
from wattledger.rules.supply.grid import GridScore
from wattledger.rules.supply.model import Layer

KWH = 3_600_000_000
SHARE = Series(Measure.CARBON_FREE, "csv", "DE", source="one table, 2024")
HALF = [(60, 500_000)]
SHARES = steps_of_an_hour(st.none() | st.integers(0, 1_000_000))


def cover(matched_mj: int, grid_mj: int, other_mj: int = 0) -> Cover:
    """Give what covers a load: wind, the grid, and a generator that is not carbon-free."""
    return Cover(
        matched_mj=matched_mj,
        own_mj=other_mj,
        uses=(
            SupplyUse(Layer.ONSITE, "diesel", other_mj),
            SupplyUse(Layer.CONTRACT_INTRA, "wind", matched_mj, is_green=True, is_matched=True),
            SupplyUse(Layer.GRID, "", grid_mj),
        ),
    )


def priced(load: list[int], covered: Cover, steps: Steps, *, until: int | None = None) -> PricedHour:
    known = replace(facts(load, cover=covered), carbon_free=spans(steps, SHARE), until_wall_ns=until)
    return price_hour(known)


def test_what_is_left_to_the_grid_counts_by_its_share() -> None:
    # carbon.md section 4: CFE = min(L, C) + max(0, L - C) x share of the grid
    found = priced([KWH] * 4, cover(KWH, 3 * KWH), HALF)
    assert found.row.with_grid == GridScore(5 * KWH // 2, 4 * KWH, "csv DE, actual, one table, 2024")
    assert found.totals[TotalKind.MATCHED, ()] == KWH, "the strict one is what it was"
    assert found.totals[TotalKind.WITH_GRID, ()] == 5 * KWH // 2
    assert found.totals[TotalKind.WITH_GRID_REST, ()] == 3 * KWH // 2
    assert found.totals[TotalKind.UNMATCHED, ()] == 3 * KWH


def test_a_generator_of_the_house_has_no_part_of_the_grid() -> None:
    assert priced([KWH] * 4, cover(KWH, KWH, 2 * KWH), HALF).row.with_grid == GridScore(
        3 * KWH // 2, 4 * KWH, "csv DE, actual, one table, 2024"
    )


def test_a_share_that_changes_within_the_hour_counts_for_what_was_drawn_then() -> None:
    steps = [(30, 1_000_000), (30, 0)]
    assert priced([3 * KWH, 0, KWH, 0], cover(0, 4 * KWH), steps).row.with_grid == GridScore(
        3 * KWH, 4 * KWH, "csv DE, actual, one table, 2024"
    )


def test_an_hour_with_a_gap_of_the_share_is_not_covered_at_all() -> None:
    steps = [(45, 900_000), (15, None)]
    found = priced([KWH] * 4, cover(3 * KWH, KWH), steps)
    assert found.row.with_grid == GridScore()
    assert found.totals[TotalKind.WITH_GRID_REST, ()] == found.totals[TotalKind.WITH_GRID, ()] == 0
    assert found.totals[TotalKind.MATCHED, ()] == 3 * KWH
    assert priced([KWH, KWH, KWH, 0], cover(0, 3 * KWH), steps).row.with_grid != GridScore(), (
        "nothing was drawn in it"
    )


def test_no_share_is_needed_where_nothing_came_from_the_grid() -> None:
    assert priced([KWH] * 4, cover(4 * KWH, 0), [(60, None)]).row.with_grid == GridScore(4 * KWH, 4 * KWH)


def test_a_share_of_what_lies_ahead_has_no_part_in_the_running_hour() -> None:
    steps, now = [(20, 800_000), (40, None)], HOUR * NS_PER_HOUR + 20 * MINUTE_NS
    running = priced([KWH, KWH, 0, 0], cover(0, 2 * KWH), steps, until=now).row.with_grid
    assert running == GridScore(2 * KWH * 8 // 10, 2 * KWH, "csv DE, actual, one table, 2024")
    assert priced([KWH, KWH, 0, 0], cover(0, 2 * KWH), steps).row.with_grid == GridScore()


def test_shares_of_two_sources_are_both_named() -> None:
    other = replace(SHARE, provider="static", source="")
    both = [
        *spans([(30, 500_000)], SHARE),
        *spans([(30, 250_000)], other, start=HOUR * NS_PER_HOUR + 30 * MINUTE_NS),
    ]
    row = price_hour(replace(facts([KWH] * 4, cover=cover(0, 4 * KWH)), carbon_free=both)).row
    assert row.with_grid == GridScore(3 * KWH // 2, 4 * KWH, "csv DE, actual, one table, 2024 and static DE, actual")


@pytest.mark.parametrize("covered", [None, cover(0, KWH)])
def test_without_supply_or_without_a_feed_there_is_no_such_score(covered: Cover | None) -> None:
    share = None if covered else spans(HALF, SHARE)
    found = price_hour(replace(facts([KWH, 0, 0, 0], cover=covered), carbon_free=share))
    assert found.row.with_grid is None
    assert not {kind for kind, _ in found.totals} & {TotalKind.WITH_GRID, TotalKind.WITH_GRID_REST}


@given(ENERGIES, st.integers(0, 1_000), SHARES)
def test_the_score_of_an_hour_is_that_of_fractions_between_the_strict_one_and_all(
    load: list[int], matched_permille: int, steps: Steps
) -> None:
    load_mj = sum(load)
    matched_mj = load_mj * matched_permille // 1000
    score = priced(load, cover(matched_mj, load_mj - matched_mj), steps).row.with_grid
    assert score is not None
    known = exact(load, [replace(span, value=None if span.value is None else 1) for span in spans(steps)])
    rest = Fraction(load_mj - matched_mj, load_mj) if load_mj else Fraction(0)
    if score.covered_mj:
        assert score.covered_mj == load_mj
        assert matched_mj <= score.energy_mj <= load_mj
        free = exact(load, spans(steps)) * rest / 10**6
        assert abs(score.energy_mj - matched_mj - free) <= 20, "each stretch is rounded to a millijoule"
    else:
        assert score.energy_mj == 0
        assert load_mj == 0 or known < load_mj


def test_own_and_contracts_that_cover_all_leave_no_quarter_below_nothing() -> None:
    # Shared out by the whole load each, a quarter would get a millijoule more than it drew, and another less.
    everything = Cover(own_mj=2, contract_mj=38, matched_mj=40)
    found = price_hour(
        facts([10] * 4, spans([(60, 500_000_000)]), residual=spans([(60, 600_000_000)]), cover=everything)
    )
    for quarters in found.quarters.values():
        assert [quarter.market for quarter in quarters] == [0] * 4
    unknown = price_hour(facts([10] * 4, spans([(60, 500_000_000)]), residual=spans([(60, None)]), cover=everything))
    for quarters in unknown.quarters.values():
        assert [quarter.market_covered_mj for quarter in quarters] == [10] * 4
