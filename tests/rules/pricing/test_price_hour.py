"""An hour's grams and money: whole numbers that add up, by both methods, at every boundary."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.rules.pricing.hours import (
    ENERGIES,
    FR,
    HOUR,
    INTENSITIES,
    MINUTE_NS,
    PRICES,
    Steps,
    exact,
    facts,
    prices,
    spans,
)
from wattledger.rules.feeds.model import Accounting
from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.pricing.hour import Cover, PricedHour, price_hour
from wattledger.rules.pricing.model import Boundary, Priced, SupplyUse, TotalKind, grams, money
from wattledger.rules.supply.model import Layer

KWH = 3_600_000_000


def gpu(priced: PricedHour) -> Priced:
    return priced.row.boundaries[Boundary.GPU]


def test_a_kilowatt_hour_at_a_stepped_intensity_has_the_grams_of_each_step() -> None:
    priced = price_hour(facts([KWH, KWH, 0, KWH], spans([(15, 400_000_000), (30, 200_000_000), (15, None)])))
    assert gpu(priced).location == KWH * 400_000_000 + KWH * 200_000_000
    assert grams(gpu(priced).location) == 600
    assert gpu(priced).location_covered_mj == 2 * KWH
    assert [quarter.location_covered_mj for quarter in priced.quarters[Boundary.GPU]] == [KWH, KWH, 0, 0]
    assert priced.totals[TotalKind.UNCOVERED, (Accounting.LOCATION, Boundary.GPU)] == KWH
    assert priced.totals[TotalKind.EMISSIONS, (Accounting.MARKET, "DE", Boundary.GPU)] == gpu(priced).location


def test_energy_within_a_quarter_is_spread_evenly_over_it() -> None:
    priced = price_hour(facts([KWH, 0, 0, 0], spans([(5, 300_000_000), (55, 600_000_000)])))
    assert grams(gpu(priced).location) == 100 + 400


def test_energy_of_the_running_quarter_was_drawn_before_now() -> None:
    steps, price = spans([(20, 300_000_000), (40, None)]), prices([(20, 100_000), (40, 900_000)])
    made = facts([KWH, KWH, 0, 0], steps, price=price, currency="EUR")
    at = made.hour * NS_PER_HOUR
    running = price_hour(replace(made, until_wall_ns=at + 20 * MINUTE_NS))
    assert grams(gpu(running).location) == 600
    assert money(gpu(running).cost) == 0.2
    assert gpu(running).location_covered_mj == 2 * KWH
    later = price_hour(replace(made, until_wall_ns=at + 25 * MINUTE_NS))
    assert grams(gpu(later).location) == 300 + 150
    for over in (None, at + 30 * MINUTE_NS, at + NS_PER_HOUR, at):  # the last: the clock was set back
        assert grams(gpu(price_hour(replace(made, until_wall_ns=over))).location) == 400


@given(ENERGIES, INTENSITIES, st.integers(0, 60))
def test_law_5_what_lies_ahead_of_now_has_no_part(energies: list[int], steps: Steps, minute: int) -> None:
    quarter = minute // 15
    drawn = [energy_mj if number <= quarter else 0 for number, energy_mj in enumerate(energies)]
    made = facts(drawn, spans(steps))
    until = made.hour * NS_PER_HOUR + minute * MINUTE_NS
    known = [replace(span, end_wall_ns=min(span.end_wall_ns, until)) for span in made.location]
    cut = [span for span in known if span.start_wall_ns < span.end_wall_ns] + spans([(60, 777)], FR, start=until)
    here = price_hour(replace(made, until_wall_ns=until))
    there = price_hour(replace(made, location=cut, until_wall_ns=until))
    if minute % 15:
        assert gpu(here) == gpu(there)
    whole = [sum(quarter.energy_mj for quarter in quarters) for quarters in here.quarters.values()]
    assert whole == [sum(drawn)]


def test_a_factor_that_no_energy_was_priced_with_is_not_told() -> None:
    both = [*spans([(30, 400_000_000)]), *spans([(30, 50_000_000)], FR, start=HOUR * NS_PER_HOUR + 30 * MINUTE_NS)]
    assert {use.zone for use in price_hour(facts([KWH, 0, 0, 0], both)).row.factors} == {"DE"}
    assert price_hour(facts([0, 0, 0, 0], both)).row.factors == ()


def test_without_feed_and_tariff_there_is_energy_and_nothing_else() -> None:
    priced = price_hour(facts([1, 2, 3, 4]))
    assert gpu(priced) == Priced(energy_mj=10)
    assert priced.totals == {(TotalKind.LOAD, (Boundary.GPU,)): 10}
    assert priced.row.factors == ()


def test_each_zone_that_a_value_came_from_has_its_own_counter() -> None:
    both = [*spans([(30, 400_000_000)]), *spans([(60, 50_000_000)], FR)[:1]]
    half = [both[0], *spans([(30, 50_000_000)], FR, start=both[0].end_wall_ns)]
    totals = price_hour(facts([KWH, KWH, KWH, KWH], half)).totals
    assert totals[TotalKind.EMISSIONS, (Accounting.LOCATION, "DE", Boundary.GPU)] == 2 * KWH * 400_000_000
    assert totals[TotalKind.EMISSIONS, (Accounting.LOCATION, "FR", Boundary.GPU)] == 2 * KWH * 50_000_000


def test_a_negative_price_is_a_credit_and_lowers_no_cost() -> None:
    priced = price_hour(
        facts([KWH, KWH, KWH, KWH], price=prices([(30, 1_200_000), (15, -100_000), (15, None)]), currency="EUR")
    )
    assert money(gpu(priced).cost) == 2.4
    assert money(gpu(priced).credit) == 0.1
    assert gpu(priced).priced_mj == 3 * KWH
    assert priced.totals[TotalKind.UNPRICED, ("EUR", Boundary.GPU)] == KWH


def test_what_no_price_is_known_for_has_no_cost_which_is_not_a_cost_of_nothing() -> None:
    cost = (TotalKind.COST, ("EUR", Boundary.GPU))
    unknown = price_hour(facts([KWH] * 4, price=prices([(60, None)]), currency="EUR")).totals
    assert cost not in unknown
    assert unknown[TotalKind.UNPRICED, ("EUR", Boundary.GPU)] == 4 * KWH
    assert price_hour(facts([KWH] * 4, price=prices([(60, 0)]), currency="EUR")).totals[cost] == 0


def test_contracts_lower_the_market_based_grams_and_not_the_location_based_ones() -> None:
    cover = Cover(
        contract_mj=3 * KWH,
        contract_product=3 * KWH * 10_000_000,
        matched_mj=3 * KWH,
        uses=(SupplyUse(Layer.CONTRACT_INTRA, "wind", 3 * KWH), SupplyUse(Layer.GRID, "", KWH)),
    )
    priced = price_hour(
        facts([KWH] * 4, spans([(60, 500_000_000)]), residual=spans([(60, 600_000_000)]), cover=cover)
    )
    assert grams(gpu(priced).location) == 2000
    assert grams(gpu(priced).market) == 30 + 600
    assert priced.totals[TotalKind.SUPPLY, ("contract_intra",)] == 3 * KWH
    assert priced.totals[TotalKind.MATCHED, ()] == 3 * KWH
    assert {(use.accounting, use.energy_mj) for use in priced.row.factors} == {
        (Accounting.LOCATION, 4 * KWH),
        (Accounting.MARKET, KWH),
    }


def test_what_is_made_on_site_is_neither_bought_nor_the_grids() -> None:
    cover = Cover(own_mj=2 * KWH, own_product=0, matched_mj=2 * KWH)
    priced = price_hour(
        facts([KWH] * 4, spans([(60, 500_000_000)]), cover=cover, price=prices([(60, 1_000_000)]), currency="CNY")
    )
    assert grams(gpu(priced).location) == grams(gpu(priced).market) == 1000
    assert money(gpu(priced).cost) == 2
    assert gpu(priced).priced_mj == gpu(priced).location_covered_mj == 4 * KWH


def test_own_power_whose_certificates_were_sold_is_the_residual_mix_in_the_market_based_method() -> None:
    cover = Cover(own_mj=2 * KWH, own_product=0, sold_mj=KWH, sold_product=0, matched_mj=KWH)
    priced = price_hour(
        facts([KWH] * 4, spans([(60, 500_000_000)]), residual=spans([(60, 800_000_000)]), cover=cover)
    )
    assert (grams(gpu(priced).location), grams(gpu(priced).market)) == (1000, 3 * 800)


def test_supply_is_matched_against_the_load_at_the_meter_and_gpus_have_their_part() -> None:
    cover = Cover(contract_mj=4 * KWH, contract_product=0)
    priced = price_hour(facts([KWH] * 4, spans([(60, 500_000_000)]), facility=[2 * KWH] * 4, cover=cover))
    facility = priced.row.boundaries[Boundary.FACILITY]
    assert (grams(facility.location), grams(facility.market)) == (4000, 2000)
    assert (grams(gpu(priced).location), grams(gpu(priced).market)) == (2000, 1000)


def test_a_facility_that_was_not_metered_all_through_the_hour_is_not_the_load() -> None:
    given = facts([KWH] * 4, spans([(60, 500_000_000)]), facility=[2 * KWH, 0, 2 * KWH, 2 * KWH])
    assert given.load is Boundary.GPU
    assert grams(gpu(price_hour(given)).location) == 2000


@given(ENERGIES, INTENSITIES, PRICES)
def test_law_5_the_sum_is_that_of_exact_fractions(energies: list[int], steps: Steps, cost: Steps) -> None:
    location, price = spans(steps), prices(cost)
    priced = gpu(price_hour(facts(energies, location, price=price, currency="EUR")))
    # Energy is cut into whole millijoules: each cut may move less than one of them to a neighbour.
    most = 1_500_000_000 * (len(location) + 4)
    assert abs(priced.location - exact(energies, location)) <= most
    assert abs(priced.cost - priced.credit - exact(energies, price)) <= 3_000_000 * (len(price) + 4)


@given(ENERGIES, INTENSITIES, st.integers(0, 12_000_000_000), st.integers(0, 12_000_000_000))
def test_law_1_quarters_zones_and_factors_sum_to_the_hour(
    energies: list[int], steps: Steps, own_mj: int, contract_mj: int
) -> None:
    own_mj = min(own_mj, sum(energies))
    contract_mj = min(contract_mj, sum(energies) - own_mj)
    cover = Cover(own_mj=own_mj, contract_mj=contract_mj, contract_product=contract_mj * 11, own_product=own_mj * 7)
    priced = price_hour(facts(energies, spans(steps), facility=[2 * e + 1 for e in energies], cover=cover))
    for boundary, quarters in priced.quarters.items():
        assert sum(quarters, Priced()) == priced.row.boundaries[boundary]
        for accounting, number in (
            (Accounting.LOCATION, priced.row.boundaries[boundary].location),
            (Accounting.MARKET, priced.row.boundaries[boundary].market),
        ):
            zones = [
                value
                for (kind, labels), value in priced.totals.items()
                if kind is TotalKind.EMISSIONS and labels[0] == accounting and labels[2] == boundary
            ]
            assert sum(zones) == number
    whole = priced.row.boundaries[Boundary.FACILITY]
    location = [use.product for use in priced.row.factors if use.accounting is Accounting.LOCATION]
    assert sum(location) + cover.own_product == whole.location
    assert whole.location_covered_mj <= whole.energy_mj
    assert priced.row.hour == HOUR


@given(ENERGIES, INTENSITIES, st.integers(1, 59))
def test_law_5_a_cut_between_equal_values_changes_nothing(energies: list[int], steps: Steps, minute: int) -> None:
    """Cutting a stretch in two leaves the product where the energy of a quarter divides evenly."""
    even = [energy - energy % 900 for energy in energies]
    cut: list[tuple[int, int | None]] = []
    begin = 0
    for minutes, value in steps:
        end = begin + minutes
        if begin < minute < end:
            cut += [(minute - begin, value), (end - minute, value)]
        else:
            cut.append((minutes, value))
        begin = end
    assert gpu(price_hour(facts(even, spans(cut)))) == gpu(price_hour(facts(even, spans(steps))))
