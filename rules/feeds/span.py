"""Stretches of wall time and what is left of them; what happens in them is not known here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """`[start, end)` of wall time, ns since the Unix epoch."""

    start_wall_ns: int
    end_wall_ns: int


def joined(spans: Iterable[Span]) -> list[Span]:
    """Give the same moments as few spans, in order; those that touch are one."""
    found: list[Span] = []
    for span in sorted(spans):
        if found and span.start_wall_ns <= found[-1].end_wall_ns:
            found[-1] = Span(found[-1].start_wall_ns, max(found[-1].end_wall_ns, span.end_wall_ns))
        else:
            found.append(span)
    return found
