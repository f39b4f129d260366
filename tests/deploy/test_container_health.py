"""The image's health check against real pages: plain, guarded, encrypted, hung and gone."""

import http.server
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import bcrypt
import pytest

from deploy.container.health import address
from tests.agent.daemon_process import DaemonProcess
from tests.bench.contenders import free_port
from tests.deploy.container_image import CONTAINER
from tests.exporter.http import certificates


def check(listen: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it as the image does."""
    command = [sys.executable, "-I", "-S", str(CONTAINER / "health.py"), *arguments]
    env = {"WATTLEDGER_LISTEN": listen}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=False)


def said(done: subprocess.CompletedProcess[str]) -> tuple[int, str]:
    """Give the exit code and what was printed."""
    return done.returncode, done.stdout + done.stderr


def test_a_page_that_lives_hangs_and_ends(tmp_path: Path) -> None:
    with DaemonProcess(tmp_path / "state", source="sim") as daemon:
        listen = daemon.url.removeprefix("http://")
        daemon.wait_ready()
        assert said(check(listen)) == (0, "")
        assert said(check(f":{listen.rpartition(':')[2]}", "/-/ready")) == (0, "")
        daemon.signal(signal.SIGSTOP)
        try:
            code, text = said(check(listen))
        finally:
            daemon.signal(signal.SIGCONT)
        assert (code, text) == (1, f"http://{listen}/-/healthy: no answer: timed out\n")
    code, text = said(check(listen))
    assert code == 1
    assert "Connection refused" in text


def test_a_page_without_data_is_alive_and_not_ready(tmp_path: Path) -> None:
    with DaemonProcess(tmp_path / "state", env={"LD_LIBRARY_PATH": str(tmp_path)}) as daemon:
        listen = daemon.url.removeprefix("http://")
        assert check(listen).returncode == 0
        code, text = said(check(listen, "/-/ready"))
        assert (code, text) == (1, f"http://{listen}/-/ready: answers with 503\n")


@pytest.mark.parametrize("client", [False, True], ids=["server", "client"])
def test_an_encrypted_page_is_alive(tmp_path: Path, client: bool) -> None:
    ca = certificates.authority(tmp_path, "ca")
    certificates.server(tmp_path, "server", ca)
    web = tmp_path / "web.yml"
    more = ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.crt" if client else ""
    web.write_text(f"tls_server_config: {{cert_file: server.crt, key_file: server.key{more}}}\n")
    with DaemonProcess(tmp_path / "state", "--web-config", str(web), source="sim") as daemon:
        assert said(check(daemon.url.removeprefix("https://"))) == (0, "")


def test_a_page_with_a_password_is_alive(tmp_path: Path) -> None:
    web = tmp_path / "web.yml"
    web.write_text(f"basic_auth_users: {{prometheus: '{bcrypt.hashpw(b'x', bcrypt.gensalt(4)).decode()}'}}\n")
    with DaemonProcess(tmp_path / "state", "--web-config", str(web), source="sim") as daemon:
        assert said(check(daemon.url.removeprefix("http://"))) == (0, "")


class Broken(http.server.BaseHTTPRequestHandler):
    """Answers everything with 500."""

    def do_GET(self) -> None:
        self.send_error(500)

    def log_message(self, *_arguments: object) -> None:
        pass


def test_an_error_is_unhealthy() -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Broken) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            code, text = said(check(f"127.0.0.1:{server.server_port}"))
        finally:
            server.shutdown()
            thread.join()
    assert code == 1
    assert text.endswith("answers with 500\n")


def test_something_else_at_the_port_is_unhealthy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_say_hello, args=(server,))
        thread.start()
        code, text = said(check(f"127.0.0.1:{server.getsockname()[1]}"))
        thread.join()
    assert code == 1, text


def _say_hello(server: socket.socket) -> None:
    connection, _peer = server.accept()
    with connection:
        connection.sendall(b"220 hello\r\n")
        connection.recv(4096)


def test_a_wrong_address_is_told() -> None:
    assert said(check("nonsense")) == (
        1,
        "WATTLEDGER_LISTEN is 'nonsense': give host:port, [IPv6]:port or :port\n",
    )
    assert check(f"127.0.0.1:{free_port()}").returncode == 1


@pytest.mark.parametrize(
    ("listen", "asked"),
    [
        (":9889", ("127.0.0.1", 9889)),
        ("0.0.0.0:9889", ("127.0.0.1", 9889)),
        ("[::]:9889", ("::1", 9889)),
        ("10.0.0.7:80", ("10.0.0.7", 80)),
        ("[fe80::1]:80", ("fe80::1", 80)),
    ],
)
def test_where_it_asks(listen: str, asked: tuple[str, int]) -> None:
    assert address(listen) == asked
