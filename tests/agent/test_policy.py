"""What a configuration means for the books: corrections, owners, maintenance, limits."""

import pytest

from wattledger.agent.config import Config
from wattledger.agent.config.schema import Correction, Gpus, Maintenance, Ownership, States
from wattledger.agent.config.values import GpuReference
from wattledger.agent.policy import host_policy, usage_settings
from wattledger.rules.book import BookPolicy
from wattledger.rules.correction import Correction as BookCorrection
from wattledger.rules.energy import EnergyChoice
from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.reading import DeviceIdentity
from wattledger.rules.state import BaselineKind, BaselineOrigin
from wattledger.rules.states import Circumstances

FIRST = DeviceIdentity("GPU-1", 0, "Model")
SECOND = DeviceIdentity("GPU-2", 1, "Model")


def circumstances(config: Config, identity: DeviceIdentity = FIRST, wall_ns: int = 0) -> Circumstances:
    return host_policy(config).circumstances(identity, wall_ns)


def owner(config: Config, identity: DeviceIdentity) -> str:
    return usage_settings(config).workloads.owners(identity)


def test_an_empty_configuration_changes_nothing() -> None:
    assert host_policy(Config()).book(FIRST) == BookPolicy()
    assert circumstances(Config()) == Circumstances()


def test_a_correction_is_that_of_its_board_alone() -> None:
    known = Correction(gain_ppm=1_030_000, offset_mw=-1200, bare_mw=70_000, context_mw=None)
    policy = host_policy(Config(gpus=Gpus(corrections={"GPU-2": known})))
    assert policy.book(FIRST) == BookPolicy()
    book = policy.book(SECOND)
    assert book.correction == BookCorrection(gain_ppm=1_030_000, offset_mw=-1200)
    (bare,) = book.configured_baselines.values()
    assert (bare.kind, bare.origin, bare.power_mw) == (BaselineKind.BARE, BaselineOrigin.CONFIGURED, 70_000)


def test_both_baselines_can_be_configured_without_gain_or_offset() -> None:
    policy = host_policy(Config(gpus=Gpus(corrections={"GPU-1": Correction(bare_mw=70_000, context_mw=120_000)})))
    book = policy.book(FIRST)
    assert book.correction.is_identity
    assert {kind: known.power_mw for kind, known in book.configured_baselines.items()} == {
        BaselineKind.BARE: 70_000,
        BaselineKind.CONTEXT: 120_000,
    }


@pytest.mark.parametrize("corrected", [False, True])
def test_states_and_energy_hold_for_every_board(corrected: bool) -> None:
    config = Config(
        gpus=Gpus(
            energy=EnergyChoice.POWER, corrections={"GPU-1": Correction(gain_ppm=1_100_000)} if corrected else {}
        ),
        states=States(dwell_ns=7, activity_ppm=100_000),
    )
    book = host_policy(config).book(FIRST)
    assert book.energy.choice is EnergyChoice.POWER
    assert (book.states.dwell_ns, book.states.activity_ratio) == (7, 0.1)


@pytest.mark.parametrize(("interval_s", "gap_s"), [(1, 10), (2, 10), (3, 15), (10, 50)])
def test_a_silence_is_longer_than_a_few_ticks(interval_s: int, gap_s: int) -> None:
    config = Config(interval_ns=interval_s * NS_PER_SECOND)
    assert host_policy(config).book(FIRST).energy.gap_ns == gap_s * NS_PER_SECOND


def test_the_first_owner_that_names_a_board_has_it() -> None:
    config = Config(
        owners=(
            Ownership(gpus=(GpuReference(index=5), GpuReference(uuid="GPU-2")), owner="alice"),
            Ownership(gpus=(GpuReference(index=1), GpuReference(index=0)), owner="bob"),
        )
    )
    assert owner(config, FIRST) == "bob"
    assert owner(config, SECOND) == "alice"
    assert circumstances(config, DeviceIdentity("GPU-3", 2, "Model")).owner == ""


@pytest.mark.parametrize(("wall_ns", "reason"), [(99, ""), (100, "burn-in"), (199, "burn-in"), (200, "")])
def test_a_window_begins_with_its_first_moment_and_ends_before_its_last(wall_ns: int, reason: str) -> None:
    window = Maintenance(from_wall_ns=100, to_wall_ns=200, reason="burn-in")
    assert circumstances(Config(states=States(maintenance=(window,))), wall_ns=wall_ns).maintenance == reason


def test_a_window_is_for_every_board_or_for_those_it_names() -> None:
    config = Config(
        states=States(
            maintenance=(
                Maintenance(gpus=(GpuReference(uuid="GPU-1"),), from_wall_ns=0, to_wall_ns=9),
                Maintenance(from_wall_ns=5, to_wall_ns=9, reason="cooling"),
            )
        )
    )
    assert circumstances(config, FIRST, 6).maintenance == "planned"
    assert circumstances(config, SECOND, 6).maintenance == "cooling"
    assert circumstances(config, SECOND, 1).maintenance == ""


def test_a_window_that_names_no_board_is_for_none() -> None:
    window = Maintenance(gpus=(), from_wall_ns=0, to_wall_ns=9)
    assert circumstances(Config(states=States(maintenance=(window,)))).maintenance == ""
