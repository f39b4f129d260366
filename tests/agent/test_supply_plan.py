"""Configured supply to the offers of an hour: amounts, times, meters, batteries and certificates."""

from collections.abc import Mapping

import pytest

from tests.agent.supply_entries import METER, supply_entries, utc_hour
from wattledger.agent.supply import Offered, SupplyPlan
from wattledger.agent.supply_desk import SupplyDesk
from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.pricing.hour import Cover
from wattledger.rules.pricing.model import SupplyUse
from wattledger.rules.supply.model import Layer

KWH = 3_600_000_000
GRAM = 1_000_000
DAY = ", ".join(map(str, range(24)))
NOON = utc_hour("2026-07-01T12:00:00+08:00")


def plan(text: str) -> SupplyPlan:
    return SupplyPlan(supply_entries(text))


def offered(text: str, hour: int = NOON, metered: Mapping[str, int] | None = None) -> Offered:
    return plan(text).offers(hour, (metered or {}).get)


def energies(text: str, hour: int = NOON, metered: Mapping[str, int] | None = None) -> list[int]:
    return [offer.energy_mj for offer in offered(text, hour, metered).offers]


def test_layers_go_before_the_order_of_the_file_and_that_within_a_layer() -> None:
    text = f"""
- {{kind: contract, name: far, scope: inter, share: 0.1}}
- {{kind: contract, name: near, scope: intra, share: 0.1}}
- {{kind: contract, name: near 2, scope: intra, share: 0.1}}
- {{kind: direct_line, name: line, {METER}}}
- {{kind: storage, name: battery, grams_per_kwh: 60, {METER}}}
- {{kind: onsite, name: roof, {METER}}}
"""
    offers = offered(text, metered={"line": 1, "battery": 1, "roof": 1}).offers
    assert [offer.name for offer in offers] == ["roof", "battery", "line", "near", "near 2", "far"]
    assert [offer.layer for offer in offers][3:] == [Layer.CONTRACT_INTRA, Layer.CONTRACT_INTRA, Layer.CONTRACT_INTER]


def test_a_meter_without_a_value_is_named_and_offers_nothing() -> None:
    text = f"- {{kind: onsite, name: a, {METER}}}\n- {{kind: onsite, name: b, {METER}}}"
    found = offered(text, metered={"b": 5})
    assert ([offer.name for offer in found.offers], found.unmetered) == (["b"], ("a",))
    assert list(plan(text).meters) == ["a", "b"]


def test_a_meter_that_ran_backwards_offers_nothing() -> None:
    assert energies(f"- {{kind: onsite, name: a, {METER}}}", metered={"a": -7}) == [0]


def test_part_of_a_meter_is_rounded_down() -> None:
    thirds = f"- {{kind: onsite, name: a, part: 0.333333, {METER}}}"
    assert energies(thirds, metered={"a": 10}) == [3]


def test_amounts_are_exact() -> None:
    assert energies("- {kind: contract, name: a, scope: intra, kwh_per_hour: 2.000001}") == [2 * KWH + 3_600]
    assert energies("- {kind: contract, name: a, scope: intra, kwh_per_hour: 7, part: 0.5}") == [7 * KWH // 2]
    (share,) = offered("- {kind: contract, name: a, scope: intra, share: 0.4}").offers
    assert (share.energy_mj, share.share_ppm) == (0, 400_000)


@pytest.mark.parametrize(
    ("zone", "time", "kwh"),
    [
        ("Asia/Shanghai", "2026-07-01T13:00:00+08:00", 13),
        ("Asia/Shanghai", "2026-07-01T23:00:00+08:00", 23),
        ("UTC", "2026-07-01T13:00:00+08:00", 5),
        ("Europe/Berlin", "2026-01-01T13:00:00+01:00", 13),
        ("Europe/Berlin", "2026-07-01T13:00:00+02:00", 13),
        ("Europe/Berlin", "2026-10-25T02:00:00+02:00", 2),  # the hour that comes twice
        ("Europe/Berlin", "2026-10-25T02:00:00+01:00", 2),
        ("Europe/Berlin", "2026-03-29T03:00:00+02:00", 3),  # the hour after the one that is left out
        ("Asia/Kolkata", "2026-07-01T13:30:00+05:30", 13.5),  # half of 13:00 and half of 14:00
        ("Asia/Kolkata", "2026-07-01T23:30:00+05:30", 11.5),
        ("Asia/Kathmandu", "2026-07-01T13:45:00+05:45", 13.75),
    ],
)
def test_a_profile_is_by_the_hours_of_its_time_zone(zone: str, time: str, kwh: float) -> None:
    text = f"- {{kind: contract, name: a, scope: intra, timezone: {zone}, profile: [{DAY}]}}"
    assert energies(text, utc_hour(time)) == [kwh * KWH]


def test_an_entry_holds_for_hours_that_begin_in_its_time() -> None:
    text = (
        "- {kind: contract, name: a, scope: intra, kwh_per_hour: 1, from: 2026-07-01T12:30:00+08:00, "
        "to: 2026-07-01T14:30:00+08:00}"
    )
    assert [len(energies(text, NOON + later)) for later in range(4)] == [0, 1, 1, 0]
    assert [len(energies(text.replace(":30:", ":00:"), NOON + later)) for later in range(4)] == [1, 1, 0, 0]


def test_a_meter_is_not_asked_outside_the_time_of_its_entry() -> None:
    text = f"- {{kind: onsite, name: a, {METER}, from: 2027-01-01T00:00:00Z}}"
    assert offered(text) == Offered((), ())


def test_factors_and_what_counts_come_from_the_entry() -> None:
    text = f"""
- {{kind: onsite, name: roof, grams_per_kwh: 45.5, {METER}}}
- {{kind: onsite, name: sold, certificates_sold: true, {METER}}}
- {{kind: onsite, name: gas, renewable: false, grams_per_kwh: 490, {METER}}}
- {{kind: contract, name: nuclear, scope: inter, share: 0.1, renewable: false, carbon_free: true, grams_per_kwh: 12}}
"""
    offers = offered(text, metered={"roof": 1, "sold": 1, "gas": 1}).offers
    assert [offer.intensity for offer in offers] == [round(grams * GRAM) for grams in (45.5, 0, 490, 12)]
    assert [(offer.is_green, offer.is_matched) for offer in offers] == [
        (True, True),
        (False, False),
        (False, False),
        (False, True),
    ]


def test_a_battery_emits_what_charges_it_or_what_was_told() -> None:
    roofs = "\n".join(
        f"- {{kind: onsite, name: {name}, grams_per_kwh: {grams}, {more}{METER}}}"
        for name, grams, more in (("a", 45, ""), ("b", 60, ""), ("c", 900, "renewable: false, "))
    )
    battery = f"\n- {{kind: storage, name: d, charged_from: onsite, capacity_kwh: 3, %s{METER}}}"
    metered = dict.fromkeys("abcd", 1)
    (*_, made) = offered(roofs + battery % "", metered=metered).offers
    (*_, told) = offered(roofs + battery % "grams_per_kwh: 70, ", metered=metered).offers
    assert (made.intensity, told.intensity) == (60 * GRAM, 70 * GRAM)
    assert made.is_green
    assert made.is_matched


def test_a_battery_charged_from_the_grid_is_never_green() -> None:
    (one,) = offered(f"- {{kind: storage, name: a, grams_per_kwh: 60, {METER}}}", metered={"a": 1}).offers
    assert (one.is_green, one.is_matched) == (False, False)
    assert plan(f"- {{kind: storage, name: a, grams_per_kwh: 60, {METER}}}").storages == ()


LOTS = """
- {kind: contract, name: wind, scope: inter, share: 0.4}
- kind: certificates
  name: gec
  timezone: Asia/Shanghai
  part: 0.002
  certificates:
  - {name: a, mwh: 3, vintage: 2026, valid_until: 2028-03-01T00:00:00+08:00, unbundled: true}
  - {name: b, mwh: 5, vintage: 2025, contract: wind}
  - {name: c, mwh: 1, from: 2026-03-01T00:00:00+08:00, to: 2026-04-01T00:00:00+08:00, unbundled: true}
"""


def test_certificates_that_came_with_a_contract_are_no_lot() -> None:
    assert [lot.name for lot in plan(LOTS).lots] == ["a", "c"]


def test_a_lot_is_of_its_local_year_and_valid_as_long_as_was_told() -> None:
    year, month = plan(LOTS).lots
    assert year.energy_mj == 6 * KWH
    assert (year.from_wall_ns, year.to_wall_ns, year.valid_until_wall_ns) == tuple(
        utc_hour(f"{time}T00:00:00+08:00") * NS_PER_HOUR for time in ("2026-01-01", "2027-01-01", "2028-03-01")
    )
    assert month.valid_until_wall_ns == month.to_wall_ns, "not told: as long as it was generated"


def test_a_desk_covers_hours_and_keeps_what_is_used_and_stored() -> None:
    text = (
        LOTS
        + f"""
- {{kind: onsite, name: roof, grams_per_kwh: 45, {METER}}}
- {{kind: onsite, name: shed, grams_per_kwh: 30, certificates_sold: true, {METER}}}
- {{kind: storage, name: battery, charged_from: onsite, capacity_kwh: 5, {METER}}}
"""
    )
    ledger = {"lot:a": 5 * KWH, "storage:battery": KWH, "settled:hour": NOON - 1}
    desk = SupplyDesk.resumed(plan(text), ledger)
    metered = {"roof": 2 * KWH, "shed": KWH, "battery": 3 * KWH}
    cover = Cover(
        own_mj=4 * KWH,
        own_product=(2 * 45 + 30 + 45) * KWH * GRAM,
        sold_mj=KWH,
        sold_product=30 * KWH * GRAM,
        contract_mj=5 * KWH,
        matched_mj=7 * KWH,
        uses=(
            SupplyUse(Layer.ONSITE, "roof", 2 * KWH, is_green=True, is_matched=True),
            SupplyUse(Layer.ONSITE, "shed", KWH),
            SupplyUse(Layer.STORAGE, "battery", KWH, is_green=True, is_matched=True),
            SupplyUse(Layer.CONTRACT_INTER, "wind", 4 * KWH, is_green=True, is_matched=True),
            SupplyUse(Layer.CERTIFICATES, "a", KWH, is_green=True),
            SupplyUse(Layer.GRID, "", KWH),
        ),
    )
    assert desk.cover(NOON, 10 * KWH, metered.get) == cover
    assert desk.cover(NOON, 10 * KWH, metered.get) == cover, "the same question has the same answer"
    assert desk.cover(NOON + 1, 5 * KWH, {"roof": 9 * KWH}.get).own_mj == 5 * KWH
    assert desk.supply(NOON + 1, 5 * KWH, {"roof": 9 * KWH}.get).unmetered == ("shed", "battery")
    ledger = dict(desk.settle(NOON))
    assert ledger == {"lot:a": 6 * KWH, "storage:battery": 0, "settled:hour": NOON}
    assert desk.settle(NOON + 1)["storage:battery"] == 4 * KWH
    again = SupplyDesk.resumed(plan(text), ledger)
    late = again.cover(NOON, 5 * KWH, {"roof": 9 * KWH}.get)
    assert late == Cover(uses=(SupplyUse(Layer.GRID, "", 5 * KWH),)), "the roof of an hour that is closed is used up"
    assert again.cover(NOON + 1, 5 * KWH, {"roof": 9 * KWH}.get).own_mj == 5 * KWH


def test_a_battery_that_was_in_no_account_for_a_while_begins_empty() -> None:
    roof = f"- {{kind: onsite, name: roof, {METER}}}\n"
    battery = f"- {{kind: storage, name: battery, charged_from: onsite, capacity_kwh: 5, {METER}}}\n"
    ledger: dict[str, int] = {}
    desk = SupplyDesk.resumed(plan(roof + battery), ledger)
    desk.cover(NOON, 0, {"roof": 4 * KWH, "battery": 0}.get)
    ledger |= desk.settle(NOON)
    assert ledger["storage:battery"] == 4 * KWH
    without = SupplyDesk.resumed(plan(roof), ledger)
    for hour in range(NOON + 1, NOON + 30):
        without.cover(hour, KWH, {"roof": 0}.get)
        ledger |= without.settle(hour)
    again = SupplyDesk.resumed(plan(roof + battery), ledger)
    assert again.cover(NOON + 30, 5 * KWH, {"roof": 0, "battery": 4 * KWH}.get).matched_mj == 0


def test_a_battery_loses_what_its_entry_says() -> None:
    text = f"- {{kind: storage, name: b, charged_from: onsite, capacity_kwh: 5, efficiency: 0.88, {METER}}}"
    (battery,) = plan(text).storages
    assert battery.charged(KWH, 5 * KWH) == (KWH, KWH * 88 // 100)


def test_the_time_of_a_battery_is_that_of_its_entry() -> None:
    start, end = "2026-07-01T00:00:00+08:00", "2027-01-01T00:00:00+08:00"
    text = f"- {{kind: storage, name: b, charged_from: onsite, capacity_kwh: 5, from: {start}, to: {end}, {METER}}}"
    (battery,) = plan(text).storages
    assert [battery.is_there(utc_hour(start) + by) for by in (-1, 0)] == [False, True]
    assert [battery.is_there(utc_hour(end) + by) for by in (-1, 0)] == [True, False]


def test_only_what_is_used_up_or_stored_makes_hours_depend_on_each_other() -> None:
    battery = f"- {{kind: storage, name: b, charged_from: onsite, capacity_kwh: 5, {METER}}}"
    bound = "- {kind: certificates, name: c, certificates: [{name: a, mwh: 1, vintage: 2026, contract: w}]}"
    for text, depend in (
        (LOTS, True),
        (battery, True),
        (bound, False),
        (f"- {{kind: onsite, name: a, {METER}}}", False),
    ):
        assert SupplyDesk(plan(text), {}, {}).is_sequential is depend
