"""What systemd hears, on real datagram sockets."""

import logging
import os
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from wattledger.agent.notify import Notifier


@pytest.fixture(params=["path", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A socket as systemd makes it, and its name in NOTIFY_SOCKET."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        if request.param == "path":
            name = str(tmp_path / "notify")
            bound.bind(name)
        else:
            name = f"@wattledger-{secrets.token_hex(8)}"
            bound.bind("\0" + name[1:])
        bound.settimeout(5)
        yield bound, name


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[tuple[socket.socket, Notifier]]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(tmp_path / "notify"))
        bound.setblocking(False)
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        yield bound, notifier
        notifier.close()


def test_every_message_arrives_as_sd_notify_has_it(listener: tuple[socket.socket, str]) -> None:
    bound, name = listener
    notifier = Notifier({"NOTIFY_SOCKET": name})
    notifier.ready()
    notifier.watchdog()
    notifier.status("nvml: 8 of 8 GPUs read")
    notifier.reloading(123_456)
    notifier.stopping()
    assert [bound.recv(4096) for _ in range(5)] == [
        b"READY=1",
        b"WATCHDOG=1",
        b"STATUS=nvml: 8 of 8 GPUs read",
        b"RELOADING=1\nMONOTONIC_USEC=123456",
        b"STOPPING=1",
    ]
    notifier.close()


def test_a_status_is_sent_when_it_changes_and_is_one_line(heard: tuple[socket.socket, Notifier]) -> None:
    bound, notifier = heard
    for text in ("one", "one", "two\nREADY=0\n lines", "two\nREADY=0\n lines", "one"):
        notifier.status(text)
    assert [bound.recv(4096) for _ in range(3)] == [b"STATUS=one", b"STATUS=two READY=0 lines", b"STATUS=one"]
    with pytest.raises(BlockingIOError):
        bound.recv(4096)


def test_a_status_that_was_not_taken_is_sent_again(tmp_path: Path) -> None:
    name = str(tmp_path / "notify")
    notifier = Notifier({"NOTIFY_SOCKET": name})
    notifier.status("one")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(name)
        bound.setblocking(False)
        notifier.status("one")
        assert bound.recv(4096) == b"STATUS=one"
    notifier.close()


def test_a_path_that_is_no_text_does_not_stop_the_daemon(heard: tuple[socket.socket, Notifier]) -> None:
    bound, notifier = heard
    notifier.status(f"not writable: {os.fsdecode(b'/srv/caf' + bytes([0xE9]))}")
    assert bound.recv(4096) == b"STATUS=not writable: /srv/caf?"


def test_a_socket_that_fails_is_logged_once_and_again_after_it_worked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    name = tmp_path / "notify"
    notifier = Notifier({"NOTIFY_SOCKET": str(name)})
    for _ in range(5):
        notifier.watchdog()
    assert len(caplog.records) == 1
    assert "notifications" in caplog.text
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(name))
        notifier.watchdog()
        assert bound.recv(4096) == b"WATCHDOG=1"
    for _ in range(5):
        notifier.watchdog()
    assert len(caplog.records) == 2
    notifier.close()


def test_a_full_queue_does_not_block_the_tick(
    heard: tuple[socket.socket, Notifier], caplog: pytest.LogCaptureFixture
) -> None:
    _, notifier = heard
    for _ in range(10_000):
        notifier.watchdog()
    assert len(caplog.records) == 1


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}])
def test_without_systemd_it_is_silent(environment: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    notifier = Notifier(environment)
    notifier.ready()
    notifier.status("one")
    notifier.close()
    notifier.close()
    assert caplog.records == []


def test_after_close_nothing_is_sent(heard: tuple[socket.socket, Notifier]) -> None:
    bound, notifier = heard
    notifier.close()
    notifier.watchdog()
    with pytest.raises(BlockingIOError):
        bound.recv(4096)
