"""The power chain: stages sum to what the house took, whichever side of the supplies the meter sits on."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattledger.rules.chain.chain import Chain, FacilityEnergy, PowerPath, Pue, Stage, facility_energy
from wattledger.rules.chain.cooling import Cooling
from wattledger.rules.chain.curve import PPM, Curve, CurvePoint
from wattledger.rules.chain.node_model import MeteredAt
from wattledger.rules.chain.pdu import Pdu
from wattledger.rules.chain.psu import Psu
from wattledger.rules.chain.totals import FacilityTotal
from wattledger.rules.chain.ups import Ups
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND

TITANIUM = Curve(
    "titanium",
    (
        CurvePoint(100_000, 900_000),
        CurvePoint(200_000, 940_000),
        CurvePoint(500_000, 960_000),
        CurvePoint(PPM, 910_000),
    ),
)
DOUBLE = Curve("double", (CurvePoint(250_000, 945_000), CurvePoint(500_000, 960_000), CurvePoint(PPM, 957_000)))
CHAIN = Chain(Psu(TITANIUM, 3_000_000, 4), Pdu(990_000), Ups(DOUBLE, 15_000_000), Cooling(cop_permille=4_000))
HOUR_MJ_PER_KW = 3_600_000_000

curves = st.sampled_from([TITANIUM, DOUBLE, Curve.constant("flat", 930_000)])
ratings = st.integers(1_000, 50_000_000)
coolings = st.one_of(
    st.integers(100, 100_000).map(lambda cop: Cooling(cop_permille=cop)),
    st.integers(PPM, 5 * PPM).map(lambda part: Cooling(pue_part_ppm=part)),
)
chains = st.builds(
    Chain,
    st.none() | st.builds(Psu, curves, ratings, st.integers(1, 6)),
    st.none() | st.builds(Pdu, st.integers(100_000, PPM)),
    st.none() | st.builds(Ups, curves, ratings),
    st.none() | coolings,
)
paths = chains | st.builds(Pue, st.integers(PPM, 10 * PPM))
energies = st.integers(0, 10**13)
durations = st.integers(1, 2 * NS_PER_HOUR)
sides = st.sampled_from(MeteredAt)


def losses_of(energy: FacilityEnergy) -> dict[Stage, int]:
    return {loss.stage: loss.energy_mj for loss in energy.losses}


def test_each_stage_feeds_on_the_ones_inside_it() -> None:
    # 6 kW for an hour behind the supplies: 50 % of 4 x 3 kW, 96 %; then 99 %; then 6.313 of 15 kW; then a quarter.
    found = facility_energy(CHAIN, 6 * HOUR_MJ_PER_KW, NS_PER_HOUR, at=MeteredAt.SUPPLY_OUTPUT)
    node = 6 / 0.96
    fed = node / 0.99
    load = fed / 15
    through = fed / (0.945 + (load - 0.25) / 0.25 * 0.015)
    watt_hours = {stage: energy_mj / 3_600_000 for stage, energy_mj in losses_of(found).items()}
    assert watt_hours == pytest.approx(
        {
            Stage.PSU: 1000 * (node - 6),
            Stage.PDU: 1000 * (fed - node),
            Stage.UPS: 1000 * (through - fed),
            Stage.COOLING: 1000 * through / 4,
        }
    )
    assert found.total_mj == pytest.approx(HOUR_MJ_PER_KW * through * 1.25, rel=1e-9)
    assert found.node_mj == pytest.approx(HOUR_MJ_PER_KW * node, rel=1e-9)
    assert [loss.load_ppm for loss in found.losses] == [500_000, None, pytest.approx(load * PPM, abs=2), None]


def test_a_meter_in_front_of_the_supplies_has_their_loss_in_it_already() -> None:
    behind = facility_energy(CHAIN, 6 * HOUR_MJ_PER_KW, NS_PER_HOUR, at=MeteredAt.SUPPLY_OUTPUT)
    before = facility_energy(CHAIN, behind.node_mj, NS_PER_HOUR, at=MeteredAt.SUPPLY_INPUT)
    assert before.node_mj == behind.node_mj
    assert before.load_mj == pytest.approx(6 * HOUR_MJ_PER_KW, abs=2)
    assert losses_of(before) == pytest.approx(losses_of(behind), abs=2)
    assert before.total_mj == pytest.approx(behind.total_mj, abs=2)


def test_redundant_supplies_share_the_load_and_lose_more() -> None:
    one = facility_energy(Chain(Psu(TITANIUM, 3_000_000, 1)), HOUR_MJ_PER_KW, NS_PER_HOUR, at=MeteredAt.SUPPLY_OUTPUT)
    four = facility_energy(
        Chain(Psu(TITANIUM, 3_000_000, 4)), HOUR_MJ_PER_KW, NS_PER_HOUR, at=MeteredAt.SUPPLY_OUTPUT
    )
    assert [found.losses[0].load_ppm for found in (one, four)] == [333_333, 83_333]
    assert four.total_mj > one.total_mj


def test_the_part_of_the_pue_is_of_the_node_and_the_coefficient_of_all_heat() -> None:
    inside = Chain(pdu=Pdu(500_000))
    part = facility_energy(replace(inside, cooling=Cooling(pue_part_ppm=1_200_000)), 1_000, NS_PER_SECOND)
    heat = facility_energy(replace(inside, cooling=Cooling(cop_permille=5_000)), 1_000, NS_PER_SECOND)
    assert losses_of(part) == {Stage.PDU: 1_000, Stage.COOLING: 200}
    assert losses_of(heat) == {Stage.PDU: 1_000, Stage.COOLING: 400}


def test_a_pue_is_one_stage_that_is_not_told_apart() -> None:
    found = facility_energy(Pue(1_250_000), 4_000, NS_PER_SECOND)
    assert (found.load_mj, found.node_mj, losses_of(found), found.total_mj) == (
        4_000,
        4_000,
        {Stage.OVERHEAD: 1_000},
        5_000,
    )


@pytest.mark.parametrize(
    ("path", "at", "without"),
    [
        (Pue(PPM), MeteredAt.SUPPLY_OUTPUT, True),
        (Chain(pdu=Pdu(PPM)), MeteredAt.SUPPLY_OUTPUT, True),
        (Pue(PPM), MeteredAt.SUPPLY_INPUT, False),
        (CHAIN, MeteredAt.SUPPLY_OUTPUT, False),
    ],
)
def test_it_is_said_where_the_loss_of_the_supplies_is_not_known(
    path: PowerPath, at: MeteredAt, without: bool
) -> None:
    assert facility_energy(path, 1_000, NS_PER_SECOND, at=at).without_psu is without


def test_supplies_that_are_plugged_in_take_power_at_no_load() -> None:
    found = facility_energy(Chain(Psu(TITANIUM, 1_000_000)), 0, NS_PER_SECOND, at=MeteredAt.SUPPLY_OUTPUT)
    assert 0 < found.total_mj < 11_111


@pytest.mark.parametrize(("node_mj", "duration_ns"), [(-1, 1), (1, 0), (1, -1)])
def test_neither_negative_energy_nor_no_time_is_taken(node_mj: int, duration_ns: int) -> None:
    with pytest.raises(ValueError, match="mJ in"):
        facility_energy(CHAIN, node_mj, duration_ns)


def test_numbers_that_no_house_has_are_refused() -> None:
    for make in (
        lambda: Pue(PPM - 1),
        lambda: Pdu(0),
        lambda: Pdu(PPM + 1),
        Cooling,
        lambda: Cooling(1_000, PPM),
        lambda: Cooling(cop_permille=0),
        lambda: Cooling(pue_part_ppm=PPM - 1),
        lambda: Ups(DOUBLE),
    ):
        with pytest.raises(ValueError, match=r"PUE|efficiency|coefficient|rating"):
            make()


@given(paths, energies, durations, sides)
def test_law_load_and_losses_sum_to_what_the_house_took(
    path: PowerPath, node_mj: int, duration_ns: int, at: MeteredAt
) -> None:
    found = facility_energy(path, node_mj, duration_ns, at=at)
    assert found.load_mj + sum(losses_of(found).values()) == found.total_mj
    assert min(losses_of(found).values(), default=0) >= 0
    inside = found.losses[0].energy_mj if found.losses and found.losses[0].stage is Stage.PSU else 0
    assert found.load_mj + inside == found.node_mj
    assert (found.load_mj if at is MeteredAt.SUPPLY_OUTPUT else found.node_mj) == node_mj


@given(paths, energies, st.integers(0, 10**9), durations, sides)
def test_law_more_energy_in_the_node_is_never_less_at_the_house(
    path: PowerPath, node_mj: int, more_mj: int, duration_ns: int, at: MeteredAt
) -> None:
    less = facility_energy(path, node_mj, duration_ns, at=at)
    more = facility_energy(path, node_mj + more_mj, duration_ns, at=at)
    assert less.total_mj <= more.total_mj


@given(paths, st.integers(0, 10**9), st.integers(1, 10**9), st.integers(1, 50), sides)
def test_law_at_one_power_it_does_not_matter_how_time_is_cut(
    path: PowerPath, part_mj: int, part_ns: int, parts: int, at: MeteredAt
) -> None:
    whole = facility_energy(path, part_mj * parts, part_ns * parts, at=at)
    part = facility_energy(path, part_mj, part_ns, at=at)
    assert abs(whole.total_mj - part.total_mj * parts) <= parts


@given(st.lists(st.tuples(paths, energies), max_size=8))
def test_law_totals_are_the_sums_of_what_was_added(added: list[tuple[PowerPath, int]]) -> None:
    total = FacilityTotal()
    expected = 0
    for path, node_mj in added:
        energy = facility_energy(path, node_mj, NS_PER_HOUR)
        before, total = total, total.plus(energy)
        expected += energy.total_mj
        assert all(total.losses_mj[stage] >= mj for stage, mj in before.losses_mj.items())
    assert total.total_mj == expected
