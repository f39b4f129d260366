"""Go's regular expressions (RE2) in Python's dialect; what has no counterpart is refused, not approximated."""

import re
from functools import lru_cache

from .errors import ExpansionError

_SPACES = "\\t\\n\\f\\r\\x20"
_WORDS = {"d": "0-9", "w": "0-9A-Za-z_", "s": _SPACES}
_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": "\\x00-\\x7f",
    "blank": "\\t\\x20",
    "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": "\\x20-~",
    "punct": "!-/:-@\\[-`{-~",
    "space": "\\t\\n\\v\\f\\r\\x20",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_ESCAPED_CHARACTER = re.compile(
    r"\\(?:x\{([0-9A-Fa-f]{1,6})\}|x([0-9A-Fa-f]{2})|(0[0-7]{0,2}|[1-7][0-7]{1,2})|([afnrtv]))"
)
_REPEAT = re.compile(r"\{(\d+)(?:,(\d*))?\}", re.ASCII)
_GROUP = re.compile(r"\((?:\?(?:P?<([A-Za-z_]\w*)>|([ims]*)(?:-([ims]+))?(:|\))))?", re.ASCII)
_MOST_REPEATS = 1000  # RE2's own limit
_NAME = re.compile(r"\$(?:(\w+)|\{(\w+)\}|\$)", re.ASCII)
_SPECIAL_IN_CLASS = frozenset("[]^-&~|\\")


@lru_cache(maxsize=256)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Give the Python pattern that matches what *pattern* matches in Go.

    Raises ExpansionError for what Go refuses and for what has no counterpart (`\\p{...}`, the flag U).
    """
    try:
        return re.compile(_Translation(pattern).run(), re.ASCII)
    except (re.error, OverflowError) as error:
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
        if key.isdigit():
            return (match[int(key)] or "") if int(key) <= (match.re.groups) else ""
        return (match[key] or "") if key in match.re.groupindex else ""

    return _NAME.sub(group, template)


class _Translation:
    """One pass over a pattern."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._repeatable = False
        self._flags = ""

    def run(self) -> str:
        out: list[str] = []
        while self._at < len(self._pattern):
            out.append(self._piece())
        flags = f"(?{''.join(sorted(set(self._flags)))})" if self._flags else ""
        return flags + "".join(out)

    def _refuse(self, reason: str) -> ExpansionError:
        return ExpansionError(f"the pattern `{self._pattern}` is not supported: {reason}")

    def _piece(self) -> str:
        character = self._pattern[self._at]
        if character == "\\":
            return self._escape()
        if character == "[":
            self._repeatable = True
            return self._class()
        if character == "(":
            return self._group()
        if character in "*+?" or _REPEAT.match(self._pattern, self._at):
            return self._repetition()
        self._at += 1
        self._repeatable = character != "|"
        if character == "$":
            return "$" if "m" in self._flags else r"\Z"
        if character in "^|).":
            return character
        return re.escape(character)

    def _repetition(self) -> str:
        if not self._repeatable:
            raise self._refuse("a repetition follows nothing that could be repeated")
        counted = _REPEAT.match(self._pattern, self._at)
        text = counted.group() if counted else self._pattern[self._at]
        if counted and max(int(counted[1]), int(counted[2] or 0)) > _MOST_REPEATS:
            raise self._refuse(f"it repeats more than {_MOST_REPEATS} times")
        self._at += len(text)
        if self._pattern[self._at : self._at + 1] == "?":
            self._at += 1
            text += "?"
        self._repeatable = False
        return text

    def _group(self) -> str:
        match = _GROUP.match(self._pattern, self._at)
        rest = self._pattern[self._at : self._at + 3]
        if match is None or (match.group() == "(" and rest[1:2] == "?"):
            raise self._refuse(f"`{rest}` has no meaning in Go (no look-around, no back references)")
        name, flags, without, closing = match.groups()
        start = self._at
        self._at = match.end()
        self._repeatable = False
        if name:
            return f"(?P<{name}>"
        if closing == ")":
            if start or without:
                raise self._refuse("flags for the whole pattern stand at its start, such as (?i)")
            self._flags += flags
            return ""
        if closing == ":":
            if "m" in flags + (without or ""):
                raise self._refuse("write the flag m at the start of the pattern: (?m)")
            return f"(?{flags}{'-' + without if without else ''}:"
        return "("

    def _escape(self) -> str:
        letter = self._pattern[self._at + 1 : self._at + 2]
        if letter == "Q":
            end = self._pattern.find("\\E", self._at)
            quoted = self._pattern[self._at + 2 : end if end >= 0 else None]
            self._at = end + 2 if end >= 0 else len(self._pattern)
            self._repeatable = bool(quoted)
            return re.escape(quoted)
        self._repeatable = letter not in ("b", "B", "A", "z")
        if letter.lower() in _WORDS and letter:
            self._at += 2
            return f"[{'^' if letter.isupper() else ''}{_WORDS[letter.lower()]}]"
        if letter in ("b", "B", "A", "z"):
            self._at += 2
            return r"\Z" if letter == "z" else "\\" + letter
        return re.escape(self._escaped_character())

    def _escaped_character(self) -> str:
        coded = _ESCAPED_CHARACTER.match(self._pattern, self._at)
        if coded:
            self._at = coded.end()
            braced, plain, octal, letter = coded.groups()
            if letter:
                return {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}[letter]
            code = int(octal, 8) if octal else int(braced or plain, 16)
            if code > 0x10FFFF:
                raise self._refuse(f"`{coded.group()}` is no character")
            return chr(code)
        letter = self._pattern[self._at + 1 : self._at + 2]
        if not letter or letter.isalnum() or not letter.isascii():
            raise self._refuse(f"the escape `\\{letter}` is not known here")
        self._at += 2
        return letter

    def _class(self) -> str:
        """Translate a character class; the characters that Python would take for set operations are escaped."""
        out = ["["]
        self._at += 1
        if self._pattern.startswith("^", self._at):
            out.append("^")
            self._at += 1
        first = True
        while first or not self._pattern.startswith("]", self._at):
            if self._at >= len(self._pattern):
                raise self._refuse("a `[` is not closed")
            out.append(self._class_piece())
            first = False
        self._at += 1
        return "".join(out) + "]"

    def _class_piece(self) -> str:
        pattern, at = self._pattern, self._at
        if pattern.startswith("[:", at) and ":]" in pattern[at:]:
            end = pattern.index(":]", at)
            name = pattern[at + 2 : end]
            if name not in _POSIX:
                raise self._refuse(f"the class `[:{name}:]` is not known here")
            self._at = end + 2
            return _POSIX[name]
        letter = pattern[at + 1 : at + 2] if pattern[at] == "\\" else ""
        if letter in _WORDS:
            self._at += 2
            return _WORDS[letter]
        if letter in ("D", "W", "S"):
            raise self._refuse(f"`\\{letter}` within a class; write the class the other way round")
        low = self._class_character()
        if not pattern.startswith("-", self._at) or pattern[self._at + 1 : self._at + 2] in ("]", ""):
            return _in_class(low)
        self._at += 1
        return f"{_in_class(low)}-{_in_class(self._class_character())}"

    def _class_character(self) -> str:
        if self._pattern[self._at] == "\\":
            return self._escaped_character()
        self._at += 1
        return self._pattern[self._at - 1]


def _in_class(character: str) -> str:
    return f"\\{character}" if character in _SPECIAL_IN_CLASS else character
