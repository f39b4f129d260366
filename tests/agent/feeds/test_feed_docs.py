"""docs/feeds.md says what the providers say: keys, pace, caliber and tables; and its examples are accepted."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.agent.config.schema_keys import KeyRow, key_rows
from wattledger.agent.config import Config, load_config
from wattledger.agent.config.duration import format_duration
from wattledger.agent.config.energy_contradictions import feeds_of
from wattledger.agent.config.feed_schema import Feed, FeedKind
from wattledger.agent.feeds import tabled
from wattledger.agent.feeds.base import Provider, Skipped, Trouble
from wattledger.agent.feeds.catalogue import build_provider, keys_of
from wattledger.agent.feeds.declared import CALIBER_KEYS
from wattledger.agent.feeds.registration import Wants
from wattledger.agent.feeds.tabled import Table, TableSource
from wattledger.rules.feeds.model import Measure, Signal

DOCUMENT = (Path(__file__).parents[3] / "docs" / "feeds.md").read_text("utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)
KINDS = list(FeedKind)
OFFERS = [(kind, measure) for kind in KINDS for measure in keys_of(kind).measures]


def part(heading: str) -> str:
    """Give what stands below a heading, up to the next of its rank or above."""
    rank = heading.partition(" ")[0]
    below = DOCUMENT.split(f"\n{heading}\n")[1]
    return re.split(rf"\n#{{2,{len(rank)}}} ", below)[0]


def rows(text: str, header: str) -> list[list[str]]:
    """Give the cells of the rows of the table with that header."""
    table = text.split(f"| {header} |\n")[1].split("\n\n", maxsplit=1)[0]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()[1:]]


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def section(kind: FeedKind) -> str:
    return part(f"### `{kind}`")


def loaded(text: str, folder: Path) -> Config:
    """Load a configuration; the secrets that it names are there."""
    for name in re.findall(r"(?:token|password)_file: ([\w.-]+)", text):
        (folder / name).write_text("secret\n")
        (folder / name).chmod(0o600)
    file = folder / "wattledger.yml"
    file.write_text(text)
    found = load_config(file, environment={}, is_root=True)
    assert found.warnings == ()
    return found.config


def examples_of(kind: FeedKind, folder: Path) -> Iterator[tuple[Measure, Feed, str]]:
    (text,) = re.findall(r"```yaml\n(.*?)```", section(kind), re.DOTALL)
    config = loaded(text, folder)
    for _, measure, feed in feeds_of(config):
        if feed.kind is kind:
            yield measure, feed, "" if config.tariff is None else config.tariff.currency


def provider(feed: Feed, measure: Measure, currency: str = "EUR") -> Provider:
    return build_provider(feed, Wants(measure, currency=currency, secret=lambda: "secret"))


def made_for(feed: Feed, measure: Measure) -> Feed:
    """Give the feed as it would stand where *measure* is wanted."""
    units = {Measure.ENERGY: "kWh", Measure.INTENSITY: feed.unit}
    kept = msgspec.structs.replace(feed, unit=units.get(measure, ""))
    if measure is not Measure.INTENSITY:
        kept = msgspec.structs.replace(kept, **dict.fromkeys(CALIBER_KEYS))
    if measure is Measure.PUE and feed.value_micro is not None:
        kept = msgspec.structs.replace(kept, value_micro=1_250_000)
    if measure is Measure.CARBON_FREE and feed.value_micro is not None:
        kept = msgspec.structs.replace(kept, value_micro=500_000)
    # What an example sets of its own accord is not the pace of the kind.
    return msgspec.structs.replace(kept, max_age_ns=None, poll_ns=None)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_every_example_is_accepted_without_a_word(number: int, tmp_path: Path) -> None:
    assert list(feeds_of(loaded(EXAMPLES[number], tmp_path)))


def test_every_kind_has_its_section_and_its_line_in_the_overview() -> None:
    headings = [line.strip("`") for line in re.findall(r"^### (`.*`)$", part("## Kinds"), re.MULTILINE)]
    assert headings == [kind.value for kind in KINDS]
    overview = rows(DOCUMENT, "kind | what it is | where | needs")
    assert [word for row in overview for word in quoted(row[0])] == headings
    web = [kind for kind in KINDS if keys_of(kind).web]
    assert web == KINDS[KINDS.index(FeedKind.HTTP_JSON) :], "the text says which take timeout, url and ca_file"


@pytest.mark.parametrize("kind", KINDS)
def test_the_keys_of_a_kind_are_those_that_it_takes(kind: FeedKind) -> None:
    keys = keys_of(kind)
    told: dict[str, list[str]] = {"required": [], "optional": [], "one of": []}
    for names, needed, _ in rows(section(kind), "key | needed | meaning"):
        told[needed] += quoted(names)
    assert set(told["required"]) == set(keys.required)
    assert sorted(told["optional"]) == sorted(keys.optional)
    assert told["one of"] == [key for group in keys.one_of for key in group]


@pytest.mark.parametrize(("kind", "measure"), OFFERS)
def test_the_pace_of_a_kind_is_that_of_its_provider(kind: FeedKind, measure: Measure, tmp_path: Path) -> None:
    told = rows(section(kind), "gives | step | lag | max_age | poll")
    named = {name for row in told for name in row[0].partition(" with ")[0].split(", ")}
    assert named == {one.value for one in keys_of(kind).measures}
    here = [row for row in told if measure in row[0].partition(" with ")[0].split(", ")]
    found = list(examples_of(kind, tmp_path))
    for row in here:
        signal = row[0].partition(" with signal: ")[2]
        mine = [feed for _, feed, _ in found if not signal or feed.signal == Signal(signal)]
        feed = made_for(mine[-1], measure)
        pace = provider(feed, measure, "GBP" if kind is FeedKind.OCTOPUS else "EUR").pace
        written = [format_duration(ns) for ns in (pace.step_ns, pace.lag_ns, pace.max_age_ns, pace.poll_ns)]
        assert row[1:] == written


@pytest.mark.parametrize("kind", [kind for kind in KINDS if Measure.INTENSITY in keys_of(kind).measures])
def test_the_caliber_is_that_of_the_provider(kind: FeedKind, tmp_path: Path) -> None:
    (told,) = re.findall(r"^Caliber.*?(?=\n\n)", section(kind), re.MULTILINE | re.DOTALL)
    told = " ".join(told.split())
    if "factors" in keys_of(kind).optional and "gas" in keys_of(kind).optional:
        assert "what you say it is" in told
        return
    for measure, feed, _ in examples_of(kind, tmp_path):
        if measure is Measure.INTENSITY:
            assert str(provider(feed, measure).series.caliber) in told


def test_what_is_said_of_a_caliber_that_is_left_out_is_what_counts() -> None:
    feed = Feed(kind=FeedKind.STATIC, value_micro=1_000_000)
    caliber = provider(feed, Measure.INTENSITY).series.caliber
    assert caliber is not None
    words = [caliber.signal, caliber.factors, caliber.gas, caliber.basis]
    said = " ".join(part("### Calibers").split()).split("What you leave out is ")[1].split(". ")[0]
    assert quoted(said) == [word.value for word in words]


@pytest.mark.parametrize("row", key_rows(Feed), ids=lambda row: row.path)
def test_type_and_default_of_every_key_are_those_of_the_schema(row: KeyRow) -> None:
    told = {quoted(cells[0])[0]: cells[1:] for cells in rows(DOCUMENT, "key | type | default | meaning")}
    form, default, meaning = told[row.path]
    assert (form, default) == (row.form, f"`{row.default}`")
    assert meaning


def test_the_keys_are_in_the_order_of_the_schema_and_none_is_made_up() -> None:
    told = [quoted(cells[0])[0] for cells in rows(DOCUMENT, "key | type | default | meaning")]
    assert told == [row.path for row in key_rows(Feed)]


def test_the_regions_and_years_of_china_are_those_of_the_table() -> None:
    table = tabled._read("mee.yml", tabled._Mee)
    told = [quoted(cells[0]) for cells in rows(part("### China"), "region | what it is")]
    assert told == [["CN"], list(table.regional), list(table.provincial), list(tabled._UNPUBLISHED)]
    years = rows(part("### China"), "year | announcement | published | national | regional | provincial")
    assert years == [
        [year, of.announcement, of.published, of.national, of.regional, of.provincial]
        for year, of in table.years.items()
    ]
    for region in ("CN", "CN-HUABEI", "CN-ZJ", "CN-XZ"):
        assert Table(TableSource.MEE).find(region).newest_year == 2023
    assert f"{table.national['residual']['2023']} kg/kWh for 2023" in part("### China")


def test_the_countries_and_years_of_the_world_are_those_of_the_table() -> None:
    table = tabled._read("world.yml", tabled._World)
    known: dict[str, list[str]] = {}
    for value in table.values:
        known.setdefault(value.region, []).append(f"{value.year} {value.status}")
    told = {quoted(cells[0])[0]: cells[1].split(", ") for cells in rows(part("### Countries"), "region | years")}
    assert told == known


def test_the_reasons_are_those_that_are_counted() -> None:
    failures, skipped = re.findall(
        r"\| reason \| what it means \|\n\|---\|---\|\n((?:\|.*\|\n)+)", part("## What goes wrong")
    )
    assert re.findall(r"^\| `(\w+)`", failures, re.MULTILINE) == [trouble.value for trouble in Trouble]
    assert re.findall(r"^\| `(\w+)`", skipped, re.MULTILINE) == [why.value for why in Skipped]
