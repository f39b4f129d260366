"""A report for programs: what stands in each place, what is not known, and texts that a spreadsheet would run."""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.agent.report.ledger_day import LedgerDay
from tests.agent.report.made_rows import Scene, made_report
from tests.agent.report.reading import read
from wattledger.agent.report.csv_out import csv_report
from wattledger.agent.report.json_out import json_report
from wattledger.rules.report.choices import GroupBy
from wattledger.rules.report.groups import Sum
from wattledger.rules.report.model import Group, Report

SHAPE: Mapping[str, type | tuple[type, ...]] = {
    "from": str,
    "to": str,
    "origin": str,
    "simulated_hosts": list,
    "hosts": int,
    "gpus": int,
    "currency": (str, type(None)),
    "boundary": str,
    "total": dict,
    "states": dict,
    "boundaries": dict,
    "by": str,
    "groups": list,
    "models": list,
    "worst_owner": (dict, type(None)),
    "supply": (dict, type(None)),
    "factors": list,
    "demand": (dict, type(None)),
    "open_joules": float,
    "unpriced_joules": float,
    "headline": list,
    "methods": list,
    "hours": list,
}
PRICES = {
    "priced_energy_joules",
    "location_grams",
    "location_covered_joules",
    "market_grams",
    "market_covered_joules",
    "cost",
    "cost_covered_joules",
}


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Give the report of a day of a small ledger."""
    day = LedgerDay(tmp_path_factory.mktemp("ledger"))
    day.run()
    day.late()
    day.ledger.close()
    return read(day.folder)


def rows(report: Report) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_report(report), newline="")))


def values(report: Report) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json_report(report))
    return found


def named(day: Report, name: str) -> Report:
    return replace(day, groups=(Group(name, "pod", day.groups[0].sum, 1),))


@pytest.mark.parametrize("by", list(GroupBy))
def test_the_json_has_every_key_in_every_report(by: GroupBy) -> None:
    for prices in (True, False):
        found = values(made_report(Scene(days=1, holes=False, prices=prices), by=by))
        assert list(found) == list(SHAPE)
        for key, kind in SHAPE.items():
            assert isinstance(found[key], kind), key
        assert found["total"].keys() >= PRICES
        assert all(group.keys() >= PRICES | {"name", "detail", "gpus", "joules"} for group in found["groups"])
        assert all(hour.keys() >= PRICES | {"hour", "joules"} for hour in found["hours"])


def test_the_numbers_of_a_day(day: Report) -> None:
    found = values(day)
    assert (found["from"], found["to"]) == ("2024-11-04T00:00:00Z", "2024-11-05T00:00:00Z")
    assert found["boundary"] == "facility"
    assert found["total"]["joules"] == pytest.approx(7.354 * 3.6e6, rel=1e-4)
    assert found["total"]["priced_energy_joules"] == pytest.approx(found["total"]["joules"] * 1.25)
    assert found["boundaries"]["facility"]["location_grams"] == found["total"]["location_grams"]
    supply = found["supply"]
    assert supply["green_share"] == supply["hourly_matched"]
    assert supply["hourly_matched_with_grid"] == pytest.approx(0.7184, abs=1e-4)
    assert supply["hourly_matched_with_grid_covered_joules"] == pytest.approx(supply["load_joules"] - 0.65 * 3.6e6)
    assert sum(group["joules"] for group in found["groups"]) == pytest.approx(found["total"]["joules"])
    assert found["worst_owner"]["name"] == "serving/chat-0/server"
    (model,) = found["models"]
    assert model["tokens"] == {"prompt": 30_000_000, "prompt_computed": 24_000_000, "output": 6_000_000}
    assert model["joules_per_output_token"] == pytest.approx(3.888)
    assert len(found["hours"]) == 24
    assert found["methods"]


def test_what_is_not_known_is_null_and_an_empty_cell() -> None:
    report = made_report(Scene(days=1, prices=False, holes=False))
    total = values(report)["total"]
    assert (total["location_grams"], total["market_grams"], total["cost"]) == (None, None, None)
    assert total["location_covered_joules"] == 0
    assert values(report)["supply"] is None
    (row, *_) = rows(report)
    assert (row["location_grams"], row["cost"], row["currency"]) == ("", "", "")


def test_a_zero_that_is_known_is_a_zero(day: Report) -> None:
    (group, *_) = day.groups
    free = replace(group.sum, priced=replace(group.sum.priced, market=0))
    report = replace(day, groups=(replace(group, sum=free),), total=free)
    assert values(report)["total"]["market_grams"] == 0.0
    assert rows(report)[0]["market_grams"] == "0.0"


@pytest.mark.parametrize("by", list(GroupBy))
def test_the_csv_has_a_row_for_each_group_and_sums_to_the_whole(by: GroupBy) -> None:
    report = made_report(Scene(days=1, holes=False), by=by)
    found = rows(report)
    if by is GroupBy.MODEL:
        assert [row["model"] for row in found] == [model.model for model in report.models]
        assert found[0]["output_tokens"] == str(values(report)["models"][0]["tokens"]["output"])
        return
    assert [row[by.value] for row in found] == [group.name for group in report.groups]
    assert sum(float(row["joules"]) for row in found) == pytest.approx(report.total.energy_mj / 1000)
    assert {row["currency"] for row in found} == {"EUR"}
    assert {row["from"] for row in found} == {values(report)["from"]}


def test_the_csv_is_written_as_rfc_4180_has_it(day: Report) -> None:
    text = csv_report(named(day, 'a "b", c'))
    assert text.splitlines()[1].startswith('"a ""b"", c",pod,')
    assert text.count("\r\n") == text.count("\n") == 2


@pytest.mark.parametrize(
    "name",
    ["=cmd|'/c calc'!A1", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1+1", '=HYPERLINK("http://x")'],
)
def test_a_spreadsheet_runs_no_name(day: Report, name: str) -> None:
    (row,) = rows(named(day, name))
    assert row["owner"] == f"'{name}"


@pytest.mark.parametrize("name", ["alice", "1-2", "a=b", "训练", "(none)"])
def test_other_names_stand_as_they_are(day: Report, name: str) -> None:
    (row,) = rows(named(day, name))
    assert row["owner"] == name
    assert values(named(day, name))["groups"][0]["name"] == name


def test_a_negative_amount_is_a_number_and_no_text(day: Report) -> None:
    priced = replace(day.groups[0].sum.priced, cost=0, credit=3_600_000_000 * 1_500_000)
    group = replace(day.groups[0], sum=replace(day.groups[0].sum, priced=priced))
    assert rows(replace(day, groups=(group,)))[0]["cost"] == "-1.5"


def test_simulated_rows_say_so(day: Report) -> None:
    assert {row["simulated"] for row in rows(day)} == {"false"}
    assert {row["simulated"] for row in rows(replace(day, simulated=("node7",)))} == {"true"}
    assert values(replace(day, simulated=("node7",)))["simulated_hosts"] == ["node7"]


def test_a_report_without_groups_has_no_rows(day: Report) -> None:
    (header,) = csv_report(replace(day, groups=())).splitlines()
    assert header == csv_report(day).splitlines()[0]
    assert values(replace(day, groups=(), total=Sum()))["groups"] == []
