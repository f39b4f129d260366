"""Whose the boards of the simulated host are."""

from collections import defaultdict
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.agent.fake_clock import FakeClock
from wattledger.agent.sources.sim_board import FIRST_PID
from wattledger.agent.sources.sim_fleet import Fleet, SimHost
from wattledger.agent.workloads.attribution import Attribution, WorkloadSettings
from wattledger.agent.workloads.processes import Member
from wattledger.agent.workloads.procfs import Unresolved
from wattledger.agent.workloads.simulated import SimulatedPods, SimulatedProcesses
from wattledger.rules.instant import Instant
from wattledger.rules.usage.workload import Workload, WorkloadKind

SETTINGS = WorkloadSettings(labels=("namespace", "pod", "job", "user"), job_map_dir=None, owners=lambda _: "")
NOW = Instant(0, 0)


def used(fleet: Fleet, seconds: int = 400) -> tuple[dict[int, set[Workload]], dict[str, str], Attribution]:
    """Watch a simulated host; give who held each board, and whom boards were given to."""
    clock, host = FakeClock(), SimHost(fleet, boot_id="a")
    attribution = Attribution(clock, SimulatedProcesses(), settings=SETTINGS, pods=SimulatedPods())
    holders: dict[int, set[Workload]] = defaultdict(set)
    owners: dict[str, str] = {}
    for _ in range(seconds):
        clock.advance(1)
        sample = host.sample(clock.now())
        holdings = attribution.holdings(sample)
        for reading in sample.devices:
            holders[reading.identity.index] |= {one.workload for one in holdings[reading.identity.uuid].holders}
            owners[str(reading.identity.index)] = attribution.owner_of(reading.identity.uuid)
    return holders, owners, attribution


def test_each_role_has_its_workload_all_the_time() -> None:
    holders, owners, attribution = used(Fleet())
    titles = {index: sorted(workload.title for workload in found) for index, found in holders.items()}
    assert titles == {
        0: ["chat/llm-0/server"],
        1: ["search/embedder-0/embedder"],
        2: ["4200"],
        3: ["alice"],
        4: [],
        5: [],
        6: ["assistant.service"],
        7: ["lab/notebook-7-0/jupyter", "lab/notebook-7-1/jupyter"],
    }
    assert {index: owner for index, owner in owners.items() if owner} == {"5": "research/sweep-0/trainer"}
    assert sum(attribution.health().unresolved.values()) == 0
    (job,) = holders[2]
    assert job.names == (("job", "4200"), ("user", "chen"))


def test_one_job_runs_on_all_boards_of_its_role() -> None:
    holders, _, _ = used(Fleet(count=24), 1)
    assert holders[2] == holders[10] == holders[18]


def test_more_processes_are_more_workloads() -> None:
    holders, _, attribution = used(Fleet(count=16, mig=tuple(range(16)), mig_instances=7, processes=64), 60)
    assert all(len(found) in (0, 64 * 7) for found in holders.values())
    assert len(set().union(*holders.values())) > 16 * 7 * 64 * 3 // 4
    assert sum(attribution.health().unresolved.values()) == 0


def test_labels_cut_names_down_as_those_of_real_processes() -> None:
    clock, host = FakeClock(), SimHost(boot_id="a")
    settings = replace(SETTINGS, labels=("account", "runtime"))
    attribution = Attribution(clock, SimulatedProcesses(), settings=settings, pods=SimulatedPods())
    holdings = attribution.holdings(host.sample(clock.now()))
    names = {holder.workload.names for holding in holdings.values() for holder in holding.holders}
    assert names <= {(), (("account", "vision"),), (("runtime", "containerd"),)}
    assert len(names) > 1


@given(st.one_of(st.integers(-(2**31), 2**31), st.integers(FIRST_PID - 10, FIRST_PID + 256 * 8 * 64 * 16 + 10)))
def test_every_number_is_of_a_named_workload_or_of_no_process(pid: int) -> None:
    processes, pods = SimulatedProcesses(), SimulatedPods()
    found = processes.look(pid, NOW)
    if not FIRST_PID <= pid < FIRST_PID + 256 * 8 * 64 * 16:
        assert found is processes.start_of(pid, NOW) is Unresolved.GONE
        return
    assert isinstance(found, Member)
    assert found.start == processes.start_of(pid, NOW)
    group = found.group
    pod = pods.find(pod_uid=group.pod_uid, container_id=group.container_id, devices=())
    assert (pod is not None) is (group.kind is WorkloadKind.POD)


def test_pods_of_other_hosts_are_not_known() -> None:
    assert SimulatedPods().find(pod_uid="2f1a7c3e-9b0d-4c58-8e6f-0123456789ab", container_id="", devices=()) is None
