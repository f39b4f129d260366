"""Where real processes listen: in our network namespace and in others, with and without the right to see it."""

import os
import socket
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest

from tests.agent.tokens.running import as_nobody, namespace, page_server
from wattledger.agent.tokens.sockets import Listener, Sockets

_PROC = Path("/proc")


@pytest.fixture
def sockets() -> Sockets:
    """Look at the real /proc."""
    return Sockets(_PROC)


def _of_port(listeners: tuple[Listener, ...], port: int) -> list[Listener]:
    return [listener for listener in listeners if listener.port == port]


@pytest.mark.parametrize(
    ("family", "bound", "shown"),
    [
        (socket.AF_INET, "127.0.0.1", "127.0.0.1"),
        (socket.AF_INET, "0.0.0.0", "0.0.0.0"),
        (socket.AF_INET, "127.1.2.3", "127.1.2.3"),
        (socket.AF_INET6, "::1", "::1"),
        (socket.AF_INET6, "::", "::"),
        (socket.AF_INET6, "::ffff:127.0.0.1", "127.0.0.1"),
    ],
)
def test_a_listener_is_found_with_its_address_and_owner(
    sockets: Sockets, family: socket.AddressFamily, bound: str, shown: str
) -> None:
    with socket.socket(family) as listener:
        listener.bind((bound, 0))
        listener.listen()
        port = listener.getsockname()[1]
        found = _of_port(sockets.look([os.getpid()]).listeners, port)
    assert [(one.address, one.owners) for one in found] == [(ip_address(shown), frozenset({os.getpid()}))]
    assert found[0].namespace == sockets.own_namespace()


def test_what_is_bound_and_does_not_listen_is_no_listener(sockets: Sockets) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        assert _of_port(sockets.look([os.getpid()]).listeners, silent.getsockname()[1]) == []


def test_connections_are_no_listeners(sockets: Sockets) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client, server.accept()[0]:
            client_port = client.getsockname()[1]
            listeners = sockets.look([os.getpid()]).listeners
    assert len(_of_port(listeners, port)) == 1
    assert _of_port(listeners, client_port) == []


def test_only_those_that_are_asked_about_own_sockets(sockets: Sockets) -> None:
    with page_server() as server, page_server() as other:
        listeners = sockets.look([server.pid, server.child]).listeners
        assert [(one.port, one.owners) for one in listeners] == [(server.port, frozenset({server.pid}))]
        assert other.port != server.port


def test_a_socket_that_children_have_too_is_one_listener(sockets: Sockets) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.set_inheritable(True)
        port = listener.getsockname()[1]
        command = [sys.executable, "-c", "input()"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, close_fds=False) as child:
            found = _of_port(sockets.look([os.getpid(), child.pid]).listeners, port)
            child.communicate(b"\n")
    assert [one.owners for one in found] == [{os.getpid(), child.pid}]


def test_of_one_process_with_many_listeners_not_all_are_looked_at(sockets: Sockets) -> None:
    many = [socket.create_server(("127.0.0.1", 0)) for _ in range(100)]
    try:
        found = sockets.look([os.getpid()]).listeners
    finally:
        for one in many:
            one.close()
    assert len([one for one in found if one.owners == {os.getpid()}]) == 64


def test_a_process_that_has_ended_listens_nowhere(sockets: Sockets) -> None:
    with page_server() as server:
        pid = server.pid
    found = sockets.look([pid, 2**22 + 1])
    assert (found.listeners, found.forbidden) == ((), frozenset())


def test_a_listener_in_another_namespace_is_found_there(sockets: Sockets) -> None:
    with namespace() as inside, page_server("--host", "0.0.0.0", before=inside.inside) as server:
        assert _of_port(sockets.look([os.getpid()]).listeners, server.port) == []
        found = _of_port(sockets.look([server.pid]).listeners, server.port)
        assert [str(one.address) for one in found] == ["0.0.0.0"]
        assert found[0].namespace != sockets.own_namespace()
        assert found[0].witness == server.pid


def test_the_same_port_in_two_namespaces_is_two_listeners(sockets: Sockets) -> None:
    with (
        namespace() as inside,
        page_server("--host", "127.0.0.1") as here,
        page_server("--host", "127.0.0.1", "--port", str(here.port), before=inside.inside) as there,
    ):
        found = _of_port(sockets.look([here.pid, there.pid]).listeners, here.port)
        assert {(one.owners, one.namespace == sockets.own_namespace()) for one in found} == {
            (frozenset({here.pid}), True),
            (frozenset({there.pid}), False),
        }


_LOOK = """
import sys
sys.path[:0] = sys.argv[2].split(":")
from pathlib import Path
from wattledger.agent.tokens.sockets import Sockets
found = Sockets(Path("/proc")).look([int(sys.argv[1])])
print(len(found.listeners), sorted(found.forbidden))
"""


@pytest.fixture
def interpreter() -> tuple[str, str]:
    """Give a Python that everybody may start, with where the program's modules are."""
    program = "/usr/bin/python3"
    root = Path(__file__).parents[3]
    if os.geteuid() != 0 or not Path(program).exists():
        pytest.skip("only root becomes another user, and that one needs a Python of its own")
    if any(not parent.stat().st_mode & 0o001 for parent in (root, *root.parents)):
        pytest.skip("the modules are below a folder that only its owner may enter")
    version = subprocess.run(
        [program, "-c", "import sys; print(sys.version_info >= (3, 11))"], check=True, capture_output=True, text=True
    )
    if version.stdout.strip() != "True":
        pytest.skip("the system's Python is too old")
    return program, str(root / ".importroot")


def test_without_the_right_to_look_that_is_said(interpreter: tuple[str, str]) -> None:
    program, modules = interpreter
    with page_server() as server:
        command = as_nobody(program, "-c", _LOOK, str(server.pid), modules)
        told = subprocess.run(command, check=True, capture_output=True, text=True, cwd="/").stdout
    assert told.strip() == f"0 [{server.pid}]"


def test_a_file_that_is_no_table_gives_nothing(tmp_path: Path) -> None:
    (tmp_path / "7/fd").mkdir(parents=True)
    (tmp_path / "7/fd/3").symlink_to("socket:[99]")
    (tmp_path / "7/ns").mkdir()
    (tmp_path / "7/ns/net").symlink_to("net:[5]")
    (tmp_path / "7/net").mkdir()
    good = "0: 0100007F:1F40 00000000:0000 0A 0:0 0:0 0 0 0 99 1"
    bad = ["0: xyz:1F40 0:0 0A 0:0 0:0 0 0 0 99 1", "0: 0100007F 0:0 0A 0:0 0:0 0 0 0 99", "0: 01:1F40 0:0 0A"]
    for text, expected in (("", 0), ("\xff\xfe garbage", 0), ("\n".join(bad), 0), ("\n".join([*bad, good, ""]), 1)):
        (tmp_path / "7/net/tcp").write_text(text)
        assert len(Sockets(tmp_path).look([7]).listeners) == expected
