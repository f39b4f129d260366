"""Times and windows of tests in words."""

from datetime import UTC, datetime
from pathlib import Path

from wattledger.agent.feeds.base import Window
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND

ANSWERS = Path(__file__).parents[2] / "data" / "feeds"
MINUTE_NS = 60 * NS_PER_SECOND


def at(text: str) -> int:
    """Give a time (ISO 8601 with its offset) in ns since the epoch."""
    return round(datetime.fromisoformat(text).timestamp()) * NS_PER_SECOND


def text_of(wall_ns: int) -> str:
    """Give a time in UTC, to the minute: 2025-03-29T18:00."""
    return f"{datetime.fromtimestamp(wall_ns // NS_PER_SECOND, UTC):%Y-%m-%dT%H:%M}"


def around(now: str, *, hours_before: float = 6, hours_ahead: float = 0) -> Window:
    """Give the window about *now*."""
    now_ns = at(now)
    return Window(now_ns - round(hours_before * NS_PER_HOUR), now_ns + round(hours_ahead * NS_PER_HOUR) + 1, now_ns)
