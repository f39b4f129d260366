"""What the page says of grams, money, supply and feeds: what is counted, what is unknown, and whose value counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.exporter.pages import Samples, read, series, value
from tests.exporter.price_snapshots import LIVE, SHARE, feed, feeds_health, priced, prices_view
from tests.exporter.snapshots import NOW, busy, snapshot, view
from wattledger.exporter.catalog import FAMILIES, Kind
from wattledger.exporter.catalog.carbon import FAMILIES as CARBON
from wattledger.exporter.feeds import in_use
from wattledger.exporter.prices import NO_PRICES
from wattledger.exporter.snapshot import Snapshot
from wattledger.rules.feeds.fallback import FeedState
from wattledger.rules.feeds.model import Accounting, PointKind
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.pricing.model import PriceTotal, TotalKind

GRAMS = "wattledger_emissions_grams_total"
INTENSITY = "wattledger_carbon_intensity_grams_per_kwh"
IN_USE = "wattledger_feed_in_use"


def page(**changes: object) -> Samples:
    """Give the page of a busy host with all of it; *changes* are fields of its snapshot."""
    return read(replace(priced(busy()), **changes))  # type: ignore[arg-type]  # the fields are the caller's to get right


def by_label(samples: Samples, name: str, label: str) -> dict[str, float]:
    return {dict(labels)[label]: number for labels, number in series(samples, name).items()}


def test_grams_and_money_stand_by_account_and_boundary() -> None:
    found = page()
    assert value(found, GRAMS, accounting="location", zone="DE", boundary="gpu") == 800
    assert value(found, GRAMS, accounting="location", zone="DE", boundary="facility") == 1000
    assert value(found, GRAMS, accounting="market", zone="DE", boundary="facility") == 800
    assert value(found, "wattledger_cost_total", currency="EUR", boundary="facility") == 0.75
    assert value(found, "wattledger_cost_credit_total", currency="EUR", boundary="gpu") == 0.0125
    assert value(found, "wattledger_facility_energy_joules_total") == 2.5 * 3_600_000


@pytest.mark.parametrize(
    ("name", "kind", "labels"),
    [
        ("wattledger_emissions_uncovered_energy_joules_total", TotalKind.UNCOVERED, ("location", "gpu")),
        ("wattledger_cost_uncovered_energy_joules_total", TotalKind.UNPRICED, ("EUR", "gpu")),
    ],
)
def test_what_lacks_a_value_is_counted_when_its_hour_has_closed(
    name: str, kind: TotalKind, labels: tuple[str, ...]
) -> None:
    waiting = PriceTotal(kind, labels, closed=1_500, shown=9_000)
    assert list(series(page(prices=prices_view(totals=(waiting,))), name).values()) == [1.5]


def test_what_still_waits_for_a_value_is_a_gauge() -> None:
    assert by_label(page(), "wattledger_emissions_open_uncovered_energy_joules", "accounting") == {
        "location": 900_000,
        "market": 0,
    }


def test_each_feed_that_knows_now_has_its_intensity_with_what_kind_of_number_it_is() -> None:
    found = series(page(), INTENSITY)
    first = {"feed": "location", "level": "0", "zone": "DE", "provider": "electricity_maps"}
    caliber = {"signal": "average", "factors": "lifecycle", "gas": "co2e"}
    (labels,) = series(page(), INTENSITY, level="0")
    assert dict(labels) == first | caliber | {"kind": "estimated"}
    shown = {(dict(labels)["level"], dict(labels)["kind"]): number for labels, number in found.items()}
    # The marginal feed knows nothing, and a price is no intensity.
    assert shown == {("0", "estimated"): 400, ("1", "factor"): 344.1}


def test_a_feed_that_fails_says_since_when_and_how_often() -> None:
    found = page()
    first = {"feed": "location", "level": "0"}
    assert value(found, "wattledger_feed_success", **first) == 0
    assert value(found, "wattledger_feed_age_seconds", **first) == 5 * 3600
    assert value(found, "wattledger_feed_state_info", state="late", **first) == 1
    failures = series(found, "wattledger_feed_failures_total", **first)
    assert {dict(labels)["reason"]: count for labels, count in failures.items()} == {"throttled": 4, "timeout": 1}
    assert value(found, "wattledger_feed_skipped_values_total", reason="null", **first) == 2
    assert value(found, "wattledger_feed_success", feed="price") == 1
    assert not series(found, "wattledger_feed_age_seconds", feed="marginal"), "it never had a value"


def test_the_feed_whose_value_counts_is_the_first_that_has_one() -> None:
    found = {(dict(at)["feed"], dict(at)["level"]): used for at, used in series(page(), IN_USE).items()}
    assert found == {
        ("location", "0"): 1,
        ("location", "1"): 0,
        ("marginal", "0"): 0,
        ("carbon_free", "0"): 1,
        ("price", "0"): 1,
    }
    first, *others = feeds_health()
    gone = (replace(first, value=None, kind=None), *others)
    assert in_use(gone) == {("location", 1), ("carbon_free", 0), ("price", 0)}
    assert value(page(feeds=gone), IN_USE, feed="location", level="1") == 1
    assert value(page(feeds=gone), IN_USE, feed="location", level="0") == 0


def test_two_files_of_one_zone_are_told_apart() -> None:
    files = tuple(
        feed("location", LIVE, FeedState.FRESH, level=level, value=level + 1, kind=PointKind.ACTUAL)
        for level in (0, 1)
    )
    found = page(feeds=files)  # reading it fails where a series repeats
    assert sorted(series(found, INTENSITY).values()) == [1e-6, 2e-6]


def test_supply_is_told_by_layer_and_the_24_7_score_is_a_ratio_of_counters() -> None:
    found = page()
    assert by_label(found, "wattledger_supply_energy_joules_total", "layer") == {
        "contract_intra": 1_800_000,
        "certificates": 0,
        "grid": 7_200_000,
    }
    assert value(found, "wattledger_hourly_matched_energy_joules_total") == 1_800_000
    with_grid = [value(found, f"wattledger_hourly_matched_with_grid_{of}_joules_total") for of in ("energy", "load")]
    assert with_grid == [3_600_000, 7_200_000], "half of the load of the hours whose share is known"


def test_the_carbon_free_share_of_the_grid_is_told_of_each_feed_that_knows_it() -> None:
    feeds = (
        feed("carbon_free", SHARE, FeedState.FRESH, value=612_500, kind=PointKind.ESTIMATED),
        feed("carbon_free", SHARE, FeedState.STALE, level=1),
    )
    found = page(feeds=feeds)
    share = "wattledger_grid_carbon_free_ratio"
    assert by_label(found, share, "level") == {"0": 0.6125}
    assert value(found, share, feed="carbon_free", zone="DE", kind="estimated") == 0.6125
    assert not series(found, INTENSITY), "a share is no intensity"


def test_what_holds_now() -> None:
    found = page()
    assert value(found, "wattledger_price_per_kwh", currency="EUR", period="peak") == 0.3
    assert value(found, "wattledger_pue_ratio") == 1.25
    assert value(found, "wattledger_feed_corrections_total") == 3
    nothing = page(prices=prices_view(price=None, pue=None), feeds=())
    for name in ("wattledger_price_per_kwh", "wattledger_pue_ratio", "wattledger_feed_corrections_total"):
        assert not series(nothing, name)


def test_a_token_has_the_grams_and_the_money_of_its_joules() -> None:
    found = page()
    grams = series(found, "wattledger_service_grams_per_token")
    assert len(grams) == 12, "three kinds of token, two scopes, two accounts"
    at = {"service": "chat", "per": "output", "scope": "active", "boundary": "facility"}
    assert value(found, "wattledger_service_grams_per_token", accounting="location", **at) == 0.5 * 500 / 3.6e6
    assert value(found, "wattledger_service_cost_per_token", currency="EUR", **at) == 0.5 * 0.375 / 3.6e6
    assert not series(found, "wattledger_service_cost_per_token", service="router"), "its rate is not known"
    assert not series(found, "wattledger_service_grams_per_token", service="batch"), "its joules are withheld"


def test_an_expired_snapshot_keeps_its_counters_and_tells_nothing_of_tokens() -> None:
    made = priced(busy())
    late = Instant(NOW.mono_ns + 60 * NS_PER_SECOND, NOW.wall_ns + 60 * NS_PER_SECOND)
    fresh, expired = read(made), read(made.expired(late))
    for family in CARBON:
        if family.kind is Kind.COUNTER:
            assert series(expired, family.name) == series(fresh, family.name) != {}
    assert not series(expired, "wattledger_service_grams_per_token")
    assert not series(expired, "wattledger_service_cost_per_token")


@pytest.mark.parametrize("made", [snapshot(view()), busy()], ids=["a host", "a busy host"])
def test_a_host_without_feeds_and_tariff_has_none_of_these_families(made: Snapshot) -> None:
    assert made.prices is NO_PRICES
    shown = {name for name, _ in read(made)}
    assert not shown & {family.name for family in CARBON}


def test_the_accounts_are_never_one_series() -> None:
    summed = {
        family.name: family.all_labels for family in FAMILIES if family.name.startswith("wattledger_emissions_")
    }
    assert all("accounting" in labels for labels in summed.values())
    assert {dict(labels)["accounting"] for labels in series(page(), GRAMS)} == set(Accounting)
