"""The simulated meter: the counter is the integral, published values are held, late, and in steps of the board."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattledger.agent.sources.sim_chance import bell_milli, chance, text_number
from wattledger.agent.sources.sim_fleet import Fleet, SimHost
from wattledger.agent.sources.sim_physics import Physics
from wattledger.agent.sources.sim_profiles import PROFILES
from wattledger.agent.sources.sim_story import LOADS, ROLES, Doing, Spell, Story
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.quantity import Quantity

MS = 1_000_000
HOUR_NS = 3600 * NS_PER_SECOND
profiles = st.sampled_from(sorted(PROFILES))
moments = st.integers(0, 1000 * HOUR_NS)
stories = st.builds(
    Story,
    st.lists(
        st.builds(
            Spell,
            seconds=st.integers(1, 20),
            doing=st.sampled_from(Doing),
            other=st.none() | st.sampled_from(Doing),
            beat_ms=st.integers(1, 3000),
            share=st.integers(0, 1000),
        ),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, 10**12),
)


def physics(profile: str = "h100", *, role: int = 0, seed: int = 0, boot_id: str = "boot") -> Physics:
    story = Story(ROLES[role].spells)
    return Physics(PROFILES[profile], story, uuid="GPU-51300000", seed=seed, boot_id=boot_id)


@given(profiles, st.integers(0, 7), st.integers(0, 50), moments, st.integers(0, HOUR_NS))
@settings(max_examples=100)
def test_the_counter_is_the_truth_within_one_tick_and_one_millijoule(
    profile: str, index: int, seed: int, start_ns: int, length_ns: int
) -> None:
    host = SimHost(Fleet(profiles=(profile,), seed=seed), boot_id="boot")
    board = PROFILES[profile]
    tick_mj = 1 + 1.3 * board.limit_mw * board.counter_tick_ms * MS / 1e9

    def counter_mj(mono_ns: int) -> int | None:
        return host.sample(Instant(mono_ns, 0)).devices[index].integer(Quantity.ENERGY_MJ)

    before, after = counter_mj(start_ns), counter_mj(start_ns + length_ns)
    if profile == "p40":
        assert before is after is None
        return
    assert before is not None
    assert after is not None
    assert 0 <= host.truth_mj(index, 0, start_ns) - before <= tick_mj
    assert abs(after - before - host.truth_mj(index, start_ns, start_ns + length_ns)) <= tick_mj


@given(stories, st.integers(-(10**12), 10**14), st.integers(0, 10**11))
@settings(max_examples=200)
def test_time_spent_adds_up_to_the_time_that_passed(story: Story, start_ns: int, length_ns: int) -> None:
    before, after = story.spent_ns(start_ns), story.spent_ns(start_ns + length_ns)
    spent = [now - then for now, then in zip(after, before, strict=True)]
    assert sum(spent) == length_ns
    assert min(spent) >= 0


@given(stories, st.integers(-(10**12), 10**14))
@settings(max_examples=200)
def test_what_is_done_at_a_moment_is_where_the_next_nanosecond_goes(story: Story, mono_ns: int) -> None:
    now, then = story.spent_ns(mono_ns + 1), story.spent_ns(mono_ns)
    spent = [after - before for after, before in zip(now, then, strict=True)]
    assert spent[story.doing(mono_ns)] == 1


def test_truth_is_the_sum_over_small_steps_of_what_is_drawn() -> None:
    board = physics(role=0)
    story, profile = board.story, board.profile
    step_ns = 10 * MS  # every beat of the story is a multiple
    drawn_pj = 0
    for mono_ns in range(0, 80 * NS_PER_SECOND, step_ns):
        load = LOADS[story.doing(mono_ns)]
        idle_mw = profile.context_mw if load.context else profile.bare_mw
        range_mw = profile.limit_mw - profile.context_mw
        drawn_pj += (idle_mw + range_mw * load.power // 1000) * step_ns
    assert board.drawn_mj(0, 80 * NS_PER_SECOND) == drawn_pj // 10**9


@given(st.integers(0, 1000), profiles, st.integers(1, HOUR_NS))
@settings(max_examples=60)
def test_the_meter_is_off_by_its_own_gain_and_offset_and_nothing_else(seed: int, name: str, length_ns: int) -> None:
    host = SimHost(Fleet(count=1, profiles=(name,), seed=seed))
    gain, offset_mw = host.meter_error(0)
    expected_mj = gain * host.drawn_mj(0, 0, length_ns) + offset_mw * length_ns / 1e9
    assert host.truth_mj(0, 0, length_ns) == pytest.approx(expected_mj, abs=3 + length_ns / 1e9)
    assert 0.88 <= gain <= 1.08
    assert host.truth_mj(0, 0, HOUR_NS) > 0


def test_boards_differ_and_a_board_keeps_its_error_over_boots() -> None:
    first, again = (SimHost(boot_id=boot_id) for boot_id in ("one", "two"))
    errors = [first.meter_error(index) for index in range(8)]
    assert len(set(errors)) == 8
    assert errors == [again.meter_error(index) for index in range(8)]


@pytest.mark.parametrize("profile", sorted(PROFILES))
@pytest.mark.parametrize("role", [0, 2, 3])
def test_published_power_is_held_between_updates(profile: str, role: int) -> None:
    board = physics(profile, role=role)
    period_ns = PROFILES[profile].update_ms * MS
    for read in (board.average_mw, board.instant_mw):
        values = [read(HOUR_NS + k * MS) for k in range(2000)]
        changes = [k for k in range(1, 2000) if values[k] != values[k - 1]]
        assert changes or role == 3  # the noise of an idle board may be less than its quantum
        assert {k % (period_ns // MS) for k in changes} <= {k % (period_ns // MS) for k in changes[:1]}


def test_the_counter_steps_only_at_its_tick() -> None:
    board = physics(role=3)
    values = [board.counter_mj(HOUR_NS + k * MS) for k in range(1000)]
    changes = [k for k in range(1, 1000) if values[k] != values[k - 1]]
    assert len(changes) == 10
    assert {b - a for a, b in pairwise(changes)} == {100}


def test_the_firmware_starts_elsewhere_at_every_boot() -> None:
    def first_change(boot_id: str) -> int:
        board = physics(role=3, boot_id=boot_id)
        return next(k for k in range(200) if board.counter_mj(HOUR_NS + k * MS) != board.counter_mj(HOUR_NS))

    assert len({first_change(str(boot)) for boot in range(12)}) > 6


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_published_power_is_in_steps_of_the_quantum(profile: str) -> None:
    board = physics(profile)
    for second in range(200):
        assert board.instant_mw(second * 997 * MS) % PROFILES[profile].quantum_mw == 0
        assert board.average_mw(second * 997 * MS) % PROFILES[profile].quantum_mw == 0


def test_the_average_is_that_of_the_second_before_the_last_update_but_one() -> None:
    board = physics(role=0)
    update_ns = _update_after(board, HOUR_NS)
    end_ns = update_ns - 100 * MS
    mean_mw = board.metered_mj(end_ns - NS_PER_SECOND, end_ns)
    assert board.average_mw(update_ns) == pytest.approx(mean_mw, abs=200)


def _update_after(board: Physics, mono_ns: int) -> int:
    """Give, by bisection, the first nanosecond of the next published value."""
    held = board.instant_mw(mono_ns)
    late_ns = next(n for n in range(mono_ns, mono_ns + 1000 * MS, MS) if board.instant_mw(n) != held)
    early_ns = late_ns - MS
    while late_ns - early_ns > 1:
        middle_ns = (early_ns + late_ns) // 2
        early_ns, late_ns = (middle_ns, late_ns) if board.instant_mw(middle_ns) == held else (early_ns, middle_ns)
    return late_ns


def test_one_read_a_second_of_the_average_sees_all_energy() -> None:
    board = physics(role=0)
    seconds = range(3600, 3600 + 400)
    truth_mj = board.metered_mj(3600 * NS_PER_SECOND, 4000 * NS_PER_SECOND)
    average_mj = sum(board.average_mw(s * NS_PER_SECOND) for s in seconds)
    assert average_mj / truth_mj == pytest.approx(1, abs=0.003)


def test_a_context_steps_power_and_clock_and_keeps_them_while_it_lives() -> None:
    host = SimHost(boot_id="boot")
    readings = [host.sample(Instant(s * NS_PER_SECOND, 0)).devices for s in range(60)]
    held, empty = [r[3] for r in readings], [r[4] for r in readings]
    for device, clock_hz, watts in ((held, 1_980_000_000, 121.7), (empty, 345_000_000, 71.8)):
        gain, offset_mw = host.meter_error(device[0].identity.index)
        assert {d.integer(Quantity.CLOCK_SM_HZ) for d in device} == {clock_hz}
        for reading in device:
            expected_mw = gain * watts * 1000 + offset_mw
            assert reading.integer(Quantity.POWER_AVERAGE_MW) == pytest.approx(expected_mw, abs=150)
    assert len({d.integer(Quantity.POWER_INSTANT_MW) for d in held}) > 5  # idle has its noise


def test_the_power_limit_throttles_clock_and_counts_the_time() -> None:
    host = SimHost(boot_id="boot")
    for second in range(200):
        now = host.sample(Instant(second * NS_PER_SECOND, 0)).devices[2]
        if now.integer(Quantity.CLOCK_EVENT_REASONS) == 4:
            break
    assert now.integer(Quantity.CLOCK_SM_HZ) == 1_980_000_000 * 93 // 100
    later = host.sample(Instant(now.at.mono_ns + 1000, 0)).devices[2]
    rose = (later.integer(Quantity.THROTTLE_POWER_CAP_NS) or 0) - (now.integer(Quantity.THROTTLE_POWER_CAP_NS) or 0)
    assert rose == 1000


def test_temperature_follows_power_slowly() -> None:
    board = physics(role=6)  # empty for 34 s, then ever busier
    celsius = [board.temperature_celsius((240 + s) * NS_PER_SECOND) for s in range(120)]
    assert min(celsius[28:36]) + 10 < max(celsius[80:110])
    assert max(abs(a - b) for a, b in pairwise(celsius)) < 2
    assert all(20 < value < 90 for value in celsius)


def test_chance_depends_on_its_arguments_alone_and_is_spread() -> None:
    assert chance(1, 2) == chance(1, 2) != chance(2, 1)
    assert text_number("a") == 0xAF63DC4C8601EC8C  # FNV-1a of "a"
    bells = [bell_milli(chance(number)) for number in range(4000)]
    assert sum(bells) / len(bells) == pytest.approx(0, abs=50)
    assert (sum(bell * bell for bell in bells) / len(bells)) ** 0.5 == pytest.approx(1000, rel=0.05)
