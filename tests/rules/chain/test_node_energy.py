"""What the node took: the best meter speaks, an estimate says so, and nothing is claimed from parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattledger.rules.chain.node_energy import DomainEnergy, NodeBasis, node_energy, slots_of
from wattledger.rules.chain.node_model import MeteredAt, NodeInterval, NodeKey, NodeSource
from wattledger.rules.instant import NS_PER_SECOND, Instant

QUARTER_NS = 900 * NS_PER_SECOND
REDFISH = ("node", NodeSource.REDFISH)
IPMI = ("node", NodeSource.IPMI)
ACPI = ("node", NodeSource.HWMON)
PSYS = ("psys", NodeSource.RAPL)


def of(joules: int, *, covered: float = 1.0) -> DomainEnergy:
    return DomainEnergy(joules * 1_000, round(QUARTER_NS * covered))


PARTS = {
    ("package-0", NodeSource.RAPL): of(100),
    ("package-1", NodeSource.RAPL): of(90),
    ("dram-0", NodeSource.RAPL): of(20),
    ("dram-1", NodeSource.RAPL): of(10),
    ("psu-0", NodeSource.HWMON): of(5_000),
}


def test_the_node_is_told_apart_into_gpus_processors_memory_and_a_rest() -> None:
    found = node_energy({REDFISH: of(1_000), **PARTS}, gpu_mj=600_000, duration_ns=QUARTER_NS)
    assert (found.basis, found.energy_mj, found.meter) == (NodeBasis.METERED, 1_000_000, REDFISH)
    assert (found.gpu_mj, found.cpu_mj, found.dram_mj, found.residual_mj) == (600_000, 190_000, 30_000, 180_000)
    assert (found.unmetered_ns, found.reason) == (0, "")


@pytest.mark.parametrize(
    ("keys", "best", "at"),
    [
        ([PSYS, ACPI, IPMI, REDFISH], REDFISH, MeteredAt.SUPPLY_INPUT),
        ([PSYS, ACPI, IPMI], IPMI, MeteredAt.SUPPLY_INPUT),
        ([PSYS, ACPI], ACPI, MeteredAt.SUPPLY_INPUT),
        ([PSYS], PSYS, MeteredAt.SUPPLY_OUTPUT),
    ],
)
def test_the_best_meter_speaks_for_the_node(keys: list[NodeKey], best: NodeKey, at: MeteredAt) -> None:
    found = node_energy(dict.fromkeys(keys, of(1_000)), gpu_mj=0, duration_ns=QUARTER_NS)
    assert (found.meter, found.at) == (best, at)


def test_a_meter_that_was_silent_for_long_leaves_the_word_to_the_next() -> None:
    found = node_energy({REDFISH: of(500, covered=0.89), IPMI: of(900)}, gpu_mj=0, duration_ns=QUARTER_NS)
    assert found.meter == IPMI
    alone = node_energy({REDFISH: of(500, covered=0.89)}, gpu_mj=1, duration_ns=QUARTER_NS)
    assert (alone.basis, alone.energy_mj) == (NodeBasis.PARTIAL, None)
    assert "silent" in alone.reason
    assert "node by redfish" in alone.reason


def test_a_short_silence_is_stated_and_the_rest_is_not_computed_from_it() -> None:
    found = node_energy({REDFISH: of(950, covered=0.95)}, gpu_mj=600_000, duration_ns=QUARTER_NS)
    assert (found.energy_mj, found.unmetered_ns, found.residual_mj) == (950_000, QUARTER_NS // 20, None)


def test_meters_that_contradict_each_other_show_a_rest_below_0() -> None:
    found = node_energy({REDFISH: of(700)}, gpu_mj=900_000, duration_ns=QUARTER_NS)
    assert (found.energy_mj, found.residual_mj) == (700_000, -200_000)


def test_a_platform_counter_that_is_wired_to_nothing_is_no_meter() -> None:
    found = node_energy({PSYS: of(0), **PARTS}, gpu_mj=600_000, duration_ns=QUARTER_NS)
    assert (found.basis, found.energy_mj) == (NodeBasis.PARTIAL, None)


def test_parts_alone_claim_nothing_for_the_node() -> None:
    found = node_energy(PARTS, gpu_mj=600_000, duration_ns=QUARTER_NS)
    assert (found.basis, found.energy_mj, found.residual_mj) == (NodeBasis.PARTIAL, None, None)
    assert (found.cpu_mj, found.dram_mj) == (190_000, 30_000)
    assert "no meter of the whole node" in found.reason


def test_a_configured_overhead_is_an_estimate_and_gives_way_to_a_meter() -> None:
    estimated = node_energy(PARTS, gpu_mj=600_000, duration_ns=QUARTER_NS, overhead_mw=300_000)
    assert (estimated.basis, estimated.energy_mj) == (NodeBasis.ESTIMATED, 600_000 + 270_000_000)
    assert estimated.at is MeteredAt.SUPPLY_OUTPUT
    metered = node_energy({IPMI: of(1_000)}, gpu_mj=0, duration_ns=QUARTER_NS, overhead_mw=300_000)
    assert metered.basis is NodeBasis.METERED


def test_processors_are_taken_from_one_source_and_only_whole() -> None:
    both = {("package-0", NodeSource.HWMON): of(80), ("package-0", NodeSource.RAPL): of(100)}
    assert node_energy(both, gpu_mj=0, duration_ns=QUARTER_NS).cpu_mj == 100_000
    gap = {("package-0", NodeSource.RAPL): of(100), ("package-1", NodeSource.RAPL): of(50, covered=0.5)}
    assert node_energy(gap, gpu_mj=0, duration_ns=QUARTER_NS).cpu_mj is None


def interval(start_ns: int, length_ns: int, energy_mj: int | None) -> NodeInterval:
    return NodeInterval(
        "node", NodeSource.IPMI, Instant(5, start_ns), Instant(5 + length_ns, start_ns + length_ns), energy_mj
    )


def test_an_interval_is_cut_at_the_borders_of_wall_time() -> None:
    start = 7 * QUARTER_NS - 10 * NS_PER_SECOND
    assert slots_of(interval(start, 30 * NS_PER_SECOND, 301), QUARTER_NS) == [
        (6, DomainEnergy(100, 10 * NS_PER_SECOND)),
        (7, DomainEnergy(201, 20 * NS_PER_SECOND)),
    ]
    assert slots_of(interval(7 * QUARTER_NS, QUARTER_NS, 9), QUARTER_NS) == [(7, DomainEnergy(9, QUARTER_NS))]
    assert slots_of(interval(start, 30, None), QUARTER_NS) == []


@given(st.integers(0, 10**13), st.integers(1, 10**13), st.integers(0, 10**12), st.integers(10**9, 10**12))
def test_law_the_parts_of_an_interval_sum_to_it(start_ns: int, length_ns: int, energy_mj: int, slot_ns: int) -> None:
    parts = slots_of(interval(start_ns, length_ns, energy_mj), slot_ns) if length_ns // slot_ns < 1_000 else []
    if parts:
        assert sum((part for _, part in parts), DomainEnergy()) == DomainEnergy(energy_mj, length_ns)
        assert [slot for slot, _ in parts] == list(
            range(start_ns // slot_ns, (start_ns + length_ns - 1) // slot_ns + 1)
        )
