"""How one provider has answered so far, and what the log says when that changes; it decides on no request."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from wattledger.rules.feeds.model import Series
from wattledger.rules.instant import NS_PER_SECOND, Instant

from .base import Answer, FeedError, Skipped, Trouble

_log = logging.getLogger(__name__)

_MOST_WARNINGS = 5
_WARNING_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of the attempts. `trouble` is None while the last one went well, or before the first."""

    last_success_wall_ns: int | None = None
    trouble: Trouble | None = None
    detail: str = ""
    errors: Mapping[Trouble, int] = field(default_factory=dict)
    skipped: Mapping[Skipped, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


class Record:
    """The attempts of one provider. `status` is swapped whole, for any thread."""

    def __init__(self, series: Series) -> None:
        self._place = f"provider={series.provider} zone={series.zone or '-'} measure={series.measure}"
        self._errors: Counter[Trouble] = Counter()
        self._skipped: Counter[Skipped] = Counter()
        self._failing_since: Instant | None = None
        self._is_traced = False
        self.status = Status()

    def succeeded(self, now: Instant, answer: Answer) -> None:
        """Count a success; the end of trouble is logged."""
        self._skipped.update(answer.skipped)
        if self._failing_since is not None:
            failing_s = now.ns_since(self._failing_since) // NS_PER_SECOND
            _log.info("feed %s trouble=over failing_s=%d", self._place, failing_s)
            self._failing_since = None
        self.status = Status(
            last_success_wall_ns=now.wall_ns,
            errors=dict(self._errors),
            skipped=dict(self._skipped),
            warnings=tuple(text[:_WARNING_CHARACTERS] for text in answer.warnings[:_MOST_WARNINGS]),
        )

    def failed(self, now: Instant, error: FeedError) -> None:
        """Count a failure; its beginning is logged, and when it goes on with another kind of trouble."""
        self._errors[error.trouble] += 1
        if self.status.trouble is not error.trouble:
            _log.warning('feed %s trouble=%s detail="%s"', self._place, error.trouble, _one_line(error.detail))
        self._failing_since = self._failing_since or now
        self.status = Status(
            last_success_wall_ns=self.status.last_success_wall_ns,
            trouble=error.trouble,
            detail=error.detail,
            errors=dict(self._errors),
            skipped=self.status.skipped,
            warnings=self.status.warnings,
        )

    def trace(self) -> None:
        """Log the exception that is being handled, with its trace; once in the life of the provider."""
        if not self._is_traced:
            _log.exception("feed %s problem=a defect of its code", self._place)
            self._is_traced = True


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace('"', "'")
