"""Grams and money of a real daemon on the C double: equal to energy times value, and never less than before."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.agent.daemon_process import DaemonProcess, Page
from tests.agent.e2e_daemon import ENERGY, Counters, DaemonThrough, Truth, let_pass, machine, scraping
from tests.agent.grid_server import PERCENT, TOKEN, Grid
from wattledger.agent.clock import SystemClock
from wattledger.agent.ledger import open_ledger
from wattledger.rules.feeds.model import Accounting, PointKind
from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.pricing.model import Boundary, HourPrice, Priced, PriceTotal, TotalKind, grams, money
from wattledger.rules.supply.grid import GridScore

GRAMS = "wattledger_emissions_grams_total"
COST = "wattledger_cost_total"
SUPPLY = "wattledger_supply_energy_joules_total"
FACILITY = "wattledger_facility_energy_joules_total"
IN_USE = "wattledger_feed_in_use"
INTENSITY = "wattledger_carbon_intensity_grams_per_kwh"
HIGH, LOW = 412.5, 100.25  # g/kWh of the grid, and after a correction
PEAK = 1.08  # CNY/kWh
WORLD = 473.0  # g/kWh of the table that stands in
MICRO = 1_000_000
SHANGHAI = ZoneInfo("Asia/Shanghai")


def configured(folder: Path, grid: Grid) -> Path:
    """Write a configuration: a feed with a table behind it, a contract, a PUE, and a tariff whose peak is now."""
    token = folder / "grid.token"
    token.write_text(TOKEN + "\n")
    token.chmod(0o600)
    hour = datetime.now(SHANGHAI).hour
    peak = f"{(hour - 1) % 24:02}:00-{(hour + 2) % 24:02}:00"
    file = folder / "wattledger.yml"
    file.write_text(f"""
carbon:
  feeds:
  - {grid.feed}
  - {{kind: table, source: world, region: WORLD, year: 2024}}
  carbon_free: [{grid.share_feed}]
supply:
- {{kind: contract, name: wind, scope: inter, share: 0.25}}
facility: {{pue: 1.25, node: {{sources: []}}}}
tariff:
  currency: CNY
  timezone: Asia/Shanghai
  periods: [{{label: peak, price: {PEAK}, hours: ["{peak}"]}}]
  price: 0.31
""")
    return file


def energy_mj(page: Page) -> int:
    return sum(round(row.value * 1000) for row in page.rows(ENERGY))


def check(page: Page, value: float = HIGH, *, has_share: bool = True) -> int:
    """Fail unless grams and money are the energy of the same page times *value* and the price; give the energy."""
    gpu_mj, facility_mj = energy_mj(page), round(page.value(FACILITY) * 1000)
    per_kwh, price = round(value * MICRO), round(PEAK * MICRO)
    assert page.value(GRAMS, accounting="location", zone="DE", boundary="gpu") == grams(gpu_mj * per_kwh)
    assert page.value(GRAMS, accounting="location", zone="DE", boundary="facility") == grams(facility_mj * per_kwh)
    assert page.value(COST, currency="CNY", boundary="gpu") == money(gpu_mj * price)
    assert page.value(COST, currency="CNY", boundary="facility") == money(facility_mj * price)
    assert abs(gpu_mj * 5 / 4 - facility_mj) < 2, "less than a millijoule a quarter hour"
    # A quarter of the load is wind by contract, which counts in the market-based account alone.
    wind_mj = round(page.value(SUPPLY, layer="contract_inter") * 1000)
    assert facility_mj - wind_mj == round(page.value(SUPPLY, layer="grid") * 1000)
    assert abs(wind_mj - facility_mj / 4) <= 2
    market = page.value(GRAMS, accounting="market", zone="DE", boundary="facility")
    assert market == grams((facility_mj - wind_mj) * per_kwh)
    # What the grid had of the hour counts by its carbon-free share; each hour is rounded down to a millijoule.
    score_mj, covered_mj = with_grid(page)
    assert covered_mj <= facility_mj
    if has_share:
        assert covered_mj == facility_mj
        assert 0 <= wind_mj + (facility_mj - wind_mj) * PERCENT / 100 - score_mj < 3
    return gpu_mj


def with_grid(page: Page) -> tuple[int, int]:
    """Give what counts in the 24/7 score with the grid, and the load that it is of."""
    score, load = (page.value(f"wattledger_hourly_matched_with_grid_{of}_joules_total") for of in ("energy", "load"))
    return round(score * 1000), round(load * 1000)


@dataclass
class PriceCounters(Counters):
    """Counters of grams, money and supply on every page shown to it: none falls, besides those of the devices."""

    prices: dict[tuple[str, tuple[tuple[str, str], ...]], float] = field(default_factory=dict)

    def see(self, page: Page) -> Page:
        for sample in page.samples:
            if sample.name.endswith("_total") and sample.name.split("_")[1] in _PRICED:
                key = (sample.name, tuple(sorted(sample.labels.items())))
                before = self.prices.get(key, 0.0)
                assert sample.value >= before, f"{key} fell from {before} to {sample.value}"
                self.prices[key] = sample.value
        return super().see(page)

    def see_whole(self, page: Page) -> Page:
        here = {(sample.name, tuple(sorted(sample.labels.items()))) for sample in page.samples}
        assert not self.prices.keys() - here
        return super().see_whole(page)


_PRICED = {"emissions", "cost", "supply", "hourly", "facility"}


def location_sum(page: Page, boundary: str = "gpu") -> float:
    return page.total(GRAMS, accounting="location", boundary=boundary)


def is_up_to_date(page: Page) -> bool:
    return location_sum(page) == grams(energy_mj(page) * round(HIGH * MICRO))


def used(page: Page) -> dict[str, float]:
    return {row.labels["level"]: row.value for row in page.rows(IN_USE, feed="location")}


def stored(state: Path) -> tuple[list[HourPrice], tuple[PriceTotal, ...]]:
    """Give the hours and the counters of a finished folder."""
    with closing(open_ledger(state, clock=SystemClock(), history_days=400)) as ledger:
        return ledger.price_history(0, 2**62), ledger.load_prices().totals


def whole(hours: list[HourPrice], boundary: Boundary) -> Priced:
    return sum((hour.boundaries[boundary] for hour in hours), Priced())


def contents(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path, path.read_bytes()


def test_grams_and_money_are_energy_times_value_and_a_correction_that_lowers_stands_still(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with machine(tmp_path / "driver") as double, Grid(HIGH) as grid:
        truth = Truth(double)
        config = configured(tmp_path, grid)
        counters = PriceCounters()
        with DaemonProcess(state, "--config", str(config), env=double.env) as daemon:
            daemon.wait_ticks(1)
            truth.load(daemon)
            daemon.wait_for(lambda page: page.has(GRAMS), "grams")
            drawn = [check(counters.see(daemon.wait_ticks(1))) for _ in range(4)]
            assert drawn == sorted(set(drawn)), "it grows"
            page = counters.see(daemon.page())
            assert page.value("wattledger_price_per_kwh", currency="CNY", period="peak") == PEAK
            assert page.value("wattledger_pue_ratio") == 1.25
            assert used(page) == {"0": 1, "1": 0}

            # The grid takes back what it said. While the boards rest all is known to the millijoule.
            grid.grams = LOW
            before = counters.see(truth.check(daemon))
            highest = location_sum(before)
            assert highest == grams(energy_mj(before) * round(HIGH * MICRO))
            page = daemon.wait_for(
                lambda page: page if page.value(INTENSITY, feed="location", level="0") == LOW else None, "corrected"
            )
            assert location_sum(counters.see(page)) == highest, "what was shown stays"
            truth.load(daemon)
            for _ in range(3):
                page = counters.see(daemon.wait_ticks(1))
                assert energy_mj(page) * LOW < energy_mj(before) * HIGH, "the test is too slow to see a standstill"
                assert location_sum(page) == highest
            last = counters.see(truth.check(daemon))
            assert page.value("wattledger_feed_corrections_total") == 0
            shown = daemon.page().text + daemon.get("/")[1].decode()
    hours, totals = stored(state)
    # The ledger has what is true, and what was shown.
    gpu, facility = (whole(hours, boundary) for boundary in (Boundary.GPU, Boundary.FACILITY))
    assert gpu.energy_mj == energy_mj(last)
    assert gpu.location == gpu.energy_mj * round(LOW * MICRO)
    assert (grams(gpu.location), facility.energy_mj) != (highest, 0)
    assert money(facility.cost) == last.value(COST, boundary="facility")
    kept = {total.key: total.shown for total in totals}
    for name, (kind, labels) in _STORED.items():
        for row in last.rows(name):
            product = kept[kind, tuple(row.labels[label] for label in labels)]
            assert row.value == grams(product)  # money is written in the same way
    with closing(sqlite3.connect(state / "ledger.sqlite3")) as file:
        (sums,) = file.execute(
            "SELECT sum(energy_joules), sum(location_grams), sum(cost) FROM price_history WHERE boundary = 'gpu'"
        ).fetchall()
    for found, exact in zip(sums, (gpu.energy_mj / 1e3, grams(gpu.location), money(gpu.cost)), strict=True):
        assert abs(found / exact - 1) < 1e-12
    # The secret was used, and stands nowhere.
    assert grid.server.asked[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert grid.server.asked[0].path == "/v1/DE"
    assert TOKEN not in shown
    assert TOKEN not in daemon.logged()
    assert not [path for path, content in contents(state) if TOKEN.encode() in content]


_STORED = {
    GRAMS: (TotalKind.EMISSIONS, ("accounting", "zone", "boundary")),
    COST: (TotalKind.COST, ("currency", "boundary")),
}


def test_kill_9_loses_no_gram_and_a_restart_without_the_grid_goes_on_with_the_cache(tmp_path: Path) -> None:
    state = tmp_path / "state"
    counters = PriceCounters()
    with machine(tmp_path / "driver") as double, Grid(HIGH) as grid:
        truth = Truth(double)
        options = ("--config", str(configured(tmp_path, grid)))
        for number in range(4):
            if number == 2:
                grid.go_down()
            doomed = DaemonThrough(state, *options, env=double.env)
            with scraping(doomed, counters):
                if number == 0:
                    doomed.wait_for(lambda page: page.has(ENERGY), "the board at rest")
                    truth.load(doomed)
                if number != 1:  # once before anything is priced
                    doomed.wait_for(lambda page: page.has(GRAMS) and is_up_to_date(page), "it is priced")
                let_pass(0.07 * number)
                doomed.kill()
        with DaemonProcess(state, *options, env=double.env) as daemon:
            page = daemon.wait_for(
                lambda page: (
                    page if page.total("wattledger_feed_success", level="0") == 0 and used(page)["0"] else None
                ),
                "the cache",
            )
            assert page.rows(INTENSITY, level="0")[0].value == HIGH
            assert page.rows("wattledger_feed_failures_total", level="0")[0].labels["reason"] == "unreachable"
            ended = counters.see_whole(truth.check(daemon))
            check(ended)
            assert page.total("wattledger_gpu_state_seconds_total", state="unobserved") > 0, "it was down in between"
    hours, _ = stored(state)
    assert whole(hours, Boundary.GPU).location == energy_mj(ended) * round(HIGH * MICRO)
    scores = [hour.with_grid for hour in hours if hour.with_grid is not None]
    assert (sum(one.energy_mj for one in scores), sum(one.covered_mj for one in scores)) == with_grid(ended)
    assert {one.source for one in scores if one.covered_mj} <= {f"http_json DE, {kind}" for kind in PointKind}
    assert {use.zone for hour in hours for use in hour.factors if use.energy_mj} == {"DE"}


def test_a_grid_that_goes_down_is_held_on_to_for_a_while_and_then_another_counts_visibly(tmp_path: Path) -> None:
    state = tmp_path / "state"
    counters = PriceCounters()
    with machine(tmp_path / "driver", "h100") as double, Grid(HIGH, ahead=timedelta(seconds=4)) as grid:
        truth = Truth(double)
        with DaemonProcess(state, "--config", str(configured(tmp_path, grid)), env=double.env) as daemon:
            daemon.wait_ticks(1)
            truth.load(daemon)
            with scraping(daemon, counters):
                daemon.wait_for(lambda page: page.has(GRAMS), "grams")
                grid.go_down()
                check(daemon.page(), has_share=False)  # each feed ends at the second of its own last answer
                held = daemon.wait_for(
                    lambda page: page if page.has(INTENSITY, level="0", kind="estimated") else None,
                    "it is held on to",
                )
                assert used(held) == {"0": 1, "1": 0}
                check(held, has_share=False)
                fallen = daemon.wait_for(
                    lambda page: page if used(page) == {"0": 0, "1": 1} else None, "it is let go"
                )
                assert not fallen.has(INTENSITY, level="0")
                assert fallen.value(INTENSITY, level="1", kind="factor") == WORLD
                page = daemon.wait_for(
                    lambda page: page if page.has(GRAMS, zone="WORLD", boundary="gpu") else None, "another zone"
                )
                assert page.value("wattledger_feed_age_seconds", feed="location", level="0") > 3
                # A share that nobody stands in for is not known any more: not 0, and no load of that hour is covered.
                daemon.wait_for(lambda page: not page.has("wattledger_grid_carbon_free_ratio"), "the share is let go")
                daemon.wait_ticks(1)
            last = counters.see(truth.check(daemon))
            assert with_grid(last)[1] < round(last.value(FACILITY) * 1000)
            # Both zones together have each joule once, at a value between the two.
            least, most = (grams(energy_mj(last) * round(value * MICRO)) for value in (HIGH, WORLD))
            assert least < location_sum(last) < most
    hours, _ = stored(state)
    assert hours[-1].with_grid == GridScore()
    gpu = whole(hours, Boundary.GPU)
    # Of a quarter that runs on at rest, more and more is of the zone that counts now.
    assert location_sum(last) <= grams(gpu.location) < most
    assert (gpu.energy_mj, gpu.location_covered_mj) == (energy_mj(last), energy_mj(last))
    used_mj = dict.fromkeys(("DE", "WORLD"), 0)
    for use in (use for hour in hours for use in hour.factors if use.accounting is Accounting.LOCATION):
        used_mj[use.zone] += use.energy_mj
    assert all(used_mj.values())
    assert sum(used_mj.values()) == whole(hours, Boundary.FACILITY).energy_mj
    assert max(hour.hour for hour in hours) * NS_PER_HOUR < SystemClock().now().wall_ns
