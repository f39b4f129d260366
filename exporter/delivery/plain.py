"""How foreign text and times are written for receivers and for the log; it knows no alert."""

from __future__ import annotations

import time

_SHOWN_CHARACTERS = 400

# What Go writes for the zero time; Alertmanager's webhook has it where an alert has not ended.
NO_MOMENT = "0001-01-01T00:00:00Z"


def rfc3339(unix_ms: int) -> str:
    """Write a Unix time in UTC with milliseconds (RFC 3339)."""
    seconds, milliseconds = divmod(unix_ms, 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{milliseconds:03}Z"


def encodable(text: str) -> str:
    """Give *text* with `?` for the lone surrogates of undecodable bytes, which no receiver could read."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def one_line(text: str, *, secrets: tuple[str, ...] = ()) -> str:
    """Give the first line of *text* that says something, without *secrets*, as `quotable` does."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return quotable(next((line for line in text.splitlines() if line.strip()), ""))


def quotable(text: str) -> str:
    """Give *text* short, printable and free of double quotes, for a log line that has it in such."""
    shown = "".join(character if character.isprintable() else "?" for character in text.strip())
    shown = shown.replace('"', "'")
    return shown if len(shown) <= _SHOWN_CHARACTERS else shown[:_SHOWN_CHARACTERS] + "..."
