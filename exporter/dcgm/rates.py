"""Rates of byte counters over the last ten to twenty seconds, which dcgm-exporter shows as gauges."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wattledger.rules.instant import NS_PER_SECOND

from .names import RATES

if TYPE_CHECKING:
    from wattledger.exporter.snapshot import DeviceView, Snapshot
    from wattledger.rules.quantity import Quantity

_WINDOW_NS = 10 * NS_PER_SECOND
_LONGEST_NS = 3 * _WINDOW_NS  # after a host slept, what was before says nothing of now


@dataclass(frozen=True, slots=True)
class _Mark:
    """What the counters of a device were at one reading."""

    mono_ns: int
    totals: dict[Quantity, int]


class RateWindow:
    """Remembers what counters were ten to twenty seconds ago. What a scrape sees does not depend on other scrapes.

    One thread calls `see`; any may ask.
    """

    def __init__(self) -> None:
        self._marked_ns: int | None = None
        self._marks: tuple[dict[str, _Mark], dict[str, _Mark]] = ({}, {})  # the older first; swapped whole

    def see(self, snapshot: Snapshot) -> None:
        """Take what is published; all but one snapshot in ten seconds cost a comparison."""
        now_ns = snapshot.at.mono_ns
        if self._marked_ns is None or now_ns - self._marked_ns >= _WINDOW_NS:
            self._marked_ns = now_ns
            self._marks = (self._marks[1], dict(_marks(snapshot.devices)))

    def per_second(self, quantity: Quantity, view: DeviceView) -> float | None:
        """Give by how much a counter grew each second; None where it is not read, or not for ten seconds yet."""
        carried = view.account.counters.get(quantity)
        if carried is None or quantity not in view.reading.values:
            return None
        for marks in self._marks:
            mark = marks.get(view.reading.identity.uuid)
            if mark is not None and quantity in mark.totals:
                passed_ns = view.reading.at.mono_ns - mark.mono_ns
                if _WINDOW_NS <= passed_ns <= _LONGEST_NS:
                    return (carried.total - mark.totals[quantity]) * NS_PER_SECOND / passed_ns
        return None


def _marks(views: Iterable[DeviceView]) -> Iterable[tuple[str, _Mark]]:
    for view in views:
        if view.present and view.reading.up:
            counters = view.account.counters
            totals = {quantity: counters[quantity].total for quantity in RATES if quantity in counters}
            yield view.reading.identity.uuid, _Mark(view.reading.at.mono_ns, totals)
