"""What the page says of the whole node and of the house: all that the meters told, and nothing else."""

from __future__ import annotations

from dataclasses import replace

from tests.exporter.pages import Samples, parsed, samples_of, value
from tests.exporter.snapshots import snapshot
from wattledger.exporter.catalog.family import Kind
from wattledger.exporter.catalog.node import FAMILIES
from wattledger.exporter.node import NO_NODE, NodeSourceHealth, NodeView
from wattledger.exporter.render import Format, Renderer
from wattledger.rules.chain.chain import Stage
from wattledger.rules.chain.node_energy import NodeBasis
from wattledger.rules.chain.node_model import NodeSource, NodeTotal
from wattledger.rules.chain.totals import FacilityTotal
from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.quantity import Gap

REDFISH = ("node", NodeSource.REDFISH)
PACKAGE = ("package-0", NodeSource.RAPL)
VIEW = NodeView(
    sources=(
        NodeSourceHealth(NodeSource.RAPL, success=True, duration_ns=250_000),
        NodeSourceHealth(NodeSource.REDFISH, reason=Gap.TIMEOUT, detail="no answer", duration_ns=5 * NS_PER_SECOND),
        NodeSourceHealth(NodeSource.IPMI),
    ),
    totals=(
        NodeTotal(*PACKAGE, energy_mj=7_200_001, resets=2),
        NodeTotal(*REDFISH, energy_mj=9_000_000_500, unmetered_ns=90 * NS_PER_SECOND),
    ),
    powers_mw={PACKAGE: 143_250},
    basis=NodeBasis.METERED,
    meter=REDFISH,
    residual_mw=-12_500,
    facility=FacilityTotal(9_000_000_000, {Stage.PSU: 450_000_000, Stage.COOLING: 1_800_000_250}),
)


def page(view: NodeView, page_format: Format = Format.TEXT) -> Samples:
    page_text = Renderer(FAMILIES).render(replace(snapshot(), node=view), page_format)
    return samples_of(parsed(page_text, page_format))


def test_every_meter_shows_what_it_counted_and_what_it_did_not_see() -> None:
    found = page(VIEW)
    energy = "wattledger_node_energy_joules_total"
    assert value(found, energy, domain="package-0", source="rapl") == 7_200.001
    assert value(found, energy, domain="node", source="redfish") == 9_000_000.5
    assert value(found, "wattledger_node_unmetered_seconds_total", domain="node", source="redfish") == 90
    assert value(found, "wattledger_node_meter_resets_total", domain="package-0", source="rapl") == 2
    assert value(found, "wattledger_node_power_watts", domain="package-0", source="rapl") == 143.25


def test_sources_tell_how_they_are_doing_and_why_not() -> None:
    found = page(VIEW)
    success = {
        source: value(found, "wattledger_node_source_success", source=source)
        for source in ("rapl", "redfish", "ipmi")
    }
    assert success == {"rapl": 1, "redfish": 0, "ipmi": 0}
    assert value(found, "wattledger_node_source_absent_info", source="redfish", reason="timeout") == 1
    assert value(found, "wattledger_node_source_duration_seconds", source="rapl") == 0.00025
    assert sum(name == "wattledger_node_source_absent_info" for name, _ in found) == 1


def test_it_is_said_whose_word_the_node_is() -> None:
    found = page(VIEW)
    assert value(found, "wattledger_node_basis_info", basis="metered", domain="node", source="redfish") == 1
    assert value(found, "wattledger_node_residual_watts") == -12.5
    estimated = page(NodeView(basis=NodeBasis.ESTIMATED))
    assert value(estimated, "wattledger_node_basis_info", basis="estimated", domain="", source="") == 1


def test_the_house_is_the_load_and_its_losses() -> None:
    found = page(VIEW)
    losses = sum(number for (name, _), number in found.items() if name == "wattledger_facility_loss_joules_total")
    assert value(found, "wattledger_facility_energy_joules_total") == 9_000_000 + losses == 11_250_000.25
    assert value(found, "wattledger_facility_loss_joules_total", stage="psu") == 450_000


def test_where_nothing_is_known_nothing_is_shown() -> None:
    assert page(NO_NODE) == {}


def test_both_formats_say_the_same_and_counters_are_counters() -> None:
    assert page(VIEW, Format.OPENMETRICS) == page(VIEW)
    kinds = {family.name: family.kind for family in FAMILIES}
    assert all((kind is Kind.COUNTER) is name.endswith("_total") for name, kind in kinds.items())
    assert len(kinds) == len(FAMILIES)
