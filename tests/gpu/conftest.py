"""Fixtures of the tests on real boards: an open source, its first device, and tables for docs/measurements.md."""

import os
from collections.abc import Callable, Iterator, Sequence

import pytest

from tests.nvml.double import CONTROL_ENV
from wattledger.agent.clock import SystemClock
from wattledger.agent.sources.base import SourceError
from wattledger.agent.sources.nvml_source import NvmlSource
from wattledger.rules.quantity import Quantity
from wattledger.rules.reading import Reading

TABLES = pytest.StashKey[list[str]]()
Row = Sequence[object]
Record = Callable[[str, Row, Sequence[Row]], None]


def pytest_configure(config: pytest.Config) -> None:
    """Begin with no table."""
    config.stash[TABLES] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the tables after everything else, to be pasted as they are."""
    for table in config.stash[TABLES]:
        terminalreporter.write_line("")
        terminalreporter.write_line(table)


@pytest.fixture(scope="session")
def source() -> Iterator[NvmlSource]:
    """The source on this host's boards; without one the tests are skipped, and say why."""
    opened = NvmlSource(SystemClock())
    try:
        opened.open()
    except SourceError as failed:
        opened.close()
        pytest.skip(f"no GPU to measure on: {failed.detail}")
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def board(source: NvmlSource) -> Reading:
    """The first device that answers, as first read."""
    for reading in source.read(SystemClock().now()).devices:
        if reading.up:
            return reading
    pytest.skip("no GPU of this host answers")


@pytest.fixture
def idle_board(source: NvmlSource, board: Reading) -> Reading:
    """The first device, if nothing runs on it; what is measured on a busy one is the others' work."""
    for reading in source.read(SystemClock().now()).devices:
        if reading.identity.uuid == board.identity.uuid:
            if reading.processes or reading.values.get(Quantity.UTILIZATION_GPU_RATIO):
                pytest.skip(f"{reading.identity.name} is in use: {len(reading.processes or ())} processes")
            return reading
    pytest.skip(f"{board.identity.uuid} is gone")


@pytest.fixture
def record(request: pytest.FixtureRequest, source: NvmlSource, board: Reading) -> Record:
    """Keep a table for the summary: record(title, head, rows)."""

    def keep(title: str, head: Row, rows: Sequence[Row]) -> None:
        host = source.read(SystemClock().now()).host
        made_up = " **On the test double: no measurement.**" if CONTROL_ENV in os.environ else ""
        lines = [f"### {title}", "", f"{board.identity.name}, driver {host.driver_version}.{made_up}", ""]
        lines += [_line(head), _line(["---"] * len(head)), *map(_line, rows)]
        request.config.stash[TABLES].append("\n".join(lines))

    return keep


def _line(cells: Row) -> str:
    return "| " + " | ".join(f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in cells) + " |"
