"""Green share and the 24/7 score: what counts in which number, and which hours lacked supply."""

import pytest

from tests.rules.supply.supplies import KWH, lot, offer
from wattledger.rules.pricing.model import SupplyUse
from wattledger.rules.supply.certificates import CertificateBook
from wattledger.rules.supply.grid import GridScore, grid_mj, grid_score
from wattledger.rules.supply.hour import SupplyBooks, settle_hour
from wattledger.rules.supply.model import Layer, Offer
from wattledger.rules.supply.score import (
    WORST_HOURS,
    GreenShare,
    UnmatchedHour,
    green_share,
    share_of_hour,
    share_of_uses,
)


def hour(
    number: int, load_kwh: float, *offers: Offer, certificates_kwh: float = 0, grid_ppm: int | None = None
) -> GreenShare:
    books = SupplyBooks(CertificateBook((lot("a", certificates_kwh, 0, 1000),)))
    supply, _ = settle_hour(number, round(load_kwh * KWH), offers, books)
    return share_of_hour(number, supply, grid_free_ppm=grid_ppm)


def test_surplus_of_one_hour_is_of_no_use_to_another() -> None:
    total = green_share([hour(0, 10, offer(Layer.ONSITE, 20)), hour(1, 10)])
    assert total.green_share == total.hourly_matched == 0.5
    assert (total.hours, total.unmatched_hours) == (2, 1)


def test_certificates_are_in_the_green_share_alone_and_told_apart() -> None:
    total = hour(0, 10, offer(Layer.CONTRACT_INTRA, 4), certificates_kwh=5)
    assert total.green_share == 0.9
    assert total.green_share_without_certificates == total.hourly_matched == 0.4
    assert total.unmatched_hours == 1
    assert total.share_of(Layer.CERTIFICATES) == 0.5
    assert total.share_of(Layer.GRID) == 0.1
    assert total.share_of(Layer.STORAGE) == 0


def test_certificates_of_the_hour_are_in_the_score() -> None:
    books = SupplyBooks(CertificateBook((lot("a", 5, 3, 4),)))
    supply, _ = settle_hour(3, 10 * KWH, [], books)
    assert share_of_hour(3, supply).hourly_matched == 0.5


def test_power_that_is_not_green_covers_load_and_counts_in_no_share() -> None:
    total = hour(0, 10, offer(Layer.ONSITE, 6, grams=490, renewable=False, carbon_free=False))
    assert total.share_of(Layer.ONSITE) == 0.6
    assert total.green_share == total.hourly_matched == 0


def test_nuclear_power_is_in_the_score_and_not_in_the_green_share() -> None:
    total = hour(0, 10, offer(Layer.CONTRACT_INTRA, 6, renewable=False))
    assert (total.green_share, total.hourly_matched) == (0, 0.6)


def test_power_whose_certificates_were_sold_counts_in_neither() -> None:
    total = hour(0, 10, offer(Layer.ONSITE, 6, sold=True))
    assert (total.green_share, total.hourly_matched, total.unmatched_hours) == (0, 0, 1)


def test_the_grid_gives_its_carbon_free_share_of_what_is_left() -> None:
    # carbon.md section 4: CFE = min(L, C) + max(0, L - C) x share of the grid
    total = green_share(
        [
            hour(0, 10, offer(Layer.DIRECT_LINE, 4), grid_ppm=500_000),
            hour(1, 10, certificates_kwh=10, grid_ppm=250_000),
        ]
    )
    assert total.hourly_matched == 4 / 20
    assert total.hourly_matched_with_grid == (4 + 3 + 2.5) / 20


def test_the_grid_gives_nothing_where_a_generator_of_the_house_ran() -> None:
    total = hour(0, 10, offer(Layer.ONSITE, 6, renewable=False, carbon_free=False), grid_ppm=500_000)
    assert total.hourly_matched_with_grid == 0.2


def test_an_hour_without_the_share_of_the_grid_is_in_no_part_of_that_score() -> None:
    # What was matched in such an hour is left out too: 4 of 4 with 6 unknown would be the best hour of all.
    total = green_share([hour(0, 10, grid_ppm=500_000), hour(1, 10, offer(Layer.DIRECT_LINE, 4))])
    assert (total.hourly_matched_with_grid, total.with_grid.covered_mj) == (0.5, 10 * KWH)
    assert hour(1, 10, offer(Layer.DIRECT_LINE, 4)).hourly_matched_with_grid is None
    assert total.hourly_matched == 4 / 20


def test_an_hour_in_which_nothing_came_from_the_grid_needs_no_share_of_it() -> None:
    assert hour(0, 10, offer(Layer.ONSITE, 10)).with_grid == GridScore(10 * KWH, 10 * KWH)


def test_a_share_that_is_known_for_a_part_of_the_grid_alone_is_not_known() -> None:
    rest = SupplyUse(Layer.GRID, "", 8)
    assert grid_score([rest], [(4, 500_000), (4, None)]) == GridScore()
    assert grid_score([rest], [(4, 500_000)]) == GridScore()
    assert grid_score([rest], [(4, 500_000), (4, 250_000)], "a and b") == GridScore(3, 8, "a and b")


def test_the_worst_hours_are_named_the_earlier_first_where_they_are_alike() -> None:
    hours = [hour(number, number % 7) for number in range(40)]
    total = green_share(hours)
    assert green_share(reversed(hours)).worst == total.worst
    worst = [number for number in range(40) if number % 7 == 6] + [number for number in range(40) if number % 7 == 5]
    assert [one.hour for one in total.worst] == worst[:WORST_HOURS]
    assert total.worst[0] == UnmatchedHour(6, 6 * KWH)
    assert total.unmatched_hours == sum(number % 7 > 0 for number in range(40))


def test_hours_whose_meters_failed_are_counted() -> None:
    supply, _ = settle_hour(0, KWH, [], SupplyBooks(), unmetered=["roof"])
    assert supply.unmetered == ("roof",)
    assert share_of_hour(0, supply).unmetered_hours == 1


@pytest.mark.parametrize("total", [GreenShare(), hour(0, 0, offer(Layer.ONSITE, 4))])
def test_without_load_there_is_no_share(total: GreenShare) -> None:
    assert total.green_share is total.green_share_without_certificates is total.hourly_matched is None
    assert total.share_of(Layer.GRID) is None
    assert total.unmatched_hours == 0


def test_what_is_kept_of_an_hour_gives_the_same_shares() -> None:
    books = SupplyBooks(CertificateBook((lot("a", 5, 0, 10), lot("b", 1, 3, 4))))
    offers = [
        offer(Layer.ONSITE, 2, sold=True),
        offer(Layer.ONSITE, 1, renewable=False),
        offer(Layer.CONTRACT_INTRA, 3),
        offer(Layer.CONTRACT_INTRA, 1, renewable=False, carbon_free=False),
    ]
    supply, _ = settle_hour(3, 20 * KWH, offers, books)
    kept = [
        SupplyUse(one.layer, one.name, one.energy_mj, is_green=one.is_green, is_matched=one.is_matched)
        for one in supply.layers
    ]
    grid = SupplyUse(Layer.GRID, "", supply.unmatched_mj)
    found = share_of_uses(3, [*kept, grid], grid_free_ppm=100_000)
    assert found == share_of_hour(3, supply, grid_free_ppm=100_000)
    assert (found.matched_mj, grid_mj([*kept, grid])) == (5 * KWH, 12 * KWH)
