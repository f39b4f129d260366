"""The page of a report: whole, safe with hostile names, true to the report, and honest about what is missing."""

import base64
import hashlib
import re
from dataclasses import replace
from datetime import date, timedelta
from zlib import crc32

import pytest

from tests.agent.report.made_pages import SCENE, WATT_HOUR_MJ, page_of, small
from tests.agent.report.made_rows import Scene, made_report, made_rows
from tests.agent.report.page_reader import ReportPage
from wattledger.agent.report.html import html_report
from wattledger.agent.report.words import amount, cost, headline, mass, methods, per_thousand
from wattledger.exporter.landing_text import kwh, percent, significant
from wattledger.rules.feeds.model import Accounting
from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.pricing.model import NOTHING, Boundary, Priced
from wattledger.rules.report.choices import GroupBy
from wattledger.rules.report.groups import ModelSum, Sum
from wattledger.rules.report.model import Group, HeatRow, HourPoint, Report
from wattledger.rules.state import State
from wattledger.rules.supply.model import Layer
from wattledger.rules.tokens.model import TokenKind

HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)>&amp;'\N{RIGHT-TO-LEFT OVERRIDE}\x00\x0b]]>"


@pytest.fixture(scope="module")
def report() -> Report:
    return made_report(SCENE)


@pytest.fixture(scope="module")
def page(report: Report) -> ReportPage:
    return page_of(report)


def test_the_page_has_everything_in_its_order(page: ReportPage) -> None:
    assert page.sections == [
        "power", "heat", "waste", "carbon", "groups", "models", "states", "boundaries", "methods",
    ]  # fmt: skip
    assert '<html lang="en">' in page.head
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in page.head
    assert "1 Oct 2026 to 26 Oct 2026" in page.words
    assert "last-month · 26 days · times of Europe/Berlin · 8 GPUs on 1 host" in page.words
    for section in ("power", "heat", "waste", "carbon"):
        assert len(page.summary(section)) > 60
        assert page.legend(section)


def test_its_policy_lets_nothing_in_but_its_own_style(page: ReportPage) -> None:
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page.head)
    (style,) = re.findall(r"<style>(.*?)</style>", page.head, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    assert "@import" not in style
    assert set(re.findall(r"url\((.)", style)) == {"#"}
    addresses = re.findall(r"[a-z]+://[^\s\"'<]*", page.text)
    assert set(addresses) == {"http://www.w3.org/2000/svg"}, "the name of a language, in the icon"


def test_tiles_say_what_the_headline_says(report: Report, page: ReportPage) -> None:
    tiles = page.tiles()
    whole = report.boundaries[Boundary.FACILITY]
    assert tiles["Energy at the meter"] == f"{kwh(whole.energy_mj)} kWh"
    assert tiles["Idle part of GPU energy"] == percent(report.total.idle_mj, report.total.energy_mj)
    assert tiles["CO2, location-based"] == mass(whole, Accounting.LOCATION)
    assert tiles["CO2, market-based"] == mass(whole, Accounting.MARKET)
    assert tiles["Cost of energy"] == cost(whole, "EUR")
    assert report.supply is not None
    assert report.supply.green_share is not None
    assert tiles["Green share"] == f"{100 * report.supply.green_share:.1f} %"
    assert report.worst is not None
    assert tiles["Worst owner, held or given and unused"] == f"{kwh(report.worst.sum.idle_mj)} kWh"
    assert f"{report.worst.name} ({report.worst.detail})" in page.words
    chat = next(model for model in report.models if model.service == "chat")
    each = tiles["1,000 output tokens, location-based"]
    assert each == f"~{significant(per_thousand(chat, TokenKind.OUTPUT) or 0)} g"  # of a part of its energy
    said = "; ".join(headline(report))
    assert f"{each} per 1,000 output tokens" in said
    for tile in ("Energy at the meter", "CO2, location-based", "CO2, market-based", "Cost of energy", "Green share"):
        assert tiles[tile] in said


def test_the_share_of_the_worst_owner_is_of_all_that_it_drew(report: Report, page: ReportPage) -> None:
    assert report.worst is not None
    (whole,) = (group.sum for group in report.owners if group.name == report.worst.name)
    assert whole.energy_mj > report.worst.sum.energy_mj, "it worked too"
    assert page.tiles()["Idle part of its energy"] == percent(report.worst.sum.idle_mj, whole.energy_mj)


def test_the_table_of_groups_has_the_numbers_of_the_report(report: Report, page: ReportPage) -> None:
    head, *rows, last = page.rows("groups")
    assert head == ["owner", "GPUs", "kWh", "idle", "avoidable kWh", "CO2 location", "CO2 market", "EUR"]
    assert len(rows) == len(report.groups)
    for group, row in zip(report.groups, rows, strict=True):
        assert row[0].startswith(group.name)
        assert row[1:4] == [
            str(group.gpus),
            kwh(group.sum.energy_mj),
            percent(group.sum.idle_mj, group.sum.energy_mj),
        ]
        assert row[-1].removeprefix("~") == amount(group.sum.priced)
    assert last[:1] + last[2:4] == [
        "all",
        kwh(report.total.energy_mj),
        percent(report.total.idle_mj, report.total.energy_mj),
    ]


@pytest.mark.parametrize("by", [one for one in GroupBy if one is not GroupBy.MODEL])
def test_whatever_it_is_grouped_by_the_rows_sum_to_all(by: GroupBy) -> None:
    made = made_report(Scene(days=2, prices=False), by=by)
    page = page_of(made)
    head, *_, last = page.rows("groups")
    assert head[0] == by.value
    assert last[2] == kwh(made.total.energy_mj)


def test_models_have_a_table_and_no_groups_beside_it() -> None:
    page = page_of(made_report(Scene(days=1), by=GroupBy.MODEL))
    assert "groups" not in page.sections
    assert page.row("models", "Qwen3-32B")


def test_joules_and_grams_by_token_are_of_output_total_and_computed() -> None:
    tokens = ((TokenKind.PROMPT, 3000), (TokenKind.PROMPT_COMPUTED, 1000), (TokenKind.OUTPUT, 1000))
    priced = Priced(1_000_000, 3_600_000_000 * 1_000_000 * 8, 1_000_000)  # 8 g
    model = ModelSum("chat", "m", 0, 2_000_000, tokens, priced)
    unknown = ModelSum("embed", "e", 0, 2_000_000, ((TokenKind.PROMPT, 3000),))
    page = page_of(replace(made_report(Scene(days=1, prices=False)), models=(model, unknown)))
    assert page.row("models", "m ")[2:] == ["1,000", "2.00", "0.500", "1.00", "8.00", "2.00", "4.00"]
    assert page.row("models", "e ")[2:] == ["not known"] * 7


def test_grams_of_a_part_of_the_energy_are_marked() -> None:
    tokens = ((TokenKind.OUTPUT, 1000),)
    model = ModelSum("chat", "m", 0, 2_000_000, tokens, Priced(1_000_000, 3_600_000_000 * 1_000_000, 400_000))
    page = page_of(replace(made_report(Scene(days=1, prices=False)), models=(model,)))
    assert page.row("models", "m ")[6] == "~1.00"


def test_states_have_energy_time_and_mean_power(page: ReportPage, report: Report) -> None:
    assert [row[0].split()[0] for row in page.rows("states")[1:]] == [state.value for state in report.states]
    row = page.row("states", "parked")
    parked = report.states[State.PARKED]
    assert row[1:3] == [kwh(parked.energy_mj), percent(parked.energy_mj, report.total.energy_mj)]
    assert float(row[4]) == pytest.approx(62, abs=1)


def test_it_says_how_the_numbers_were_made(page: ReportPage, report: Report) -> None:
    said = ["".join(item.itertext()) for item in page.section("methods").iter("li")]
    assert said == methods(report)
    head, *factors = page.rows("methods")
    assert head[0] == "method"
    assert len(factors) == len(report.factors)
    residual = next(row for row in factors if "residual mixes, 2025" in row[1])
    assert residual[0] == "market-based"
    assert residual[5] == "690"


def test_banners_tell_what_is_open_and_what_is_not_known(page: ReportPage, report: Report) -> None:
    assert f"Provisional. {kwh(report.open_mj)} kWh of GPUs" in page.words
    assert "Not all is known. CO2 location-based is not known of" in page.words
    closed = page_of(made_report(Scene(days=2, open_hours=0)))
    assert "Provisional" not in closed.words
    assert "is not known" not in closed.words


def test_made_up_boards_are_announced_above_everything(report: Report) -> None:
    words = page_of(replace(report, simulated=("node7",))).words
    assert words.index("SIMULATED") < words.index("kWh")


def test_hostile_names_are_text_and_nothing_else(report: Report) -> None:
    group = Group(HOSTILE, HOSTILE, replace(report.owners[0].sum, idle_mj=10**12), 1)
    hostile = replace(
        report,
        groups=(group, *report.groups),
        owners=(group, *report.owners),
        worst=group,
        models=(replace(report.models[0], service=HOSTILE, model=HOSTILE),),
        heat=(replace(report.heat[0], name=HOSTILE), *report.heat),
        factors=tuple(replace(one, provider=HOSTILE, zone=HOSTILE, source=HOSTILE) for one in report.factors),
        currency=HOSTILE,
        simulated=(HOSTILE,),
        notes=(HOSTILE,),
    )
    page = page_of(hostile, title=HOSTILE)
    for bad in ("<script", "<img", "\x00", "\x0b", "\N{RIGHT-TO-LEFT OVERRIDE}"):
        assert bad not in page.text
    assert page.words.count("<script>alert(1)</script>") > 8
    assert "&amp;amp;" in page.text, "what looks escaped is escaped again"


def test_long_names_are_cut_in_pictures_and_whole_in_tables(report: Report) -> None:
    long = "train-" + "x" * 300
    wide = "模型" * 60
    groups = tuple(Group(one, "pod", Sum(10**12, 10**12), 1) for one in (long, wide))
    page = page_of(replace(report, owners=groups, groups=groups, heat=(HeatRow(long, report.heat[0].idle_mj),)))
    names = ["".join(one.itertext()) for one in page.of_class("waste", "name")]
    assert all(len(name) < 60 for name in names)
    assert long in page.rows("groups")[1][0]
    assert wide in page.rows("groups")[2][0]


def test_nothing_that_is_unknown_reads_as_zero() -> None:
    page = page_of(made_report(Scene(days=1, prices=False)))
    assert not re.search(r"\b0(\.0+)? k?g\b", page.words)


def test_a_report_of_nothing_is_still_a_page() -> None:
    page = small(())
    assert "No energy of any device is in this time." in page.words
    assert "Nobody held or was given a GPU that idled." in page.words
    assert "For 3 of 3 hours no energy of any GPU is recorded." in page.words
    assert "groups" not in page.sections


def test_many_groups_are_cut_and_their_rest_is_one_row(report: Report) -> None:
    groups = tuple(Group(f"g{number:04}", "pod", Sum(10**10), 1) for number in range(700))
    rows = page_of(replace(report, groups=groups)).rows("groups")
    assert len(rows) == 1 + 500 + 1 + 1
    assert rows[-2][0] == "200 more"
    assert rows[-2][2] == kwh(200 * 10**10)
    assert rows[-1][2] == kwh(700 * 10**10)


def test_three_months_of_64_boards_are_quick_and_small(report: Report) -> None:
    start, count = SCENE.start_hour, 90 * 24
    heat = tuple(
        HeatRow(
            f"{board:08x}",
            {start + hour: crc32(b"%d %d" % (board, hour)) % 400 * WATT_HOUR_MJ for hour in range(count)},
        )
        for board in range(64)
    )
    hours = tuple(
        HourPoint(
            start + hour,
            {state: crc32(f"{state}{hour}".encode()) % 40_000 * WATT_HOUR_MJ for state in State},
            Priced(10**10, crc32(b"l%d" % hour) * 10**8, 10**10, crc32(b"m%d" % hour) * 10**8, 10**10),
            {layer: crc32(f"{layer}{hour}".encode()) % 40_000 * WATT_HOUR_MJ for layer in Layer},
        )
        for hour in range(count)
    )
    large = replace(report, heat=heat, hours=hours, gpus=64, end_wall_ns=report.start_wall_ns + count * NS_PER_HOUR)
    text = html_report(large, zone=SCENE.clock, title="90d")
    assert len(text.encode()) < 2_000_000


def test_the_scene_is_one_account() -> None:
    """Rows of owners and of hosts come to what those of devices do."""
    rows = made_rows(Scene(days=2))
    energy_mj = sum(row.energy_mj for row in rows.devices)
    assert sum(row.energy_mj for row in rows.owners) == energy_mj
    assert sum(hour.price.boundaries[Boundary.GPU].energy_mj for hour in rows.hours) == energy_mj
    closed = [hour.price.boundaries[Boundary.GPU] for hour in rows.hours if hour.price.final]
    assert sum((row.priced for row in rows.devices), NOTHING) == sum(closed, NOTHING)
    assert Scene().end_hour - Scene().start_hour == 31 * 24 + 1
    assert Scene().first + timedelta(days=31) == date(2026, 11, 1)
