"""How much of what a battery gives back is green: never more than green surplus that could charge it before."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from wattledger.rules.instant import NS_PER_HOUR

from .model import MILLION, HourMatch, Layer, Offer


@dataclass(frozen=True, slots=True)
class Storage:
    """A battery that is charged from generation on site, and how much it holds at most of what it can give back.

    It is there in hours that begin within `[from, to)`, None for no end. `efficiency_ppm` is the part that it gives
    back of what charges it.
    """

    name: str
    capacity_mj: int
    from_wall_ns: int | None = None
    to_wall_ns: int | None = None
    efficiency_ppm: int = MILLION

    def is_there(self, hour: int) -> bool:
        """Tell whether it is there in a UTC hour."""
        start = hour * NS_PER_HOUR
        return (self.from_wall_ns is None or self.from_wall_ns <= start) and (
            self.to_wall_ns is None or start < self.to_wall_ns
        )

    def charged(self, surplus_mj: int, room_mj: int) -> tuple[int, int]:
        """Give what of a surplus charges it, and what of that it will give back; it has room for so much of that."""
        held_mj = min(surplus_mj * self.efficiency_ppm // MILLION, room_mj)
        return min(surplus_mj, -(-held_mj * MILLION // self.efficiency_ppm)), held_mj


@dataclass(frozen=True, slots=True)
class StorageBook:
    """The green energy that each battery holds, by its name; one that is not told holds none.

    Generation on site goes to the load first, and its surplus charges the batteries, as far as they hold it. No joule
    of it is therefore counted twice.
    """

    storages: tuple[Storage, ...] = ()
    stock_mj: Mapping[str, int] = field(default_factory=dict)

    def of_hour(self, hour: int) -> "StorageBook":
        """Give the book of the batteries that are there in a UTC hour: others hold nothing, and are not charged."""
        return replace(self, storages=tuple(storage for storage in self.storages if storage.is_there(hour)))

    def limited(self, offers: Sequence[Offer]) -> tuple[Offer, ...]:
        """Give the offers with what batteries give back limited to what is green; beyond that it is the grid's."""
        stocks = self._stocks()
        return tuple(
            replace(offer, energy_mj=min(offer.energy_mj, stocks[offer.name]))
            if offer.layer is Layer.STORAGE and offer.name in stocks
            else offer
            for offer in offers
        )

    def after(self, match: HourMatch, unmetered: Collection[str] = ()) -> "StorageBook":
        """Give the book after an hour that was matched with limited offers. Hours come in the order of time.

        What a battery gave back in an hour without a value of its meter is not known: it is taken to be empty.
        """
        stocks = self._stocks()
        if not stocks:
            return replace(self, stock_mj={}) if self.stock_mj else self
        surplus_mj = 0
        for take in match.taken:
            offer = take.offer
            if offer.layer is Layer.STORAGE and offer.name in stocks:
                stocks[offer.name] -= offer.energy_mj
            elif offer.layer is Layer.ONSITE and offer.is_green and offer.is_matched:
                surplus_mj += take.surplus_mj
        for storage in self.storages:
            if storage.name in unmetered:
                stocks[storage.name] = 0
            charged_mj, held_mj = storage.charged(surplus_mj, storage.capacity_mj - stocks[storage.name])
            stocks[storage.name] += held_mj
            surplus_mj -= charged_mj
        return replace(self, stock_mj=stocks)

    def _stocks(self) -> dict[str, int]:
        return {
            storage.name: min(self.stock_mj.get(storage.name, 0), storage.capacity_mj) for storage in self.storages
        }
