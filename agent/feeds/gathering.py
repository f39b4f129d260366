"""The points of one answer as they are read: what is outside the window or not usable is left out and counted."""

from __future__ import annotations

from collections import Counter

from wattledger.rules.feeds.model import Point, PointKind

from .base import Answer, FeedError, Skipped, Trouble, Window


class Gathering:
    """Collects the points of one fetch of *window*. A point that reaches into the window is kept whole."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._points: list[Point] = []
        self._skipped: Counter[Skipped] = Counter()
        self._warnings: dict[str, None] = {}

    def add(
        self,
        start_wall_ns: int,
        end_wall_ns: int,
        value: int,
        kind: PointKind = PointKind.ACTUAL,
        issued_wall_ns: int | None = None,
    ) -> None:
        """Keep a point; without a time of issue it is issued now. A stretch that does not end later is BAD_TIME."""
        if end_wall_ns <= start_wall_ns:
            self.skip(Skipped.BAD_TIME)
        elif end_wall_ns <= self._window.start_wall_ns or start_wall_ns >= self._window.end_wall_ns:
            self.skip(Skipped.OUTSIDE_WINDOW)
        else:
            issued = self._window.now_wall_ns if issued_wall_ns is None else issued_wall_ns
            self._points.append(Point(start_wall_ns, end_wall_ns, value, kind, issued))

    def skip(self, why: Skipped, times: int = 1) -> None:
        """Count what was left out."""
        self._skipped[why] += times

    def warn(self, text: str) -> None:
        """Keep words for the operator, each once."""
        self._warnings[text] = None

    def answer(self, *, empty: str = "", whole: bool = True) -> Answer:
        """Give what was gathered, in order of time. Raises FeedError(EMPTY) where nothing was.

        *empty* is the cure then. *whole* false: the provider held back a part.
        """
        if not self._points:
            counted = ", ".join(f"{count} {why.value}" for why, count in sorted(self._skipped.items()) if count)
            detail = f"no usable value for the time asked for{f' (left out: {counted})' if counted else ''}"
            raise FeedError(Trouble.EMPTY, f"{detail}; {empty}" if empty else detail)
        points = sorted(self._points, key=lambda point: (point.start_wall_ns, point.end_wall_ns))
        skipped = {why: count for why, count in self._skipped.items() if count}
        return Answer(tuple(points), skipped, tuple(self._warnings), whole)
