r"""RE2's regular expressions in Python's dialect: what has no counterpart is refused, not approximated; uses unknown.

Syntax: github.com/google/re2/wiki/Syntax as far as Go's regexp has it. Refused: `\p`, `\C`, `(?U)`, negated classes
within a class, flags for the rest of a group. Python backtracks where RE2 does not, and holds up the whole process
while it does: `(a+)+b` and `(a|ab)+c` would take for ever on a name of 40 characters, so they are refused too. Where
case is ignored, its `i` is also the Turkish ones, U+0130 and U+0131.
"""

import re
from dataclasses import dataclass, field

_MOST_REPEATS = 1000  # regexp/syntax: "invalid repeat count" above
_MANY = 10  # times from which on a repeat counts as one without end
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
# Words are those of ASCII, while case is that of Unicode: hence the flag within, and none on the whole.
_ZERO_WIDTH = {"b": r"(?a:\b)", "B": r"(?a:\B)", "A": r"\A", "z": r"\Z"}
_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}
_REPEAT = re.compile(r"\{(\d+)(?:,(\d*))?\}", re.ASCII)
_FLAGS_OF_ALL = re.compile(r"\(\?([ims]*)\)")
_GROUP = re.compile(r"\((?:\?(?:P?<(\w+)>|([ims]*)(?:-([ims]+))?([:)]))|(?!\?))", re.ASCII)
_HEXADECIMAL = re.compile(r"\\x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]+)\})")
_OCTAL = re.compile(r"\\(0[0-7]{0,2}|[1-7][0-7]{1,2})")


class Re2Error(ValueError):
    """Says why a pattern is none, or that Python cannot take it in RE2's meaning; the pattern is not repeated."""


def compile_re2(pattern: str, *, matcher: bool) -> re.Pattern[str]:
    """Compile *pattern* so that it finds what it finds in Go.

    With *matcher* it is one of PromQL, which Prometheus wraps as `^(?s:...)$`: use it with `fullmatch`. A dot is any
    character there; the flag m, and a hyphen amid a class such as `[a-c-e]`, are refused. Raises Re2Error.
    """
    walk = _Translation(pattern, matcher)
    try:
        return re.compile(walk.run(), walk.flags)
    except re.error as error:
        raise Re2Error(error.msg) from error  # without its position, which is that of the translation
    except (OverflowError, RecursionError) as error:
        raise Re2Error(str(error)) from error


@dataclass(slots=True)
class _Group:
    """What matters of a group should it be repeated: the character each alternative begins with, empty where it is
    not certain, and whether something within may be there more often or not at all.

    `begins` is so before the first element of an alternative, `first` right behind it.
    """

    varies: bool = False
    beginnings: list[str] = field(default_factory=list)
    begins: bool = True
    first: bool = False

    def note(self, element: str) -> None:
        """Take note of *element*: a character for itself, the empty text for one of many."""
        if self.begins:
            self.beginnings.append(element)
        self.begins, self.first = False, self.begins

    def is_ambiguous(self) -> bool:
        """Tell whether a repeat of the group may match the same text in many ways."""
        several = len(self.beginnings) > 1
        alike = "" in self.beginnings or len(set(self.beginnings)) < len(self.beginnings)
        return self.varies or (several and alike)


@dataclass(slots=True)
class _Translation:
    """A walk over the pattern that writes Python's form of it; `at` is the next character to read."""

    pattern: str
    matcher: bool
    flags: re.RegexFlag = re.NOFLAG
    at: int = 0
    out: list[str] = field(default_factory=list)
    repeatable: bool = False  # whether a quantifier may follow
    groups: list[_Group] = field(default_factory=list)  # those that are open, the innermost last
    closed: _Group | None = None  # the one that a quantifier here would repeat

    def run(self) -> str:
        if self.matcher:
            self.flags = re.DOTALL
        if (group := _FLAGS_OF_ALL.match(self.pattern)) is not None:
            self._refuse_lines(group[0], group[1])
            for letter in group[1]:
                self.flags |= _FLAGS[letter]
            self.at = group.end()
        while self.at < len(self.pattern):
            self._step(self.pattern[self.at])
        return "".join(self.out)

    def _emit(self, text: str, length: int, *, repeatable: bool) -> None:
        self.out.append(text)
        self.at += length
        self.repeatable = repeatable
        self.closed = None

    def _step(self, character: str) -> None:
        self._note(character)
        match character:
            case ".":
                self._emit(character, 1, repeatable=True)
            case ")":
                self._emit(character, 1, repeatable=True)
                self._close()
            case "|":
                self._emit(character, 1, repeatable=False)
            case "^" | "$":
                of_text = r"\A" if character == "^" else r"\Z"
                self._emit(character if self.flags & re.MULTILINE else of_text, 1, repeatable=False)
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

    def _close(self) -> None:
        self.closed = self.groups.pop() if self.groups else None
        if self.closed is not None and self.groups and self.closed.is_ambiguous():
            self.groups[-1].varies = True

    def _note(self, character: str) -> None:
        """Tell the open group what comes next in it."""
        if not self.groups:
            return
        group = self.groups[-1]
        if character in ("|", ")"):
            group.note("")  # it counts where the alternative is empty
            group.begins = True
        elif character in ("*", "?", "{") and group.first:
            group.beginnings[-1] = ""
        elif character == "\\":
            following = self.pattern[self.at + 1 : self.at + 2]
            group.note("" if following.isalnum() else following)
        else:
            group.note("" if character in (".", "[", "(", "^", "$") else character.casefold())

    def _open(self) -> None:
        group = _GROUP.match(self.pattern, self.at)
        if group is None:
            start = self.pattern[self.at : self.at + 3]
            raise Re2Error(f"the group `{start}` is not supported (no look-around, back references, flags x and U)")
        name, on, off, closing = group.groups()
        if closing == ")":
            raise Re2Error("flags for the whole pattern stand at its start, such as (?i)")
        if closing == ":":
            self._refuse_lines(group[0], on + (off or ""))
            opening = f"(?{on}-{off}:" if off else f"(?{on}:"
        else:
            opening = f"(?P<{name}>" if name else "("
        self._emit(opening, len(group[0]), repeatable=False)
        self.groups.append(_Group())

    def _refuse_lines(self, group: str, flags: str) -> None:
        """Refuse the flag m, but for all of a pattern that is no matcher's."""
        if "m" in flags and self.matcher:
            raise Re2Error(f"the flag m of `{group}` is not supported in matchers")
        if "m" in flags and not group.endswith(")"):
            raise Re2Error("write the flag m at the start of the pattern: (?m)")

    def _quantifier(self) -> None:
        text = self.pattern[self.at]
        if text == "{":
            repeat = _REPEAT.match(self.pattern, self.at)
            if repeat is None:
                self._emit(r"\{", 1, repeatable=True)
                return
            text = repeat[0]
            if max(int(repeat[1]), int(repeat[2] or 0)) > _MOST_REPEATS:
                raise Re2Error(f"invalid repeat count {text}, {_MOST_REPEATS} is the most")
        if not self.repeatable:
            raise Re2Error(f"nothing that {text} could repeat")
        self._repeat(text)
        lazy = "?" if self.pattern.startswith("?", self.at + len(text)) else ""
        self._emit(text + lazy, len(text + lazy), repeatable=False)

    def _repeat(self, text: str) -> None:
        """Note a repeat, and refuse it where backtracking may take for ever."""
        repeat = _REPEAT.fullmatch(text)
        least, most = (repeat[1], repeat[1] if repeat[2] is None else repeat[2]) if repeat else ("", "")
        few = text == "?" or (most and int(most) < _MANY)
        if not few and self.closed is not None and self.closed.is_ambiguous():
            raise Re2Error(
                f"the group before {text} holds something of any length or alternatives that may begin alike, which "
                "may take long, if not for ever; write it as one class, such as [a-z0-9-]+"
            )
        if not least or least != most:
            for group in self.groups:
                group.varies = True

    def _escape(self) -> None:
        letter = self.pattern[self.at + 1 : self.at + 2]
        if letter in _ZERO_WIDTH:
            self._emit(_ZERO_WIDTH[letter], 2, repeatable=False)
        elif letter == "Q":
            end = self.pattern.find(r"\E", self.at)
            quoted = self.pattern[self.at + 2 : end if end >= 0 else None]
            self._emit(re.escape(quoted), len(quoted) + (4 if end >= 0 else 2), repeatable=bool(quoted))
        elif letter.lower() in _PERL_CLASSES:
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
        if letter in _CONTROLS:
            return _CONTROLS[letter], 2
        if (hexadecimal := _HEXADECIMAL.match(self.pattern, self.at)) is not None:
            code = int(hexadecimal[1] or hexadecimal[2], 16)
            if code > 0x10FFFF:
                raise Re2Error(f"`{hexadecimal[0]}` is no character")
            return chr(code), len(hexadecimal[0])
        if (octal := _OCTAL.match(self.pattern, self.at)) is not None:
            return chr(int(octal[1], 8)), len(octal[0])
        if letter.isascii() and letter and not letter.isalnum():
            return letter, 2
        raise Re2Error(f"the escape `\\{letter}` is not known here")

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
                raise Re2Error(f"missing ] of `{self.pattern[start:]}`")
            parts.append(self._class_item(first=first))
            first = False
        self._emit("".join(parts) + "]", 1, repeatable=True)

    def _class_item(self, *, first: bool) -> str:
        """Translate one character, range or named class; what Python takes for a set operation is escaped."""
        text, at = self.pattern, self.at
        if text.startswith("[:", at) and (end := text.find(":]", at + 2)) >= 0:
            name = text[at + 2 : end]
            if name not in _POSIX_CLASSES:
                raise Re2Error(f"the class `[:{name}:]` is not known here")
            self.at = end + 2
            return _POSIX_CLASSES[name]
        letter = text[at + 1 : at + 2] if text[at] == "\\" else ""
        if letter in _PERL_CLASSES:
            self.at += 2
            return _PERL_CLASSES[letter]
        if letter and letter.lower() in _PERL_CLASSES:
            raise Re2Error(f"`\\{letter}` within a class is not supported; write the class the other way round")
        if self.matcher and text[at] == "-" and not first and text[at + 1 : at + 2] != "]":
            raise Re2Error("a - within a class is written first, last or as \\-")
        low, length = self._character()
        self.at += length
        if not text.startswith("-", self.at) or text[self.at + 1 : self.at + 2] in ("]", ""):
            return re.escape(low)
        self.at += 1
        high, length = self._character()
        self.at += length
        return f"{re.escape(low)}-{re.escape(high)}"
