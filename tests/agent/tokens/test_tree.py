"""Which server a process on a device works for, on process trees as the servers make them."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from wattledger.agent.tokens.tree import Process, ProcessFiles, ProcessTable


@dataclass
class Host:
    """A host whose processes are started one after the other."""

    processes: dict[int, Process] = field(default_factory=dict)
    programs: dict[int, str] = field(default_factory=dict)

    def run(
        self,
        name: str,
        parent: int = 1,
        *,
        session: int | None = None,
        terminal: bool = False,
        container: str = "",
        job: str = "",
        program: str = "",
    ) -> int:
        """Start a process; give its number. Session, container and job are its parent's, unless given."""
        pid = 100 + len(self.processes)
        above = self.processes.get(parent)
        self.processes[pid] = Process(
            pid=pid,
            parent=parent,
            session=session if session is not None else (above.session if above else pid),
            start=pid * 10,
            name=name,
            has_terminal=terminal or (above is not None and above.has_terminal),
            container=container or (above.container if above else ""),
            job=job or (above.job if above else ""),
        )
        self.programs[pid] = program
        return pid

    @property
    def table(self) -> ProcessTable:
        init = Process(1, 0, 1, 1, "systemd", has_terminal=False)
        return ProcessTable({1: init, **self.processes}, lambda pid: self.programs.get(pid, ""))

    def claims(self, holders: list[int], **servers: int) -> dict[int, str]:
        """Give the claims, having seen that every server would have been looked at."""
        related = self.table.related(holders)
        claims = self.table.claims(holders, {name: {pid} for name, pid in servers.items()})
        assert {servers[name] for name in claims.values()} <= related
        return claims


def test_vllm_its_engine_is_a_child_of_what_listens() -> None:
    host = Host()
    server = host.run("vllm")
    engine = host.run("VLLM::EngineCore", server)
    ranks = [host.run(f"VLLM::Worker_TP{rank}", engine) for rank in range(2)]
    assert host.claims(ranks, vllm=server) == dict.fromkeys(ranks, "vllm")


def test_one_process_may_be_server_and_holder() -> None:
    host = Host()
    server = host.run("llama-server")
    assert host.claims([server], llama=server) == {server: "llama"}


def test_tgi_the_router_is_beside_the_shards() -> None:
    host = Host()
    launcher = host.run("text-generation-launcher")
    shards = [host.run("text-generation-server", launcher) for _ in range(2)]
    router = host.run("text-generation-router", launcher)
    assert host.claims(shards, tgi=router) == dict.fromkeys(shards, "tgi")


@pytest.mark.parametrize("shell", ["bash", "zsh", "sh"])
def test_two_servers_of_one_shell_stay_two(shell: str) -> None:
    host = Host()
    above = host.run(shell, terminal=True)
    first, second = host.run("vllm", above), host.run("vllm", above)
    engines = [host.run("VLLM::EngineCore", first), host.run("VLLM::EngineCore", second)]
    assert host.claims(engines, a=first, b=second) == {engines[0]: "a", engines[1]: "b"}


def test_two_servers_of_one_launcher_stay_two() -> None:
    host = Host()
    above = host.run("python3")
    first, second = host.run("vllm", above), host.run("vllm", above)
    engines = [host.run("VLLM::EngineCore", first), host.run("VLLM::EngineCore", second)]
    assert host.claims(engines, a=first, b=second) == {engines[0]: "a", engines[1]: "b"}


def test_what_is_trained_beside_a_server_is_not_the_servers() -> None:
    for launcher, program in (("bash", "bash"), ("run.sh", "bash"), ("python3", "python3.11")):
        host = Host()
        above = host.run(launcher, program=program, container="c1", job="7")
        server = host.run("vllm", above)
        engine = host.run("VLLM::EngineCore", server)
        training = host.run("python3", above)
        assert host.claims([engine, training], vllm=server) == {engine: "vllm"}


def test_what_a_script_starts_beside_a_server_that_has_no_holder_yet_is_not_the_servers() -> None:
    host = Host()
    above = host.run("run.sh", program="bash", terminal=True)
    server = host.run("vllm", above)
    training = host.run("python3", above)
    assert host.claims([training], vllm=server) == {}


def test_a_rank_behind_a_shell_is_still_its_servers() -> None:
    host = Host()
    server = host.run("python3")
    shell = host.run("sh", server)
    rank = host.run("python3", shell)
    assert host.claims([rank], server=server) == {rank: "server"}


def test_of_two_servers_below_one_launcher_none_gets_what_is_beside_them() -> None:
    host = Host()
    above = host.run("python3")
    first, second = host.run("router", above), host.run("router", above)
    rank = host.run("python3", above)
    assert host.claims([rank], a=first, b=second) == {}


@pytest.mark.parametrize("starter", ["mpirun", "slurmstepd", "hydra_pmi_proxy"])
def test_all_ranks_that_one_starter_made_belong_to_the_one_that_listens(starter: str) -> None:
    host = Host()
    above = host.run(starter)
    ranks = [host.run("trtllm-serve", above) for _ in range(4)]
    assert host.claims(ranks, trtllm=ranks[0]) == dict.fromkeys(ranks, "trtllm")
    assert above not in host.table.related(ranks)


def test_a_container_joins_what_no_tree_does() -> None:
    host = Host()
    shim = host.run("containerd-shim")
    server = host.run("vllm", shim, container="c1")
    raylet = host.run("raylet", shim, container="c1", session=900)
    ranks = [host.run("ray::Worker", raylet) for _ in range(2)]
    elsewhere = host.run("python3", shim, container="c2")
    assert host.claims([*ranks, elsewhere], vllm=server) == dict.fromkeys(ranks, "vllm")


def test_ranks_of_vllm_under_ray_join_a_server_that_holds_a_device_itself() -> None:
    host = Host()
    shim = host.run("containerd-shim")
    server = host.run("vllm", shim, container="c1")
    raylet = host.run("raylet", shim, container="c1")
    rank = host.run("ray::RayWorkerW", raylet)
    trainer = host.run("ray::WorkerDict", raylet)
    assert host.claims([server, rank, trainer], vllm=server) == {server: "vllm", rank: "vllm"}


def test_a_shim_joins_no_containers() -> None:
    host = Host()
    shim = host.run("some-runtime")
    server = host.run("vllm", shim, container="c1")
    other = host.run("python3", shim, container="c2")
    assert host.claims([other], vllm=server) == {}


def test_a_container_with_two_servers_joins_nothing() -> None:
    host = Host()
    first = host.run("vllm", container="c1")
    second = host.run("vllm", container="c1")
    stray = host.run("python3", container="c1")
    assert host.claims([stray], a=first, b=second) == {}


def test_a_session_joins_unless_a_person_sits_at_it() -> None:
    for terminal, expected in ((False, "vllm"), (True, None)):
        host = Host()
        script = host.run("start.sh", program="dash", session=500, terminal=terminal)
        server = host.run("vllm", script)
        rank = host.run("python3", 1, session=500, terminal=terminal)
        assert host.claims([rank], vllm=server).get(rank) == expected


def test_a_job_joins_its_steps() -> None:
    host = Host()
    server = host.run("vllm", host.run("slurmstepd", job="41"), session=600)
    rank = host.run("python3", host.run("slurmstepd", job="41"), session=700)
    other = host.run("python3", host.run("slurmstepd", job="42"), session=800)
    assert host.claims([rank, other], vllm=server) == {rank: "vllm"}


def test_processes_of_one_user_with_nothing_else_in_common_are_not_related() -> None:
    host = Host()
    server = host.run("vllm")
    training = host.run("python3")
    assert server not in host.table.related([training])
    assert host.table.claims([training], {"vllm": {server}}) == {}


def test_the_eldest_is_what_was_started_as_the_server() -> None:
    host = Host()
    main = host.run("vllm")
    workers = [host.run("VLLM::APIServer", main) for _ in range(2)]
    assert host.table.eldest([*workers, main]) == main
    assert host.table.eldest([9999]) == 9999


def test_a_parent_that_is_its_own_ancestor_ends_the_way_up() -> None:
    loop = {
        11: Process(11, 12, 11, 1, "a", has_terminal=False),
        12: Process(12, 11, 11, 2, "b", has_terminal=False),
    }
    table = ProcessTable(loop)
    assert len(table.line(11)) <= 64
    assert table.related([11]) == {11, 12}


@pytest.mark.parametrize("name", ["systemd", "an-init-of-its-own"])
def test_the_first_process_and_what_else_it_started_are_nobodys_kin(name: str) -> None:
    first = Process(1, 0, 1, 1, name, has_terminal=False)
    holder = Process(50, 1, 50, 2, "python3", has_terminal=False)
    other = Process(51, 1, 51, 3, "vllm", has_terminal=False)
    table = ProcessTable({1: first, 50: holder, 51: other})
    assert table.related([50]) == {50}
    assert [process.pid for process in table.line(1)] == [1]


def test_real_processes_are_read_as_they_are() -> None:
    files = ProcessFiles(Path("/proc"))
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        table = files.table([child.pid])
        process = table.get(child.pid)
        assert process is not None
        assert process.parent == os.getpid()
        assert process.session == os.getsid(child.pid)
        assert process.start == files.start_of(child.pid)
        assert [one.pid for one in table.line(child.pid)][:2] == [child.pid, os.getpid()]
        assert files.command(child.pid)[1:] == ("-c", "input()")
        assert files.program(child.pid).startswith("python")
        child.communicate(b"\n")
    assert files.start_of(child.pid) is None
    assert files.command(child.pid) == ()


def test_a_dead_process_that_nobody_waited_for_is_not_there() -> None:
    files = ProcessFiles(Path("/proc"))
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert files.start_of(child.pid) is None
        assert files.table([]).get(child.pid) is None


def test_containers_and_jobs_are_read_once_of_each_process(tmp_path: Path) -> None:
    container = "0" * 64
    for pid, group in ((10, f"0::/docker/{container}"), (11, f"0::/docker/{container}"), (12, "0::/")):
        folder = tmp_path / str(pid)
        folder.mkdir()
        (folder / "stat").write_text(f"{pid} (a) b) S 1 {pid} {pid} 0 -1 " + "0 " * 13 + "77 0 0")
        (folder / "cgroup").write_text(group)
    files = ProcessFiles(tmp_path)
    assert files.table([12]).related([12]) == {12}
    table = files.table([10])
    assert table.related([10]) == {10, 11}
    found = table.get(10)
    assert found is not None
    assert (found.name, found.start, found.container) == ("a) b", 77, container)
    (tmp_path / "10/cgroup").unlink()
    assert files.table([10]).related([10]) == {10, 11}
