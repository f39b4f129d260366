"""Offers against the load of one hour: who covers what, and what it is by both methods of Scope 2."""

import pytest

from tests.rules.supply.supplies import GRAM, KWH, offer
from wattledger.rules.supply.match import location_own_product, location_split, market_product, match_hour
from wattledger.rules.supply.model import PRIORITY, Layer

RESIDUAL = 609_600_000  # 0.6096 kg/kWh: China 2023 without traded non-fossil (MEE, 2025-12-31)


def taken(load_kwh: float, *offers: object) -> list[float]:
    match = match_hour(round(load_kwh * KWH), offers)  # type: ignore[arg-type]
    return [take.energy_mj / KWH for take in match.taken]


def test_the_layers_have_the_order_of_the_policy() -> None:
    assert " ".join(PRIORITY) == "onsite storage direct_line contract_intra contract_inter certificates grid"


def test_offers_are_taken_in_their_order_and_never_beyond_the_load() -> None:
    match = match_hour(
        10 * KWH, [offer(Layer.ONSITE, 4), offer(Layer.DIRECT_LINE, 5), offer(Layer.CONTRACT_INTRA, 3)]
    )
    assert [(take.energy_mj // KWH, take.surplus_mj // KWH) for take in match.taken] == [(4, 0), (5, 0), (1, 2)]
    assert match.unmatched_mj == 0


def test_what_nothing_covers_is_unmatched() -> None:
    assert match_hour(10 * KWH, [offer(Layer.ONSITE, 4)]).unmatched_mj == 6 * KWH
    assert match_hour(10 * KWH, []).unmatched_mj == 10 * KWH
    assert match_hour(0, [offer(Layer.ONSITE, 4)]).taken[0].surplus_mj == 4 * KWH


def test_a_share_is_of_the_whole_load_and_limited_by_what_is_left() -> None:
    share = offer(Layer.CONTRACT_INTER, share_ppm=600_000)
    assert taken(10, offer(Layer.ONSITE, 3), share) == [3, 6], "six tenths of ten, not of the seven that are left"
    assert taken(10, offer(Layer.ONSITE, 8), share) == [8, 2]


def test_a_share_is_rounded_down() -> None:
    match = match_hour(999_999, [offer(Layer.CONTRACT_INTRA, share_ppm=500_000)])
    assert (match.taken[0].energy_mj, match.unmatched_mj) == (499_999, 500_000)


def test_market_based_grams_are_by_source_and_the_residual_mix_is_for_the_rest() -> None:
    match = match_hour(10 * KWH, [offer(Layer.ONSITE, 2), offer(Layer.CONTRACT_INTRA, 3, grams=20)])
    assert market_product(match, RESIDUAL) == (3 * KWH * 20 * GRAM + 5 * KWH * RESIDUAL, 0)


def test_without_a_residual_factor_the_rest_is_in_no_product() -> None:
    match = match_hour(10 * KWH, [offer(Layer.ONSITE, 2, grams=45)])
    assert market_product(match, None) == (2 * KWH * 45 * GRAM, 8 * KWH)


def test_contracts_and_direct_lines_change_nothing_of_the_location_based_grams() -> None:
    match = match_hour(
        10 * KWH,
        [
            offer(Layer.ONSITE, 2, grams=45),
            offer(Layer.STORAGE, 1, grams=60),
            offer(Layer.DIRECT_LINE, 3),
            offer(Layer.CONTRACT_INTER, 3),
        ],
    )
    assert location_split(match) == (3 * KWH, 7 * KWH)
    assert location_own_product(match) == (2 * 45 + 60) * KWH * GRAM


def test_power_whose_certificates_were_sold_has_the_residual_mix_and_its_own_factor_where_it_stands() -> None:
    match = match_hour(10 * KWH, [offer(Layer.ONSITE, 4, grams=45, sold=True)])
    assert market_product(match, RESIDUAL) == (10 * KWH * RESIDUAL, 0)
    assert market_product(match, None) == (0, 10 * KWH)
    assert location_split(match) == (4 * KWH, 6 * KWH)
    assert location_own_product(match) == 4 * KWH * 45 * GRAM


@pytest.mark.parametrize(
    ("renewable", "carbon_free", "sold", "counts"),
    [
        (True, True, False, (True, True)),
        (True, True, True, (False, False)),
        (False, True, False, (False, True)),  # nuclear power
        (True, False, False, (True, False)),  # biomass, where it is not taken for carbon-free
        (False, False, False, (False, False)),
    ],
)
def test_green_and_carbon_free_are_told_apart(
    *, renewable: bool, carbon_free: bool, sold: bool, counts: tuple[bool, bool]
) -> None:
    one = offer(Layer.ONSITE, 1, renewable=renewable, carbon_free=carbon_free, sold=sold)
    assert (one.is_green, one.is_matched) == counts
