"""The addresses of the demo, all on loopback."""

import errno
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from .errors import DemoError

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Port:
    """Where a part listens: what people call it, the flag that moves it, and the variable of compose.yml."""

    name: str
    flag: str
    variable: str
    number: int

    @property
    def address(self) -> str:
        """Give host and port."""
        return f"{HOST}:{self.number}"

    @property
    def url(self) -> str:
        """Give what a browser opens."""
        return f"http://{self.address}/"


@dataclass(frozen=True, slots=True)
class Ports:
    """All of them; Grafana's is used by a container engine alone."""

    page: Port
    prometheus: Port
    alertmanager: Port
    grafana: Port


def check_free(ports: Iterable[Port]) -> None:
    """Raise DemoError with the place and the cure where something listens already, or two parts want one port."""
    wrong = []
    seen: dict[int, Port] = {}
    for port in ports:
        other = seen.setdefault(port.number, port)
        if other is not port:
            wrong.append(f"{port.address} is wanted by {other.name} and {port.name}: choose another with {port.flag}")
            continue
        reason = _refused(port)
        if reason:
            cure = f"stop what listens there (ss -ltnp 'sport = :{port.number}'), or choose another: {port.flag} PORT"
            wrong.append(f"{port.address}, for {port.name}: {reason}; {cure}")
    if wrong:
        raise DemoError("\n".join(wrong))


def _refused(port: Port) -> str:
    """Give why nobody can listen there; empty if one can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port.number))
            probe.listen(1)
        except OSError as error:
            return "taken" if error.errno == errno.EADDRINUSE else error.strerror or str(error)
    return ""
