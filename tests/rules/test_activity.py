"""What one reading says of work and of holding, at and around each threshold."""

import pytest

from tests.rules.gpu_model import GpuModel
from wattledger.rules.account import Baseline
from wattledger.rules.activity import TRAFFIC, Activity, activity
from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.quantity import Gap, Quantity
from wattledger.rules.reading import GpuProcess, MigInstance, ProcessKind, Reading
from wattledger.rules.state import BaselineKind, BaselineOrigin

GIGABYTE = 1_000_000_000
PCIE, NVLINK = TRAFFIC
NO_POWER = {Quantity.POWER_AVERAGE_MW: Gap.FAILED, Quantity.POWER_INSTANT_MW: Gap.FAILED}


def seen(
    gpu: GpuModel | None = None,
    before: Reading | None = None,
    *,
    context_mw: int | None = None,
    told: dict[Quantity, float] | None = None,
) -> Activity:
    gpu = gpu or GpuModel()
    gpu.overrides |= told or {}
    baselines = {}
    if context_mw is not None:
        kind = BaselineKind.CONTEXT
        baselines[kind] = Baseline(kind=kind, origin=BaselineOrigin.LEARNT, power_mw=context_mw)
    return activity(gpu.reading(), before, baselines, threshold=0.05)


def traffic(seconds: float, moved: dict[Quantity, int]) -> Activity:
    gpu = GpuModel()
    gpu.overrides = dict.fromkeys(moved, 5)
    before = gpu.reading()
    gpu.advance(seconds)
    return seen(gpu, before, told={link: 5 + count for link, count in moved.items()})


@pytest.mark.parametrize(
    "engine",
    [
        Quantity.UTILIZATION_GPU_RATIO,
        Quantity.UTILIZATION_ENCODER_RATIO,
        Quantity.UTILIZATION_DECODER_RATIO,
        Quantity.ACTIVITY_SM_RATIO,
        Quantity.ACTIVITY_TENSOR_RATIO,
        Quantity.ACTIVITY_DRAM_RATIO,
    ],
)
def test_each_engine_counts_from_the_threshold_on(engine: Quantity) -> None:
    assert seen(told={engine: 0.05}).works is True
    assert seen(told={engine: 0.049}).works is False


@pytest.mark.parametrize(
    "signal",
    [Quantity.UTILIZATION_MEMORY_RATIO, Quantity.ACTIVITY_GRAPHICS_RATIO, Quantity.ACTIVITY_SM_OCCUPANCY_RATIO],
)
def test_what_only_accompanies_work_is_none(signal: Quantity) -> None:
    assert seen(told={signal: 1.0}).works is False


def test_the_busiest_instance_speaks_for_the_board() -> None:
    gpu = GpuModel(utilization=None)
    instances = tuple(
        MigInstance(f"MIG-{number}", number, 0, "1g", values={Quantity.ACTIVITY_SM_RATIO: ratio})
        for number, ratio in enumerate((0.0, 0.06, 0.01))
    )
    reading = gpu.reading()
    board = Reading(reading.identity, reading.at, values=reading.values, processes=(), instances=instances)
    assert activity(board, None, {}, threshold=0.05).works is True
    assert activity(board, None, {}, threshold=0.07).works is False


@pytest.mark.parametrize("link", TRAFFIC)
def test_both_directions_of_a_link_count_together_by_the_second(link: tuple[Quantity, Quantity]) -> None:
    def over(seconds: float, transmit: int, receive: int) -> bool | None:
        return traffic(seconds, {link[0]: transmit, link[1]: receive}).works

    assert over(1, GIGABYTE // 2, GIGABYTE // 2) is True
    assert over(1, GIGABYTE // 2, GIGABYTE // 2 - 1) is False
    assert over(2, GIGABYTE, GIGABYTE - 1) is False
    assert over(0.5, GIGABYTE // 2, 0) is True


def test_two_quiet_links_do_not_add_up() -> None:
    assert (
        traffic(1, {PCIE[0]: GIGABYTE * 3 // 5, PCIE[1]: 0, NVLINK[0]: GIGABYTE * 3 // 5, NVLINK[1]: 0}).works
        is False
    )


def test_traffic_needs_two_readings_of_both_directions_and_time_between_them() -> None:
    much = 9 * GIGABYTE
    assert traffic(1, {PCIE[0]: much}).works is False
    assert traffic(0, {PCIE[0]: much, PCIE[1]: 0}).works is False
    assert traffic(1, {PCIE[0]: -much, PCIE[1]: 0}).works is False
    assert seen(told={PCIE[0]: much, PCIE[1]: 0}).works is False


def test_a_busy_device_whose_sms_rest_spins_unless_something_else_works() -> None:
    busy = {Quantity.UTILIZATION_GPU_RATIO: 1.0}
    assert seen(told={**busy, Quantity.ACTIVITY_SM_RATIO: 0.04}).spinning
    assert not seen(told={**busy, Quantity.ACTIVITY_SM_RATIO: 0.05}).spinning
    assert not seen(told={**busy}).spinning
    assert not seen(told={Quantity.UTILIZATION_GPU_RATIO: 0.04, Quantity.ACTIVITY_SM_RATIO: 0.0}).spinning
    encoding = {Quantity.UTILIZATION_ENCODER_RATIO: 0.1, Quantity.ACTIVITY_SM_RATIO: 0.0}
    assert not seen(told={**busy, **encoding}).spinning


@pytest.mark.parametrize(("baseline_mw", "idle_mw"), [(50_000, 55_000), (120_000, 126_000)])
def test_power_alone_is_work_beyond_the_margin_over_the_context_baseline(baseline_mw: int, idle_mw: int) -> None:
    """The margin is 5 W, or 5 % where that is more."""
    idle = GpuModel(utilization=None, pids=(1,), power_mw=idle_mw)
    assert seen(idle, context_mw=baseline_mw).works is False
    busy = GpuModel(utilization=None, pids=(1,), power_mw=idle_mw + 1)
    assert seen(busy, context_mw=baseline_mw).works is True
    without_average = GpuModel(utilization=None, pids=(1,), power_mw=idle_mw + 1, has_average=False)
    assert seen(without_average, context_mw=baseline_mw).works is True


def test_without_utilization_nothing_is_known_without_power_or_without_a_baseline() -> None:
    assert seen(GpuModel(utilization=None, pids=(1,))).works is None
    assert seen(GpuModel(utilization=None, pids=(1,), gaps=dict(NO_POWER)), context_mw=50_000).works is None
    assert seen(GpuModel(utilization=None, pids=None)).works is None


def test_where_nobody_is_nobody_works() -> None:
    assert seen(GpuModel(utilization=None, pids=(), power_mw=90_000), context_mw=50_000).works is False


def test_activity_of_the_sms_decides_before_power() -> None:
    gpu = GpuModel(utilization=None, pids=(1,), power_mw=600_000)
    assert seen(gpu, context_mw=50_000, told={Quantity.ACTIVITY_SM_RATIO: 0.0}).works is False


@pytest.mark.parametrize(
    ("kinds", "held"),
    [
        ((), False),
        ((ProcessKind.GRAPHICS,), False),
        ((ProcessKind.COMPUTE,), True),
        ((ProcessKind.MPS,), True),
        ((ProcessKind.GRAPHICS, ProcessKind.COMPUTE), True),
    ],
)
def test_a_device_is_held_by_whoever_can_hold_a_model(kinds: tuple[ProcessKind, ...], held: bool) -> None:
    reading = GpuModel(clock_sm_hz=1_980_000_000).reading()
    processes = tuple(GpuProcess(number, kind) for number, kind in enumerate(kinds))
    told = Reading(reading.identity, reading.at, values=reading.values, processes=processes)
    assert activity(told, None, {}, threshold=0.05).held is held


@pytest.mark.parametrize(("clock_hz", "held"), [(990_000_000, True), (989_999_999, False)])
def test_without_a_list_half_the_clock_decides(clock_hz: int, held: bool) -> None:
    assert seen(GpuModel(pids=None, clock_sm_hz=clock_hz)).held is held


@pytest.mark.parametrize("missing", [Quantity.CLOCK_SM_HZ, Quantity.CLOCK_MAX_SM_HZ])
def test_without_a_list_and_without_clocks_nobody_knows(missing: Quantity) -> None:
    assert seen(GpuModel(pids=None, gaps={missing: Gap.FAILED})).held is None
    assert seen(GpuModel(pids=None), told={Quantity.CLOCK_MAX_SM_HZ: 0}).held is None


def test_a_reading_of_the_same_moment_has_no_rate() -> None:
    gpu = GpuModel(mono_ns=5 * NS_PER_SECOND)
    assert seen(gpu, gpu.reading(), told={PCIE[0]: 9 * GIGABYTE, PCIE[1]: 0}).works is False


def test_one_engine_or_one_link_at_work_is_enough() -> None:
    assert seen(told={Quantity.UTILIZATION_ENCODER_RATIO: 0.9, Quantity.UTILIZATION_DECODER_RATIO: 0.0}).works is True
    assert traffic(1, {PCIE[0]: 9 * GIGABYTE, PCIE[1]: 0, NVLINK[0]: 0, NVLINK[1]: 0}).works is True


@pytest.mark.parametrize("direction", PCIE)
def test_a_direction_that_was_not_read_before_has_no_rate_yet(direction: Quantity) -> None:
    gpu = GpuModel(overrides={direction: 0})
    before = gpu.reading()
    gpu.advance(1)
    assert seen(gpu, before, told={PCIE[0]: 9 * GIGABYTE, PCIE[1]: 9 * GIGABYTE}).works is False
    after = gpu.reading()
    gpu.advance(1)
    gpu.overrides = {direction: 99 * GIGABYTE}
    assert seen(gpu, after).works is False
