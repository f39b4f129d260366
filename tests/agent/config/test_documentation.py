"""docs/configuration.md says what the schema says: every key, type, default, and how it is applied."""

import re
from pathlib import Path

import pytest

from tests.agent.config.schema_keys import KeyRow, key_rows
from wattledger.agent.config import Config, load_config
from wattledger.agent.config.decode import Decoder
from wattledger.agent.config.document import read_document
from wattledger.agent.config.environment import CONFIG_VARIABLE, VARIABLES
from wattledger.agent.config.problem import Origin, Places

DOCUMENT = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text()
TABLE_ROW = re.compile(r"^\| `(?P<key>[^`]+)` \| (?P<cells>.*) \|$", re.MULTILINE)
ENDPOINT = {"url": "https://10.0.0.1"}
REQUIRED_BESIDE = {
    "states.maintenance[].": {"from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z"},
    "owners[].": {"gpus": "[5]", "owner": "bob"},
    "services.list[].": {"service": "other", "endpoint": "http://127.0.0.1:8001/metrics"},
    "services.logs[].": {"service": "job", "path": "x.log", "pattern": "'(?P<tokens>[0-9]+)'"},
    "services.tensorboard[].": {"service": "job", "path": "runs", "tag": "tokens"},
    "supply[].": {"kind": "storage", "name": "other"},
    "supply[].certificates[].": {"name": "lot", "mwh": "1"},
    "facility.chain.": {"psu": "{curve: 80plus-gold-230v, rated_watts: 1}"},
    "facility.chain.psu.": {"curve": "80plus-gold-230v", "rated_watts": "1"},
    "facility.chain.pdu.": {"efficiency": "0.5"},
    "facility.node.redfish.": {"url": "https://10.0.0.1"},
    "tariff.": {"currency": "EUR"},
    "tariff.periods[].": {"label": "other", "price": "1"},
    "tariff.demand.": {"price_per_kw_month": "1"},
    "alerts.alertmanagers[].": ENDPOINT,
    "alerts.webhooks[].": ENDPOINT,
}
# Sections whose keys say little one by one: what belongs together is judged in tests of their own.
TOGETHER_ALONE = ("carbon.residual", "carbon.carbon_free", "supply", "facility", "tariff")
# Keys that come in pairs.
TOGETHER = {
    "username": "password_file",
    "password_file": "username",
    "cert_file": "key_file",
    "key_file": "cert_file",
}


def table_of(heading: str) -> dict[str, list[str]]:
    section = DOCUMENT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return {row["key"]: [cell.strip() for cell in row["cells"].split(" | ")] for row in TABLE_ROW.finditer(section)}


def snippet(key: str, value: str) -> str:
    """Give YAML in which *key* has *value*, with what is required beside it."""
    parts = key.replace("UUID", "GPU-1").replace("vars.NAME", "vars.held_warning").replace("NAME", "name").split(".")
    text = value
    for depth in reversed(range(len(parts))):
        name = parts[depth]
        shown = f"[{text}]" if name.endswith("[]") else text
        beside = REQUIRED_BESIDE.get("".join(f"{part}." for part in parts[:depth]), {})
        given = beside | ({TOGETHER[name]: "x"} if name in TOGETHER and value != "null" else {})
        given |= {name.removesuffix("[]"): shown}
        # Only what is in a list is written in one line: some values mean something else there.
        if any(part.endswith("[]") for part in parts[:depth]):
            text = "{" + ", ".join(f"{one}: {other}" for one, other in given.items()) + "}"
        else:
            text = "".join(f"{'  ' * depth}{one}: {other}\n" for one, other in given.items())
            text = f"\n{text}" if depth else text
    return text


def surroundings(key: str) -> str:
    """Give YAML like the snippet of *key*, with *key* itself left out where it is not required."""
    parts = key.split(".")[:-1]
    for depth in range(len(parts), 0, -1):
        prefix = "".join(f"{part}." for part in parts[:depth])
        if prefix in REQUIRED_BESIDE:
            required = REQUIRED_BESIDE[prefix]
            first = snippet(prefix + next(iter(required)), next(iter(required.values())))
            # A section that is there and has no key of its own.
            inner = ".".join(parts[depth:])
            return snippet(f"{prefix}{inner}", "{}") if inner else first
    return "gpus: {corrections: {GPU-1: {}}}" if "UUID" in key else ""


def decode_text(tmp_path: Path, text: str) -> Config:
    """Read *text* key by key: one alone of several that belong together is no mistake here."""
    file = tmp_path / "wattledger.yml"
    file.write_text(text)
    decoder = Decoder(Places(Origin(str(file), tmp_path)))
    config = decoder.config(read_document(file).root)
    assert decoder.problems == []
    return config


def load_text(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "wattledger.yml"
    file.write_text(text)
    (tmp_path / "site.rules.yml").touch()
    loaded = load_config(file, environment={}, is_root=True)
    assert loaded.warnings == ()
    return loaded.config


def test_the_documented_keys_are_the_keys_of_the_schema() -> None:
    assert list(table_of("Keys")) == [row.path for row in key_rows()]


@pytest.mark.parametrize("row", key_rows(), ids=lambda row: row.path)
def test_type_default_and_application_are_documented_as_they_are(row: KeyRow) -> None:
    form, default, example, applied, meaning = table_of("Keys")[row.path]
    assert (form, default, applied) == (row.form, f"`{row.default}`", row.applied)
    assert example
    assert meaning


@pytest.mark.parametrize("row", key_rows(), ids=lambda row: row.path)
def test_the_example_of_each_key_is_accepted_and_changes_something(row: KeyRow, tmp_path: Path) -> None:
    (tmp_path / "web.yml").touch()
    example = table_of("Keys")[row.path][2].strip("`")
    read = decode_text if row.path.startswith(TOGETHER_ALONE) else load_text
    assert read(tmp_path, snippet(row.path, example)) != read(tmp_path, surroundings(row.path))


@pytest.mark.parametrize("row", [row for row in key_rows() if row.default not in {"required", "empty"}], ids=str)
def test_the_documented_default_written_out_changes_nothing(row: KeyRow, tmp_path: Path) -> None:
    default = table_of("Keys")[row.path][1].strip("`")
    read = decode_text if row.path.startswith(TOGETHER_ALONE) else load_text
    assert read(tmp_path, snippet(row.path, default)) == read(tmp_path, surroundings(row.path))


def test_the_example_file_is_accepted(tmp_path: Path) -> None:
    example = DOCUMENT.split("## Example\n\n```yaml\n")[1].split("```")[0]
    config = load_text(tmp_path, example)
    assert config.gpus.corrections["GPU-8f2c6a1e-5d0b-4c3f-9a77-1b2c3d4e5f60"].gain_ppm == 1_030_000
    assert config.owners[0].owner == "alice"


def test_the_documented_variables_are_the_variables_that_are_read() -> None:
    documented = {name: cells[-1].strip("`") for name, cells in table_of("Environment variables").items()}
    assert documented == {CONFIG_VARIABLE: "none", **{name: ".".join(path) for name, path in VARIABLES.items()}}
