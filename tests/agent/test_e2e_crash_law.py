"""The law of the crash, on the daemon as it runs: kill -9 at any moment loses no joule and counts none twice."""

import random
from pathlib import Path

import pytest

from tests.agent.books import books
from tests.agent.daemon_process import DaemonProcess
from tests.agent.e2e_daemon import Counters, DaemonThrough, Truth, let_pass, machine, scraping


@pytest.mark.parametrize("kills", [30, pytest.param(200, marks=pytest.mark.nightly)])
def test_crash_kill_9_at_random_moments_loses_no_joule_and_no_counter_falls(
    tmp_path: Path, kills: int, capsys: pytest.CaptureFixture[str]
) -> None:
    dice = random.Random(kills)  # noqa: S311  (moments, no secrets)
    state = tmp_path / "state"
    counters = Counters()
    with machine(tmp_path) as double:
        truth = Truth(double)
        with DaemonProcess(state, env=double.env) as daemon:
            daemon.wait_ticks(1)
        truth.load(None)
        for number in range(kills):
            if number % 3 == 0:  # also while it starts: before the ledger is open, before the page answers
                daemon = DaemonThrough(state, env=double.env, wait=False)
                let_pass(dice.uniform(0.05, 0.5))
                daemon.kill()
                continue
            daemon = DaemonThrough(state, env=double.env)
            with scraping(daemon, counters):
                let_pass(dice.uniform(0.0, 0.8))
                daemon.kill()
        with DaemonProcess(state, env=double.env) as daemon:
            page = counters.see_whole(truth.check(daemon))
        ended_mj = {gpu.uuid: gpu.counter_mj(double.now_ns) for gpu in double.gpus}
    # Booked + the counter at the first reading = the counter now, exactly; and the ledger says it as the page does.
    assert {uuid: truth.begun_mj[uuid] + booked for uuid, (booked, _) in books(state).items()} == ended_mj
    assert {uuid: counter for uuid, (_, counter) in books(state).items()} == ended_mj
    assert page.total("wattledger_gpu_energy_resets_total") == 0
    assert page.total("wattledger_gpu_energy_rejected_segments_total") == 0
    assert page.total("wattledger_gpu_state_seconds_total", state="unobserved") > 0, "the gaps are said"
    with capsys.disabled():
        drawn = sum(ended_mj.values()) - sum(truth.begun_mj.values())
        print(f"\n{kills} kills: {drawn / 1000:.3f} J drawn, all booked; {len(counters.last)} counters, none fell")


def test_crash_that_takes_the_boards_along_lets_no_counter_fall(tmp_path: Path) -> None:
    # As a power cut does: the agent has no last word, and the boards' own counters begin anew.
    state = tmp_path / "state"
    counters = Counters()
    with machine(tmp_path) as double:
        for gpu in double.gpus:
            gpu.draw(200)
            gpu.traffic(pcie_tx=3_000_000_000, pcie_rx=2_000_000_000)
            gpu.throttle("sw_power_cap")
        killed = DaemonThrough(state, env=double.env)
        counters.see(killed.wait_ticks(10))
        killed.kill()
        for gpu in double.gpus:
            gpu.traffic()  # nothing that is counted anew hides what was lost
            gpu.throttle()
            gpu.reset_counter()
        with DaemonProcess(state, env=double.env) as daemon:
            counters.see_whole(daemon.wait_ticks(1))
