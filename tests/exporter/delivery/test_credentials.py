"""Receivers that ask who comes: passwords, tokens and TLS, and nothing secret in what is shown."""

from __future__ import annotations

import base64
import logging
import ssl
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.exporter.delivery.fake_receiver import FakeReceiver, Reply
from tests.exporter.delivery.manual_clock import ManualClock
from tests.exporter.delivery.stage import alertmanager, delivering, notice, webhook
from tests.exporter.http import certificates
from tests.exporter.http.certificates import Identity
from tests.exporter.http.client import until
from wattledger.exporter.delivery import Delivery, ReceiverStats


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@dataclass(frozen=True)
class Pki:
    folder: Path
    ca: Identity
    server: Identity
    client: Identity

    def server_context(self, *, asks: bool = False) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server.cert_file, self.server.key_file)
        if asks:
            context.load_verify_locations(self.ca.cert_file)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    ca = certificates.authority(tmp_path, "ca")
    server = certificates.server(tmp_path, "server", ca)
    return Pki(tmp_path, ca, server, certificates.client(tmp_path, "client", ca))


def stats(delivery: Delivery) -> ReceiverStats:
    (only,) = delivery.stats()
    return only


def failed(delivery: Delivery, clock: ManualClock, *, times: int) -> None:
    until(lambda: stats(delivery).failed == times and len(clock.sleepers()) == 1)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_a_password_is_read_anew_for_each_request(clock: ManualClock, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("ol:d ü\n", encoding="utf-8")
    with FakeReceiver() as receiver:
        login = alertmanager(receiver.url, username="wl", password_file=secret)
        with delivering(login, clock=clock) as delivery:
            delivery.hand_over([notice()])
            until(lambda: stats(delivery).sent == 1)
            secret.write_text("new")
            delivery.hand_over([notice()])
            until(lambda: stats(delivery).sent == 2)
            given = [request.headers["authorization"] for request in receiver.seen]
            assert given == [basic("wl", "ol:d ü"), basic("wl", "new")]


def test_a_bearer_token_is_sent(clock: ManualClock, tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("t0ken\n")
    with (
        FakeReceiver() as receiver,
        delivering(webhook(receiver.url, bearer_token_file=secret), clock=clock) as delivery,
    ):
        delivery.hand_over([notice()])
        until(lambda: stats(delivery).sent == 1)
        assert receiver.seen[0].headers["authorization"] == "Bearer t0ken"


def test_user_info_of_the_url_logs_in_and_is_not_in_the_name(clock: ManualClock) -> None:
    with FakeReceiver() as receiver:
        url = f"http://us%40er:p%2Fw@127.0.0.1:{receiver.port}/hook"
        with delivering(webhook(url), clock=clock) as delivery:
            delivery.hand_over([notice()])
            until(lambda: stats(delivery).sent == 1)
            assert receiver.seen[0].headers["authorization"] == basic("us@er", "p/w")
            assert receiver.seen[0].target == "/hook"
            assert stats(delivery).receiver == f"http://127.0.0.1:{receiver.port}/hook"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read (No such file or directory); let this user read it"),
        ("\n", "is empty; write the secret into it"),
        ("a\r\nX-Evil: b", "has a character that cannot be sent; write the secret on one line"),
    ],
)
def test_a_secret_that_cannot_be_used_is_named_and_tried_again(
    clock: ManualClock, tmp_path: Path, content: str | None, reason: str
) -> None:
    secret = tmp_path / "token"
    if content is not None:
        secret.write_text(content)
    with (
        FakeReceiver() as receiver,
        delivering(alertmanager(receiver.url, bearer_token_file=secret), clock=clock) as delivery,
    ):
        delivery.hand_over([notice()])
        failed(delivery, clock, times=1)
        assert stats(delivery).last_error == f"bearer_token_file {secret} {reason}"
        assert receiver.seen == []
        secret.write_text("right")
        clock.advance(1)
        until(lambda: stats(delivery).sent == 1)


def test_no_secret_is_shown_even_when_the_receiver_repeats_it(
    clock: ManualClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = tmp_path / "password"
    secret.write_text("hunter2")
    repeated = f"no: {basic('wl', 'hunter2')} wl:hunter2 for /hook?key=s3cret\x1b[31m"
    with FakeReceiver(reply=Reply(401, body=repeated.encode())) as receiver:
        login = webhook(receiver.url + "/hook?key=s3cret#frag", username="wl", password_file=secret)
        with delivering(login, clock=clock) as delivery:
            delivery.hand_over([notice()])
            until(lambda: stats(delivery).dropped == 1)
            error = stats(delivery).last_error
            assert error == "answered 401: no: Basic *** wl:*** for /hook?***?[31m"
        shown = caplog.text + repr(login) + repr(delivery.stats()) + stats(delivery).receiver
        for hidden in ("hunter2", "s3cret", basic("wl", "hunter2").split()[1], "frag"):
            assert hidden not in shown


def test_a_key_in_the_path_is_shown_nowhere_and_still_sent(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key = "0123456789abcdef0123"
    with FakeReceiver(reply=Reply(404, body=f"no such key: /v1/{key}".encode())) as receiver:
        pager = webhook(f"{receiver.url}/v1/{key}")
        with delivering(pager, clock=clock) as delivery:
            delivery.hand_over([notice()])
            until(lambda: stats(delivery).dropped == 1)
            assert receiver.seen[0].target == f"/v1/{key}"
            assert stats(delivery).last_error == "answered 404: no such key: /v1/***"
        assert key not in caplog.text + repr(pager) + repr(delivery.stats())


def test_alerts_go_over_tls_with_a_client_certificate(clock: ManualClock, pki: Pki) -> None:
    with FakeReceiver(tls=pki.server_context(asks=True)) as receiver:
        known = alertmanager(
            receiver.url, ca_file=pki.ca.cert_file, cert_file=pki.client.cert_file, key_file=pki.client.key_file
        )
        stranger = webhook(receiver.url, ca_file=pki.ca.cert_file)
        with delivering(known, stranger, clock=clock) as delivery:
            delivery.hand_over([notice()])
            until(lambda: delivery.stats()[0].sent == 1)
            until(lambda: delivery.stats()[1].failed == 1)
            assert len(receiver.accepted) == 1
            assert delivery.stats()[1].sent == 0


def test_a_server_of_an_unknown_authority_gets_nothing(clock: ManualClock, pki: Pki) -> None:
    other = certificates.authority(pki.folder, "other")
    ca_file = pki.folder / "trusted.crt"
    ca_file.write_bytes(other.cert_file.read_bytes())
    with (
        FakeReceiver(tls=pki.server_context()) as receiver,
        delivering(alertmanager(receiver.url, ca_file=ca_file), clock=clock) as delivery,
    ):
        delivery.hand_over([notice()])
        failed(delivery, clock, times=1)
        assert "unable to get local issuer certificate" in stats(delivery).last_error
        assert receiver.seen == []
        ca_file.write_bytes(pki.ca.cert_file.read_bytes())  # read again because it changed
        clock.advance(1)
        until(lambda: stats(delivery).sent == 1)


def test_a_server_of_another_name_gets_nothing_unless_told_so(clock: ManualClock, pki: Pki) -> None:
    with FakeReceiver(tls=pki.server_context()) as receiver:
        url = f"https://localhost:{receiver.port}"  # the certificate names 127.0.0.1 alone
        careful = alertmanager(url, ca_file=pki.ca.cert_file)
        careless = webhook(url, insecure_skip_verify=True)
        with delivering(careful, careless, clock=clock) as delivery:
            delivery.hand_over([notice()])
            until(lambda: delivery.stats()[0].failed == 1)
            assert "Hostname mismatch" in delivery.stats()[0].last_error
            until(lambda: delivery.stats()[1].sent == 1)


def test_tls_files_that_cannot_be_used_are_named(clock: ManualClock, pki: Pki) -> None:
    broken = pki.folder / "broken.crt"
    broken.write_text("no certificate")
    missing = pki.folder / "missing.crt"
    cure = "give a PEM certificate and its own unencrypted PEM key"
    with FakeReceiver(tls=pki.server_context()) as receiver:
        receivers = [
            alertmanager(receiver.url, name="broken ca", ca_file=broken),
            alertmanager(receiver.url, name="missing ca", ca_file=missing),
            alertmanager(receiver.url, name="foreign key", cert_file=pki.client.cert_file, key_file=pki.ca.key_file),
        ]
        with delivering(*receivers, clock=clock) as delivery:
            delivery.hand_over([notice()])
            until(lambda: all(each.failed == 1 for each in delivery.stats()))
            assert [each.last_error for each in delivery.stats()] == [
                f"ca_file {broken} holds no CA certificate; give the certificates in PEM",
                f"ca_file {missing} cannot be read (No such file or directory); let this user read it",
                f"cert_file {pki.client.cert_file} and its key cannot be used; {cure}",
            ]


def test_a_receiver_that_speaks_no_tls_is_a_failure_with_a_reason(clock: ManualClock, pki: Pki) -> None:
    with FakeReceiver() as receiver:
        url = receiver.url.replace("http://", "https://")
        with delivering(alertmanager(url, ca_file=pki.ca.cert_file), clock=clock) as delivery:
            delivery.hand_over([notice()])
            failed(delivery, clock, times=1)
            assert stats(delivery).last_error
