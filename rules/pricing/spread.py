"""Energy over time: the parts of it that fall into stretches which have values; what the values are is not known."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from wattledger.rules.apportion import apportion


class Span(Protocol):
    """A stretch of wall time, `[start, end)`."""

    @property
    def start_wall_ns(self) -> int: ...
    @property
    def end_wall_ns(self) -> int: ...


SpanT = TypeVar("SpanT", bound=Span)


def parts(energy_mj: int, spans: Sequence[SpanT], time: tuple[int, int]) -> list[tuple[SpanT, int]]:
    """Give the spans that overlap *time*, from and to, each with its part of the energy that was drawn in it."""
    start, end = time
    found: list[SpanT] = []
    lengths: list[int] = []
    for span in spans:
        length = min(span.end_wall_ns, end) - max(span.start_wall_ns, start)
        if length > 0:
            found.append(span)
            lengths.append(length)
    rest = end - start - sum(lengths)
    return list(zip(found, apportion(energy_mj, [*lengths, rest]), strict=False))
