"""The web config file: what is read, what is refused and where, and how a change comes into force."""

from __future__ import annotations

import logging
import os
import re
import time
from pathlib import Path

import pytest

from tests.exporter.http.client import fetch, pages, serving, until
from wattledger.exporter.http import PageServer, WebConfigError, check_web_config, parse_listen
from wattledger.exporter.http.policy import TokenBucket
from wattledger.exporter.http.web_config import RateLimit, read_web_config

BCRYPT = "$2b$04$l7ho1qRfl0cdXh73Xx0LSeVNndcDxeHEVqw1z2tGl35HKPbvphlXO"
NAMES = "tls_server_config:\n  cert_file: a.crt\n  key_file: a.key\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "web.yml"


def settled(path: Path, text: str) -> None:
    """Write a file that nobody is still writing to."""
    path.write_text(text)
    past_ns = time.time_ns() - 5_000_000_000
    os.utime(path, ns=(past_ns, past_ns))


def test_every_documented_key_is_read(path: Path) -> None:
    path.write_text(f"""
tls_server_config:
  cert_file: tls/server.crt
  key_file: /etc/server.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.crt
  client_allowed_sans: [prometheus.example, 10.0.0.1]
  min_version: TLS12
  max_version: TLS13
  cipher_suites:
  - TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
  prefer_server_cipher_suites: false
  curve_preferences: [X25519]
http_server_config:
  http2: false
  headers:
    X-Frame-Options: deny
    X-XSS-Protection: 0
    Strict-Transport-Security:
basic_auth_users:
  alice: {BCRYPT}
  007: {BCRYPT}
rate_limit: {{interval: 1m30.5s, burst: 20}}
""")
    config = read_web_config(path)
    assert config.tls is not None
    assert config.tls.paths == (path.parent / "tls/server.crt", Path("/etc/server.key"), path.parent / "ca.crt")
    assert config.tls.client_allowed_sans == ("prometheus.example", "10.0.0.1")
    assert not config.tls.prefer_server_cipher_suites
    assert config.headers == (("X-Frame-Options", "deny"), ("X-XSS-Protection", "0"))
    assert config.users == {"alice": BCRYPT, "007": BCRYPT}
    assert config.rate_limit == RateLimit(90_500_000_000, 20)
    assert config.notices == ()


@pytest.mark.parametrize("text", ["", "# nothing\n", "tls_server_config:\n", "basic_auth_users: {}\n"])
def test_an_empty_file_or_section_asks_for_nothing(path: Path, text: str) -> None:
    path.write_text(text)
    config = read_web_config(path)
    assert (config.tls, config.users, config.rate_limit) == (None, {}, None)
    assert bool(config.notices) == (":" in text)  # a section that stands there for nothing is mentioned


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("basic_auth_user:\n  a: b\n", 1, "did you mean basic_auth_users?"),
        (f"{NAMES}  cert_fil: x\n", 4, "did you mean cert_file?"),
        ("http_server_config:\n  headers:\n    X-Frame-Option: deny\n", 3, "did you mean X-Frame-Options?"),
        ("http_server_config:\n  headers:\n    X-Frame-Options: allow\n", 3, "deny or sameorigin"),
        ('http_server_config:\n  headers:\n    Content-Security-Policy: "a\\r\\nb"\n', 3, "no header may have"),
        ("http_server_config:\n  http2: maybe\n", 2, "write true or false"),
        ("a: [\n", 2, "not YAML"),
        ("a: b\n\tc: d\n", 2, "not YAML"),
        ("- a\n", 1, "not a mapping"),
        ("basic_auth_users:\n  alice: wonderland\n", 2, "no bcrypt hash"),
        (f"basic_auth_users:\n  'a:b': {BCRYPT}\n", 2, "without a colon"),
        (f"basic_auth_users:\n  a: {BCRYPT}\n  a: {BCRYPT}\n", 3, "first is on line 2"),
        ("rate_limit:\n  interval: 1 second\n  burst: 2\n", 2, "no duration"),
        ("rate_limit:\n  interval: 10\n  burst: 2\n", 2, "such as 1s"),
        ("rate_limit:\n  interval: 1s\n", 2, "add burst"),
        ("rate_limit:\n  burst: many\n", 2, "no whole number"),
        ("tls_server_config:\n  min_version: TLS13\n", 1, "no certificate"),
        ("tls_server_config:\n  cert_file: a\n", 1, "no key"),
        (f"{NAMES}  cert: inline\n", 4, "keep one"),
        (f"{NAMES}  client_allowed_sans: []\n", 4, "let nobody in"),
        (f"{NAMES}  cipher_suites: TLS_A\n", 4, "not a list"),
        (f"{NAMES}  min_version: TLS10\n", 4, "RFC 8996"),
        (f"{NAMES}  min_version: TLS13\n  max_version: TLS12\n", 5, "below min_version"),
        (f"{NAMES}  cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]\n", 4, "not offered"),
        (f"{NAMES}  cipher_suites: [TLS_AES_128_GCM_SHA256]\n", 4, "no suite is left for TLS 1.2"),
        (f"{NAMES}  curve_preferences: [X25519, CurveP256]\n", 4, "one curve"),
        (f"{NAMES}  curve_preferences: [P256]\n", 4, "CurveP256"),
        (NAMES, 2, "a.crt cannot be read"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_cure(path: Path, text: str, line: int, words: str) -> None:
    path.write_text(text)
    with pytest.raises(WebConfigError) as caught:
        check_web_config(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert words in str(caught.value)
    assert caught.value.line == line
    assert "wonderland" not in str(caught.value)  # a password written by mistake is not repeated


def test_a_missing_file_is_named(path: Path) -> None:
    with pytest.raises(WebConfigError, match=re.escape(f"{path}: cannot be read (No such file or directory)")):
        check_web_config(path)


def test_a_broken_file_at_start_keeps_the_server_from_starting(path: Path) -> None:
    path.write_text("nonsense: 1\n")
    server = PageServer(parse_listen("127.0.0.1:0"), pages, web_config=path)
    with pytest.raises(WebConfigError, match="unknown key nonsense"):
        server.start()
    assert not server.alive
    server.close()


def test_what_has_no_effect_is_said(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.write_text("http_server_config:\n  http2: true\n")
    check_web_config(path)
    assert "http2: true has no effect" in caplog.text


def test_configured_headers_stand_on_every_answer_once(path: Path) -> None:
    path.write_text(
        "http_server_config:\n  headers:\n    X-Frame-Options: deny\n    X-Content-Type-Options: nosniff\n"
        "    Content-Security-Policy: default-src 'self'\n"
    )
    with serving(web_config=path) as server:
        for page in ("/metrics", "/nowhere", "/fault"):
            headers = fetch(server.port, page).headers
            assert headers["x-frame-options"] == "deny"
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["content-security-policy"] == "default-src 'self'"


def test_a_broken_change_keeps_the_old_settings_and_logs_once(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settled(path, f"basic_auth_users:\n  alice: {BCRYPT}\n")
    with caplog.at_level(logging.INFO), serving(web_config=path) as server:
        settled(path, "basic_auth_users:\n  alice: oops\n")
        until(lambda: fetch(server.port).status == 401 and not server.stats().web_config_ok)
        caplog.clear()
        pause_until = time.monotonic() + 1.2  # longer than the server waits between two looks
        until(lambda: fetch(server.port).status == 401 and time.monotonic() > pause_until)
        assert caplog.records == []
        settled(path, "# open\n")
        until(lambda: fetch(server.port).status == 200)
        assert server.stats().web_config_ok
        assert [record.getMessage() for record in caplog.records] == [f"web_config=reloaded path={path}"]


def test_a_deleted_file_keeps_the_old_settings(path: Path) -> None:
    settled(path, f"basic_auth_users:\n  alice: {BCRYPT}\n")
    with serving(web_config=path) as server:
        path.unlink()
        until(lambda: fetch(server.port).status == 401 and not server.stats().web_config_ok)
        assert fetch(server.port).status == 401


def test_a_file_that_is_being_written_is_not_taken_for_the_whole(path: Path) -> None:
    settled(path, f"basic_auth_users:\n  alice: {BCRYPT}\n")
    with serving(web_config=path) as server:
        stop = time.monotonic() + 1.5
        while time.monotonic() < stop:
            path.write_text("")  # an editor has just emptied it: valid, and without users
            assert fetch(server.port).status == 401
        until(lambda: fetch(server.port).status == 200)  # it stayed empty: that is what it says


def test_a_token_bucket_gives_its_burst_then_one_an_interval() -> None:
    bucket = TokenBucket(interval_ns=10, burst=3)
    assert [bucket.take(100) for _ in range(5)] == [0, 0, 0, 10, 10]
    assert [bucket.take(110), bucket.take(111), bucket.take(119), bucket.take(120)] == [0, 9, 1, 0]
    assert [bucket.take(1_000) for _ in range(4)] == [0, 0, 0, 10]
