"""Carbon and cost on the landing page: both accounts, what is not known, and which feed counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.exporter.landing_reader import Page, page_of
from tests.exporter.price_snapshots import KWH, LIVE, feed, feeds_health, priced, prices_view, total
from tests.exporter.snapshots import busy, snapshot, view
from wattledger.exporter.feeds import FeedHealth
from wattledger.exporter.prices import PriceNow, PricesView
from wattledger.rules.feeds.fallback import FeedState
from wattledger.rules.feeds.model import Accounting, Measure, PointKind, Series
from wattledger.rules.pricing.model import Boundary, TotalKind
from wattledger.rules.supply.model import Layer

HEADING = "Carbon and cost"


def shown(prices: PricesView, *feeds: FeedHealth) -> Page:
    return page_of(snapshot(view(), prices=prices, feeds=feeds))


def test_a_host_without_feeds_and_tariff_has_no_word_of_them() -> None:
    for made in (snapshot(view()), busy(), None):
        assert HEADING not in page_of(made).words
    assert HEADING in shown(PricesView(currency="EUR")).words
    assert HEADING in shown(PricesView(), feeds_health()[0]).words


def test_both_accounts_and_the_cost_stand_side_by_side_for_each_boundary_that_is_known() -> None:
    page = page_of(priced(busy()))
    assert page.words.index("Services") < page.words.index(HEADING)
    assert page.row("GPUs") == "|GPUs|2.000|800 g|640 g|0.600 EUR and 0.0125 paid by negative prices"
    facility = page.row("at the meter of the house")
    assert facility == "|at the meter of the house|2.500|1.00 kg|800 g|0.750 EUR and 0.0125 paid by negative prices"
    assert not [row for row in page.rows if row.startswith("|whole host")]


def test_what_is_not_known_is_said_and_never_zero() -> None:
    only_energy = PricesView(totals=(total(TotalKind.LOAD, KWH, Boundary.GPU),), currency="EUR")
    assert shown(only_energy).row("GPUs") == "|GPUs|1.000|not known|not known|not known"


def test_zones_of_one_account_are_summed_and_accounts_are_not() -> None:
    totals = (
        total(TotalKind.LOAD, KWH, Boundary.GPU),
        total(TotalKind.EMISSIONS, KWH * 100_000_000, Accounting.LOCATION, "DE", Boundary.GPU),
        total(TotalKind.EMISSIONS, KWH * 50_000_000, Accounting.LOCATION, "WORLD", Boundary.GPU),
        total(TotalKind.EMISSIONS, KWH * 30_000_000, Accounting.MARKET, "DE", Boundary.GPU),
        total(TotalKind.EMISSIONS, KWH * 900_000_000, Accounting.LOCATION, "DE", Boundary.FACILITY),
    )
    assert shown(PricesView(totals=totals, currency="EUR")).row("GPUs") == "|GPUs|1.000|150 g|30.0 g|not known"


def test_the_present_price_pue_and_what_waits_are_one_line() -> None:
    words = page_of(priced(busy())).words
    assert "Now: a kWh costs 0.3000 EUR (peak); PUE 1.250; 0.250 kWh wait for a carbon intensity." in words
    assert "Now:" not in shown(prices_view(price=None, pue=None, open_uncovered_mj={})).words
    assert "a kWh costs -0.0500 EUR;" in shown(prices_view(price=PriceNow(-50_000))).words


def test_supply_is_told_in_parts_of_the_load() -> None:
    words = page_of(priced(busy())).words
    assert (
        "Supply: contract_intra 20.0 %, grid 80.0 %. Matched hour by hour with carbon-free supply: 20.0 %; with the "
        "carbon-free share of the grid: 50.0 % (of 80.0 % of the load)." in words
    )
    idle = prices_view(totals=(total(TotalKind.SUPPLY, 0, Layer.GRID),))
    assert "Supply:" not in shown(idle).words


@pytest.mark.parametrize(
    ("score", "rest", "told"),
    [
        ((), (), "20.0 %."),
        ((0,), (0,), "20.0 %; with the carbon-free share of the grid: not known (of 0.0 % of the load)."),
        ((KWH * 2,), (KWH // 2,), "20.0 %; with the carbon-free share of the grid: 80.0 %."),
    ],
)
def test_the_score_with_the_grid_says_how_much_of_the_load_it_is_of(
    score: tuple[int, ...], rest: tuple[int, ...], told: str
) -> None:
    without = [one for one in prices_view().totals if one.kind not in (TotalKind.WITH_GRID, TotalKind.WITH_GRID_REST)]
    counted = [total(TotalKind.WITH_GRID, number) for number in score]
    counted += [total(TotalKind.WITH_GRID_REST, number) for number in rest]
    words = shown(prices_view(totals=(*without, *counted))).words
    assert f"Matched hour by hour with carbon-free supply: {told}" in words


def test_each_feed_says_how_it_is_doing_and_one_is_in_use() -> None:
    page = page_of(priced(busy()))
    first = page.row("location 1")
    assert first.startswith("|location 1 in use|DE|electricity_maps average, lifecycle, CO2e, consumption|late")
    assert "newest value 5 h 0 min old" in first
    assert "throttled: https://api.example.org/v3: status 429; too many requests" in first
    assert first.endswith("|400.000 g/kWh estimated")
    assert page.row("location 2").endswith("|fresh newest value 0.0 s old|344.100 g/kWh factor")
    assert "in use" not in page.row("location 2")
    assert page.row("marginal 1").endswith("|stale unauthorized: <b>no</b>|not known")
    assert (
        page.row("price 1") == "|price 1 in use|DE-LU|energy_charts|fresh newest value 0.0 s old|0.300 per kWh actual"
    )


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", "a&b\"'", "\ud800"])
def test_what_feeds_and_configurations_say_runs_nothing(hostile: str) -> None:
    series = Series(Measure.PUE, hostile, hostile)
    made = feed(hostile, series, FeedState.STALE, trouble=hostile, detail=hostile)
    prices = prices_view(currency=hostile, price=PriceNow(1, hostile))
    page = shown(prices, made)
    assert "script" not in page.tags
    assert page.words.count(hostile.replace("\ud800", "\ufffd")) >= 6


def test_a_value_without_a_kind_is_not_shown() -> None:
    known = feed("location", LIVE, FeedState.FRESH, value=1_000_000, kind=PointKind.ACTUAL)
    assert shown(PricesView(), known).row("location 1").endswith("|1.000 g/kWh actual")
    assert shown(PricesView(), replace(known, value=None)).row("location 1").endswith("|not known")
