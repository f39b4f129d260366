"""Learning of idle draws, and the waste that is reckoned from them."""

from dataclasses import replace

import pytest

from tests.rules.gpu_model import GpuModel
from wattledger.rules.account import Baseline, DeviceAccount
from wattledger.rules.baselines import BaselineLearner, BaselinePolicy, still_valid
from wattledger.rules.book import BookPolicy, DeviceBook
from wattledger.rules.correction import Correction
from wattledger.rules.priors import prior_baselines
from wattledger.rules.quantity import Gap, Quantity
from wattledger.rules.state import BaselineKind, BaselineOrigin, State
from wattledger.rules.states import Circumstances


class Desk:
    """A board and its book, one second a step."""

    def __init__(self, gpu: GpuModel, policy: BookPolicy | None = None, account: DeviceAccount | None = None) -> None:
        self.gpu = gpu
        self.policy = policy or BookPolicy()
        self.book = DeviceBook(account or DeviceAccount(uuid=gpu.uuid, name=gpu.name), self.policy)

    def run(self, seconds: int, *, noise_mw: int = 0) -> None:
        for second in range(seconds):
            self.gpu.advance(1)
            quiet_mw = self.gpu.power_mw
            self.gpu.power_mw = quiet_mw + (noise_mw if second % 2 else -noise_mw)
            self.book.read(self.gpu.reading(), self.gpu.host, Circumstances())
            self.gpu.power_mw = quiet_mw

    def learnt(self, kind: BaselineKind) -> Baseline | None:
        return self.book.account.baselines.get(kind)


def test_the_bare_draw_is_learnt_after_half_a_minute_of_rest_and_a_minute_of_calm() -> None:
    desk = Desk(GpuModel(power_mw=71_800))
    desk.run(89)
    assert desk.learnt(BaselineKind.BARE) is None
    desk.run(3)
    learnt = desk.learnt(BaselineKind.BARE)
    assert learnt is not None
    assert (learnt.power_mw, learnt.origin, learnt.samples >= 60) == (71_800, BaselineOrigin.LEARNT, True)


def test_the_context_draw_is_learnt_apart() -> None:
    desk = Desk(GpuModel(power_mw=121_700, pids=(1,), clock_sm_hz=1_980_000_000))
    desk.run(120)
    learnt = desk.learnt(BaselineKind.CONTEXT)
    assert learnt is not None
    assert learnt.power_mw == 121_700
    assert desk.learnt(BaselineKind.BARE) is None


@pytest.mark.parametrize("spoil", ["noise", "warming", "work", "process list"])
def test_nothing_is_learnt_from_a_restless_board(spoil: str) -> None:
    desk = Desk(GpuModel(power_mw=71_800))
    for _ in range(300):
        desk.run(1, noise_mw=3000 if spoil == "noise" else 0)
        if spoil == "noise":
            desk.gpu.power_mw = 143_600 - desk.gpu.power_mw + (2000 if desk.gpu.power_mw < 72_000 else -2000)
        if spoil == "warming":
            desk.gpu.temperature += 0.02
        if spoil == "work" and desk.gpu.mono_ns // 10**9 % 20 == 0:
            desk.gpu.utilization = 0.5
        elif spoil == "work":
            desk.gpu.utilization = 0.0
        if spoil == "process list":
            desk.gpu.pids, desk.gpu.clock_sm_hz = (
                None,
                900_000_000 if desk.gpu.mono_ns // 10**9 % 40 else 1_900_000_000,
            )
    assert desk.book.account.baselines == {}


def test_a_learnt_baseline_is_refreshed_slowly_upwards_and_at_once_downwards() -> None:
    desk = Desk(GpuModel(power_mw=80_000))
    desk.run(120)
    desk.gpu.power_mw = 84_000
    desk.run(120)
    raised = desk.learnt(BaselineKind.BARE)
    assert raised is not None
    assert 80_000 < raised.power_mw < 81_500
    desk.gpu.power_mw = 60_000
    desk.run(120)
    lowered = desk.learnt(BaselineKind.BARE)
    assert lowered is not None
    assert lowered.power_mw == 60_000


def test_a_baseline_outlives_the_agent_and_dies_with_the_driver() -> None:
    desk = Desk(GpuModel(power_mw=71_800))
    desk.run(120)
    again = Desk(desk.gpu, account=desk.book.account)
    again.run(1)
    assert again.learnt(BaselineKind.BARE) is not None
    again.gpu.driver_version = "590.9"
    again.run(1)
    assert again.learnt(BaselineKind.BARE) is None


def test_configured_goes_before_learnt_and_learnt_before_published() -> None:
    desk = Desk(GpuModel(name="NVIDIA H100 80GB HBM3", power_mw=75_000))
    assert desk.book.baselines()[BaselineKind.BARE].origin is BaselineOrigin.PRIOR
    desk.run(120)
    assert desk.book.baselines()[BaselineKind.BARE].power_mw == 75_000
    configured = Baseline(kind=BaselineKind.BARE, origin=BaselineOrigin.CONFIGURED, power_mw=70_000)
    desk.book.apply(replace(desk.policy, configured_baselines={BaselineKind.BARE: configured}))
    assert desk.book.baselines()[BaselineKind.BARE] is configured


def test_avoidable_is_what_a_held_board_draws_above_its_bare_baseline() -> None:
    bare = Baseline(kind=BaselineKind.BARE, origin=BaselineOrigin.CONFIGURED, power_mw=72_000)
    policy = BookPolicy(configured_baselines={BaselineKind.BARE: bare})
    desk = Desk(GpuModel(power_mw=121_000, pids=(1,)), policy)
    desk.run(101)
    assert desk.book.account.states[State.HELD].energy_mj == 100 * 121_000
    assert desk.book.account.avoidable_mj == 100 * 49_000


def test_avoidable_is_reckoned_in_corrected_watts() -> None:
    bare = Baseline(kind=BaselineKind.BARE, origin=BaselineOrigin.CONFIGURED, power_mw=50_000)
    policy = BookPolicy(
        correction=Correction(gain_ppm=1_100_000, offset_mw=1000), configured_baselines={BaselineKind.BARE: bare}
    )
    desk = Desk(GpuModel(power_mw=100_000, pids=(1,)), policy)
    desk.run(11)
    assert desk.book.account.states[State.HELD].energy_mj == 10 * 111_000
    assert desk.book.account.avoidable_mj == 10 * (111_000 - 56_000)


def test_where_no_bare_draw_is_known_nothing_is_called_avoidable() -> None:
    desk = Desk(GpuModel(pids=(1,)))
    desk.run(11)
    assert desk.book.account.avoidable_mj == 0


def test_published_draws_match_whole_words_of_the_board_name() -> None:
    assert prior_baselines("NVIDIA L40S")[BaselineKind.BARE].power_mw == 35_600
    assert prior_baselines("NVIDIA L4")[BaselineKind.BARE].power_mw == 17_000
    assert prior_baselines("NVIDIA A100-SXM4-80GB")[BaselineKind.BARE].power_mw == 50_000
    assert prior_baselines("Tesla P40") == {}


def learn(gpu: GpuModel, seconds: float, *, every: float = 1, swing_mw: int = 0, heat: float = 0) -> Baseline | None:
    """Let a learner watch the board at rest; give the first baseline it finds."""
    learner = BaselineLearner(BaselinePolicy())
    middle_mw, passed, high = gpu.power_mw, 0.0, False
    while passed < seconds:
        gpu.advance(every)
        passed += every
        gpu.temperature += heat * every / 60
        high = not high
        gpu.power_mw = middle_mw + (swing_mw if high else -swing_mw)
        found = learner.learn(gpu.reading(), State.PARKED, {}, gpu.host)
        if found is not None:
            return found
    return None


@pytest.mark.parametrize(("power_mw", "limit_mw"), [(50_000, 500), (100_000, 500), (300_000, 1500)])
def test_half_a_watt_or_half_a_percent_of_noise_is_calm(power_mw: int, limit_mw: int) -> None:
    calm = learn(GpuModel(power_mw=power_mw), 200, swing_mw=limit_mw - 10)
    assert calm is not None
    assert abs(calm.power_mw - power_mw) < limit_mw
    assert learn(GpuModel(power_mw=power_mw), 200, swing_mw=limit_mw + 10) is None


def test_less_than_half_a_degree_a_minute_is_settled() -> None:
    assert learn(GpuModel(), 200, heat=0.49) is not None
    assert learn(GpuModel(), 200, heat=0.51) is None
    assert learn(GpuModel(), 200, heat=-0.51) is None


@pytest.mark.parametrize(("every", "after"), [(0.2, 90.2), (1, 91), (2, 150)])
def test_a_window_has_a_minute_and_sixty_samples(every: float, after: float) -> None:
    assert learn(GpuModel(), after - every, every=every) is None
    found = learn(GpuModel(), after, every=every)
    assert found is not None
    assert found.samples >= 60


def test_a_silence_begins_the_wait_anew() -> None:
    learner, gpu = BaselineLearner(BaselinePolicy()), GpuModel()
    for second in range(200):
        gpu.advance(31 if second % 50 == 49 else 1)
        assert learner.learn(gpu.reading(), State.PARKED, {}, gpu.host) is None


def test_a_new_window_moves_a_known_baseline_by_a_tenth() -> None:
    desk = Desk(GpuModel(power_mw=80_000))
    desk.run(91)
    desk.gpu.power_mw = 84_000
    desk.run(61)
    moved = desk.learnt(BaselineKind.BARE)
    assert moved is not None
    assert moved.power_mw == 80_400
    desk.gpu.power_mw = 75_600
    desk.run(61)
    lowered = desk.learnt(BaselineKind.BARE)
    assert lowered is not None
    assert lowered.power_mw == 79_920, "not clearly lower: 5 W are the margin"


@pytest.mark.parametrize("origin", [BaselineOrigin.PRIOR, BaselineOrigin.CONFIGURED])
def test_only_what_was_learnt_dies_with_the_driver(origin: BaselineOrigin) -> None:
    known = Baseline(kind=BaselineKind.BARE, origin=origin, power_mw=1, driver_version="1", vbios_version="1")
    gpu = GpuModel()
    assert still_valid(known, gpu.reading(), gpu.host)
    assert not still_valid(replace(known, origin=BaselineOrigin.LEARNT), gpu.reading(), gpu.host)


def test_a_little_work_and_a_floor_spoil_the_rest_and_instant_power_will_do() -> None:
    assert learn(GpuModel(has_average=False), 100) is not None
    assert learn(GpuModel(utilization=None), 100) is not None
    assert learn(GpuModel(utilization=0.01), 300) is None
    assert learn(GpuModel(overrides={Quantity.POWER_FLOOR_MW: 1}), 300) is None
    nothing = dict.fromkeys((Quantity.POWER_AVERAGE_MW, Quantity.POWER_INSTANT_MW), Gap.FAILED)
    assert learn(GpuModel(gaps=nothing), 300) is None


@pytest.mark.parametrize("state", [State.ACTIVE, State.UNKNOWN, State.UNOBSERVED])
def test_only_idle_states_teach(state: State) -> None:
    learner, gpu = BaselineLearner(BaselinePolicy()), GpuModel()
    for _ in range(200):
        gpu.advance(1)
        assert learner.learn(gpu.reading(), state, {}, gpu.host) is None
