"""Open hours of a host's supply, each settled on the books that the hour before it left; it prices nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .hour import HourSupply, SupplyBooks, settle_hour
from .model import Offer
from .storage import StorageBook


@dataclass(slots=True)
class _Hour:
    """What was asked of an hour, the answer, and the books after it."""

    load_mj: int
    offers: tuple[Offer, ...]
    unmetered: tuple[str, ...]
    supply: HourSupply
    after: SupplyBooks


class SupplyChain:
    """Settles hours that may be asked anew, with other loads or offers, until they are closed.

    *books* are those after the hour *settled* (UTC hour since the Unix epoch), None where none was ever closed.
    Batteries count as empty after an hour that nobody asked about: what they gave back in it is not known.
    """

    def __init__(self, books: SupplyBooks, settled: int | None = None) -> None:
        self._books = books
        self._settled = settled
        self._hours: dict[int, _Hour] = {}
        self._stale: set[int] = set()

    @property
    def books(self) -> SupplyBooks:
        """Give the books after the last hour that was closed: what is to be kept over a restart."""
        return self._books

    @property
    def settled(self) -> int | None:
        """Give the last hour that was closed."""
        return self._settled

    def cover(self, hour: int, load_mj: int, offers: Sequence[Offer], unmetered: Sequence[str] = ()) -> HourSupply:
        """Give who covers the load of an hour. Load of one that is closed has the grid: its offers are used up."""
        if self._settled is not None and hour <= self._settled:
            return settle_hour(hour, load_mj, (), SupplyBooks())[0]
        before, books = self._before(hour)
        supply, after = _settle(hour, load_mj, offers, _handed_on(books, before, hour), unmetered)
        self._hours[hour] = _Hour(load_mj, tuple(offers), tuple(unmetered), supply, after)
        self._stale.discard(hour)
        self._follow(hour)
        return supply

    def stale(self) -> tuple[int, ...]:
        """Give, once, the later hours whose answer is another by now: they are to be asked anew."""
        hours = tuple(sorted(self._stale))
        self._stale.clear()
        return hours

    def close(self, hour: int) -> SupplyBooks:
        """Close an hour and those before it; give the books to keep."""
        for one in sorted(self._hours):
            if one <= hour:
                self._books, self._settled = self._hours.pop(one).after, one
                self._stale.discard(one)
        return self._books

    def _before(self, hour: int) -> tuple[int | None, SupplyBooks]:
        """Give the hour that was asked about last before *hour*, and the books after it."""
        before = max((one for one in self._hours if one < hour), default=None)
        return (self._settled, self._books) if before is None else (before, self._hours[before].after)

    def _follow(self, hour: int) -> None:
        """Settle the hours after *hour* anew, up to one that it changes nothing for."""
        before = hour
        for one in sorted(later for later in self._hours if later > hour):
            kept = self._hours[one]
            books = _handed_on(self._hours[before].after, before, one)
            supply, after = _settle(one, kept.load_mj, kept.offers, books, kept.unmetered)
            if supply == kept.supply and after == kept.after:
                return
            if supply != kept.supply:
                self._stale.add(one)
            kept.supply, kept.after = supply, after
            before = one


def _settle(
    hour: int, load_mj: int, offers: Sequence[Offer], books: SupplyBooks, unmetered: Sequence[str]
) -> tuple[HourSupply, SupplyBooks]:
    return settle_hour(hour, load_mj, offers, books, unmetered=unmetered)


def _handed_on(books: SupplyBooks, before: int | None, hour: int) -> SupplyBooks:
    if before is None or before == hour - 1:
        return books
    return replace(books, storage=StorageBook(books.storage.storages))
