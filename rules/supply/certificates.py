"""Lots of certificates and how far each is used up, hour after hour; the caller keeps what was used."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from wattledger.rules.instant import NS_PER_HOUR

from .model import HourMatch, Layer, Offer, Take


@dataclass(frozen=True, slots=True)
class Lot:
    """Certificates of one transfer, for power generated within `[from, to)`; a certificate is usually 1 MWh.

    Those of more than one hour may cover load from the beginning of their time until `valid_until_wall_ns`. Those
    generated within one UTC hour carry that hour, and cover load of no other. Intensity in micrograms per kWh.
    """

    name: str
    energy_mj: int
    from_wall_ns: int
    to_wall_ns: int
    valid_until_wall_ns: int
    intensity: int = 0
    renewable: bool = True
    carbon_free: bool = True

    @property
    def hour(self) -> int | None:
        """Give the UTC hour since the Unix epoch that it carries; None where it is of a longer time."""
        hour = self.from_wall_ns // NS_PER_HOUR
        return hour if self.to_wall_ns <= (hour + 1) * NS_PER_HOUR else None

    def is_for(self, hour: int) -> bool:
        """Tell whether it may cover load of the UTC hour."""
        own = self.hour
        if own is not None:
            return hour == own
        return self.from_wall_ns <= hour * NS_PER_HOUR < self.valid_until_wall_ns


@dataclass(frozen=True, slots=True)
class CertificateBook:
    """All lots, and the energy of each that is used, by the lot's name. A lot that is gone keeps what it used.

    It is a value: an hour that is settled anew starts from the book as it was before that hour.
    """

    lots: tuple[Lot, ...] = ()
    used_mj: Mapping[str, int] = field(default_factory=dict)

    def left_mj(self, lot: Lot) -> int:
        """Give what is left of a lot."""
        return max(0, lot.energy_mj - self.used_mj.get(lot.name, 0))

    def cover(self, hour: int, match: HourMatch) -> tuple[HourMatch, "CertificateBook"]:
        """Cover what is unmatched in a UTC hour, and give the book after it. Hours come in the order of time.

        Lots that carry the hour come first, then those that lapse first, then as they are listed.
        """
        used, takes, left_mj = dict(self.used_mj), [], match.unmatched_mj
        for lot in self._lots_for(hour):
            available_mj = self.left_mj(lot)
            energy_mj = min(left_mj, available_mj)
            if energy_mj == 0:
                continue
            used[lot.name] = used.get(lot.name, 0) + energy_mj
            left_mj -= energy_mj
            takes.append(_take(lot, energy_mj, available_mj))
        if not takes:
            return match, self
        return match.with_more(tuple(takes)), replace(self, used_mj=used)

    def _lots_for(self, hour: int) -> list[Lot]:
        usable = [lot for lot in self.lots if lot.is_for(hour)]
        return sorted(usable, key=lambda lot: (lot.hour is None, lot.valid_until_wall_ns))


def _take(lot: Lot, energy_mj: int, available_mj: int) -> Take:
    """Give what is taken of a lot; what is left of one that carries its hour is of use for no other."""
    hourly = lot.hour is not None
    offered_mj = available_mj if hourly else energy_mj
    offer = Offer(
        Layer.CERTIFICATES,
        lot.name,
        offered_mj,
        lot.intensity,
        renewable=lot.renewable,
        carbon_free=lot.carbon_free,
        hourly=hourly,
    )
    return Take(offer, energy_mj, offered_mj - energy_mj)
