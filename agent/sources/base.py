"""What every source of samples offers; which sources exist is the business of the wiring."""

from typing import Protocol

from wattledger.rules.instant import Instant
from wattledger.rules.quantity import Gap
from wattledger.rules.reading import Sample, SourceKind


class SourceError(Exception):
    """The source as a whole cannot be read. `gap` is the exported reason, `code` the library's, if any."""

    def __init__(self, gap: Gap, detail: str, *, code: int | None = None) -> None:
        super().__init__(detail)
        self.gap = gap
        self.detail = detail
        self.code = code


class EndOfSource(Exception):  # noqa: N818  (not an error: a capture has been read to its end)
    """A finite source has no more samples."""


class Source(Protocol):
    """A source lives in the sampler process. `read` is called once a tick and decides by *at* what is due."""

    @property
    def kind(self) -> SourceKind:
        """Give the name under which its numbers are shown."""
        ...

    def open(self) -> None:
        """Prepare reading. Raises SourceError."""
        ...

    def read(self, at: Instant) -> Sample:
        """Give the sample of this tick. Raises SourceError when nothing can be read, EndOfSource at the end."""
        ...

    def close(self) -> None:
        """Let go of the driver. Safe to call twice and after a failed open."""
        ...
