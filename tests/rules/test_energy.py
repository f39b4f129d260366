"""The meter on a board whose truth is known: every case of DESIGN section 5."""

import pytest

from tests.rules.gpu_model import GpuModel
from tests.rules.meter_bench import MeterBench
from wattledger.rules.energy import EnergyChoice, EnergyMeter, EnergyPolicy, Measurement
from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.quantity import Gap, Quantity
from wattledger.rules.reading import EnergyScope
from wattledger.rules.state import Method


def test_the_counter_books_exactly_what_was_drawn() -> None:
    bench = MeterBench()
    bench.run(10, watts=100)
    bench.run(10, watts=650)
    assert bench.booked_mj == bench.truth_mj == 7_500_000
    assert {segment.method for segment in bench.segments} == {Method.COUNTER}
    assert all(segment.observed for segment in bench.segments)


def test_what_the_board_drew_before_it_was_first_seen_is_not_ours() -> None:
    gpu = GpuModel()
    gpu.advance(3600)
    bench = MeterBench(gpu)
    bench.run(1)
    assert bench.booked_mj == 100_000


def test_energy_of_a_stopped_agent_is_booked_at_its_next_start_and_marked_unobserved() -> None:
    bench = MeterBench()
    bench.run(5)
    bench.restart_agent()
    bench.gpu.power_mw = 300_000
    bench.gpu.advance(7200)
    bench.read()
    assert bench.booked_mj == bench.truth_mj
    assert [segment.observed for segment in bench.segments] == [True] * 5 + [False]
    bench.run(1)
    assert bench.segments[-1].observed


def test_a_counter_that_falls_to_zero_once_and_comes_back_counts_nothing_twice() -> None:
    bench = MeterBench(GpuModel(has_uptime=False))
    bench.run(100)
    bench.gpu.overrides[Quantity.ENERGY_MJ] = 0
    bench.run(2)
    bench.gpu.overrides.clear()
    bench.run(5)
    assert bench.booked_mj == bench.truth_mj
    assert bench.totals.resets == bench.totals.rejected == 0


def test_a_leap_that_no_board_can_draw_is_waited_out() -> None:
    bench = MeterBench()
    bench.run(10)
    bench.gpu.overrides[Quantity.ENERGY_MJ] = 2**40
    bench.run(2)
    bench.gpu.overrides.clear()
    bench.run(3)
    assert bench.booked_mj == bench.truth_mj
    assert bench.totals.rejected == 0


def test_a_leap_that_stays_is_rejected_and_the_gap_filled_from_power() -> None:
    bench = MeterBench()
    bench.run(10)
    bench.gpu.counter_from_mw_ns -= 2**40 * NS_PER_SECOND
    bench.run(10)
    assert bench.totals.rejected == 1
    assert bench.totals.unknown_ns == 0
    assert bench.booked_mj == bench.truth_mj
    assert Method.AVERAGE_POWER in {segment.method for segment in bench.segments}


def test_a_leap_that_stays_without_power_states_the_time_unknown() -> None:
    bench = MeterBench()
    bench.gpu.gaps = {Quantity.POWER_AVERAGE_MW: Gap.FAILED, Quantity.POWER_INSTANT_MW: Gap.FAILED}
    bench.run(10)
    bench.gpu.counter_from_mw_ns -= 2**40 * NS_PER_SECOND
    bench.run(3)
    assert bench.totals.rejected == 1
    assert bench.totals.unknown_ns == 3 * NS_PER_SECOND


def test_a_counter_that_fails_for_a_while_loses_nothing() -> None:
    bench = MeterBench()
    bench.run(5)
    bench.gpu.gaps[Quantity.ENERGY_MJ] = Gap.FAILED
    bench.run(30, watts=400)
    assert bench.booked_mj == 500_000
    del bench.gpu.gaps[Quantity.ENERGY_MJ]
    bench.run(1)
    assert bench.booked_mj == bench.truth_mj


def test_a_counter_that_fails_for_long_is_replaced_by_power_without_a_seam() -> None:
    bench = MeterBench()
    bench.run(5)
    bench.gpu.gaps[Quantity.ENERGY_MJ] = Gap.FAILED
    bench.run(400)
    assert bench.method() is Method.AVERAGE_POWER
    assert bench.booked_mj == bench.truth_mj
    del bench.gpu.gaps[Quantity.ENERGY_MJ]
    bench.run(10)
    assert bench.method() is Method.COUNTER
    assert bench.booked_mj == bench.truth_mj


@pytest.mark.parametrize(("average", "method"), [(True, Method.AVERAGE_POWER), (False, Method.INSTANT_POWER)])
def test_without_a_counter_power_is_integrated(average: bool, method: Method) -> None:
    bench = MeterBench(GpuModel(has_counter=False, has_average=average))
    bench.run(60)
    assert bench.booked_mj == bench.truth_mj
    assert bench.method() is method


def test_power_is_not_integrated_over_a_silence() -> None:
    bench = MeterBench(GpuModel(has_counter=False))
    bench.run(10)
    bench.gpu.advance(60)
    bench.read()
    assert bench.segments[-1].energy_mj is None
    assert not bench.segments[-1].observed
    assert bench.totals.unknown_ns == 60 * NS_PER_SECOND
    bench.run(10)
    assert bench.booked_mj == bench.truth_mj - 6_000_000


def test_one_failed_power_reading_is_bridged() -> None:
    bench = MeterBench(GpuModel(has_counter=False))
    bench.run(5)
    bench.gpu.gaps = {Quantity.POWER_AVERAGE_MW: Gap.FAILED, Quantity.POWER_INSTANT_MW: Gap.FAILED}
    bench.run(1)
    bench.gpu.gaps = {}
    bench.run(5)
    assert bench.booked_mj == bench.truth_mj
    assert bench.totals.unknown_ns == 0


def test_a_device_with_no_energy_at_all_books_time_and_no_joule() -> None:
    nothing = dict.fromkeys((Quantity.POWER_AVERAGE_MW, Quantity.POWER_INSTANT_MW), Gap.UNSUPPORTED)
    bench = MeterBench(GpuModel(has_counter=False, gaps=nothing))
    bench.run(40)
    assert bench.segments
    assert all(segment.energy_mj is None for segment in bench.segments)
    assert bench.method() is None


def test_a_lost_device_waits_in_its_counter() -> None:
    bench = MeterBench()
    bench.run(5)
    bench.run(100, up=False)
    bench.run(1)
    assert bench.booked_mj == bench.truth_mj
    assert not bench.segments[-1].observed


def test_the_operator_can_have_power_instead_of_the_counter_and_back() -> None:
    bench = MeterBench(policy=EnergyPolicy(choice=EnergyChoice.POWER))
    bench.run(5)
    assert bench.method() is Method.AVERAGE_POWER
    bench.meter.policy = EnergyPolicy(choice=EnergyChoice.AUTO)
    bench.run(5)
    assert bench.method() is Method.COUNTER
    bench.meter.policy = EnergyPolicy(choice=EnergyChoice.POWER)
    bench.run(5)
    assert bench.method() is Method.AVERAGE_POWER
    assert bench.booked_mj == bench.truth_mj


def test_nothing_but_the_counter_means_no_energy_without_it() -> None:
    bench = MeterBench(GpuModel(has_counter=False), EnergyPolicy(choice=EnergyChoice.COUNTER))
    bench.run(5)
    assert bench.booked_mj == 0
    assert bench.method() is None
    assert bench.totals.unknown_ns == 5 * NS_PER_SECOND


def test_a_counter_that_disagrees_for_three_minutes_is_suspect_until_it_agrees_as_long() -> None:
    bench = MeterBench()
    bench.run(120)
    assert bench.meter.divergence.ratio == pytest.approx(1.0)
    gpu = bench.gpu

    def drift(seconds: int) -> None:
        for _ in range(seconds):
            gpu.advance(1)
            gpu.counter_from_mw_ns += round(0.43 * gpu.power_mw * NS_PER_SECOND)  # the counter sees 57 %
            bench.read()

    drift(120)
    assert not bench.suspect()
    drift(60)
    assert bench.suspect()
    assert bench.meter.divergence.ratio == pytest.approx(0.57, abs=0.01)
    bench.run(181)
    assert not bench.suspect()


def leap_of(bench: MeterBench, millijoules: int) -> None:
    """Let a second pass in which the counter grows by so much."""
    bench.gpu.advance(1)
    bench.gpu.counter_from_mw_ns += (bench.gpu.power_mw - millijoules) * NS_PER_SECOND
    bench.read()


@pytest.mark.parametrize(
    ("limits", "scope", "most_mj"),
    [
        ({Quantity.POWER_LIMIT_MAX_MW: 700_000}, EnergyScope.GPU, 962_500),
        ({Quantity.POWER_LIMIT_ENFORCED_MW: 300_000}, EnergyScope.GPU, 412_500),
        ({}, EnergyScope.GPU, 6_875_000),
        ({Quantity.POWER_LIMIT_MAX_MW: 700_000}, EnergyScope.MODULE, 6_875_000),
    ],
)
@pytest.mark.parametrize("beyond", [0, 1])
def test_a_second_is_believed_up_to_what_the_limit_allows(
    limits: dict[Quantity, int], scope: EnergyScope, most_mj: int, beyond: int
) -> None:
    """110 % of the largest limit over the second and a quarter of one more; a module's limit is not the GPU's."""
    gpu = GpuModel(energy_scope=scope, gaps={Quantity.POWER_LIMIT_MAX_MW: Gap.UNSUPPORTED})
    gpu.overrides |= limits
    if Quantity.POWER_LIMIT_MAX_MW in limits:
        gpu.gaps.clear()
    bench = MeterBench(gpu)
    leap_of(bench, most_mj + beyond)
    assert bench.booked_mj == (0 if beyond else most_mj)


def test_leaps_with_good_readings_between_them_confirm_nothing() -> None:
    bench = MeterBench()
    for step in range(9):
        bench.run(1)
        bench.gpu.overrides[Quantity.ENERGY_MJ] = 2**40 + step
        bench.run(1)
        bench.gpu.overrides.clear()
    bench.run(1)
    assert bench.totals.rejected == 0
    assert bench.booked_mj == bench.truth_mj


def test_leaps_that_do_not_follow_from_one_another_confirm_nothing() -> None:
    bench = MeterBench()
    for value in (2**40, 2**50, 2**45, 2**55, 2**42):
        bench.gpu.overrides[Quantity.ENERGY_MJ] = value
        bench.run(1)
    bench.gpu.overrides.clear()
    bench.run(1)
    assert bench.totals.rejected == 0
    assert bench.booked_mj == bench.truth_mj


def test_power_books_the_interval_that_began_under_it_and_none_after() -> None:
    bench = MeterBench(GpuModel(has_counter=False), EnergyPolicy(choice=EnergyChoice.POWER))
    bench.run(5)
    bench.meter.policy = EnergyPolicy(choice=EnergyChoice.COUNTER)
    bench.run(5)
    assert bench.booked_mj == 600_000
    assert bench.totals.unknown_ns == 4 * NS_PER_SECOND


def test_a_restart_of_the_counters_is_told_while_power_is_what_is_booked() -> None:
    bench = MeterBench(GpuModel(has_counter=False))
    bench.run(5)
    assert not bench.totals.epoch_changed
    bench.gpu.reset()
    bench.run(1)
    assert bench.totals.epoch_changed


def test_a_counter_between_two_of_its_steps_books_time_and_no_joule() -> None:
    bench = MeterBench()
    bench.gpu.overrides[Quantity.ENERGY_MJ] = 0
    bench.run(1)
    (segment,) = bench.segments
    assert (segment.energy_mj, segment.method) == (0, Method.COUNTER)


def test_before_the_first_reading_nothing_is_measured_by_anything() -> None:
    meter = EnergyMeter(EnergyPolicy())
    assert meter.method is None
    assert meter.read(GpuModel().reading(up=False), GpuModel().host) == Measurement()


def test_power_that_fails_is_waited_for_as_long_as_a_gap_is_bridged() -> None:
    bench = MeterBench(GpuModel(has_counter=False))
    bench.gpu.gaps = {Quantity.POWER_AVERAGE_MW: Gap.FAILED, Quantity.POWER_INSTANT_MW: Gap.FAILED}
    bench.run(10)
    assert bench.segments == []
    bench.run(1)
    assert [segment.unknown_ns for segment in bench.segments] == [11 * NS_PER_SECOND]


@pytest.mark.parametrize(("seconds", "observed"), [(10, True), (10.001, False), (-1, False)])
def test_a_silence_is_longer_than_the_gap(seconds: float, observed: bool) -> None:
    bench = MeterBench()
    bench.run(1)
    bench.run(1, every=seconds)
    bench.run(1)
    assert [segment.observed for segment in bench.segments][:2] == [True, observed]
