"""The pictures of a report: areas, bars and cells are as large as the numbers, and gaps are no zeroes."""

import re
from dataclasses import replace

import pytest

from tests.agent.report.made_pages import HOUR, SCENE, WATT_HOUR_MJ, page_of, small
from tests.agent.report.made_rows import Scene, made_report, name
from tests.agent.report.page_reader import ReportPage, area
from wattledger.agent.report.words import short_cost
from wattledger.exporter.landing_text import kwh
from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.pricing.model import NOTHING, Priced
from wattledger.rules.report.groups import Sum
from wattledger.rules.report.model import Group, HeatRow, HourPoint, Report
from wattledger.rules.state import IDLE_STATES, State
from wattledger.rules.supply.model import Layer


@pytest.fixture(scope="module")
def report() -> Report:
    return made_report(SCENE)


@pytest.fixture(scope="module")
def page(report: Report) -> ReportPage:
    return page_of(report)


def test_areas_are_the_energy(report: Report, page: ReportPage) -> None:
    """Each area of the stack is as large as the energy of its state."""
    marks = [
        float((one.text or "").replace(",", "")) for one in page.section("power").iter("text") if _is_number(one)
    ]
    most_kw, hours = max(marks), SCENE.end_hour - SCENE.start_hour
    for state, came_to in report.states.items():
        (path,) = page.of_class("power", state.value)
        energy_kwh = area(path.get("d") or "") / (1000 * 250) * most_kw * hours
        assert energy_kwh == pytest.approx(came_to.energy_mj / 3.6e9, rel=0.01, abs=0.1)


def _is_number(element: object) -> bool:
    text = getattr(element, "text", None) or ""
    return bool(re.fullmatch(r"[\d.,]+", text))


def test_idle_states_have_a_texture_and_what_is_not_known_has_none(page: ReportPage) -> None:
    textured = {kind for kind in State if re.search(rf"^\.{kind}\{{fill:url\(#t-{kind}\)", page.head, re.MULTILINE)}
    assert textured == IDLE_STATES
    for state in textured:
        assert f'<pattern id="t-{state}"' in page.text


def test_hours_without_a_record_are_a_gap_and_not_zero() -> None:
    worked = {State.ACTIVE: 500 * WATT_HOUR_MJ}
    idle = {State.PARKED: 60 * WATT_HOUR_MJ}
    hours = (HourPoint(HOUR, worked), HourPoint(HOUR + 2, idle))
    heat = (
        HeatRow("a", {HOUR: 0, HOUR + 2: 60 * WATT_HOUR_MJ}),
        HeatRow("b", {HOUR: 30 * WATT_HOUR_MJ, HOUR + 1: 0}),
    )
    page = small(hours, heat)
    (top,) = page.of_class("power", "top")
    assert (top.get("d") or "").count("M") == 2, "the line is broken where nothing is known"
    assert page.tips("power")[1][1:] == ["no record"]
    assert page.tips("power")[2][1:] == ["all 60.0 W", "parked 60.0 W"]
    assert "no record" in page.legend("power")
    assert "No record. For 1 of 3 hours" in page.words
    # Rows: the most idle energy first; a cell is an hour wide and one row high.
    assert [path.get("d") for path in page.of_class("heat", "h0")] == ["M0 0h1v1h-1zM1 1h1v1h-1z"]
    assert [path.get("d") for path in page.of_class("heat", "h6")] == ["M2 0h1v1h-1z"]
    assert [path.get("d") for path in page.of_class("heat", "h3")] == ["M0 1h1v1h-1z"]
    assert [tip[2] for tip in page.tips("heat")] == [
        "0 W idle", "no record", "60.0 W idle", "30.0 W idle", "0 W idle", "no record",
    ]  # fmt: skip
    assert "no record" in page.legend("heat")


def test_a_lost_board_is_a_gap_in_its_row_alone(page: ReportPage) -> None:
    lost = {tip[0] for tip in page.tips("heat") if tip[2] == "no record"}
    assert len(lost) == 1
    assert name(6).endswith(lost.pop())


def test_what_was_drawn_at_night_and_on_weekends_is_told() -> None:
    friday = (1_790_000_000 // 86_400 // 7 * 7 + 1) * 24  # the epoch was a Thursday
    heat = (HeatRow("a", {friday + hour: (300 if 20 <= hour < 44 else 100) * WATT_HOUR_MJ for hour in range(48)}),)
    said = small((), heat, first=friday, last=friday + 48).summary("heat")
    # Friday 0 to 6 and 20 to 24, and all of Saturday: 6 x 100 + 24 x 300 + 4 x 100 of 9,600 Wh.
    assert said.startswith("85.4 % of the idle energy was drawn at night")
    assert "70.8 % of the hours" in said


def test_few_rows_of_many_boards_are_shown_worst_first() -> None:
    heat = tuple(HeatRow(f"{number:03}", {HOUR: number * WATT_HOUR_MJ}) for number in range(200))
    page = small((), heat)
    rows = [tip[0] for tip in page.tips("heat")][::3]
    assert rows == [f"{number:03}" for number in range(199, 135, -1)]
    assert "The 64 GPUs with the most idle energy are shown, 136 are left out." in page.summary("heat")


def test_owners_with_waste_have_bars_with_kilowatt_hours_and_money(page: ReportPage, report: Report) -> None:
    wasteful = sorted((one for one in report.owners if one.sum.idle_mj), key=lambda one: -one.sum.idle_mj)
    bars = page.of_class("waste", "bar")
    assert len(bars) == len(wasteful)
    for owner, bar in zip(wasteful, bars, strict=True):
        words = " ".join("".join(one.itertext()) for one in bar.iter("text"))
        assert words.startswith(owner.name)
        assert f"{kwh(owner.sum.idle_mj)} kWh" in words
        assert words.endswith(f" {short_cost(owner.sum.idle_priced)} EUR")
        (length,) = (one.get("width") for one in bar.iter("rect") if one.get("class") in ("idle", "nobody"))
        share = 100 * owner.sum.idle_mj / wasteful[0].sum.idle_mj
        assert float((length or "").removesuffix("%")) == pytest.approx(share, abs=0.01)


def test_idle_rows_of_owners_cost_what_those_of_devices_do(report: Report) -> None:
    idle = [came_to.priced for state, came_to in report.states.items() if state in IDLE_STATES]
    assert sum((owner.sum.idle_priced for owner in report.owners), NOTHING) == sum(idle, NOTHING)


def test_many_owners_end_in_one_bar(report: Report) -> None:
    owners = tuple(Group(f"o{number:02}", "pod", Sum(10**10, 10**10 - number), 1) for number in range(30))
    page = page_of(replace(report, owners=owners))
    bars = ["".join(one.itertext()) for one in page.of_class("waste", "name")]
    assert len(bars) == 13
    assert bars[-1].startswith("18 more")


def test_grams_are_drawn_by_both_methods_over_supply(page: ReportPage) -> None:
    for kind in ("line location", "line market"):
        assert len(page.of_class("carbon", kind)) == 1
    for layer in (Layer.ONSITE, Layer.CONTRACT_INTRA, Layer.CERTIFICATES, Layer.GRID):
        assert len(page.of_class("carbon", f"from-{layer}")) == 1
    (location,) = page.of_class("carbon", "line location")
    assert (location.get("d") or "").count("M") == 2, "no feed knew one morning"


def test_grams_by_the_hour_are_those_of_the_report() -> None:
    kilogram = 1000 * 3_600_000_000 * 1_000_000
    hours = (
        HourPoint(
            HOUR, {State.ACTIVE: 10}, Priced(100, 2 * kilogram, 100, kilogram, 100), {Layer.GRID: WATT_HOUR_MJ}
        ),
        HourPoint(HOUR + 1, {State.ACTIVE: 10}, Priced(100, kilogram, 40, 0, 0)),
        HourPoint(HOUR + 2, {State.ACTIVE: 10}),
    )
    page = small(hours)
    tips = page.tips("carbon")
    assert tips[0][1:] == ["location-based 2.00 kg an hour", "market-based 1.00 kg an hour"]
    assert tips[1][1:] == ["location-based 1.00 kg an hour (of 40.0 % of the energy)", "market-based not known"]
    assert tips[2][1:] == ["location-based not known", "market-based not known"]
    assert tips[3][1:] == ["load 1.00 W", "grid 1.00 W"]
    assert tips[4][1:] == ["no supply is known"]
    assert "grams of a part of the energy" in page.legend("carbon")


def test_without_supply_there_are_grams_alone() -> None:
    page = page_of(made_report(Scene(days=2, supply=False)))
    assert page.of_class("carbon", "line location")
    assert not page.of_class("carbon", f"from-{Layer.GRID}")
    assert "Green share" not in page.tiles()


def test_without_any_gram_the_page_says_so_and_draws_none() -> None:
    page = page_of(made_report(Scene(days=2, prices=False)))
    assert "No gram is known" in "".join(page.section("carbon").itertext())
    assert not list(page.section("carbon").iter("svg"))
    assert "Cost of energy" not in page.tiles()
    assert page.row("groups", "4211")[-2:] == ["not known", "not known"]
    assert page.tiles()["CO2"] == "not known"


def test_a_single_hour_and_a_board_without_any_energy() -> None:
    page = small((HourPoint(HOUR, {State.PARKED: 0}),), (HeatRow("a", {HOUR: 0}),), last=HOUR + 1)
    assert "No GPU of 1 drew idle power." in page.summary("heat")
    assert "No energy of any device is in this time." in page.words


def test_the_present_hour_counts_as_far_as_it_is_over() -> None:
    """A mean over an hour of which a quarter is over would be a dip that never was."""
    hours = (
        HourPoint(HOUR, {State.PARKED: 60 * WATT_HOUR_MJ}),
        HourPoint(HOUR + 1, {State.PARKED: 15 * WATT_HOUR_MJ}),
    )
    heat = (HeatRow("a", {HOUR: 60 * WATT_HOUR_MJ, HOUR + 1: 15 * WATT_HOUR_MJ}),)
    page = small(hours, heat, last=HOUR + 2, now_wall_ns=HOUR * NS_PER_HOUR + NS_PER_HOUR * 5 // 4)
    assert [tip[1] for tip in page.tips("power")] == ["all 60.0 W", "all 60.0 W"]
    assert [tip[2] for tip in page.tips("heat")] == ["60.0 W idle", "60.0 W idle"]
    begun = small(hours, heat, last=HOUR + 2, now_wall_ns=(HOUR + 1) * NS_PER_HOUR + NS_PER_HOUR // 60)
    assert [tip[1] for tip in begun.tips("power")] == ["all 60.0 W", "no record"]
    first = small(hours[:1], heat, last=HOUR + 1, now_wall_ns=HOUR * NS_PER_HOUR + 1)
    assert "The first hour has only begun." in first.words


def test_no_gram_at_all_is_a_number_and_not_unknown() -> None:
    page = small((HourPoint(HOUR, {State.ACTIVE: 10}, Priced(100, 0, 0, 0, 100)),), last=HOUR + 1)
    assert page.tips("carbon")[0][1:] == ["market-based 0 g an hour"]
    assert page.legend("carbon") == ["CO2 market-based"]


@pytest.mark.parametrize("hosts", [("gpu-a",), ("gpu-a", "rack-12-node-4.example.org")])
def test_boards_of_a_fleet_are_told_apart_by_their_labels(hosts: tuple[str, ...]) -> None:
    names = [f"{host} GPU {gpu} (NVIDIA H100 80GB HBM3)" for host in hosts for gpu in range(8)]
    page = small((), tuple(HeatRow(name, {HOUR: 60 * WATT_HOUR_MJ}) for name in names))
    heat = page.text[page.text.index('id="heat"') : page.text.index('id="waste"')]
    labels = re.findall(r'<text x="-8"[^>]*>([^<]*)</text>', heat)
    assert len(set(labels)) == len(names)
    assert all(label.endswith(str(number % 8)) for number, label in enumerate(labels))
    assert names[0].removeprefix("gpu-a GPU ") in page.text  # under the pointer in full


def test_a_page_of_one_hour_is_of_one() -> None:
    hours = (HourPoint(HOUR, {State.ACTIVE: WATT_HOUR_MJ}),)
    assert " · 1 hour · " in small(hours, last=HOUR + 1).words
    assert " · 2 hours · " in small(hours, last=HOUR + 2).words
