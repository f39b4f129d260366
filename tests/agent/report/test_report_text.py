"""A report on a terminal: a golden text, widths, names that would break a line, and what is not known."""

from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.agent.report.ledger_day import LedgerDay
from tests.agent.report.made_rows import Scene, made_report
from tests.agent.report.reading import read
from tests.rules.report.host_hours import ALICE, BOB, HOUR, Use, clock_text, host_hour, joined, price_of, service
from wattledger.agent.report.columns import Column, cells_of, cut, table
from wattledger.agent.report.text import text_report
from wattledger.agent.report.words import headline, methods
from wattledger.exporter.landing_text import kwh
from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.pricing.model import NOTHING, Boundary
from wattledger.rules.report.build import build
from wattledger.rules.report.choices import GroupBy, Origin
from wattledger.rules.report.groups import Sum, all_of
from wattledger.rules.report.model import DemandMonth, DemandSum, Group, Report
from wattledger.rules.state import State
from wattledger.rules.tariff.demand import DemandCharge, MeteredEnergy
from wattledger.rules.tariff.model import Demand
from wattledger.rules.tokens.model import TokenKind

README = Path(__file__).parents[3] / "README.md"
BERLIN = ZoneInfo("Europe/Berlin")
# Reviewed by eye: 7.354 kWh x 1.25 at the meter; 6.480 kWh are 3.89 J for each of 6,000,000 tokens. With the grid, of
# 0.650 kWh less, of which 0.2 matched: 4.535 kWh of 8.543 and 40 % of the rest.
GOLDEN = """\
2 GPUs, 1d: 2024-11-04 01:00 to 2024-11-05 01:00 (Europe/Berlin)

  9.193 kWh at the meter; 7.354 kWh of GPUs, 34.6 % of it idle
  3.87 kg location-based, 3.12 kg market-based
  cost 2.55 EUR
  green share 51.5 %, hourly matched 51.5 %
  hourly matched with the grid's carbon-free share 71.8 % (of 92.9 % of the load; the rest is not
    known)
  0.568 g per 1,000 output tokens, 3.89 J a token: llama-8b (chat)
  worst owner: serving/chat-0/server (pod), 1.680 kWh held or given and unused

owner                  kind            kWh     idle  avoidable kWh  CO2 location  CO2 market    EUR
---------------------  ------------  -----  -------  -------------  ------------  ----------  -----
serving/chat-0/server  pod           6.480   25.9 %          0.672       3.41 kg     2.90 kg   2.27
4711 sweep             slurm         0.480  100.0 %              0         285 g       145 g  0.180
unattributed           unattributed  0.394   97.5 %              0         175 g      77.0 g  0.102

- Energy is that of the boards as the ledger has it: by their own counters where they have one, else
  by their power over time. Idle is held, allocated and parked.
- 0.1 % of the energy of the GPUs was drawn while no agent watched, or signals were missing: it
  counts neither as work nor as idle.
- Grams and money are those at the meter of the house, shared out by the energy of the GPUs; kWh and
  joules of tables are of the GPUs.
- No meter of whole hosts was read: at the meter of the house is the GPUs' energy with losses on it.
- Location-based, energy over the grid: 100.0 % csv DE (average, lifecycle, CO2e, consumption;
  actual; first feed).
- Market-based, energy over the grid: 100.0 % table DE (average, lifecycle, CO2e, consumption;
  factor; first feed; residual mixes, 2025).
- Supply, matched hour by hour: contract inter 51.5 %, grid 48.5 %.
- 10 of 24 hours had less carbon-free supply than load.
- Hourly matched with the grid's carbon-free share: what supply matched in each hour, and that share
  of what came from the grid.
- That share, and the load of its hours: static DE, factor, one office, 2024 (5.810 kWh).
- 0.650 of 9.193 kWh are of hours without such a share: they are in no part of that score.
- 0.970 kWh of GPUs are of hours that are still open: their grams and money may change.
"""


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Give the report of a day of a small ledger."""
    day = LedgerDay(tmp_path_factory.mktemp("ledger"))
    day.run()
    day.late()
    day.ledger.close()
    return read(day.folder)


@pytest.fixture(scope="module")
def month() -> Report:
    """Give the report of two weeks of a larger host, with holes in it."""
    return made_report(Scene(days=14))


def text(report: Report, *, width: int = 100, limit: int | None = None) -> str:
    return text_report(report, zone=BERLIN, title="1d", width=width, limit=limit)


def said(report: Report) -> str:
    return " ".join(methods(report))


def test_the_text_of_a_small_ledger(day: Report) -> None:
    assert text(day) == GOLDEN


@pytest.mark.parametrize("by", list(GroupBy))
def test_no_line_is_wider_than_the_terminal(by: GroupBy) -> None:
    report = made_report(Scene(days=1, holes=False), by=by)
    for width in (40, 60, 72, 80, 100, 132, 200):
        lines = text(report, width=width).splitlines()
        # A number is never cut, so the narrowest table has a width of its own.
        assert max(map(len, lines)) <= max(width, 72)


def test_a_name_is_cut_in_its_middle_and_columns_go_that_can_be_missed(day: Report) -> None:
    long = replace(day, groups=(Group("serving/" + "x" * 80 + "/server", "pod", day.groups[0].sum, 1),))
    wide, narrow = text(long, width=200), text(long, width=72)
    assert "x" * 80 in wide
    assert "serving/xxx" in narrow
    assert "/server" in narrow
    assert "avoidable" not in narrow
    assert "CO2 location" in narrow


def test_groups_beyond_the_limit_are_one_row_that_sums_them(month: Report) -> None:
    lines = text(month, limit=2, width=160).splitlines()
    (row,) = [line for line in lines if " more " in line]
    assert row.startswith(f"{len(month.groups) - 2} more")
    rest = sum((group.sum for group in month.groups[2:]), Sum())
    assert f"{rest.energy_mj / 3.6e9:.3f}"[:4] in row


def test_hours_are_all_shown_unless_a_limit_is_given() -> None:
    report = made_report(Scene(days=2), by=GroupBy.HOUR)
    assert " more" not in text(report)
    assert f"{len(report.groups) - 5} more" in text(report, limit=5)


def test_names_cannot_move_the_cursor(day: Report) -> None:
    bad = replace(day, groups=(Group("a\x1b[2Jb\nc", "p\rod", day.groups[0].sum, 1),), notes=("d\x1b[31m",))
    shown = text(bad)
    assert "\x1b" not in shown
    assert "a?[2Jb?c" in shown
    assert len(shown.splitlines()) < len(text(day).splitlines())


def test_a_simulated_host_is_told_before_everything_else(day: Report) -> None:
    lines = text(replace(day, simulated=("node7",))).splitlines()
    assert lines[2].startswith("****")
    assert lines[3] == "SIMULATED: these numbers come from a simulated host. No GPU of this machine is measured."
    assert headline(replace(day, simulated=("node7",)))[0] == lines[3]
    some = replace(day, simulated=("node7",), hosts=3)
    assert headline(some)[0] == "SIMULATED IN PART: the GPUs of 1 of 3 hosts are made up: node7."


def test_what_is_not_known_is_said_and_is_no_zero() -> None:
    report = made_report(Scene(days=2, prices=False))
    shown = text(report)
    assert "not known" in shown
    assert "0 g" not in shown
    assert "No carbon intensity is configured, or none was known: no gram is told." in said(report)


def test_energy_without_a_factor_is_told_with_how_much_it_is(month: Report) -> None:
    whole = month.boundaries[Boundary.FACILITY]
    missing = (whole.energy_mj - whole.location_covered_mj) / 3.6e9
    assert "of the energy; the rest is not known)" in headline(month)[1]
    assert f"{missing:.1f}"[:3] in said(month)
    assert "kWh have no location-based factor and are in no gram." in said(month)
    assert "no market-based factor" not in said(month)
    assert "~" in text(month)


def test_calibers_that_do_not_go_together_are_told(month: Report) -> None:
    assert "unlike calibers" not in said(month)
    first, *others = month.factors
    direct = replace(first, caliber=replace(first.caliber, factors=type(first.caliber.factors)("direct")))
    mixed = replace(month, factors=(direct, first, *others))
    assert "Location-based grams are a sum of unlike calibers" in said(mixed)


def test_without_a_residual_mix_the_factor_of_the_location_is_told(day: Report) -> None:
    used = [replace(one, caliber=day.factors[0].caliber) for one in day.factors]
    assert "No residual mix is configured" in said(replace(day, factors=tuple(used)))
    assert "No residual mix" not in said(day)


def test_certificates_are_told_by_themselves(month: Report) -> None:
    assert "of the load is green by certificates alone, which are of no hour." in said(month)


def test_the_boards_alone_are_told_as_such_and_so_is_a_boundary_for_some_hours(day: Report) -> None:
    gpu = replace(day, boundary=Boundary.GPU, boundaries={Boundary.GPU: day.boundaries[Boundary.GPU]})
    assert "Grams and money are of the GPUs alone" in said(gpu)
    assert "Energy at the meter of the house is known for 24 of 24 hours" in said(gpu)


DEMAND = Demand(40_000_000, 900_000_000_000)
PEAK = "210 EUR (40.0 EUR per kW and month; 5.25 kW from the grid at 2026-11-02 06:13 UTC)"
CHARGE = DemandCharge(2026, 11, MeteredEnergy(1_793_600_000_000_000_000, 1), 5_250_000, 210_000_000, 2880)


@pytest.mark.parametrize(
    ("demand", "words"),
    [
        (DemandSum(DEMAND), "The demand charge (40.0 EUR per kW and month) is not computed: no whole month"),
        (
            DemandSum(DEMAND, (DemandMonth(CHARGE, 720, 720),)),
            f"of 2026-11, on top of the cost: at least {PEAK}, as hours are known and not windows of 15m.",
        ),
        (
            DemandSum(Demand(40_000_000, 3_600_000_000_000), (DemandMonth(CHARGE, 700, 720),)),
            f"at least {PEAK}, as 20 of 720 hours are missing.",
        ),
        (
            DemandSum(Demand(40_000_000, 3_600_000_000_000), (DemandMonth(CHARGE, 720, 720),)),
            f"on top of the cost: {PEAK}.",
        ),
    ],
)
def test_the_demand_charge_says_how_sure_it_is(day: Report, demand: DemandSum, words: str) -> None:
    assert words in said(replace(day, demand=demand))


def test_a_fleet_is_told_where_its_numbers_come_from(day: Report) -> None:
    fleet = replace(day, origin=Origin.PROMETHEUS, factors=(), hosts=1_250, gpus=10_000)
    assert "by Prometheus, extrapolated" in said(fleet)
    assert "still open" not in said(fleet)
    assert text(fleet).startswith("10,000 GPUs of 1,250 hosts, 1d: ")
    assert "Owners come to" not in said(fleet)
    without = replace(fleet, owners=fleet.owners[:-1])
    assert "Owners come to 5.4 % less than the GPUs" in said(without)
    assert "Owners come to" not in said(replace(without, origin=Origin.LEDGER))


def test_a_report_of_nothing_is_no_failure(day: Report) -> None:
    empty = replace(day, groups=(), owners=(), models=(), worst=None, total=Sum(), states={}, boundaries={})
    assert "0 kWh of GPUs, not known of it idle" in text(empty)
    assert text(replace(empty, by=GroupBy.MODEL))
    assert headline(replace(empty, boundaries={Boundary.FACILITY: NOTHING}))


@settings(max_examples=200)
@given(text=st.text(st.characters(categories=("L", "N", "P")), max_size=60), width=st.integers(2, 40))
def test_a_cut_name_fits_and_keeps_both_of_its_ends(text: str, width: int) -> None:
    shown = cut(text, width)
    assert cells_of(shown) <= width
    if shown != text:
        head, tail = shown.split("…", 1)
        assert text.startswith(head)
        assert text.endswith(tail)


def test_wide_characters_take_two_cells() -> None:
    lines = list(table([Column("名", ["训练", "ab"], is_number=False), Column("kWh", ["1", "22"])], 80))
    assert [cells_of(line) for line in lines] == [9, 9, 9, 9]


def test_columns_without_content_are_left_out(tmp_path: Path) -> None:
    assert list(table([Column("a", ["x"]), Column("b", [""])], 80)) == ["a", "-", "x"]
    assert list(table([Column("a", [])], 80)) == []


def test_the_report_in_the_readme_is_that_of_the_simulated_month() -> None:
    scene = Scene()
    text = text_report(made_report(scene), zone=scene.clock, title="last-month", width=120)
    shown = text.partition("\n\n- ")[0]
    assert f"```\n{shown}\n```" in README.read_text(encoding="utf-8"), "python -m tests.report_picture --text"


def while_the_daemon_runs(by: GroupBy) -> Report:
    """Give the report of a closed hour and one that was priced when 600 of its 1,000 Wh were booked."""
    wh_mj = 3_600_000
    uses = [Use("GPU-1", State.ACTIVE, ALICE, 0, 1_000 * wh_mj)]
    begun = host_hour(
        "a", HOUR + 1, uses, closed=NOTHING, still_open=price_of(600 * wh_mj, 400_000_000), pue_percent=150
    )
    over = host_hour(
        "a",
        HOUR,
        [Use("GPU-1", State.ACTIVE, BOB, 1_000 * wh_mj, 0)],
        closed=price_of(1_000 * wh_mj, 400_000_000),
        still_open=NOTHING,
        pue_percent=150,
    )
    services = (service(total_mj=1_000 * wh_mj, open_mj=1_000 * wh_mj),)
    rows = joined([over, begun])
    rows = replace(rows, services=tuple(replace(one, hour=HOUR + 1) for one in services))
    return build(rows, HOUR * NS_PER_HOUR, (HOUR + 2) * NS_PER_HOUR, by=by, clock_text=clock_text)


def test_what_is_not_priced_yet_is_told_beside_every_number_that_lacks_it() -> None:
    part = "(of 80.0 % of the energy; the rest is not known)"
    report = while_the_daemon_runs(GroupBy.OWNER)
    energy, emissions, money, tokens, *_ = headline(report)
    assert energy == f"2.400 kWh {part} at the meter; 2.000 kWh of GPUs, 0.0 % of it idle"
    assert emissions == f"960 g {part} location-based, 320 g {part} market-based"
    assert money.endswith(f" EUR {part}")
    assert tokens.startswith("~360 g per 1,000 output tokens, 3,600 J a token")
    lines = {line.split("  ")[0]: line for line in text(report, width=160).splitlines()}
    assert "  ~360 g" in lines["alice"]
    assert "~" not in lines["bob"]
    assert "~360" in text(while_the_daemon_runs(GroupBy.MODEL), width=160)
    assert text(while_the_daemon_runs(GroupBy.STATE)).count("  ~960 g") == 1


def test_hours_that_are_priced_are_not_marked_for_those_that_are_not() -> None:
    rows = [line for line in text(while_the_daemon_runs(GroupBy.HOUR), width=160).splitlines() if "hour 4" in line]
    assert ["~" in row for row in rows] == [False, True]


def test_models_beyond_the_limit_are_one_row_that_sums_them(month: Report) -> None:
    report = replace(month, by=GroupBy.MODEL)
    first, second = report.models
    lines = text(report, limit=1, width=160).splitlines()
    row = next(line for line in lines if line.startswith("1 more "))
    assert kwh(second.total_mj) in row
    assert all(second.service not in line.split("  ")[0] for line in lines if not line.startswith(" "))
    assert all_of([second], "1 more").priced == second.priced
    both = all_of([first, second], "2 more")
    assert both.of(TokenKind.OUTPUT) is None  # the second does not tell it
    assert both.of(TokenKind.PROMPT) == (first.of(TokenKind.PROMPT) or 0) + (second.of(TokenKind.PROMPT) or 0)


def test_a_table_without_a_row_says_so(day: Report) -> None:
    none = replace(day, models=(), groups=())
    assert "No energy of an inference server is recorded" in text(replace(none, by=GroupBy.MODEL))
    assert "Whose the energy of this time was is not recorded." in text(none)


def test_one_hour_is_one_and_a_feed_without_a_zone_has_none(day: Report) -> None:
    assert day.supply is not None
    once = replace(day, supply=replace(day.supply, hours=1, unmatched_hours=0))
    assert "0 of 1 hour had less carbon-free supply than load." in said(once)
    feed = next(one for one in day.factors if one.provider == "csv")
    assert "100.0 % csv (average" in said(replace(day, factors=(replace(feed, zone=""),)))
