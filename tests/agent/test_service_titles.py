"""What services are called after: workloads whose names outlive their processes."""

from tests.agent.fake_clock import FakeClock
from wattledger.agent.sources.sim_fleet import Fleet, SimHost
from wattledger.agent.workloads.attribution import Attribution, WorkloadSettings
from wattledger.agent.workloads.simulated import SimulatedPods, SimulatedProcesses
from wattledger.rules.reading import Sample


def settings() -> WorkloadSettings:
    return WorkloadSettings(labels=("namespace", "pod", "job", "user"), job_map_dir=None, owners=lambda _: "")


def pids_of(sample: Sample, index: int) -> list[int]:
    return [process.pid for process in sample.devices[index].processes or ()]


def test_a_pod_lends_its_name_a_user_does_not_and_who_is_unknown_may_come_yet() -> None:
    clock = FakeClock()
    clock.advance(30)
    sample = SimHost(Fleet()).sample(clock.now())
    attribution = Attribution(clock, SimulatedProcesses(), settings=settings(), pods=SimulatedPods())
    (chat,), (hoarded,) = pids_of(sample, 0), pids_of(sample, 3)
    assert attribution.title_of(chat) is None
    attribution.holdings(sample)
    assert attribution.title_of(chat) == "chat/llm-0/server"
    assert attribution.title_of(hoarded) == ""
