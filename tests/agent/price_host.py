"""A host whose feeds say what a test tells them: the real desk of prices over the real desk of feeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.agent.fake_clock import FakeClock
from wattledger.agent.feeds.base import Answer, FeedError, Pace, Trouble, Web, Window
from wattledger.agent.feeds.desk import Chain, FeedDesk
from wattledger.agent.feeds.poller import Member
from wattledger.agent.ledger import PriceCommit, Prices
from wattledger.agent.price_desk import PriceDesk
from wattledger.agent.price_parts import PriceSettings, Supplies, Tariffs
from wattledger.exporter.prices import PricesView
from wattledger.rules.account import Entry
from wattledger.rules.feeds.model import Caliber, Measure, Point, PointKind, Series
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND
from wattledger.rules.pricing.model import TotalKind
from wattledger.rules.state import State

HOUR = 490_000
START_NS = HOUR * NS_PER_HOUR
MINUTE_NS = 60 * NS_PER_SECOND
OPEN_NS = 2 * NS_PER_HOUR
KWH = 3_600_000_000
ALWAYS = (START_NS - 100 * NS_PER_HOUR, START_NS + 100 * NS_PER_HOUR)


def grid(zone: str) -> Series:
    """Give a series of intensities."""
    return Series(Measure.INTENSITY, "told", zone, Caliber())


@dataclass
class Told:
    """A provider of this host: what is told it stands at the next look, a minute later. Nothing told is a failure."""

    series: Series
    values: list[tuple[int, int, int]] = field(default_factory=list)  # from, to, value
    pace: Pace = field(default=Pace(step_ns=NS_PER_HOUR, lag_ns=0, max_age_ns=0, poll_ns=MINUTE_NS))
    credential: str = ""

    def fetch(self, web: Web, window: Window) -> Answer:
        """Give it."""
        del web
        if not self.values:
            raise FeedError(Trouble.NOT_FOUND, "nothing was told")
        return Answer(
            tuple(Point(start, end, value, PointKind.ACTUAL, window.now_wall_ns) for start, end, value in self.values)
        )


@dataclass
class PricedHost:
    """One board, its energy by the tick, and what it comes to. Time begins at an hour."""

    chains: Mapping[str, Sequence[Told]]
    settings: PriceSettings = field(default=PriceSettings(open_ns=OPEN_NS, zone="DE", has_carbon=True))
    supplies: Supplies | None = None
    tariffs: Tariffs | None = None

    def __post_init__(self) -> None:
        self.clock = FakeClock(wall_ns=START_NS)
        chains = [Chain(name, tuple(map(Member, members))) for name, members in self.chains.items()]
        # No chance: every one is asked when it is due to the second, a tenth earlier than its pace.
        self.feeds = FeedDesk(chains, clock=self.clock, chance=lambda: 0.0)
        self.desk = PriceDesk(
            Prices(),
            self.settings,
            feeds=self.feeds if chains else None,
            supplies=self.supplies,
            tariffs=self.tariffs,
        )

    def ask(self) -> None:
        """Have the feeds asked that are due."""
        self.feeds.turn()

    def tick(self, energy_mj: int | None = None, *, minutes: float = 1) -> PriceCommit:
        """Let time pass in which the board draws *energy_mj*, or is not looked at."""
        begin = self.clock.now()
        self.clock.advance(minutes * 60)
        end = self.clock.now()
        entries = [] if energy_mj is None else [Entry("GPU-1", State.ACTIVE, begin, end, energy_mj)]
        return self.desk.book(entries, end)

    def view(self) -> PricesView:
        """Give what the page shows."""
        return self.desk.view(self.clock.now(), ())

    def shown(self, kind: TotalKind, *labels: str) -> int:
        """Give the sum of the counters of *kind* with these labels."""
        return sum(
            total.shown for total in self.view().totals if total.kind is kind and set(labels) <= set(total.labels)
        )
