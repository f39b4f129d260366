"""Where the words of an expression stand; it splits text and knows no grammar.

The parser gives no positions, so a tree is walked in the order of the text and each node takes its token from here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a token is."""

    NAME = "name"
    NUMBER = "number"
    STRING = "string"
    SIGN = "sign"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Token:
    """A word of an expression; `position` counts characters from 0."""

    kind: Kind
    text: str
    position: int


_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
    |(?P<name>[A-Za-z_:][A-Za-z0-9_:]*)
    |(?P<number>0[xX][0-9A-Fa-f]+|(?:\d[\w.]*|\.\d\w*)(?:(?<=[eE])[+-]\d+)?)
    |(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)
    |(?P<sign>==|!=|=~|!~|>=|<=|[-+*/%^=<>(){}\[\],:@])
    |(?P<unknown>.)""",
    re.VERBOSE | re.ASCII | re.DOTALL,
)


def tokens_of(text: str) -> tuple[Token, ...]:
    """Split *text*; spaces and comments are left out, what is no token is one of the kind UNKNOWN."""
    return tuple(
        Token(Kind(str(match.lastgroup)), match[0], match.start())
        for match in _TOKEN.finditer(text)
        if match.lastgroup != "space"
    )


@dataclass(slots=True)
class Cursor:
    """A place in the text that only moves on, as the tree is walked in the same order."""

    tokens: Sequence[Token]
    at: int = 0

    def take(self, text: str) -> int:
        """Pass the next token *text*, whatever its case, and give its position; the place stays where there is none.

        What braces and brackets hold is passed over, and the sign of an offset is no operator.
        """
        depth = 0
        for index in range(self.at, len(self.tokens)):
            token = self.tokens[index]
            if depth <= 0 and token.text.casefold() == text and not self._signs_an_offset(index):
                self.at = index + 1
                return token.position
            depth += (token.text in ("{", "[")) - (token.text in ("}", "]"))
        return self.tokens[min(self.at, len(self.tokens) - 1)].position

    def pass_modifiers(self) -> None:
        """Pass `bool`, and `by (...)` and its like, which hold names of labels and not of metrics."""
        while self.at < len(self.tokens) and self.tokens[self.at].text.casefold() in _MODIFIERS:
            self.at += 1
            if self.at < len(self.tokens) and self.tokens[self.at].text == "(" and self._before() != "bool":
                while self.at < len(self.tokens) and self.tokens[self.at].text != ")":
                    self.at += 1
                self.at += 1

    def _before(self) -> str:
        return self.tokens[self.at - 1].text.casefold()

    def _signs_an_offset(self, index: int) -> bool:
        return index > 0 and self.tokens[index - 1].text.casefold() in ("offset", "@")


_MODIFIERS = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right", "bool"})
