"""Servers found through the processes on devices: real ones that listen, each with a child that stands for one."""

import os
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.agent.fake_clock import FakeClock
from tests.agent.tokens.raw_server import ok, passing_on, serving
from tests.agent.tokens.running import FewProcesses, namespace, page_server, two_servers, until
from wattledger.agent.tokens.addresses import Addresses
from wattledger.agent.tokens.catalogue import load_catalogue
from wattledger.agent.tokens.discovery import Discovery, View
from wattledger.agent.tokens.reader import PageReader
from wattledger.agent.tokens.sockets import Listening, Sockets
from wattledger.agent.tokens.tree import ProcessFiles
from wattledger.rules.tokens.model import Withheld

_READER = PageReader(load_catalogue())


class Blind(Sockets):
    """The sockets of a host on which some processes may not be looked at."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.forbidden: set[int] = set()

    def look(self, pids: Collection[int]) -> Listening:
        """Give where those listen that may be looked at."""
        found = super().look(set(pids) - self.forbidden)
        return Listening(found.listeners, found.forbidden | (self.forbidden & set(pids)))


class Finder:
    """A discovery whose rounds the test makes, on a host with the processes of the test alone."""

    def __init__(self, folder: Path, *, own_pid: int = 0) -> None:
        self.clock = FakeClock()
        self.processes = FewProcesses(folder)
        root = self.processes.root
        self.sockets = Blind(root)
        self.titles: dict[int, str | None] = {}
        self._discovery = Discovery(
            _READER,
            files=ProcessFiles(root),
            sockets=self.sockets,
            addresses=Addresses(root, Path("/sys")),
            title_of=lambda pid: self.titles.get(pid, ""),
            own_pid=own_pid,
        )

    @property
    def view(self) -> View:
        """Give what is known."""
        return self._discovery.view

    @property
    def is_complete(self) -> bool:
        """Tell whether there is nothing to find."""
        return self._discovery.is_complete

    def look(self, *holders: int, configured: Mapping[str, tuple[str, int]] | None = None) -> View:
        """Make a round and wait for all its probes."""
        self.processes.add(*holders)
        self._discovery.round(self.clock.now(), holders, configured or {})
        until(self._settled)
        return self.view

    def collect(self) -> View:
        """Take what has come."""
        self._discovery.collect(self.clock.now())
        return self.view

    def close(self) -> None:
        """Probe nothing more."""
        self._discovery.close()

    def _settled(self) -> bool:
        self.collect()
        return not any(entry.in_flight for entry in self._discovery._endpoints.all())


@pytest.fixture
def finder(tmp_path: Path) -> Iterator[Finder]:
    """Look at this host, without this program's own sockets."""
    made = Finder(tmp_path)
    yield made
    made.close()


def _names(view: View) -> dict[str, set[int]]:
    return {found.name: set(found.pids) for found in view.found}


def test_the_parent_listens_and_the_child_holds_the_device(finder: Finder) -> None:
    with page_server() as server:
        view = finder.look(server.child)
        (found,) = view.found
        assert (found.name, found.spec.key, found.path) == (f"vllm:{server.port}", "vllm", "/metrics")
        assert found.owner.pid == server.pid
        assert found.pids == {server.child}
        assert finder.is_complete


def test_two_servers_of_one_parent_are_two(finder: Finder) -> None:
    with two_servers() as (first, second):
        assert _names(finder.look(first.child, second.child)) == {
            f"vllm:{first.port}": {first.child},
            f"vllm:{second.port}": {second.child},
        }


def test_a_process_that_works_for_no_server_is_left_alone(finder: Finder) -> None:
    with page_server() as server, subprocess.Popen(["sleep", "60"]) as training:
        view = finder.look(training.pid, server.child)
        training.kill()
        assert _names(view) == {f"vllm:{server.port}": {server.child}}
        assert not finder.is_complete


def test_a_page_is_found_at_any_known_path(finder: Finder) -> None:
    with page_server("--path", "/v1/metrics") as server:
        assert [found.path for found in finder.look(server.child).found] == ["/v1/metrics"]


def test_a_server_that_counts_no_tokens_is_none(finder: Finder) -> None:
    with page_server("--page", "other") as server:
        view = finder.look(server.child)
    assert (view.found, view.advice) == ((), ())


def test_a_service_is_called_as_its_workload_is(finder: Finder) -> None:
    with page_server() as first, page_server() as second:
        finder.titles = {first.child: "ollama.service", second.child: "ollama.service"}
        names = _names(finder.look(first.child, second.child))
        others = {f"ollama.service:{first.port}", f"ollama.service:{second.port}"}
        assert "ollama.service" in names
        assert len(names.keys() & others) == 1


def test_a_title_that_is_not_known_yet_is_waited_for(finder: Finder) -> None:
    with page_server() as server:
        finder.titles[server.child] = None
        assert finder.look(server.child).found == ()
        finder.clock.advance(5)
        assert finder.collect().found == ()
        finder.titles[server.child] = "chat\n-0"
        assert _names(finder.collect()) == {"chat-0": {server.child}}
        finder.titles[server.child] = "other"
        assert _names(finder.look(server.child)) == {"chat-0": {server.child}}


def test_a_title_that_does_not_come_is_done_without(finder: Finder) -> None:
    with page_server() as server:
        finder.titles[server.child] = None
        finder.look(server.child)
        finder.clock.advance(30)
        assert _names(finder.collect()) == {f"vllm:{server.port}": {server.child}}


def test_a_server_that_is_started_again_keeps_its_name(finder: Finder) -> None:
    with page_server() as server:
        port = server.port
        first = finder.look(server.child).found[0]
    finder.clock.advance(15)
    gone = finder.look().found[0]
    assert (gone.name, gone.is_gone, gone.pids) == (first.name, True, frozenset[int]())
    with page_server("--port", str(port)) as again:
        finder.clock.advance(15)
        (found,) = finder.look(again.child).found
        assert (found.name, found.is_gone, found.pids) == (first.name, False, frozenset({again.child}))
        assert found.owner != first.owner
        assert found.access is not first.access


def test_a_server_that_is_gone_for_a_minute_is_forgotten(finder: Finder) -> None:
    with page_server() as server:
        finder.look(server.child)
    assert len(finder.look().found) == 1
    finder.clock.advance(60)
    assert len(finder.look().found) == 1
    finder.clock.advance(1)
    assert finder.look().found == ()


def test_a_server_that_dies_while_it_is_asked_is_no_trouble(finder: Finder) -> None:
    with page_server() as server:
        finder.processes.add(server.child)
        finder._discovery.round(finder.clock.now(), [server.child], {})
        server.process.kill()
        server.process.wait()
    until(finder._settled)
    finder.clock.advance(15)
    finder.look()
    finder.clock.advance(61)
    assert finder.look().found == ()


@pytest.fixture
def seeing(tmp_path: Path) -> Iterator[tuple[Finder, int]]:
    """Look at this host with this program's own sockets, and give a child of it that stands for a holder."""
    with ExitStack() as stack:
        child = stack.enter_context(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))
        stack.callback(lambda: child.communicate(b"\n"))
        made = Finder(tmp_path)
        made.processes.add_alone(os.getpid())
        stack.callback(made.close)
        yield made, child.pid


def test_what_is_no_server_is_asked_ever_more_seldom(seeing: tuple[Finder, int]) -> None:
    finder, holder = seeing
    with serving(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n") as server:
        asked = []
        for _ in range(120):
            before = len(server.requests)
            finder.look(holder)
            if len(server.requests) > before:
                asked.append(finder.clock.now().mono_ns // 1_000_000_000 - 1000)
                assert len(server.requests) - before == len(_READER.paths)
            finder.clock.advance(15)
    assert asked == [0, 15, 45, 105, 225, 465, 945, 1545]


def test_a_server_that_has_loaded_its_model_is_found_at_last(seeing: tuple[Finder, int]) -> None:
    finder, holder = seeing
    answers = [b"HTTP/1.1 503 Loading\r\nContent-Length: 0\r\n\r\n"]
    with serving(lambda sock, _: sock.sendall(answers[0])) as server:
        assert finder.look(holder).found == ()
        answers[0] = ok(b"# TYPE vllm:generation_tokens_total counter\n")
        finder.clock.advance(15)
        assert list(_names(finder.look(holder))) == [f"vllm:{server.port}"]
        before = len(server.requests)
        finder.clock.advance(600)
        finder.look(holder)
        assert len(server.requests) == before  # what is found is not asked again


def test_what_speaks_no_http_is_asked_once(seeing: tuple[Finder, int]) -> None:
    finder, holder = seeing
    with serving(b"\x00\x01\x02 no HTTP \r\n") as server:
        for _ in range(3):
            finder.look(holder)
            finder.clock.advance(600)
    assert len(server.requests) == 1


def test_what_stands_before_servers_is_no_service(seeing: tuple[Finder, int]) -> None:
    finder, holder = seeing
    page = b'litellm_output_tokens_metric_total{model="m"} 5\nlitellm_input_tokens_metric_total{model="m"} 5\n'
    with serving(ok(page)) as server:
        view = finder.look(holder)
        assert server.requests
    assert view.found == ()


def test_the_agent_does_not_ask_itself(tmp_path: Path) -> None:
    finder = Finder(tmp_path, own_pid=os.getpid())
    finder.processes.add_alone(os.getpid())
    with serving(ok(b"vllm:generation_tokens_total 5\n")) as server:
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
            assert finder.look(child.pid).found == ()
            child.communicate(b"\n")
        assert server.requests == []
    finder.close()


def test_two_pages_of_one_process_are_one_service(seeing: tuple[Finder, int]) -> None:
    finder, holder = seeing
    page = ok(b"vllm:generation_tokens_total 5\n")
    with serving(page) as first, serving(page) as second:
        (found,) = finder.look(holder).found
    assert found.name == f"vllm:{min(first.port, second.port)}"


@pytest.mark.parametrize("configured", [True, False])
def test_what_passes_the_page_of_a_server_on_is_no_service(seeing: tuple[Finder, int], *, configured: bool) -> None:
    finder, _ = seeing
    with page_server() as server, serving(passing_on(server.port)) as front:
        endpoints = {"chat": ("127.0.0.1", server.port)} if configured else {}
        view = finder.look(server.child, configured=endpoints)
        assert [found.owner.pid for found in view.found] == ([] if configured else [server.pid])
        asked = len(front.requests)
        assert asked
        finder.clock.advance(600)
        finder.look(server.child, configured=endpoints)
        assert len(front.requests) == asked  # it is known for what it is


def test_a_server_without_a_device_beside_one_with_a_device_is_its_own(seeing: tuple[Finder, int]) -> None:
    finder, _ = seeing
    tokens = [0]
    count = b"vllm:generation_tokens_total %d\n"
    with page_server() as server, serving(lambda sock, _: sock.sendall(ok(count % tokens[0]))) as other:
        # As long as it has counted nothing it may be anybody's, and there is nothing to miss.
        assert _names(finder.look(server.child)) == {f"vllm:{server.port}": {server.child}}
        tokens[0] = 7
        assert set(_names(finder.look(server.child))) == {f"vllm:{server.port}", f"vllm:{other.port}"}
        asked = len(other.requests)
        for _ in range(3):
            finder.clock.advance(600)
            finder.look(server.child)
        assert len(other.requests) == asked  # nobody came beside whose page it could be


def test_a_service_that_turns_out_to_pass_a_page_on_is_none_any_more(seeing: tuple[Finder, int]) -> None:
    finder, holder = seeing
    with page_server() as server, serving(passing_on(server.port)) as front:
        assert set(_names(finder.look(holder))) == {f"vllm:{front.port}"}  # the server behind it is not seen yet
        assert set(_names(finder.look(server.child))) == {f"vllm:{server.port}"}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "0.0.0.0"])
def test_a_configured_endpoint_is_not_asked_again(finder: Finder, host: str) -> None:
    with page_server("--host", "::" if host == "::1" else "127.0.0.1") as server:
        view = finder.look(server.child, configured={"chat": (host, server.port)})
        assert view.found == ()
        assert view.here["chat"].owner.pid == server.pid
        assert view.here["chat"].pids == {server.child}
        assert finder.is_complete


def test_another_port_or_host_is_not_the_configured_one(finder: Finder) -> None:
    with page_server() as server:
        others = {"a": ("127.0.0.1", server.port + 1), "b": ("10.9.9.9", server.port), "c": ("gpu7", server.port)}
        view = finder.look(server.child, configured=others)
        assert list(view.here) == []
        assert len(view.found) == 1


def test_a_server_in_a_namespace_is_found_and_read(finder: Finder) -> None:
    with namespace() as inside, page_server("--host", "0.0.0.0", before=inside.inside) as server:
        (found,) = finder.look(server.child).found
        assert found.access.shown == f"http://{inside.address}:{server.port}"
        configured = {"chat": (inside.address, server.port)}
        assert finder.look(server.child, configured=configured).here["chat"].pids == {server.child}


def test_an_address_that_two_namespaces_claim_is_asked_of_neither(finder: Finder) -> None:
    with namespace(1) as one, namespace(2) as two:
        two.ip("addr", "add", f"{one.address}/32", "dev", "lo")
        two.ip("addr", "del", f"{two.address}/24", "dev", "eth0")
        with (
            page_server("--host", "0.0.0.0", before=one.inside) as first,
            page_server("--host", "0.0.0.0", "--port", str(first.port), before=two.inside) as second,
        ):
            view = finder.look(first.child, second.child)
            assert view.found == ()
            assert any("several containers claim" in problem for problem in view.problems)


@pytest.fixture
def called_vllm(tmp_path: Path) -> str:
    """Give a Python that the kernel calls vllm, as the server's own start script is called."""
    program = tmp_path / "vllm"
    program.symlink_to(Path(sys.executable).resolve())
    return str(program)


def test_a_server_that_listens_to_its_container_alone_is_told_with_the_cure(finder: Finder, called_vllm: str) -> None:
    with namespace() as inside, page_server(before=inside.inside, python=called_vllm) as server:
        view = finder.look(server.child)
        assert view.found == ()
        (advice,) = view.advice
        assert (advice.name, advice.server, advice.problem) == (f"vllm:{server.port}", "vllm", Withheld.UNREACHABLE)
        assert "have it listen on 0.0.0.0" in advice.detail
        assert advice.pids == frozenset()


def test_what_is_not_known_to_be_a_server_is_only_counted(finder: Finder) -> None:
    with namespace() as inside, page_server(before=inside.inside) as server:
        view = finder.look(server.child)
        assert view.advice == ()
        assert len(view.problems) == 1
        assert f"127.0.0.1 port {server.port}: it listens on" in view.problems[0]


def test_a_server_whose_sockets_may_not_be_looked_at_is_told_with_the_cure(finder: Finder, called_vllm: str) -> None:
    with page_server(python=called_vllm) as server, page_server() as other:
        finder.sockets.forbidden = {server.pid, server.child, other.pid, other.child}
        view = finder.look(server.child, other.child)
        (advice,) = view.advice
        assert (advice.name, advice.server, advice.problem) == ("vllm", "vllm", Withheld.NO_PERMISSION)
        assert "CAP_SYS_PTRACE" in advice.detail
        assert view.forbidden == 2


def test_a_server_without_a_page_is_told_how_to_switch_it_on(finder: Finder, called_vllm: str) -> None:
    with page_server("--page", "other", python=called_vllm) as server:
        (advice,) = finder.look(server.child).advice
    assert (advice.name, advice.problem) == (f"vllm:{server.port}", Withheld.NOT_UNDERSTOOD)
    assert "--disable-log-stats" in advice.detail
    assert advice.endpoint == f"http://127.0.0.1:{server.port}"
