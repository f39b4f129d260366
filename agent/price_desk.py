"""The part of each tick that is about grams and money: energy goes into quarter hours, and hours get their prices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from wattledger.exporter.node import NO_NODE, NodeView
from wattledger.exporter.prices import PricesView, Rate
from wattledger.rules.account import Entry
from wattledger.rules.chain.chain import Stage
from wattledger.rules.chain.totals import FacilityTotal
from wattledger.rules.feeds.model import Accounting
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND, Instant
from wattledger.rules.pricing.book import PriceBook
from wattledger.rules.pricing.hour import HourFacts, Quarters
from wattledger.rules.pricing.model import SLOT_NS, Boundary, HourPrice, TotalKind, slots_of_hour
from wattledger.rules.pricing.rates import MeanRate, rate_over

from .hour_facts import HourKnowledge
from .ledger.base import NOTHING_METERED, HourClosing, NodeCommit, PriceCommit, Prices
from .ledger.hours import Cell, split_slots
from .node_desk import NodeDesk
from .price_parts import MARGINAL, Feeds, PriceSettings, Supplies, Tariffs

if TYPE_CHECKING:
    from wattledger.exporter.feeds import FeedHealth
    from wattledger.rules.tokens.view import ServiceView

ROWS_EVERY_NS = 60 * NS_PER_SECOND
# Until the first feed of each chain has answered, or is known from before, a later one would count.
SETTLE_NS = 30 * NS_PER_SECOND
_MICRO = 1_000_000


class PriceDesk:
    """Prices the energy of one host. Every method is called by the tick thread alone."""

    def __init__(
        self,
        prices: Prices,
        settings: PriceSettings,
        *,
        feeds: Feeds | None = None,
        supplies: Supplies | None = None,
        tariffs: Tariffs | None = None,
        node: NodeDesk | None = None,
    ) -> None:
        self._settings = settings
        self._feeds = feeds
        self._supplies = supplies
        self._node = node
        self._knowledge = HourKnowledge(settings, feeds, supplies, tariffs, node)
        slots = {slot: found.gpu_mj for slot, found in prices.open_slots.items()}
        self._book = PriceBook(prices.totals, slots, open_ns=settings.open_ns)
        self._rows: dict[int, HourPrice] = {}  # as they are now, and not stored yet
        self._rows_due_ns = 0
        self._corrections = 0
        self._closed_ns = (0, 0)  # from when to when hours have closed since the start
        self._now_wall_ns = 0
        self._settled = self._heard = False
        self._settle_by_ns = 0

    def book(self, entries: Sequence[Entry], at: Instant, boot_id: str = "") -> PriceCommit:
        """Take the energy of a tick and what meters and feeds have brought; give what is to be stored with it."""
        self._pass_time(at)
        node = self._take_node(at, boot_id)
        for slot, energy_mj in _by_slot(entries).items():
            self._book.add(slot, energy_mj)
        # Before the news is taken: what made them so is then among it.
        is_settled, has_heard = self._is_settled(at), self._has_heard(at)
        self._take_changes()
        if not is_settled:
            # The energy is in its quarter hours, and is priced when it is known with what.
            return PriceCommit(node=node)
        self._rows.update(
            (row.hour, row)
            for row in self._book.reprice(
                self._facts, in_order=self._supplies is not None and self._supplies.is_sequential
            )
        )
        closings = self._book.close(at.wall_ns) if has_heard else ()
        used: dict[str, int] = {}
        for closing in closings:
            self._rows[closing.hour] = closing.row
            self._note_closed(closing.hour)
            if self._node is not None:
                self._node.forget(slots_of_hour(closing.hour))
            if self._supplies is not None:
                used.update(self._supplies.settle(closing.hour))
        return PriceCommit(
            closings=[HourClosing(closing.hour, closing.quarters) for closing in closings],
            hours=self._take_rows(at, at_once=bool(closings)),
            totals=self._book.totals,
            certificates=used,
            node=node,
        )

    def close(self) -> PriceCommit:
        """Give what is not stored yet, and ask no feed any more."""
        if self._feeds is not None:
            self._feeds.close()
        if self._node is not None:
            self._node.close()
        return PriceCommit(hours=tuple(self._rows.values()), totals=self._book.totals)

    def feeds(self) -> tuple[FeedHealth, ...]:
        """Give how each feed is doing."""
        return () if self._feeds is None else self._feeds.health()

    def start(self) -> None:
        """Begin to ask feeds and meters."""
        if self._feeds is not None:
            self._feeds.start()
        if self._node is not None:
            self._node.start()

    def view(self, at: Instant, services: Sequence[ServiceView]) -> PricesView:
        """Give what the page shows of grams and money."""
        return PricesView(
            totals=self._book.totals,
            currency=self._settings.currency,
            price=self._knowledge.price_at(at.wall_ns),
            rates=dict(self._rates(at, services)),
            open_uncovered_mj=self._uncovered(),
            corrections=self._corrections,
            pue=self._knowledge.pue_at(at.wall_ns),
        )

    def node_view(self, at: Instant) -> NodeView:
        """Give what the page shows of the node and of the house."""
        view = NO_NODE if self._node is None else self._node.view(at)
        shown = {total.key: total.shown for total in self._book.totals}
        whole_mj = shown.get((TotalKind.LOAD, (Boundary.FACILITY,)))
        if whole_mj is None:
            return view
        losses = {stage: shown[TotalKind.LOSS, (stage,)] for stage in Stage if (TotalKind.LOSS, (stage,)) in shown}
        return replace(view, facility=FacilityTotal(whole_mj - sum(losses.values()), losses))

    def _pass_time(self, at: Instant) -> None:
        """Have the quarter that is over priced as a whole: while it ran, what had gone of it was."""
        if at.wall_ns // SLOT_NS != self._now_wall_ns // SLOT_NS:
            self._book.changed(self._now_wall_ns, self._now_wall_ns + 1)
        self._now_wall_ns = at.wall_ns

    def _is_settled(self, at: Instant) -> bool:
        """Tell whether the first feed of each chain has a value of now, or has answered or failed.

        No longer than a while is waited.
        """
        if self._settled or self._feeds is None:
            return True
        self._settle_by_ns = self._settle_by_ns or at.mono_ns + SETTLE_NS
        self._settled = at.mono_ns >= self._settle_by_ns or all(
            feed.value is not None or _has_told(feed) for feed in self._first_feeds(self._feeds)
        )
        return self._settled

    def _has_heard(self, at: Instant) -> bool:
        """Tell whether the first feed of each chain has answered or failed since the start, and waits no longer.

        Of hours that closed while the agent was down the cache may have old forecasts, where a feed tells the truth.
        """
        if self._heard or self._feeds is None:
            return True
        self._heard = at.mono_ns >= self._settle_by_ns or all(map(_has_told, self._first_feeds(self._feeds)))
        return self._heard

    @staticmethod
    def _first_feeds(feeds: Feeds) -> Iterator[FeedHealth]:
        return (feed for feed in feeds.health() if feed.level == 0)

    def _take_changes(self) -> None:
        if self._feeds is None:
            return
        for chain, spans in self._feeds.changes().items():
            if chain == MARGINAL:
                continue  # it is in no account
            for span in spans:
                self._book.changed(span.start_wall_ns, span.end_wall_ns)
                begin_ns, end_ns = self._closed_ns
                self._corrections += span.start_wall_ns < end_ns and span.end_wall_ns > begin_ns

    def _note_closed(self, hour: int) -> None:
        start, end = hour * NS_PER_HOUR, (hour + 1) * NS_PER_HOUR
        begin_ns, end_ns = self._closed_ns
        self._closed_ns = (min(begin_ns or start, start), max(end_ns, end))

    def _take_rows(self, at: Instant, *, at_once: bool) -> tuple[HourPrice, ...]:
        """Give the rows that are to be stored now; those of open hours change with every tick, and may wait."""
        if not at_once and at.mono_ns < self._rows_due_ns:
            return ()
        self._rows_due_ns = at.mono_ns + ROWS_EVERY_NS
        rows = tuple(self._rows.values())
        self._rows.clear()
        return rows

    def _take_node(self, at: Instant, boot_id: str) -> NodeCommit:
        if self._node is None:
            return NOTHING_METERED
        commit = self._node.tick(at, boot_id)
        for slot, _ in commit.slots:
            self._book.changed(slot * SLOT_NS, slot * SLOT_NS + 1)
        return commit

    def _facts(self, hour: int, gpu: Quarters) -> HourFacts:
        return self._knowledge.facts(hour, gpu, self._now_wall_ns)

    def _rates(self, at: Instant, services: Sequence[ServiceView]) -> Iterator[tuple[str, Rate]]:
        """Give what a kWh came to up to the widest boundary, over the window of each service that has ratios."""
        for view in services:
            if not view.ratios:
                continue
            means = rate_over(self._book.hours(), at.wall_ns - view.window_ns, at.wall_ns)
            for boundary in (Boundary.FACILITY, Boundary.NODE, Boundary.GPU):
                if boundary in means:
                    yield view.service, self._rate(boundary, means[boundary])
                    break

    def _rate(self, boundary: Boundary, mean: MeanRate) -> Rate:
        grams = {accounting: float(rate / _MICRO) for accounting, rate in mean.grams.items()}
        return Rate(boundary, grams, None if mean.cost is None else float(mean.cost / _MICRO))

    def _uncovered(self) -> dict[Accounting, int]:
        if not self._settings.has_carbon:
            return {}
        found = {Accounting.LOCATION: 0, Accounting.MARKET: 0}
        for priced in self._book.hours():
            widest = list(priced.row.boundaries.values())[-1]
            found[Accounting.LOCATION] += widest.energy_mj - widest.location_covered_mj
            found[Accounting.MARKET] += widest.energy_mj - widest.market_covered_mj
        return found


def _has_told(feed: FeedHealth) -> bool:
    return feed.last_success_wall_ns is not None or bool(feed.trouble)


def _by_slot(entries: Sequence[Entry]) -> Mapping[int, int]:
    """Give the energy of *entries* by quarter hour. Nearly all of them lie in one, and are not taken apart."""
    found: dict[int, int] = {}
    for entry in entries:
        end_ns, duration_ns = entry.end.wall_ns, entry.duration_ns
        slot = (end_ns - 1) // SLOT_NS
        if 0 < duration_ns <= end_ns - slot * SLOT_NS:
            found[slot] = found.get(slot, 0) + entry.energy_mj
            continue
        for part, cell in split_slots(Cell(entry.energy_mj, duration_ns), end_ns, first_hour=0):
            found[part] = found.get(part, 0) + cell.energy_mj
    return found
