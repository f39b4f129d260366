"""The text of an expression to the parser's tree, or the reason and place why not; it gives the tree no meaning.

The parser is promql-parser; what it takes otherwise than Prometheus is set right or refused here.
"""

import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .calls import refuse
from .model import PromqlError
from .operators import ARITHMETIC, COMPARISON, SETS
from .tokens import Kind, Token, tokens_of

if TYPE_CHECKING:
    from promql_parser import Expr

_NO_REASON = "invalid promql query"
# What may follow a piece of an expression: where none of these makes it whole, its last token is the wrong one.
_ENDINGS = (
    "",
    "x",
    "(x)",
    "a)(x)",
    ")(x)",
    "x[5m])",
    "5m",
    "5m]",
    "]",
    '="b"}',
    '"b"}',
    "1",
    "()",
    ")",
    "(a) x",
    '"a"',
)
# The parser recurses on the native stack, which some thousands of these overflow: the process would be gone.
_MAX_NESTING = 300
_NESTING = frozenset({"(", *ARITHMETIC, *COMPARISON, *SETS})
# Other reasons speak of types, which an ending cannot set right.
_OF_SYNTAX = ("unexpected", "unclosed", "unknown function")
_MAX_DURATION_S = 2**63 / 1e9  # Go's, some 292 years
_MAX_TIME_S = 253_402_300_799  # the end of the year 9999, as far as Python's calendar goes
_UNIT_S = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000}
_PART = re.compile(r"(\d+)(ms|[smhdwy])", re.ASCII)
_DURATION = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)
_NAMES_A_WORD = re.compile(r"'([^']+)'|name '([^']+)'")


def parse(text: str) -> tuple["Expr", tuple[Token, ...]]:
    """Give the tree of *text* and its tokens; raises PromqlError."""
    from promql_parser import parse as parse_text  # noqa: PLC0415 - a native library, loaded only where rules are

    tokens = tokens_of(text)
    if not tokens:
        raise PromqlError(0, "the expression is empty")
    _refuse_misread(tokens)
    try:
        return parse_text(_without_raw_strings(text, tokens)), tokens
    except ValueError as error:
        reason = str(error)
        for token in tokens:  # some that are refused with a better reason are unknown to the parser
            if f"unknown function with name '{token.text}'" == reason:
                refuse(token.text, token.position)
        raise PromqlError(_place(text, tokens, reason), _in_words(reason)) from error


def _in_words(reason: str) -> str:
    return "unexpected end or token" if reason == _NO_REASON else reason


def _refuse_misread(tokens: tuple[Token, ...]) -> None:
    """Refuse what the parser would take for something else, or end the process over."""
    nesting = [token.position for token in tokens if token.text.casefold() in _NESTING]
    if len(nesting) > _MAX_NESTING:
        raise PromqlError(nesting[_MAX_NESTING], f"more than {_MAX_NESTING} operators and brackets: split the rule")
    for before, token in zip((None, *tokens), tokens, strict=False):
        if before is not None and before.text == "@" and token.text == "-":
            raise PromqlError(token.position, "@ takes no time before 1970")
        if token.kind is Kind.NUMBER and _is_out_of_range(token.text):
            raise PromqlError(token.position, f"the number {token.text} is out of range")
    for token in _times_of(tokens):
        if token.text.casefold() in ("inf", "nan") or (_float_of(token.text) or 0.0) > _MAX_TIME_S:
            raise PromqlError(token.position, f"the time {token.text} is out of range")


def _times_of(tokens: tuple[Token, ...]) -> Iterator[Token]:
    """Give what stands as a time: after `offset`, `@`, `[` and the colon of a subquery, with a sign or without."""
    awaited = False
    for token in tokens:
        if awaited and token.text not in ("+", "-"):
            yield token
        awaited = token.text.casefold() in ("offset", "@", "[", ":") or (awaited and token.text in ("+", "-"))


def _is_out_of_range(text: str) -> bool:
    if _DURATION.fullmatch(text):
        return sum(int(count) * _UNIT_S[unit] for count, unit in _PART.findall(text)) > _MAX_DURATION_S
    return _float_of(text) == math.inf


def _float_of(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None  # a duration, or hexadecimal


def _without_raw_strings(text: str, tokens: tuple[Token, ...]) -> str:
    """Write strings in backquotes, in which the parser would see escapes, as quoted ones."""
    for token in reversed(tokens):
        if token.kind is Kind.STRING and token.text[0] == "`":
            escaped = token.text[1:-1].replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
            text = f'{text[: token.position]}"{escaped}"{text[token.position + len(token.text) :]}'
    return text


def _place(text: str, tokens: tuple[Token, ...], reason: str) -> int:
    """Find the token that *reason* is about: the one it names, else the first that cannot stand where it stands."""
    for token in tokens:
        if token.kind is Kind.UNKNOWN:
            return token.position
    for named in _NAMES_A_WORD.finditer(reason):
        word = named[1] or named[2]
        for token in tokens:
            if token.text == word or (token.kind is Kind.STRING and token.text[1:-1] == word):
                return token.position
    if "end of input" in reason:
        return len(text)
    if reason.startswith("unclosed"):
        return _last_unclosed(tokens)
    return tokens[0].position if reason != _NO_REASON else _first_misplaced(text, tokens)


def _last_unclosed(tokens: tuple[Token, ...]) -> int:
    opened = [tokens[0].position]
    for token in tokens:
        if token.text == "(":
            opened.append(token.position)
        elif token.text == ")" and len(opened) > 1:
            opened.pop()
    return opened[-1]


def _first_misplaced(text: str, tokens: tuple[Token, ...]) -> int:
    open_brackets = ""
    for token in tokens:
        if token.text in ("(", "[", "{"):
            open_brackets = {"(": ")", "[": "]", "{": "}"}[token.text] + open_brackets
        elif open_brackets.startswith(token.text):
            open_brackets = open_brackets[1:]
        if not _can_be_completed(text[: token.position + len(token.text)], open_brackets):
            return token.position
    return len(text)


def _can_be_completed(piece: str, open_brackets: str) -> bool:
    from promql_parser import parse as parse_text  # noqa: PLC0415 - as above

    for ending in _ENDINGS:
        for closing in {open_brackets, open_brackets[1:]}:
            try:
                parse_text(f"{piece} {ending} {closing}")
            except ValueError as error:
                if str(error) == _NO_REASON or any(words in str(error) for words in _OF_SYNTAX):
                    continue
            return True
    return False
