"""Whom a session trusts, and by way of whom it asks: real TLS and a real proxy on loopback."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.agent.fake_clock import FakeClock
from tests.agent.feeds.tiny_proxy import TinyProxy
from tests.agent.tokens.raw_server import RawServer, ok, serving
from tests.exporter.http import certificates
from wattledger.agent.feeds.base import FeedError, Trouble
from wattledger.agent.feeds.web import WebSession
from wattledger.agent.feeds.web_place import read_place
from wattledger.agent.feeds.web_proxy import Proxy, proxy_for
from wattledger.rules.instant import NS_PER_SECOND

_HOST = "feed.example"


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> certificates.Identity:
    """Give a throw-away authority."""
    return certificates.authority(tmp_path_factory.mktemp("ca"), "ca")


@pytest.fixture
def https(ca: certificates.Identity) -> Iterator[RawServer]:
    """Give a TLS server that is known as 127.0.0.1 and as the host of the tests."""
    loopback = certificates.server(ca.cert_file.parent, "server", ca).certificate.extensions
    names = [*loopback.get_extension_for_class(x509.SubjectAlternativeName).value, x509.DNSName(_HOST)]
    identity = certificates._issue(
        ca.cert_file.parent, "both", ca, usage=ExtendedKeyUsageOID.SERVER_AUTH, names=names
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.cert_file, identity.key_file)
    with serving(lambda sock, _: sock.sendall(ok(b"secure")), context) as server:
        yield server


def _session(
    environment: Mapping[str, str] | None = None, *, ca_file: Path | None = None, seconds: float = 5
) -> WebSession:
    return WebSession(FakeClock(), environment or {}, timeout_ns=round(seconds * NS_PER_SECOND), ca_file=ca_file)


def test_a_server_of_the_given_ca_is_trusted(https: RawServer, ca: certificates.Identity) -> None:
    url = f"https://127.0.0.1:{https.port}/"
    assert _session(ca_file=ca.cert_file).get(url).body == b"secure"


def test_a_server_of_another_ca_is_not(https: RawServer, tmp_path: Path) -> None:
    stranger = certificates.authority(tmp_path, "stranger")
    for ca_file in (None, stranger.cert_file):
        with pytest.raises(FeedError, match=r"TLS: .*certificate.*; set `ca_file`") as caught:
            _session(ca_file=ca_file).get(f"https://127.0.0.1:{https.port}/?key=secret")
        assert caught.value.trouble is Trouble.UNREACHABLE
        assert "secret" not in str(caught.value)


def test_a_server_of_another_name_is_not_trusted(https: RawServer, ca: certificates.Identity) -> None:
    with pytest.raises(FeedError, match="TLS: Hostname mismatch"):
        _session(ca_file=ca.cert_file).get(f"https://localhost:{https.port}/")


def test_what_speaks_no_tls_is_unreachable(ca: certificates.Identity) -> None:
    def greet() -> None:
        sock, _ = server.accept()
        with sock:
            sock.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
            sock.recv(4096)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=greet, daemon=True).start()
        with pytest.raises(FeedError, match="TLS: ") as caught:
            _session(ca_file=ca.cert_file).get(f"https://127.0.0.1:{server.getsockname()[1]}/")
        assert caught.value.trouble is Trouble.UNREACHABLE


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_that_is_none_is_told(tmp_path: Path, content: str | None) -> None:
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_text(content)
    with pytest.raises(FeedError, match=f"^ca_file {ca_file}: ") as caught:
        _session(ca_file=ca_file).get("https://127.0.0.1:9/")
    assert caught.value.trouble is Trouble.UNREACHABLE


def test_a_renewed_ca_file_is_read_again(https: RawServer, ca: certificates.Identity, tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(certificates.authority(tmp_path, "old").cert_file.read_bytes())
    session, url = _session(ca_file=ca_file), f"https://127.0.0.1:{https.port}/"
    with pytest.raises(FeedError):
        session.get(url)
    ca_file.write_bytes(ca.cert_file.read_bytes())
    assert session.get(url).body == b"secure"


def test_the_deadline_holds_under_tls(ca: certificates.Identity) -> None:
    identity = certificates.server(ca.cert_file.parent, "slow", ca)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.cert_file, identity.key_file)

    def drip(sock: ssl.SSLSocket, over: threading.Event) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not over.wait(0.05):
            sock.sendall(b"1")

    with serving(drip, context) as server:  # type: ignore[arg-type]  # the server wraps what it accepts
        began = time.monotonic()
        with pytest.raises(FeedError, match=r"no whole answer within 0\.4 s") as caught:
            _session(ca_file=ca.cert_file, seconds=0.4).get(f"https://127.0.0.1:{server.port}/")
        assert time.monotonic() - began < 1.5
        assert caught.value.trouble is Trouble.TIMEOUT


def test_a_handshake_that_never_comes_is_given_up(ca: certificates.Identity) -> None:
    with serving(lambda _, over: over.wait()) as server:
        with pytest.raises(FeedError) as caught:
            _session(ca_file=ca.cert_file, seconds=0.4).get(f"https://127.0.0.1:{server.port}/")
        assert caught.value.trouble is Trouble.TIMEOUT


def test_a_plain_request_goes_by_way_of_the_proxy() -> None:
    with serving(ok(b"by proxy")) as server, TinyProxy(server.port) as proxy:
        session = _session({"HTTP_PROXY": proxy.url.replace("://", "://me:p%40ss@")})
        assert session.get(f"http://{_HOST}/v3", query=[("zone", "DE")]).body == b"by proxy"
    (head,) = proxy.heads
    assert head.startswith(f"GET http://{_HOST}/v3?zone=DE HTTP/1.1\r\n")
    assert f"\r\nHost: {_HOST}\r\n" in head
    assert "\r\nProxy-Authorization: Basic bWU6cEBzcw==\r\n" in head


def test_tls_goes_through_the_proxy_unseen(https: RawServer, ca: certificates.Identity) -> None:
    with TinyProxy(https.port) as proxy:
        session = _session({"https_proxy": proxy.url.replace("://", "://me:p%40ss@")}, ca_file=ca.cert_file)
        assert session.get(f"https://{_HOST}/v3?key=secret", headers={"auth-token": "t0ken"}).body == b"secure"
    (head,) = proxy.heads
    assert head.startswith(f"CONNECT {_HOST}:443 HTTP/1.")
    assert "\r\nProxy-Authorization: Basic bWU6cEBzcw==\r\n" in head
    assert "secret" not in head
    assert "t0ken" not in head
    assert b"auth-token: t0ken" in https.requests[0]
    assert b"Proxy-Authorization" not in https.requests[0]


def test_a_proxy_that_refuses_is_told_from_the_server(https: RawServer) -> None:
    with TinyProxy(https.port, status="407 Proxy Authentication Required") as proxy:
        url = proxy.url
        with pytest.raises(FeedError) as caught:
            _session({"HTTPS_PROXY": url.replace("://", "://me:p4ss@")}).get(f"https://{_HOST}/v3")
    assert caught.value.trouble is Trouble.UNREACHABLE
    assert str(caught.value) == f"https://{_HOST}/v3 by way of {url}: the proxy refuses (407)"


def test_a_proxy_that_is_not_there_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(FeedError, match=f"by way of {url}: Connection refused"):
        _session({"HTTP_PROXY": url}).get(f"http://{_HOST}/")


def test_the_deadline_holds_at_a_proxy_that_never_connects() -> None:
    with serving(lambda _, over: over.wait()) as silent, pytest.raises(FeedError) as caught:
        _session({"HTTPS_PROXY": f"127.0.0.1:{silent.port}"}, seconds=0.4).get(f"https://{_HOST}/")
    assert caught.value.trouble is Trouble.TIMEOUT


@pytest.mark.parametrize(
    ("url", "variables", "proxy"),
    [
        ("http://a.example/", {}, None),
        ("http://a.example/", {"HTTP_PROXY": "http://p:3128"}, "http://p:3128"),
        ("http://a.example/", {"HTTP_PROXY": "http://p:1", "http_proxy": "p:2"}, "http://p:2"),
        ("http://a.example/", {"HTTPS_PROXY": "http://p:3128"}, None),
        ("https://a.example/", {"HTTPS_PROXY": "https://p"}, "https://p:443"),
        ("https://a.example/", {"HTTPS_PROXY": ""}, None),
        ("https://a.example/", {"HTTPS_PROXY": "http://[::1]:8"}, "http://[::1]:8"),
        ("http://localhost/", {"HTTP_PROXY": "p"}, None),
        ("http://127.0.0.2/", {"HTTP_PROXY": "p"}, None),
        ("http://[::1]/", {"HTTP_PROXY": "p"}, None),
        ("http://10.0.0.1/", {"HTTP_PROXY": "p"}, "http://p:80"),
    ],
)
def test_the_proxy_is_that_of_the_scheme(url: str, variables: dict[str, str], proxy: str | None) -> None:
    found = proxy_for(read_place(url), variables)
    assert (found and found.url) == proxy


@pytest.mark.parametrize(
    ("url", "no_proxy", "direct"),
    [
        ("http://a.example/", "*", True),
        ("http://a.example/", "example", True),
        ("http://a.example/", "A.Example", True),
        ("http://a.example/", ".example", True),
        ("http://a.example/", "*.example", True),
        ("http://a.example./", "a.example", True),
        ("http://a.example/", "b.example, example.org", False),
        ("http://ba.example/", "a.example", False),
        ("http://a.example/", "other a.example", True),
        ("http://a.example/", "a.example:80", True),
        ("http://a.example/", "a.example:81", False),
        ("http://10.1.2.3/", "10.0.0.0/8", True),
        ("http://10.1.2.3/", "10.1.2.3", True),
        ("http://10.1.2.3/", "10.1.2.3:80", True),
        ("http://10.1.2.3/", "192.168.0.0/16,2.3", False),
        ("http://[fd00::5]/", "fd00::/8", True),
        ("http://[fd00::5]/", "[fd00::5]", True),
        ("http://a.example/", "10.0.0.0/8", False),
        ("http://a.example/", " , .", False),
    ],
)
def test_no_proxy_names_what_is_asked_directly(url: str, no_proxy: str, direct: bool) -> None:
    found = proxy_for(read_place(url), {"HTTP_PROXY": "http://p:3128", "NO_PROXY": no_proxy})
    assert found == (None if direct else Proxy("http://p:3128"))


@pytest.mark.parametrize("url", ["socks5://p:1080", "http://", "http://p:x"])
def test_a_proxy_that_cannot_be_read_is_told_without_its_password(url: str) -> None:
    with pytest.raises(FeedError, match=r"^HTTP_PROXY: it is no proxy; write one such as"):
        proxy_for(read_place("http://a.example/"), {"HTTP_PROXY": url})
