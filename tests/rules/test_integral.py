"""Integration of power by itself, and what the meter makes of it when the counter is away."""

import pytest

from tests.rules.gpu_model import GpuModel
from tests.rules.meter_bench import MeterBench
from wattledger.rules.energy import EnergyChoice, EnergyPolicy
from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.integral import PowerIntegral
from wattledger.rules.quantity import Gap, Quantity
from wattledger.rules.reading import Reading
from wattledger.rules.state import Method

GAP_NS = 10 * NS_PER_SECOND
NO_POWER = {Quantity.POWER_AVERAGE_MW: Gap.FAILED, Quantity.POWER_INSTANT_MW: Gap.FAILED}
NO_COUNTER = {Quantity.ENERGY_MJ: Gap.FAILED}


def at(second: float, *, average: int | None = None, instant: int | None = None) -> Reading:
    gpu = GpuModel(mono_ns=round(second * NS_PER_SECOND), has_average=average is not None)
    if average is not None:
        gpu.overrides[Quantity.POWER_AVERAGE_MW] = average
    if instant is not None:
        gpu.overrides[Quantity.POWER_INSTANT_MW] = instant
    elif average is None:
        gpu.gaps[Quantity.POWER_INSTANT_MW] = Gap.FAILED
    return gpu.reading()


def integrated(*readings: Reading) -> PowerIntegral:
    integral = PowerIntegral()
    for reading in readings:
        integral.add(reading, gap_ns=GAP_NS)
    return integral


def test_an_average_stands_for_its_second_and_the_trapezoid_joins_the_rest() -> None:
    integral = integrated(at(0, average=100_000), at(3, average=300_000))
    assert integral.energy_mj == 300_000 + 2 * 200_000
    assert integral.method is Method.AVERAGE_POWER


def test_instant_power_is_joined_by_the_trapezoid() -> None:
    integral = integrated(at(0, instant=100_000), at(3, instant=300_000))
    assert integral.energy_mj == 600_000
    assert integral.method is Method.INSTANT_POWER


def test_below_a_second_an_average_counts_for_its_time_only() -> None:
    assert integrated(at(0, average=0), at(0.5, average=100_000)).energy_mj == 50_000


def test_power_that_changes_its_meaning_is_still_power() -> None:
    integral = integrated(at(0, average=100_000), at(1, instant=200_000), at(2, average=300_000))
    assert integral.covered_ns == 2 * NS_PER_SECOND
    assert integral.energy_mj == 150_000 + 300_000


def test_a_silence_of_the_gap_is_bridged_and_a_longer_one_is_not() -> None:
    assert integrated(at(0, average=1000), at(10, average=1000)).covered_ns == GAP_NS
    assert integrated(at(0, average=1000), at(10.001, average=1000)).covered_ns == 0


def test_a_reading_without_power_is_passed_over_and_says_so() -> None:
    integral = integrated(at(0, instant=1000))
    assert not integral.add(at(1), gap_ns=GAP_NS)
    assert integral.add(at(2, instant=1000), gap_ns=GAP_NS)
    assert integral.energy_mj == 2000


def test_time_that_stands_still_or_runs_backwards_adds_nothing() -> None:
    integral = integrated(at(5, average=1000), at(5, average=1000), at(4, average=1000))
    assert (integral.energy_mj, integral.covered_ns) == (0, 0)


def test_what_is_below_a_millijoule_is_carried_over_a_restart() -> None:
    integral, total = integrated(at(0, instant=1)), 0
    for step in range(1, 101):
        reading = at(step / 4, instant=1)
        integral.add(reading, gap_ns=GAP_NS)
        total += integral.energy_mj
        integral.restart(reading.at)
    assert total == 25


def test_only_an_exact_cover_covers() -> None:
    integral = integrated(at(0, average=1000), at(2, average=1000))
    assert integral.covering(2 * NS_PER_SECOND) == 2000
    assert integral.covering(3 * NS_PER_SECOND) is None
    assert PowerIntegral().covering(0) is None


def test_after_a_restart_without_power_nothing_is_measured() -> None:
    integral = integrated(at(0, average=1000))
    integral.restart(at(1).at)
    assert integral.method is None
    integral.add(at(2, average=1000), gap_ns=GAP_NS)
    assert integral.covered_ns == 0


def test_power_that_fails_every_other_second_loses_nothing() -> None:
    bench = MeterBench(GpuModel(has_counter=False))
    for second in range(60):
        bench.gpu.gaps = {Quantity.POWER_AVERAGE_MW: Gap.FAILED} if second % 2 else {}
        bench.run(1)
    assert bench.booked_mj == bench.truth_mj
    assert bench.totals.unknown_ns == 0


def test_the_method_is_none_while_power_is_away() -> None:
    bench = MeterBench(GpuModel(has_counter=False))
    bench.run(5)
    bench.gpu.gaps = dict(NO_POWER)
    bench.run(30)
    assert bench.method() is None


@pytest.mark.parametrize("seconds", [299, 300, 301, 302])
def test_a_failing_counter_is_waited_for_five_minutes(seconds: int) -> None:
    bench = MeterBench()
    bench.gpu.gaps = dict(NO_COUNTER)
    bench.run(seconds)
    assert bench.booked_mj == (0 if seconds <= 300 else seconds * 100_000)


def test_a_counter_that_stays_away_after_a_restart_of_the_agent_withholds_power_for_an_hour_at_most() -> None:
    bench = MeterBench()
    bench.run(5)
    bench.restart_agent()
    bench.gpu.gaps = dict(NO_COUNTER)
    bench.gpu.advance(100)
    bench.run(3601)
    assert bench.booked_mj == 500_000, "the counter may yet tell"
    bench.run(1)
    assert bench.booked_mj == 500_000 + 3601 * 100_000
    bench.run(99)
    assert bench.booked_mj == bench.truth_mj - 101 * 100_000
    assert bench.totals.unknown_ns == 101 * NS_PER_SECOND
    assert bench.method() is Method.AVERAGE_POWER


def test_a_counter_that_comes_back_within_the_hour_tells_all() -> None:
    bench = MeterBench()
    bench.restart_agent()
    bench.gpu.gaps = dict(NO_COUNTER)
    bench.gpu.advance(100)
    bench.run(3500)
    bench.gpu.gaps = {}
    bench.run(1)
    assert bench.booked_mj == bench.truth_mj
    assert bench.totals.unknown_ns == 0


def test_a_leap_is_filled_from_power_as_far_as_power_was_known() -> None:
    bench = MeterBench()
    bench.gpu.gaps = {**NO_COUNTER, **NO_POWER}
    bench.run(20)
    bench.gpu.gaps = {}
    bench.gpu.counter_from_mw_ns -= 2**40 * NS_PER_SECOND
    bench.run(3)
    assert bench.totals.rejected == 1
    assert bench.booked_mj == 200_000
    assert bench.totals.unknown_ns == 21 * NS_PER_SECOND


def test_nothing_but_the_counter_fills_no_leap_from_power() -> None:
    bench = MeterBench(policy=EnergyPolicy(choice=EnergyChoice.COUNTER))
    bench.run(5)
    bench.gpu.counter_from_mw_ns -= 2**40 * NS_PER_SECOND
    bench.run(3)
    assert bench.booked_mj == 500_000
    assert bench.totals.unknown_ns == 3 * NS_PER_SECOND


@pytest.mark.parametrize("choice", list(EnergyChoice))
def test_a_counter_that_is_no_longer_offered_is_not_waited_for(choice: EnergyChoice) -> None:
    bench = MeterBench(policy=EnergyPolicy(choice=choice))
    bench.run(5)
    bench.gpu.gaps = {Quantity.ENERGY_MJ: Gap.UNSUPPORTED}
    bench.run(5)
    assert sum(segment.end.ns_since(segment.start) for segment in bench.segments) == 10 * NS_PER_SECOND
    assert bench.booked_mj == (500_000 if choice is EnergyChoice.COUNTER else 1_000_000)


def test_a_failing_counter_is_waited_for_without_end_where_nothing_but_it_is_wanted() -> None:
    bench = MeterBench(policy=EnergyPolicy(choice=EnergyChoice.COUNTER))
    bench.gpu.gaps = dict(NO_COUNTER)
    bench.run(4000)
    assert bench.segments == []
    bench.gpu.gaps = {}
    bench.run(1)
    assert bench.booked_mj == bench.truth_mj
