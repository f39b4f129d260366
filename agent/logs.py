"""Log lines on stderr: logfmt for people and journals, JSON where asked for."""

import logging
import sys
from datetime import UTC, datetime
from enum import StrEnum
from typing import IO


class LogFormat(StrEnum):
    """How a line looks."""

    AUTO = "auto"  # logfmt
    LOGFMT = "logfmt"
    JSON = "json"


class _Formatter(logging.Formatter):
    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds")
        part = record.name.removeprefix("wattledger.")
        level = record.levelname.lower()
        message = record.getMessage()
        if record.exc_info:
            message += "\n" + self.formatException(record.exc_info)
        if self._as_json:
            import json  # noqa: PLC0415  (only where JSON is asked for)

            return json.dumps({"time": moment, "level": level, "part": part, "message": message})
        return f"{moment} {level} {part}: {message}"


def set_up_logs(level: str, form: LogFormat, stream: IO[str] | None = None) -> None:
    """Send all log lines from *level* up to *stream*, stderr by default."""
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(_Formatter(as_json=form is LogFormat.JSON))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
