"""What the book of one device makes of readings: which state gets the joules, and what becomes of odd input."""

from dataclasses import replace

import pytest

from tests.rules.gpu_model import GpuModel
from wattledger.rules.account import Baseline, DeviceAccount, Entry
from wattledger.rules.baselines import BaselinePolicy
from wattledger.rules.book import BookPolicy, DeviceBook
from wattledger.rules.correction import Correction
from wattledger.rules.energy import EnergyChoice, EnergyPolicy
from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.quantity import Gap, Quantity
from wattledger.rules.reading import XidEvent
from wattledger.rules.state import BaselineKind, BaselineOrigin, Method, State
from wattledger.rules.states import Circumstances, StatePolicy

NO_POWER = {Quantity.POWER_AVERAGE_MW: Gap.FAILED, Quantity.POWER_INSTANT_MW: Gap.FAILED}
NO_COUNTER = {Quantity.ENERGY_MJ: Gap.FAILED}


class Desk:
    """A board and its book; the account alone outlives the agent."""

    def __init__(self, gpu: GpuModel | None = None, policy: BookPolicy | None = None) -> None:
        self.gpu = gpu or GpuModel()
        self.policy = policy or BookPolicy()
        self.circumstances = Circumstances()
        self.book = DeviceBook(DeviceAccount(uuid=self.gpu.uuid, name=self.gpu.name), self.policy)
        self.entries: list[Entry] = []
        self.read()

    def read(self, *, up: bool = True) -> list[Entry]:
        entries = self.book.read(self.gpu.reading(up=up), self.gpu.host, self.circumstances)
        self.entries += entries
        return entries

    def run(self, times: int, *, every: float = 1, up: bool = True) -> None:
        for _ in range(times):
            self.gpu.advance(every)
            self.read(up=up)

    def restart_agent(self) -> None:
        self.book = DeviceBook(self.book.account, self.policy)

    def apply(self, **changes: object) -> None:
        self.policy = replace(self.policy, **changes)  # type: ignore[arg-type]  # named fields of a known class
        self.book.apply(self.policy)

    def joules(self) -> dict[State, int]:
        return {state: total.energy_mj // 1000 for state, total in self.book.account.states.items()}

    def seconds(self) -> dict[State, int]:
        return {state: total.duration_ns // NS_PER_SECOND for state, total in self.book.account.states.items()}


def test_the_state_of_the_first_reading_ends_no_interval() -> None:
    desk = Desk(GpuModel(utilization=None))
    desk.gpu.utilization = 0.9
    desk.run(1)
    assert desk.joules() == {State.ACTIVE: 100}


def test_the_same_reading_again_is_nothing_new() -> None:
    desk = Desk()
    desk.run(1)
    before = desk.book.account
    assert desk.read() == []
    assert desk.book.account is before


def test_an_odd_counter_shown_again_and_again_is_one_reading() -> None:
    desk = Desk(GpuModel(has_uptime=False))
    desk.gpu.advance(86_400)
    desk.read()
    desk.gpu.overrides[Quantity.ENERGY_MJ] = 2**40
    for _ in range(50):
        desk.read()
    desk.gpu.advance(1)
    desk.gpu.overrides.clear()
    desk.run(1)
    assert desk.book.account.rejected_segments == 0
    assert desk.book.account.energy_mj == desk.gpu.truth_mj


def test_nothing_is_learnt_from_the_same_minute_twice() -> None:
    desk = Desk(GpuModel(power_mw=70_000))
    for _ in range(20):
        desk.gpu.advance(5)
        for _ in range(5):
            desk.read()
    assert desk.book.account.baselines == {}, "twenty readings are no sixty samples"


def test_energy_that_comes_late_goes_to_the_state_that_lasted() -> None:
    desk = Desk(GpuModel(pids=(1,), utilization=0.9))
    desk.run(3)
    desk.gpu.gaps = dict(NO_COUNTER)
    desk.run(30)
    desk.gpu.gaps = {}
    desk.run(1)
    assert desk.joules() == {State.ACTIVE: 3400}
    assert desk.seconds() == {State.ACTIVE: 34}


def test_energy_that_comes_late_over_several_states_is_of_none_of_them() -> None:
    desk = Desk(GpuModel(pids=(), utilization=0.9))
    desk.run(3)
    desk.gpu.gaps = dict(NO_COUNTER)
    desk.run(10)
    desk.gpu.utilization = 0.0
    desk.run(10)
    desk.gpu.gaps = {}
    desk.run(2)
    assert desk.joules() == {State.ACTIVE: 300, State.UNKNOWN: 2100, State.PARKED: 100}


def test_only_a_time_without_readings_is_unobserved() -> None:
    desk = Desk(GpuModel(utilization=0.9))
    desk.run(3)
    desk.run(20, up=False)
    desk.run(1)
    desk.run(3)
    assert desk.joules() == {State.ACTIVE: 600, State.UNOBSERVED: 2100}
    assert desk.seconds() == {State.ACTIVE: 6, State.UNOBSERVED: 21}


def test_a_short_loss_is_bridged_and_a_restart_of_the_agent_never() -> None:
    desk = Desk(GpuModel(utilization=0.9))
    desk.run(1)
    desk.run(5, up=False)
    desk.run(1)
    assert desk.joules() == {State.ACTIVE: 700}
    desk.restart_agent()
    desk.run(2)
    assert desk.joules() == {State.ACTIVE: 800, State.UNOBSERVED: 100}


def test_a_device_without_any_energy_has_its_time_in_its_states() -> None:
    gaps = dict.fromkeys((*NO_POWER, Quantity.ENERGY_MJ), Gap.UNSUPPORTED)
    desk = Desk(GpuModel(has_counter=False, gaps=gaps, utilization=0.9))
    desk.run(110)
    assert desk.seconds() == {State.ACTIVE: 110}
    assert desk.book.account.unknown_ns == 110 * NS_PER_SECOND
    assert desk.book.account.methods == {}


def test_power_that_is_away_for_hours_leaves_time_in_its_states_and_the_rest_unknown() -> None:
    desk = Desk(GpuModel(has_counter=False))
    desk.run(10)
    desk.gpu.gaps = dict(NO_POWER)
    desk.run(7200)
    desk.gpu.gaps = {}
    desk.run(10)
    assert set(desk.seconds()) == {State.PARKED}
    assert sum(desk.seconds().values()) == 7220
    account = desk.book.account
    assert account.energy_mj + account.unknown_ns // NS_PER_SECOND * 100_000 == 7220 * 100_000
    assert account.energy_mj >= 19 * 100_000


def test_an_offset_belongs_to_measured_time_only() -> None:
    desk = Desk(GpuModel(has_uptime=False), BookPolicy(correction=Correction(offset_mw=10_000)))
    desk.run(10)
    assert desk.book.account.energy_mj == 10 * 110_000
    desk.restart_agent()
    desk.gpu.advance(500_000)
    desk.gpu.reboot("boot-2")
    desk.gpu.advance(60)
    desk.read()
    assert desk.book.account.energy_mj == 10 * 110_000 + 60 * 110_000
    desk.restart_agent()
    desk.gpu.advance(500_000)
    desk.gpu.driver_version = "590.1"
    desk.gpu.reset()
    desk.gpu.advance(60)
    desk.read()
    assert desk.book.account.energy_mj == 70 * 110_000 + 60 * 100_000, "nothing tells since when it counts"


def test_a_new_correction_changes_no_joule_that_was_booked() -> None:
    desk = Desk()
    desk.run(10)
    desk.apply(correction=Correction(gain_ppm=1_100_000))
    assert desk.book.account.energy_mj == 1_000_000
    desk.run(10)
    assert desk.book.account.energy_mj == 2_100_000
    desk.apply(correction=Correction())
    desk.run(10)
    assert desk.book.account.energy_mj == 3_100_000


def test_the_same_correction_again_keeps_what_is_below_a_millijoule() -> None:
    desk = Desk(GpuModel(power_mw=1), BookPolicy(correction=Correction(gain_ppm=500_000)))
    for _ in range(10):
        desk.run(1)
        desk.apply(correction=Correction(gain_ppm=500_000))
    assert desk.book.account.energy_mj == 5


def test_the_choice_of_energy_may_change_at_any_time_without_a_seam() -> None:
    desk = Desk()
    for choice in (EnergyChoice.POWER, EnergyChoice.COUNTER, EnergyChoice.AUTO, EnergyChoice.POWER):
        desk.apply(energy=EnergyPolicy(choice=choice))
        desk.run(5)
    assert desk.book.account.energy_mj == 20 * 100_000
    assert set(desk.book.account.methods) == {Method.COUNTER, Method.AVERAGE_POWER}


def test_a_longer_gap_of_a_new_policy_holds_for_power_too() -> None:
    desk = Desk(GpuModel(has_counter=False))
    desk.apply(energy=EnergyPolicy(gap_ns=60 * NS_PER_SECOND))
    desk.run(3, every=20)
    assert desk.book.account.energy_mj == 60 * 100_000
    assert State.UNOBSERVED not in desk.joules()


def test_an_owner_that_comes_or_goes_changes_the_state_from_then_on() -> None:
    desk = Desk()
    desk.run(3)
    desk.circumstances = Circumstances(owner="alice")
    desk.run(4)
    desk.circumstances = Circumstances(maintenance="burn-in")
    desk.run(5)
    assert desk.joules() == {State.PARKED: 300, State.ALLOCATED: 400, State.UNKNOWN: 500}


def test_a_driver_that_is_not_told_keeps_the_learnt_baselines() -> None:
    desk = Desk(GpuModel(power_mw=71_800))
    desk.run(120)
    assert BaselineKind.BARE in desk.book.account.baselines
    desk.gpu.driver_version = ""
    desk.run(1)
    assert BaselineKind.BARE in desk.book.account.baselines


def test_baselines_are_shown_corrected_and_the_learnt_one_takes_over() -> None:
    desk = Desk(GpuModel(name="NVIDIA L4", power_mw=16_000))
    assert [baseline.power_mw for baseline in desk.book.corrected_baselines()] == [17_000]
    desk.run(120)
    assert [baseline.power_mw for baseline in desk.book.corrected_baselines()] == [16_000]
    desk.apply(correction=Correction(gain_ppm=2_000_000, offset_mw=500))
    assert [baseline.power_mw for baseline in desk.book.corrected_baselines()] == [32_500]
    configured = Baseline(kind=BaselineKind.BARE, origin=BaselineOrigin.CONFIGURED, power_mw=10_000)
    desk.apply(configured_baselines={BaselineKind.BARE: configured})
    assert [baseline.power_mw for baseline in desk.book.corrected_baselines()] == [20_500]


def test_power_is_shown_corrected_and_nothing_else() -> None:
    desk = Desk(policy=BookPolicy(correction=Correction(gain_ppm=1_500_000, offset_mw=-1000)))
    shown = desk.book.corrected(desk.gpu.reading())
    assert shown.values[Quantity.POWER_AVERAGE_MW] == 149_000
    assert shown.values[Quantity.POWER_INSTANT_MW] == 149_000
    assert shown.values[Quantity.POWER_LIMIT_MAX_MW] == 700_000
    reading = desk.gpu.reading()
    assert Desk().book.corrected(reading) is reading, "nothing to correct, no copy"
    down = desk.gpu.reading(up=False)
    assert desk.book.corrected(down) is down


def test_xids_are_counted_by_number_with_the_time_of_the_last() -> None:
    desk = Desk()
    for xid, wall_ns in ((79, 1), (79, 5), (31, 7)):
        desk.book.note(XidEvent(desk.gpu.uuid, xid, wall_ns))
    xids = desk.book.account.xids
    assert {xid: (seen.count, seen.last_wall_ns) for xid, seen in xids.items()} == {79: (2, 5), 31: (1, 7)}


@pytest.mark.parametrize("state", [State.HELD, State.PARKED])
def test_only_a_held_board_has_avoidable_energy(state: State) -> None:
    bare = Baseline(kind=BaselineKind.BARE, origin=BaselineOrigin.CONFIGURED, power_mw=60_000)
    policy = BookPolicy(configured_baselines={BaselineKind.BARE: bare})
    desk = Desk(GpuModel(pids=(1,) if state is State.HELD else ()), policy)
    desk.run(10)
    assert desk.joules() == {state: 1000}
    assert desk.book.account.avoidable_mj == (400_000 if state is State.HELD else 0)


def test_a_device_that_is_down_has_no_judgement() -> None:
    desk = Desk()
    desk.run(1)
    assert desk.book.judgement is not None
    desk.run(1, up=False)
    assert desk.book.judgement is None


def test_the_time_of_the_state_is_that_of_its_first_reading() -> None:
    desk = Desk()
    assert desk.book.state_since_wall_ns == desk.gpu.at.wall_ns
    desk.run(3)
    desk.gpu.utilization = 0.9
    desk.run(1)
    begun_ns = desk.gpu.at.wall_ns
    desk.run(5)
    assert desk.book.state_since_wall_ns == begun_ns


def test_the_energy_of_the_present_state_begins_anew_with_each_state() -> None:
    desk = Desk()
    desk.run(3)
    before_mj = desk.book.account.energy_mj
    desk.gpu.utilization = 0.9
    desk.run(4)
    assert desk.book.judgement is not None
    assert desk.book.judgement.state is State.ACTIVE
    assert desk.book.state_energy_mj == desk.book.account.energy_mj - before_mj > 0


def test_energy_from_before_the_agent_looked_is_none_of_the_present_state() -> None:
    desk = Desk(GpuModel(power_mw=70_000, pids=(1,)))
    desk.run(3)
    held_mj = desk.book.account.states[State.HELD].energy_mj
    desk.restart_agent()
    desk.run(10)
    account = desk.book.account
    assert account.states[State.UNOBSERVED].energy_mj > 0
    assert desk.book.state_energy_mj == account.states[State.HELD].energy_mj - held_mj > 0


def test_a_new_policy_of_states_and_learning_holds_at_once() -> None:
    desk = Desk(GpuModel(power_mw=70_000, pids=(1,), utilization=0.2))
    learning = BaselinePolicy(samples=5, window_ns=0, settle_ns=2 * NS_PER_SECOND)
    desk.apply(states=StatePolicy(activity_ratio=0.5, dwell_ns=0), baselines=learning)
    desk.run(2)
    assert desk.joules() == {State.HELD: 140}
    desk.gpu.utilization = 0.0
    desk.run(7)
    assert desk.book.account.baselines[BaselineKind.CONTEXT].samples == 5


def test_counters_are_carried_over_a_reset_of_the_device() -> None:
    desk = Desk()
    desk.gpu.overrides[Quantity.PCIE_REPLAYS] = 100
    desk.run(5)
    desk.restart_agent()
    desk.gpu.reset()
    desk.gpu.overrides[Quantity.PCIE_REPLAYS] = 7
    desk.run(1)
    assert desk.book.account.counters[Quantity.PCIE_REPLAYS].total == 107


def test_a_first_reading_that_is_down_begins_nothing() -> None:
    gpu = GpuModel(utilization=0.9)
    book = DeviceBook(DeviceAccount(uuid=gpu.uuid), BookPolicy())
    assert book.read(gpu.reading(up=False), gpu.host, Circumstances()) == []
    assert (book.account.anchor, book.state_since_wall_ns, book.judgement) == (None, 0, None)


def test_resets_and_rejections_are_counted_in_the_account() -> None:
    desk = Desk()
    desk.run(5)
    desk.gpu.reset()
    desk.run(1)
    desk.gpu.counter_from_mw_ns -= 2**40 * NS_PER_SECOND
    desk.run(3)
    assert (desk.book.account.counter_resets, desk.book.account.rejected_segments) == (1, 1)


def test_a_board_that_draws_less_than_its_bare_baseline_has_nothing_avoidable() -> None:
    bare = Baseline(kind=BaselineKind.BARE, origin=BaselineOrigin.CONFIGURED, power_mw=100_001)
    desk = Desk(GpuModel(pids=(1,)), BookPolicy(configured_baselines={BaselineKind.BARE: bare}))
    desk.run(3)
    assert desk.book.account.avoidable_mj == 0


def held_desk(bare_mw: int) -> Desk:
    bare = Baseline(kind=BaselineKind.BARE, origin=BaselineOrigin.CONFIGURED, power_mw=bare_mw)
    return Desk(GpuModel(pids=(1,)), BookPolicy(configured_baselines={BaselineKind.BARE: bare}))


def test_a_counter_that_steps_makes_nothing_avoidable_of_a_bare_draw() -> None:
    desk = held_desk(100_000)
    gpu = desk.gpu
    for _ in range(1000):
        gpu.advance(1.007)
        since_step_ns = gpu.mono_ns % 100_000_000
        gpu.overrides[Quantity.ENERGY_MJ] = (gpu.truth_mw_ns - gpu.power_mw * since_step_ns) // NS_PER_SECOND
        desk.read()
    assert desk.joules()[State.HELD] > 100_000
    one_step_mj = 10_000
    assert desk.book.account.avoidable_mj <= one_step_mj


def test_a_draw_below_bare_takes_no_more_than_a_second_from_what_follows() -> None:
    desk = held_desk(100_000)
    desk.gpu.power_mw = 50_000
    desk.run(600)
    desk.gpu.power_mw = 150_000
    desk.run(10)
    assert desk.book.account.avoidable_mj == 10 * 50_000 - 100_000


def test_the_name_of_the_board_is_kept_and_decides_its_priors() -> None:
    desk = Desk(GpuModel(name=""))
    assert desk.book.baselines() == {}
    desk.gpu.name = "NVIDIA L4"
    desk.run(1)
    assert desk.book.account.name == "NVIDIA L4"
    assert desk.book.baselines()[BaselineKind.BARE].power_mw == 17_000
