"""The wall clock is set while the daemon runs: time and energy are measured by another clock."""

import time
from pathlib import Path

import pytest

from tests.agent.daemon_process import DaemonProcess, Page
from tests.agent.e2e_daemon import ENERGY, MISSED, SAMPLE_TIME, Counters, Truth, Witness, machine
from tests.agent.e2e_wall_clock import WallClock
from wattledger.agent.clock import SystemClock
from wattledger.agent.ledger import open_ledger

STATE_SECONDS = "wattledger_gpu_state_seconds_total"
HOUR = 3600


@pytest.mark.parametrize(
    "step",
    [pytest.param(30 * HOUR, id="forward", marks=pytest.mark.nightly), pytest.param(-30 * HOUR, id="back")],
)
def test_a_step_of_the_wall_clock_changes_neither_joules_nor_seconds_nor_freshness(tmp_path: Path, step: int) -> None:
    clock = WallClock(tmp_path / "clock")
    counters = Counters()
    with machine(tmp_path) as double:
        truth = Truth(double)
        env = double.env | clock.env
        with DaemonProcess(tmp_path / "state", env=env) as daemon, Witness(daemon):
            daemon.wait_ticks(2)
            truth.load(daemon)
            before = counters.see(daemon.wait_ticks(2))
            began = time.monotonic()
            clock.step(step)
            stepped = daemon.wait_for(
                lambda page: page if abs(page.value(SAMPLE_TIME) - before.value(SAMPLE_TIME)) > HOUR else None,
                "samples of the new time",
            )
            assert stepped.value(SAMPLE_TIME) - before.value(SAMPLE_TIME) == pytest.approx(step, abs=5)
            assert daemon.get("/-/ready")[0] == 200, "age is not told by the wall clock"
            after = counters.see(truth.check(daemon))
            lasted = time.monotonic() - began
            for gpu in ("0", "1"):
                seconds = after.total(STATE_SECONDS, gpu=gpu) - before.total(STATE_SECONDS, gpu=gpu)
                assert seconds == pytest.approx(lasted, abs=1.0)
                assert after.total(STATE_SECONDS, gpu=gpu, state="unobserved") == 0
            assert after.value(MISSED, source="nvml") <= before.value(MISSED, source="nvml") + 2
        # The clock is still wrong at the next start, and right again while that one runs.
        with DaemonProcess(tmp_path / "state", env=env) as daemon, Witness(daemon):
            began = time.monotonic()
            counters.see_whole(daemon.wait_ticks(2))
            clock.step(-step)
            page = counters.see(truth.check(daemon))
            assert (
                page.total(STATE_SECONDS, gpu="0") - after.total(STATE_SECONDS, gpu="0")
                < 10 + time.monotonic() - began
            )


@pytest.mark.nightly
def test_the_hours_of_a_clock_that_was_set_hold_what_was_drawn_and_no_more(tmp_path: Path) -> None:
    clock = WallClock(tmp_path / "clock")
    with machine(tmp_path) as double:
        truth = Truth(double)
        with DaemonProcess(tmp_path / "state", env=double.env | clock.env) as daemon:
            daemon.wait_ticks(2)
            truth.load(daemon)
            for step in (5 * HOUR, -9 * HOUR, 4 * HOUR):
                clock.step(step)
                daemon.wait_ticks(2)
            page: Page = truth.check(daemon)
        ledger = open_ledger(tmp_path / "state", clock=SystemClock())
        rows = ledger.history(0, 2**62)
        ledger.close()
        for gpu in double.gpus:
            booked_mj = sum(row.energy_mj for row in rows if row.uuid == gpu.uuid)
            assert booked_mj == round(page.value(ENERGY, uuid=gpu.uuid) * 1000)
        # Three times of day, each perhaps on both sides of a full hour.
        assert len({row.hour_wall_ns for row in rows}) <= 6, "an hour that never was holds nothing"
