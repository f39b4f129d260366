"""Who holds the devices of a host, over sequences of samples from a made-up /proc."""

import logging
from pathlib import Path

import pytest

from tests.agent.fake_clock import FakeClock
from tests.agent.workloads.fake_proc import FakeProc
from tests.agent.workloads.samples import KnownPods, process, sample, uuid
from wattledger.agent.workloads.attribution import Attribution, WorkloadSettings
from wattledger.agent.workloads.pods import Pods
from wattledger.agent.workloads.processes import ForeignProcesses, ProcProcesses
from wattledger.agent.workloads.procfs import Unresolved
from wattledger.rules.reading import GpuProcess, ProcessKind
from wattledger.rules.usage.workload import Holder, Workload, WorkloadKind

LABELS = ("namespace", "pod", "job", "user")
SETTINGS = WorkloadSettings(labels=LABELS, job_map_dir=None, owners=lambda _: "")
A, B = "a" * 64, "b" * 64
UNKNOWN = Workload(WorkloadKind.UNATTRIBUTED, "", "unattributed")


class Host:
    """A host with its processes and its attribution, which is asked each second."""

    def __init__(self, folder: Path, pods: Pods | None = None, services: dict[int, str] | None = None) -> None:
        self.clock = FakeClock()
        self.proc = FakeProc(folder / "proc")
        (folder / "passwd").write_text("root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n")
        self.services = services or {}
        self.attribution = Attribution(
            self.clock,
            ProcProcesses(self.proc.files, passwd=folder / "passwd"),
            settings=SETTINGS,
            pods=pods,
            service_of=lambda pid: self.services.get(pid, ""),
            device_service=lambda device: "batch" if device == uuid(9) else "",
            cgroup_root=folder / "cgroup",
        )

    def tick(self, *devices: tuple[GpuProcess, ...] | None, seconds: float = 1) -> list[tuple[Holder, ...]]:
        """Let a second pass; give the holders of each device."""
        self.clock.advance(seconds)
        taken = sample(self.clock, *devices)
        holdings = self.attribution.holdings(taken)
        return [holdings[reading.identity.uuid].holders for reading in taken.devices]

    def titles(self, *devices: tuple[GpuProcess, ...] | None, seconds: float = 1) -> list[list[str]]:
        """Let a second pass; give how the holders of each device are called."""
        return [[holder.workload.title for holder in holders] for holders in self.tick(*devices, seconds=seconds)]

    def unresolved(self) -> dict[str, int]:
        """Give the reasons for which there are processes."""
        return {reason.value: number for reason, number in self.attribution.health().unresolved.items() if number}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def docker(identity: str) -> str:
    return f"0::/system.slice/docker-{identity}.scope\n"


def unit(name: str) -> str:
    return f"0::/system.slice/{name}.service\n"


def test_each_device_has_the_workloads_of_its_processes(host: Host) -> None:
    host.proc.put(40, cgroup=docker(A))
    host.proc.put(41, cgroup=unit("ollama"))
    host.proc.put(42, cgroup="0::/user.slice/user-1000.slice/session-1.scope\n")
    host.proc.put(43, uid=1000)
    devices = ((process(40), process(41)), (process(41),), (process(42), process(43)), ())
    assert host.titles(*devices) == [["a" * 12, "ollama.service"], ["ollama.service"], ["alice"], []]
    assert host.attribution.health().processes == 4
    assert host.unresolved() == {}


def test_processes_of_one_workload_are_one_holder_and_their_use_adds_up(host: Host) -> None:
    for pid in (40, 41, 42):
        host.proc.put(pid, cgroup=docker(A))
    host.proc.put(43, cgroup=docker(B))
    ((first, second),) = host.tick((process(40, sm=0.25), process(41, sm=0.125), process(42), process(43)))
    assert (first.sm_ppm, second.sm_ppm) == (375_000, None)
    ((first, second),) = host.tick((process(43, sm=0.0), process(42), process(40, sm=0.1000004)))
    assert (first.sm_ppm, second.sm_ppm) == (100_000, 0)


def test_services_of_one_workload_are_holders_of_their_own(tmp_path: Path) -> None:
    host = Host(tmp_path, services={40: "chat", 41: "embed", 42: "chat"})
    for pid in (40, 41, 42, 43):
        host.proc.put(pid, cgroup=docker(A))
    ((*holders,),) = host.tick((process(43), process(42), process(41), process(40)))
    assert [holder.service for holder in holders] == ["", "chat", "embed"]


def test_a_whole_device_may_be_a_services_by_configuration(host: Host) -> None:
    host.clock.advance(1)
    holdings = host.attribution.holdings(sample(host.clock, *[()] * 10))
    assert [holdings[uuid(index)].service for index in (8, 9)] == ["", "batch"]


def test_instances_of_a_device_are_held_apart(host: Host) -> None:
    host.proc.put(40, cgroup=docker(A))
    host.proc.put(41, cgroup=docker(A))
    listed = (process(40, gpu_instance=2), process(41, gpu_instance=1), process(41, gpu_instance=2, sm=0.5))
    (holders,) = host.tick(listed)
    assert [(holder.gpu_instance, holder.sm_ppm) for holder in holders] == [(1, None), (2, 500_000)]


def test_the_order_of_processes_does_not_matter(host: Host) -> None:
    for pid, cgroup in ((40, docker(B)), (41, docker(A)), (42, unit("x")), (43, unit("a"))):
        host.proc.put(pid, cgroup=cgroup)
    listed = tuple(process(pid, sm=pid / 100) for pid in (40, 41, 42, 43))
    assert host.tick(listed) == host.tick(tuple(reversed(listed)))


def test_a_display_server_holds_nothing(host: Host) -> None:
    host.proc.put(40, cgroup=unit("gdm"))
    assert host.titles((process(40, ProcessKind.GRAPHICS),)) == [[]]
    assert host.titles((process(40, ProcessKind.MPS),)) == [["gdm.service"]]


def test_a_list_that_cannot_be_read_names_nobody_and_costs_no_knowledge(host: Host) -> None:
    host.proc.put(40, cgroup=docker(A))
    host.tick((process(40),))
    assert host.titles(None) == [[]]
    assert host.attribution.health().processes == 0
    host.proc.end(40)
    assert host.titles((process(40),)) == [["a" * 12]]


def test_a_process_that_ended_stays_what_it_was_until_it_is_no_longer_named(host: Host) -> None:
    host.proc.put(40, cgroup=docker(A))
    host.tick((process(40),))
    host.proc.end(40)
    for _ in range(20):
        assert host.titles((process(40),)) == [["a" * 12]]
    assert host.titles(()) == [[]]


def test_a_number_that_is_given_anew_within_a_changed_list_is_another_process_at_once(host: Host) -> None:
    host.proc.put(40, cgroup=docker(A))
    host.tick((process(40),))
    host.proc.put(40, cgroup=docker(B), start=900)
    host.proc.put(41, cgroup=docker(A))
    assert host.titles((process(40), process(41))) == [["a" * 12, "b" * 12]]


def test_a_number_that_is_given_anew_unseen_is_noticed_within_five_seconds(host: Host) -> None:
    for pid in range(40, 45):
        host.proc.put(pid, cgroup=docker(A))
    listed = tuple(process(pid) for pid in range(40, 45))
    host.tick(listed)
    for pid in range(40, 45):
        host.proc.put(pid, cgroup=docker(B), start=900)
    seen = [host.titles(listed)[0] for _ in range(5)]
    assert seen[0] != ["b" * 12], "starts are not read each second"
    assert seen[-1] == ["b" * 12]


def test_a_number_that_comes_back_on_another_device_is_looked_at_again(host: Host) -> None:
    host.proc.put(40, cgroup=docker(A))
    host.tick((process(40),), ())
    host.tick((), ())
    host.proc.put(40, cgroup=docker(B), start=900)
    assert host.titles((), (process(40),)) == [[], ["b" * 12]]


def test_what_nobody_names_for_a_minute_is_forgotten(host: Host) -> None:
    for pid in range(100, 200):
        host.proc.put(pid, cgroup=docker(A))
        host.tick((process(pid),))
    host.tick((), seconds=61)
    assert len(host.attribution._known) == 0


def test_an_unknown_process_beside_a_known_one_keeps_its_part(host: Host) -> None:
    host.proc.put(40, cgroup=docker(A))
    (holders,) = host.tick((process(40, sm=0.5), process(99, sm=0.25)))
    assert [(holder.workload.title, holder.sm_ppm) for holder in holders] == [
        ("a" * 12, 500_000),
        ("unattributed", 250_000),
    ]
    assert host.unresolved() == {"gone": 1}


def test_numbers_that_go_on_meaning_nothing_are_of_another_namespace(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="wattledger"):
        host.tick((process(99),))
        assert host.unresolved() == {"gone": 1}
        for _ in range(12):
            host.tick((process(99),))
        assert host.unresolved() == {"pid_namespace_mismatch": 1}
        host.tick(())
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "hostPID" in caplog.text


@pytest.mark.parametrize("start", [500, 200_000])
def test_a_number_that_means_a_process_without_a_device_or_a_later_one_is_of_another_namespace(
    host: Host, start: int
) -> None:
    host.proc.put(40, cgroup=docker(A), files=("/dev/null",) if start == 500 else None, start=start)
    assert host.tick((process(40),))[0][0].workload == UNKNOWN
    assert host.unresolved() == {"pid_namespace_mismatch": 1}


def test_processes_that_are_hidden_are_told_of_as_such(host: Host) -> None:
    host.proc.end(1)
    host.tick((process(40),))
    assert host.unresolved() == {"no_permission": 1}


def test_a_process_that_can_be_looked_at_later_is_known_then(host: Host) -> None:
    host.tick((process(40),))
    host.proc.put(40, cgroup=docker(A))
    assert host.titles((process(40),)) == [["a" * 12]]
    assert host.unresolved() == {}


def test_a_replay_looks_at_no_process_of_this_host() -> None:
    clock = FakeClock()
    attribution = Attribution(clock, ForeignProcesses(), settings=SETTINGS)
    (holding,) = attribution.holdings(sample(clock, (process(1),))).values()
    assert [holder.workload for holder in holding.holders] == [UNKNOWN]
    assert attribution.health().unresolved[Unresolved.FOREIGN] == 1


def test_other_labels_name_the_same_workloads_anew(host: Host) -> None:
    host.proc.put(40, uid=1000)
    (before,) = host.tick((process(40),))
    settings = WorkloadSettings(labels=(), job_map_dir=None, owners=lambda _: "")
    host.attribution.apply(settings)
    (after,) = host.tick((process(40),))
    assert before[0].workload == Workload(WorkloadKind.USER, "alice", "alice", (("user", "alice"),))
    assert after[0].workload == Workload(WorkloadKind.USER, "alice", "alice")


def test_pods_that_nobody_asks_for_are_asked_for_nothing(tmp_path: Path) -> None:
    pods = KnownPods()
    host = Host(tmp_path, pods)
    host.proc.put(40, cgroup=docker(A))
    host.tick((process(40),))
    assert pods.wanted == []
