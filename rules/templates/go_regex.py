"""Patterns of `match` and `reReplaceAll`, kept compiled, and Go's replacement; how they are read is RE2's matter."""

import re
from functools import lru_cache

from wattledger.rules.re2 import Re2Error, compile_re2

from .errors import ExpansionError

_NAME = re.compile(r"\$(?:(\w+)|\{(\w+)\}|\$)", re.ASCII)


@lru_cache(maxsize=256)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Give the Python pattern that matches what *pattern* matches in Go.

    Raises ExpansionError for what Go refuses and for what has no counterpart (`\\p{...}`, the flag U).
    """
    try:
        return compile_re2(pattern, matcher=False)
    except Re2Error as error:
        raise ExpansionError(f"the pattern `{pattern}` is not valid: {error}") from None


def replaced(pattern: re.Pattern[str], template: str, text: str) -> str:
    """Replace each match, as ReplaceAllString does: an empty match right behind another does not count."""
    out: list[str] = []
    done = position = 0
    while position <= len(text):
        match = pattern.search(text, position)
        if match is None:
            break
        out.append(text[done : match.start()])
        if match.end() > done or match.start() == 0:
            out.append(_expanded(template, match))
        done = match.end()
        position = max(done, position + 1)  # at least one character further, even if nothing was matched
    out.append(text[done:])
    return "".join(out)


def _expanded(template: str, match: re.Match[str]) -> str:
    """Fill `$1`, `${1}`, `$name` and `$$`; a group that is not there is empty."""

    def group(name: re.Match[str]) -> str:
        key = name[1] or name[2]
        if key is None:
            return "$"
        if key == "0" or (key.isdigit() and key[0] != "0"):
            return (match[int(key)] or "") if int(key) <= (match.re.groups) else ""
        return (match[key] or "") if key in match.re.groupindex else ""

    return _NAME.sub(group, template)
