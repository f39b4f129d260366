"""The page of a report in a real browser: it complains of nothing, asks for nothing, and is laid out at any width."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.agent.report.made_rows import Scene, made_report
from tests.chromium import Browser, Page, chromium
from tests.servers import need
from wattledger.agent.report.html import html_report
from wattledger.rules.report.groups import Sum
from wattledger.rules.report.model import Group, Report

WIDTHS = (700, 1000, 1400)
SCENE = Scene(days=21)
LONG = "training-of-a-model-with-a-very-long-name-" * 8
# What does not lie within its picture, and which texts of one picture cover each other. A pixel is for rounding.
LAID_OUT = """
Array.from(document.querySelectorAll("svg.chart"), chart => {
  const frame = chart.getBoundingClientRect();
  const texts = Array.from(chart.querySelectorAll("text"), one => [one.textContent, one.getBoundingClientRect()]);
  const outside = texts.filter(([words, box]) => box.left < frame.left - 1 || box.right > frame.right + 1 ||
    box.top < frame.top - 1 || box.bottom > frame.bottom + 1);
  const covered = [];
  texts.forEach(([words, box], place) => texts.slice(place + 1).forEach(([others, other]) => {
    if (box.left < other.right - 1 && other.left < box.right - 1 && box.top < other.bottom - 3
        && other.top < box.bottom - 3) covered.push(words + " | " + others);
  }));
  const shapes = Array.from(chart.querySelectorAll("path,rect"), one => one.getBoundingClientRect());
  return {
    section: chart.parentElement.id, width: frame.width, height: frame.height, texts: texts.length,
    outside: outside.map(([words]) => words), covered,
    drawn: shapes.filter(box => box.width > 0 && box.height > 0).length,
    beyond: shapes.filter(box => box.left < frame.left - 1 || box.right > frame.right + 1).length,
  };
})
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(need("chromium", "chromium"), tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture(scope="module")
def report() -> Report:
    return made_report(SCENE)


@pytest.fixture(scope="module")
def page(browser: Browser, report: Report, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """Give a page that tests look at and leave as it is."""
    return opened(browser, report, tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def awkward(report: Report) -> Report:
    """Give a report with names and numbers that are longer than anybody likes."""
    hostile = '"><script>alert(1)</script><img src="https://example.org/x.png">'
    wide = "模型" * 50
    came_to = Sum(9_876_543 * 3_600_000_000, 9_876_543 * 3_600_000_000, 10**12, 10**15, priced=report.total.priced)
    groups = tuple(Group(name, "unattributed", came_to, 12_345) for name in (LONG, hostile, wide, "x" * 300))
    heat = tuple(replace(row, name=f"{LONG} {place}") for place, row in enumerate(report.heat * 9))
    return replace(report, groups=groups, owners=groups, heat=heat, gpus=len(heat), notes=(LONG, hostile))


def opened(browser: Browser, report: Report, folder: Path, scene: Scene = SCENE) -> Page:
    """Open the page of *report* from a file, as a user does."""
    file = folder / "report.html"
    file.write_text(html_report(report, zone=scene.clock, title="last-month"), encoding="utf-8")
    page = browser.page()
    page.look(1200)
    page.open(file.as_uri())
    assert page.requests == [file.as_uri()]
    return page


def is_well_laid_out(page: Page, width: int) -> list[dict[str, Any]]:
    """Hold the page against what a reader needs at that width, and give what was found of its pictures."""
    page.look(width)
    charts: list[dict[str, Any]] = page.evaluate(LAID_OUT)
    for chart in charts:
        assert chart["outside"] == [], (width, chart["section"])
        assert chart["covered"] == [], (width, chart["section"])
        assert chart["beyond"] == 0, (width, chart["section"])
        assert chart["width"] > 0.85 * min(width, 1184), (width, chart["section"])
        assert chart["height"] > 30
        assert chart["drawn"] > 3
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "it can be read without scrolling sideways"
    return charts


def test_it_complains_of_nothing_and_asks_for_nothing(page: Page) -> None:
    for scheme in ("light", "dark"):
        page.look(1000, scheme=scheme)
        page.evaluate("document.body.getBoundingClientRect().height")
    assert page.complaints == []
    assert len(page.requests) == 1


def test_its_pictures_are_laid_out_at_any_width(page: Page) -> None:
    for width in WIDTHS:
        charts = is_well_laid_out(page, width)
        assert [chart["section"] for chart in charts] == ["power", "heat", "waste", "carbon"]
        assert all(chart["texts"] >= 6 for chart in charts)


def test_awkward_names_and_numbers_fit_and_stay_text(browser: Browser, awkward: Report, tmp_path: Path) -> None:
    page = opened(browser, awkward, tmp_path)
    for width in WIDTHS:
        is_well_laid_out(page, width)
    assert page.complaints == []
    assert page.evaluate("document.scripts.length + document.images.length") == 0
    assert "<script>alert(1)</script>" in page.evaluate("document.querySelector('#groups').textContent")


@pytest.mark.parametrize("days", [1, 7, 45])
def test_labels_of_any_length_of_time_fit(browser: Browser, tmp_path: Path, days: int) -> None:
    scene = Scene(days=days, boards=1, prices=days < 45)
    page = opened(browser, made_report(scene), tmp_path, scene)
    for width in WIDTHS:
        is_well_laid_out(page, width)
    assert page.complaints == []


def test_its_own_style_is_let_through_and_no_other(browser: Browser, report: Report, tmp_path: Path) -> None:
    page = opened(browser, report, tmp_path)
    columns = "getComputedStyle(document.querySelector('.tiles')).gridTemplateColumns"
    assert len(page.evaluate(columns).split()) == 4
    page.evaluate("document.head.appendChild(document.createElement('style')).textContent = 'body{color:red}'")
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 31, 36)"
    page.evaluate("document.body.appendChild(new Image()).src = 'https://example.org/x.png'")
    assert any("Content Security Policy" in one for one in page.complaints), "and the test sees what is refused"


def test_a_page_that_asks_and_complains_is_caught(browser: Browser, tmp_path: Path) -> None:
    """What these tests rest on: a request to outside and a warning are seen."""
    (tmp_path / "bad.html").write_text(
        '<!DOCTYPE html><html><body><img src="http://outside.example/x.png"><script>console.warn("w")</script></body>'
    )
    page = browser.page()
    page.look(1200)
    page.open((tmp_path / "bad.html").as_uri())
    assert "http://outside.example/x.png" in page.requests
    assert len(page.complaints) >= 2


def test_it_is_dark_where_readers_want_it_and_light_on_paper(
    browser: Browser, report: Report, tmp_path: Path
) -> None:
    page = opened(browser, report, tmp_path)
    ground = "getComputedStyle(document.body).backgroundColor"
    page.look(1000, scheme="light")
    assert page.evaluate(ground) == "rgb(255, 255, 255)"
    page.look(1000, scheme="dark")
    assert page.evaluate(ground) == "rgb(13, 17, 23)"
    page.look(740, scheme="dark", media="print")
    assert page.evaluate(ground) == "rgb(255, 255, 255)"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_texts_stand_out_from_their_ground(page: Page, scheme: str) -> None:
    """WCAG 2 AA: 4.5 to 1 for texts."""
    page.look(1000, scheme=scheme)
    pairs = page.evaluate("""
      Array.from(document.querySelectorAll("h1,h2,p,small,b,i,li,th,td,span,text,tspan"), one => {
        let ground = one;
        const colour = () => getComputedStyle(ground).backgroundColor;
        while (colour() === "rgba(0, 0, 0, 0)") ground = ground.parentElement;
        const style = getComputedStyle(one);
        return [one instanceof SVGElement ? style.fill : style.color, colour()];
      }).filter((pair, place, all) => all.findIndex(one => String(one) === String(pair)) === place)
    """)
    assert len(pairs) >= 4
    for ink, ground in pairs:
        lighter, darker = sorted((_luminance(ink), _luminance(ground)), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, (ink, ground)


def _luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_a_picture_of_it_is_as_wide_as_asked(page: Page) -> None:
    page.look(1200)
    picture = page.picture()
    assert picture.startswith(b"\x89PNG")
    assert int.from_bytes(picture[16:20], "big") == 1200
    assert int.from_bytes(picture[20:24], "big") > 3000
