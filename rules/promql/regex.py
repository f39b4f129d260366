"""Patterns of matchers and of `label_replace`, always about the whole text; how they are read is RE2's matter."""

import re

from wattledger.rules.re2 import Re2Error, compile_re2


class RegexError(ValueError):
    """A pattern that is wrong, or that Python cannot take in RE2's meaning."""


def compile_anchored(pattern: str) -> re.Pattern[str]:
    """Compile *pattern* as Prometheus does, where a dot is any character; use it with `fullmatch`."""
    try:
        return compile_re2(pattern, matcher=True)
    except Re2Error as error:
        raise RegexError(f"regular expression {pattern!r}: {error}") from error
