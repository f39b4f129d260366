"""Where the server listens, what it says when it cannot, and what it leaves unimported."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.exporter.http.client import Client, fetch, pages, serving
from wattledger.exporter.http import ListenAddress, ListenError, PageServer, parse_listen

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:9889", "127.0.0.1", 9889),
        (":9889", "", 9889),
        ("[::1]:9889", "::1", 9889),
        ("[fe80::1%eth0]:0", "fe80::1%eth0", 0),
        ("localhost:65535", "localhost", 65535),
    ],
)
def test_an_address_is_read_and_written_alike(text: str, host: str, port: int) -> None:
    address = parse_listen(text)
    assert address == ListenAddress(host, port)
    assert str(address) == text


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("9889", "127.0.0.1:9889"),
        ("localhost", "HOST:PORT"),
        ("", "HOST:PORT"),
        ("::1:9889", "brackets"),
        ("[::1]", "brackets"),
        ("[localhost]:1", "localhost:1"),
        ("host:", "0 to 65535"),
        ("host:http", "0 to 65535"),
        ("host:65536", "0 to 65535"),
        ("host:-1", "0 to 65535"),
        ("host:٣", "0 to 65535"),
        ("http://host:80", "brackets"),
        ("a b:80", "HOST:PORT"),
    ],
)
def test_a_bad_address_is_named_with_its_cure(text: str, cure: str) -> None:
    with pytest.raises(ValueError, match="listen address") as caught:
        parse_listen(text)
    assert repr(text) in str(caught.value)
    assert cure in str(caught.value)


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "localhost:0", "0.0.0.0:0", ":0", "[::]:0"])
def test_ipv4_clients_reach_it(listen: str) -> None:
    with serving(listen=listen) as server:
        assert server.port > 0
        assert server.url.endswith(f":{server.port}")
        assert fetch(server.port).status == 200


@pytest.mark.parametrize("listen", ["[::1]:0", ":0"])
def test_ipv6_clients_reach_it(listen: str) -> None:
    with serving(listen=listen) as server:
        with Client(socket.create_connection(("::1", server.port), timeout=10)) as client:
            assert client.get().status == 200
        expected = "[::1]" if listen.startswith("[") else "127.0.0.1"
        assert server.url == f"http://{expected}:{server.port}"


def test_a_port_in_use_is_an_error_with_the_place_and_the_cure() -> None:
    with serving() as first:
        second = PageServer(ListenAddress("127.0.0.1", first.port), pages)
        with pytest.raises(ListenError, match=rf"127\.0\.0\.1:{first.port}: the address is in use; stop the program"):
            second.start()
        second.close()


@pytest.mark.parametrize(
    ("host", "cure"), [("192.0.2.1", "choose one that it has"), ("no-such-host.invalid", "write an IP address")]
)
def test_an_address_of_another_host_is_an_error_with_the_cure(host: str, cure: str) -> None:
    with pytest.raises(ListenError, match=cure):
        PageServer(ListenAddress(host, 0), pages).start()


def test_the_port_can_be_taken_again_at_once_after_closing() -> None:
    with serving() as first, Client.to(first.port) as client:
        assert client.get().status == 200
        port = first.port
        first.close()
    with serving(listen=f"127.0.0.1:{port}") as second:
        assert fetch(second.port).status == 200


def test_a_server_starts_once() -> None:
    with serving() as server, pytest.raises(RuntimeError, match="make a new one"):
        server.start()


SERVE_PLAIN = """
import socket, sys
from wattledger.exporter.http import PageServer, Response, parse_listen
server = PageServer(parse_listen("127.0.0.1:0"), lambda request: Response(200, "text/plain", b"page"))
server.start()
with socket.create_connection(("127.0.0.1", server.port)) as client:
    client.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
    assert client.recv(100).startswith(b"HTTP/1.1 200")
server.close()
heavy = {"ssl", "bcrypt", "yaml", "asyncio", "http", "http.server", "hashlib", "email", "difflib"}
print(sorted(heavy & set(sys.modules)))
"""


def test_serving_plainly_imports_nothing_that_only_a_web_config_needs() -> None:
    environment = {"PYTHONPATH": str(ROOT / ".importroot")}
    done = subprocess.run(
        [sys.executable, "-c", SERVE_PLAIN], env=environment, capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.strip() == "[]"
