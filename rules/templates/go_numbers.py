"""How Go writes and reads numbers: shortest, %e, %f, %g and hexadecimal floats; it knows nothing of templates."""

import math
import re

_DIGITS, _HEXADECIMAL_DIGITS = r"\d+(?:_\d+)*", r"[0-9a-f]+(?:_[0-9a-f]+)*"
_GO_FLOAT = re.compile(
    rf"[+-]?(?:(?:{_DIGITS}\.?(?:{_DIGITS})?|\.{_DIGITS})(?:e[+-]?{_DIGITS})?"
    rf"|0x_?(?:{_HEXADECIMAL_DIGITS}\.?(?:{_HEXADECIMAL_DIGITS})?|\.{_HEXADECIMAL_DIGITS})p[+-]?\d+|inf(?:inity)?|nan)",
    re.ASCII | re.IGNORECASE,
)
SHORTEST = -1


def parse_float(text: str) -> float:
    """Read what Go's strconv.ParseFloat reads: no blanks, underscores between digits only.

    Raises ValueError.
    """
    if not _GO_FLOAT.fullmatch(text) or (text[:1] in "+-" and text[1:].lower() == "nan"):
        raise ValueError(f'"{text}" is not a number')
    if "x" in text.lower():
        return float.fromhex(text.replace("_", ""))
    value = float(text)
    if math.isinf(value) and "inf" not in text.lower():
        raise ValueError(f'"{text}" is out of range')
    return value


def format_float(value: float, verb: str = "g", precision: int = SHORTEST) -> str:
    """Write *value* as strconv.FormatFloat with `e`, `f`, `g` or `x` (upper case as well) does.

    A precision of SHORTEST gives the fewest digits that read back as *value*.
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    lower = verb.lower()
    if lower == "x":
        text = _hexadecimal(value)
    elif precision == SHORTEST:
        text = _shortest(value, lower)
    else:
        text = f"{value:.{precision}{lower}}"
    return text.upper() if verb.isupper() else text


def _shortest(value: float, verb: str) -> str:
    sign, digits, exponent = _decimal(value)
    if verb == "g":
        # Go decides as if six digits were asked for, however many the number needs.
        verb = "e" if exponent < -4 or exponent >= 6 else "f"
    if verb == "e":
        fraction = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{fraction}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    whole, fraction = digits[: exponent + 1].ljust(exponent + 1, "0"), digits[exponent + 1 :]
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def _decimal(value: float) -> tuple[str, str, int]:
    """Give sign, significant digits and the exponent of the first of them."""
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return sign, "0", 0
    leading = len(whole) - 1 if whole.strip("0") else -(len(fraction) - len(fraction.lstrip("0"))) - 1
    return sign, digits.rstrip("0") or "0", leading + int(exponent or 0)


def _hexadecimal(value: float) -> str:
    """Write the mantissa as 1.xxx and the power of two with at least two digits."""
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    if value == 0:
        return f"{sign}0x0p+00"
    mantissa, exponent = math.frexp(abs(value))
    digits = (mantissa * 2).hex().partition("p")[0].removeprefix("0x1").lstrip(".").rstrip("0")
    exponent -= 1
    fraction = f".{digits}" if digits else ""
    return f"{sign}0x1{fraction}p{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def binary_float(value: float) -> str:
    """Write *value* as a whole number times a power of two, 4503599627370496p-52, as `%b` does."""
    if not math.isfinite(value):
        return format_float(value)
    mantissa, exponent = math.frexp(abs(value))
    exponent = max(exponent - 53, -1074)
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    return f"{sign}{int(math.ldexp(abs(value), -exponent))}p{exponent:+d}" if mantissa else f"{sign}0p-1074"
