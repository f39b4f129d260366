"""The supervisor over processes that behave and misbehave; every process is real."""

import os
import signal
from dataclasses import replace
from itertools import pairwise

import pytest

from tests.agent.sampler.supervised import (
    LIMITS,
    MS,
    SETTINGS,
    Watched,
    children,
    open_fds,
    patient,
    process_state,
    supervised,
    wait_for,
)
from wattledger.agent.clock import SystemClock
from wattledger.agent.sampler.launch import SpawnLauncher
from wattledger.agent.sampler.supervisor import SamplerSupervisor
from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.quantity import Gap
from wattledger.rules.reading import SourceFailure, SourceKind


def test_samples_arrive_one_by_one_and_in_order() -> None:
    with supervised(["normal"], limits=patient()) as watched:
        watched.poll_until(lambda: len(watched.samples) >= 10)
        moments = [sample.at.mono_ns for sample in watched.samples]
        assert moments == sorted(moments)
        assert watched.failures == []
        assert watched.pids == [watched.supervisor.state.pid]


def test_poll_gives_nothing_when_nothing_came_and_takes_no_longer_than_asked() -> None:
    with supervised(["mute"]) as watched:
        for _ in range(5):
            assert watched.poll() is None


def test_a_past_deadline_still_takes_what_has_come() -> None:
    with supervised(["normal"], limits=patient()) as watched:
        watched.poll_until(lambda: bool(watched.samples))
        assert wait_for(lambda: watched.supervisor.poll(0) is not None)


def test_a_hung_driver_call_is_a_timeout_and_the_sampler_is_replaced() -> None:
    with supervised(["hang"], ["normal"]) as watched:
        watched.poll_until(lambda: len(watched.pids) == 2)
        (failure,) = watched.failures
        assert failure.reason is Gap.TIMEOUT
        assert failure.detail == "driver call has not returned for 1 s"
        assert failure.source is SourceKind.SIM
        assert watched.supervisor.state.restarts == 1
        assert process_state(watched.pids[0]) == ""


def test_the_first_frame_may_take_longer_than_the_others() -> None:
    with supervised(["slow", "2"]) as watched:
        watched.poll_until(lambda: bool(watched.samples))
        assert watched.failures == []


def test_a_sampler_that_never_speaks_is_replaced_too() -> None:
    limits = replace(LIMITS, first_frame_ns=700 * MS)
    with supervised(["mute"], limits=limits) as watched:
        watched.poll_until(lambda: watched.supervisor.state.restarts > 0)
        assert watched.failures[0].reason is Gap.TIMEOUT
        assert watched.failures[0].detail.startswith("the sampler has said nothing since its start for 0 s")


def test_five_intervals_of_silence_are_allowed_where_they_are_longer() -> None:
    assert LIMITS.silence_limit_ns(replace(SETTINGS, interval_ns=10 * NS_PER_SECOND)) == 50 * NS_PER_SECOND
    assert LIMITS.silence_limit_ns(SETTINGS) == LIMITS.silence_ns


@pytest.mark.parametrize(
    ("mode", "detail"),
    [
        (["segv"], "the sampler ended: killed by SIGSEGV"),
        (["exit", "1"], "the sampler ended: exit code 1: its log has the reason"),
        (["exit", "0"], "the sampler ended: exit code 0: it stopped without being asked"),
        (["exit", "12"], "the sampler ended: exit code 12: a driver call did not return when it was asked to stop"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_a_crash_is_told_with_its_signal_or_exit_code_and_the_sampler_replaced(mode: list[str], detail: str) -> None:
    with supervised(mode, ["normal"]) as watched:
        watched.poll_until(lambda: len(watched.pids) == 2)
        assert [(failure.reason, failure.detail) for failure in watched.failures] == [(Gap.FAILED, detail)]


def test_a_failed_source_is_told_once_with_its_own_words_and_tried_again() -> None:
    with supervised(["failing"], ["normal"]) as watched:
        watched.poll_until(lambda: bool(watched.samples))
        assert [failure.detail for failure in watched.failures] == ["no driver"]
        assert watched.failures[0].code == 999
        assert watched.supervisor.state.last_failure == watched.failures[0]


def test_an_ended_source_is_not_started_again() -> None:
    with supervised(["end"]) as watched:
        watched.poll_until(lambda: watched.supervisor.state.ended)
        watched.poll_for(0.5)
        assert watched.failures == []
        assert watched.supervisor.state.pid is None
        assert watched.supervisor.state.restarts == 0


def test_an_ended_source_is_known_by_its_exit_code_alone() -> None:
    with supervised(["exit", "11"]) as watched:
        watched.poll_until(lambda: watched.supervisor.state.ended)
        watched.poll_for(0.5)
        assert watched.failures == []
        assert watched.supervisor.state.restarts == 0


def test_garbage_is_told_and_its_sender_replaced() -> None:
    with supervised(["garbage"], ["normal"]) as watched:
        watched.poll_until(lambda: len(watched.pids) == 2)
        (failure,) = watched.failures
        assert failure.reason is Gap.FAILED
        assert failure.detail.startswith("the sampler's output cannot be read: a frame claims 4294967295 bytes")


def test_late_frames_of_a_replaced_sampler_are_never_taken() -> None:
    with supervised(["late"], ["normal"], limits=replace(LIMITS, grace_ns=1500 * MS)) as watched:
        watched.poll_until(lambda: len(watched.pids) == 2)
        watched.poll_for(0.3)
        old = watched.pids[0]
        assert [int(sample.host.boot_id) for sample in watched.samples].count(old) == 1
        assert process_state(old) == ""


def test_a_frame_older_than_the_newest_is_dropped_and_counted() -> None:
    with supervised(["backwards"], limits=patient()) as watched:
        watched.poll_until(lambda: len(watched.samples) >= 5)
        assert [sample.at.mono_ns for sample in watched.samples[:3]] == [10, 30, 40]
        assert watched.supervisor.state.stale_frames == 1


def test_a_sampler_deaf_to_sigterm_is_killed() -> None:
    before = open_fds()
    with supervised(["stubborn"], ["normal"]) as watched:
        watched.poll_until(lambda: len(watched.pids) == 2)
        assert open_fds() == before + 1  # the pipe of the new one
        assert process_state(watched.pids[0]) == ""
        assert watched.supervisor.state.abandoned_total == 0


def test_a_stopped_sampler_is_replaced_and_leaves_nothing() -> None:
    with supervised(["normal"]) as watched:
        watched.poll_until(lambda: bool(watched.samples))
        os.kill(watched.pids[0], signal.SIGSTOP)
        watched.poll_until(lambda: len(watched.pids) == 2)
        assert [failure.reason for failure in watched.failures] == [Gap.TIMEOUT]
        assert process_state(watched.pids[0]) == ""


def test_a_program_that_cannot_be_started_is_a_failure_and_tried_again() -> None:
    attempts = list[int]()

    def command(_settings: object) -> tuple[str]:
        attempts.append(1)
        return ("/nonexistent/python",)

    before = open_fds()
    supervisor = SamplerSupervisor(SETTINGS, clock=SystemClock(), launcher=SpawnLauncher(command), limits=LIMITS)
    watched = Watched(supervisor)
    watched.poll_until(lambda: len(attempts) >= 4)
    watched.stop()
    assert watched.failures[0].detail.startswith("the sampler cannot be started: ")
    assert "/nonexistent/python" in watched.failures[0].detail
    assert open_fds() == before


def test_replacements_come_ever_slower_up_to_the_cap() -> None:
    with supervised(
        ["failing"], limits=replace(LIMITS, backoff_first_ns=100 * MS, backoff_cap_ns=800 * MS)
    ) as watched:
        watched.poll_until(lambda: len(watched.failures) == 6)
        moments = [failure.at.mono_ns for failure in watched.failures]
        gaps_ms = [(later - earlier) / MS for earlier, later in pairwise(moments)]
        for gap_ms, delay_ms in zip(gaps_ms, [100, 200, 400, 800, 800], strict=True):
            assert 0.75 * delay_ms <= gap_ms <= delay_ms + 2000


def test_health_begins_the_back_off_anew() -> None:
    limits = replace(patient(), backoff_first_ns=100 * MS, backoff_cap_ns=60 * NS_PER_SECOND, healthy_ns=300 * MS)
    with supervised(*[["failing"]] * 4, ["normal"], limits=limits) as watched:
        watched.poll_until(lambda: len(watched.samples) > 20)
        killed = watched.pids[0]
        os.kill(killed, signal.SIGKILL)
        watched.poll_until(lambda: len(watched.pids) == 2)
        assert watched.failures[-1].detail == "the sampler ended: killed by SIGKILL"
        last_of_old = max(sample.at.mono_ns for sample in watched.samples if int(sample.host.boot_id) == killed)
        first_of_new = min(sample.at.mono_ns for sample in watched.samples if int(sample.host.boot_id) != killed)
        assert first_of_new - last_of_old < 1000 * MS  # without: 1600 ms less a quarter, and the start


def test_fifty_restarts_leak_no_descriptor_and_no_process() -> None:
    before_fds, before_children = open_fds(), children()
    supervisor = SamplerSupervisor(
        SETTINGS,
        clock=SystemClock(),
        launcher=SpawnLauncher(lambda _settings: ("/bin/sh", "-c", "exit 1")),
        limits=replace(LIMITS, backoff_first_ns=1, backoff_cap_ns=1),
    )
    watched = Watched(supervisor)
    watched.poll_until(lambda: supervisor.state.restarts >= 50, seconds=60)
    assert len(watched.failures) >= 50
    assert open_fds() <= before_fds + 1
    assert len(children() - before_children) <= 1
    watched.stop()
    assert open_fds() == before_fds
    assert children() == before_children


@pytest.mark.parametrize("mode", ["normal", "hang", "stubborn", "mute"])
def test_stop_is_bounded_and_leaves_no_zombie(mode: str) -> None:
    before = children()
    with supervised([mode]) as watched:
        watched.poll_until(lambda: bool(children() - before))
        if mode != "mute":
            watched.poll_until(lambda: bool(watched.samples))
        seconds = watched.stop()
        assert seconds < 0.4 + 0.3 + 0.5
        assert children() == before
        watched.poll_for(0.3)
        assert children() == before


def test_stop_while_a_replaced_sampler_is_still_leaving_waits_for_it_too() -> None:
    before = children()
    with supervised(["stubborn"]) as watched:
        watched.poll_until(lambda: bool(watched.failures))
        watched.stop()
        assert children() == before


def test_reconfigure_replaces_the_sampler_at_once_and_loses_none_of_its_last_words() -> None:
    with supervised(["last words"], ["normal"], limits=patient()) as watched:
        watched.poll_until(lambda: bool(watched.samples))
        watched.supervisor.reconfigure(replace(SETTINGS, interval_ns=60 * MS))
        watched.poll_until(lambda: len(watched.pids) == 2)
        assert [event.xid for sample in watched.samples for event in sample.events] == [79]
        assert watched.failures == []
        assert watched.supervisor.state.restarts == 0


def test_reconfigure_replaces_a_stubborn_sampler_without_a_failure() -> None:
    with supervised(["stubborn"], ["normal"], limits=patient()) as watched:
        watched.poll_until(lambda: bool(watched.samples))
        watched.supervisor.reconfigure(SETTINGS)
        watched.supervisor.reconfigure(SETTINGS)
        watched.poll_until(lambda: len(watched.pids) == 2)
        assert watched.failures == []
        assert process_state(watched.pids[0]) == ""


def test_reconfigure_starts_an_ended_source_again() -> None:
    with supervised(["end"], ["normal"], limits=patient()) as watched:
        watched.poll_until(lambda: watched.supervisor.state.ended)
        watched.supervisor.reconfigure(SETTINGS)
        watched.poll_until(lambda: len(watched.pids) == 2)
        assert not watched.supervisor.state.ended


def test_a_pause_of_both_processes_is_no_silence() -> None:
    """As a suspended host or a frozen cgroup: our clock jumps, and the sampler speaks a moment after we look."""
    with supervised(["normal"]) as watched:
        watched.poll_until(lambda: bool(watched.samples))
        pid = watched.pids[0]
        os.kill(pid, signal.SIGSTOP)
        while watched.supervisor.poll(0) is not None:
            pass
        signal.sigtimedwait((), 1.5)
        assert watched.poll() is None
        os.kill(pid, signal.SIGCONT)
        before = len(watched.samples)
        watched.poll_until(lambda: len(watched.samples) > before)
        assert watched.failures == []
        assert watched.pids == [pid]


def test_a_daemon_that_is_always_late_still_finds_a_hung_sampler() -> None:
    with supervised(["hang"]) as watched:
        watched.poll_until(lambda: bool(watched.samples))
        for _ in range(6):
            signal.sigtimedwait((), 0.7)  # more than half of the silence that is allowed
            watched.told += filter(None, [watched.supervisor.poll(0)])
        assert [failure.reason for failure in watched.failures][:1] == [Gap.TIMEOUT]


def test_a_pause_is_forgiven_once_and_a_hung_sampler_found_all_the_same() -> None:
    with supervised(["hang"], ["normal"]) as watched:
        watched.poll_until(lambda: bool(watched.samples))
        signal.sigtimedwait((), 1.5)
        watched.poll_until(lambda: bool(watched.failures))
        assert isinstance(watched.told[-1], SourceFailure)
        assert watched.failures[0].reason is Gap.TIMEOUT
