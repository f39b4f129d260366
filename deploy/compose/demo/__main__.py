"""Chooses how to run the demo, and says which way it took."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from . import engine, packages
from .errors import DemoError
from .ports import Port, Ports
from .say import say

STATE = Path(__file__).resolve().parents[3] / "var"
_PORTS = (
    ("page", "--port", "WATTLEDGER_PORT", 9889),
    ("Prometheus", "--prometheus-port", "PROMETHEUS_PORT", 9090),
    ("Alertmanager", "--alertmanager-port", "ALERTMANAGER_PORT", 9093),
    ("Grafana", "--grafana-port", "GRAFANA_PORT", 3000),
)


class Way(StrEnum):
    """How the parts are run."""

    AUTO = "auto"
    ENGINE = "engine"
    PACKAGES = "packages"


def parser() -> argparse.ArgumentParser:
    """Give the grammar of the command line."""
    top = argparse.ArgumentParser(
        prog="make demo ARGS=",
        description="A simulated host of 8 GPUs with Prometheus, Alertmanager and, in containers, Grafana.",
    )
    top.add_argument(
        "--way",
        type=Way,
        choices=list(Way),
        default=Way.AUTO,
        help="containers, or programs of this machine (auto: containers where docker or podman answers)",
    )
    for name, flag, _, number in _PORTS:
        top.add_argument(flag, type=int, default=number, metavar="PORT", help=f"of {name} (default {number})")
    top.add_argument("--state", type=Path, default=STATE, metavar="DIR", help="where programs keep their files (var)")
    return top


def main(arguments: Sequence[str]) -> int:
    """Run until SIGINT, SIGTERM or SIGHUP; give the exit code."""
    options = parser().parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: stop.set())
    ports = Ports(
        *(
            Port(name, flag, variable, getattr(options, flag.removeprefix("--").replace("-", "_")))
            for name, flag, variable, _ in _PORTS
        )
    )
    say("SIMULATED: nothing here is measured, nobody is alerted, and owners and prices are examples.")
    try:
        _run(options.way, ports, options.state, stop)
    except DemoError as error:
        sys.stderr.write(f"demo: {error}\n")
        return 1
    return 0


def _run(way: Way, ports: Ports, state: Path, stop: threading.Event) -> None:
    found = engine.Found() if way is Way.PACKAGES else engine.find(os.environ.get("PATH", ""))
    if found.command:
        say(f"In containers, since {found.why}: {' '.join(found.command)} --file {engine.FILE}")
        engine.run(found, ports, stop)
        return
    if way is Way.ENGINE:
        raise DemoError(f"no container engine answers: {found.why}; start one, or take --way packages")
    why = "as wanted" if way is Way.PACKAGES else f"no container engine answers: {found.why}"
    say(f"Without containers, and so without Grafana ({why}).")
    packages.run(ports, state, stop)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
