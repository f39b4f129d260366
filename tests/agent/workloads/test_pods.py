"""Pods: their names come later than their processes, and devices are given to them by names of several shapes."""

from pathlib import Path

import pytest

from tests.agent.workloads.samples import KnownPods, instance, process, sample, uuid
from tests.agent.workloads.test_attribution import Host
from wattledger.agent.workloads.pods import PodContainer
from wattledger.rules.usage.workload import Allocation, Workload, WorkloadKind

A = "a" * 64
UID = "2f1a7c3e-9b0d-4c58-8e6f-0123456789ab"
CGROUP = f"0::/kubepods.slice/kubepods-pod{UID.replace('-', '_')}.slice/cri-containerd-{A}.scope\n"
CHAT = PodContainer("chat", "llm-0", "server")
LAB = PodContainer("lab", "notebook", "jupyter")


def workload(pod: PodContainer) -> Workload:
    title = f"{pod.namespace}/{pod.pod}/{pod.container}"
    return Workload(WorkloadKind.POD, title, title, (("namespace", pod.namespace), ("pod", pod.pod)))


@pytest.fixture
def pods() -> KnownPods:
    return KnownPods()


@pytest.fixture
def host(tmp_path: Path, pods: KnownPods) -> Host:
    return Host(tmp_path, pods)


def test_a_pod_whose_names_come_a_moment_later_never_goes_by_its_uid(host: Host, pods: KnownPods) -> None:
    host.proc.put(40, cgroup=CGROUP)
    assert host.titles((process(40),)) == [["unattributed"]]
    assert host.unresolved() == {"pending": 1}
    assert pods.wanted == [(UID, A)]
    pods.by_container[A] = CHAT
    assert host.tick((process(40),))[0][0].workload == workload(CHAT)
    assert host.unresolved() == {}


def test_a_pod_without_names_goes_by_its_uid_after_a_while_and_is_named_when_it_can_be(
    host: Host, pods: KnownPods
) -> None:
    host.proc.put(40, cgroup=CGROUP)
    titles = [host.titles((process(40),))[0][0] for _ in range(8)]
    assert titles == ["unattributed"] * 5 + [f"{UID}/{A[:12]}"] * 3
    pods.by_container[A] = CHAT
    host.tick((process(40),), seconds=6)
    assert host.titles((process(40),)) == [["chat/llm-0/server"]]


def test_a_pod_that_stays_unknown_is_asked_for_every_few_seconds(host: Host, pods: KnownPods) -> None:
    host.proc.put(40, cgroup=CGROUP)
    for _ in range(100):
        host.tick((process(40),))
    assert len(pods.wanted) < 40


def test_a_pod_that_is_named_is_not_asked_for_again(host: Host, pods: KnownPods) -> None:
    pods.by_container[A] = CHAT
    host.proc.put(40, cgroup=CGROUP)
    host.tick((process(40),))
    pods.by_container.clear()
    assert [host.titles((process(40),)) for _ in range(20)] == [[["chat/llm-0/server"]]] * 20


def test_a_pod_is_found_by_the_devices_of_its_process(host: Host, pods: KnownPods) -> None:
    pods.given = {uuid(1): (CHAT,), "nvidia0": (LAB,)}
    host.proc.put(40, cgroup=CGROUP)
    assert host.titles((), (process(40),)) == [[], ["chat/llm-0/server"]]


def test_a_container_of_the_kubelet_without_a_uid_is_a_pods(host: Host, pods: KnownPods) -> None:
    pods.by_container[A] = CHAT
    host.proc.put(40, cgroup=f"0::/../cri-containerd-{A}.scope\n")
    assert host.tick((process(40),))[0][0].workload == workload(CHAT)


@pytest.mark.parametrize(
    ("device", "gpu_instance"),
    [
        (uuid(0), None),
        ("nvidia0", None),
        ("MIG-2-0", 2),
        ("MIG-2-1", 2),
        ("nvidia0/gi1", 1),
    ],
)
def test_a_device_is_given_to_a_pod_by_any_of_its_names(
    host: Host, pods: KnownPods, device: str, gpu_instance: int | None
) -> None:
    pods.given = {device: (CHAT,), "nvidia1": (LAB,), "nvidia0/gi7": (LAB,)}
    taken = sample(host.clock, (), instances={0: (instance(1), instance(2), instance(2, 1))})
    assert host.attribution.holdings(taken)[uuid(0)].allocations == (Allocation(workload(CHAT), gpu_instance),)
    assert host.attribution.owner_of(uuid(0)) == "chat/llm-0/server"


def test_a_process_of_one_compute_instance_is_on_that_alone(host: Host, pods: KnownPods) -> None:
    pods.given = {"MIG-2-0": (LAB,), "MIG-2-1": (CHAT,)}
    host.proc.put(40, cgroup=CGROUP)
    listed = (process(40, gpu_instance=2, compute_instance=1),)
    taken = sample(host.clock, listed, instances={0: (instance(2), instance(2, 1))})
    (holder,) = host.attribution.holdings(taken)[uuid(0)].holders
    assert holder.workload == workload(CHAT)


def test_a_device_that_is_shared_is_given_to_each_once(host: Host, pods: KnownPods) -> None:
    pods.given = {uuid(0): (CHAT, LAB, CHAT), "nvidia0": (LAB,)}
    host.tick(())
    taken = sample(host.clock, ())
    allocations = host.attribution.holdings(taken)[uuid(0)].allocations
    assert [allocation.workload for allocation in allocations] == [workload(CHAT), workload(LAB)]


def test_a_process_that_cannot_be_looked_at_is_of_the_only_pod_that_has_its_device(
    host: Host, pods: KnownPods
) -> None:
    pods.given = {uuid(0): (CHAT,), uuid(1): (CHAT, LAB)}
    assert host.titles((process(90),), (process(91),)) == [["chat/llm-0/server"], ["unattributed"]]
    assert host.unresolved() == {"gone": 2}, "it is still told that they could not be looked at"


def test_a_process_of_an_instance_that_cannot_be_looked_at_is_of_its_pod(host: Host, pods: KnownPods) -> None:
    pods.given = {"MIG-1-0": (CHAT,), "MIG-2-0": (LAB,)}
    listed = (process(90, gpu_instance=2), process(91, gpu_instance=1), process(92, gpu_instance=3))
    taken = sample(host.clock, listed, instances={0: (instance(1), instance(2), instance(3))})
    holders = host.attribution.holdings(taken)[uuid(0)].holders
    assert [(holder.gpu_instance, holder.workload.title) for holder in holders] == [
        (1, "chat/llm-0/server"),
        (2, "lab/notebook/jupyter"),
        (3, "unattributed"),
    ]
