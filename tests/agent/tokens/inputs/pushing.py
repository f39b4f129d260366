"""A push endpoint on real sockets, and callers of it in this process and in others."""

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.agent.tokens.inputs.hosts import now
from wattledger.agent.tokens.inputs.push import PushInput
from wattledger.agent.tokens.inputs.push_server import PushLimits
from wattledger.agent.tokens.inputs.settings import PushSettings
from wattledger.exporter.http import parse_listen

# Pushes what it reads from its input, line by line, and says what it was answered.
PUSHER = """
import http.client, json, socket, sys
place = sys.argv[1]
class Local(http.client.HTTPConnection):
    def connect(self):
        if place.isdigit():
            self.sock = socket.create_connection(("127.0.0.1", int(place)))
        else:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.connect(place)
print("up", flush=True)
for line in sys.stdin:
    local = Local("localhost")
    local.request("POST", "/v1/tokens", line)
    answer = local.getresponse()
    print(answer.status, answer.read().decode().strip(), flush=True)
    local.close()
"""


@contextmanager
def endpoint(folder: Path, *, limits: PushLimits | None = None, group: str = "") -> Iterator[PushInput]:
    """Serve on a socket file in *folder* and on loopback."""
    settings = PushSettings(unix_socket=folder / "push.sock", listen=parse_listen("127.0.0.1:0"), group=group)
    source = PushInput(settings, now=now, limits=limits)
    source.start()
    try:
        yield source
    finally:
        source.close()


def connected(place: Path | int) -> socket.socket:
    """Connect to a socket file, or to a port of loopback."""
    if isinstance(place, int):
        return socket.create_connection(("127.0.0.1", place), timeout=10)
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(10)
    sock.connect(str(place))
    return sock


def exchange(place: Path | int, raw: bytes) -> bytes:
    """Send bytes and give all that comes until the end."""
    with connected(place) as sock:
        sock.sendall(raw)
        sock.shutdown(socket.SHUT_WR)
        answer = b""
        while part := sock.recv(65_536):
            answer += part
        return answer


def push(place: Path | int, **message: object) -> tuple[int, str]:
    """Push from this process; give the status, and the error where there is one."""
    return posted(place, json.dumps(message).encode())


def posted(place: Path | int, body: bytes, *, method: str = "POST", path: str = "/v1/tokens") -> tuple[int, str]:
    """Send one message; give the status, and the error where there is one."""
    local = http.client.HTTPConnection("localhost")
    local.sock = connected(place)
    try:
        local.request(method, path, body)
        answer = local.getresponse()
        content = json.loads(answer.read())
        return answer.status, content.get("error", "")
    finally:
        local.close()


def pusher(place: Path | int) -> str:
    """Give the program of a job that pushes to *place*."""
    return f"import sys\nsys.argv = ['job', {str(place)!r}]\n{PUSHER}"
