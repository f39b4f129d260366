"""The JSON of an answer as plain values; what the values mean is the provider's."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal

from .base import FeedError, Trouble

_SHOWN = 80


def json_object(body: bytes) -> Mapping[str, object]:
    """Give the object that an answer is. Raises FeedError(INVALID).

    Numbers with a point come as Decimal, as they were written; NaN and Infinity, which JSON has not, as text.
    """
    try:
        found: object = json.loads(body, parse_float=Decimal, parse_constant=str)
    except (ValueError, RecursionError):
        raise FeedError(
            Trouble.INVALID,
            f"the answer is no whole JSON, it begins with {_shown(body)}; check the key url, "
            "and whether a proxy answers in its place",
        ) from None
    if not isinstance(found, dict):
        raise FeedError(Trouble.INVALID, f"the answer is no JSON object, it begins with {_shown(body)}")
    return found


def object_in(parent: Mapping[str, object], name: str) -> Mapping[str, object]:
    """Give the object under *name*. Raises FeedError(INVALID), with what the answer says instead."""
    found = parent.get(name)
    if not isinstance(found, dict):
        raise lacking(parent, name)
    return found


def rows_in(parent: Mapping[str, object], *names: str) -> Iterator[Mapping[str, object]]:
    """Give the objects of the list under the first of *names* that has one. Raises FeedError(INVALID)."""
    for name in names:
        found = parent.get(name)
        if isinstance(found, list):
            return _rows(found, name)
    raise lacking(parent, names[0])


def lacking(parent: Mapping[str, object], name: str) -> FeedError:
    """Make the error that says *name* is not there, in the words of the answer where it has some."""
    for told in ("error", "message", "detail", "msg"):
        if told in parent:
            return FeedError(Trouble.INVALID, f"instead of {name!r} the answer says {repr(parent[told])[:200]}")
    return FeedError(Trouble.INVALID, f"the answer lacks {name!r}, it has {repr(list(parent))[:200]}")


def _rows(found: list[object], name: str) -> Iterator[Mapping[str, object]]:
    for row in found:
        if not isinstance(row, dict):
            raise FeedError(Trouble.INVALID, f"{name!r} of the answer holds {repr(row)[:_SHOWN]}, which is no object")
        yield row


def _shown(body: bytes) -> str:
    return repr(body[:_SHOWN].decode("utf-8", "replace")) if body else "nothing"
