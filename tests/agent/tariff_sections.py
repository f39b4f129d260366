"""The section `tariff` out of YAML, judged by its single values alone."""

from pathlib import Path

from wattledger.agent.config.decode import Decoder
from wattledger.agent.config.document import parse_document
from wattledger.agent.config.problem import Origin, Places
from wattledger.agent.config.tariff_schema import Tariff


def decode(text: str) -> tuple[Tariff | None, list[str]]:
    """Give the section and what its values are refused for; keys are held against each other elsewhere."""
    document = parse_document(text, Origin("tariff.yml", Path()))
    assert document.problems == ()
    decoder = Decoder(Places(document.origin))
    config = decoder.config(document.root)
    return config.tariff, [str(problem).removeprefix("tariff.yml:") for problem in decoder.problems]


def load(text: str) -> Tariff:
    """Give the section of a text whose values are all accepted."""
    section, problems = decode(text)
    assert problems == []
    assert section is not None
    return section
