"""Go's printf over the values of a template: verbs, flags, width, precision, and what Go prints for a mismatch."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from .errors import ExpansionError
from .go_numbers import SHORTEST, binary_float, format_float
from .go_quote import quoted_rune, quoted_text
from .values import Kind, Value, kind_of, printed

# One directive: flags, width, precision, verb. Explicit indexes and `*` are not part of the subset.
_DIRECTIVE = re.compile(r"%(?P<flags>[-+# 0]*)(?P<width>\d+)?(?P<dot>\.(?P<precision>\d+)?)?(?P<verb>.)?", re.DOTALL)
_ALL_BITS = 2**64 - 1
_WIDEST = 1_000_000  # Go refuses more; so does the memory
_INTEGER_BASES = {"d": "d", "b": "b", "o": "o", "x": "x", "X": "X"}
_FLOAT_VERBS = "beEfFgGxXv"
_BASE_PREFIXES = {"b": "0b", "o": "0", "x": "0x", "X": "0X"}


@dataclass(frozen=True, slots=True)
class Directive:
    """One `%...` of a format."""

    text: str
    flags: str
    width: int
    precision: int | None
    verb: str

    def has(self, flag: str) -> bool:
        """Tell whether *flag* is set."""
        return flag in self.flags


def directives(layout: str) -> list[str | Directive]:
    """Cut a format into its plain texts and directives.

    Raises ExpansionError for `%*d` and `%[1]d`, which are outside the subset.
    """
    parts: list[str | Directive] = []
    position = 0
    for match in _DIRECTIVE.finditer(layout):
        if match.start() > position:
            parts.append(layout[position : match.start()])
        position = match.end()
        verb = match["verb"] or ""
        if verb in ("*", "["):
            raise ExpansionError(f"printf takes no `{verb}` in a directive here; write width and order out")
        width = int(match["width"] or 0)
        precision = None if match["dot"] is None else int(match["precision"] or 0)
        if width > _WIDEST or (precision or 0) > _WIDEST:
            raise ExpansionError(f"printf's `{match.group()}` is wider than {_WIDEST} characters")
        parts.append(Directive(match.group(), match["flags"], width, precision, verb))
    if position < len(layout):
        parts.append(layout[position:])
    return parts


def sprintf(layout: str, arguments: Sequence[Value]) -> str:
    """Write *arguments* by *layout*, as fmt.Sprintf does, its complaints within the text included."""
    waiting = list(arguments)
    out: list[str] = []
    for part in directives(layout):
        if isinstance(part, str):
            out.append(part)
        elif part.verb == "":
            out.append("%!(NOVERB)")
        elif part.verb == "%":
            out.append("%")
        elif not waiting:
            out.append(f"%!{part.verb}(MISSING)")
        elif part.verb == "v":  # the plus of %+v asks for the names of fields, not for a sign
            out.append(_formatted(replace(part, flags=part.flags.replace("+", "")), waiting.pop(0)))
        else:
            out.append(_formatted(part, waiting.pop(0)))
    if waiting:
        extras = ", ".join(_typed(value) for value in waiting)
        out.append(f"%!(EXTRA {extras})")
    return "".join(out)


def sprint(arguments: Sequence[Value]) -> str:
    """Write *arguments* one after the other, a blank between two that are no text, as fmt.Sprint does."""
    out: list[str] = []
    for index, value in enumerate(arguments):
        if index and not isinstance(value, str) and not isinstance(arguments[index - 1], str):
            out.append(" ")
        out.append(_plain(value))
    return "".join(out)


def sprintln(arguments: Sequence[Value]) -> str:
    """Write *arguments* with blanks between and a line end, as fmt.Sprintln does."""
    return " ".join(map(_plain, arguments)) + "\n"


def _plain(value: Value) -> str:
    return printed(value, top=False)


def _typed(value: Value) -> str:
    kind = kind_of(value)
    return "<nil>" if kind is Kind.NIL else f"{kind}={_plain(value)}"


def _mismatch(directive: Directive, value: Value) -> str:
    """Give Go's complaint; the value in it keeps width and flags of the directive."""
    if value is None:
        return f"%!{directive.verb}(<nil>)"
    return f"%!{directive.verb}({kind_of(value)}={_formatted(replace(directive, verb='v'), value)})"


def _formatted(directive: Directive, value: Value) -> str:
    verb = directive.verb
    if verb == "T":
        return _padded(str(kind_of(value))[: directive.precision], directive)
    if verb == "w":
        return _mismatch(directive, value)
    if value is None:
        return _padded("<nil>", directive) if verb == "v" else _mismatch(directive, value)
    if isinstance(value, bool):
        return _padded(_plain(value), directive) if verb in "tv" else _mismatch(directive, value)
    if isinstance(value, str):
        return _string(directive, value)
    if isinstance(value, int):
        return _integer(directive, value)
    if isinstance(value, float):
        return _float(directive, value)
    if isinstance(value, Mapping):
        cells = " ".join(f"{_formatted(directive, k)}:{_formatted(directive, value[k])}" for k in sorted(value))
        return f"map[{cells}]"
    if verb in "sv":
        return _padded(_plain(value), directive)
    raise ExpansionError(f"printf cannot write {kind_of(value)} with `{directive.text}`")


def _padded(text: str, directive: Directive) -> str:
    if directive.has("-"):
        return text.ljust(directive.width)
    return text.rjust(directive.width, "0" if directive.has("0") else " ")


def _padded_number(text: str, directive: Directive, *, zeros: bool) -> str:
    """Pad with zeros behind the sign, or with blanks before it."""
    if directive.has("-"):
        return text.ljust(directive.width)
    if zeros and directive.has("0"):
        sign = text[: 1 if text[:1] in "+- " else 0]
        return sign + text[len(sign) :].rjust(directive.width - len(sign), "0")
    return text.rjust(directive.width)


def _string(directive: Directive, value: str) -> str:
    cut = value if directive.precision is None else value[: directive.precision]
    match directive.verb:
        case "s" | "v":
            text = quoted_text(cut) if directive.verb == "v" and directive.has("#") else cut
        case "q":
            text = quoted_text(cut, ascii_only=directive.has("+"), raw=directive.has("#"))
        case "x" | "X":
            raw = value.encode("utf-8", "surrogateescape")
            raw = raw if directive.precision is None else raw[: directive.precision]
            text = raw.hex(" ") if directive.has(" ") else raw.hex()
            text = "0x" + text if directive.has("#") and text else text
            text = text.upper() if directive.verb == "X" else text
        case _:
            return _mismatch(directive, value)
    return _padded(text, directive)


def _integer(directive: Directive, value: int) -> str:
    verb = "d" if directive.verb == "v" else directive.verb
    if verb in "cqU":
        return _rune(directive, value)
    prefix = "0o" if verb == "O" else _BASE_PREFIXES.get(verb, "") if directive.has("#") else ""
    verb = "o" if verb == "O" else verb
    if verb not in _INTEGER_BASES:
        return _mismatch(directive, value)
    digits = format(abs(value), verb)
    if directive.precision is not None:
        digits = "" if directive.precision == 0 and value == 0 else digits.rjust(directive.precision, "0")
    sign = "-" if value < 0 else "+" if directive.has("+") else " " if directive.has(" ") else ""
    zeros = directive.precision is None and not directive.has("-") and directive.has("0")
    if zeros:
        digits = digits.rjust(directive.width - len(sign), "0")
    return _padded_number(sign + prefix + digits, directive, zeros=False)


def _rune(directive: Directive, value: int) -> str:
    rune = chr(value) if 0 <= value <= 0x10FFFF and not 0xD800 <= value <= 0xDFFF else "\ufffd"
    if directive.verb == "c":
        return _padded(rune, directive)
    if directive.verb == "q":
        return _padded(quoted_rune(rune, ascii_only=directive.has("+")), directive)
    digits = max(4, directive.precision or 0)
    return _padded(f"U+{value & _ALL_BITS:0{digits}X}", replace(directive, flags=directive.flags.replace("0", "")))


def _float(directive: Directive, value: float) -> str:
    verb = directive.verb
    if verb not in _FLOAT_VERBS:
        return _mismatch(directive, value)
    if directive.has("#") and verb != "v":
        raise ExpansionError(f"printf's `{directive.text}` is not supported; leave the # out")
    if verb in "xX" and directive.precision is not None:
        raise ExpansionError(f"printf's `{directive.text}` is not supported; leave the precision out")
    precision = directive.precision
    if precision is None:
        precision = SHORTEST if verb in "gGxXv" else 6
    letter = {"v": "g", "F": "f"}.get(verb, verb)
    text = binary_float(value) if verb == "b" else format_float(value, letter, precision)
    finite = text[-1] not in "fN"
    if text[0] not in "+-":
        text = "+" + text if directive.has("+") else " " + text if directive.has(" ") else text
    elif text[0] == "+" and directive.has(" ") and not directive.has("+"):
        text = " " + text[1:]
    return _padded_number(text, directive, zeros=finite)
