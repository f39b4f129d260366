"""Arithmetic of single floats as Go has it: it never raises where the result is an infinity or NaN."""

import math
from collections.abc import Callable

from .statistics import INF, NAN, quotient


def power(base: float, exponent: float) -> float:
    """Raise *base* to *exponent* (IEEE 754 pow)."""
    odd = math.isfinite(exponent) and math.fmod(exponent, 2) in (1, -1)
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return -INF if base < 0 and odd else INF
    except ValueError:
        if base != 0:
            return NAN
        return math.copysign(INF, base) if odd else INF


def modulo(dividend: float, divisor: float) -> float:
    """Give the remainder, which has the sign of *dividend* (C fmod)."""
    try:
        return math.fmod(dividend, divisor)
    except ValueError:
        return NAN


def greater(one: float, other: float) -> float:
    """Give the greater; an infinity above all wins over NaN (Go math.Max)."""
    if INF in (one, other):
        return INF
    return NAN if math.isnan(one) or math.isnan(other) else max(one, other)


def lesser(one: float, other: float) -> float:
    """Give the lesser; an infinity below all wins over NaN (Go math.Min)."""
    if -INF in (one, other):
        return -INF
    return NAN if math.isnan(one) or math.isnan(other) else min(one, other)


def floor(value: float) -> float:
    """Round down; a zero keeps its sign."""
    return math.copysign(math.floor(value), value) if math.isfinite(value) else value


def ceil(value: float) -> float:
    """Round up; a zero keeps its sign."""
    return math.copysign(math.ceil(value), value) if math.isfinite(value) else value


def round_to(value: float, nearest: float) -> float:
    """Round to a multiple of *nearest*, halves up; by its inverse, as Prometheus does, for the last digit's sake."""
    inverse = quotient(1.0, nearest)
    return quotient(floor(value * inverse + 0.5), inverse)


def sign(value: float) -> float:
    """Give 1, -1, or the value itself where it is a zero or NaN."""
    if value > 0:
        return 1.0
    return -1.0 if value < 0 else value


def _guarded(function: Callable[[float], float]) -> Callable[[float], float]:
    """Give NaN outside of the domain of *function*, and the infinity of the argument's sign on overflow."""

    def guarded(value: float) -> float:
        try:
            return function(value)
        except ValueError:
            return NAN
        except OverflowError:
            return math.copysign(INF, value)

    return guarded


def _logarithm(function: Callable[[float], float]) -> Callable[[float], float]:
    def guarded(value: float) -> float:
        if value == 0:
            return -INF
        return function(value) if value > 0 else NAN

    return guarded


def _hyperbolic_cosine(value: float) -> float:
    try:
        return math.cosh(value)
    except OverflowError:
        return INF


def _inverse_hyperbolic_tangent(value: float) -> float:
    if abs(value) == 1:
        return math.copysign(INF, value)
    return math.atanh(value) if abs(value) < 1 else NAN


UNARY: dict[str, Callable[[float], float]] = {
    "abs": abs,
    "ceil": ceil,
    "floor": floor,
    "sgn": sign,
    "sqrt": _guarded(math.sqrt),
    "exp": _guarded(math.exp),
    "ln": _logarithm(math.log),
    "log2": _logarithm(math.log2),
    "log10": _logarithm(math.log10),
    "sin": _guarded(math.sin),
    "cos": _guarded(math.cos),
    "tan": _guarded(math.tan),
    "asin": _guarded(math.asin),
    "acos": _guarded(math.acos),
    "atan": math.atan,
    "sinh": _guarded(math.sinh),
    "cosh": _hyperbolic_cosine,
    "tanh": math.tanh,
    "asinh": math.asinh,
    "acosh": _guarded(math.acosh),
    "atanh": _inverse_hyperbolic_tangent,
    "deg": lambda value: value * 180 / math.pi,
    "rad": lambda value: value * math.pi / 180,
}
