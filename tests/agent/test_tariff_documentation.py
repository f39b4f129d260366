"""docs/tariffs.md: its tariffs are accepted, cost what its tables say, and are told what it says they are told."""

import re
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.agent.tariff_sections import load
from wattledger.agent.config import load_config
from wattledger.agent.config.scalars import decimal_text
from wattledger.agent.tariff import make_tariff, tariff_doubts, tariff_mistakes
from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.tariff.prices import price_points

DOCUMENT = (Path(__file__).parents[2] / "docs" / "tariffs.md").read_text("utf-8")
SECTIONS = re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)
TOLD = re.findall(r"it says\n\n```\n(.*?)```", DOCUMENT, re.DOTALL)
TABLES = re.findall(r"\| from \| to \| price \| period \|\n\|---\|---\|---\|---\|\n((?:\|.*\|\n)+)", DOCUMENT)
SHANGHAI = ZoneInfo("Asia/Shanghai")


def priced(day: date) -> str:
    """Give the table of *day* by the first tariff."""
    midnights = (datetime.combine(day + timedelta(more), datetime.min.time(), SHANGHAI) for more in (0, 1))
    start, end = (round(midnight.timestamp()) * NS_PER_SECOND for midnight in midnights)
    rows = ""
    for point in price_points(make_tariff(load(SECTIONS[0])), start, end):
        first, last = ((ns - start) // (3600 * NS_PER_SECOND) for ns in (point.start_wall_ns, point.end_wall_ns))
        price = "" if point.value is None else decimal_text(point.value, 6)
        rows += f"| {first:02}:00 | {last:02}:00 | {price} | {point.label} |\n".replace("|  |", "| |")
    return rows


@pytest.mark.parametrize(("number", "day"), [(0, date(2026, 10, 2)), (1, date(2026, 10, 10))])
def test_a_day_costs_what_its_table_says(number: int, day: date) -> None:
    assert TABLES[number] == priced(day)


def test_the_text_names_the_days_as_the_calendar_does() -> None:
    assert f"{date(2026, 10, 2):%A}" in DOCUMENT.split("| from |")[0]
    assert f"{date(2026, 10, 10):%A}" in DOCUMENT.split("| from |")[1]


def test_what_is_told_of_the_example_is_what_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tariff.yml").write_text(next(text for text in SECTIONS if "label: night" in text))
    warnings = load_config(Path("tariff.yml"), environment={}, is_root=True).warnings
    assert ["".join(f"warning: {warning}\n" for warning in warnings)] == TOLD


@pytest.mark.parametrize("text", SECTIONS, ids=range(len(SECTIONS)))
def test_every_tariff_of_the_page_is_accepted(text: str) -> None:
    section = load(text)
    assert list(tariff_mistakes(section)) == []
    assert bool(list(tariff_doubts(section))) == ("label: night" in text)


def test_the_examples_that_are_named_exist() -> None:
    named = set(re.findall(r"\(examples/(tariff-\w+\.yml)\)", DOCUMENT))
    folder = Path(__file__).parents[2] / "docs" / "examples"
    assert named == {path.name for path in folder.glob("tariff-*.yml")}
