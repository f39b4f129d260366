"""What cannot be meant of carbon, supply, facility and tariff is refused at its line; what does less is warned of."""

import subprocess
import sys
from pathlib import Path

import pytest

from wattledger.agent.config import ConfigError, load_config
from wattledger.agent.config.energy_contradictions import feeds_of
from wattledger.agent.config.schema import Config

TABLE = "{kind: table, source: mee, region: CN-ZJ}"
STATIC = "{kind: static, zone: DE, value: 380}"
WIND = "supply: [{kind: contract, name: w, scope: intra, share: 0.1}]\n"
ROOT = Path(__file__).resolve().parents[3]


def problems(tmp_path: Path, text: str) -> list[str]:
    """Give what a configuration is refused for, without the name of the file."""
    file = tmp_path / "w.yml"
    file.write_text(text)
    with pytest.raises(ConfigError) as refused:
        load_config(file, environment={}, is_root=True)
    return [str(problem).removeprefix(f"{file}:") for problem in refused.value.problems]


def warnings(tmp_path: Path, text: str) -> list[str]:
    """Give what an accepted configuration is warned of, without the name of the file."""
    file = tmp_path / "w.yml"
    file.write_text(text)
    loaded = load_config(file, environment={}, is_root=True)
    return [str(problem).removeprefix(f"{file}:") for problem in loaded.warnings]


def config(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "w.yml"
    file.write_text(text)
    return load_config(file, environment={}, is_root=True).config


REFUSED = {
    "a key that the kind does not take": (
        "carbon:\n  feeds:\n  - {kind: gb, zone: GB, token_file: x}\n",
        (
            "3:38: carbon.feeds[0].token_file: is not taken by gb; it takes kind, zone, poll, max_age, "
            "timeout, url, ca_file"
        ),
    ),
    "a key that is missing": (
        "carbon:\n  feeds:\n  - {kind: gb, zone: GB}\n  - {kind: csv}\n",
        "4:5: carbon.feeds[1]: lacks the key `path`, which csv needs; add it",
    ),
    "a zone that is none of the provider": (
        "carbon: {feeds: [{kind: rte, zone: DE}]}\n",
        "1:36: carbon.feeds[0].zone: 'DE' is none of this provider; write FR",
    ),
    "a kind that does not give what is wanted": (
        "facility: {feed: {kind: gb, zone: GB}}\n",
        "1:25: facility.feed.kind: gb gives no pue; it gives intensity",
    ),
    "a meter without a unit": (
        "carbon: {feeds: [" + STATIC + "]}\nsupply:\n- kind: onsite\n  name: roof\n"
        "  meter: {kind: http_json, url: 'http://10.0.0.1', values: a, times: b}\n",
        (
            "5:10: supply[0].meter.unit: a metered energy has no unit of its own; set `unit`, such as kWh, "
            "or kW for a mean power"
        ),
    ),
    "a marginal feed among those that count": (
        "carbon:\n  feeds:\n  - {kind: watttime, zone: PJM, username: me, password_file: x}\n",
        "3:5: carbon.feeds[0]: is marginal, which enters no account; put it under carbon.marginal",
    ),
    "an average among those for advice": (
        f"carbon:\n  feeds: [{STATIC}]\n  marginal: [{STATIC}]\n",
        "3:14: carbon.marginal[0]: is not marginal; put it under carbon.feeds",
    ),
    "a factor for contracts at the place of a grid": (
        "carbon: {feeds: [{kind: table, source: mee_residual, region: CN}]}\n",
        "1:18: carbon.feeds[0]: is a factor for power by contract, of no place; put it under carbon.residual",
    ),
    "a residual mix beside nothing": (
        "carbon: {residual: [{kind: table, source: mee_residual, region: CN}]}\n",
        "1:20: carbon.residual: stands without feeds, whose energy it is for; add feeds",
    ),
    "a carbon-free share in percent that does not say so": (
        (
            f"carbon:\n  feeds: [{STATIC}]\n"
            f"  carbon_free: [{{kind: static, value: 54, citation: x, year: 2024}}]\n{WIND}"
        ),
        (
            "3:39: carbon.carbon_free[0].value: cannot be: a share is from 0 to 1, or to 100 with unit: '%'; "
            "check the number and its unit"
        ),
    ),
    "a carbon-free share without its year": (
        f"carbon:\n  feeds: [{STATIC}]\n  carbon_free: [{{kind: static, value: 0.5, citation: x}}]\n{WIND}",
        "3:17: carbon.carbon_free[0].year: is missing; write the year that the share is of",
    ),
    "a kind that gives no carbon-free share": (
        f"carbon:\n  feeds: [{STATIC}]\n  carbon_free: [{{kind: gb, zone: GB}}]\n{WIND}",
        "3:24: carbon.carbon_free[0].kind: gb gives no carbon_free_share; it gives intensity",
    ),
    "prices of a feed in another currency": (
        "tariff: {currency: EUR, feed: {kind: octopus, product: AGILE, tariff: E-1R}}\n",
        (
            "1:38: tariff.feed.kind: is octopus, whose prices are in GBP, and the tariff is in EUR; "
            "set tariff.currency to GBP, currencies are not converted"
        ),
    ),
    "prices of a feed beside periods": (
        "tariff:\n  currency: EUR\n  feed: {kind: csv, path: p.csv}\n  periods: [{label: a, price: 1}]\n",
        "4:12: tariff.periods: stand beside a feed, which gives every price; keep one of the two",
    ),
    "two PUE": (
        "facility: {pue: 1.2, feed: {kind: csv, path: p.csv}}\n",
        "1:28: facility.feed: there is a constant pue too; keep one of them",
    ),
    "two of one name": (
        (
            f"carbon: {{feeds: [{STATIC}]}}\nsupply:\n"
            "- {kind: contract, name: w, scope: intra, share: 0.1}\n"
            "- {kind: contract, name: w, scope: intra, share: 0.1}\n"
        ),
        "4:26: supply[1].name: `w` is the name of supply[0] already; rename one",
    ),
}


@pytest.mark.parametrize(("text", "told"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_meant_is_refused_at_its_place(tmp_path: Path, text: str, told: str) -> None:
    assert problems(tmp_path, text) == [told]


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = "tariff: {currency: EUR, adder: 1}\nfacility: {feed: {kind: static}}\ncarbon: {feeds: [{kind: gb}]}\n"
    assert [line.partition(": ")[2].partition(":")[0] for line in problems(tmp_path, text)] == [
        "tariff.adder",
        "facility.feed",
        "carbon.feeds[0]",
    ]


WARNED = {
    "feeds that count unlike things": (
        "carbon:\n  feeds:\n  - {kind: electricity_maps, zone: CN, token_variable: TOKEN}\n  - " + TABLE + "\n",
        [
            (
                "4:5: carbon.feeds[1]: is of another caliber (average, direct, CO2, consumption) than the first feed "
                "(average, lifecycle, CO2e, consumption), and grams of both add up; "
                "give feeds of one caliber where you can"
            )
        ],
    ),
    "feeds that differ in whose power they are of alone": (
        (
            "carbon:\n  feeds:\n  - {kind: electricity_maps, zone: DE, token_variable: TOKEN}\n"
            "  - {kind: table, source: world, region: DE}\n"
        ),
        [],
    ),
    "supply without grams": (
        "supply:\n- {kind: contract, name: w, scope: intra, share: 0.1}\n",
        ["2:1: supply: covers load and no gram is counted; add carbon.feeds for what it does not cover"],
    ),
    "a carbon-free share without supply": (
        f"carbon:\n  feeds: [{STATIC}]\n  carbon_free: [{{kind: csv, path: share.csv}}]\n",
        [
            (
                "3:16: carbon.carbon_free: is for the load that `supply` leaves to the grid, and there is none; "
                "add supply"
            )
        ],
    ),
    "a carbon-free share beside supply": (
        f"carbon:\n  feeds: [{STATIC}]\n  carbon_free: [{{kind: csv, path: share.csv}}]\n{WIND}",
        [],
    ),
    "a tariff without a price": (
        "tariff: {currency: EUR}\n",
        ["1:9: tariff: has no price, so that no cost is told; add price, periods or a feed"],
    ),
}


@pytest.mark.parametrize(("text", "told"), WARNED.values(), ids=WARNED.keys())
def test_what_does_less_than_it_seems_to_is_warned_of(tmp_path: Path, text: str, told: list[str]) -> None:
    assert warnings(tmp_path, text) == told


def test_no_secret_is_read_where_a_configuration_is_judged(tmp_path: Path) -> None:
    text = "carbon: {feeds: [{kind: electricity_maps, zone: DE, token_file: there-is-none}]}\n"
    assert warnings(tmp_path, text) == []


def test_every_feed_is_found_with_its_place(tmp_path: Path) -> None:
    text = (
        f"carbon: {{feeds: [{STATIC}, {STATIC}], residual: [{STATIC}],"
        " marginal: [{kind: watttime, zone: X, username: u, password_file: p}],"
        " carbon_free: [{kind: csv, path: share.csv}]}\n"
        "supply: [{kind: onsite, name: roof, meter: {kind: csv, path: m.csv}}]\n"
        "facility: {feed: {kind: csv, path: p.csv}}\ntariff: {currency: EUR, feed: {kind: csv, path: t.csv}}\n"
    )
    assert [f"{at} {measure}" for at, measure, _ in feeds_of(config(tmp_path, text))] == [
        "carbon.feeds[0] intensity",
        "carbon.feeds[1] intensity",
        "carbon.residual[0] intensity",
        "carbon.marginal[0] intensity",
        "carbon.carbon_free[0] carbon_free_share",
        "supply[0].meter energy",
        "facility.feed pue",
        "tariff.feed price",
    ]


def test_providers_are_loaded_only_where_one_of_the_sections_is_set(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom wattledger.agent.config import load_config\n"
        "load_config(Path(sys.argv[1]), environment={}, is_root=True)\n"
        "print(*sorted(name for name in sys.modules if name.startswith('wattledger.agent.feeds')))\n"
    )

    def loaded(text: str) -> str:
        file = tmp_path / "w.yml"
        file.write_text(text)
        command = [sys.executable, "-c", script, str(file)]
        return subprocess.run(
            command, env={"PYTHONPATH": str(ROOT / ".importroot")}, capture_output=True, text=True, check=True
        ).stdout

    assert loaded("interval: 1s\n").strip() == ""
    table_alone = loaded(f"carbon: {{feeds: [{TABLE}]}}\n").split()
    assert "wattledger.agent.feeds.table" in table_alone
    assert not {f"wattledger.agent.feeds.{name}" for name in ("eia", "entsoe", "web", "http_json")} & set(table_alone)
