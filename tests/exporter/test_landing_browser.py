"""The landing page in a real browser: it complains of nothing, and names of any length leave its numbers in sight."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.chromium import Browser, chromium
from tests.exporter.snapshots import NOW, busy, usage_totals, view
from tests.servers import need
from wattledger.exporter.landing import Asked, landing_page
from wattledger.exporter.snapshot import Snapshot
from wattledger.exporter.usage import usage_views

LONG = "f1e2d3c4b5a69788" * 12  # as ids of containers are: nothing to break them at
PAGE_IS_AS_WIDE_AS_THE_SCREEN = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
TABLES_THAT_SCROLL = """
Array.from(document.querySelectorAll(".scroll"))
  .filter(one => one.scrollWidth > one.clientWidth)
  .map(one => one.querySelector("th").textContent)
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(need("chromium", "chromium"), tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture(scope="module")
def awkward() -> Snapshot:
    """Give a host whose workloads, alerts and owners have names that are longer than anybody likes."""
    made = busy(view(owner=LONG), view(1))
    totals = [replace(one, workload=replace(one.workload, title=LONG)) for one in usage_totals(made.devices[0])]
    views = usage_views(totals, {total.uuid: ("0", total.uuid) for total in totals})
    alerts = tuple(replace(one, annotations=(("summary", LONG),)) for one in made.rules.alerts)
    return replace(made, usage=replace(made.usage, views=views), rules=replace(made.rules, alerts=alerts))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_the_page_fits_the_screen_and_on_a_wide_one_every_table_does(
    browser: Browser, awkward: Snapshot, tmp_path: Path, width: int, scheme: str
) -> None:
    file = tmp_path / "landing.html"
    asked = Asked("node7:9889")
    file.write_bytes(landing_page(awkward, now=NOW, version="0.1.0", asked=asked, no_snapshot=""))
    page = browser.page()
    page.look(width, scheme=scheme)
    page.open(file.as_uri())
    assert page.evaluate(PAGE_IS_AS_WIDE_AS_THE_SCREEN)
    if width == 1200:
        assert page.evaluate(TABLES_THAT_SCROLL) == []
    assert page.complaints == []
