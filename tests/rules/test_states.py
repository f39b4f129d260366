"""States of one device: dwell, hysteresis and missing signals."""

import pytest

from tests.rules.gpu_model import GpuModel
from wattledger.rules.account import Baseline
from wattledger.rules.quantity import Gap, Quantity
from wattledger.rules.reading import GpuProcess, MigInstance, ProcessKind, Reading
from wattledger.rules.state import BaselineKind, BaselineOrigin, State
from wattledger.rules.states import Circumstances, Judgement, StateJudge, StatePolicy

CONTEXT_AT_120_W = {
    BaselineKind.CONTEXT: Baseline(kind=BaselineKind.CONTEXT, origin=BaselineOrigin.LEARNT, power_mw=120_000)
}


class Watch:
    """A board under a judge, one second a step."""

    def __init__(
        self,
        gpu: GpuModel,
        *,
        owner: str = "",
        maintenance: str = "",
        baselines: dict[BaselineKind, Baseline] | None = None,
    ) -> None:
        self.gpu = gpu
        self.judge = StateJudge(StatePolicy())
        self.circumstances = Circumstances(owner=owner, maintenance=maintenance)
        self.baselines = baselines or {}
        self.history: list[State] = []

    def run(self, seconds: int, **changes: object) -> Judgement:
        for name, value in changes.items():
            setattr(self.gpu, name, value)
        judgement = Judgement(State.UNKNOWN)
        for _ in range(seconds):
            self.gpu.advance(1)
            judgement = self.see(self.gpu.reading())
        return judgement

    def see(self, reading: Reading) -> Judgement:
        judgement = self.judge.judge(reading, self.baselines, self.circumstances)
        self.history.append(judgement.state)
        return judgement


def test_a_gpu_without_process_is_parked_at_once() -> None:
    assert Watch(GpuModel()).run(1).state is State.PARKED


def test_a_model_held_without_work_is_held_after_the_dwell_and_active_until_then() -> None:
    watch = Watch(GpuModel(pids=(1,), utilization=0.9))
    watch.run(3)
    watch.run(7, utilization=0.0)
    assert watch.history == [State.ACTIVE] * 3 + [State.ACTIVE] * 4 + [State.HELD] * 3


def test_work_shows_at_once_and_a_short_pause_does_not() -> None:
    watch = Watch(GpuModel(pids=(1,), utilization=0.0))
    watch.run(1)
    watch.run(1, utilization=0.5)
    watch.run(4, utilization=0.0)
    watch.run(1, utilization=0.5)
    assert watch.history == [State.HELD] + [State.ACTIVE] * 6


def test_a_process_that_ends_leaves_the_gpu_parked_without_dwell() -> None:
    watch = Watch(GpuModel(pids=(1,), utilization=0.9))
    watch.run(2)
    assert watch.run(1, utilization=0.0, pids=()).state is State.PARKED


def test_utilization_below_the_threshold_is_no_work() -> None:
    watch = Watch(GpuModel(pids=(1,), utilization=0.04))
    assert watch.run(10).state is State.HELD


def test_an_owned_gpu_without_process_is_allocated_and_with_one_held() -> None:
    watch = Watch(GpuModel(), owner="alice")
    assert watch.run(1).state is State.ALLOCATED
    assert watch.run(1, pids=(1,)).state is State.HELD


def test_a_display_server_alone_holds_no_model() -> None:
    watch = Watch(GpuModel())
    reading = watch.gpu.reading()
    desktop = Reading(
        reading.identity, reading.at, values=reading.values, processes=(GpuProcess(7, ProcessKind.GRAPHICS),)
    )
    assert watch.see(desktop).state is State.PARKED


def test_without_utilization_and_without_baseline_the_state_is_unknown_and_says_why() -> None:
    judgement = Watch(GpuModel(utilization=None, pids=(1,))).run(1)
    assert judgement == Judgement(State.UNKNOWN, "utilization")


@pytest.mark.parametrize(("watts", "state"), [(122, State.HELD), (200, State.ACTIVE)])
def test_without_utilization_power_above_the_context_baseline_is_work(watts: int, state: State) -> None:
    watch = Watch(GpuModel(utilization=None, pids=(1,), power_mw=watts * 1000), baselines=CONTEXT_AT_120_W)
    assert watch.run(6).state is state


@pytest.mark.parametrize(
    ("clock_hz", "state"), [(345_000_000, State.PARKED), (1_980_000_000, State.HELD), (None, State.UNKNOWN)]
)
def test_without_a_process_list_the_boosted_clock_is_the_witness(clock_hz: int | None, state: State) -> None:
    watch = Watch(GpuModel(pids=None))
    if clock_hz is None:
        watch.gpu.gaps[Quantity.CLOCK_SM_HZ] = Gap.UNSUPPORTED
    else:
        watch.gpu.clock_sm_hz = clock_hz
    judgement = watch.run(1)
    assert judgement.state is state
    assert judgement.detail == ("processes" if state is State.UNKNOWN else "")


def test_a_board_without_utilization_and_without_any_process_is_parked() -> None:
    assert Watch(GpuModel(utilization=None, pids=())).run(1).state is State.PARKED


def test_activity_of_a_mig_instance_is_work_of_the_board() -> None:
    watch = Watch(GpuModel(utilization=None, pids=(1,)))
    reading = watch.gpu.reading()
    instance = MigInstance("MIG-1", 1, 0, "1g.10gb", values={Quantity.ACTIVITY_SM_RATIO: 0.3})
    busy = Reading(
        reading.identity, reading.at, values=reading.values, processes=reading.processes, instances=(instance,)
    )
    assert watch.see(busy).state is State.ACTIVE


def test_traffic_over_a_gigabyte_a_second_is_work_though_the_engines_rest() -> None:
    watch = Watch(GpuModel(pids=(1,)))
    watch.gpu.overrides[Quantity.PCIE_TRANSMIT_BYTES] = 0
    watch.gpu.overrides[Quantity.PCIE_RECEIVE_BYTES] = 0
    assert watch.run(2).state is State.HELD
    watch.gpu.overrides[Quantity.PCIE_RECEIVE_BYTES] = 2_000_000_000
    assert watch.run(1).state is State.ACTIVE


def test_a_busy_device_whose_sms_rest_is_held_only_after_long_agreement_of_the_signals() -> None:
    watch = Watch(GpuModel(pids=(1,), utilization=1.0))
    watch.gpu.overrides[Quantity.ACTIVITY_SM_RATIO] = 0.01
    watch.run(14)
    assert State.HELD not in watch.history
    assert watch.run(10).state is State.HELD


def test_a_smoothing_floor_suppresses_the_judgement_of_idleness() -> None:
    watch = Watch(GpuModel(pids=(1,)))
    watch.gpu.overrides[Quantity.POWER_FLOOR_MW] = 200_000
    assert watch.run(10) == Judgement(State.UNKNOWN, "power_smoothing")


def test_maintenance_is_neither_work_nor_waste_but_work_in_it_is_work() -> None:
    watch = Watch(GpuModel(), maintenance="burn-in")
    assert watch.run(1) == Judgement(State.UNKNOWN, "maintenance: burn-in")
    assert watch.run(1, utilization=0.9).state is State.ACTIVE


def test_the_dwell_counts_from_the_last_work_and_its_end_is_idle() -> None:
    watch = Watch(GpuModel(pids=(1,), utilization=0.9))
    watch.run(1)
    watch.gpu.utilization = 0.0
    watch.gpu.advance(4.999)
    assert watch.see(watch.gpu.reading()).state is State.ACTIVE
    watch.gpu.advance(0.001)
    assert watch.see(watch.gpu.reading()).state is State.HELD


def test_a_clock_that_fell_keeps_no_device_active() -> None:
    watch = Watch(GpuModel(pids=(1,), utilization=0.9))
    watch.run(1)
    watch.gpu.mono_ns -= 30_000_000_000
    assert watch.run(1, utilization=0.0).state is State.HELD


def test_signals_that_disagree_in_between_begin_the_wait_anew() -> None:
    watch = Watch(GpuModel(pids=(1,), utilization=1.0))
    for ratio in (0.01, 0.5, 0.01):
        watch.gpu.overrides[Quantity.ACTIVITY_SM_RATIO] = ratio
        watch.run(14)
    assert set(watch.history) == {State.ACTIVE}
    watch.run(1)
    assert watch.history[-1] is State.ACTIVE, "work was seen last fourteen seconds ago: the dwell"
    assert watch.run(6).state is State.HELD


def test_a_state_that_changes_begins_anew() -> None:
    watch = Watch(GpuModel())
    watch.run(3)
    assert watch.judge.since is not None
    begun = watch.judge.since
    watch.run(3, utilization=None, pids=None)
    assert watch.history[-1] is State.UNKNOWN
    assert watch.judge.since > begun


def test_maintenance_goes_before_missing_signals() -> None:
    assert Watch(GpuModel(utilization=None, pids=None), maintenance="burn-in").run(1).detail == "maintenance: burn-in"


def test_a_floor_of_zero_is_no_floor() -> None:
    watch = Watch(GpuModel())
    watch.gpu.overrides[Quantity.POWER_FLOOR_MW] = 0
    assert watch.run(1).state is State.PARKED


@pytest.mark.parametrize(("ratio", "state"), [(0.05, State.ACTIVE), (0.0499, State.HELD)])
def test_five_percent_are_work(ratio: float, state: State) -> None:
    assert Watch(GpuModel(pids=(1,), utilization=ratio)).run(1).state is state


def test_fifteen_seconds_of_agreement_that_the_sms_rest_are_believed() -> None:
    watch = Watch(GpuModel(pids=(1,), utilization=1.0))
    watch.run(1)
    watch.gpu.overrides[Quantity.ACTIVITY_SM_RATIO] = 0.01
    watch.run(1)
    watch.gpu.advance(14.998)
    assert watch.see(watch.gpu.reading()).state is State.ACTIVE
    watch.gpu.advance(0.002)
    watch.see(watch.gpu.reading())
    watch.gpu.advance(4.998)
    assert watch.see(watch.gpu.reading()).state is State.HELD


def test_the_state_before_the_first_reading_has_no_beginning() -> None:
    watch = Watch(GpuModel(utilization=None, pids=None))
    assert watch.judge.since is None
    watch.run(1)
    begun = watch.judge.since
    watch.run(5)
    assert watch.judge.since == begun
