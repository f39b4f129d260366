"""The names of dcgm-exporter's page against the recorded names of dcgm-exporter, both generations."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.exporter.dcgm_pages import full_page, types_of
from wattledger.agent.config.dcgm_schema import DcgmNames
from wattledger.exporter.dcgm.helps import HELPS, RATE_HELPS
from wattledger.exporter.dcgm.names import FIELDS, RATES, XID_LAST, XID_TOTAL, Generation, Spelling

ROOT = Path(__file__).parents[2]
FACTS: dict[str, Any] = yaml.safe_load((ROOT / "tests/data/dcgm/names.yml").read_text())
LEGACY: dict[str, str] = FACTS["legacy"]["default"] | FACTS["legacy"]["optional"] | FACTS["legacy"]["fields"]
CURRENT: dict[str, str] = FACTS["current"]
# On by default in dcgm-exporter, and not on our page; docs/dcgm.md says why.
ABSENT = {"DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL", "DCGM_FI_DEV_VGPU_LICENSE_STATUS"}
# No source spells their names in base units.
WITHOUT_CURRENT_NAME = {
    "DCGM_FI_DEV_THERMAL_VIOLATION",
    "DCGM_FI_DEV_SYNC_BOOST_VIOLATION",
    "DCGM_FI_DEV_BOARD_LIMIT_VIOLATION",
    "DCGM_FI_DEV_RELIABILITY_VIOLATION",
}
# What each ending of a name in base units promises.
BASE_UNITS = {
    "HERTZ": "Hz",
    "CELSIUS": "C",
    "WATTS": "W",
    "RATIO": "ratio",
    "BYTES": "B",
    "JOULES": "J",
    "SECONDS": "s",
}


def test_the_legacy_page_has_every_default_of_dcgm_exporter_but_what_is_said_to_be_absent() -> None:
    assert set(FACTS["legacy"]["default"]) - set(types_of(full_page(Generation.LEGACY))) == ABSENT


def test_every_legacy_name_is_one_of_dcgm_exporter_with_its_type() -> None:
    shown = types_of(full_page(Generation.LEGACY))
    assert shown == {name: LEGACY[name] for name in shown}
    assert set(shown) == set(LEGACY) - ABSENT


def test_the_current_page_has_the_names_of_4_9_with_the_same_types() -> None:
    wanted = {CURRENT[name]: LEGACY[name] for name in LEGACY if name not in ABSENT | WITHOUT_CURRENT_NAME}
    assert types_of(full_page(Generation.CURRENT)) == wanted


def test_generations_are_paired_as_dcgm_pairs_them() -> None:
    pairs = {field.legacy.name: field.current.name for field in FIELDS if field.current is not None}
    assert pairs == {old: CURRENT[old] for old in pairs}
    assert {field.legacy.name for field in FIELDS if field.current is None} == WITHOUT_CURRENT_NAME


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.legacy.name)
def test_a_name_in_base_units_has_that_unit(field: Any) -> None:
    if field.current is not None:
        ending = re.search(rf"_({'|'.join(BASE_UNITS)})(_TOTAL)?$", field.current.name)
        expected = "" if ending is None else BASE_UNITS[ending[1]]
        assert field.current.unit.word == expected


def test_no_name_stands_twice() -> None:
    for generation in Generation:
        names = [spelling.name for field in FIELDS if (spelling := field.spelling(generation)) is not None]
        names += RATES.values()
        assert len(names) == len(set(names))


def test_every_value_is_explained() -> None:
    assert set(HELPS) == {field.quantity for field in FIELDS}
    assert set(RATE_HELPS) == set(RATES)


def test_the_configuration_has_the_words_of_the_page() -> None:
    assert [word.value for word in DcgmNames] == [generation.value for generation in Generation]


def test_the_document_has_the_names_and_says_what_is_absent() -> None:
    document = (ROOT / "docs/dcgm.md").read_text()
    rows = [_row(field.legacy, field.current, "counter" if field.counter else "gauge") for field in FIELDS]
    rows += [f"| `{name}` | B/s | `{name}` | B/s | gauge |" for name in RATES.values()]
    last = (f"`{XID_LAST[generation]}`" for generation in Generation)
    rows += [f"| {' | number | '.join(last)} | number | gauge |"]
    rows += [f"| `{XID_TOTAL}` | number | `{XID_TOTAL}` | number | counter |"]
    assert document.split("## Names\n")[1].split("|---|---|---|---|---|\n")[1].splitlines() == rows
    absent = document.split("## What is absent\n")[1].split("\n## ")[0]
    assert all(f"`{name}`" in absent for name in ABSENT)


def _row(legacy: Spelling, current: Spelling | None, kind: str) -> str:
    cells = [f"`{legacy.name}`", legacy.unit.word or "number"]
    cells += ["", ""] if current is None else [f"`{current.name}`", current.unit.word or "number"]
    return f"| {' | '.join((*cells, kind))} |"
