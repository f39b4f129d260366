"""Number literals of a template to values, as Go reads constants; text literals are read elsewhere."""

import re

_INTEGER = re.compile(
    r"[+-]?(?:0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+|0(?:_?[0-7])*|[1-9](?:_?[0-9])*)", re.ASCII
)
_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_HEXADECIMAL = re.compile(r"[+-]?0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?\d+", re.ASCII)
_LARGEST = 2**63 - 1


def number_of(written: str) -> int | float:
    """Give the value of a number literal: a float when it has a point or an exponent, else an integer.

    Raises ValueError with what is wrong.
    """
    if _INTEGER.fullmatch(written):
        digits = written.replace("_", "")
        octal = re.fullmatch(r"([+-]?)0([0-7]+)", digits)
        value = int(octal[1] + octal[2], 8) if octal else int(digits, 0)
        if not -_LARGEST - 1 <= value <= _LARGEST:
            raise ValueError(f"{written} does not fit 64 bits; write it with an exponent, such as 1e20")
        return value
    if _HEXADECIMAL.fullmatch(written):
        return float.fromhex(written)
    if _DECIMAL.fullmatch(written) and any(c in written for c in ".eE"):
        value_float = float(written)
        if value_float in (float("inf"), float("-inf")):
            raise ValueError(f"{written} is larger than a number can be")
        return value_float
    raise ValueError(f"{written} is not a number")
