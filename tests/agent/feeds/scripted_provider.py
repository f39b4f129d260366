"""Providers for tests of what asks them: one that does as it is told, and one that reads lines from a server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from wattledger.agent.feeds.base import Answer, FeedError, Pace, Trouble, Web, Window
from wattledger.rules.feeds.model import Caliber, Measure, Point, PointKind, Series
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND

MINUTE_NS = 60 * NS_PER_SECOND
GRID = Series(Measure.INTENSITY, "gb", "GB", Caliber())
TABLE = Series(Measure.INTENSITY, "table", "GB", Caliber())
PACE = Pace(step_ns=NS_PER_HOUR, lag_ns=NS_PER_HOUR, max_age_ns=4 * NS_PER_HOUR, poll_ns=10 * MINUTE_NS)


def hour(start_wall_ns: int, value: int, kind: PointKind = PointKind.ACTUAL, issued_wall_ns: int = 0) -> Point:
    """Give an hour's point."""
    return Point(start_wall_ns, start_wall_ns + NS_PER_HOUR, value, kind, issued_wall_ns)


@dataclass
class ScriptedProvider:
    """Gives what `answer` gives, or raises it. `windows` are those it was asked for."""

    series: Series = GRID
    pace: Pace = PACE
    credential: str = ""
    answer: Answer | Exception | Callable[[Web, Window], Answer] | None = None
    windows: list[Window] = field(default_factory=list)

    def fetch(self, web: Web, window: Window) -> Answer:
        """Do as told; without being told give the hour of now."""
        self.windows.append(window)
        if isinstance(self.answer, Exception):
            raise self.answer
        if callable(self.answer):
            return self.answer(web, window)
        now = window.now_wall_ns
        return self.answer or Answer((hour(now - now % NS_PER_HOUR, 100, issued_wall_ns=now),))


@dataclass
class LinesProvider:
    """Asks *url* for lines of `start end value kind`, times in seconds. What is no such line is INVALID."""

    url: str
    series: Series = GRID
    pace: Pace = PACE
    credential: str = ""

    def fetch(self, web: Web, window: Window) -> Answer:
        """Ask."""
        body = web.get(self.url, query=[("from", str(window.start_wall_ns)), ("to", str(window.end_wall_ns))]).body
        try:
            return Answer(tuple(_point(line, window) for line in body.decode().splitlines()))
        except (ValueError, UnicodeDecodeError):
            raise FeedError(Trouble.INVALID, "no lines of numbers") from None


def _point(line: str, window: Window) -> Point:
    start, end, value, kind = line.split()
    return Point(
        int(start) * NS_PER_SECOND, int(end) * NS_PER_SECOND, int(value), PointKind(kind), window.now_wall_ns
    )
