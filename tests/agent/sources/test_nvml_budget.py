"""What reading costs: calls per GPU and second, processor time, and when the costly calls are made."""

import statistics
from pathlib import Path

import pytest

from tests.agent.sources.nvml_child import SourceChild, machine
from tests.nvml.double import NvmlDouble
from wattledger.rules.quantity import Quantity

Q = Quantity
MINUTE = 60
LISTS = "nvmlDeviceGetComputeRunningProcesses_v3"


def test_a_gpu_at_work_costs_about_five_calls_a_second(tmp_path: Path) -> None:
    with machine(tmp_path, *["h100"] * 8) as m:
        for gpu in m.double.gpus:
            gpu.process(100)
            gpu.utilisation(gpu=90, memory=40)
            gpu.burst(high_w=690, low_w=200, period_s=3.3, duty=0.6)
        m.child.tick(times=20)
        m.double.reset_calls()
        m.child.tick(times=2 * MINUTE)
        calls = sum(m.double.calls().values()) / (2 * MINUTE) / 8
        batches = m.double.calls(3)["nvmlDeviceGetFieldValues"]
    assert calls < 5.1, calls  # 0.3 of them are its 18 NVLinks, once a minute
    assert batches <= 2 * MINUTE * 61 / 60 + 1  # one a tick, and one a minute for the slow fields


def test_an_idle_gpu_costs_about_four_calls_a_second(tmp_path: Path) -> None:
    with machine(tmp_path, *["a100"] * 8) as m:
        m.child.tick(times=20)
        m.double.reset_calls()
        m.child.tick(times=2 * MINUTE)
        calls = sum(m.double.calls().values()) / (2 * MINUTE) / 8
    assert 3 < calls < 4.5, calls


def test_the_calls_told_are_the_calls_made(tmp_path: Path) -> None:
    with machine(tmp_path, "h100", "gh200") as m:
        m.double.gpu(0).process(1)
        m.double.gpu(0).utilisation(gpu=10)
        first = m.child.tick(times=3)
        m.double.reset_calls()
        last = m.child.tick(times=MINUTE)
        made = {name: count for name, count in m.double.calls().items() if not name.startswith("nvmlEvent")}
    # The thread that waits for events adds its own, which fall where they fall.
    assert last.driver_calls - first.driver_calls == pytest.approx(sum(made.values()), abs=3)
    assert last.driver_busy_ns > first.driver_busy_ns


@pytest.mark.parametrize("profile", ["h100", "l40s", "volta"])
def test_calls_that_sample_for_milliseconds_are_never_made(tmp_path: Path, profile: str) -> None:
    with machine(tmp_path, profile) as m:
        m.tick(times=70)
        calls = m.double.calls()
    for name in ("nvmlDeviceGetPcieThroughput", "nvmlDeviceGetSamples", "nvmlDeviceGetAccountingMode"):
        assert calls.get(name, 0) == 0


def test_the_python_side_of_a_tick_is_small(tmp_path: Path) -> None:
    with machine(tmp_path, *["h100"] * 8) as m:
        for gpu in m.double.gpus:
            gpu.process(100)
            gpu.utilisation(gpu=90)
        m.child.read()
        spent = m.child.ask("time", ticks=200)
    # 30 us measured; three times the aim of 100 us leaves room for a loaded machine.
    assert statistics.median(spent) / 8 < 300e-6


def test_devices_take_turns_in_slow_reads(tmp_path: Path) -> None:
    with machine(tmp_path, *["h100"] * 8) as m:
        m.child.tick(times=11)
        per_tick = []
        for _ in range(20):
            m.double.reset_calls()
            m.child.tick()
            per_tick.append(m.double.calls().get(LISTS, 0))
    assert max(per_tick) <= 2
    assert sum(per_tick) == 16


def test_the_process_list_is_read_every_ten_seconds(tmp_path: Path) -> None:
    with machine(tmp_path, "h100") as m:
        m.tick(times=5)
        m.double.gpu(0).process(1)
        m.double.gpu(0).utilisation(gpu=70)
        m.double.gpu(0).burst(high_w=690, low_w=150, period_s=2.6, duty=0.5)
        m.tick(times=15)
        m.double.reset_calls()
        m.tick(times=MINUTE)
        assert m.double.calls(0)[LISTS] == 6


def test_a_new_context_is_seen_within_two_ticks(tmp_path: Path) -> None:
    with machine(tmp_path, "h100") as m:
        m.tick(times=14)
        m.double.gpu(0).process(321)
        m.tick()
        assert m.tick().values[Q.PROCESSES] == 1
        m.tick(times=4)
        m.double.gpu(0).end_process(321)
        m.tick()
        assert m.tick().values[Q.PROCESSES] == 0


def test_a_context_that_lifts_power_alone_is_seen_too(tmp_path: Path) -> None:
    with machine(tmp_path, "l40s") as m:
        gpu = m.double.gpu(0)
        gpu.clocks(sm=210)
        m.tick(times=14)
        gpu.process(321)
        m.tick()
        assert m.tick().values[Q.PROCESSES] == 1


def test_a_context_that_lifts_the_clock_alone_is_seen_too(tmp_path: Path) -> None:
    with machine(tmp_path, "h100") as m:
        gpu = m.double.gpu(0)
        gpu.draw(120)
        m.tick(times=14)
        gpu.process(321)
        m.tick()
        assert m.tick().values[Q.PROCESSES] == 1


def test_idle_noise_asks_for_no_list(tmp_path: Path) -> None:
    with NvmlDouble(tmp_path / "double", ["l40s"], noise=True) as double, SourceChild(double) as child:
        child.open().read()
        child.tick(times=15)
        double.reset_calls()
        child.tick(times=MINUTE)
        assert double.calls(0)[LISTS] == 6


def test_work_of_nobody_known_asks_for_the_list(tmp_path: Path) -> None:
    with machine(tmp_path, "h100") as m:
        gpu = m.double.gpu(0)
        m.tick(times=14)
        gpu.process(5, perf_boost=False)
        gpu.utilisation(gpu=100)
        m.tick(times=2)
        assert m.tick().values[Q.PROCESSES] == 1
