"""What rows of a report come out of, piece by piece: a ledger, or a fleet's Prometheus."""

from collections.abc import Iterator
from typing import Protocol

from wattledger.rules.report.rows import ReportRows


class ReportError(Exception):
    """There is no report; the text is for the operator and names place, problem and cure."""


class RowSource(Protocol):
    """Rows of one stretch of time. Both iterators may be asked for more than once, and raise ReportError."""

    def outline(self) -> Iterator[ReportRows]:
        """Give what is needed to tell which boundary is known: hours of hosts, and devices where they are at hand."""
        ...

    def pieces(self) -> Iterator[ReportRows]:
        """Give all rows, those of a host and hour together."""
        ...

    def what_there_is(self) -> str:
        """Say, for a stretch without rows, where rows are."""
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...
