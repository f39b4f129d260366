"""Pushed counters: who may say what for which job, over a Unix socket and over loopback, by real processes."""

import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.agent.tokens.inputs.hosts import NOBODY_UID, PARENT, child, now, tokens
from tests.agent.tokens.inputs.pushing import endpoint, push, pusher
from wattledger.agent.tokens.inputs.processes import Processes
from wattledger.agent.tokens.inputs.push import PushInput
from wattledger.agent.tokens.inputs.settings import PushSettings
from wattledger.exporter.http import ListenError, parse_listen
from wattledger.rules.tokens.model import Role, TokenKind

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be somebody else")


def say(process: subprocess.Popen[str], **message: object) -> tuple[int, str]:
    """Have a job push; give the status, and the error where there is one."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(message) + "\n")
    process.stdin.flush()
    status, _, text = process.stdout.readline().partition(" ")
    return int(status), json.loads(text).get("error", "")


def place_of(source: PushInput, folder: Path, kind: str) -> Path | int:
    assert source.port is not None
    return source.port if kind == "tcp" else folder / "push.sock"


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_a_job_pushes_and_its_process_is_known_without_its_saying_so(tmp_path: Path, kind: str) -> None:
    with endpoint(tmp_path) as source:
        place = place_of(source, tmp_path, kind)
        with child(pusher(place)) as (process, _):
            before = now()
            assert say(process, job="pretrain", tokens_total=1000, kind="prompt", model="8b") == (200, "")
            after = now()
            (service,), (read,) = source.look(now(later=3))
            assert (service.name, service.server, service.role) == ("pretrain", "push", Role.TRAINING)
            assert service.pids == {process.pid}
            assert tokens(read, TokenKind.PROMPT) == 1000
            assert before <= read.at <= after
            assert read.process == f"{process.pid}:{Processes().start(process.pid)}"
            assert source.look(now(later=6))[1] == ()
            assert say(process, job="pretrain", tokens_total=1500.0, kind="prompt", model="8b") == (200, "")
            assert tokens(source.look(now(later=9))[1][0], TokenKind.PROMPT) == 1500
        assert source.look(now(later=12)) == ((), ())


def test_ranks_without_tokens_belong_to_the_job_and_only_one_process_counts(tmp_path: Path) -> None:
    place = tmp_path / "push.sock"
    with endpoint(tmp_path) as source, child(pusher(place)) as (other, _):
        with child(pusher(place)) as (first, _):
            assert say(other, job="a") == (200, "")
            (service,), reads = source.look(now())
            assert service.pids == {other.pid}
            assert not reads
            assert "no process of the job has pushed" in service.detail
            assert say(first, job="a", tokens_total=10) == (200, "")
            status, error = say(other, job="a", tokens_total=10)
            assert status == 409
            assert f"process {first.pid} counts for the job 'a' already" in error
            (service,), (read,) = source.look(now(later=1))
            assert service.pids == {first.pid, other.pid}
        # A new process may count when the one before is gone, from any number.
        assert say(other, job="a", tokens_total=4) == (200, "")
        (service,), (anew,) = source.look(now(later=2))
        assert service.pids == {other.pid}
        assert (tokens(read), tokens(anew)) == (10, 4)
        assert anew.process != read.process


def test_a_counter_that_falls_is_refused_unless_it_is_of_another_run(tmp_path: Path) -> None:
    with endpoint(tmp_path) as source:
        place = tmp_path / "push.sock"
        assert push(place, job="a", tokens_total=10)[0] == 200
        status, error = push(place, job="a", tokens_total=9)
        assert status == 409
        assert "fell from 10 to 9" in error
        assert push(place, job="a", tokens_total=10, kind="prompt")[0] == 200
        (first,) = source.look(now())[1]
        assert first.page is not None
        assert len(first.page.counts) == 2
        assert push(place, job="a", tokens_total=1, run="second")[0] == 200
        (second,) = source.look(now(later=1))[1]
        assert second.process == f"{first.process}:second"
        assert tokens(second) == 1


def test_a_process_may_speak_for_another_of_the_same_user_and_its_descendants(tmp_path: Path) -> None:
    with endpoint(tmp_path) as source, child(PARENT) as (process, grandchild):
        assert push(tmp_path / "push.sock", job="a", tokens_total=10, pid=process.pid)[0] == 200
        (service,), (read,) = source.look(now())
        assert service.pids == {process.pid, int(grandchild)}
        assert read.process.startswith(f"{process.pid}:")


@as_root
@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_the_kernel_says_who_calls_and_nobody_speaks_for_another_user(tmp_path: Path, kind: str) -> None:
    tmp_path.chmod(0o755)
    for folder in tmp_path.parents[:3]:
        folder.chmod(folder.stat().st_mode | 0o011)
    with endpoint(tmp_path, group=str(NOBODY_UID)) as source:
        place = place_of(source, tmp_path, kind)
        with child(pusher(place), uid=NOBODY_UID) as (stranger, _):
            status, error = say(stranger, job="a", tokens_total=1, pid=os.getpid())
            assert status == 403
            assert "is of another user than you (65534)" in error
            assert push(place, job="ours", tokens_total=1)[0] == 200
            status, error = say(stranger, job="ours", tokens_total=99)
            assert status == 403
            assert "is of another user; give yours another name" in error
            status, error = push(place, job="a", tokens_total=1, pid=stranger.pid)
            assert status == 403
            assert say(stranger, job="theirs", tokens_total=5) == (200, "")
            services, reads = source.look(now())
            assert [(one.name, one.pids) for one in services] == [
                ("ours", Processes().family({os.getpid()}, now())),
                ("theirs", {stranger.pid}),
            ]
            assert [tokens(read) for read in reads] == [1, 5]


@as_root
def test_the_socket_file_is_for_its_group_alone(tmp_path: Path) -> None:
    with endpoint(tmp_path):
        status = (tmp_path / "push.sock").stat()
        assert stat.S_IMODE(status.st_mode) == 0o660
        tmp_path.chmod(0o755)
        program = f"import socket\ntry:\n socket.socket(1).connect({str(tmp_path / 'push.sock')!r})\n"
        program += "except PermissionError: print('denied', flush=True)\nelse: print('let in', flush=True)"
        for folder in tmp_path.parents[:3]:
            folder.chmod(folder.stat().st_mode | 0o011)
        with child(program, uid=NOBODY_UID) as (_, line):
            assert line == "denied"
    assert not (tmp_path / "push.sock").exists()


@as_root
def test_a_number_of_another_pid_namespace_is_not_taken_for_one_of_the_host(tmp_path: Path) -> None:
    place = tmp_path / "push.sock"
    with endpoint(tmp_path) as source:
        inner = ["unshare", "-fp", sys.executable, "-c", pusher(place)]
        program = f"import subprocess, sys\nsys.exit(subprocess.call({inner!r}))"
        with child(program) as (inside, _):
            # Number 1 is the pusher in there, and the first process of the host out here: both are root's.
            status, error = say(inside, job="a", tokens_total=1, pid=1)
            assert status == 400
            assert "inside a container process numbers are others" in error
            assert say(inside, job="a", tokens_total=1) == (200, "")
            (service,), _ = source.look(now())
            assert 1 not in service.pids


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ({"job": ""}, "job has 0 characters"),
        ({"job": "a\nb"}, "control characters"),
        ({"job": "j" * 129}, "job has 129 characters"),
        ({"job": 3}, "$.job"),
        ({"tokens_total": 3}, "missing required field `job`"),
        ({"job": "a", "tokens": 3}, "unknown field `tokens`"),
        ({"job": "a", "tokens_total": -1}, "send a whole number"),
        ({"job": "a", "tokens_total": 1.5}, "send a whole number"),
        ({"job": "a", "tokens_total": 1e300}, "send a whole number"),
        ({"job": "a", "tokens_total": "3"}, "$.tokens_total"),
        ({"job": "a", "tokens_total": 1, "kind": "trained"}, "$.kind"),
        ({"job": "a", "tokens_total": 1, "model": "m" * 200}, "model has 200 characters"),
        ({"job": "a", "pid": 0}, "no process number"),
        ({"job": "a", "pid": 2**22 + 7}, "leave it out inside a container"),
    ],
)
def test_a_wrong_message_is_answered_with_what_is_wrong(
    tmp_path: Path, message: dict[str, object], says: str
) -> None:
    with endpoint(tmp_path) as source:
        status, error = push(tmp_path / "push.sock", **message)
        assert status == 400
        assert says in error
        assert source.look(now()) == ((), ())


def test_jobs_of_one_user_and_counters_of_one_job_are_limited(tmp_path: Path) -> None:
    with endpoint(tmp_path) as source:
        place = tmp_path / "push.sock"
        answers = [push(place, job=f"job{number}", tokens_total=1)[0] for number in range(33)]
        assert answers == [200] * 32 + [429]
        answers = [push(place, job="job0", tokens_total=1, model=f"m{number}")[0] for number in range(32)]
        assert answers == [200] * 31 + [429]
        assert len(source.look(now())[0]) == 32


def test_a_socket_that_was_left_over_is_replaced_and_one_in_use_is_not(tmp_path: Path) -> None:
    place = tmp_path / "push.sock"
    settings = PushSettings(unix_socket=place)
    first = PushInput(settings, now=now)
    first.start()
    with pytest.raises(ListenError, match="another program listens there"):
        PushInput(settings, now=now).start()
    first.close()
    left_over = listening(place)
    left_over.close()
    second = PushInput(settings, now=now)
    second.start()
    first.close()  # closing twice does not take away what is another's by now
    assert push(place, job="a", tokens_total=1)[0] == 200
    second.close()
    place.write_text("mine")
    with pytest.raises(ListenError, match="something else of that name"):
        PushInput(settings, now=now).start()
    assert place.read_text() == "mine"


def listening(place: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(place))
    listener.listen()
    return listener


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (PushSettings(listen=parse_listen("0.0.0.0:0")), "it is not loopback"),
        (PushSettings(listen=parse_listen("example.org:0")), "it is not loopback"),
        (PushSettings(unix_socket=Path("/nonexistent/push.sock")), "make the folder /nonexistent"),
        (PushSettings(unix_socket=Path("x" * 200)), "too long"),
        (
            PushSettings(unix_socket=Path("/nonexistent/push.sock"), group="no-such-group"),
            "has no group no-such-group",
        ),
    ],
)
def test_where_it_cannot_listen_it_says_why(settings: PushSettings, says: str) -> None:
    with pytest.raises(ListenError, match=says):
        PushInput(settings, now=now).start()


def test_ipv6_loopback_serves_too() -> None:
    source = PushInput(PushSettings(listen=parse_listen("[::1]:0")), now=now)
    try:
        source.start()
    except ListenError:
        pytest.skip("this host has no IPv6")
    try:
        assert source.port is not None
        with socket.create_connection(("::1", source.port), timeout=10) as sock:
            body = b'{"job": "a", "tokens_total": 3}'
            sock.sendall(b"POST /v1/tokens HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            assert sock.recv(100).startswith(b"HTTP/1.1 200")
        (service,), _ = source.look(now())
        assert os.getpid() in service.pids
    finally:
        source.close()
