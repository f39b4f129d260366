"""A driver call that outlives SIGKILL (state D), below the whole daemon: the page, the books and the way out."""

import time
from pathlib import Path

import pytest

from tests.agent.e2e_daemon import (
    ABANDONED,
    ENERGY,
    POWER,
    RESTARTS,
    DaemonThrough,
    Truth,
    Witness,
    let_pass,
    machine,
    poll,
    process_state,
)
from tests.agent.sampler import ice as cold
from tests.agent.sampler.ice import Ice

frozen = cold.ice  # the fixture, under this name
BATCH = "nvmlDeviceGetFieldValues"
LIMIT = 3  # SupervisorLimits().abandoned


def test_one_unkillable_call_costs_one_abandoned_sampler_and_no_page_and_no_joule(
    tmp_path: Path, frozen: Ice
) -> None:
    with machine(tmp_path) as double:
        truth = Truth(double)
        with DaemonThrough(tmp_path / "state", env=double.env) as daemon, Witness(daemon):
            daemon.wait_ticks(2)
            truth.load(daemon)
            (stuck,) = daemon.sampler_pids()
            double.gpu(0).hang(BATCH, unkillable_path=str(frozen.path / "a"), count=1)
            page = daemon.wait_for(lambda page: page if not page.has(POWER) else None, "values absent")
            assert process_state(stuck) == "D"
            assert page.has(ENERGY, gpu="0"), "what was booked stays"
            assert page.has("wattledger_source_failure_info", source="nvml", reason="timeout")
            status, why = daemon.get("/-/ready")
            assert (status, b"timeout: driver call has not returned" in why) == (503, True), why
            daemon.wait_for(lambda page: page.value(ABANDONED, source="nvml") == 1, "one abandoned")
            page = daemon.wait_for(lambda page: page if page.has(POWER, gpu="0") else None, "values again")
            assert page.value(ABANDONED, source="nvml") == 1
            assert process_state(stuck) == "D", "the values come from another process"
            assert page.value(RESTARTS, source="nvml") == 1
            daemon.wait_ready()
            frozen.thaw()
            daemon.wait_for(lambda page: page.value(ABANDONED, source="nvml") == 0, "none abandoned")
            assert process_state(stuck) == ""
            truth.check(daemon)


@pytest.mark.nightly
def test_a_daemon_with_a_sampler_stuck_in_the_kernel_stops_in_time_and_the_next_starts_at_once(
    tmp_path: Path, frozen: Ice
) -> None:
    with machine(tmp_path) as double:
        truth = Truth(double)
        first = DaemonThrough(tmp_path / "state", env=double.env)
        first.wait_ticks(2)
        truth.load(first)
        (stuck,) = first.sampler_pids()
        double.gpu(0).hang(BATCH, unkillable_path=str(frozen.path / "a"), count=1)
        poll(lambda: process_state(stuck) == "D", "state D")
        began = time.monotonic()
        assert first.stop() == 0
        assert time.monotonic() - began < 9, "the grace of 3 s and SIGKILL's 2 s, with room for a busy machine"
        assert process_state(stuck) == "D"
        with DaemonThrough(tmp_path / "state", env=double.env) as second:
            truth.check(second)
            assert process_state(stuck) == "D", "the next daemon did not wait for it"
        frozen.thaw()
        poll(lambda: process_state(stuck) == "", "the orphan ends")


@pytest.mark.nightly  # two of the three say nothing at all, which is believed only after 30 s
def test_no_more_than_three_samplers_are_ever_stuck_and_the_thaw_brings_the_values_back(
    tmp_path: Path, frozen: Ice
) -> None:
    with machine(tmp_path) as double:
        truth = Truth(double)
        with DaemonThrough(tmp_path / "state", env=double.env) as daemon, Witness(daemon):
            daemon.wait_ticks(2)
            truth.load(daemon)
            double.hang(BATCH, unkillable_path=str(frozen.path / "a"))
            daemon.wait_for(lambda page: page.value(ABANDONED, source="nvml") == LIMIT, "the limit", seconds=200)
            status, why = daemon.get("/-/ready")
            assert status == 503
            assert b"cannot be killed" in why
            assert b"Reset the GPU or reboot the host" in why
            let_pass(15)  # more than any back-off so far
            assert len(daemon.sampler_pids()) == LIMIT
            assert daemon.page().value(RESTARTS, source="nvml") == LIMIT - 1
            double.clear_faults()
            frozen.thaw()
            daemon.wait_for(lambda page: page.has(POWER, gpu="0"), "values again", seconds=90)
            daemon.wait_for(lambda page: page.value(ABANDONED, source="nvml") == 0, "none abandoned")
            truth.check(daemon)
