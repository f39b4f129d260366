"""Basic authentication in front of every path, with real bcrypt: who gets in, who waits, what is remembered."""

from __future__ import annotations

import base64
import os
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import bcrypt
import pytest

from tests.exporter.http.client import PAGE, TEXT, Client, fetch, pages, serving, until
from wattledger.exporter.http import Limits, Request, Response
from wattledger.exporter.http.auth import Passwords
from wattledger.exporter.http.model import Verdict

QUICK, SLOW = 4, 12  # bcrypt costs: about 1 ms and 200 ms


def hashed(password: str, *, cost: int = QUICK, prefix: bytes = b"2b") -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).replace(b"2b", prefix, 1).decode()


def basic(user: str, password: str) -> str:
    return "Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def write_users(path: Path, users: dict[str, str]) -> Path:
    """Replace the file as a careful editor does: whole, and with a time that is not just now."""
    new = path.with_suffix(".new")
    new.write_text("basic_auth_users:\n" + "".join(f"  {user}: {stored}\n" for user, stored in users.items()))
    past_ns = time.time_ns() - 5_000_000_000
    os.utime(new, ns=(past_ns, past_ns))
    new.replace(path)
    return path


@pytest.fixture
def web_config(tmp_path: Path) -> Path:
    return write_users(tmp_path / "web.yml", {"alice": hashed("wonder"), "bob": hashed("builder", prefix=b"2y")})


@pytest.mark.parametrize(
    "path", ["/", "/metrics", "/-/healthy", "/-/ready", "/echo", "/fault", "/nowhere", "//metrics"]
)
def test_no_path_answers_without_a_password(web_config: Path, path: str) -> None:
    with serving(web_config=web_config) as server:
        reply = fetch(server.port, path)
        assert reply.status == 401
        assert reply.headers["www-authenticate"].startswith("Basic realm=")
        assert reply.body == b"401 Unauthorized\n"


def test_the_right_password_gets_the_page_and_a_wrong_one_does_not(web_config: Path) -> None:
    with serving(web_config=web_config) as server, Client.to(server.port) as client:
        for _ in range(2):  # checked, then remembered
            assert client.get("/metrics", basic("alice", "wonder")).body == PAGE
            assert client.get("/metrics", basic("bob", "builder")).body == PAGE
            assert client.get("/metrics", basic("alice", "builder")).status == 401
            assert client.get("/metrics", basic("alice", "")).status == 401
            assert client.get("/metrics", basic("carol", "wonder")).status == 401
        assert client.get("/metrics", basic("alice", "wonder"), method="HEAD").status == 200


@pytest.mark.parametrize(
    "header",
    [
        "Authorization: Basic",
        "Authorization: Basic !!!",
        "Authorization: Bearer YWxpY2U6d29uZGVy",
        "Authorization: Basic YWxpY2U=",
        "Authorization: Basic YWxpY2U6d29uZGVy, Basic YWxpY2U6d29uZGVy",
        "Authorization: Basic YWxpY2U6d29uZGVyAA==",
        "X-Authorization: Basic YWxpY2U6d29uZGVy",
    ],
)
def test_a_malformed_credential_is_no_credential(web_config: Path, header: str) -> None:
    with serving(web_config=web_config) as server:
        assert fetch(server.port, "/metrics", header).status == 401
        assert fetch(server.port, "/metrics", "Authorization: bAsIc YWxpY2U6d29uZGVy").status == 200


def test_a_password_beyond_72_bytes_is_cut_as_bcrypt_does(tmp_path: Path) -> None:
    path = write_users(tmp_path / "web.yml", {"alice": hashed("x" * 72)})
    with serving(web_config=path) as server:
        assert fetch(server.port, "/metrics", basic("alice", "x" * 100)).status == 200
        assert fetch(server.port, "/metrics", basic("alice", "x" * 71)).status == 401


def test_the_stored_hash_is_no_password(tmp_path: Path) -> None:
    stored = hashed("wonder")
    path = write_users(tmp_path / "web.yml", {"alice": stored})
    with serving(web_config=path) as server, Client.to(server.port) as client:
        assert client.get("/metrics", basic("alice", "wonder")).status == 200
        for user, password in (("alice", stored), ("alice", f"{stored}:wonder"), (f"alice:{stored}", "wonder")):
            assert client.get("/metrics", basic(user, password)).status == 401
        # What made the toolkit's cache answer yes: a credential whose parts run together like the right one's.
        assert client.get("/metrics", basic("alic", f"e{stored}wonder")).status == 401


def test_the_loop_serves_others_while_a_password_is_checked(tmp_path: Path) -> None:
    path = write_users(tmp_path / "web.yml", {"alice": hashed("wonder"), "slow": hashed("x", cost=SLOW)})
    with serving(web_config=path) as server, ExitStack() as stack:
        assert fetch(server.port, "/metrics", basic("alice", "wonder")).status == 200
        waiting = [stack.enter_context(Client.to(server.port)) for _ in range(4)]
        for number, client in enumerate(waiting):
            client.send(f"GET / HTTP/1.1\r\nHost: t\r\n{basic('slow', str(number))}\r\n\r\n".encode())
        start = time.monotonic()
        for _ in range(5):
            assert fetch(server.port, "/metrics", basic("alice", "wonder")).status == 200
        known_seconds = time.monotonic() - start
        assert [client.reply().status for client in waiting] == [401] * 4
        assert known_seconds < time.monotonic() - start, "the remembered client waited for the others' bcrypt"


def test_more_checks_than_the_queue_holds_are_refused_at_once(tmp_path: Path) -> None:
    path = write_users(tmp_path / "web.yml", {"slow": hashed("x", cost=SLOW)})
    with serving(web_config=path, limits=Limits(password_checks=2)) as server, ExitStack() as stack:
        clients = [stack.enter_context(Client.to(server.port)) for _ in range(6)]
        for number, client in enumerate(clients):
            client.send(f"GET / HTTP/1.1\r\nHost: t\r\n{basic('slow', str(number))}\r\n\r\n".encode())
        replies = [client.reply() for client in clients]
        assert sorted(reply.status for reply in replies) == [401, 401, 503, 503, 503, 503]
        assert {reply.headers.get("retry-after") for reply in replies if reply.status == 503} == {"1"}


def test_an_unknown_user_takes_as_long_as_a_known_one(tmp_path: Path) -> None:
    path = write_users(tmp_path / "web.yml", {"alice": hashed("wonder", cost=SLOW)})

    def seconds(port: int, user: str) -> float:
        start = time.monotonic()
        assert fetch(port, "/metrics", basic(user, "wrong")).status == 401
        return time.monotonic() - start

    with serving(web_config=path) as server:
        known, unknown = seconds(server.port, "alice"), seconds(server.port, "nobody")
    assert 0.3 < unknown / known < 3  # without the dummy it is below 0.02


def test_a_removed_user_is_out_even_on_a_kept_connection(web_config: Path) -> None:
    alice = basic("alice", "wonder")
    with serving(web_config=web_config) as server, Client.to(server.port) as kept:
        assert kept.get("/metrics", alice).status == 200
        write_users(web_config, {"bob": hashed("builder")})
        until(lambda: fetch(server.port, "/metrics", alice).status == 401)
        assert kept.closed()
        assert fetch(server.port, "/metrics", basic("bob", "builder")).status == 200


def test_a_password_under_check_when_the_file_changes_is_judged_by_the_new_file(tmp_path: Path) -> None:
    path = write_users(tmp_path / "web.yml", {"alice": hashed("wonder", cost=15), "bob": hashed("builder")})
    asked: list[Request] = []

    def counting(request: Request) -> Response:
        asked.append(request)
        return pages(request)

    with serving(counting, web_config=path) as server, Client.to(server.port) as client:
        assert fetch(server.port, "/metrics", basic("bob", "builder")).status == 200
        client.send(f"GET /late HTTP/1.1\r\nHost: t\r\n{basic('alice', 'wonder')}\r\n\r\n".encode())
        write_users(path, {"bob": hashed("new")})
        until(lambda: fetch(server.port, "/metrics", basic("bob", "new")).status == 200)
        reply = client.reply()
        assert (reply.status, reply.headers["connection"]) == (401, "close")  # to connect anew under the new file
        assert "/late" not in {request.path for request in asked}


def test_rate_limit_refuses_beyond_the_burst_and_says_when(tmp_path: Path) -> None:
    path = tmp_path / "web.yml"
    path.write_text("rate_limit: {interval: 90s, burst: 3}\n")
    with serving(web_config=path) as server, Client.to(server.port) as client:
        assert [client.get().status for _ in range(3)] == [200, 200, 200]
        reply = client.get()
        assert (reply.status, reply.headers["retry-after"]) == (429, "90")


class Inline:
    """Collects what the worker delivers, for the thread that owns the passwords."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []
        self.arrived = threading.Event()

    def deliver(self, call: Callable[[], None]) -> None:
        self.calls.append(call)
        self.arrived.set()

    def run_one(self) -> None:
        assert self.arrived.wait(10)
        self.arrived.clear()
        self.calls.pop()()


def test_the_memory_of_right_passwords_is_bounded_and_drops_the_least_used() -> None:
    inline = Inline()
    users = {name: hashed(name) for name in "abc"}
    passwords = Passwords(users, deliver=inline.deliver, waiting=4, remembered=2)

    def ask(name: str) -> Verdict:
        return passwords.check(basic(name, name).removeprefix("Authorization: "), lambda _: None)

    def learn(name: str) -> None:
        assert ask(name) is Verdict.PENDING
        inline.run_one()

    learn("a")
    learn("b")
    assert ask("a") is Verdict.GRANTED
    learn("c")
    assert ask("a") is Verdict.GRANTED
    assert ask("b") is Verdict.PENDING
    passwords.close()


def test_the_parts_of_a_remembered_credential_cannot_run_together() -> None:
    passwords = Passwords({"a": hashed("a")}, deliver=Inline().deliver, waiting=1, remembered=1)
    ways = [(b"ab", b"c", b"d"), (b"a", b"bc", b"d"), (b"a", b"b", b"cd"), (b"abcd", b"", b""), (b"", b"", b"abcd")]
    assert len({passwords._key(*way) for way in ways}) == len(ways)


def test_whoever_guesses_the_dummy_gets_in_nowhere() -> None:
    inline = Inline()
    passwords = Passwords({"a": hashed("a")}, deliver=inline.deliver, waiting=1, remembered=1)
    passwords._dummy = hashed("guessed").encode()
    results: list[bool] = []
    header = basic("nobody", "guessed").removeprefix("Authorization: ")
    for _ in range(2):
        assert passwords.check(header, results.append) is Verdict.PENDING
        inline.run_one()
    assert results == [False, False]
    passwords.close()


def test_one_credential_asked_many_times_is_checked_once() -> None:
    inline = Inline()
    passwords = Passwords({"a": hashed("a", cost=10)}, deliver=inline.deliver, waiting=1, remembered=2)
    results: list[bool] = []
    header = basic("a", "wrong").removeprefix("Authorization: ")
    assert [passwords.check(header, results.append) for _ in range(5)] == [Verdict.PENDING] * 5
    inline.run_one()
    assert results == [False] * 5
    assert passwords.check(header, results.append) is Verdict.PENDING  # a wrong one is not remembered
    passwords.close()


def test_a_page_of_an_authenticated_client_is_typed_as_ever(web_config: Path) -> None:
    with serving(web_config=web_config) as server:
        assert fetch(server.port, "/metrics", basic("alice", "wonder")).headers["content-type"] == TEXT
