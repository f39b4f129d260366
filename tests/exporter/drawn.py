"""What all strategies of this package draw from: hostile texts, huge counts, and what may be absent."""

from __future__ import annotations

from typing import TypeVar

from hypothesis import strategies as st

T = TypeVar("T")

# As lists, since st.text never draws surrogates, whatever its alphabet.
TEXTS = st.lists(st.sampled_from('\\"\n\r\ud800\udfff}{,=# é€😀') | st.characters(), max_size=8).map("".join)
COUNTS = st.integers(0, 2**63)
WALL_NS = st.integers(0, 2**62)


def maybe(strategy: st.SearchStrategy[T]) -> st.SearchStrategy[T | None]:
    """Give *strategy*'s values, or None."""
    return st.none() | strategy
