r"""Regular expressions of RE2 in Python's dialect; what means something else in Python is refused, not approximated.

Syntax: github.com/google/re2/wiki/Syntax as far as Go's regexp has it. Refused: `\p`, `\C`, `(?U)`, `(?m)`, flags in
the middle of a group. Python backtracks where RE2 does not: `(a+)+b` may take long on a long text.
"""

import re
from dataclasses import dataclass, field

_MAX_REPEAT = 1000  # regexp/syntax: "invalid repeat count" above
_PERL_CLASSES = {"d": "0-9", "w": "0-9A-Za-z_", "s": r"\t\n\f\r "}
_POSIX_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7f",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_CONTROLS = {"a": "\a", "f": "\f", "t": "\t", "n": "\n", "r": "\r", "v": "\v"}
_ZERO_WIDTH = {"b": r"(?a:\b)", "B": r"(?a:\B)", "A": r"\A", "z": r"\Z"}
_REPEAT = re.compile(r"\{(\d+)(,(\d*))?\}")
_GROUP_NAME = re.compile(r"\?P?<(\w+)>", re.ASCII)
_HEXADECIMAL = re.compile(r"\\x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]+)\})")
_OCTAL = re.compile(r"\\(0[0-7]{0,2}|[1-7][0-7]{1,2})")
_GROUP_FLAGS = re.compile(r"\?([is]*)([:)])")


class RegexError(ValueError):
    """A pattern that is wrong, or that Python cannot take in RE2's meaning."""


def compile_anchored(pattern: str) -> re.Pattern[str]:
    """Compile *pattern* as Prometheus does, where a dot is any character; use it with `fullmatch`."""
    translated = _Translation(pattern).run()
    try:
        return re.compile(translated)
    except (re.error, OverflowError, RecursionError) as error:
        raise RegexError(f"regular expression {pattern!r}: {error}") from error


@dataclass(slots=True)
class _Translation:
    """A walk over the pattern that writes Python's form of it; `at` is the next character to read."""

    pattern: str
    at: int = 0
    out: list[str] = field(default_factory=list)
    repeatable: bool = False  # whether a quantifier may follow

    def run(self) -> str:
        head = "s"
        if (flags := re.match(r"\(\?([is]+)\)", self.pattern)) is not None:
            head += "i" if "i" in flags[1] else ""
            self.at = flags.end()
        depth = 0
        while self.at < len(self.pattern):
            character = self.pattern[self.at]
            depth += (character == "(") - (character == ")")
            if depth < 0:
                raise self._error("unbalanced )")
            self._step(character)
        if depth:
            raise self._error("missing )")
        return f"(?{head}:{''.join(self.out)})"

    def _error(self, reason: str) -> RegexError:
        return RegexError(f"regular expression {self.pattern!r}: {reason}")

    def _emit(self, text: str, length: int, *, repeatable: bool) -> None:
        self.out.append(text)
        self.at += length
        self.repeatable = repeatable

    def _step(self, character: str) -> None:
        match character:
            case "." | ")":
                self._emit(character, 1, repeatable=True)
            case "|":
                self._emit(character, 1, repeatable=False)
            case "^" | "$":
                self._emit(r"\A" if character == "^" else r"\Z", 1, repeatable=False)
            case "(":
                self._open()
            case "[":
                self._class()
            case "\\":
                self._escape()
            case "*" | "+" | "?" | "{":
                self._quantifier()
            case _:
                self._emit(re.escape(character), 1, repeatable=True)

    def _open(self) -> None:
        rest = self.pattern[self.at + 1 :]
        if not rest.startswith("?"):
            self._emit("(", 1, repeatable=False)
        elif (name := _GROUP_NAME.match(rest)) is not None:
            self._emit(f"(?P<{name[1]}>", 1 + name.end(), repeatable=False)
        elif (flags := _GROUP_FLAGS.match(rest)) is not None and flags[2] == ":":
            self._emit("(?i:" if "i" in flags[1] else "(?:", 1 + flags.end(), repeatable=False)
        else:
            raise self._error(f"the group ({rest[:3]} is not supported")

    def _quantifier(self) -> None:
        text = self.pattern[self.at]
        if text == "{":
            repeat = _REPEAT.match(self.pattern, self.at)
            if repeat is None:
                self._emit(r"\{", 1, repeatable=True)
                return
            text = repeat[0]
            low = int(repeat[1])
            high = int(repeat[3]) if repeat[3] else low
            if high < low or high > _MAX_REPEAT:
                raise self._error(f"invalid repeat count {text}")
        if not self.repeatable:
            raise self._error(f"nothing that {text} could repeat")
        lazy = "?" if self.pattern.startswith("?", self.at + len(text)) else ""
        self._emit(text + lazy, len(text + lazy), repeatable=False)

    def _escape(self) -> None:
        letter = self.pattern[self.at + 1 : self.at + 2]
        if letter in _ZERO_WIDTH and letter:
            self._emit(_ZERO_WIDTH[letter], 2, repeatable=False)
        elif letter == "Q":
            end = self.pattern.find(r"\E", self.at)
            quoted = self.pattern[self.at + 2 : end if end >= 0 else None]
            self._emit("".join(map(re.escape, quoted)), len(quoted) + (4 if end >= 0 else 2), repeatable=bool(quoted))
        elif letter.lower() in _PERL_CLASSES and letter:
            negated = "^" if letter.isupper() else ""
            self._emit(f"[{negated}{_PERL_CLASSES[letter.lower()]}]", 2, repeatable=True)
        else:
            character, length = self._character()
            self._emit(re.escape(character), length, repeatable=True)

    def _character(self) -> tuple[str, int]:
        """Give the character at `at`, written plain or by an escape, and the length of its writing."""
        if self.pattern[self.at] != "\\":
            return self.pattern[self.at], 1
        letter = self.pattern[self.at + 1 : self.at + 2]
        if letter in _CONTROLS and letter:
            return _CONTROLS[letter], 2
        if (hexadecimal := _HEXADECIMAL.match(self.pattern, self.at)) is not None:
            code = int(hexadecimal[1] or hexadecimal[2], 16)
            if code <= 0x10FFFF:
                return chr(code), len(hexadecimal[0])
        elif (octal := _OCTAL.match(self.pattern, self.at)) is not None:
            return chr(int(octal[1], 8)), len(octal[0])
        elif letter.isascii() and letter and not letter.isalnum():
            return letter, 2
        raise self._error(f"the escape \\{letter} is not supported")

    def _class(self) -> None:
        start = self.at
        self.at += 1
        parts = ["["]
        if self.pattern.startswith("^", self.at):
            parts.append("^")
            self.at += 1
        first = True
        while first or not self.pattern.startswith("]", self.at):
            if self.at >= len(self.pattern):
                raise self._error(f"missing ] of {self.pattern[start:]}")
            parts.append(self._class_item(first=first))
            first = False
        self.out.append("".join(parts) + "]")
        self.at += 1
        self.repeatable = True

    def _class_item(self, *, first: bool) -> str:
        text, at = self.pattern, self.at
        if text.startswith("[:", at) and (end := text.find(":]", at + 2)) >= 0:
            name = text[at + 2 : end]
            if name not in _POSIX_CLASSES:
                raise self._error(f"the class [:{name}:] is not supported")
            self.at = end + 2
            return _POSIX_CLASSES[name]
        if text[at] == "\\" and text[at + 1 : at + 2] in _PERL_CLASSES:
            self.at += 2
            return _PERL_CLASSES[text[at + 1]]
        if text[at] == "-" and not first and text[at + 1 : at + 2] != "]":
            raise self._error("a - within a class is written first, last or as \\-")
        low, length = self._character()
        self.at += length
        if not (text.startswith("-", self.at) and self.at + 1 < len(text) and text[self.at + 1] != "]"):
            return re.escape(low) if low != "^" else r"\^"
        self.at += 1
        high, length = self._character()
        self.at += length
        if high < low:
            raise self._error(f"invalid range {low}-{high}")
        return f"{re.escape(low)}-{re.escape(high)}"
