"""Cuts a template into texts and tokens, trim markers applied; what tokens mean together is the parser's matter."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from .errors import TemplateSyntaxError

_LEFT, _RIGHT = "{{", "}}"
_BLANK = " \t\r\n"
_WORD = r"(?:[^\W\d]|_)\w*"
_TOKENS = re.compile(
    rf"""(?P<blank>[ \t\r\n]+)
    |(?P<number>[+-]?(?:0[xX][0-9a-fA-F_.]*(?:[pP][+-]?\d+)?|\.?\d[\w.]*(?:(?<=[eE])[+-]\d+)?))
    |(?P<variable>\$(?:\w*))
    |(?P<field>\.{_WORD})
    |(?P<word>{_WORD})
    |(?P<text>"(?:[^"\\\n]|\\[^\n])*")
    |(?P<raw>`[^`]*`)
    |(?P<rune>'(?:[^'\\\n]|\\[^\n])+')
    |(?P<declare>:=)
    |(?P<mark>[=|(),.])""",
    re.VERBOSE,
)
_ENDS_OPERAND = frozenset(_BLANK + ".,|:()=")


class TokenKind(StrEnum):
    """What a token is."""

    PLAIN = "plain"  # text outside of actions
    LEFT = "left"
    RIGHT = "right"
    BLANK = "blank"
    NUMBER = "number"
    VARIABLE = "variable"
    FIELD = "field"
    WORD = "word"
    TEXT = "text"
    RAW = "raw"
    RUNE = "rune"
    DECLARE = "declare"
    MARK = "mark"
    END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the template. `offset` counts characters from its start."""

    kind: TokenKind
    text: str
    offset: int


def syntax_error(source: str, offset: int, reason: str) -> TemplateSyntaxError:
    """Make the error of what is wrong at *offset* of *source*."""
    line_start = source.rfind("\n", 0, offset) + 1
    return TemplateSyntaxError(reason, line=source.count("\n", 0, offset) + 1, column=offset - line_start + 1)


def tokens(source: str) -> Iterator[Token]:
    """Give the tokens of *source*, the last one END.

    Raises TemplateSyntaxError.
    """
    position, trim_start = 0, False
    while True:
        left = source.find(_LEFT, position)
        plain = source[position:] if left < 0 else source[position:left]
        if trim_start:
            plain = plain.lstrip(_BLANK)
        trims = left >= 0 and _trims_left(source, left + 2)
        if trims:
            plain = plain.rstrip(_BLANK)
        if plain:
            yield Token(TokenKind.PLAIN, plain, position)
        if left < 0:
            yield Token(TokenKind.END, "", len(source))
            return
        inside = left + 2 + (2 if trims else 0)
        if source.startswith("/*", inside):
            position, trim_start = _after_comment(source, left, inside)
            continue
        yield Token(TokenKind.LEFT, _LEFT, left)
        for token in _action(source, left, inside):
            yield token
            position = token.offset + len(token.text)
        trim_start = source[position - 3 : position - 2] == "-" and source[position - 4 : position - 3] in _BLANK


def _trims_left(source: str, position: int) -> bool:
    return source[position : position + 1] == "-" and source[position + 1 : position + 2] in tuple(_BLANK)


def _after_comment(source: str, left: int, inside: int) -> tuple[int, bool]:
    end = source.find("*/", inside + 2)
    if end < 0:
        raise syntax_error(source, left, "the comment is not closed; end it with */}}")
    end += 2
    if source.startswith(_RIGHT, end):
        return end + 2, False
    if source[end : end + 1] in tuple(_BLANK) and source.startswith("-" + _RIGHT, end + 1):
        return end + 4, True
    raise syntax_error(source, end, "a comment fills its action alone; write }} right after */")


def _action(source: str, left: int, position: int) -> Iterator[Token]:
    """Give the tokens of one action up to RIGHT, which starts with its trim marker's dash where there is one."""
    depth = 0
    while True:
        if source.startswith(_RIGHT, position):
            if depth:
                raise syntax_error(source, position, "a parenthesis is not closed; add `)` before }}")
            yield Token(TokenKind.RIGHT, _RIGHT, position)
            return
        match = _TOKENS.match(source, position)
        if match is None:
            raise _bad(source, left, position)
        kind = TokenKind(match.lastgroup or "")
        text = match.group()
        if kind is TokenKind.BLANK:
            yield Token(kind, text, position)
            position = match.end()
            if source.startswith("-" + _RIGHT, position):
                position += 1
            continue
        if kind is TokenKind.MARK:
            depth += {"(": 1, ")": -1}.get(text, 0)
            if depth < 0:
                raise syntax_error(source, position, "this `)` closes nothing; remove it")
        _check_end(source, match.end(), kind, text)
        yield Token(kind, text, position)
        position = match.end()


def _check_end(source: str, end: int, kind: TokenKind, text: str) -> None:
    """Refuse what stands glued to a word, field or variable."""
    if kind not in (TokenKind.WORD, TokenKind.FIELD, TokenKind.VARIABLE, TokenKind.NUMBER):
        return
    following = source[end : end + 1]
    if following and following not in _ENDS_OPERAND and not source.startswith(_RIGHT, end):
        raise syntax_error(source, end, f"unexpected `{following}` after `{text}`; put a blank between")


def _bad(source: str, left: int, position: int) -> TemplateSyntaxError:
    character = source[position : position + 1]
    if not character:
        return syntax_error(source, left, "the action is not closed; end it with }}")
    if character in "\"'":
        return syntax_error(source, position, "the text is not closed before the end of its line; add the quote")
    if character == "`":
        return syntax_error(source, position, "the text is not closed; add the backquote")
    if source.startswith("/*", position):
        return syntax_error(source, position, "a comment fills its action alone; write {{/* ... */}}")
    if character == "{":
        return syntax_error(source, position, "an action stands inside an action; close the first with }}")
    return syntax_error(source, position, f"unexpected `{character}`; it has no meaning in an action")
