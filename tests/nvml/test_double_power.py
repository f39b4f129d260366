"""Power and energy of the double, seen through real pynvml in a child, against the closed form."""

import itertools
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.nvml.double import NvmlDouble
from tests.nvml.fixtures import MakeDouble, MakeProbe
from tests.nvml.gpu import GpuControl
from tests.nvml.probe import Probe
from tests.nvml.profiles import PROFILES, GpuSpec
from tests.nvml.trace import Piece, PowerTrace

S = 1_000_000_000
MS = 1_000_000
ENERGY, AVERAGE, INSTANT = (191, 0), (185, 0), (186, 0)

pieces = st.builds(
    lambda start, high, low, period, on: Piece(start, high, low, period, min(on, period)),
    st.integers(0, 5000),
    st.integers(0, 700_000),
    st.integers(0, 700_000),
    st.integers(0, 400),
    st.integers(0, 400),
)


def power_at(trace: list[Piece], t: int) -> int:
    held = [piece for piece in trace if piece.start_ns <= t]
    if not held:
        return 0
    piece = held[-1]
    if piece.period_ns == 0 or (t - piece.start_ns) % piece.period_ns < piece.on_ns:
        return piece.high_mw
    return piece.low_mw


@given(st.lists(pieces, min_size=1, max_size=6), st.integers(0, 6000), st.integers(0, 500))
def test_the_closed_form_is_the_sum_of_power_over_every_nanosecond(plan: list[Piece], t0: int, length: int) -> None:
    trace = PowerTrace()
    for piece in sorted(plan):
        trace.append(piece)
    summed = sum(power_at(trace.pieces, t) for t in range(t0, t0 + length))
    assert trace.energy_pj(t0 + length) - trace.energy_pj(t0) == summed


def read(probe: Probe, board: GpuControl) -> tuple[float | None, ...]:
    handle = probe.handle(board.slot)
    average, instant, energy = probe.fields(handle, [AVERAGE, INSTANT, ENERGY])
    return average, instant, probe.call("nvmlDeviceGetPowerUsage", handle), energy


@pytest.mark.parametrize("noise", [False, True])
def test_c_and_python_publish_the_same_values_on_any_plan(
    make_double: MakeDouble, make_probe: MakeProbe, noise: bool
) -> None:
    specs = [GpuSpec("h100"), GpuSpec("rtx4090", gain=1.044, offset_w=-20), GpuSpec("l40s", lag_ms=0, phase_ms=7)]
    double = make_double(*specs, noise=noise)
    probe = make_probe(double)
    dice = random.Random(3)  # noqa: S311 - reproducible
    for _ in range(120):
        board = double.gpu(dice.randrange(3))
        match dice.randrange(4):
            case 0:
                board.draw(dice.uniform(60, 700))
            case 1:
                period, duty = dice.uniform(0.003, 0.4), dice.random()
                board.burst(high_w=dice.uniform(200, 700), low_w=dice.uniform(40, 200), period_s=period, duty=duty)
            case 2:
                board.trace([(dice.uniform(0.01, 0.3), dice.uniform(50, 600)) for _ in range(5)], repeat=3)
            case _:
                board.automatic()
        double.advance(dice.choice([0.001, 0.05, 0.1, 0.33, 2.0, 61.0]))
        now = double.now_ns
        shown = tuple(board.published_mw(kind, now) for kind in ("average", "instant", "usage"))
        assert read(probe, board) == (*shown, board.counter_mj(now))


@pytest.mark.parametrize("key", [key for key, profile in PROFILES.items() if key != "pascal"])
def test_energy_is_the_truth_within_one_tick_and_one_millijoule(
    make_double: MakeDouble, make_probe: MakeProbe, key: str
) -> None:
    double = make_double(key)
    probe, board = make_probe(double), double.gpu(0)
    handle = probe.handle()
    tau_s = PROFILES[key].publication.tau_ms / 1000
    start = double.now_ns
    first = probe.call("nvmlDeviceGetTotalEnergyConsumption", handle)
    board.burst(high_w=300, low_w=60, period_s=0.0333, duty=0.4)
    for seconds in (0.5, 7.77, 60):
        double.advance(seconds)
        gained = probe.call("nvmlDeviceGetTotalEnergyConsumption", handle) - first
        assert abs(gained - board.truth_mj(start, double.now_ns)) <= 300_000 * tau_s + 1


def test_a_counter_read_on_its_edges_is_exact_to_the_millijoule(
    make_double: MakeDouble, make_probe: MakeProbe
) -> None:
    double = make_double(GpuSpec("h100", counter_phase_ms=0))
    probe, board = make_probe(double), double.gpu(0)
    handle = probe.handle()
    start = double.now_ns
    board.burst(high_w=650.123, low_w=130.001, period_s=0.0301, duty=0.37)
    (before,) = probe.fields(handle, [ENERGY])
    double.advance(12.3)
    (after,) = probe.fields(handle, [ENERGY])
    assert before is not None
    assert after is not None
    assert abs(after - before - board.truth_mj(start, double.now_ns)) <= 1


def test_getters_hold_their_value_between_updates(make_double: MakeDouble, make_probe: MakeProbe) -> None:
    double = make_double(GpuSpec("h100", phase_ms=0, counter_phase_ms=50, lag_ms=0))
    probe, board = make_probe(double), double.gpu(0)
    board.draw(500)
    for _ in range(9):
        double.advance_ns(10 * MS)
        assert probe.fields(probe.handle(), [INSTANT]) == [71_800]
    double.advance_ns(10 * MS)
    assert probe.fields(probe.handle(), [INSTANT]) == [500_000]


def test_the_counter_steps_once_per_tick(make_double: MakeDouble, make_probe: MakeProbe) -> None:
    double = make_double(GpuSpec("h100", counter_phase_ms=0))
    probe = make_probe(double)
    seen = []
    for _ in range(100):
        double.advance_ns(10 * MS)
        seen.append(probe.call("nvmlDeviceGetTotalEnergyConsumption", probe.handle()))
    steps = [b - a for a, b in itertools.pairwise(seen) if b != a]
    assert steps == [7180] * 10


def test_field_185_is_the_mean_of_one_second_and_186_of_the_window(
    make_double: MakeDouble, make_probe: MakeProbe
) -> None:
    double = make_double(GpuSpec("h100", phase_ms=0, lag_ms=0, bare_w=100))
    probe, board = make_probe(double), double.gpu(0)
    handle = probe.handle()
    board.draw(600)
    ramp = []
    for _ in range(12):
        double.advance(0.1)
        ramp.append(probe.fields(handle, [AVERAGE, INSTANT]))
    assert [row[0] for row in ramp] == [100_000 + 50_000 * min(n, 10) for n in range(1, 13)]
    assert {row[1] for row in ramp} == {600_000}


def test_a_published_value_is_one_period_old_by_default(make_double: MakeDouble, make_probe: MakeProbe) -> None:
    double = make_double(GpuSpec("h100", phase_ms=0))
    probe, board = make_probe(double), double.gpu(0)
    board.draw(600)
    seen = []
    for _ in range(3):
        double.advance(0.1)
        seen += probe.fields(probe.handle(), [INSTANT])
    assert seen == [71_800, 600_000, 600_000]


def test_work_locked_to_the_update_period_fools_the_instant_reading_and_not_the_counter(
    make_double: MakeDouble, make_probe: MakeProbe
) -> None:
    double = make_double(GpuSpec("h100", phase_ms=0, counter_phase_ms=0, lag_ms=0))
    probe, board = make_probe(double), double.gpu(0)
    handle = probe.handle()
    start = double.now_ns
    board.burst(high_w=600, low_w=100, period_s=0.1, duty=0.5)
    double.advance(2)
    first = probe.call("nvmlDeviceGetTotalEnergyConsumption", handle)
    instant = []
    for _ in range(10):
        double.advance(1)
        instant += probe.fields(handle, [INSTANT])
    gained = probe.call("nvmlDeviceGetTotalEnergyConsumption", handle) - first
    assert set(instant) == {100_000}
    assert gained == board.truth_mj(start, start + 10 * S) == 3_500_000


def test_the_plain_call_is_average_or_instant_by_architecture(make_double: MakeDouble, make_probe: MakeProbe) -> None:
    boards = ("volta", "turing", "a100", "rtx3090", "l40s", "h100")
    double = make_double(
        *(GpuSpec(key, phase_ms=0, lag_ms=0) for key in boards),
        GpuSpec("l40s", phase_ms=0, lag_ms=0, usage_window_ms=100),
    )
    probe = make_probe(double)
    for board in double.gpus:
        board.draw(250)
    double.advance(0.2)
    usage = [probe.call("nvmlDeviceGetPowerUsage", probe.handle(index)) for index in range(7)]
    settled = [abs(mw - 250_000) < 1000 for mw in usage]
    assert settled == [True, True, True, False, False, False, True]


def test_quantum_rounds_power_and_not_energy(make_double: MakeDouble, make_probe: MakeProbe) -> None:
    double = make_double(GpuSpec("volta", counter_phase_ms=0))
    probe, board = make_probe(double), double.gpu(0)
    start = double.now_ns
    board.draw(100.1)
    first = probe.call("nvmlDeviceGetTotalEnergyConsumption", probe.handle())
    double.advance(10)
    assert probe.call("nvmlDeviceGetPowerUsage", probe.handle()) % 370 == 0
    gained = probe.call("nvmlDeviceGetTotalEnergyConsumption", probe.handle()) - first
    assert gained == board.truth_mj(start, double.now_ns) == 1_001_000


def test_gain_and_offset_change_what_is_shown_and_not_the_truth(
    make_double: MakeDouble, make_probe: MakeProbe
) -> None:
    double = make_double(GpuSpec("h100", gain=0.95, offset_w=-2, counter_phase_ms=0))
    probe, board = make_probe(double), double.gpu(0)
    first = probe.call("nvmlDeviceGetTotalEnergyConsumption", probe.handle())
    start = board.draw(400)
    double.advance(100)
    assert board.truth_mj(start, double.now_ns) == 40_000_000
    assert probe.fields(probe.handle(), [AVERAGE]) == [378_000]
    gained = probe.call("nvmlDeviceGetTotalEnergyConsumption", probe.handle()) - first
    assert abs(gained - 37_800_000) <= 1


def test_board_errors_are_drawn_per_uuid_and_stay(make_double: MakeDouble) -> None:
    drawn = [GpuSpec("h100", uuid=f"GPU-{n}").with_board_error() for n in range(50)]
    assert drawn == [GpuSpec("h100", uuid=f"GPU-{n}").with_board_error() for n in range(50)]
    assert len({spec.gain for spec in drawn}) == 50
    assert all(-22 <= spec.offset_w <= 16 and 0.8 < spec.gain < 1.15 for spec in drawn)


def test_a_reset_zeroes_counter_and_uptime(double: NvmlDouble, probe: Probe) -> None:
    handle = probe.handle()
    assert probe.call("uptime_s", handle) == 3600
    double.gpu(0).reset_counter()
    assert probe.call("nvmlDeviceGetTotalEnergyConsumption", handle) == 0
    assert probe.call("uptime_s", handle) == 0
    double.advance(20.2)
    assert probe.call("uptime_s", handle) == 20
    energy = probe.call("nvmlDeviceGetTotalEnergyConsumption", handle)
    assert 20 * 71_800 <= energy <= 20.2 * 71_800


def test_a_counter_can_drift_away_from_power(double: NvmlDouble, probe: Probe) -> None:
    board = double.gpu(0)
    board.draw(500)
    board.counter_gain(0.57)
    double.advance(100)
    energy = probe.call("nvmlDeviceGetTotalEnergyConsumption", probe.handle())
    assert energy == pytest.approx(0.57 * 50_000_000, rel=0.002)
    assert probe.fields(probe.handle(), [AVERAGE]) == [500_000]


def test_a_duty_cycled_counter_misses_what_its_windows_miss(make_double: MakeDouble, make_probe: MakeProbe) -> None:
    double = make_double(GpuSpec("h100", phase_ms=0, counter_phase_ms=0, lag_ms=0))
    probe, board = make_probe(double), double.gpu(0)
    board.burst(high_w=600, low_w=100, period_s=0.1, duty=0.5)
    board.counter_samples(on=True)
    for seconds in (0.35, 10, 50):
        double.advance(seconds)
        energy = probe.call("nvmlDeviceGetTotalEnergyConsumption", probe.handle())
        assert energy == board.counter_mj(double.now_ns)
    assert energy == pytest.approx(100_000 * 60.35, rel=0.01)  # truth: 350 W


def test_a_plan_longer_than_the_control_file_keeps_its_energy(make_double: MakeDouble, make_probe: MakeProbe) -> None:
    double = make_double("h100", GpuSpec("a100", counter_phase_ms=0))
    probe, board = make_probe(double), double.gpu(1)
    first = probe.call("nvmlDeviceGetTotalEnergyConsumption", probe.handle(1))
    start = board.trace([(0.02, 100.0), (0.03, 300.0)], repeat=2500)
    for seconds, wanted_mj in ((110, 110 * 220_000), (30, 125 * 220_000 + 15 * 300_000)):
        double.advance(seconds)
        gained = probe.call("nvmlDeviceGetTotalEnergyConsumption", probe.handle(1)) - first
        assert gained == board.truth_mj(start, double.now_ns) == wanted_mj


def test_noise_has_the_spread_of_the_board(make_double: MakeDouble, make_probe: MakeProbe) -> None:
    double = make_double("l40s", noise=True)
    probe = make_probe(double)
    seen = []
    for _ in range(300):
        double.advance(0.1)
        seen += [mw for mw in probe.fields(probe.handle(), [INSTANT]) if mw is not None]
    mean = sum(seen) / len(seen)
    spread = (sum((mw - mean) ** 2 for mw in seen) / len(seen)) ** 0.5
    assert abs(mean - 35_600) < 50
    assert 100 < spread < 180


def test_firmware_phases_differ_by_board_and_boot(tmp_path: Path) -> None:
    phases = set()
    for boot in range(3):
        with NvmlDouble(tmp_path / str(boot), ["h100", "h100"], boot_seed=boot) as double:
            phases |= {board.shared.phase_ns for board in double.gpus}
    assert len(phases) == 6


def test_power_that_would_show_as_negative_is_refused(make_double: MakeDouble) -> None:
    with pytest.raises(ValueError, match="run back"):
        make_double(GpuSpec("pascal", offset_w=-22))


def test_the_real_clock_counts_what_is_drawn(make_double: MakeDouble, make_probe: MakeProbe) -> None:
    double = make_double("h100", clock="real")
    probe, board = make_probe(double), double.gpu(0)
    start = board.draw(500)
    with pytest.raises(ValueError, match="virtual"):
        double.advance(1)
    readings = []
    while double.now_ns < start + S // 2:
        readings.append(probe.call("nvmlDeviceGetTotalEnergyConsumption", probe.handle()))
    assert readings == sorted(readings)
    assert 150_000 <= readings[-1] - readings[0] <= 310_000
