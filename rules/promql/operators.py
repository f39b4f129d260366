"""Binary operators on two numbers; matching of vectors is elsewhere."""

import math
import operator
from collections.abc import Callable

from .floats import modulo, power
from .statistics import quotient

ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": quotient,
    "%": modulo,
    "^": power,
    "atan2": math.atan2,
}
COMPARISON: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
SETS = frozenset({"and", "or", "unless"})


def truth(compare: Callable[[float, float], bool]) -> Callable[[float, float], float]:
    """Give *compare* as a number: 1 where it holds, else 0."""
    return lambda left, right: 1.0 if compare(left, right) else 0.0
