"""What a feed asks of its file, and how it says what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wattledger.rules.feeds.model import Measure
from wattledger.rules.instant import NS_PER_SECOND

from ..config.feed_schema import Feed
from .base import FeedError, Trouble
from .declared import SOURCE_KEYS
from .registration import FeedKeys, Wants
from .times import zone_of

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

POLL_NS = 60 * NS_PER_SECOND
"""How often to look whether a file has changed, which costs next to nothing."""


def file_keys(*optional: str) -> FeedKeys:
    """Give the keys of a kind that reads a file."""
    return FeedKeys(
        required=("path",),
        optional=(*optional, "step", "timezone", *SOURCE_KEYS),
        measures=tuple(Measure),
    )


@dataclass(frozen=True, slots=True)
class FileAsk:
    """The keys of a feed that say how its file is read. `clock` is for times without an offset."""

    path: Path
    measure: Measure
    currency: str
    unit: str
    zone: str
    clock: ZoneInfo | None
    step_ns: int | None

    @staticmethod
    def of(feed: Feed, wants: Wants) -> FileAsk:
        """Take them from the configuration. Raises ValueError without a path."""
        if feed.path is None:
            raise ValueError("path: is missing; write the path of the file")
        return FileAsk(
            path=feed.path,
            measure=wants.measure,
            currency=wants.currency,
            unit=feed.unit,
            zone=feed.zone,
            clock=zone_of(feed.timezone),
            step_ns=feed.step_ns,
        )

    def wrong(self, place: str, problem: str) -> ValueError:
        """Say what is wrong; *place* is a line, or the path in the tree, with what joins it to the file's name."""
        return ValueError(f"{self.path}{place}: {problem}")

    def chosen(self, zones: set[str]) -> str:
        """Give which of the *zones* of a file is meant. Raises ValueError or FeedError where none can be."""
        shown = ", ".join(sorted(zones))[:200]
        if self.zone in zones:
            return self.zone
        if self.zone:
            raise FeedError(
                Trouble.WRONG_ZONE, f"{self.path}: is of {shown}, not of {self.zone}; mend `zone` or `path`"
            )
        if len(zones) > 1:
            raise self.wrong("", f"is of {shown}; set `zone` to one of them")
        return min(zones)
