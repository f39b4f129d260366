"""The stretch of time that one request covers, where a provider takes no finer one than the window."""

from __future__ import annotations

from dataclasses import dataclass

from .base import Window


@dataclass(frozen=True, slots=True)
class Extent:
    """What was asked for: `[start, end)` of wall time, for the sake of *window*."""

    start_wall_ns: int
    end_wall_ns: int
    window: Window

    def is_surplus(self, start_wall_ns: int, end_wall_ns: int) -> bool:
        """Tell whether a stretch was asked for and is not wanted: it is passed over, and is nobody's mistake."""
        is_asked = start_wall_ns < self.end_wall_ns and end_wall_ns > self.start_wall_ns
        is_wanted = start_wall_ns < self.window.end_wall_ns and end_wall_ns > self.window.start_wall_ns
        return is_asked and not is_wanted
