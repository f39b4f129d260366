"""Which series a selector means; it knows labels and nothing of samples."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from .regex import compile_anchored


class MatchOp(StrEnum):
    """How a matcher compares the value of its label."""

    EQUAL = "="
    NOT_EQUAL = "!="
    REGEX = "=~"
    NOT_REGEX = "!~"


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label; a label that a series does not have is compared as the empty text.

    Raises RegexError where the pattern is none, or differs between RE2 and Python.
    """

    name: str
    op: MatchOp
    value: str
    _pattern: re.Pattern[str] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        regex = self.op in (MatchOp.REGEX, MatchOp.NOT_REGEX)
        object.__setattr__(self, "_pattern", compile_anchored(self.value) if regex else None)

    def accepts(self, value: str) -> bool:
        """Tell whether the condition holds for *value*."""
        if self._pattern is None:
            return (value == self.value) is (self.op is MatchOp.EQUAL)
        return (self._pattern.fullmatch(value) is not None) is (self.op is MatchOp.REGEX)

    def __str__(self) -> str:
        escaped = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.name}{self.op}"{escaped}"'


def accept_all(matchers: Sequence[Matcher], labels: Mapping[str, str]) -> bool:
    """Tell whether every one of *matchers* accepts a series of these *labels*, the metric name among them."""
    return all(matcher.accepts(labels.get(matcher.name, "")) for matcher in matchers)
