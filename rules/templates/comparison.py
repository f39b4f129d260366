"""eq, ne, lt, le, gt, ge, index and len as Go's text/template has them: values of unlike kinds are not compared."""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .errors import ExpansionError
from .values import Kind, Value, kind_of

_BASIC = (Kind.STRING, Kind.FLOAT, Kind.INTEGER, Kind.BOOLEAN)
_ORDERED = (Kind.STRING, Kind.FLOAT, Kind.INTEGER)


def equal(arguments: Sequence[Value]) -> bool:
    """Tell whether the first argument is equal to any of the others."""
    if len(arguments) < 2:
        raise ExpansionError("eq compares two values; one is missing")
    first, kind = arguments[0], _basic(arguments[0], "eq")
    return any(_alike(kind, other, "eq") and other == first for other in arguments[1:])


def not_equal(arguments: Sequence[Value]) -> bool:
    """Tell whether two arguments differ."""
    return not _alike(_basic(arguments[0], "ne"), arguments[1], "ne") or arguments[0] != arguments[1]


def ordering(name: str, compare: Callable[[Any, Any], Any]) -> Callable[[Sequence[Value]], bool]:
    """Make the function *name* of an order such as operator.lt."""

    def ordered(arguments: Sequence[Value]) -> bool:
        kind = _basic(arguments[0], name)
        _alike(kind, arguments[1], name)
        if kind not in _ORDERED:
            raise ExpansionError(f"{name} has no order for {kind}")
        return bool(compare(arguments[0], arguments[1]))

    return ordered


# Go has gt as "not le" and ge as "not lt", which makes both true of NaN.
LESS = ordering("lt", operator.lt)
LESS_OR_EQUAL = ordering("le", operator.le)
GREATER = ordering("gt", lambda first, second: not first <= second)
GREATER_OR_EQUAL = ordering("ge", lambda first, second: not first < second)


def length(value: Value) -> int:
    """Give the bytes of a text, or the elements of a map or list."""
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogateescape"))
    if isinstance(value, Mapping | Sequence):
        return len(value)
    raise ExpansionError(f"len of {kind_of(value)}: only texts, maps and lists have one")


def indexed(container: Value, keys: Sequence[Value]) -> Value:
    """Give the element of a map or list, or the byte of a text, one key after the other."""
    for key in keys:
        container = _element(container, key)
    return container


def _element(container: Value, key: Value) -> Value:
    if isinstance(container, Mapping):
        if not isinstance(key, str):
            raise ExpansionError(f"index: a map is indexed with a text, not with {kind_of(key)}")
        return container.get(key, "")
    if isinstance(container, str):
        container = container.encode("utf-8", "surrogateescape")
    if not isinstance(container, Sequence):
        raise ExpansionError(f"index: {kind_of(container)} cannot be indexed")
    if not isinstance(key, int) or isinstance(key, bool):
        raise ExpansionError(f"index: a position is a whole number, not {kind_of(key)}")
    if not 0 <= key < len(container):
        raise ExpansionError(f"index: {key} is out of range, there are {len(container)} elements")
    element: Value = container[key]
    return element


def _basic(value: Value, name: str) -> Kind:
    kind = kind_of(value)
    if kind not in _BASIC:
        raise ExpansionError(f"{name} cannot compare {kind}")
    return kind


def _alike(kind: Kind, other: Value, name: str) -> bool:
    """Give True for two values of one kind; unlike kinds are refused, as Go does."""
    found = _basic(other, name)
    if found is not kind:
        cure = "; write the number with a point, such as 5.0" if {kind, found} == {Kind.FLOAT, Kind.INTEGER} else ""
        raise ExpansionError(f"{name} cannot compare {kind} with {found}{cure}")
    return True
