"""The log as a receiver of alerts: one line when an alert begins to fire, one when it is over; it sends nothing."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from wattledger.rules.promql.labels import value_of
from wattledger.rules.promql.model import Labels

from .model import Clock, Notice
from .plain import one_line, quotable, rfc3339

LOG = logging.getLogger(__name__)


class AlertLog:
    """Remembers what it said, so that an alert sent again is not logged again. Belongs to one thread."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._firing: dict[Labels, Notice] = {}

    def note(self, notices: Sequence[Notice]) -> None:
        """Log what is new in *notices*, and the end of alerts that nothing was heard of until their `ends_at_ms`."""
        for notice in notices:
            former = self._firing.pop(notice.labels, None)
            if not notice.resolved:
                self._firing[notice.labels] = notice
                if former is None or former.starts_at_ms != notice.starts_at_ms:
                    self._say(logging.WARNING, notice, "firing")
            elif former is not None:
                self._say(logging.INFO, notice, "resolved")
        wall_ns = self._clock.now().wall_ns
        for notice in [notice for notice in self._firing.values() if notice.over(wall_ns)]:
            del self._firing[notice.labels]
            self._say(logging.INFO, notice, "gone")

    @staticmethod
    def _say(level: int, notice: Notice, state: str) -> None:
        labels = ", ".join(f"{name}={value}" for name, value in notice.labels if name != "alertname")
        LOG.log(
            level,
            'alert=%s state=%s since=%s labels="%s" summary="%s"',
            quotable(value_of(notice.labels, "alertname")),
            state,
            rfc3339(notice.starts_at_ms),
            quotable(labels),
            one_line(value_of(notice.annotations, "summary")),
        )
