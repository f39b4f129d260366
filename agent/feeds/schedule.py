"""When one provider is to be asked next, and for which time; asking is not its matter."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from wattledger.rules.feeds.model import Point, PointKind
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND, Instant

from .base import FeedError, Pace, Trouble, Window

Chance = Callable[[], float]
"""Gives a uniform number from 0 up to 1."""

_LEAST_NS = NS_PER_SECOND  # between two requests, whatever the pace


@dataclass(frozen=True, slots=True)
class Patience:
    """How a fleet is kept from asking at once, and how long to wait after failures in a row.

    The first request comes within *spread_ns*, later ones at the provider's pace give or take *swing*. After the
    n-th failure the wait is by chance between *first_ns* and that doubled n times, at most *cap_ns*. A refusal is not
    cured by asking: *refused_ns* later comes one attempt.
    """

    spread_ns: int = 5 * NS_PER_SECOND
    swing: float = 0.1
    first_ns: int = 30 * NS_PER_SECOND
    cap_ns: int = NS_PER_HOUR
    refused_ns: int = 900 * NS_PER_SECOND
    # How far back values are wanted at least, how far ahead, and how often those that are known are asked for again.
    back_ns: int = 48 * NS_PER_HOUR
    ahead_ns: int = 48 * NS_PER_HOUR
    revise_ns: int = NS_PER_HOUR


class Schedule:
    """The calendar of one provider. `due_mono_ns` is when it is to be asked."""

    def __init__(self, pace: Pace, now: Instant, chance: Chance, patience: Patience | None = None) -> None:
        self._pace = pace
        self._chance = chance
        self._patience = patience or Patience()
        # A value that comes as late as its provider may be must still lie in what is asked for.
        self._back_ns = max(self._patience.back_ns, pace.lag_ns + 2 * self._patience.revise_ns)
        self._failures = 0
        self._revised_mono_ns: int | None = None
        self._newest: Point | None = None  # of the actual ones
        self.due_mono_ns = now.mono_ns + int(chance() * self._patience.spread_ns)

    def window(self, now: Instant) -> Window:
        """Give the time to ask for: all that may have been revised once in a while, else what may be new."""
        patience = self._patience
        start = now.wall_ns - self._back_ns
        is_revised = self._revised_mono_ns is not None and now.mono_ns - self._revised_mono_ns < patience.revise_ns
        if is_revised and self._newest is not None and not self._pace.asks_all:
            # The newest actual value once more: it may have been for an hour that was not over. And the one before
            # it, for one alone may not say how long it holds.
            length_ns = max(self._newest.duration_ns, self._pace.step_ns)
            start = max(start, min(self._newest.end_wall_ns, now.wall_ns) - 2 * length_ns)
        return Window(start, now.wall_ns + patience.ahead_ns, now.wall_ns)

    def succeeded(self, now: Instant, window: Window, points: Iterable[Point]) -> None:
        """Note that *window* was answered with *points*."""
        patience = self._patience
        self._failures = 0
        known = [] if self._newest is None else [self._newest]
        known += [point for point in points if point.kind is PointKind.ACTUAL]
        self._newest = max(known, key=lambda point: point.end_wall_ns, default=None)
        if window.now_wall_ns - window.start_wall_ns >= self._back_ns:
            self._revised_mono_ns = now.mono_ns
        swing = 1 + patience.swing * (2 * self._chance() - 1)
        self.due_mono_ns = now.mono_ns + max(_LEAST_NS, int(self._pace.poll_ns * swing))

    def failed(self, now: Instant, error: FeedError) -> None:
        """Note a failure. What the provider asks for is kept to, and a little more by chance: others heard it too."""
        patience = self._patience
        self._failures += 1
        if error.trouble is Trouble.UNAUTHORIZED:
            wait_ns = patience.refused_ns + int(patience.refused_ns * patience.swing * self._chance())
        else:
            longest_ns = min(patience.first_ns << min(self._failures, 32), patience.cap_ns)
            wait_ns = patience.first_ns + int((longest_ns - patience.first_ns) * self._chance())
        asked_ns = error.retry_after_ns or 0
        wait_ns = max(wait_ns, asked_ns + int(asked_ns * patience.swing * self._chance()))
        self.due_mono_ns = now.mono_ns + wait_ns
