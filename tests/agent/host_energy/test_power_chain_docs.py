"""docs/power-chain.md: its examples are what the program does."""

import re
from pathlib import Path

import pytest

from tests.agent.host_energy.test_chain_command import run
from tests.agent.host_energy.test_host_build import facility_of
from wattledger.agent.config.facility_schema import facility_mistakes
from wattledger.agent.host_energy.catalogue import load_catalogue

DOCUMENT = (Path(__file__).parents[3] / "docs/power-chain.md").read_text()


def test_the_printed_comparison_is_what_is_printed() -> None:
    shown = DOCUMENT.split("$ wattledger chain --compare ac-ups dc-240v --load-kw 100\n")[1].split("```")[0]
    _, output, _ = run(compare=["ac-ups", "dc-240v"], load_kw="100")
    assert output.startswith(shown)


@pytest.mark.parametrize("text", re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL))
def test_the_examples_of_the_configuration_are_accepted(text: str, tmp_path: Path) -> None:
    assert list(facility_mistakes(facility_of(tmp_path, text))) == []


def test_every_way_of_supply_is_named() -> None:
    named = set(re.findall(r"`((?:ac|dc)-[a-z0-9-]+)`", DOCUMENT))
    assert named == set(load_catalogue().setups)
