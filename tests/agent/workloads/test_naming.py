"""What workloads are called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattledger.agent.workloads.cgroup import Membership
from wattledger.agent.workloads.naming import (
    MOST_CHARACTERS,
    capped,
    job_workload,
    owner_workload,
    pod_workload,
    workload_of,
)
from wattledger.agent.workloads.pods import PodContainer
from wattledger.agent.workloads.slurm import JobNames
from wattledger.exporter.catalog import WORKLOAD_NAMES
from wattledger.rules.usage.workload import Workload, WorkloadKind

LABELS = ("namespace", "pod", "job", "user")
ID = "0123456789abcdef" * 4
UID = "2f1a7c3e-9b0d-4c58-8e6f-0123456789ab"
CHAT = PodContainer("chat", "llm-0", "server", UID, ID)
LLM = "chat/llm-0/server"
POD = Membership(WorkloadKind.POD, ID, "containerd", UID)
JOB = JobNames("alice", "physics", "gpu")


@pytest.mark.parametrize(
    ("workload", "expected"),
    [
        (
            workload_of(POD, labels=LABELS, pod=CHAT),
            Workload(WorkloadKind.POD, LLM, LLM, (("namespace", "chat"), ("pod", "llm-0"))),
        ),
        (workload_of(POD, labels=LABELS), Workload(WorkloadKind.POD, f"{UID}/{ID}", f"{UID}/0123456789ab")),
        (
            workload_of(Membership(WorkloadKind.SLURM, job="211"), labels=LABELS, user="alice", job=JOB),
            Workload(WorkloadKind.SLURM, "211", "211", (("job", "211"), ("user", "alice"))),
        ),
        (
            workload_of(Membership(WorkloadKind.CONTAINER, ID, "docker", job="211"), labels=LABELS),
            Workload(WorkloadKind.CONTAINER, ID, "0123456789ab", (("job", "211"),)),
        ),
        (
            workload_of(Membership(WorkloadKind.UNIT, unit="ollama.service"), labels=("unit", "user")),
            Workload(WorkloadKind.UNIT, "ollama.service", "ollama.service", (("unit", "ollama.service"),)),
        ),
        (
            workload_of(Membership(uid=1000), labels=LABELS, user="alice"),
            Workload(WorkloadKind.USER, "alice", "alice", (("user", "alice"),)),
        ),
        (owner_workload("alice", labels=LABELS), Workload(WorkloadKind.OWNER, "alice", "alice")),
        (owner_workload("", labels=LABELS), None),
        (workload_of(Membership(WorkloadKind.SLURM), labels=LABELS), None),
    ],
)  # fmt: skip
def test_identity_title_and_names(workload: Workload | None, expected: Workload | None) -> None:
    assert workload == expected


def test_every_name_that_the_configuration_may_allow_can_be_told() -> None:
    told = [
        workload_of(POD, labels=WORKLOAD_NAMES, pod=CHAT),
        workload_of(Membership(WorkloadKind.SLURM, job="211"), labels=WORKLOAD_NAMES, user="alice", job=JOB),
        workload_of(Membership(WorkloadKind.UNIT, unit="ollama.service"), labels=WORKLOAD_NAMES),
    ]
    names = [name for workload in told if workload for name, _ in workload.names]
    assert set(names) == set(WORKLOAD_NAMES)


def test_the_order_of_names_is_that_of_the_configuration() -> None:
    workload = workload_of(POD, labels=("pod", "container", "namespace"), pod=CHAT)
    assert workload is not None
    assert workload.names == (("pod", "llm-0"), ("container", "server"), ("namespace", "chat"))


def test_whom_a_device_is_given_to_is_who_holds_it() -> None:
    given = pod_workload(PodContainer("chat", "llm-0", "server"), labels=LABELS)
    assert given == workload_of(POD, labels=LABELS, pod=CHAT)
    given = job_workload("211", labels=LABELS, names=JOB)
    assert given == workload_of(Membership(WorkloadKind.SLURM, job="211"), labels=LABELS, user="alice", job=JOB)


def test_a_container_whose_pod_only_the_kubelet_knows_is_the_pods() -> None:
    workload = workload_of(Membership(WorkloadKind.CONTAINER, ID, "containerd"), labels=LABELS, pod=CHAT)
    assert workload == workload_of(POD, labels=LABELS, pod=CHAT)


def test_a_container_that_a_pod_started_is_its_own_and_shows_the_pod() -> None:
    inner = Membership(WorkloadKind.CONTAINER, "f" * 64, "docker", UID)
    workload = workload_of(inner, labels=LABELS, pod=CHAT)
    assert workload == Workload(WorkloadKind.CONTAINER, "f" * 64, "f" * 12, (("namespace", "chat"), ("pod", "llm-0")))


hostile = st.one_of(st.text(max_size=500), st.text(st.sampled_from('a"\\\n\x00é\ud800\u2028'), max_size=500))


@given(hostile, hostile, hostile)
def test_any_names_are_plain_data_of_limited_length(namespace: str, pod: str, container: str) -> None:
    workload = pod_workload(PodContainer(namespace, pod, container), labels=WORKLOAD_NAMES)
    if workload is None:
        assert not namespace + pod + container
        return
    texts = [workload.id, workload.title, *(value for _, value in workload.names)]
    assert all(0 < len(text) <= MOST_CHARACTERS for text in texts)
    assert all(text.encode().decode() == text for text in texts)


def test_what_is_cut_still_differs() -> None:
    long = "x" * 300
    assert capped(long) != capped(long + "y")
    assert len(capped(long)) == MOST_CHARACTERS
    assert capped("x" * MOST_CHARACTERS) == "x" * MOST_CHARACTERS
