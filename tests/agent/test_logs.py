"""What a log line looks like."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import datetime

import pytest

from wattledger.agent.logs import LogFormat, set_up_logs


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    """Give the root logger back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def logged(form: LogFormat, level: str = "info") -> io.StringIO:
    stream = io.StringIO()
    set_up_logs(level, form, stream)
    return stream


@pytest.mark.parametrize("form", [LogFormat.AUTO, LogFormat.LOGFMT])
def test_a_line_has_moment_level_part_and_message(form: LogFormat) -> None:
    stream = logged(form)
    logging.getLogger("wattledger.agent.daemon").warning("sampler lost pid=%d", 7)
    moment, level, part, message = stream.getvalue().rstrip("\n").split(" ", 3)
    assert datetime.fromisoformat(moment).tzinfo is not None
    assert (level, part, message) == ("warning", "agent.daemon:", "sampler lost pid=7")


def test_json_is_one_object_a_line_whatever_the_message_holds() -> None:
    stream = logged(LogFormat.JSON)
    logging.getLogger("wattledger.agent").error('a "quote",\na line and \udce9')
    logging.getLogger("other").error("second")
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (first["level"], first["part"], first["message"]) == ("error", "agent", 'a "quote",\na line and \udce9')
    assert set(second) == {"time", "level", "part", "message"}
    assert second["part"] == "other"


@pytest.mark.parametrize("form", [LogFormat.LOGFMT, LogFormat.JSON])
def test_a_traceback_stands_in_the_message(form: LogFormat) -> None:
    stream = logged(form)
    try:
        int("the reason")
    except ValueError:
        logging.getLogger("wattledger").exception("it broke")
    assert "it broke" in stream.getvalue()
    assert "ValueError: invalid literal" in stream.getvalue()


def test_lines_below_the_level_are_left_out() -> None:
    stream = logged(LogFormat.LOGFMT, "warning")
    logging.getLogger("wattledger").info("not this")
    logging.getLogger("wattledger").warning("but this")
    assert [line.rsplit(": ", 1)[1] for line in stream.getvalue().splitlines()] == ["but this"]


def test_setting_up_twice_logs_once() -> None:
    logged(LogFormat.LOGFMT)
    stream = logged(LogFormat.LOGFMT)
    logging.getLogger("wattledger").info("once")
    assert stream.getvalue().count("once") == 1


def test_lines_go_to_stderr_and_not_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("info", LogFormat.AUTO)
    logging.getLogger("wattledger").info("here")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "here" in captured.err
