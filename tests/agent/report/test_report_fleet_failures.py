"""What a user is told when the report of a fleet fails: in the words of the command line, on a line of its own."""

import io
from dataclasses import replace
from pathlib import Path

import pytest

from tests.agent.feeds.feed_server import Reply, serving
from tests.agent.report.fleet import END_NS, START_NS, FleetServer
from tests.agent.report.reading import read_source
from wattledger.agent.report.from_prometheus import PrometheusSource
from wattledger.agent.report.progress import Progress
from wattledger.agent.report.prometheus_api import PrometheusPlace
from wattledger.agent.report.source import ReportError

SPAN = (START_NS, END_NS)
NOBODY = PrometheusPlace("https://127.0.0.1:1")


class Terminal(io.StringIO):
    """A terminal that remembers."""

    def isatty(self) -> bool:
        return True


def refused(place: PrometheusPlace, *, progress: Progress | None = None) -> str:
    with pytest.raises(ReportError) as caught:
        read_source(PrometheusSource(place, *SPAN, environment={}, progress=progress), SPAN)
    return str(caught.value)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (replace(NOBODY, username="me", password_file=Path("/nowhere")), "--password-file /nowhere cannot be read"),
        (replace(NOBODY, ca_file=Path("/nowhere")), "--ca-file /nowhere: "),
    ],
    ids=["password", "CA"],
)
def test_a_file_is_named_by_its_flag(place: PrometheusPlace, words: str) -> None:
    assert refused(place).startswith(words)


def test_matchers_that_are_none_are_told_in_readable_words() -> None:
    error = {"status": "error", "errorType": "bad_data", "error": '1:52: parse error: unexpected "}" in matching'}
    with serving(FleetServer(broken=Reply(error, status=400))) as listening:
        words = refused(PrometheusPlace(listening.url, match="job="))
    assert "parse error: unexpected '}' in matching; write --match as PromQL has it" in words


def test_the_line_of_a_reading_that_fails_is_cleared_for_the_reason() -> None:
    terminal = Terminal()
    with serving(FleetServer(most_samples=3)) as listening:
        assert "too many samples" in refused(PrometheusPlace(listening.url), progress=Progress(terminal))
    shown = terminal.getvalue()
    assert "%" in shown
    assert shown.endswith("\r\x1b[K")
