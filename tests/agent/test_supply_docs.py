"""The example of docs/supply.md, computed: its configuration is taken, and its tables come out."""

import re
from pathlib import Path

import msgspec

from tests.agent.feeds.feed_server import Reply, serving
from tests.agent.feeds.plain_web import PlainWeb
from tests.agent.supply_entries import supply_entries, utc_hour
from wattledger.agent.config.supply_mistakes import supply_mistakes
from wattledger.agent.feeds.base import Window
from wattledger.agent.feeds.catalogue import build_provider
from wattledger.agent.feeds.registration import Wants
from wattledger.agent.supply import SupplyPlan
from wattledger.rules.feeds.model import Measure
from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.supply.hour import HourSupply, settle_hour
from wattledger.rules.supply.score import GreenShare, green_share, share_of_hour

DOCUMENT = (Path(__file__).parents[2] / "docs" / "supply.md").read_text()
EXAMPLE = DOCUMENT.split("\n## Example\n")[1]
KWH = 3_600_000_000
PRODUCT_PER_GRAM = KWH * 1_000_000
RESIDUAL, GRID = 609_600_000, 497_400_000
LOAD_MJ = 10 * KWH
HALF_PPM = 500_000
NAMES = ("roof", "battery", "hydro", "wind", "T-2026-0001")


def rows(text: str) -> list[list[str]]:
    """Give the cells of all table rows."""
    lines = re.findall(r"^\| (.*) \|$", text, re.MULTILINE)
    return [[cell.strip() for cell in line.split(" | ")] for line in lines]


def computed() -> tuple[list[HourSupply], GreenShare]:
    entries = supply_entries(DOCUMENT.split("```yaml\n")[1].split("```")[0])
    assert list(supply_mistakes(entries)) == []
    plan = SupplyPlan(entries)
    books, supplies, shares = plan.books({}, {}), [], []
    for cells in (row for row in rows(EXAMPLE) if ":" in row[0]):
        hour = utc_hour(f"2026-07-01T{cells[0]}:00+08:00")
        metered = {"roof": 20 * int(cells[1]) * KWH, "battery": 20 * int(cells[2]) * KWH}
        offered = plan.offers(hour, metered.get)
        supply, books = settle_hour(
            hour, LOAD_MJ, offered.offers, books, residual=RESIDUAL, unmetered=offered.unmetered
        )
        supplies.append(supply)
        shares.append(share_of_hour(hour, supply, grid_free_ppm=HALF_PPM))
    return supplies, green_share(shares)


def test_the_meters_of_the_example_give_energy() -> None:
    # A server whose series have no label of a unit: a meter without its own is refused by each of its answers.
    first = utc_hour("2026-07-01T12:00:00+08:00") * 3600
    samples = [[first + 300 * step, "0.25"] for step in range(1, 13)]
    answer = {"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {}, "values": samples}]}}
    hour_ns = first * 10**9
    window = Window(hour_ns, hour_ns + NS_PER_HOUR, hour_ns + NS_PER_HOUR)
    entries = supply_entries(DOCUMENT.split("```yaml\n")[1].split("```")[0])
    meters = [entry.meter for entry in entries if entry.meter is not None]
    with serving(Reply(answer)) as server:
        for meter in meters:
            asked = msgspec.structs.replace(meter, url=server.url)
            points = build_provider(asked, Wants(Measure.ENERGY)).fetch(PlainWeb(), window).points
            assert sum(point.value for point in points) == 3 * KWH
    assert len(meters) == 2
    # A counter would be taken for what was made in each step: years of it, every five minutes.
    assert all(meter.query.startswith("increase(") for meter in meters)


def test_the_hours_of_the_example_come_out() -> None:
    supplies, _ = computed()
    told = [[int(cell) for cell in row[3:]] for row in rows(EXAMPLE) if ":" in row[0]]
    found = []
    for supply in supplies:
        by_name = {layer.name: layer.energy_mj for layer in supply.layers}
        found.append([by_name.pop(name, 0) / KWH for name in NAMES] + [supply.unmatched_mj / KWH])
        assert by_name == {}, "the document names every source"
    assert found == told
    assert len(told) == 4


def test_the_numbers_of_the_example_come_out() -> None:
    supplies, total = computed()
    told = {row[0].split(" (")[0]: row[1] for row in rows(EXAMPLE) if len(row) == 2}
    market = sum(supply.market_product for supply in supplies)
    location = sum(supply.location_own_product + supply.location_grid_mj * GRID for supply in supplies)
    assert total.load_mj == 40 * KWH
    assert told == {
        "green share": percent(total.green_share),
        "green share without certificates": percent(total.green_share_without_certificates),
        "hourly matched": percent(total.hourly_matched),
        "hourly matched with the grid": percent(total.hourly_matched_with_grid),
        "unmatched hours": f"{total.unmatched_hours}, by {total.worst[0].unmatched_mj // KWH} kWh",
        "market-based grams": f"{market / PRODUCT_PER_GRAM:g} g",
        "location-based grams": f"{location / PRODUCT_PER_GRAM:g} g",
    }
    assert sum(supply.market_uncovered_mj for supply in supplies) == 0


def percent(share: float | None) -> str:
    assert share is not None
    return f"{100 * share:g} %"
