"""Entries of `supply` out of YAML text, as the configuration reads them; mistakes among them are left to the test."""

from pathlib import Path

from wattledger.agent.config.decode import Decoder
from wattledger.agent.config.document import parse_document
from wattledger.agent.config.problem import Origin, Places
from wattledger.agent.config.supply_schema import SupplyEntry
from wattledger.rules.instant import NS_PER_HOUR

METER = "meter: {kind: csv, path: meter.csv}"


def supply_entries(text: str) -> tuple[SupplyEntry, ...]:
    """Give the entries of a YAML list below `supply`."""
    document = parse_document(text if text.startswith("supply:") else f"supply:\n{text}", Origin("c.yml", Path("/")))
    decoder = Decoder(Places(document.origin))
    entries = decoder.config(document.root).supply
    assert [*document.problems, *decoder.problems] == []
    return entries


def utc_hour(text: str) -> int:
    """Give the UTC hour of a time such as 2026-07-01T12:00:00+08:00."""
    (entry,) = supply_entries(f"- {{kind: contract, name: x, from: {text}}}")
    assert entry.from_wall_ns is not None
    return entry.from_wall_ns // NS_PER_HOUR
