"""Samplers that sit in the kernel and outlive SIGKILL (state D), made with a frozen file system."""

from tests.agent.sampler.ice import Ice
from tests.agent.sampler.supervised import LIMITS, children, open_fds, process_state, supervised, wait_for
from wattledger.rules.quantity import Gap


def test_an_unkillable_sampler_is_abandoned_and_replaced_within_bounded_time(ice: Ice) -> None:
    with supervised(["kernel", str(ice.path / "a")], ["normal"]) as watched:
        watched.poll_until(lambda: len(watched.pids) == 2)
        stuck = watched.pids[0]
        assert process_state(stuck) == "D"
        assert [failure.reason for failure in watched.failures] == [Gap.TIMEOUT]
        assert watched.supervisor.state.abandoned == 1
        count = len(watched.samples)
        watched.poll_until(lambda: len(watched.samples) > count + 5)
        ice.thaw()
        watched.poll_until(lambda: watched.supervisor.state.abandoned == 0)
        assert process_state(stuck) == ""
        assert watched.supervisor.state.abandoned_total == 1
        assert {int(sample.host.boot_id) for sample in watched.samples[count:]} == {watched.pids[1]}


def test_no_more_than_the_limit_are_abandoned_and_the_next_starts_when_one_has_gone(ice: Ice) -> None:
    before, before_fds = children(), open_fds()
    hung = ["kernel", str(ice.path / "a")]
    with supervised(hung, hung, ["normal"]) as watched:
        watched.poll_until(lambda: watched.supervisor.state.abandoned == LIMITS.abandoned)
        watched.poll_until(lambda: "cannot be killed" in watched.failures[-1].detail)
        told = len(watched.told)
        watched.poll_for(1.5)
        assert len(watched.told) == told
        assert len(children() - before) == LIMITS.abandoned == 2
        assert open_fds() == before_fds
        ice.thaw()
        watched.poll_until(lambda: len(watched.pids) == 3)
        assert watched.supervisor.state.abandoned < LIMITS.abandoned
        assert watched.supervisor.state.restarts == 2
    ice.thaw()
    assert wait_for(lambda: children() == before)


def test_stop_does_not_wait_for_an_unkillable_sampler(ice: Ice) -> None:
    with supervised(["kernel", str(ice.path / "a")]) as watched:
        watched.poll_until(lambda: bool(watched.samples))
        pid = watched.pids[0]
        assert wait_for(lambda: process_state(pid) == "D")
        assert watched.stop() < 0.4 + 0.3 + 0.5
        assert process_state(pid) == "D"
        ice.thaw()
        assert wait_for(lambda: process_state(pid) == "Z")
        watched.poll()
        assert process_state(pid) == ""
