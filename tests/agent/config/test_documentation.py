"""docs/configuration.md says what the schema says: every key, type, default, and how it is applied."""

import re
from pathlib import Path

import pytest

from tests.agent.config.schema_keys import KeyRow, key_rows
from wattledger.agent.config import Config, load_config
from wattledger.agent.config.environment import CONFIG_VARIABLE, VARIABLES
from wattledger.agent.config.schema import LATER_KEYS

DOCUMENT = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text()
TABLE_ROW = re.compile(r"^\| `(?P<key>[^`]+)` \| (?P<cells>.*) \|$", re.MULTILINE)
ENDPOINT = {"url": "https://10.0.0.1"}
REQUIRED_BESIDE = {
    "states.maintenance[].": {"from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z"},
    "owners[].": {"gpus": "[5]", "owner": "bob"},
    "services.list[].": {"service": "other", "endpoint": "http://127.0.0.1:8001/metrics"},
    "services.logs[].": {"service": "job", "path": "x.log", "pattern": "'(?P<tokens>[0-9]+)'"},
    "services.tensorboard[].": {"service": "job", "path": "runs", "tag": "tokens"},
    "alerts.alertmanagers[].": ENDPOINT,
    "alerts.webhooks[].": ENDPOINT,
}
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
    for prefix, required in REQUIRED_BESIDE.items():
        if key.startswith(prefix):
            name = key.removeprefix(prefix)
            given = required | ({TOGETHER[name]: "x"} if name in TOGETHER and value != "null" else {}) | {name: value}
            flow = ", ".join(f"{name}: {text}" for name, text in given.items())
            key, value = prefix.removesuffix("[]."), f"[{{{flow}}}]"
    parts = key.replace("UUID", "GPU-1").replace("vars.NAME", "vars.held_warning").replace("NAME", "name").split(".")
    return "".join("  " * depth + part + ":\n" for depth, part in enumerate(parts)).rstrip("\n") + f" {value}\n"


def surroundings(key: str) -> str:
    """Give YAML like the snippet of *key*, with *key* itself left out where it is not required."""
    for prefix, required in REQUIRED_BESIDE.items():
        if key.startswith(prefix):
            return snippet(prefix + next(iter(required)), next(iter(required.values())))
    return "gpus: {corrections: {GPU-1: {}}}" if "UUID" in key else ""


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
    assert load_text(tmp_path, snippet(row.path, example)) != load_text(tmp_path, surroundings(row.path))


@pytest.mark.parametrize("row", [row for row in key_rows() if row.default not in {"required", "empty"}], ids=str)
def test_the_documented_default_written_out_changes_nothing(row: KeyRow, tmp_path: Path) -> None:
    default = table_of("Keys")[row.path][1].strip("`")
    assert load_text(tmp_path, snippet(row.path, default)) == load_text(tmp_path, surroundings(row.path))


def test_the_example_file_is_accepted(tmp_path: Path) -> None:
    example = DOCUMENT.split("## Example\n\n```yaml\n")[1].split("```")[0]
    config = load_text(tmp_path, example)
    assert config.gpus.corrections["GPU-8f2c6a1e-5d0b-4c3f-9a77-1b2c3d4e5f60"].gain_ppm == 1_030_000
    assert config.owners[0].owner == "alice"


def test_the_documented_variables_are_the_variables_that_are_read() -> None:
    documented = {name: cells[-1].strip("`") for name, cells in table_of("Environment variables").items()}
    assert documented == {CONFIG_VARIABLE: "none", **{name: ".".join(path) for name, path in VARIABLES.items()}}


def test_the_reserved_keys_are_named() -> None:
    sentence = DOCUMENT.split("The keys ")[1].split(" are reserved")[0]
    assert tuple(re.findall(r"`(\w+)`", sentence)) == LATER_KEYS
