"""TLS as a client meets it: real handshakes, certificates of all kinds, and peers that never finish."""

from __future__ import annotations

import ipaddress
import os
import shutil
import socket
import ssl
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tests.exporter.http import certificates
from tests.exporter.http.certificates import Identity, trusting
from tests.exporter.http.client import BIG, PAGE, Client, Reply, serving, until
from wattledger.exporter.http import Limits, WebConfigError, check_web_config


@dataclass(frozen=True)
class Pki:
    """One authority, a server and clients, and a folder for the web config."""

    folder: Path
    ca: Identity
    server: Identity

    def config(self, *lines: str) -> Path:
        path = self.folder / "web.yml"
        tls = ["cert_file: server.crt", "key_file: server.key", *lines]
        path.write_text("tls_server_config:\n" + "".join(f"  {line}\n" for line in tls))
        return path


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    ca = certificates.authority(tmp_path, "ca")
    return Pki(tmp_path, ca, certificates.server(tmp_path, "server", ca))


def connect(port: int, context: ssl.SSLContext) -> Client:
    raw = socket.create_connection(("127.0.0.1", port), timeout=10)
    try:
        return Client(context.wrap_socket(raw, server_hostname="127.0.0.1"))
    except BaseException:
        raw.close()
        raise


def fetch(port: int, context: ssl.SSLContext, path: str = "/metrics") -> Reply:
    with connect(port, context) as client:
        return client.get(path)


def refused(port: int, context: ssl.SSLContext) -> bool:
    """Whether the server lets nothing through; with TLS 1.3 a client learns it only when it reads."""
    try:
        fetch(port, context)
    except (ssl.SSLError, EOFError, ConnectionError):
        return True
    return False


def test_pages_come_over_tls_1_3_and_connections_are_kept(pki: Pki) -> None:
    with serving(web_config=pki.config()) as server, connect(server.port, trusting(pki.ca)) as client:
        assert server.url == f"https://127.0.0.1:{server.port}"
        assert server.scheme == "https"
        assert isinstance(client.sock, ssl.SSLSocket)
        assert client.sock.version() == "TLSv1.3"
        assert client.get().body == PAGE
        assert client.get().body == PAGE
        assert client.get("/big").body == BIG


def test_pipelined_requests_in_one_record_are_all_answered(pki: Pki) -> None:
    # OpenSSL holds what was decrypted and not read: the socket itself looks empty then.
    with serving(web_config=pki.config()) as server, connect(server.port, trusting(pki.ca)) as client:
        client.send(b"GET /echo HTTP/1.1\r\nHost: t\r\n\r\n" * 400)
        assert [client.reply().status for _ in range(400)] == [200] * 400


def test_the_end_is_announced_so_that_truncation_shows(pki: Pki) -> None:
    with serving(web_config=pki.config()) as server:
        raw = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        with trusting(pki.ca).wrap_socket(raw, server_hostname="127.0.0.1", suppress_ragged_eofs=False) as tls:
            tls.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            while tls.recv(65_536):
                pass  # without close_notify the last read raises SSLEOFError


def test_tls_below_1_2_is_refused(pki: Pki) -> None:
    context = trusting(pki.ca)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1 is deprecated"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with serving(web_config=pki.config()) as server, pytest.raises((ssl.SSLError, ConnectionResetError)):
        connect(server.port, context)


def test_a_higher_minimum_is_kept(pki: Pki) -> None:
    old = trusting(pki.ca)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with serving(web_config=pki.config("min_version: TLS13")) as server:
        assert refused(server.port, old)
        assert not refused(server.port, trusting(pki.ca))


def test_versions_suites_and_curve_are_those_of_the_file(pki: Pki) -> None:
    suite = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"
    path = pki.config("max_version: TLS12", f"cipher_suites: [{suite}]", "curve_preferences: [CurveP384]")
    with serving(web_config=path) as server:
        with connect(server.port, trusting(pki.ca)) as client:
            assert isinstance(client.sock, ssl.SSLSocket)
            assert client.sock.version() == "TLSv1.2"
            assert client.sock.cipher() == ("ECDHE-ECDSA-AES256-GCM-SHA384", "TLSv1.2", 256)
        other = trusting(pki.ca)
        other.set_ecdh_curve("prime256v1")
        assert refused(server.port, other)


@pytest.mark.parametrize(("prefer_server", "bits"), [("true", 256), ("false", 128)])
def test_whose_order_of_suites_counts_is_as_configured(pki: Pki, prefer_server: str, bits: int) -> None:
    suites = [f"TLS_ECDHE_ECDSA_WITH_AES_{suite}" for suite in ("256_GCM_SHA384", "128_GCM_SHA256")]
    order = f"cipher_suites: [{', '.join(suites)}]"
    path = pki.config("max_version: TLS12", order, f"prefer_server_cipher_suites: {prefer_server}")
    context = trusting(pki.ca)
    context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384")
    with serving(web_config=path) as server, connect(server.port, context) as client:
        assert isinstance(client.sock, ssl.SSLSocket)
        chosen = client.sock.cipher()
        assert chosen is not None
        assert chosen[2] == bits


def test_a_plain_http_client_is_told_and_closed_cleanly(pki: Pki) -> None:
    with serving(web_config=pki.config()) as server, Client.to(server.port) as client:
        client.send(b"GET /metrics HTTP/1.1\r\nHost: t\r\n\r\n" + b"x" * 5_000)
        answer = client.rest()  # raises if the end is a reset
        assert answer.startswith(b"HTTP/1.0 400 ")
        assert PAGE not in answer
        assert server.stats().handshake_failures_total == 1


def test_garbage_instead_of_a_handshake_is_closed_cleanly(pki: Pki) -> None:
    with serving(web_config=pki.config()) as server, Client.to(server.port) as client:
        client.send(b"\x80\x00garbage" * 100)
        client.rest()  # raises if the end is a reset
        client.sock.close()
        until(lambda: server.stats().connections_open == 0)
        assert server.stats().handshake_failures_total == 1


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01"])
def test_a_handshake_that_never_ends_ends_at_the_deadline_and_blocks_nobody(pki: Pki, sent: bytes) -> None:
    limits = Limits(request_seconds=0.5)
    with serving(web_config=pki.config(), limits=limits) as server, Client.to(server.port) as holder:
        holder.send(sent)
        assert fetch(server.port, trusting(pki.ca)).status == 200
        assert holder.closed()
        assert server.stats().timed_out_total == 1


def test_half_open_handshakes_do_not_lock_a_scraper_out(pki: Pki) -> None:
    with serving(web_config=pki.config(), limits=Limits(connections=8)) as server:
        holders = [Client.to(server.port) for _ in range(60)]
        try:
            assert fetch(server.port, trusting(pki.ca)).status == 200
        finally:
            for holder in holders:
                holder.sock.close()


def test_a_required_client_certificate_is_verified(pki: Pki) -> None:
    stranger_ca = certificates.authority(pki.folder, "stranger-ca")
    known = certificates.client(pki.folder, "known", pki.ca)
    stranger = certificates.client(pki.folder, "stranger", stranger_ca)
    path = pki.config("client_auth_type: RequireAndVerifyClientCert", "client_ca_file: ca.crt")
    with serving(web_config=path) as server:
        assert fetch(server.port, trusting(pki.ca, known)).body == PAGE
        assert refused(server.port, trusting(pki.ca))
        assert refused(server.port, trusting(pki.ca, stranger))
        assert refused(server.port, trusting(pki.ca, pki.server))  # a server's certificate is no client's


def test_an_intermediate_authority_is_trusted_as_it_stands_like_in_go(pki: Pki) -> None:
    team = certificates.intermediate(pki.folder, "team-ca", pki.ca)
    member = certificates.client(pki.folder, "member", team)
    outsider = certificates.client(pki.folder, "outsider", pki.ca)
    path = pki.config("client_auth_type: RequireAndVerifyClientCert", "client_ca_file: team-ca.crt")
    with serving(web_config=path) as server:
        assert fetch(server.port, trusting(pki.ca, member)).body == PAGE
        assert refused(server.port, trusting(pki.ca, outsider))


def test_an_optional_client_certificate_is_verified_when_given(pki: Pki) -> None:
    stranger_ca = certificates.authority(pki.folder, "stranger-ca")
    known = certificates.client(pki.folder, "known", pki.ca)
    stranger = certificates.client(pki.folder, "stranger", stranger_ca)
    path = pki.config("client_auth_type: VerifyClientCertIfGiven", "client_ca_file: ca.crt")
    with serving(web_config=path) as server:
        assert fetch(server.port, trusting(pki.ca)).body == PAGE
        assert fetch(server.port, trusting(pki.ca, known)).body == PAGE
        assert refused(server.port, trusting(pki.ca, stranger))


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        (x509.DNSName("prometheus.example"), "prometheus.example"),
        (x509.IPAddress(ipaddress.ip_address("2001:db8::a")), "2001:DB8:0::a"),
        (x509.RFC822Name("ops@example.org"), "ops@example.org"),
        (x509.UniformResourceIdentifier("spiffe://example/prometheus"), "spiffe://example/prometheus"),
    ],
)
def test_only_listed_names_get_in(pki: Pki, name: x509.GeneralName, allowed: str) -> None:
    right = certificates.client(pki.folder, "right", pki.ca, x509.DNSName("other.example"), name)
    wrong = certificates.client(pki.folder, "wrong", pki.ca, x509.DNSName(f"x.{allowed}".replace("@", ".")))
    nameless = certificates.client(pki.folder, "nameless", pki.ca)
    path = pki.config(
        "client_auth_type: RequireAndVerifyClientCert",
        "client_ca_file: ca.crt",
        f"client_allowed_sans: ['{allowed}']",
    )
    with serving(web_config=path) as server:
        assert fetch(server.port, trusting(pki.ca, right)).body == PAGE
        assert refused(server.port, trusting(pki.ca, wrong))
        assert refused(server.port, trusting(pki.ca, nameless))


@pytest.mark.parametrize("kind", ["RequestClientCert", "RequireAnyClientCert", "RequireClientCert"])
def test_accepting_unverified_client_certificates_is_refused_not_weakened(pki: Pki, kind: str) -> None:
    path = pki.config(f"client_auth_type: {kind}", "client_ca_file: ca.crt")
    with pytest.raises(WebConfigError, match=rf"web\.yml:4: .*{kind}.*RequireAndVerifyClientCert"):
        check_web_config(path)


def test_inline_certificates_serve_like_files(pki: Pki) -> None:
    path = pki.folder / "inline.yml"
    parts = {"cert": pki.server.cert_file, "key": pki.server.key_file}
    text = "tls_server_config:\n"
    for key, file in parts.items():
        text += f"  {key}: |\n" + textwrap.indent(file.read_text(), "    ")
    path.write_text(text)
    with serving(web_config=path) as server:
        assert fetch(server.port, trusting(pki.ca)).body == PAGE


def test_a_renewed_certificate_is_served_without_a_restart(pki: Pki) -> None:
    new_ca = certificates.authority(pki.folder, "new-ca")
    renewed = certificates.server(pki.folder, "renewed", new_ca)
    with serving(web_config=pki.config()) as server:
        assert fetch(server.port, trusting(pki.ca)).status == 200
        shutil.copy(renewed.cert_file, pki.server.cert_file)  # for a moment certificate and key do not match
        until(lambda: not refused(server.port, trusting(pki.ca)) and not server.stats().web_config_ok)
        shutil.copy(renewed.key_file, pki.server.key_file)
        until(lambda: not refused(server.port, trusting(new_ca)))
        assert server.stats().web_config_ok


def test_an_encrypted_key_is_an_error_and_asks_nobody_on_the_terminal(pki: Pki) -> None:
    secret = serialization.BestAvailableEncryption(b"secret")
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    pki.server.key_file.write_bytes(pki.server.key.private_bytes(encoding, form, secret))
    code = "import pathlib, sys; from wattledger.exporter.http import *; check_web_config(pathlib.Path(sys.argv[1]))"
    ours, theirs = os.openpty()
    try:
        done = subprocess.run(
            ["setsid", "--ctty", "--wait", sys.executable, "-c", code, pki.config()],
            stdin=theirs,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / ".importroot")},
            check=False,
            timeout=20,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 1
    assert "unencrypted PEM key" in done.stderr
