"""Go string literals: writing a text as one and reading one; where literals stand is the lexer's matter."""

_NAMED = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
_UNNAMED = {escape[1]: character for character, escape in _NAMED.items()}
_HEXADECIMAL_ESCAPES = {"x": 2, "u": 4, "U": 8}
_HEXADECIMAL_DIGITS = frozenset("0123456789abcdefABCDEF")


def quoted_text(text: str, *, ascii_only: bool = False, raw: bool = False) -> str:
    """Write *text* as `%q` does; *raw* gives backquotes where the text allows them."""
    if raw and all(c == "\t" or (c.isprintable() and c not in "`\ufeff") for c in text):
        return f"`{text}`"
    return '"' + "".join(_escaped(c, '"', ascii_only=ascii_only) for c in text) + '"'


def quoted_rune(rune: str, *, ascii_only: bool = False) -> str:
    """Write one character as a Go character constant."""
    return "'" + _escaped(rune, "'", ascii_only=ascii_only) + "'"


def _escaped(character: str, quote: str, *, ascii_only: bool) -> str:
    code = ord(character)
    if character in (quote, "\\"):
        return "\\" + character
    if character in _NAMED:
        return _NAMED[character]
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x7F and code >= 0x20:
        return character
    if code < 0x80:
        return f"\\x{code:02x}"
    if character.isprintable() and not ascii_only:
        return character
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def unquoted(literal: str) -> str:
    """Read a Go literal with its quotes: "...", `...` or '.'.

    Raises ValueError with what is wrong.
    """
    quote, body = literal[0], literal[1:-1]
    if quote == "`":
        return body.replace("\r", "")
    if "\n" in body:
        raise ValueError("the text runs over the end of its line; write \\n, or use backquotes")
    out = bytearray()
    position = 0
    while position < len(body):
        if body[position] != "\\":
            out += body[position].encode("utf-8", "surrogateescape")
            position += 1
            continue
        position = _read_escape(body, position + 1, quote=quote, out=out)
    return out.decode("utf-8", "surrogateescape")


def _read_escape(body: str, position: int, *, quote: str, out: bytearray) -> int:
    """Add what the escape at *position*, after its backslash, stands for; give the position behind it."""
    letter = body[position : position + 1]
    if letter in _UNNAMED and letter:
        out += _UNNAMED[letter].encode()
        return position + 1
    if letter in ("\\", quote):
        out += letter.encode()
        return position + 1
    if letter in _HEXADECIMAL_ESCAPES:
        digits = body[position + 1 : position + 1 + _HEXADECIMAL_ESCAPES[letter]]
        if len(digits) == _HEXADECIMAL_ESCAPES[letter] and set(digits) <= _HEXADECIMAL_DIGITS:
            code = int(digits, 16)
            if letter == "x":
                out.append(code)
                return position + 3
            if code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF:
                out += chr(code).encode()
                return position + 1 + len(digits)
    octal = body[position : position + 3]
    if len(octal) == 3 and set(octal) <= set("01234567") and int(octal, 8) < 256:
        out.append(int(octal, 8))
        return position + 3
    raise ValueError(f"`\\{letter}` is no escape; write a backslash as \\\\, or use backquotes")
