"""One board of a dcgm-exporter: which of its values are new, and which Xids came; it asks for nothing.

The page has no times. The energy counter of a board that is on rises all the time, so it tells one collection from
the next; what a page repeats is given again as the same reading, and nothing is booked for it a second time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from wattledger.rules.instant import Instant
from wattledger.rules.quantity import Gap, Quantity
from wattledger.rules.reading import Reading, XidEvent, without_values

from .dcgm_pace import STALE_NS
from .dcgm_page import PagedBoard

# What is booked, and so may only be told at a moment at which it is known to be new.
_BOOKED = (Quantity.ENERGY_MJ, Quantity.POWER_AVERAGE_MW, Quantity.POWER_INSTANT_MW)


class Board:
    """Gives one reading for each collection. Until the first change is seen, energy and power are withheld.

    How old they are is not known by then: a counter of half a minute ago, taken for one of now, would put the joules
    of that time into a moment.
    """

    def __init__(self, paged: PagedBoard, at: Instant) -> None:
        self._found_ns = self._changed_ns = at.mono_ns
        self._has_counter = False
        self._paged = paged = self._awaiting_counter(paged, at)
        self._xids = _Xids(paged)
        self._reading = _withheld(_reading(paged, at)) if _is_booked(paged) else _reading(paged, at)

    def take(self, paged: PagedBoard, at: Instant) -> tuple[bool, tuple[XidEvent, ...]]:
        """Take what the page says at *at*; tell whether it is new, and give the Xids that came."""
        paged = self._awaiting_counter(paged, at)
        changed = _is_new(self._paged, paged)
        events = self._xids.take(paged, at)
        if changed:
            self._paged, self._changed_ns = paged, at.mono_ns
            self._reading = _reading(paged, at)
        elif paged.identity != self._paged.identity:
            self._paged = replace(self._paged, identity=paged.identity)
            self._reading = replace(self._reading, identity=paged.identity)
        return changed, events

    def _awaiting_counter(self, paged: PagedBoard, at: Instant) -> PagedBoard:
        """Say of a counter that is missing that it failed, where it may come back.

        What is drawn meanwhile will be in it, while a board that has none is judged by power at once. Of a board that
        was just found it is not known whether it has one.
        """
        if Quantity.ENERGY_MJ in paged.values:
            self._has_counter = True
        elif self._has_counter or at.mono_ns - self._found_ns <= STALE_NS:
            return replace(paged, gaps=paged.gaps | {Quantity.ENERGY_MJ: Gap.FAILED})
        return paged

    def reading(self, at: Instant) -> Reading:
        """Give the reading of the last collection; without values where it is too old to be shown."""
        if at.mono_ns - self._changed_ns > STALE_NS:
            return replace(without_values(self._reading, Gap.TIMEOUT), at=at)
        return self._reading


class _Xids:
    """Tells the Xids that came since the page before. What was there at the first page may be of any time."""

    def __init__(self, paged: PagedBoard) -> None:
        self._last = paged.last_xid
        self._counts = paged.xid_counts

    def take(self, paged: PagedBoard, at: Instant) -> tuple[XidEvent, ...]:
        counts, last = self._counts, self._last
        if paged.xid_counts is not None:
            self._counts = paged.xid_counts
        if paged.last_xid is not None:
            self._last = paged.last_xid
        if paged.xid_counts is not None:
            came = _more(counts or {}, paged.xid_counts)
        elif paged.last_xid and last is not None and paged.last_xid != last and counts is None:
            came = [paged.last_xid]
        else:
            came = []
        return tuple(XidEvent(paged.identity.uuid, xid, at.wall_ns) for xid in came)


_MOST_OF_ONE = 100  # Xids of one number in one page; more says nothing more


def _more(before: Mapping[int, int], here: Mapping[int, int]) -> list[int]:
    """Give each Xid as often as its count grew; one that fell began anew with the exporter."""
    came: list[int] = []
    for xid, count in sorted(here.items()):
        known = before.get(xid, 0)
        came += [xid] * min(count - known if count >= known else count, _MOST_OF_ONE)
    return came


def _reading(paged: PagedBoard, at: Instant) -> Reading:
    return Reading(
        identity=paged.identity,
        at=at,
        values=dict(paged.values),
        gaps=dict(paged.gaps),
        instances=paged.instances,
    )


def _withheld(reading: Reading) -> Reading:
    hidden = {quantity: Gap.TIMEOUT for quantity in _BOOKED if quantity in reading.values}
    values = {quantity: value for quantity, value in reading.values.items() if quantity not in hidden}
    return replace(reading, values=values, gaps=reading.gaps | hidden)


def _is_booked(paged: PagedBoard) -> bool:
    return any(quantity in paged.values for quantity in _BOOKED)


def _is_new(before: PagedBoard, here: PagedBoard) -> bool:
    """Tell another collection from the same one: by the counter, or else by anything that differs.

    A board with neither energy nor power has nothing that could be booked twice: each page of it counts.
    """
    counters = before.values.get(Quantity.ENERGY_MJ), here.values.get(Quantity.ENERGY_MJ)
    if None not in counters:
        return counters[0] != counters[1]
    if not _is_booked(here):
        return True
    return (before.values, before.gaps, before.instances) != (here.values, here.gaps, here.instances)
