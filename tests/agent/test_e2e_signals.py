"""Processes that are stopped, killed or sent signals at bad moments: the daemon, its sampler, or both."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.daemon_process import DaemonProcess, Page
from tests.agent.e2e_daemon import (
    ABANDONED,
    MISSED,
    POWER,
    RELOADED_AT,
    RESTARTS,
    SAMPLE_TIME,
    Counters,
    Truth,
    Witness,
    let_pass,
    machine,
    poll,
    process_state,
)
from tests.nvml.double import NvmlDouble

STATE_SECONDS = "wattledger_gpu_state_seconds_total"
PAUSE_S = 6.0  # longer than the silence after which a sampler is held for hung


@pytest.fixture
def double(tmp_path: Path) -> Iterator[NvmlDouble]:
    with machine(tmp_path / "double") as double:
        yield double


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def loaded(daemon: DaemonProcess, truth: Truth) -> Page:
    """Give a page of a daemon that has begun its books at rest and works since."""
    daemon.wait_ticks(2)
    truth.load(daemon)
    return daemon.wait_ticks(2)


def signal_sampler(daemon: DaemonProcess, number: signal.Signals) -> int:
    (pid,) = daemon.sampler_pids()
    os.kill(pid, number)
    return pid


def test_a_stopped_daemon_goes_on_with_the_same_sampler_and_has_missed_nothing(
    double: NvmlDouble, state: Path
) -> None:
    counters, truth = Counters(), Truth(double)
    with DaemonProcess(state, env=double.env) as daemon:
        before = counters.see(loaded(daemon, truth))
        samplers = daemon.sampler_pids()
        daemon.signal(signal.SIGSTOP)
        let_pass(PAUSE_S)
        daemon.signal(signal.SIGCONT)
        after = daemon.wait_for(
            lambda page: page if page.value(SAMPLE_TIME) > before.value(SAMPLE_TIME) + PAUSE_S else None,
            "new samples",
        )
        counters.see(after)
        daemon.wait_ready()
        assert daemon.sampler_pids() == samplers
        assert after.value(RESTARTS, source="nvml") == 0
        assert after.value(MISSED, source="nvml") <= before.value(MISSED, source="nvml") + 2
        assert after.total(STATE_SECONDS, state="unobserved") == 0, "the sampler looked, and its samples waited"
        counters.see(truth.check(daemon))


@pytest.mark.nightly  # silence, SIGTERM and SIGKILL have their patience
def test_a_stopped_sampler_is_replaced_and_no_joule_is_lost(double: NvmlDouble, state: Path) -> None:
    counters, truth = Counters(), Truth(double)
    with DaemonProcess(state, env=double.env) as daemon, Witness(daemon):
        counters.see(loaded(daemon, truth))
        stopped = signal_sampler(daemon, signal.SIGSTOP)
        page = counters.see(daemon.wait_for(lambda page: page if not page.has(POWER) else None, "values absent"))
        assert page.has("wattledger_source_failure_info", source="nvml", reason="timeout")
        assert daemon.get("/-/ready")[0] == 503
        page = daemon.wait_for(lambda page: page if page.has(POWER, gpu="0") else None, "values again")
        assert process_state(stopped) == ""
        assert page.value(ABANDONED, source="nvml") == 0
        assert page.value(RESTARTS, source="nvml") == 1
        daemon.wait_ready()
        counters.see(truth.check(daemon))


@pytest.mark.nightly  # longer than the ten seconds of silence that may still be judged
def test_both_stopped_is_a_gap_of_unobserved_time_with_its_joules_and_no_replacement(
    double: NvmlDouble, state: Path
) -> None:
    counters, truth = Counters(), Truth(double)
    with DaemonProcess(state, env=double.env) as daemon:
        before = counters.see(loaded(daemon, truth))
        sampler = signal_sampler(daemon, signal.SIGSTOP)
        daemon.signal(signal.SIGSTOP)
        let_pass(12)
        daemon.signal(signal.SIGCONT)
        os.kill(sampler, signal.SIGCONT)
        page = daemon.wait_for(
            lambda page: page if page.value(SAMPLE_TIME) > before.value(SAMPLE_TIME) + 12 else None, "new samples"
        )
        assert page.value(RESTARTS, source="nvml") == 0
        assert 11.5 < page.value(STATE_SECONDS, gpu="0", state="unobserved") < 14
        counters.see(truth.check(daemon))


@pytest.mark.nightly
def test_a_killed_sampler_is_replaced_and_no_joule_is_lost(double: NvmlDouble, state: Path) -> None:
    counters, truth = Counters(), Truth(double)
    with DaemonProcess(state, env=double.env) as daemon, Witness(daemon):
        counters.see(loaded(daemon, truth))
        killed = signal_sampler(daemon, signal.SIGKILL)
        counters.see(daemon.wait_for(lambda page: page if not page.has(POWER) else None, "values absent"))
        assert b"killed by SIGKILL" in daemon.get("/-/ready")[1]
        page = daemon.wait_for(lambda page: page if page.has(POWER, gpu="0") else None, "values again")
        counters.see(page)
        assert process_state(killed) == ""
        assert page.value(RESTARTS, source="nvml") == 1
        counters.see(truth.check(daemon))


def test_a_killed_daemon_leaves_no_sampler_and_its_books_to_the_next_at_once(double: NvmlDouble, state: Path) -> None:
    counters, truth = Counters(), Truth(double)
    first = DaemonProcess(state, env=double.env)
    counters.see(loaded(first, truth))
    (sampler,) = first.sampler_pids()
    first.kill()
    with DaemonProcess(state, env=double.env) as second, Witness(second):
        poll(lambda: process_state(sampler) == "", "the sampler of the killed daemon ends", seconds=5)
        counters.see_whole(second.wait_ticks(2))
        counters.see(truth.check(second))


@pytest.mark.nightly  # a sampler stuck in a call is ended 10 s after its daemon
def test_a_daemon_killed_while_a_driver_call_hangs_leaves_no_sampler_either(double: NvmlDouble, state: Path) -> None:
    truth = Truth(double)
    first = DaemonProcess(state, env=double.env)
    loaded(first, truth)
    (sampler,) = first.sampler_pids()
    double.gpu(0).hang(count=1)
    poll(lambda: double.hanging == 1, "the hang")
    first.kill()
    with DaemonProcess(state, env=double.env) as second:
        second.wait_ticks(2)
        assert process_state(sampler) != "", "it hangs, and did not keep the next from starting"
        poll(lambda: process_state(sampler) == "", "the orphan ends by itself", seconds=15)
        truth.check(second)


@pytest.mark.parametrize(
    "how", [signal.SIGKILL, pytest.param(signal.SIGSTOP, marks=pytest.mark.nightly)], ids=["gone", "still_leaving"]
)
def test_a_reload_while_a_sampler_is_being_replaced_is_obeyed_by_the_next_one(
    tmp_path: Path, double: NvmlDouble, state: Path, how: signal.Signals
) -> None:
    config = tmp_path / "wattledger.yaml"
    config.write_text("{}\n")
    counters, truth = Counters(), Truth(double)
    with DaemonProcess(state, "--config", str(config), env=double.env) as daemon, Witness(daemon):
        before = counters.see(loaded(daemon, truth))
        before_pid = signal_sampler(daemon, how)
        daemon.wait_for(lambda page: not page.has(POWER), "values absent")
        assert process_state(before_pid) == ("T" if how is signal.SIGSTOP else "")
        config.write_text(f"gpus: {{exclude: ['{double.gpu(1).uuid}']}}\nowners: [{{gpus: [0], owner: alice}}]\n")
        for _ in range(5):
            daemon.signal(signal.SIGHUP)
        page = daemon.wait_for(lambda page: page if page.has(POWER, gpu="0") else None, "values again")
        assert page.value(RELOADED_AT) > before.value(RELOADED_AT)
        assert page.has("wattledger_gpu_owner_info", gpu="0", owner="alice")
        assert not page.has(POWER, uuid=double.gpu(1).uuid), "the new sampler leaves the excluded board alone"
        assert len(daemon.sampler_pids()) == 1
        config.write_text("{}\n")
        daemon.signal(signal.SIGHUP)
        page = daemon.wait_for(lambda page: page if page.has(POWER, uuid=double.gpu(1).uuid) else None, "both boards")
        poll(lambda: len(daemon.sampler_pids()) == 1, "one sampler")
        counters.see(truth.check(daemon))


def test_sigusr1_lets_go_of_the_driver_and_sigusr2_takes_it_again_with_the_joules_in_between(
    double: NvmlDouble, state: Path
) -> None:
    counters, truth = Counters(), Truth(double)
    with DaemonProcess(state, env=double.env) as daemon, Witness(daemon):
        counters.see(loaded(daemon, truth))
        daemon.signal(signal.SIGUSR1)
        page = daemon.wait_for(lambda page: page if not page.has(POWER) else None, "values absent")
        counters.see(page)
        status, why = daemon.get("/-/ready")
        assert (status, b"released for maintenance" in why) == (503, True), why
        poll(lambda: double.calls().get("nvmlShutdown") == 1, "the driver is let go of")
        double.reset_calls()
        killed = signal_sampler(daemon, signal.SIGKILL)
        poll(lambda: daemon.sampler_pids() not in ([], [killed]), "a replacement")
        daemon.wait_for(lambda _: b"released for maintenance" in daemon.get("/-/ready")[1], "released again")
        assert double.total_calls() == 0, "the replacement leaves the driver alone too"
        daemon.signal(signal.SIGUSR2)
        daemon.wait_for(lambda page: page.has(POWER, gpu="0"), "values again")
        daemon.wait_ready()
        counters.see(truth.check(daemon))
