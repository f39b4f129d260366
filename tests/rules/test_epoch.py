"""Resets of the counter, and what looks like one: no joule twice, none before its time."""

import pytest

from tests.rules.gpu_model import GpuModel
from tests.rules.meter_bench import MeterBench
from wattledger.rules.account import Anchor
from wattledger.rules.epoch import CLOCK_DRIFT_PPM, elapsed_ns, restarted, since_restart_ns
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.quantity import Quantity

DAY = 86_400


def anchor(
    mono: int = 0, *, wall: int | None = None, boot: str = "b", driver: str = "1", uptime: int | None = None
) -> Anchor:
    at = Instant(mono * NS_PER_SECOND, (mono if wall is None else wall) * NS_PER_SECOND)
    return Anchor(at, boot_id=boot, driver_version=driver, counter_mj=0, uptime_seconds=uptime)


def day_old(**changes: object) -> MeterBench:
    gpu = GpuModel()
    for name, value in changes.items():
        setattr(gpu, name, value)
    gpu.advance(DAY)
    return MeterBench(gpu)


def test_a_reset_with_uptime_books_what_the_new_counter_says_and_states_the_rest_unknown() -> None:
    bench = MeterBench()
    bench.run(5)
    bench.restart_agent()
    bench.gpu.advance(100)
    bench.gpu.reset()
    bench.gpu.advance(40)
    bench.read()
    unknown, since = bench.segments[-2:]
    assert (unknown.energy_mj, unknown.method) == (None, None)
    assert since.energy_mj == 40 * 100_000
    assert unknown.end == since.start
    assert unknown.start == bench.segments[-3].end
    assert bench.totals.resets == 1
    assert bench.totals.unknown_ns == 100 * NS_PER_SECOND
    assert bench.totals.epoch_changed


def test_a_reset_is_seen_even_when_the_counter_has_grown_past_its_old_value() -> None:
    bench = MeterBench()
    bench.run(5)
    bench.restart_agent()
    bench.gpu.advance(10)
    bench.gpu.reset()
    bench.gpu.power_mw = 600_000
    bench.gpu.advance(600)
    bench.read()
    assert bench.totals.resets == 1
    assert bench.segments[-1].energy_mj == 600 * 600_000


def test_another_boot_is_a_reset_at_the_boot() -> None:
    bench = MeterBench(GpuModel(has_uptime=False))
    bench.run(5)
    bench.restart_agent()
    bench.gpu.advance(100)
    bench.gpu.reboot("boot-2")
    bench.gpu.advance(40)
    bench.read()
    assert bench.totals.resets == 1
    assert bench.segments[-1].energy_mj == 4_000_000
    assert bench.totals.unknown_ns == 100 * NS_PER_SECOND


def test_a_driver_of_another_version_is_a_reset_where_there_is_no_uptime() -> None:
    bench = MeterBench(GpuModel(has_uptime=False))
    bench.run(5)
    bench.restart_agent()
    bench.gpu.driver_version = "590.2"
    bench.gpu.reset()
    bench.gpu.advance(60)
    bench.read()
    assert bench.totals.resets == 1
    assert bench.segments[-1].energy_mj == 6_000_000


def test_a_reset_without_any_other_sign_is_believed_after_three_readings_and_loses_nothing_since() -> None:
    bench = MeterBench(GpuModel(has_uptime=False))
    bench.run(100)
    bench.gpu.reset()
    before_mj = bench.booked_mj
    bench.run(2)
    assert bench.booked_mj == before_mj, "two low readings prove nothing yet"
    bench.run(1)
    assert bench.totals.resets == 1
    assert bench.booked_mj == before_mj + 300_000
    bench.run(5)
    assert bench.booked_mj == before_mj + 800_000


def test_a_gpu_reset_that_keeps_the_counter_is_no_reset_of_the_counter() -> None:
    bench = MeterBench()
    bench.gpu.advance(100_000)
    bench.read()
    bench.gpu.initialised_ns = bench.gpu.mono_ns  # uptime begins anew, the counter goes on
    bench.run(3)
    assert bench.totals.resets == 0
    assert bench.booked_mj == bench.truth_mj


def test_a_counter_that_steps_back_for_good_is_not_booked_whole() -> None:
    bench = day_old()
    bench.run(5)
    bench.gpu.counter_from_mw_ns += 10_000_000 * NS_PER_SECOND
    bench.run(10)
    assert bench.totals.resets == 0
    assert bench.totals.rejected == 1
    assert bench.booked_mj == bench.truth_mj, "power fills the segment"


def test_an_uptime_that_is_read_again_a_second_lower_is_no_reset() -> None:
    bench = day_old(uptime_every_ns=60 * NS_PER_SECOND, uptime_ppm=-20_000)
    bench.run(600)
    assert bench.totals.resets == 0
    assert bench.booked_mj == bench.truth_mj


@pytest.mark.parametrize("every", [1, 5, 10])
def test_an_uptime_that_stands_still_between_two_reads_of_it_is_no_reset(every: int) -> None:
    gpu = GpuModel(uptime_every_ns=60 * NS_PER_SECOND, uptime_is_carried=False)
    bench = MeterBench(gpu)
    bench.run(100, every=every)
    assert bench.totals.resets == 0
    assert bench.booked_mj == bench.truth_mj


def test_a_stall_with_an_old_uptime_is_no_reset() -> None:
    bench = day_old(uptime_every_ns=3600 * NS_PER_SECOND, uptime_is_carried=False)
    bench.run(5)
    bench.gpu.advance(60)
    bench.run(5)
    assert bench.totals.resets == 0
    assert bench.booked_mj == bench.truth_mj


def test_a_clock_of_the_device_that_drifts_while_the_agent_is_down_is_no_reset() -> None:
    bench = day_old(uptime_ppm=-50)
    bench.run(5)
    bench.restart_agent()
    bench.gpu.advance(20 * DAY)
    bench.run(5)
    assert bench.totals.resets == 0
    assert bench.booked_mj == bench.truth_mj


def test_a_reset_found_late_by_the_uptime_books_nothing_twice() -> None:
    """The counter of a young board outgrew its old value before anybody looked; the uptime is read again later."""
    gpu = GpuModel(uptime_every_ns=60 * NS_PER_SECOND)
    gpu.mono_ns = 0
    bench = MeterBench(gpu)
    bench.run(1)
    kept = gpu.uptime_read
    gpu.reset()
    gpu.uptime_read = kept
    bench.run(100)
    assert bench.booked_mj <= bench.truth_mj


def test_a_wall_clock_that_was_ahead_when_the_agent_ended_costs_neither_joules_nor_time() -> None:
    bench = MeterBench(GpuModel(has_uptime=False))
    bench.run(5)
    bench.restart_agent()
    bench.gpu.reboot("boot-2")
    bench.gpu.booted_wall_ns -= 30 * DAY * NS_PER_SECOND
    bench.gpu.advance(40)
    bench.read()
    assert bench.totals.resets == 1
    since = bench.segments[-1]
    assert (since.energy_mj, since.end.ns_since(since.start)) == (4_000_000, 40 * NS_PER_SECOND)
    assert bench.totals.unknown_ns == 0, "nothing tells of a time before the boot"


def test_a_step_of_the_wall_clock_within_a_boot_changes_nothing() -> None:
    bench = MeterBench()
    bench.run(5)
    bench.gpu.booted_wall_ns -= 3600 * NS_PER_SECOND
    bench.run(5)
    bench.gpu.booted_wall_ns += 7200 * NS_PER_SECOND
    bench.run(5)
    assert bench.booked_mj == bench.truth_mj
    for segment in bench.segments:
        assert segment.end.ns_since(segment.start) == segment.end.wall_ns - segment.start.wall_ns == NS_PER_SECOND


def test_a_driver_version_that_is_not_told_is_no_other_driver() -> None:
    bench = day_old(has_uptime=False)
    bench.run(5)
    bench.restart_agent()
    bench.gpu.driver_version = ""
    bench.gpu.advance(30 * DAY)
    bench.run(5)
    bench.restart_agent()
    bench.gpu.driver_version = "580.1"
    bench.gpu.advance(30 * DAY)
    bench.run(5)
    assert bench.totals.resets == 0
    assert bench.booked_mj == bench.truth_mj


def test_a_counter_near_the_end_of_its_word_counts_on() -> None:
    gpu = GpuModel()
    gpu.counter_from_mw_ns = -(2**63 - 200_000) * NS_PER_SECOND
    bench = MeterBench(gpu)
    bench.run(10)
    assert bench.booked_mj == bench.truth_mj


@pytest.mark.parametrize("value", [0, 2**64 - 1])
def test_a_constant_in_place_of_a_counter_is_waited_out(value: int) -> None:
    bench = day_old(has_uptime=False)
    bench.run(5)
    bench.gpu.overrides[Quantity.ENERGY_MJ] = value
    bench.run(200)
    assert bench.booked_mj == 500_000
    bench.gpu.overrides.clear()
    bench.run(5)
    assert bench.booked_mj == bench.truth_mj
    assert bench.totals.resets == bench.totals.rejected == 0


def test_a_counter_that_stands_at_zero_for_good_is_left_for_power_and_is_no_reset() -> None:
    bench = day_old(has_uptime=False)
    bench.gpu.overrides[Quantity.ENERGY_MJ] = 0
    bench.run(302)
    assert bench.booked_mj == bench.truth_mj
    assert (bench.totals.resets, bench.totals.rejected) == (0, 1)


def test_a_counter_that_never_agrees_with_itself_is_replaced_by_power_for_as_long() -> None:
    bench = MeterBench()
    for second in range(700):
        bench.gpu.overrides[Quantity.ENERGY_MJ] = 2**60 - second * 2**40
        bench.run(1)
    assert bench.totals.rejected == 2
    assert bench.totals.resets == 0
    assert bench.booked_mj == 604 * 100_000
    assert len(bench.meter._odd) <= 1


@pytest.mark.parametrize("fall", [True, False])
def test_only_a_counter_that_fell_says_that_the_others_may_have_too(fall: bool) -> None:
    bench = day_old()
    bench.run(1)
    bench.gpu.counter_from_mw_ns += (1 if fall else -1) * 2**32 * NS_PER_SECOND
    bench.run(3)
    assert bench.totals.rejected == 1
    assert bench.totals.epoch_changed is fall


def test_a_reset_confirmed_by_repetition_is_bounded_by_the_time_since_the_anchor() -> None:
    bench = MeterBench(GpuModel(has_uptime=False))
    bench.run(100)
    bench.gpu.counter_from_mw_ns = bench.gpu.truth_mw_ns - 9_000_000 * NS_PER_SECOND
    bench.run(3)
    assert bench.totals.resets == 0
    assert bench.totals.rejected == 1
    assert bench.booked_mj == bench.truth_mj


@pytest.mark.parametrize(("beyond", "resets"), [(0, 1), (1, 0)])
def test_a_reset_dated_by_the_uptime_is_believed_up_to_what_the_limit_allows_since(beyond: int, resets: int) -> None:
    """The uptime of 40 s is up to 41 s, and the counter leads by a quarter of a second at most."""
    bench = day_old()
    bench.restart_agent()
    bench.gpu.advance(1000)
    bench.gpu.reset()
    bench.gpu.advance(40)
    bench.gpu.overrides[Quantity.ENERGY_MJ] = 770_000 * 41 + 770_000 // 4 + beyond
    bench.read()
    assert bench.totals.resets == resets


def test_an_uptime_of_before_the_anchor_says_nothing_of_a_counter_that_fell_after_it() -> None:
    bench = day_old()
    bench.run(5)
    bench.restart_agent()
    bench.gpu.advance(1000)
    bench.gpu.counter_from_mw_ns = bench.gpu.truth_mw_ns
    bench.run(3)
    assert bench.totals.resets == 1
    assert bench.segments[-1].energy_mj == 300_000
    assert bench.totals.unknown_ns == 1003 * NS_PER_SECOND


def test_time_runs_by_the_clock_of_the_boot_and_across_boots_by_the_wall() -> None:
    assert elapsed_ns(anchor(10), anchor(15, wall=9)) == 5 * NS_PER_SECOND
    assert elapsed_ns(anchor(10), anchor(3, wall=40, boot="c")) == 30 * NS_PER_SECOND
    assert elapsed_ns(anchor(10, wall=99), anchor(3, wall=40, boot="c")) == 3 * NS_PER_SECOND
    assert elapsed_ns(anchor(10), anchor(5, wall=30)) == 0
    assert elapsed_ns(anchor(10, boot=""), anchor(5, wall=30, boot="")) == 20 * NS_PER_SECOND


@pytest.mark.parametrize(
    ("before", "here", "verdict"),
    [
        (anchor(), anchor(9), False),
        (anchor(), anchor(9, boot="c"), True),
        (anchor(boot=""), anchor(9, boot="c"), False),
        (anchor(), anchor(9, boot=""), False),
        (anchor(9, boot=""), anchor(9, boot=""), False),
        (anchor(), anchor(9, uptime=5), False),
        (anchor(uptime=5), anchor(9), False),
        (anchor(20, boot=""), anchor(9, boot=""), True),
        (anchor(), anchor(9, driver="2"), True),
        (anchor(), anchor(9, driver=""), False),
        (anchor(uptime=5), anchor(9, driver="2"), True),
        (anchor(uptime=50), anchor(9, uptime=59, driver="2"), False),
        (anchor(uptime=50), anchor(9, uptime=56), False),
        (anchor(uptime=50), anchor(90, uptime=93), True),
        (anchor(uptime=50), anchor(90, uptime=94), False),
        (anchor(uptime=50), anchor(90, uptime=137), False),
        (anchor(uptime=5), anchor(9, uptime=11), False),
        (anchor(uptime=5), anchor(9, uptime=10), True),
        (anchor(uptime=50), anchor(1, uptime=0), True),
        (anchor(uptime=5), anchor(9, uptime=5), False),
    ],
)
def test_verdicts_on_two_moments(before: Anchor, here: Anchor, verdict: bool) -> None:
    assert restarted(before, here) is verdict


def test_over_a_day_the_clocks_may_drift_by_seconds() -> None:
    drift = DAY * CLOCK_DRIFT_PPM // 1_000_000
    assert not restarted(anchor(uptime=9), anchor(DAY, uptime=DAY + 9 - drift - 3))
    assert restarted(anchor(uptime=9), anchor(DAY, uptime=DAY + 9 - drift - 4))


def test_a_restart_is_dated_by_uptime_else_by_the_boot_and_never_before_the_anchor() -> None:
    assert since_restart_ns(anchor(), anchor(90, uptime=40)) == 40 * NS_PER_SECOND
    assert since_restart_ns(anchor(), anchor(90, uptime=92)) == 90 * NS_PER_SECOND
    assert since_restart_ns(anchor(), anchor(90, uptime=93)) == 90 * NS_PER_SECOND
    assert since_restart_ns(anchor(), anchor(90, uptime=94)) is None
    assert since_restart_ns(anchor(), anchor(90)) is None
    assert since_restart_ns(anchor(wall=0), anchor(90, wall=500, boot="c")) == 90 * NS_PER_SECOND
    assert since_restart_ns(anchor(), anchor(90, uptime=40, boot="c")) == 40 * NS_PER_SECOND
