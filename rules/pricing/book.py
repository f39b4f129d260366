"""The open hours of a host and its counters of grams and money: priced anew while better numbers may come."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from wattledger.rules.apportion import apportion
from wattledger.rules.instant import NS_PER_HOUR

from .hour import HourFacts, PricedHour, Quarters, TotalKey, price_hour
from .model import SLOTS_PER_HOUR, Boundary, HourPrice, Priced, PriceTotal, TotalKind

FactsOf = Callable[[int, Quarters], HourFacts]
"""Gives what is known now of an hour in which the GPUs took these energies."""


@dataclass(frozen=True, slots=True)
class Closing:
    """An hour that is priced for good: what the energy of the GPUs in each quarter came to, and its row."""

    hour: int
    quarters: tuple[Priced, Priced, Priced, Priced]
    row: HourPrice


@dataclass(slots=True)
class _Open:
    """An hour that may be priced anew."""

    gpu: list[int] = field(default_factory=lambda: [0] * SLOTS_PER_HOUR)  # energy by quarter
    priced: PricedHour | None = None  # None: its energy or its values changed since
    counted: Mapping[TotalKey, int] = field(default_factory=dict)  # what of it is in the true numbers


class PriceBook:
    """Prices the energy of a host by hours and keeps its counters. No counter that it shows ever falls.

    An hour stays open for `open_ns` after its end and then closes. Energy that comes later opens it again; what
    comes is priced by itself and added.
    """

    def __init__(
        self,
        totals: Iterable[PriceTotal] = (),
        open_slots: Mapping[int, int] | None = None,
        *,
        open_ns: int,
    ) -> None:
        self.open_ns = open_ns
        self._totals: dict[TotalKey, PriceTotal] = {}
        self._true: dict[TotalKey, int] = {}  # what closed and what is open, as it is known now
        self._groups: dict[TotalKey, list[TotalKey]] = {}
        for total in totals:
            self._begin(total)
        self._open: dict[int, _Open] = {}
        for slot, energy_mj in (open_slots or {}).items():
            self.add(slot, energy_mj)

    @property
    def totals(self) -> tuple[PriceTotal, ...]:
        """Give every counter as it is shown."""
        return tuple(self._totals.values())

    def add(self, slot: int, energy_mj: int) -> None:
        """Add energy of the GPUs to a quarter hour."""
        hour, quarter = divmod(slot, SLOTS_PER_HOUR)
        known = self._open.setdefault(hour, _Open())
        known.gpu[quarter] += energy_mj
        known.priced = None

    def changed(self, start_wall_ns: int, end_wall_ns: int) -> None:
        """Note that values within `[start, end)` are others now."""
        for hour, known in self._open.items():
            if hour * NS_PER_HOUR < end_wall_ns and (hour + 1) * NS_PER_HOUR > start_wall_ns:
                known.priced = None

    def reprice(self, facts_of: FactsOf, *, in_order: bool = False) -> tuple[HourPrice, ...]:
        """Price what changed; give the rows of those hours as they are now.

        *in_order*: an hour depends on those before it, so that all after the first that changed are priced anew.
        """
        rows: list[HourPrice] = []
        groups: dict[TotalKey, None] = {}
        for hour, known in sorted(self._open.items()):
            if known.priced is None or (in_order and rows):
                known.priced = price_hour(facts_of(hour, tuple(known.gpu)))
                rows.append(known.priced.row)
                groups.update(self._count(known, known.priced.totals))
        for group in groups:
            self._raise(self._groups[group])
        return tuple(rows)

    def close(self, now_wall_ns: int) -> tuple[Closing, ...]:
        """Close the hours that have been over for long enough; every one was priced before."""
        closings = []
        for hour in sorted(self._open):
            if (hour + 1) * NS_PER_HOUR + self.open_ns > now_wall_ns:
                break
            priced = self._open[hour].priced
            if priced is None:
                continue
            del self._open[hour]
            for key, number in priced.totals.items():
                total = self._totals[key]
                self._totals[key] = replace(total, closed=total.closed + number)
            first, second, third, fourth = priced.quarters[Boundary.GPU]
            closings.append(Closing(hour, (first, second, third, fourth), replace(priced.row, final=True)))
        return tuple(closings)

    def hours(self) -> Iterator[PricedHour]:
        """Give the open hours as they are priced now."""
        for known in self._open.values():
            if known.priced is not None:
                yield known.priced

    def _begin(self, total: PriceTotal) -> None:
        self._totals[total.key] = total
        self._true[total.key] = total.closed
        self._groups.setdefault(_group(total.key), []).append(total.key)

    def _count(self, known: _Open, totals: Mapping[TotalKey, int]) -> dict[TotalKey, None]:
        """Put what an hour comes to now in the place of what it came to before; give the groups that it changes."""
        groups: dict[TotalKey, None] = {}
        for key, number in totals.items():
            if key not in self._totals:
                self._begin(PriceTotal(*key))
            by = number - known.counted.get(key, 0)
            if by:
                self._true[key] += by
                groups[_group(key)] = None
        for key, number in known.counted.items():
            if key not in totals:
                self._true[key] -= number
                groups[_group(key)] = None
        known.counted = totals
        return groups

    def _raise(self, keys: list[TotalKey]) -> None:
        """Raise what is shown to what is true now, and lower nothing; the sum of *keys* is one number.

        They are raised by no more than that number is higher than what they show.
        """
        true = [self._true[key] for key in keys]
        shown = [self._totals[key].shown for key in keys]
        room = sum(true) - sum(shown)
        lacks = [max(0, number - known) for number, known in zip(true, shown, strict=True)]
        if room <= 0 or not any(lacks):
            return
        raises = lacks if sum(lacks) <= room else apportion(room, lacks)
        for key, by in zip(keys, raises, strict=True):
            if by:
                self._totals[key] = replace(self._totals[key], shown=self._totals[key].shown + by)


def _group(key: TotalKey) -> TotalKey:
    """Give what is one for counters that a correction may move energy between: zones of one account, layers.

    What was matched and what was not are one, so that no time has more matched than load: a meter that is hours late
    raises what was matched no faster than load is drawn.
    """
    kind, labels = key
    if kind is TotalKind.EMISSIONS:
        accounting, _, boundary = labels
        return kind, (accounting, boundary)
    return (_WHOLES.get(kind, kind), ()) if kind is TotalKind.SUPPLY or kind in _WHOLES else key


_WHOLES = {TotalKind.UNMATCHED: TotalKind.MATCHED, TotalKind.WITH_GRID_REST: TotalKind.WITH_GRID}
